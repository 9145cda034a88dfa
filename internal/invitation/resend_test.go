// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestResend(t *testing.T) {
	week := DefaultValidity
	situations{
		"a resend of a sent invitation": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend waits while a send is in progress": {someFacts(tried(other, "", 1), asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait 1m1s",
		}},
		"a resend of an expired invitation": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), at(week)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend of a declined invitation": {someFacts(tried(me, accountsv1.DeliverySent, 1), declining, asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend of a refused invitation": {someFacts(tried(me, accountsv1.DeliveryRefused, 1), asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend after the Account that accepted was deleted": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, asked(aRequest), func(f *Facts) { f.Accepter = nil }), says{
				"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
			},
		},
		"a resend that was already carried out": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), func(f *Facts) { f.Invitation.Status.Attempt.ResendRequest = aRequest }),
			says{"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"},
		},
		"a resend with an invalid time": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked("now")), says{
			"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"a resend to an address that was mailed often": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), at(time.Hour), func(f *Facts) {
				mailings(f).All = []time.Time{claimed, claimed, claimed.Add(time.Minute), claimed, claimed.Add(-time.Minute)}
			}),
			says{"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait 22h59m0s"},
		},
		"a resend requested on the Membership": {
			someFacts(withMembership(func(m *accountsv1.Membership) {
				m.Annotations = map[string]string{accountsv1.ResendAnnotation: aRequest}
			}),
				tried(me, accountsv1.DeliverySent, 1)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2"},
		},
		"a resend of an accepted invitation is ignored": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Active"), asked(aRequest)), says{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"sent before, and its status was lost": {someFacts(cameBack), says{
			"Failed", "False MailHeld Stalled", "False MailHeld", "False MailHeld", "wait",
		}},
		"held, with an earlier request": {someFacts(cameBack, heldSince(claimed.Add(time.Second)), asked(aRequest)), says{
			"Failed", "False MailHeld Stalled", "False MailHeld", "False MailHeld", "wait",
		}},
		"held, with a request in the future": {someFacts(cameBack, heldSince(claimed), asked("2027-11-21T12:00:00Z")), says{
			"Failed", "False MailHeld Stalled", "False MailHeld", "False MailHeld", "wait",
		}},
		"held, and requested since": {someFacts(cameBack, heldSince(claimed), asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1",
		}},
		"held, and an admin released all mail since": {
			someFacts(cameBack, heldSince(claimed), func(f *Facts) {
				f.Organization.Annotations = map[string]string{accountsv1.ReleaseMailAnnotation: aRequest}
			}),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1"},
		},
		"a resend of a declined invitation, to an address that was mailed often": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), declining, asked(aRequest), mailedOften),
			says{"Declined", "True Declined ResendBlocked", "False Declined", "False Declined", "wait 24h0m0s"},
		},
		"a resend while one channel fails temporarily": {
			someFacts(by("Email", "SMS"), tried(me, accountsv1.DeliverySent, 1), delivered("sms", "TemporaryFailure"), asked(aRequest)), says{
				"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
			},
		},
		"a resend while all channels fail temporarily": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), asked(aRequest)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend waits while one channel fails temporarily and another is sending": {
			someFacts(by("Email", "SMS"), tried(other, "", 1), delivered("sms", "TemporaryFailure"), asked(aRequest), at(30*time.Second)), says{
				"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim sms 2",
			},
		},
		"a resend of an invitation that was never sent": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), asked(aRequest), at(week)), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2",
		}},
		"a resend without a key": {someFacts(tried(me, accountsv1.DeliverySent, 1), asked(aRequest), func(f *Facts) { f.KeyFault = "gone" }), says{
			"Failed", "False LinkKeysInvalid Stalled", "False LinkKeysInvalid", "False LinkKeysInvalid", "wait 1m0s",
		}},
		"a resend to a person who has become a member since": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), at(week), asked(aRequest), func(f *Facts) { f.AddressConflict = AddressConflict{Reason: "AddressHasAccount", Name: "jane-2"} }),
			says{"Failed", "False AddressHasAccount Stalled", "False AddressHasAccount", "False AddressHasAccount", "wait"},
		},
		"a resend with a value that is too long": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), asked("2026-11-21T12:00:00."+strings.Repeat("0", 64)+"Z")),
			says{"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"},
		},
		"a clock that was set back after the expiry": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Expired"), at(week-time.Minute)),
			says{"Expired", "True Expired", "False Expired", "False Expired", "wait"},
		},
	}.check(t)
}

