// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
)

// MostEmailCodeGuesses is how many wrong codes can be entered for one request. With 5
// requests in 24 hours, an attacker guesses a code on one in four million days.
const MostEmailCodeGuesses = 5

// EmailCode returns the code of the newest request to confirm the address of an Account.
// The same request always has the same code, so nothing has to be stored. A code that was
// mailed before the keys were rotated is wrong afterwards. EmailCode fails if there is no
// request.
func EmailCode(keys invitation.Keyring, a *accountsv1.Account) (string, error) {
	requested := newest(a.Status.EmailCodeTimes)
	if requested == nil {
		return "", errors.New("no code was requested")
	}
	return keys.DeriveCode(keys.Newest(), "usher account address code v1",
		string(a.UID), address.Key(string(a.Spec.Email)), requested.UTC().Format(time.RFC3339))
}

// EmailCodeValidUntil returns until when the code of the newest request is valid, or the
// zero time if none is: there is no request, too many codes were wrong, or the address is
// confirmed already.
func EmailCodeValidUntil(a *accountsv1.Account, now time.Time) time.Time {
	requested := newest(a.Status.EmailCodeTimes)
	if requested == nil || a.EmailVerified() || a.Status.EmailCodeGuesses >= MostEmailCodeGuesses {
		return time.Time{}
	}
	until := requested.Add(invitation.CodeValidity)
	if !now.Before(until) {
		return time.Time{}
	}
	return until
}

// RequestEmailCode records a request for a code, and reports whether it did. It does not
// if there were too many requests, or if the address is confirmed already.
func RequestEmailCode(a *accountsv1.Account, now metav1.Time) bool {
	if a.EmailVerified() || !MayRequest(a.Status.EmailCodeTimes, now.Time) {
		return false
	}
	a.Status.EmailCodeTimes, a.Status.EmailCodeGuesses = Requested(a.Status.EmailCodeTimes, now), 0
	return true
}

// EnterEmailCode records a code that the person entered, and reports whether it was right.
// valid is false if no code is valid now; nothing is recorded then. Tell the person the
// result only after the status was written on condition that it is unchanged. So a limit
// of five wrong codes means five, however many clients guess at once.
func EnterEmailCode(a *accountsv1.Account, keys invitation.Keyring, typed string, now metav1.Time) (right, valid bool, err error) {
	if EmailCodeValidUntil(a, now.Time).IsZero() {
		return false, false, nil
	}
	code, err := EmailCode(keys, a)
	if err != nil {
		return false, false, err
	}
	if !invitation.IsCode(code, typed) {
		a.Status.EmailCodeGuesses++
		return false, true, nil
	}
	VerifyEmail(a, now)
	return true, true, nil
}

// VerifyEmail records that the person receives mail at the address of the Account.
func VerifyEmail(a *accountsv1.Account, now metav1.Time) {
	if !a.EmailVerified() {
		a.Status.EmailVerifiedTime = &now
	}
}

// emailVerified returns the new value of the record that the address is proved. Empty
// means that it stays.
func (f Facts) emailVerified() string {
	if f.Account.Annotations[accountsv1.EmailVerifiedAnnotation] != "" {
		return ""
	}
	if at := f.Account.Status.EmailVerifiedTime; at != nil {
		return at.UTC().Format(time.RFC3339)
	}
	for _, a := range f.Accepted {
		// What was carried out earlier may be older than these rules.
		if !invitation.IsHistory(a.Invitation) && a.VerifiesAddress(f.Account, f.PlatformSender) {
			return acceptedTime(a).UTC().Format(time.RFC3339)
		}
	}
	return ""
}
