// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// told adds a sent mail about an event from d ago.
func told(name string, d time.Duration) func(*Facts) { return mailed(name, d, accountsv1.DeliverySent) }

// mailed adds one send of a mail about an event, at the time of the event, with the given
// result.
func mailed(name string, d time.Duration, result accountsv1.DeliveryResult) func(*Facts) {
	return func(f *Facts) {
		f.Account.Status.Deliveries = append(f.Account.Status.Deliveries, accountsv1.Delivery{
			Name: fmt.Sprintf("%s-%d", name, ago(d).Unix()), Medium: accountsv1.MediumEmail, Recipient: "jane@example.com",
			Tries: 1, ClaimTime: ago(d), TryTime: ago(d), Result: result,
		})
	}
}

// lockMailed is mailed for a lock.
func lockMailed(d time.Duration, result accountsv1.DeliveryResult) func(*Facts) {
	return func(f *Facts) {
		mailed("locked", d, result)(f)
		f.Account.Status.Deliveries[len(f.Account.Status.Deliveries)-1].Purpose = accountsv1.PurposeLocked
	}
}

func unlocked(all ...time.Duration) func(*Facts) {
	return func(f *Facts) {
		for _, d := range all {
			f.Account.Status.UnlockTimes = append(f.Account.Status.UnlockTimes, *ago(d))
		}
	}
}

func resetAsked(all ...time.Duration) func(*Facts) {
	return func(f *Facts) {
		for _, d := range all {
			f.Account.Status.ResetTimes = append(f.Account.Status.ResetTimes, *ago(d))
		}
	}
}

func passwordChanged(d time.Duration) func(*Facts) {
	return func(f *Facts) { f.Account.Status.PasswordTime = ago(d) }
}

func factorChanged(d time.Duration) func(*Facts) {
	return func(f *Facts) { f.Account.Status.SecondFactorTime = ago(d) }
}

func namesAsked(d time.Duration) func(*Facts) {
	return func(f *Facts) { f.Account.Status.UserNameTimes = []metav1.Time{*ago(d)} }
}

