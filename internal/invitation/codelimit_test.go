// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"slices"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// codesOften mails the mailbox of the requested code five times, and the first of them for the same
// Organization.
func codesOften(f *Facts) {
	all := slices.Repeat([]time.Time{f.Now}, MostMailings)
	f.CodeMailings = Mailings{All: all, SameOrganization: all[:1]}
}

// quotaFree makes the quota free after a time.
func quotaFree(after time.Duration) func(*Facts) {
	return func(f *Facts) { f.QuotaFreeAt = f.Now.Add(after) }
}

func TestCodesWaitForTheLimits(t *testing.T) {
	out, code := tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1)
	held := func(wait string) says {
		return says{"Pending", "True AwaitingAcceptance CodeBlocked", "False NotAccepted", "True AwaitingAcceptance", "wait " + wait}
	}
	open := func(plan string) says {
		return says{"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", plan}
	}
	situations{
		"the mailbox was mailed five times": {someFacts(out, code, codesOften), held("10m0s")},
		"the quota is used up":              {someFacts(out, code, quotaReached), held("10m0s")},
		"the quota is free in time":         {someFacts(out, code, quotaFree(3*time.Minute)), held("3m0s")},
		"the quota is free now":             {someFacts(out, code, quotaFree(0)), open("claim code-1-1 1")},
		"a limit is reached, and another channel is next": {
			someFacts(by("Email", "SMS"), tried("", "", 0), delivered("email", "Sent"), code, codesOften),
			says{"Pending", "False Sending Reconciling CodeBlocked", "False NotAccepted", "True AwaitingAcceptance", "claim sms 1"},
		},
		"other Organizations mailed the mailbox": {
			someFacts(out, code, codesOften, func(f *Facts) { f.CodeMailings.SameOrganization = nil }), open("claim code-1-1 1"),
		},
		"the address is no longer allowed": {
			someFacts(out, code, codesOften, func(f *Facts) { f.Organization.Spec.AddressMatch = "" }), open("wait 168h0m0s"),
		},
		"the code has expired": {someFacts(out, code, codesOften, quotaReached, at(CodeValidity)), open("wait 167h50m0s")},
	}.check(t)
}

func TestAHeldCodeSaysWhatToDo(t *testing.T) {
	for want, limit := range map[string]func(*Facts){
		"mailed 5 times within a day":        codesOften,
		"can raise spec.invitationsPerDay":   quotaReached,
		"the 1000 invitations and codes":     quotaReached,
		"the person can use another address": codesOften,
	} {
		f := someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1), limit)
		f.Invitation.Status = Report(f)
		if got := (&life{Facts: f}).condition(accountsv1.ConditionCodeBlocked).Message; !strings.Contains(got, want) || strings.Contains(got, "eve") || strings.Contains(got, "2026") {
			t.Errorf("it says %q, not %q, or an address or a time", got, want)
		}
	}
}

// The first send of a code counts. Its retries do not, so nothing holds them.
func TestNoLimitHoldsTheRetryOfACode(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1), codeFor("eve@example.org", 1))
	step(&f, accountsv1.DeliveryTemporaryFailure)
	f.Now = f.Now.Add(time.Minute)
	codesOften(&f)
	quotaReached(&f)
	if did := step(&f, accountsv1.DeliverySent); did != "claim code-1-1 2" {
		t.Errorf("it did: %s", did)
	}
}

func TestTheCodesOfADayStayOnRecord(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1))
	names := func() (all []string) {
		for _, d := range CodesOf(f.Invitation) {
			all = append(all, d.Name)
		}
		return all
	}
	code := func(n int32, later time.Duration) {
		f.Now = f.Now.Add(later)
		codeFor("eve@example.org", n)(&f)
		step(&f, accountsv1.DeliverySent)
	}
	code(1, time.Hour)
	code(2, time.Hour)
	asked(f.Now.Format(time.RFC3339))(&f)
	if did := step(&f, accountsv1.DeliverySent); did != "attempt 2" {
		t.Fatalf("it did: %s", did)
	}
	code(1, time.Hour)
	if want := []string{"code-1-1", "code-1-2", "code-2-1"}; !slices.Equal(names(), want) {
		t.Errorf("on record are %v, not %v", names(), want)
	}
	code(2, MailingsWindow-time.Hour) // a day after the second
	if want := []string{"code-2-1", "code-2-2"}; !slices.Equal(names(), want) {
		t.Errorf("on record are %v, not %v", names(), want)
	}
}
