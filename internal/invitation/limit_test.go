// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// attemptTimes returns when the Invitation was sent.
func attemptTimes(inv *accountsv1.Invitation) (times []time.Time) {
	for _, a := range AttemptsOf(inv) {
		times = append(times, a.ClaimTime.Time)
	}
	return times
}

// mailings are the mails to the address and the texts to the telephone.
func mailings(f *Facts) *Mailings {
	for len(f.Mailings) < 1 {
		f.Mailings = append(f.Mailings, Mailings{Reached: "The mailbox was mailed"})
	}
	return &f.Mailings[0]
}

func texts(f *Facts) *Mailings {
	mailings(f)
	for len(f.Mailings) < 2 {
		f.Mailings = append(f.Mailings, Mailings{Reached: "The telephone was texted"})
	}
	return &f.Mailings[1]
}

func mailedOften(f *Facts) { mailings(f).All = slices.Repeat([]time.Time{f.Now}, MostMailings) }

func textedOften(f *Facts) { texts(f).All = slices.Repeat([]time.Time{f.Now}, MostMailings) }

// quotaReached uses up the quota of the Organization for a day.
func quotaReached(f *Facts) { f.QuotaFreeAt = f.Now.Add(MailingsWindow) }

// near makes the first of the mailings those by other Invitations of the Organization.
func near(first int) func(*Facts) {
	return func(f *Facts) { mailings(f).SameOrganization = mailings(f).All[:first] }
}

func TestFirstMailingsThatWait(t *testing.T) {
	limited := func(wait string) says {
		return says{"Sending", "False ResendLimited Reconciling", "False NotAccepted", "False ResendLimited", "wait " + wait}
	}
	begun := says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1"}
	spread := func(f *Facts) { // the first is a minute before the others
		mailedOften(f)
		mailings(f).All[0] = claimed.Add(-time.Minute)
	}
	nearTexts := func(f *Facts) { texts(f).SameOrganization = texts(f).All[:1] }
	situations{
		"after five by the same Organization":                              {someFacts(mailedOften, near(5)), limited("24h0m0s")},
		"after one by the same Organization, and four by others":           {someFacts(mailedOften, near(1), at(time.Hour)), limited("23h0m0s")},
		"after four by the same Organization":                              {someFacts(mailedOften, near(5), func(f *Facts) { mailings(f).All = mailings(f).All[1:] }), begun},
		"a day after five by the same Organization":                        {someFacts(mailedOften, near(5), at(MailingsWindow)), begun},
		"after five by other Organizations":                                {someFacts(mailedOften), begun},
		"after five by other Organizations, and one by the same a day ago": {someFacts(mailedOften, func(f *Facts) { mailings(f).SameOrganization = []time.Time{claimed.Add(-MailingsWindow)} }), begun},
		"until the only one by the same Organization no longer counts": {
			someFacts(spread, near(1), func(f *Facts) { mailings(f).All = append(mailings(f).All, claimed) }), limited("23h59m0s"),
		},
		"after five texts to the telephone":                            {someFacts(by("SMS"), textedOften, nearTexts), limited("24h0m0s")},
		"after five texts by other Organizations":                      {someFacts(by("SMS"), textedOften), begun},
		"until neither limit applies to the address and the telephone": {someFacts(by("SMS"), spread, near(1), textedOften, nearTexts), limited("24h0m0s")},
	}.check(t)
}

func TestInvitationsWaitForTheQuota(t *testing.T) {
	wait := (MailingsWindow + someFacts(quotaReached).quotaFreeAt().Sub(claimed.Add(MailingsWindow))).String()
	waits := says{"Sending", "False QuotaReached Reconciling", "False NotAccepted", "False QuotaReached", "wait " + wait}
	situations{
		"a first attempt": {someFacts(quotaReached), waits},
		"a first attempt, if the mailbox was mailed often too": {someFacts(quotaReached, mailedOften, near(5)), waits},
		"a resend": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), quotaReached), says{
			"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait " + wait,
		}},
	}.check(t)
	f := someFacts(quotaReached)
	f.Organization.Spec.InvitationsPerDay = 7
	f.Invitation.Status = Report(f)
	got := (&life{Facts: f}).condition(accountsv1.ConditionReady).Message
	if want := "has sent the 7 invitations that it may send within 24 hours"; !strings.Contains(got, want) || strings.Contains(got, "2026") {
		t.Errorf("it says %q, not %q, or a time", got, want)
	}
}

// Invitations that wait do not all ask at the same time, and none asks too early or much too late.
func TestWaitingInvitationsAskOverTime(t *testing.T) {
	seen := map[time.Time]bool{}
	for i := range 100 {
		f := someFacts(quotaReached)
		f.Invitation.UID = types.UID(fmt.Sprint(i))
		at := f.nextAttempt()
		if at.Before(f.QuotaFreeAt) || !at.Before(f.QuotaFreeAt.Add(quotaSpread)) {
			t.Errorf("it asks at %s, the quota is free at %s", at, f.QuotaFreeAt)
		}
		seen[at] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 Invitations ask at %d times", len(seen))
	}
}

func TestAResendWaitsForTheTelephoneToo(t *testing.T) {
	f := someFacts(by("Email", "SMS"), tried(me, accountsv1.DeliverySent, 1), asked(aRequest), textedOften)
	situations{
		"a resend to a telephone that was texted often": {f, says{
			"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait 24h0m0s",
		}},
	}.check(t)
	f.Invitation.Status = Report(f)
	if got := (&life{Facts: f}).condition(accountsv1.ConditionResendBlocked).Message; !strings.Contains(got, "telephone was texted 5 times") {
		t.Errorf("it says %q", got)
	}
}

// The Invitations take turns. Each still exists or was deleted, and gets a resend or not.
func TestNoOrganizationMailsAnAddressMoreThanFiveTimesInADay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []time.Time
		f := someFacts()
		for range rapid.IntRange(1, 40).Draw(t, "looks") {
			f.Now = f.Now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, 6 * time.Hour, 24*time.Hour - time.Second}).Draw(t, "later"))
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0: // another Invitation to the address, or to the telephone
				next := someFacts()
				next.Now = f.Now
				f = next
			case 1:
				asked(f.Now.Format(time.RFC3339))(&f)
			}
			own := attemptTimes(f.Invitation)
			counted := Mailings{All: all, SameOrganization: all[:len(all)-len(own)]}
			f.Mailings = []Mailings{counted, {}}
			if rapid.Bool().Draw(t, "the telephone") {
				f.Mailings = []Mailings{{}, counted}
			}
			step(&f, accountsv1.DeliverySent)
			if now := attemptTimes(f.Invitation); len(now) > len(own) {
				all = append(all, now[0])
			}
			if last := len(all) - 1 - MostMailings; last >= 0 && all[len(all)-1].Sub(all[last]) < MailingsWindow {
				t.Fatalf("it was sent at %v", all)
			}
		}
	})
}