// TestWhatThePersonIsMailed covers what is mailed and when, and which deliveries stay on
// the list.
func TestWhatThePersonIsMailed(t *testing.T) {
	const (
		day       = 24 * time.Hour
		temporary = accountsv1.DeliveryTemporaryFailure
	)
	cases := map[string]struct {
		facts      Facts
		plan, kept string
	}{
		"a reset was requested":          {janes(resetAsked(time.Minute)), "claim reset-1795262340 1", ""},
		"a reset, and the mail was sent": {janes(resetAsked(time.Minute), told("reset", time.Minute)), "wait", "reset-1795262340"},
		"a reset, and the mail server reported a temporary failure": {
			janes(resetAsked(5*time.Second), mailed("reset", 5*time.Second, temporary)), "wait 4.49s", "reset-1795262395",
		},
		"a reset, and the retry is due":                        {janes(resetAsked(time.Minute), mailed("reset", time.Minute, temporary)), "claim reset-1795262340 2", "reset-1795262340"},
		"a reset, permanently refused":                         {janes(resetAsked(time.Minute), mailed("reset", time.Minute, "Refused")), "wait", "reset-1795262340"},
		"a reset from an hour ago":                             {janes(resetAsked(time.Hour)), "wait", ""},
		"a reset from an hour ago whose mail was not accepted": {janes(resetAsked(time.Hour), mailed("reset", time.Hour, temporary)), "wait", "reset-1795258800"},
		"a reset, and another one since":                       {janes(resetAsked(0, time.Minute), told("reset", time.Minute)), "claim reset-1795262400 1", ""},
		"a reset, and the password was changed since":          {janes(resetAsked(time.Minute), passwordChanged(time.Second), told("password", time.Second)), "wait", "password-1795262399"},
		"a reset, and the password was changed before": {
			janes(resetAsked(time.Minute), passwordChanged(time.Hour), told("password", time.Hour)), "claim reset-1795262340 1", "password-1795258800",
		},
		"a reset whose mail was not accepted, and the Account is disabled": {
			janes(resetAsked(time.Minute), mailed("reset", time.Minute, temporary), disabled), "wait", "reset-1795262340",
		},
		"the password was changed":                                 {janes(passwordChanged(time.Second)), "claim password-1795262399 1", ""},
		"the password was changed a day ago, and no mail was sent": {janes(passwordChanged(day)), "wait", ""},
		"the password was changed twice":                           {janes(passwordChanged(time.Second), told("password", time.Hour)), "claim password-1795262399 1", ""},
		"retried for days after a password change":                 {janes(passwordChanged(6*day), mailed("password", 6*day, temporary)), "claim password-1794744000 2", "password-1794744000"},
		"retried for a week after a password change":               {janes(passwordChanged(7*day), mailed("password", 7*day, temporary)), "wait", ""},
		"mailed a week ago":                                        {janes(passwordChanged(7*day), told("password", 7*day)), "wait", ""},
		"changed before it was disabled":                           {janes(passwordChanged(time.Second), disabled), "claim password-1795262399 1", ""},
		"the second factor was changed":                            {janes(factorChanged(time.Second)), "claim second-factor-1795262399 1", ""},
		"the second factor was changed a day ago":                  {janes(factorChanged(day)), "wait", ""},
		"the user names were requested":                            {janes(namesAsked(time.Second)), "claim user-names-1795262399 1", ""},
		"the user names were requested, and the mail was sent":     {janes(namesAsked(time.Second), told("user-names", time.Second)), "wait", "user-names-1795262399"},
		"a mail that the member waits for comes first": {
			janes(namesAsked(0), resetAsked(0), passwordChanged(time.Hour), failed(5, time.Minute)), "claim reset-1795262400 1", "",
		},
		"a mail that waits for its retry does not block others": {
			janes(resetAsked(time.Second), mailed("reset", time.Second, temporary), factorChanged(0)), "claim second-factor-1795262400 1", "reset-1795262399",
		},
		"locked, and the mail was not accepted": {
			janes(failed(5, time.Minute), mailed("locked", time.Minute, temporary)), "claim locked-1795262340 2", "locked-1795262340",
		},
		"locked, and the lock ended before the mail was accepted": {
			janes(failed(5, time.Hour), mailed("locked", time.Hour, temporary)), "claim locked-1795258800 2", "locked-1795258800",
		},
		"unlocked before the mail was accepted": {
			janes(failed(5, time.Minute), lockMailed(time.Minute, temporary), asked(accountsv1.UnlockAnnotation, 0)), "claim locked-1795262340 2", "locked-1795262340",
		},
		"unlocked before the mail was begun": {
			janes(failed(5, time.Minute), asked(accountsv1.UnlockAnnotation, 0)), "claim locked-1795262340 1", "locked-1795262340",
		},
		"unlocked, and the mail about the lock was sent": {
			janes(failed(5, time.Minute), lockMailed(time.Minute, accountsv1.DeliverySent), asked(accountsv1.UnlockAnnotation, 0)), "claim unlocked-1795262400 1", "",
		},
		"unlocked twice, and one mail was not accepted": {
			janes(unlocked(time.Minute, time.Hour), mailed("unlocked", time.Minute, temporary)), "claim unlocked-1795262340 2", "unlocked-1795262340",
		},
		"another failure after the lock ended, and the mail was not accepted": {
			janes(failed(1, time.Second), locks(1), lockMailed(time.Hour, temporary)), "claim locked-1795258800 2", "locked-1795258800",
		},
		"retried for a week after a lock": {janes(lockMailed(7*day, temporary)), "wait", ""},
		"locked twice, by passwords and by codes": {
			janes(failed(5, time.Minute), told("locked", time.Minute), codesFailed(5, time.Minute)), "claim codes-locked-1795262340 1", "locked-1795262340",
		},
		"another failure after the lock ended": {janes(failed(1, time.Second), locks(1), told("locked", time.Hour)), "wait", ""},
		"incomplete":                           {someFacts(passwordChanged(0), resetAsked(0), namesAsked(0)), "wait 1h0m0s", ""},
		"being deleted":                        {janes(going, passwordChanged(0), resetAsked(0)), "remove finalizer", ""},
		"an unknown purpose":                   {janes(told("greeting", time.Minute)), "wait", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("it plans %q, not %q", got, c.plan)
			}
			var names []string
			for _, d := range Report(c.facts).Deliveries {
				names = append(names, d.Name)
			}
			if got := strings.Join(names, " "); got != c.kept {
				t.Errorf("the list is %q, not %q", got, c.kept)
			}
		})
	}
}

