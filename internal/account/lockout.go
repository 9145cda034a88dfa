// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
)

// How long a lock lasts: the first one, and at most. Wrong passwords lock an owner of an
// Organization no longer than the first time, because strangers can enter them. Wrong
// codes come after the right password, so their locks grow for owners too.
const (
	firstLock   = 15 * time.Minute
	longestLock = 24 * time.Hour
	ownersLock  = firstLock
)

// The lengths of consecutive locks: doubled for passwords, and four times as long for
// codes. 15 minutes, doubled 7 times, are more than a day.
const (
	passwordShift = 1
	codeShift     = 2
	mostShift     = 7
)

// defaultMaxFailures is how many wrong passwords in a row lock an Account if its
// Organizations set no limit.
const defaultMaxFailures = 5

// maxCodeFailures is how many wrong codes in a row lock an Account at most, because a
// code has only six digits. With the lengths of the locks, an attacker with the right
// password can try 25 codes in the first day.
const maxCodeFailures = 5

// attemptTimeout is how long the most recently counted attempt may still be in progress. Until
// it ends, the Account is not reported as locked, because that attempt may be right.
const attemptTimeout = 10 * time.Second

// Limits are the lockout rules for one Account.
type Limits struct {
	// MaxFailures is how many wrong passwords in a row lock the Account. Wrong codes are
	// counted separately, with the same limit, but with at most maxCodeFailures.
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

var factors = []Factor{FactorPassword, FactorCode}

// Lock is the state of one of an Account's locks at one moment.
type Lock struct {
	// Reached means that the number of counted failures has reached the limit.
	Reached bool
	// Since is when the last failure was counted, and Until is when the lock ends or
	// ended. Both are zero if the limit is not reached.
	Since, Until time.Time
}

// Locked reports whether the lock is closed at that time.
func (l Lock) Locked(now time.Time) bool { return l.Reached && now.Before(l.Until) }

// CertainFrom returns the time from which the last counted attempt has certainly ended.
// Until then, it may be right, and there may be no lock.
func (l Lock) CertainFrom() time.Time { return l.Since.Add(attemptTimeout) }

// Certain reports whether the lock is closed, and the last counted attempt has certainly
// ended.
func (l Lock) Certain(now time.Time) bool { return l.Locked(now) && !now.Before(l.CertainFrom()) }

// LockOf returns the lock of an Account for one factor. Wrong passwords lock only
// passwords, and wrong codes lock only codes.
func LockOf(s accountsv1.SignIn, factor Factor, limits Limits) Lock {
	return tallyOf(&s, factor, limits).lock()
}

// tally is what is counted for one factor.
type tally struct {
	failures, locks *int32
	at              **metav1.Time
	most            int32
	shift           int32
	longest         time.Duration
}

func tallyOf(s *accountsv1.SignIn, factor Factor, limits Limits) tally {
	if s.CodeFailures > 0 && s.CodeFailureTime == nil {
		// Earlier versions of Usher kept one time for both.
		s.CodeFailureTime = s.FailureTime
	}
	if factor == FactorCode {
		return tally{&s.CodeFailures, &s.CodeLocks, &s.CodeFailureTime, min(limits.MaxFailures, maxCodeFailures), codeShift, longestLock}
	}
	longest := longestLock
	if limits.Owner {
		longest = ownersLock
	}
	return tally{&s.Failures, &s.Locks, &s.FailureTime, limits.MaxFailures, passwordShift, longest}
}

func (t tally) lock() Lock {
	if *t.at == nil || *t.failures < t.most {
		return Lock{}
	}
	wait := min(firstLock<<min(max(*t.locks, 0)*t.shift, mostShift), t.longest)
	return Lock{Reached: true, Since: (*t.at).Time, Until: (*t.at).Add(wait)}
}

// clear makes the count start again.
func (t tally) clear() { *t.failures, *t.at = 0, nil }

// grow makes the count start again after a lock, so the next lock is longer.
func (t tally) grow() {
	t.clear()
	*t.locks = min(*t.locks+1, 100)
}

// CountInBrowser counts a password in a browser that the Account knows, before it is
// compared, and reports whether it may be compared. Beyond the limit, the browser is a
// stranger to the Account again.
func CountInBrowser(b *session.Browser, limits Limits) bool {
	if b.Failures >= limits.MaxFailures {
		return false
	}
	b.Failures++
	return true
}

// Count counts an attempt before it is compared, and reports whether it may be compared.
// If the factor is locked, it may not, and nothing changes. If a lock has expired, the
// count starts again, and the next lock will be longer.
func Count(s *accountsv1.SignIn, factor Factor, limits Limits, now metav1.Time) bool {
	t := tallyOf(s, factor, limits)
	lock := t.lock()
	if lock.Locked(now.Time) {
		return false
	}
	if lock.Reached {
		t.grow()
	}
	*t.failures++
	*t.at = &now
	return true
}

// ClearPasswords clears what was counted for passwords, because the last one was right,
// or the member has set a new one. If it was the last allowed attempt, no lock has begun.
// What was counted for codes stays, because an attacker can have the password and the
// mailbox.
func ClearPasswords(s *accountsv1.SignIn) {
	t := tallyOf(s, FactorPassword, Limits{})
	t.clear()
	*t.locks = 0
}

// CodeRight clears the wrong codes, because the last code was right. If it was the last
// allowed attempt, no lock has begun. A right code without a wrong one before it also
// takes back one expired lock. It takes back only one, because an attacker who has the
// password could otherwise start again each time the member signs in. If another right
// code has just cleared the count, none is taken back.
func CodeRight(s *accountsv1.SignIn) {
	t := tallyOf(s, FactorCode, Limits{})
	if *t.failures == 1 {
		*t.locks = max(*t.locks-1, 0)
	}
	t.clear()
}

// openByManager opens the lock of a factor, because a manager has unlocked the Account.
func openByManager(s *accountsv1.SignIn, factor Factor, limits Limits) {
	if factor == FactorPassword {
		ClearPasswords(s)
		return
	}
	tallyOf(s, factor, limits).grow()
}

// Open clears everything that was counted, because an admin has unlocked the Account.
func Open(s *accountsv1.SignIn) { *s = accountsv1.SignIn{SessionsEndTime: s.SessionsEndTime} }

// EndSessions ends every session that began no later than the given time.
func EndSessions(s *accountsv1.SignIn, now metav1.Time) {
	s.SessionsEndTime = later(s.SessionsEndTime, &now)
}

// SessionsEnd returns the time up to which sessions are ended. Zero means that none are.
// No lock ends a session, because strangers can lock an Account.
func SessionsEnd(s accountsv1.SignIn) time.Time {
	if s.SessionsEndTime == nil {
		return time.Time{}
	}
	return s.SessionsEndTime.Time
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
