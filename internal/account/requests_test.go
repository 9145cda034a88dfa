// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// linksAsked adds requests for links, made this long ago and mailed, newest first.
func linksAsked(all ...time.Duration) func(*Facts) {
	return func(f *Facts) {
		for _, d := range all {
			f.Account.Status.ResetTimes = append(f.Account.Status.ResetTimes, *ago(d))
		}
		told("reset", all[0])(f)
	}
}

// chosen adds a password change, made and mailed d ago.
func chosen(d time.Duration) func(*Facts) {
	return func(f *Facts) {
		f.Account.Status.PasswordTime = ago(d)
		told("password", d)(f)
	}
}

// asRecorded returns the facts after the portal has recorded the requests that are due.
func asRecorded(f Facts) Facts {
	if due, _ := DueReset(f); due {
		f.Account = f.Account.DeepCopy()
		f.Account.Status.ResetTimes = Requested(f.Account.Status.ResetTimes, metav1.NewTime(f.Now.UTC()))
	}
	return f
}

func TestWhoManagesAMembershipAsksForLinksAsOftenAsThePersonMay(t *testing.T) {
	const reset, unlock = accountsv1.ResetAnnotation, accountsv1.UnlockAnnotation
	const waits, sends = "+RequestBlocked/ResetLimited", "claim reset-1795262400 1"
	fiveToday := linksAsked(20*time.Minute, 2*time.Hour, 3*time.Hour, 4*time.Hour, 5*time.Hour)
	cases := map[string]struct {
		facts      Facts
		plan, says string
	}{
		"for the first time":                            {janes(askedOf(0, reset, 0)), sends, ""},
		"a second time, too soon":                       {janes(linksAsked(20*time.Second), askedOf(0, reset, 0)), "wait 40s", waits},
		"a second time, a minute later":                 {janes(linksAsked(time.Minute), askedOf(0, reset, 0)), sends, ""},
		"a second time, after waiting":                  {janes(linksAsked(time.Minute), askedOf(0, reset, 40*time.Second)), sends, ""},
		"a sixth time in a day":                         {janes(fiveToday, askedOf(0, reset, 0)), "wait 40m0s", waits},
		"a sixth time, after waiting":                   {janes(linksAsked(1*time.Hour, 2*time.Hour, 3*time.Hour, 4*time.Hour, 5*time.Hour), askedOf(0, reset, 40*time.Minute)), sends, ""},
		"a sixth time, and the last link was used":      {janes(fiveToday, chosen(10*time.Minute), askedOf(0, reset, 0)), sends, ""},
		"too soon, and a cluster admin requests it too": {janes(fiveToday, askedOf(0, reset, 0), asked(reset, time.Second)), sends, ""},
		"as a cluster admin, at once":                   {janes(fiveToday, asked(reset, 0)), sends, ""},
		"in two Organizations at once":                  {janes(belongsTo(memberOf("globex", "developer")), askedOf(0, reset, 3*time.Second), askedOf(1, reset, 0)), sends, ""},
		"too soon, and to unlock":                       {janes(fiveToday, failed(5, time.Minute), told("locked", time.Minute), askedOf(0, reset, 0), askedOf(0, unlock, 0)), "claim unlocked-1795262400 1", waits},
		"too soon, and as an owner elsewhere": {
			janes(fiveToday, belongsTo(memberOf("globex", "boss")), askedOf(0, reset, 0)), "wait 1h0m0s", "+RequestBlocked/OwnerElsewhere",
		},
		"too soon, of a disabled Account": {janes(disabled, fiveToday, askedOf(0, reset, 0)), "wait", "+Ready/Disabled -Active/Disabled"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.facts = asRecorded(c.facts)
			status := Report(c.facts)
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("it plans %q, not %q", got, c.plan)
			}
			if got := said(status.Conditions); got != c.says {
				t.Errorf("it reports %q, not %q", got, c.says)
			}
			c.facts.Account.Status = status
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("after the report, it plans %q, not %q", got, c.plan)
			}
		})
	}
}

