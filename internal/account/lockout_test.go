// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/session"
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
	for name, c := range map[string]struct {
		limits Limits
		want   []time.Duration
	}{
		"a member": {Limits{MaxFailures: 5}, []time.Duration{
			15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour, 24 * time.Hour,
		}},
		"an owner": {Limits{MaxFailures: 3, Owner: true}, []time.Duration{15 * time.Minute, 15 * time.Minute, 15 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			var s accountsv1.SignIn
			now := noon
			for i, want := range c.want {
				if got := tried(&s, FactorPassword, c.limits, now, 20); got != int(c.limits.MaxFailures) {
					t.Fatalf("lock %d: %d passwords compared", i, got)
				}
				if got := LockOf(s, c.limits).Until.Sub(now); got != want {
					t.Errorf("lock %d lasts %s, not %s", i, got, want)
				}
				if tried(&s, FactorPassword, c.limits, now.Add(want-time.Second), 1) != 0 {
					t.Errorf("lock %d ended too early", i)
				}
				now = now.Add(want)
			}
		})
	}
}

func TestPasswordsAndCodesAreCountedApart(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	var s accountsv1.SignIn
	if got := tried(&s, FactorCode, limits, noon, 4); got != 4 {
		t.Fatalf("%d codes compared", got)
	}
	for range 3 { // the right password gives no more codes
		if tried(&s, FactorPassword, limits, noon, 4) != 4 {
			t.Fatal("a password was not compared")
		}
		PasswordRight(&s)
	}
	if got := tried(&s, FactorCode, limits, noon, 10); got != 1 {
		t.Errorf("%d more codes compared, want 1", got)
	}
	if tried(&s, FactorPassword, limits, noon, 1) != 0 {
		t.Error("failed codes do not lock the password")
	}
}

func TestALockByCodesEndsLikeAnyOther(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	for _, factor := range []Factor{FactorPassword, FactorCode} {
		var s accountsv1.SignIn
		tried(&s, FactorCode, limits, noon, 5)
		if got := tried(&s, factor, limits, noon.Add(15*time.Minute), 9); got != 5 {
			t.Errorf("after the lock, %d attempts of factor %d were compared", got, factor)
		}
	}
}

func TestARightPasswordOpensNoLockThatCodesCaused(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	var s accountsv1.SignIn
	tried(&s, FactorPassword, limits, noon, 1)
	tried(&s, FactorCode, limits, noon, 5) // while the password is still being compared
	if PasswordRight(&s); !LockOf(s, limits).Locked(noon) {
		t.Error("the account is not locked")
	}
}

func TestALockEndsSessionsForGood(t *testing.T) {
	limits, later := Limits{MaxFailures: 5}, noon.Add(time.Hour)
	for name, open := range map[string]func(s *accountsv1.SignIn){
		"still locked, or the lock ended by itself": func(*accountsv1.SignIn) {},
		"opened by a reset":                         func(s *accountsv1.SignIn) { Open(s, limits) },
		"open, and a password is tried":             func(s *accountsv1.SignIn) { tried(s, FactorPassword, limits, later, 1) },
		"open, and the member signs in": func(s *accountsv1.SignIn) {
			tried(s, FactorPassword, limits, later, 1)
			SignedIn(s, FactorPassword, limits)
		},
		"opened, and locked again": func(s *accountsv1.SignIn) {
			Open(s, limits)
			EndSessions(s, metav1.NewTime(noon.Add(-time.Hour)))
		},
	} {
		var s accountsv1.SignIn
		tried(&s, FactorPassword, limits, noon, 5)
		if open(&s); !SessionsEnd(s, limits).Equal(noon) {
			t.Errorf("%s: sessions end at %s, not at noon", name, SessionsEnd(s, limits))
		}
	}
}

// A higher limit removes the lock, but the sessions that the lock ended stay ended. A
// passkey that signed in meanwhile has begun another session.
func TestAWiderLimitBringsNoSessionBack(t *testing.T) {
	f := janes(failed(5, 10*time.Second))
	f.Account.Status = Report(f)
	limit(6, f.Belongings[0])
	f.Now = noon.Add(time.Minute)
	status := Report(f)
	if status.State != accountsv1.AccountActive {
		t.Errorf("it is %s", status.State)
	}
	ended := SessionsEnd(status.SignIn, LimitsOf(f.Belongings))
	for at, alive := range map[time.Duration]bool{10 * time.Minute: false, 10 * time.Second: false, 9 * time.Second: true, 0: true} {
		s := session.Session{Stage: session.StageSignedIn, StartTime: noon.Add(-at), SeenTime: noon.Add(-at)}
		if s.Alive(f.Now, ended) != alive {
			t.Errorf("a session that began %s ago is alive: %t", at, !alive)
		}
	}
}