// renewedAt requests a resend at a time and lets it be carried out.
func renewedAt(t *testing.T, f *Facts, now time.Time) {
	t.Helper()
	f.Now = now
	asked(now.Format(time.RFC3339))(f)
	before := f.Invitation.Status.Attempt.Number
	for range 2 {
		step(f, accountsv1.DeliverySent)
	}
	if got := f.Invitation.Status.Attempt.Number; got != before+1 {
		t.Fatalf("after a resend it is attempt %d, after %d", got, before)
	}
}

func TestAResendForgetsTheAnswerBeforeAndKeepsTheLanguage(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1))
	f.Invitation.Status.Attempt.Language = "it"
	codeFor("doe@example.net", 3)(&f)
	f.Invitation.Status.Guesses = 7
	declining(&f)
	f.Organization.Spec.Language, f.Organization.Spec.DisplayName, f.NewestKey = "fr", "Acme Inc.", 8
	renewedAt(t, &f, claimed.Add(time.Hour))

	status := f.Invitation.Status
	want := accountsv1.Attempt{
		Number: 2, KeyID: 8, ClaimTime: second(f.Now), Organization: "Acme Inc.", Role: "Developer", Language: "it",
		Sender: f.Sender, ResendRequest: f.Now.Format(time.RFC3339),
		Earlier: []accountsv1.EarlierAttempt{{Number: 1, KeyID: 7, ClaimTime: second(claimed)}},
	}
	if diff := cmp.Diff(want, status.Attempt); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if status.Decline.Given() || status.OtherAddress.Given() || status.Guesses != 0 || status.State != accountsv1.InvitationPending {
		t.Errorf("it keeps %+v", status)
	}
	if left := status.ExpirationTime.Sub(f.Now); left != DefaultValidity {
		t.Errorf("it is valid for %s", left)
	}
}

func TestResendReopensEndedInvitations(t *testing.T) {
	keys := someKeys(t, 7)
	for name, ended := range map[string]func(*Facts){
		"expired": func(f *Facts) { f.Now = claimed.Add(DefaultValidity) }, "declined": declining,
		"accepted by a deleted Account": func(f *Facts) { accepting(f); f.Accepter = nil },
		"refused":                       delivered("email", accountsv1.DeliveryRefused),
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(tried(me, accountsv1.DeliverySent, 1), ended)
			f.Invitation.Status = Report(f)
			before := linkOf(t, keys, f.Invitation)
			renewedAt(t, &f, f.Now.Add(time.Hour))
			if f.Invitation.Status.State != accountsv1.InvitationPending {
				t.Errorf("it is %s", f.Invitation.Status.State)
			}
			if old, fresh := f.Check(before, keys, f.Now), f.Check(linkOf(t, keys, f.Invitation), keys, f.Now); old != LinkSuperseded || fresh != LinkOpen {
				t.Errorf("the earlier link is %v, and the new one is %v", old, fresh)
			}
		})
	}
}