func TestWhenAResetIsDue(t *testing.T) {
	const reset = accountsv1.ResetAnnotation
	cases := map[string]struct {
		facts Facts
		due   bool
		after time.Duration
	}{
		"no request":                   {janes(), false, 0},
		"a request":                    {janes(askedOf(0, reset, 0)), true, 0},
		"a request of a cluster admin": {janes(asked(reset, 0), linksAsked(time.Second)), true, 0},
		"too soon":                     {janes(askedOf(0, reset, 0), linksAsked(20*time.Second)), false, 40 * time.Second},
		"in the future":                {janes(askedOf(0, reset, -3*time.Second)), false, 3 * time.Second},
		"recorded":                     {janes(askedOf(0, reset, time.Minute), linksAsked(time.Minute)), false, 0},
		"requested at the portal after the annotation": {janes(askedOf(0, reset, time.Minute), linksAsked(time.Second)), false, 0},
		"an hour old":                         {janes(askedOf(0, reset, time.Hour)), false, 0},
		"to unlock":                           {janes(askedOf(0, accountsv1.UnlockAnnotation, 0), failed(5, time.Minute)), false, 0},
		"of an owner of another":              {janes(askedOf(0, reset, 0), belongsTo(memberOf("globex", "boss"))), false, 0},
		"of a disabled Account":               {janes(askedOf(0, reset, 0), disabled), false, 0},
		"of an Account without a record":      {janes(asked(reset, 0), func(f *Facts) { delete(f.Account.Annotations, accountsv1.MembershipsAnnotation) }), false, 0},
		"of an Account that is being deleted": {janes(askedOf(0, reset, 0), going), false, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			due, next := DueReset(c.facts)
			var after time.Duration
			if !next.IsZero() {
				after = next.Sub(c.facts.Now)
			}
			if due != c.due || after != c.after {
				t.Errorf("due %t, and next after %s", due, after)
			}
		})
	}
}

// unlockedAgo adds unlocks, made this long ago and mailed, newest first.
func unlockedAgo(all ...time.Duration) func(*Facts) {
	return func(f *Facts) {
		unlocked(all...)(f)
		for _, d := range all {
			told("unlocked", d)(f)
		}
	}
}

func TestManagersUnlockAsOftenAsThePersonMayAskForMail(t *testing.T) {
	const unlock = accountsv1.UnlockAnnotation
	const waits, opens = "+Locked/TooManyFailures +RequestBlocked/UnlockLimited", "claim unlocked-1795262400 1"
	locked := func(f *Facts) { failed(5, 10*time.Second)(f); told("locked", 10*time.Second)(f) }
	fiveToday := unlockedAgo(time.Hour, 2*time.Hour, 3*time.Hour, 4*time.Hour, 23*time.Hour+30*time.Minute)
	cases := map[string]struct {
		facts      Facts
		plan, says string
	}{
		"for the first time":                     {janes(locked, askedOf(0, unlock, 0)), opens, ""},
		"before the lock is certain":             {janes(failed(5, 9*time.Second), askedOf(0, unlock, 0)), "wait 1s", ""},
		"a second time, too soon":                {janes(unlockedAgo(20*time.Second), locked, askedOf(0, unlock, 0)), "wait 40s", waits},
		"a second time, a minute later":          {janes(unlockedAgo(time.Minute), locked, askedOf(0, unlock, 0)), opens, ""},
		"a sixth time in a day":                  {janes(fiveToday, locked, askedOf(0, unlock, 0)), "wait 14m50s", waits},
		"a sixth time, and an admin does so too": {janes(fiveToday, locked, askedOf(0, unlock, 0), asked(unlock, 0)), opens, ""},
		"a sixth time, as an admin":              {janes(fiveToday, locked, asked(unlock, 0)), opens, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status := Report(c.facts)
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("it plans %q, not %q", got, c.plan)
			}
			if got := said(status.Conditions); got != c.says {
				t.Errorf("it reports %q, not %q", got, c.says)
			}
			c.facts.Account.Status = status
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("after the report, it plans %q, not %q", got, c.plan)
			}
		})
	}
}

func TestARequestThatWaitsSaysSo(t *testing.T) {
	f := janes(linksAsked(time.Second), askedOf(0, accountsv1.ResetAnnotation, 0))
	asked, reason := Blocked(f)
	if asked == nil || asked.Membership != f.Belongings[0].Membership || reason != accountsv1.ReasonResetLimited {
		t.Errorf("%+v is blocked with %q", asked, reason)
	}
	for _, c := range Report(f).Conditions {
		if c.Type != accountsv1.ConditionRequestBlocked {
			continue
		}
		for _, part := range []string{"acme/jane", accountsv1.ResetAnnotation, "too soon after", "by itself, within an hour"} {
			if !strings.Contains(c.Message, part) {
				t.Errorf("the message does not contain %q: %s", part, c.Message)
			}
		}
	}
}