func TestAMailGoesToTheAccountsAddressInItsPersonsLanguage(t *testing.T) {
	french := memberOf("globex", "developer")
	french.Organization.Spec.Language = "fr"
	cases := map[string]struct {
		facts Facts
		want  accountsv1.Language
	}{
		"no language is set":                      {janes(resetAsked(0)), "en"},
		"the first Organization sets one":         {janes(resetAsked(0), func(f *Facts) { f.Belongings[0].Organization.Spec.Language = "it" }, belongsTo(french)), "it"},
		"only the second Organization sets one":   {janes(resetAsked(0), belongsTo(french)), "en"},
		"the member and the Organization set one": {janes(resetAsked(0), func(f *Facts) { f.Account.Status.Language, f.Belongings = "de", []Belonging{french} }), "de"},
		"there is no Organization":                {janes(resetAsked(0), func(f *Facts) { f.Belongings = nil }), "en"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			claim := Decide(c.facts).Claim
			status := Report(c.facts)
			Begin(&status, *claim)
			want := []accountsv1.Delivery{{
				Name: "reset-1795262400", Purpose: "Reset", Medium: "Email", Recipient: "jane@example.com", Language: c.want,
				MessageID: someUID + ".reset-1795262400.1795262400@example.com",
				ClaimTime: ago(0), Tries: 1, TryTime: ago(0), Holder: "usher-1",
			}}
			if diff := cmp.Diff(want, status.Deliveries); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestARepeatIsTheSameMail(t *testing.T) {
	f := janes(resetAsked(0))
	status := Report(f)
	Begin(&status, *Decide(f).Claim)
	f.Account.Status, f.ClaimOwner, f.MailDomain, f.Now = status, "usher-2", "elsewhere.example", noon.Add(2*time.Minute)
	f.Account.Status.Language = "pt"
	again := Report(f)
	Begin(&again, *Decide(f).Claim)
	if len(again.Deliveries) != 1 || again.Deliveries[0].Tries != 2 || again.Deliveries[0].Holder != "usher-2" {
		t.Fatalf("it is claimed as %+v", again.Deliveries)
	}
	first, second := status.Deliveries[0], again.Deliveries[0]
	for _, d := range []*accountsv1.Delivery{&first, &second} {
		d.Tries, d.TryTime, d.Holder, d.Unconfirmed = 0, nil, "", 0
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("what the mail is made of has changed: -first +repeat\n%s", diff)
	}
}

func TestWhomAPersonCanTurnTo(t *testing.T) {
	silent, first, second := memberOf("acme", "developer"), memberOf("beta", "developer"), memberOf("globex", "developer")
	first.Organization.Spec.SupportContact, second.Organization.Spec.SupportContact = "help@beta.example", "help@globex.example"
	if got := SupportContact([]Belonging{silent, first, second}); got != "help@beta.example" {
		t.Errorf("it is %q", got)
	}
	if got := SupportContact([]Belonging{silent}); got != "" {
		t.Errorf("it is %q", got)
	}
}
