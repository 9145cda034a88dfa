// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func belonging(maxFailures int32, standing accountsv1.RoleStanding) Belonging {
	return Belonging{
		Membership: &accountsv1.Membership{Spec: accountsv1.MembershipSpec{Role: "role"}},
		Organization: &accountsv1.Organization{Spec: accountsv1.OrganizationSpec{
			SignIn: accountsv1.SignInRules{MaxFailures: maxFailures},
			Roles:  []accountsv1.Role{{Name: "role", Standing: standing}},
		}},
	}
}

func TestTheStrictestOrganizationCounts(t *testing.T) {
	for name, c := range map[string]struct {
		belongings []Belonging
		want       Limits
	}{
		"no organization":              {nil, Limits{MaxFailures: 5}},
		"one that sets no limit":       {[]Belonging{belonging(0, "")}, Limits{MaxFailures: 5}},
		"a lax one alone":              {[]Belonging{belonging(10, "")}, Limits{MaxFailures: 10}},
		"a lax one and the default":    {[]Belonging{belonging(10, ""), belonging(0, "")}, Limits{MaxFailures: 5}},
		"the default and a strict one": {[]Belonging{belonging(0, ""), belonging(3, "")}, Limits{MaxFailures: 3}},
		"an owner of the second one":   {[]Belonging{belonging(4, ""), belonging(0, accountsv1.StandingOwner)}, Limits{MaxFailures: 4, Owner: true}},
	} {
		if got := LimitsOf(c.belongings); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// tried counts attempts of a factor, all at one time, and returns how many may be
// compared.
func tried(s *accountsv1.SignIn, factor Factor, limits Limits, at time.Time, times int) int {
	looked := 0
	for range times {
		if Count(s, factor, limits, metav1.NewTime(at)) {
			looked++
		}
	}
	return looked
}

func TestEachLockIsLongerThanTheOneBefore(t *testing.T) {
	const quarter, day = 15 * time.Minute, 24 * time.Hour
	passwords := []time.Duration{quarter, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, day, day, day}
	codes := []time.Duration{quarter, time.Hour, 4 * time.Hour, 16 * time.Hour, day, day, day}
	for name, c := range map[string]struct {
		factor Factor
		limits Limits
		most   int
		want   []time.Duration
	}{
		"passwords of a member":              {FactorPassword, Limits{MaxFailures: 5}, 5, passwords},
		"passwords of a member, 100 allowed": {FactorPassword, Limits{MaxFailures: 100}, 100, passwords},
		"passwords of an owner":              {FactorPassword, Limits{MaxFailures: 3, Owner: true}, 3, []time.Duration{quarter, quarter, quarter}},
		"codes of a member":                  {FactorCode, Limits{MaxFailures: 5}, 5, codes},
		"codes of a member, 100 allowed":     {FactorCode, Limits{MaxFailures: 100}, 5, codes},
		"codes of an owner":                  {FactorCode, Limits{MaxFailures: 3, Owner: true}, 3, codes},
	} {
		t.Run(name, func(t *testing.T) {
			var s accountsv1.SignIn
			now := noon
			for i, want := range c.want {
				if got := tried(&s, c.factor, c.limits, now, 2*c.most); got != c.most {
					t.Fatalf("lock %d: %d compared", i, got)
				}
				if got := LockOf(s, c.factor, c.limits).Until.Sub(now); got != want {
					t.Errorf("lock %d lasts %s, not %s", i, got, want)
				}
				if tried(&s, c.factor, c.limits, now.Add(want-time.Second), 1) != 0 {
					t.Errorf("lock %d ended too early", i)
				}
				now = now.Add(want)
			}
		})
	}
}

func TestPasswordsAndCodesAreCountedAndLockedApart(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	var s accountsv1.SignIn
	if got := tried(&s, FactorCode, limits, noon, 4); got != 4 {
		t.Fatalf("%d codes compared", got)
	}
	for range 3 { // neither the right password nor a new one gives more codes
		if tried(&s, FactorPassword, limits, noon, 4) != 4 {
			t.Fatal("a password was not compared")
		}
		ClearPasswords(&s)
	}
	if got := tried(&s, FactorCode, limits, noon, 10); got != 1 {
		t.Errorf("%d more codes compared, want 1", got)
	}
	if got := tried(&s, FactorPassword, limits, noon, 10); got != 5 {
		t.Errorf("%d passwords compared while codes are locked, want 5", got)
	}
	if CodeRight(&s); LockOf(s, FactorCode, limits).Reached || !LockOf(s, FactorPassword, limits).Locked(noon) {
		t.Errorf("a right code left %+v", s)
	}
}

func TestARightCodeTakesBackOneLock(t *testing.T) {
	for name, c := range map[string]struct {
		before accountsv1.SignIn
		want   int32
	}{
		"the first code":             {accountsv1.SignIn{CodeFailures: 1, CodeLocks: 3}, 2},
		"after a wrong code":         {accountsv1.SignIn{CodeFailures: 2, CodeLocks: 3}, 3},
		"another right code at once": {accountsv1.SignIn{CodeLocks: 3}, 3},
		"the first code, no lock":    {accountsv1.SignIn{CodeFailures: 1}, 0},
		"after a wrong one, no lock": {accountsv1.SignIn{CodeFailures: 5}, 0},
	} {
		s := c.before
		if CodeRight(&s); s != (accountsv1.SignIn{CodeLocks: c.want}) {
			t.Errorf("%s left %+v", name, s)
		}
	}
}

// TestOldStatusesAreReadRight reads statuses of a version that kept one time and one
// number of locks for both factors.
func TestOldStatusesAreReadRight(t *testing.T) {
	limits, failed := Limits{MaxFailures: 5}, metav1.NewTime(noon)
	old := func() *accountsv1.SignIn {
		return &accountsv1.SignIn{Failures: 2, CodeFailures: 5, FailureTime: &failed, Locks: 2}
	}
	if lock := LockOf(*old(), FactorCode, limits); lock.Until != noon.Add(15*time.Minute) {
		t.Errorf("codes are locked until %s", lock.Until)
	}
	if LockOf(*old(), FactorPassword, limits).Reached {
		t.Error("passwords are locked")
	}
	for name, change := range map[string]func(s *accountsv1.SignIn){
		"the right password": ClearPasswords,
		"another password":   func(s *accountsv1.SignIn) { tried(s, FactorPassword, limits, noon.Add(time.Minute), 1) },
	} {
		s := old()
		if change(s); LockOf(*s, FactorCode, limits).Until != noon.Add(15*time.Minute) {
			t.Errorf("after %s, the lock of codes is %+v", name, LockOf(*s, FactorCode, limits))
		}
	}
}

func TestGuessesEndNoSession(t *testing.T) {
	var s accountsv1.SignIn
	limits := Limits{MaxFailures: 5}
	EndSessions(&s, metav1.NewTime(noon.Add(-time.Hour)))
	for _, factor := range factors {
		tried(&s, factor, limits, noon, 5)
		tried(&s, factor, limits, noon.Add(time.Hour), 5)
	}
	f := janes(func(f *Facts) { f.Account.Status.SignIn, f.Now = s, noon.Add(time.Hour+time.Minute) })
	status := Report(f)
	if got := SessionsEnd(status.SignIn); status.State != accountsv1.AccountLocked || got != noon.Add(-time.Hour) {
		t.Errorf("the Account is %s, and sessions end at %s", status.State, got)
	}
	for name, open := range map[string]func(*accountsv1.SignIn){"an admin": Open, "the member": ClearPasswords} {
		if open(&s); SessionsEnd(s) != noon.Add(-time.Hour) {
			t.Errorf("opened by %s, sessions end at %s", name, SessionsEnd(s))
		}
	}
}

func TestTheLastTryMayBeRight(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	for factor, right := range map[Factor]func(*accountsv1.SignIn){FactorPassword: ClearPasswords, FactorCode: CodeRight} {
		var s accountsv1.SignIn
		tried(&s, factor, limits, noon, 5)
		if lock := LockOf(s, factor, limits); lock.Certain(noon.Add(attemptTimeout-1)) || !lock.Certain(noon.Add(attemptTimeout)) {
			t.Error("an attempt ends after another time")
		}
		if right(&s); s != (accountsv1.SignIn{}) {
			t.Errorf("it left %+v", s)
		}
	}
}

// TestLockLimitsComparedAttempts checks random orders of events and random limits.
// Between two successes, each lock allows no more passwords and codes to be compared than
// the limit.
func TestLockLimitsComparedAttempts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := door{limits: someLimits(t), now: noon, looked: map[Factor]int32{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			d.now = d.now.Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "seconds")) * time.Second)
			d.step(t)
		}
	})
}