// TestOwnerCanAlwaysComeBack checks an attacker who keeps an owner locked, requests links
// in the owner's name, manages one of their Memberships, or does all of that for days.
// The owner always has a valid link, or can get another within a minute.
func TestOwnerCanAlwaysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := janes(func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") })
		mailed := 0
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			pause := rapid.SampledFrom([]int{1, 60, 600, 3600}).Draw(t, "pause")
			f.Now = f.Now.Add(time.Duration(rapid.IntRange(0, pause).Draw(t, "seconds")) * time.Second)
			before := len(f.Account.Status.ResetTimes) > 0 && !MayRequestReset(f.Account.Status, f.Now)
			newest := newest(f.Account.Status.ResetTimes)
			attack(t, &f)
			if at := f.Account.Status.ResetTimes; len(at) > 0 && (newest == nil || !at[0].Equal(newest)) {
				if mailed++; before {
					t.Fatalf("a link was requested at %s, and another at %s", newest, at[0])
				}
			}
			canComeBack(t, f)
		}
		if hours := int(f.Now.Sub(noon).Hours()); mailed > 2*mostRequests*(hours/24+1)+hours {
			t.Fatalf("%d mails in %d hours", mailed, hours)
		}
	})
}

// attack does something to keep an owner out, and lets the portal and the controller reconcile.
func attack(t *rapid.T, f *Facts) {
	status, now := &f.Account.Status, metav1.NewTime(f.Now)
	switch rapid.IntRange(0, 2).Draw(t, "attack") {
	case 0:
		tried(&status.SignIn, FactorPassword, f.limits(), f.Now, 5)
	case 1:
		if MayRequestReset(*status, f.Now) {
			status.ResetTimes = Requested(status.ResetTimes, now)
		}
	case 2:
		annotate(f.Belongings[0].Membership, accountsv1.ResetAnnotation, f.Now.Format(time.RFC3339))
	}
	*status = Report(asRecorded(*f))
}

// canComeBack checks that, a minute from now, the newest link is valid or another one can
// be requested.
func canComeBack(t *rapid.T, f Facts) {
	status, soon := f.Account.Status, f.Now.Add(time.Minute)
	if newest := newest(status.ResetTimes); newest != nil && soon.Before(newest.Add(ResetValidity)) {
		return
	}
	if !MayRequestReset(status, soon) {
		t.Fatalf("at %s: no open link and no new request possible, with requests at %v", soon, status.ResetTimes)
	}
}

func TestOnlySomeChangesAffectResets(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *accountsv1.Account)
		want   bool
	}{
		"nothing":     {func(*accountsv1.Account) {}, false},
		"a sign-in":   {func(a *accountsv1.Account) { a.Status.SignIn.Failures = 3 }, false},
		"a state":     {func(a *accountsv1.Account) { a.Status.State = accountsv1.AccountDisabled }, false},
		"a condition": {func(a *accountsv1.Account) { a.Status.Conditions[0].Message = "Ready." }, false},
		"a label":     {func(a *accountsv1.Account) { a.Labels = map[string]string{"team": "acme"} }, false},
		"the spec":    {func(a *accountsv1.Account) { a.Generation++ }, true},
		"the request": {func(a *accountsv1.Account) { a.Annotations[accountsv1.ResetAnnotation] = "now" }, true},
		"the record":  {func(a *accountsv1.Account) { a.Annotations[accountsv1.MembershipsAnnotation] += ",globex/jane" }, true},
		"a recorded request": {func(a *accountsv1.Account) {
			a.Status.ResetTimes = Requested(a.Status.ResetTimes, *ago(0))
		}, true},
		"lost recorded requests":      {func(a *accountsv1.Account) { a.Status.ResetTimes = nil }, true},
		"a new password":              {func(a *accountsv1.Account) { a.Status.PasswordTime = ago(0) }, true},
		"a request that is unblocked": {func(a *accountsv1.Account) { a.Status.Conditions = a.Status.Conditions[:1] }, true},
		"a request blocked otherwise": {func(a *accountsv1.Account) { a.Status.Conditions[1].Reason = accountsv1.ReasonResetLimited }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := janes(linksAsked(time.Hour)).Account
			before.Status.Conditions = []metav1.Condition{
				{Type: accountsv1.ConditionReady},
				{Type: accountsv1.ConditionRequestBlocked, Reason: accountsv1.ReasonOwnerElsewhere},
			}
			after := before.DeepCopy()
			c.change(after)
			if got := AffectsResets(before, after); got != c.want {
				t.Errorf("it affects resets: %t", got)
			}
		})
	}
}