// An Invitation cannot be changed, so only a new one can go to another number.
func TestAResendGoesOutAsTheMembershipSaysByNowOrNotAtAll(t *testing.T) {
	blocked := says{"Pending", "True AwaitingAcceptance ResendBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"}
	carriedOut := says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2"}
	all := situations{}
	for name, c := range map[string]struct {
		change func(*accountsv1.MembershipSpec)
		want   says
	}{
		"nothing has changed":             {func(*accountsv1.MembershipSpec) {}, carriedOut},
		"the role has changed":            {func(s *accountsv1.MembershipSpec) { s.Role = "observer" }, carriedOut},
		"an empty list equals no list":    {func(s *accountsv1.MembershipSpec) { s.Delivery = []accountsv1.DeliveryChannel{} }, carriedOut},
		"the number has changed":          {func(s *accountsv1.MembershipSpec) { s.PhoneNumber = "+393337654321" }, blocked},
		"the channel has changed":         {func(s *accountsv1.MembershipSpec) { s.Delivery = []accountsv1.DeliveryChannel{"Link"} }, blocked},
		"the language has changed":        {func(s *accountsv1.MembershipSpec) { s.Language = "it" }, blocked},
		"the address rule has changed":    {func(s *accountsv1.MembershipSpec) { s.AddressMatch = "AnyAddress" }, blocked},
		"the message has changed":         {func(s *accountsv1.MembershipSpec) { s.Message = "Welcome" }, blocked},
		"the given name has changed":      {func(s *accountsv1.MembershipSpec) { s.GivenName = "Janet" }, blocked},
		"the family name has changed":     {func(s *accountsv1.MembershipSpec) { s.FamilyName = "Roe" }, blocked},
		"the inviting person has changed": {func(s *accountsv1.MembershipSpec) { s.InvitedBy = "Ada Example" }, blocked},
	} {
		changed := func(f *Facts) {
			withMembership(func(m *accountsv1.Membership) { m.Spec.Role = f.Invitation.Spec.Role; c.change(&m.Spec) })(f)
			tried(me, accountsv1.DeliverySent, 1)(f)
			asked(aRequest)(f)
		}
		all[name] = someSituation{someFacts(madeFor, changed), c.want}
		if c.want == blocked {
			all[name+", for a manually applied Invitation"] = someSituation{someFacts(changed), carriedOut}
		}
		over := someFacts(madeFor, changed, state("Expired"))
		if _, wanted := WantsSeat(over.Invitation, over.Membership); wanted != (c.want == carriedOut) {
			t.Errorf("%s: the expired Invitation wants a seat: %v", name, wanted)
		}
	}
	all.check(t)
}

func TestTheLanguageOfAMailing(t *testing.T) {
	for name, c := range map[string]struct {
		invitation, before, organization, want accountsv1.Language
	}{
		"no language is set":                {"", "", "", "en"},
		"only the Organization sets it":     {"", "", "it", "it"},
		"the previous attempt sets it":      {"", "de", "it", "de"},
		"the Invitation sets it":            {"fr", "", "it", "fr"},
		"the Invitation sets it, as before": {"fr", "fr", "it", "fr"},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts()
			f.Invitation.Spec.Language, f.Invitation.Status.Attempt.Language, f.Organization.Spec.Language = c.invitation, c.before, c.organization
			if got := f.Language(); got != c.want {
				t.Errorf("it is %q, not %q", got, c.want)
			}
		})
	}
}

func TestEarlierAttemptsAreKeptNewestFirstAndNoMoreThanAStatusTakes(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1))
	for range 20 {
		renewedAt(t, &f, f.Now.Add(25*time.Hour))
	}
	var kept []int32
	for _, e := range f.Invitation.Status.Attempt.Earlier {
		kept = append(kept, e.Number)
	}
	if diff := cmp.Diff([]int32{20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5}, kept); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEachRequestCountsOnce(t *testing.T) {
	f := someFacts(withMembership(same), func(f *Facts) { f.Membership.Annotations = map[string]string{} }, tried(me, accountsv1.DeliverySent, 1))
	own, membership := func(v string) { asked(v)(&f) }, func(v string) { f.Membership.Annotations[accountsv1.ResendAnnotation] = v }
	const first, next = "2026-11-21T13:00:00Z", "2026-11-21T14:00:00Z"
	for i, c := range []struct {
		what string
		do   func()
		want int32
	}{
		{"on the Invitation", func() { own(first) }, 2},
		{"on the Invitation, once more", func() { own(first) }, 2},
		{"the same time on the Membership is another request", func() { membership(first) }, 3},
		{"removed", func() { own(""); membership("") }, 3},
		{"restored", func() { own(first); membership(first) }, 3},
		{"both at once cause one mailing", func() { own(next); membership(next) }, 4},
		{"an invalid time", func() { own("yesterday") }, 4},
		{"an invalid time, and a valid one on the Membership", func() { membership(first) }, 5},
	} {
		c.do()
		f.Now = f.Now.Add(10 * time.Hour)
		for range 4 {
			step(&f, accountsv1.DeliverySent)
		}
		if got := f.Invitation.Status.Attempt.Number; got != c.want {
			t.Errorf("%d, %s: it is attempt %d, not %d", i, c.what, got, c.want)
		}
	}
}

