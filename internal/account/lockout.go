// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// How long an Account stays locked: the first time, at most, and at most if its member is
// an owner of an Organization. An owner must always be able to come back.
const (
	firstLock   = 15 * time.Minute
	longestLock = 24 * time.Hour
	ownersLock  = firstLock
)

// defaultMaxFailures is how many wrong passwords in a row lock an Account if its
// Organizations set no limit.
const defaultMaxFailures = 5

// attemptTimeout is how long the most recently counted attempt may still be in progress. Until
// it ends, the Account is not reported as locked, because that attempt may be right.
const attemptTimeout = 10 * time.Second

// Limits are the lockout rules for one Account.
type Limits struct {
	// MaxFailures is how many wrong passwords in a row lock the Account. Wrong second
	// factors are counted separately, with the same limit.
	MaxFailures int32
	// Owner means that the member is an owner of an Organization.
	Owner bool
}

// Belonging is a Membership that an Account holds, and its Organization.
type Belonging struct {
	Membership   *accountsv1.Membership
	Organization *accountsv1.Organization
}

// LimitsOf returns the rules for a member of these Organizations: the strictest of each.
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

// IsOwner reports whether the Membership makes the member an owner.
func IsOwner(b Belonging) bool {
	role, found := b.Organization.Role(b.Membership.Spec.Role)
	return found && role.Standing == accountsv1.StandingOwner
}

// Factor is what a sign-in attempt tries.
type Factor int

// The factors that can be guessed. A passkey cannot be guessed.
const (
	// FactorPassword is the password.
	FactorPassword Factor = iota
	// FactorCode is a code of the second factor, or a recovery code.
	FactorCode
)

// Lock is the state of an Account's lock at one moment.
type Lock struct {
	// Reached means that the number of counted failures has reached the limit.
	Reached bool
	// Until is when a lock ends or ended. Zero means that the limit is not reached.
	Until time.Time
}

// Locked reports whether the Account is locked at that time.
func (l Lock) Locked(now time.Time) bool { return l.Reached && now.Before(l.Until) }

// LockOf returns the lock of an Account.
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

// LastAttemptEnded reports whether the last counted attempt has certainly ended.
func LastAttemptEnded(s accountsv1.SignIn, now time.Time) bool {
	return s.FailureTime == nil || now.Sub(s.FailureTime.Time) >= attemptTimeout
}

// LastAttemptEndsAfter returns how long it takes until LastAttemptEnded is true.
func LastAttemptEndsAfter(s accountsv1.SignIn, now time.Time) time.Duration {
	if s.FailureTime == nil {
		return 0
	}
	return max(s.FailureTime.Add(attemptTimeout).Sub(now), 0)
}

// Count counts an attempt before it is compared, and reports whether it may be compared.
// If the Account is locked, it may not, and nothing changes. If a lock has expired, the
// counts start again, and the next lock will be longer.
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

// PasswordRight clears the counted passwords, because the last one was right. The second
// factor is still required. It has a counter of its own, so the right password gives an
// attacker no more attempts at it.
func PasswordRight(s *accountsv1.SignIn) {
	s.Failures = 0
	if s.CodeFailures == 0 {
		s.FailureTime = nil
	}
}

// SignedIn clears everything that was counted, because the last attempt, of that factor,
// was right. If it was the last allowed attempt, no lock has begun.
func SignedIn(s *accountsv1.SignIn, factor Factor, limits Limits) {
	if factor == FactorCode {
		s.CodeFailures = max(s.CodeFailures-1, 0)
	} else {
		s.Failures = max(s.Failures-1, 0)
	}
	Open(s, limits)
}

// Open clears everything that was counted, because the member has set a new password or
// an admin has unlocked the Account. Sessions that a lock has ended stay ended.
func Open(s *accountsv1.SignIn, limits Limits) {
	ended := s.SessionsEndTime
	if LockOf(*s, limits).Reached && s.FailureTime != nil {
		ended = later(ended, s.FailureTime)
	}
	*s = accountsv1.SignIn{SessionsEndTime: ended}
}

// EndSessions ends every session that began no later than the given time.
func EndSessions(s *accountsv1.SignIn, now metav1.Time) {
	s.SessionsEndTime = later(s.SessionsEndTime, &now)
}

// SessionsEnd returns the time up to which sessions are ended. Zero means that none are.
// A lock ends the sessions that began before it.
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
