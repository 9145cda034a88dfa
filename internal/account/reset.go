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

// ResetValidity is how long the link for a new password is good, from the request on.
const ResetValidity = time.Hour

// How often a person may ask for mail: at most once in requestPause, and
// mostRequests times in requestWindow.
const (
	requestPause  = time.Minute
	requestWindow = 24 * time.Hour
	mostRequests  = 5
)

// resetDomain stands before what the MAC of a link for a new password is over.
const resetDomain = "usher reset link v1\x00"

// resetHead is what a link for a new password says.
type resetHead struct {
	UID invitation.UID
	// Requested is when it was asked for, as Unix time.
	Requested int64
	KeyID     uint8
}

const (
	resetHeadSize = len(invitation.UID{}) + 8 + 1
	resetLinkSize = resetHeadSize + sha256.Size
)

// ResetLink is what a link for a new password says before it is checked against
// its Account.
type ResetLink struct {
	head resetHead
	mac  [sha256.Size]byte
}

// DeriveResetLink makes the link for a new password of one Account that was asked
// for at one time: base64url(uid ‖ time ‖ key id ‖ HMAC-SHA256), with the newest
// key of the ring. Nothing has to be stored for it, and whoever asked at another
// time has another.
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

// ParseResetLink reads a link. What it returns has proved nothing yet: ask
// CheckReset. Every error is invitation.ErrMalformedLink.
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

// UID is the UID of the Account that the link claims to be for.
func (l ResetLink) UID() string { return l.head.UID.String() }

// String never shows the link, so that it cannot end up in a log by accident.
func (l ResetLink) String() string { return "link for a new password" }

// genuine tells whether the link was made by DeriveResetLink for this Account,
// with a key of the ring. It compares in constant time.
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

// ResetStanding is how a link for a new password stands at this moment.
type ResetStanding int

// How such a link can stand.
const (
	// ResetUnknown: not genuine, or of an Account that nobody can sign in to.
	// Nothing more is told.
	ResetUnknown ResetStanding = iota
	// ResetOpen: a new password can be chosen with it.
	ResetOpen
	// ResetUsed: a password was chosen since it was asked for.
	ResetUsed
	// ResetSuperseded: a newer link was asked for.
	ResetSuperseded
	// ResetExpired: its time is over.
	ResetExpired
)

// CheckReset tells how a link stands to an Account; nil: there is none. The time
// of the password is that of the credentials, which is exact. Only the holder of
// a genuine link learns more than ResetUnknown.
func CheckReset(link ResetLink, a *accountsv1.Account, passwordTime time.Time, keys invitation.Keyring, now time.Time) ResetStanding {
	if a == nil || !link.genuine(keys, a) || HalfMade(a) || a.DeletionTimestamp != nil || Disabled(a) {
		return ResetUnknown
	}
	requested := time.Unix(link.head.Requested, 0)
	newest := len(a.Status.ResetTimes) > 0 && a.Status.ResetTimes[0].Unix() == link.head.Requested
	switch {
	case !passwordTime.Before(requested):
		return ResetUsed
	case !newest:
		return ResetSuperseded
	case !now.Before(requested.Add(ResetValidity)):
		return ResetExpired
	}
	return ResetOpen
}

// MayRequest tells whether somebody may ask for mail now who asked at these times,
// newest first: at most once a minute, and 5 times in 24 hours.
func MayRequest(times []metav1.Time, now time.Time) bool { return !now.Before(nextRequest(times)) }

// MayRequestReset tells whether a link for a new password may be asked for now: as
// often as any mail, and also whenever no link is open. So nobody can use up what
// the person needs to come back: either the newest link is good, which went to
// their address, or they can ask for another within a minute.
func MayRequestReset(s accountsv1.AccountStatus, now time.Time) bool {
	return !now.Before(nextReset(s))
}

// nextRequest is from when on mail may be asked for; zero: always.
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

// nextReset is from when on a link for a new password may be asked for.
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

// Requested puts a request in front of such times, and leaves out the oldest of
// more than 5. Where one of the same second, or a later one, is there already, it
// stands for this one too.
func Requested(times []metav1.Time, now metav1.Time) []metav1.Time {
	now = now.Rfc3339Copy()
	if len(times) > 0 && !times[0].Before(&now) {
		return times
	}
	all := append([]metav1.Time{now}, times...)
	return all[:min(len(all), mostRequests)]
}