func TestTheLastTryMayBeRight(t *testing.T) {
	limits := Limits{MaxFailures: 5}
	for _, factor := range []Factor{FactorPassword, FactorCode} {
		var s accountsv1.SignIn
		tried(&s, factor, limits, noon, 5)
		if LastAttemptEnded(s, noon.Add(attemptTimeout-1)) || !LastAttemptEnded(s, noon.Add(attemptTimeout)) || LastAttemptEndsAfter(s, noon) != attemptTimeout {
			t.Error("an attempt ends after another time")
		}
		SignedIn(&s, factor, limits)
		if s != (accountsv1.SignIn{}) || !SessionsEnd(s, limits).IsZero() {
			t.Errorf("it left %+v", s)
		}
	}
	var s accountsv1.SignIn
	tried(&s, FactorPassword, limits, noon, 5)
	if PasswordRight(&s); LockOf(s, limits).Reached {
		t.Error("the right password locked the account")
	}
}

// TestLockLimitsComparedAttempts checks random orders of events and random limits.
// Between two successes, each lock allows no more passwords and codes to be compared than
// the limit. Sessions that a lock has ended stay ended.
func TestLockLimitsComparedAttempts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := door{limits: someLimits(t), now: noon, looked: map[Factor]int32{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			d.passes(time.Duration(rapid.IntRange(0, 1200).Draw(t, "seconds")) * time.Second)
			d.step(t)
			d.check(t)
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
	// looked counts the attempts that were compared since the last success or lock. ended
	// is the time up to which sessions were ended.
	looked map[Factor]int32
	ended  time.Time
}

// passes lets time pass. The controller reconciles when the last attempt has ended.
func (d *door) passes(by time.Duration) {
	settles := d.now.Add(LastAttemptEndsAfter(d.s, d.now))
	if d.now = d.now.Add(by); !settles.After(d.now) {
		d.reported(settles)
	}
}

// reported makes the controller reconcile.
func (d *door) reported(at time.Time) {
	b := belonging(d.limits.MaxFailures, "")
	if d.limits.Owner {
		b = belonging(d.limits.MaxFailures, accountsv1.StandingOwner)
	}
	f := janes()
	f.Now, f.Belongings, f.Account.Status.SignIn = at, []Belonging{b}, d.s
	d.s = Report(f).SignIn
}

func (d *door) step(t *rapid.T) {
	lock := LockOf(d.s, d.limits)
	if lock.Reached && !lock.Locked(d.now) {
		clear(d.looked)
	}
	switch rapid.IntRange(0, 10).Draw(t, "what") {
	case 10:
		d.limits = someLimits(t)
		d.reported(d.now)
	case 0:
		Open(&d.s, d.limits)
		clear(d.looked)
	case 1:
		if Count(&d.s, FactorPassword, d.limits, metav1.NewTime(d.now)) {
			SignedIn(&d.s, FactorPassword, d.limits)
			clear(d.looked)
		}
	default:
		factor := Factor(rapid.IntRange(0, 1).Draw(t, "factor"))
		counted := Count(&d.s, factor, d.limits, metav1.NewTime(d.now))
		if counted == lock.Locked(d.now) {
			t.Fatalf("counted %t while locked %t", counted, lock.Locked(d.now))
		}
		if counted {
			d.looked[factor]++
			if d.looked[factor] > d.limits.MaxFailures {
				t.Fatalf("compared %v", d.looked)
			}
		}
	}
}

func (d *door) check(t *rapid.T) {
	end := SessionsEnd(d.s, d.limits)
	if end.Before(d.ended) {
		t.Fatalf("sessions that ended at %s came back", d.ended)
	}
	if LastAttemptEnded(d.s, d.now) { // otherwise the last attempt may be right, and there is no lock
		d.ended = end
	}
}