func someLimits(t *rapid.T) Limits {
	return Limits{MaxFailures: rapid.Int32Range(3, 7).Draw(t, "max"), Owner: rapid.Bool().Draw(t, "owner")}
}

// door is an Account under random events.
type door struct {
	limits Limits
	s      accountsv1.SignIn
	now    time.Time
	// looked counts the attempts that were compared since the last success or lock.
	looked map[Factor]int32
}

func (d *door) step(t *rapid.T) {
	for _, factor := range factors {
		if lock := LockOf(d.s, factor, d.limits); lock.Reached && !lock.Locked(d.now) {
			d.looked[factor] = 0
		}
	}
	switch rapid.IntRange(0, 10).Draw(t, "what") {
	case 10:
		d.limits = someLimits(t)
		clear(d.looked)
		for _, factor := range factors {
			d.looked[factor] = *tallyOf(&d.s, factor, d.limits).failures
		}
	case 0:
		Open(&d.s)
		clear(d.looked)
	case 1:
		if Count(&d.s, FactorPassword, d.limits, metav1.NewTime(d.now)) {
			ClearPasswords(&d.s)
			d.looked[FactorPassword] = 0
		}
	case 2:
		if Count(&d.s, FactorCode, d.limits, metav1.NewTime(d.now)) {
			CodeRight(&d.s)
			d.looked[FactorCode] = 0
		}
	default:
		factor := rapid.SampledFrom(factors).Draw(t, "factor")
		lock := LockOf(d.s, factor, d.limits)
		counted := Count(&d.s, factor, d.limits, metav1.NewTime(d.now))
		if counted == lock.Locked(d.now) {
			t.Fatalf("counted %t while locked %t", counted, lock.Locked(d.now))
		}
		if !counted {
			return
		}
		if d.looked[factor]++; d.looked[factor] > d.limits.MaxFailures {
			t.Fatalf("compared %v", d.looked)
		}
	}
}
