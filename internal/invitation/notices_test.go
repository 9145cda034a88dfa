// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// answered accepts or declines, with the given number of owners in the Organization.
func answered(f *Facts, yes bool, owners int, chat bool) {
	f.Chat = chat
	for i := range owners {
		f.Owners = append(f.Owners, Owner{fmt.Sprintf("owner-%02d", i), fmt.Sprintf("owner-%02d@example.com", i)})
	}
	if !yes {
		declining(f)
		return
	}
	accepting(f)
	f.Joined = true
}

func TestRecipientsOfNotices(t *testing.T) {
	out := func(changes ...func(*Facts)) Facts {
		return someFacts(append([]func(*Facts){tried(me, accountsv1.DeliverySent, 1)}, changes...)...)
	}
	for name, c := range map[string]struct {
		facts Facts
		want  []string
	}{
		"a yes": {out(func(f *Facts) { answered(f, true, 2, true) }), []string{
			"confirmation to jane@example.com", "joined.owner-00 to owner-00@example.com", "joined.owner-01 to owner-01@example.com", "chat to ",
		}},
		"accepted, without a chat": {out(func(f *Facts) { answered(f, true, 1, false) }), []string{
			"confirmation to jane@example.com", "joined.owner-00 to owner-00@example.com",
		}},
		"accepted by an owner": {out(func(f *Facts) {
			answered(f, true, 1, false)
			f.Owners = append(f.Owners, Owner{"jane", "jane@example.com"})
		}), []string{"confirmation to jane@example.com", "joined.owner-00 to owner-00@example.com"}},
		"accepted with another address": {out(func(f *Facts) {
			answered(f, true, 0, false)
			f.Accepter.Spec.Email = "doe@example.net"
		}), []string{"confirmation to doe@example.net"}},
		"accepted, and the Account was deleted at once": {out(func(f *Facts) {
			answered(f, true, 0, false)
			f.Accepter = nil
		}), []string{"confirmation to jane@example.com"}},
		"a no": {out(func(f *Facts) { answered(f, false, 2, true) }), []string{
			"declined.owner-00 to owner-00@example.com", "declined.owner-01 to owner-01@example.com",
		}},
		"declined by a former owner of the same name": {out(func(f *Facts) {
			answered(f, false, 0, true)
			f.Owners = append(f.Owners, Owner{"jane", "jane@example.com"})
		}), nil},
		"accepted and notified before": {out(func(f *Facts) { answered(f, true, 2, true) }, state("Active")), nil},
		"declined and notified before": {out(func(f *Facts) { answered(f, false, 2, true) }, state("Declined")), nil},
		"accepted, and the status was lost": {someFacts(withMembership(same), func(f *Facts) {
			f.Joined = true
			answered(f, false, 2, true)
			f.Invitation.Status.Decline = accountsv1.Decline{}
		}), nil},
		"accepted, and not carried out yet": {out(accepting, state("Pending"), func(f *Facts) { f.Owners, f.Chat = []Owner{{"ada", "ada@example.com"}}, true }), nil},
		"no answer":                         {out(func(f *Facts) { f.Owners, f.Chat = []Owner{{"ada", "ada@example.com"}}, true }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, told := c.facts, []string(nil)
			for range 20 {
				f.Invitation.Status = Report(f)
				// The recipients are fixed when the answer is first seen.
				f.Owners, f.Chat = []Owner{{"later", "later@example.com"}}, true
				claim := Decide(f).Claim
				if claim == nil {
					break
				}
				step(&f, accountsv1.DeliverySent)
				d := Delivery(f.Invitation, claim.Name)
				told = append(told, d.Name+" to "+d.Recipient)
			}
			if diff := cmp.Diff(c.want, told); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// The person's notices use the language of the invitation, and the others use that of
// the Organization. Both stay as they were when the answer was first seen.
func TestNoticesStayAsTheyWereWhenTheAnswerWasSeen(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) {
		f.Organization.Spec.Language, f.Permissions = "it", []string{"Deploy: Staging"}
		answered(f, true, 1, true)
	})
	f.Invitation.Status = Report(f)
	f.Organization.Spec.Language, f.Permissions = "de", nil
	f.Invitation.Status = Report(f)
	want := map[string]string{"confirmation": " [Deploy: Staging]", "joined.owner-00": "it []", "chat": "it []"}
	for name, words := range want {
		d := Delivery(f.Invitation, name)
		if got := fmt.Sprint(d.Language, " ", d.Permissions); got != words {
			t.Errorf("%s is in %q, not in %q", name, got, words)
		}
	}
	for organization, want := range map[accountsv1.Language]accountsv1.Language{"": "en", "fr": "fr"} {
		f.Organization.Spec.Language = organization
		if got := f.ownLanguage(); got != want {
			t.Errorf("with language %q, the Organization's people are notified in %q", organization, got)
		}
	}
	f.Organization = nil
	if got := f.ownLanguage(); got != "" {
		t.Errorf("without an Organization, its people are notified in %q", got)
	}
}

func TestANoticeIsTriedForAWeek(t *testing.T) {
	f := someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { answered(f, true, 1, false) })
	f.Invitation.Status = Report(f)
	first, last := f.Now, f.Now
	for range 10000 {
		if plan := Decide(f); plan.Claim == nil {
			if plan.After == 0 {
				break
			}
			f.Now = f.Now.Add(plan.After)
			continue
		}
		last = f.Now
		step(&f, accountsv1.DeliveryTemporaryFailure)
	}
	if gaveUp := last.Sub(first); gaveUp > 7*24*time.Hour || gaveUp < 7*24*time.Hour-5*time.Minute {
		t.Errorf("it was retried for %s", gaveUp)
	}
	if f.Invitation.Status.State != accountsv1.InvitationActive {
		t.Errorf("the Invitation is %s because a notice could not be delivered", f.Invitation.Status.State)
	}
}