func TestNoAddressIsMailedMoreThanFiveTimesInADay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := someFacts()
		var elsewhere []time.Time // mailings by another Invitation to the address
		for range rapid.IntRange(1, 40).Draw(t, "looks") {
			f.Now = f.Now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 1500 * time.Millisecond, time.Hour, 6 * time.Hour, 24*time.Hour - time.Second}).Draw(t, "later"))
			if rapid.Bool().Draw(t, "asked") {
				asked(f.Now.Format(time.RFC3339Nano))(&f)
			}
			mailings(&f).All = slices.Concat(attemptTimes(f.Invitation), elsewhere)
			if f.Invitation.Status.Attempt.Begun() && f.nextAttempt().IsZero() && rapid.IntRange(0, 3).Draw(t, "elsewhere") == 0 {
				elsewhere = append(elsewhere, second(f.Now).Time)
				mailings(&f).All = append(mailings(&f).All, second(f.Now).Time)
			}
			step(&f, accountsv1.DeliverySent)
			all := slices.Concat(attemptTimes(f.Invitation), elsewhere)
			for _, from := range all {
				within := slices.DeleteFunc(slices.Clone(all), func(m time.Time) bool { return m.Before(from) || m.Sub(from) >= MailingsWindow })
				if len(within) > MostMailings {
					t.Fatalf("%d mailings within a day from %s on", len(within), from)
				}
			}
		}
	})
}

// A blocked request is carried out later without another request, and as soon as
// possible.
func TestAResendThatWaitsIsCarriedOut(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1))
	for i := range MostMailings - 1 {
		renewedAt(t, &f, claimed.Add(time.Duration(i+1)*time.Hour))
		mailings(&f).All = attemptTimes(f.Invitation)
	}
	asked("2026-11-21T18:00:00Z")(&f)
	f.Now = claimed.Add(6 * time.Hour)
	step(&f, "")
	if got := shown(f.Invitation.Status.Conditions, "ResendBlocked"); got != "True ResendLimited" {
		t.Errorf("ResendBlocked is %q", got)
	}
	after := Decide(f).After
	if after != 18*time.Hour {
		t.Fatalf("it waits for %s", after)
	}
	f.Now = f.Now.Add(after - time.Second)
	if did := step(&f, ""); did != "wait 1s" {
		t.Errorf("one second too early, the result was: %s", did)
	}
	f.Now = f.Now.Add(time.Second)
	if did := step(&f, accountsv1.DeliverySent); did != "attempt 6" {
		t.Errorf("the result was: %s", did)
	}
	if got := shown(f.Invitation.Status.Conditions, "ResendBlocked"); got != "" {
		t.Errorf("ResendBlocked is %q", got)
	}
}

func TestReleased(t *testing.T) {
	turned := claimed
	now := claimed.Add(time.Hour)
	for value, want := range map[string]bool{
		"2026-11-21T12:00:00Z":              true, // exactly that second
		"2026-11-21T11:59:59Z":              false,
		"2026-11-21T11:59:59.999999999Z":    false,
		"2026-11-21T13:00:00+01:00":         true, // the same in another zone
		"2026-11-21T12:00:00+01:00":         false,
		"2026-11-21T12:59:59.5Z":            true,
		"2026-11-21T13:04:59Z":              true, // the requester's clock is ahead
		"2026-11-21T13:05:00Z":              false,
		"9999-12-31T23:59:59Z":              false,
		"0000-01-01T00:00:00Z":              false,
		"":                                  false,
		"now":                               false,
		"true":                              false,
		"2026-11-21":                        false,
		"2026-11-21 12:30:00Z":              false,
		" 2026-11-21T12:30:00Z":             false,
		"1795264200":                        false,
		"2026-11-21T12:30:00":               false,
		"2026-02-30T12:30:00Z":              false,
		strings.Repeat("2026", 1<<16) + "Z": false,
	} {
		t.Run(value[:min(len(value), 40)], func(t *testing.T) {
			conditions := []metav1.Condition{{Type: "Ready", Status: "False", Reason: "MailHeld", LastTransitionTime: metav1.NewTime(turned)}}
			if got := MailReleased(conditions, now, "", value, "2026-11-21T09:00:00Z"); got != want {
				t.Errorf("released: %v", got)
			}
			conditions[0].Status = metav1.ConditionTrue
			if MailReleased(conditions, now, value) {
				t.Error("a ready object was released")
			}
			if MailReleased(nil, now, value) {
				t.Error("an object without a report was released")
			}
		})
	}
}
