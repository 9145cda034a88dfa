// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// How long an Account stays locked: the first time, at most, and at most where
// its person is an owner of an Organization, who must always be able to come back.
const (
	firstLock   = 15 * time.Minute
	longestLock = 24 * time.Hour
	ownersLock  = firstLock
)

// defaultMaxFailures is how many wrong passwords in a row lock an Account of
// Organizations that do not say.
const defaultMaxFailures = 5

// settling is how long a try may still be looked at that was counted last. Until
// then nobody is told that the Account is locked: the last try may be right.
const settling = 10 * time.Second

// Limits are the rules of the lock for one Account.
type Limits struct {
	// MaxFailures is how many wrong passwords in a row lock the Account; wrong
	// second factors are counted apart, with the same limit.
	MaxFailures int32
	// Owner: the person is an owner of an Organization.
	Owner bool
}

// Belonging is a Membership that an Account holds, and its Organization.
type Belonging struct {
	Membership   *accountsv1.Membership
	Organization *accountsv1.Organization
}

// LimitsOf are the rules for somebody who belongs to these Organizations: the
// strictest of each.
func LimitsOf(belongings []Belonging) Limits {
	limits := Limits{MaxFailures: 0}
	for _, b := range belongings {
		if most := maxFailures(b.Organization); limits.MaxFailures == 0 || most < limits.MaxFailures {
			limits.MaxFailures = most
		}
		if IsOwner(b) {
			limits.Owner = true
		}
	}
	if limits.MaxFailures == 0 {
		limits.MaxFailures = defaultMaxFailures
	}
	return limits
}

func maxFailures(org *accountsv1.Organization) int32 {
	if most := org.Spec.SignIn.MaxFailures; most != 0 {
		return most
	}
	return defaultMaxFailures
}

// IsOwner tells whether the Membership makes its person an owner.
func IsOwner(b Belonging) bool {
	role, found := b.Organization.Role(b.Membership.Spec.Role)
	return found && role.Standing == accountsv1.StandingOwner
}

// Factor is what is tried at the door.
type Factor int

// The factors that can be guessed. A passkey cannot.
const (
	// FactorPassword is the password.
	FactorPassword Factor = iota
	// FactorCode is a code of the second factor, or a recovery code.
	FactorCode
)

// Lock is how an Account stands to its limits at one moment.
type Lock struct {
	// Reached: as many failures were counted as there may be.
	Reached bool
	// Until is when a lock ends, or ended; zero: the limit is not reached.
	Until time.Time
}

// Locked tells whether the Account is locked at that time.
func (l Lock) Locked(now time.Time) bool { return l.Reached && now.Before(l.Until) }

// LockOf is the lock of an Account.
func LockOf(s accountsv1.SignIn, limits Limits) Lock {
	if s.FailureTime == nil || s.Failures < limits.MaxFailures && s.CodeFailures < limits.MaxFailures {
		return Lock{}
	}
	longest := longestLock
	if limits.Owner {
		longest = ownersLock
	}
	wait := longest
	if s.Locks < 8 { // 15 minutes, doubled 7 times, are more than a day
		wait = min(firstLock<<max(s.Locks, 0), longest)
	}
	return Lock{Reached: true, Until: s.FailureTime.Add(wait)}
}

// Settled tells whether no request can be at the last try any more.
func Settled(s accountsv1.SignIn, now time.Time) bool {
	return s.FailureTime == nil || now.Sub(s.FailureTime.Time) >= settling
}

// SettledAfter is when that will be.
func SettledAfter(s accountsv1.SignIn, now time.Time) time.Duration {
	if s.FailureTime == nil {
		return 0
	}
	return max(s.FailureTime.Add(settling).Sub(now), 0)
}

// Count counts a try that is about to be looked at, and tells whether it may be.
// Where it may not, because the Account is locked, nothing is changed. A lock
// that has run out is over, and the next one will be longer.
func Count(s *accountsv1.SignIn, factor Factor, limits Limits, now metav1.Time) bool {
	lock := LockOf(*s, limits)
	if lock.Locked(now.Time) {
		return false
	}
	if lock.Reached {
		s.SessionsEndTime = later(s.SessionsEndTime, s.FailureTime)
		s.Locks = min(s.Locks+1, 100)
		s.Failures, s.CodeFailures = 0, 0
	}
	if factor == FactorCode {
		s.CodeFailures++
	} else {
		s.Failures++
	}
	s.FailureTime = &now
	return true
}

// PasswordRight forgets the passwords that were counted, because the last one
// was right; the second factor is still awaited. Whoever knows the password has
// no more second factors for it.
func PasswordRight(s *accountsv1.SignIn) {
	s.Failures = 0
	if s.CodeFailures == 0 {
		s.FailureTime = nil
	}
}

// SignedIn forgets all that was counted, because the last try, of that factor,
// was right. If it was the last that there could be, no lock has begun.
func SignedIn(s *accountsv1.SignIn, factor Factor, limits Limits) {
	if factor == FactorCode {
		s.CodeFailures = max(s.CodeFailures-1, 0)
	} else {
		s.Failures = max(s.Failures-1, 0)
	}
	Open(s, limits)
}

// Open forgets all that was counted, because the person has chosen a new
// password, or was let in by an admin. Sessions that a lock has ended stay ended.
func Open(s *accountsv1.SignIn, limits Limits) {
	ended := s.SessionsEndTime
	if LockOf(*s, limits).Reached && s.FailureTime != nil {
		ended = later(ended, s.FailureTime)
	}
	*s = accountsv1.SignIn{SessionsEndTime: ended}
}

// EndSessions ends every session that was begun up to that time.
func EndSessions(s *accountsv1.SignIn, now metav1.Time) {
	s.SessionsEndTime = later(s.SessionsEndTime, &now)
}

// SessionsEnd is the time up to which sessions are ended; zero: none is. A lock
// ends those that were begun before it.
func SessionsEnd(s accountsv1.SignIn, limits Limits) time.Time {
	var ended *metav1.Time
	if LockOf(s, limits).Reached {
		ended = s.FailureTime
	}
	if ended = later(s.SessionsEndTime, ended); ended == nil {
		return time.Time{}
	}
	return ended.Time
}

func later(a, b *metav1.Time) *metav1.Time {
	switch {
	case a == nil:
		return b
	case b == nil || b.Before(a):
		return a
	}
	return b
}
