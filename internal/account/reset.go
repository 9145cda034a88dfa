// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// ResetValidity is how long a reset link is valid, starting with the request.
const ResetValidity = time.Hour

// How often a person may request mail: at most once in requestPause, and mostRequests
// times in requestWindow.
const (
	requestPause  = time.Minute
	requestWindow = 24 * time.Hour
	mostRequests  = 5
)

// resetDomain is prepended to the bytes that the MAC of a reset link covers.
const resetDomain = "usher reset link v1\x00"

// resetHead is the content of a reset link.
type resetHead struct {
	UID invitation.UID
	// Requested is when the link was requested, as Unix time.
	Requested int64
	KeyID     uint8
}

const (
	resetHeadSize = len(invitation.UID{}) + 8 + 1
	resetLinkSize = resetHeadSize + sha256.Size
)

// ResetLink is the content of a reset link before it is checked against its Account.
type ResetLink struct {
	head resetHead
	mac  [sha256.Size]byte
}

// DeriveResetLink derives the reset link of one Account for one time of request:
// base64url(uid ‖ time ‖ key id ‖ HMAC-SHA256), with the newest key of the ring. Nothing
// has to be stored for it, and each time of request gives a different link.
func DeriveResetLink(keys invitation.Keyring, uid string, requested time.Time) (string, error) {
	raw, err := invitation.ParseUID(uid)
	if err != nil {
		return "", err
	}
	head := resetHead{UID: raw, Requested: requested.Unix(), KeyID: keys.Newest()}
	mac, err := keys.MAC(head.KeyID, resetDomain, head.bytes())
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(head.bytes(), mac...)), nil
}

// ParseResetLink parses a link. The result has proved nothing yet: call CheckReset. Every
// error is invitation.ErrMalformedLink.
func ParseResetLink(text string) (ResetLink, error) {
	raw, err := invitation.DecodeLink(text, resetLinkSize)
	if err != nil {
		return ResetLink{}, err
	}
	var l ResetLink
	if _, err := binary.Decode(raw, binary.BigEndian, &l.head); err != nil {
		return ResetLink{}, invitation.ErrMalformedLink
	}
	copy(l.mac[:], raw[resetHeadSize:])
	return l, nil
}

// UID returns the UID of the Account that the link claims to be for.
func (l ResetLink) UID() string { return l.head.UID.String() }

// String never shows the link, so it cannot end up in a log by accident.
func (l ResetLink) String() string { return "link for a new password" }

// genuine reports whether DeriveResetLink made the link for this Account with a key of
// the ring. It compares in constant time.
func (l ResetLink) genuine(keys invitation.Keyring, a *accountsv1.Account) bool {
	mac, err := keys.MAC(l.head.KeyID, resetDomain, l.head.bytes())
	return err == nil && hmac.Equal(mac, l.mac[:]) && l.UID() == string(a.UID)
}

func (h resetHead) bytes() []byte {
	raw, err := binary.Append(make([]byte, 0, resetLinkSize), binary.BigEndian, h)
	if err != nil {
		panic(err) // only a type without a fixed size cannot be written
	}
	return raw
}

// ResetLinkStatus is the status of a reset link at one moment.
type ResetLinkStatus int

// The statuses of a reset link.
const (
	// ResetLinkUnknown: not genuine, or of an Account that cannot sign in. Reveal nothing
	// more.
	ResetLinkUnknown ResetLinkStatus = iota
	// ResetLinkOpen: a new password can be chosen with it.
	ResetLinkOpen
	// ResetLinkUsed: a password was chosen after the link was requested.
	ResetLinkUsed
	// ResetLinkSuperseded: a newer link was requested.
	ResetLinkSuperseded
	// ResetLinkExpired: the link has expired.
	ResetLinkExpired
)

// CheckReset returns the status of a link for an Account, which may be nil. The time of
// the password is that of the credentials, which is exact. Only the holder of a genuine
// link learns more than ResetLinkUnknown.
func CheckReset(link ResetLink, a *accountsv1.Account, passwordTime time.Time, keys invitation.Keyring, now time.Time) ResetLinkStatus {
	if a == nil || !link.genuine(keys, a) || IsIncomplete(a) || a.DeletionTimestamp != nil || Disabled(a) {
		return ResetLinkUnknown
	}
	requested := time.Unix(link.head.Requested, 0)
	newest := len(a.Status.ResetTimes) > 0 && a.Status.ResetTimes[0].Unix() == link.head.Requested
	switch {
	case !passwordTime.Before(requested):
		return ResetLinkUsed
	case !newest:
		return ResetLinkSuperseded
	case !now.Before(requested.Add(ResetValidity)):
		return ResetLinkExpired
	}
	return ResetLinkOpen
}

// MayRequest reports whether a person may request mail now, given the times of earlier
// requests, newest first. The limits are once a minute, and 5 times in 24 hours.
func MayRequest(times []metav1.Time, now time.Time) bool { return !now.Before(nextRequest(times)) }

// MayRequestReset reports whether a reset link may be requested now: as often as any
// mail, and also whenever no link is open. So an attacker cannot use up the requests that
// the member needs to come back. Either the newest link, which went to the member's
// address, is valid, or the member can request another one within a minute.
func MayRequestReset(s accountsv1.AccountStatus, now time.Time) bool {
	return !now.Before(nextReset(s))
}

// nextRequest returns the time from which mail may be requested. Zero means always.
func nextRequest(times []metav1.Time) time.Time {
	if len(times) == 0 {
		return time.Time{}
	}
	next := times[0].Add(requestPause)
	if len(times) < mostRequests {
		return next
	}
	if another := times[mostRequests-1].Add(requestWindow); another.After(next) {
		next = another
	}
	return next
}

// nextReset returns the time from which a reset link may be requested.
func nextReset(s accountsv1.AccountStatus) time.Time {
	next := nextRequest(s.ResetTimes)
	if len(s.ResetTimes) == 0 {
		return next
	}
	newest := s.ResetTimes[0]
	closed := newest.Add(ResetValidity)
	if s.PasswordTime != nil && !s.PasswordTime.Before(&newest) {
		closed = newest.Add(requestPause)
	}
	return earliest(next, closed)
}

// Requested prepends a request to such times, and drops the oldest of more than 5. If the
// list already holds one of the same second or a later one, that one counts for this
// request too.
func Requested(times []metav1.Time, now metav1.Time) []metav1.Time {
	now = now.Rfc3339Copy()
	if len(times) > 0 && !times[0].Before(&now) {
		return times
	}
	all := append([]metav1.Time{now}, times...)
	return all[:min(len(all), mostRequests)]
}
