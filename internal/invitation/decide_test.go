// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const me, other = "usher-1", "usher-2"

// someFacts are those of an Invitation applied by hand, of which nothing has
// happened yet.
func someFacts(changes ...func(*Facts)) Facts {
	inv := &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane", UID: someUID, Generation: 1},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", Role: "developer",
		},
	}
	org := &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			DisplayName: "Acme", Namespace: "acme", Roles: []accountsv1.Role{{Name: "developer", DisplayName: "Developer"}, {Name: "observer"}},
		},
	}
	f := Facts{
		Offer: Offer{Invitation: inv, Organization: org},
		Now:   claimed, Holder: me, SendDeadline: time.Minute, NewestKey: 7, MailDomain: "example.com",
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

// tried puts the Invitation into the state after its claim.
func tried(holder string, result accountsv1.DeliveryResult, tries int32) func(*Facts) {
	return func(f *Facts) {
		claim := someFacts().firstClaim()
		claim.Tries = tries
		Begin(&f.Invitation.Status, *claim, DefaultValidity)
		if result != "" {
			End(&f.Invitation.Status.Delivery, result, "because", f.Now)
		} else {
			f.Invitation.Status.Delivery.Holder = holder
		}
	}
}

func at(after time.Duration) func(*Facts) {
	return func(f *Facts) { f.Now = claimed.Add(after) }
}

func accepting(f *Facts) { f.Invitation.Status.Acceptance.AccountRef.Name = "jane" }

func state(s accountsv1.InvitationState) func(*Facts) {
	return func(f *Facts) { f.Invitation.Status.State = s }
}

func withMembership(change func(*accountsv1.Membership)) func(*Facts) {
	return func(f *Facts) {
		f.Membership = &accountsv1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane", UID: "m1"},
			Spec: accountsv1.MembershipSpec{
				OrganizationRef: f.Invitation.Spec.OrganizationRef, Email: f.Invitation.Spec.Email, Role: "observer",
			},
		}
		change(f.Membership)
	}
}

// madeFor has Usher have made the Invitation for the Membership m1.
func madeFor(f *Facts) {
	f.Invitation.OwnerReferences = []metav1.OwnerReference{{Kind: "Membership", Name: "jane", UID: "m1"}}
}

func same(*accountsv1.Membership) {}

// TestEverySituation is the state table: what Usher does, and what it says.
func TestEverySituation(t *testing.T) {
	week := DefaultValidity
	type want struct {
		state   accountsv1.InvitationState
		ready   string // status and reason of Ready, then Reconciling or Stalled
		active  string
		pending string
		plan    string
	}
	cases := map[string]struct {
		facts Facts
		want  want
	}{
		"nothing has happened yet": {someFacts(), want{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim 1",
		}},
		"there is no Organization yet": {someFacts(func(f *Facts) { f.Organization = nil }), want{
			"Sending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"the Organization is going": {someFacts(func(f *Facts) { f.Organization.DeletionTimestamp = second(claimed) }), want{
			"Sending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"it is not in the home namespace": {someFacts(func(f *Facts) { f.Organization.Spec.Namespace = "other" }), want{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", "False WrongNamespace", "wait",
		}},
		"another Organization holds the home namespace": {someFacts(func(f *Facts) { f.HomeTaken = true }), want{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", "False WrongNamespace", "wait",
		}},
		"there is no such role": {someFacts(func(f *Facts) { f.Invitation.Spec.Role = "astronaut" }), want{
			"Failed", "False RoleNotFound Stalled", "False RoleNotFound", "False RoleNotFound", "wait",
		}},
		"the Membership of its name is for another address": {
			someFacts(withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" })), want{
				"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait",
			},
		},
		"there is no key to make links with": {someFacts(func(f *Facts) { f.KeyFault = "the link keys are empty" }), want{
			"Failed", "False LinkKeysInvalid Stalled", "False LinkKeysInvalid", "False LinkKeysInvalid", "wait 1m0s",
		}},
		"the key is lost, and the mail is out": {someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.KeyFault = "gone" }), want{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"the mail is out, and the Organization went": {someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Organization = nil }), want{
			"Pending", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", "False OrganizationNotFound", "wait",
		}},
		"another process is sending": {someFacts(tried(other, "", 1), at(30*time.Second)), want{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait 31s",
		}},
		"another process was sending, and cannot be any more": {someFacts(tried(other, "", 1), at(61*time.Second)), want{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim 2",
		}},
		"this process claimed and never began to send": {someFacts(tried(me, "", 1)), want{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim 2",
		}},
		"the mail server said not now": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1)), want{
			"Sending", "False TemporaryFailure Reconciling", "False NotAccepted", "False TemporaryFailure", "wait 9.3s",
		}},
		"it is time to try again": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1), at(10*time.Second)), want{
			"Sending", "False TemporaryFailure Reconciling", "False NotAccepted", "False TemporaryFailure", "claim 2",
		}},
		"the mail server refused it for good": {someFacts(tried(me, accountsv1.DeliveryRefused, 1)), want{
			"Failed", "False Refused Stalled", "False Refused", "False Refused", "wait",
		}},
		"the mail is out": {someFacts(tried(me, accountsv1.DeliverySent, 1)), want{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"the last second of its validity": {someFacts(tried(me, accountsv1.DeliverySent, 1), at(week-time.Second)), want{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 1s",
		}},
		"its time is over": {someFacts(tried(me, accountsv1.DeliverySent, 1), at(week)), want{
			"Expired", "True Expired", "False Expired", "False Expired", "wait",
		}},
		"its time is over before any mail was taken": {someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), at(week)), want{
			"Expired", "True Expired", "False Expired", "False Expired", "wait",
		}},
		"accepted, without a Membership": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting), want{
			"Pending", "", "", "", "create Membership",
		}},
		"accepted, with a Membership that is being taken up": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, withMembership(same)), want{
				"Pending", "", "", "", "wait",
			},
		},
		"accepted, and the Membership of its name is for another address": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" })),
			want{"Failed", "False MembershipConflict Stalled", "False MembershipConflict", "False MembershipConflict", "wait"},
		},
		"accepted in time, and carried out after it": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Pending"), accepting, at(week)), want{
			"Pending", "", "", "", "create Membership",
		}},
		"accepted by an Account that is no more": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, func(f *Facts) { f.AccepterGone = true }), want{
				"Failed", "False AccountNotFound Stalled", "False AccountNotFound", "False AccountNotFound", "wait",
			},
		},
		"accepted and taken up": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), accepting, withMembership(same), func(f *Facts) { f.TakenUp = true }), want{
				"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
			},
		},
		"taken up, and its status was lost": {someFacts(withMembership(same), func(f *Facts) { f.TakenUp = true }), want{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"history, whose Membership is gone": {someFacts(tried(me, accountsv1.DeliverySent, 1), state("Active"), accepting), want{
			"Active", "True Accepted", "True Accepted", "False Accepted", "wait",
		}},
		"made for a Membership that is gone": {someFacts(madeFor), want{"", "", "", "", "delete"}},
		"made for an earlier Membership of that name": {
			someFacts(madeFor, withMembership(func(m *accountsv1.Membership) { m.UID = "m2" })), want{"", "", "", "", "delete"},
		},
		"made for a Membership": {someFacts(madeFor, withMembership(same)), want{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "claim 1",
		}},
		"being deleted": {someFacts(func(f *Facts) { f.Invitation.DeletionTimestamp = second(claimed) }), want{"", "", "", "", "wait"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status := Report(c.facts)
			conditions := status.Conditions
			got := want{
				state:   status.State,
				ready:   shown(conditions, "Ready") + present(conditions, "Reconciling") + present(conditions, "Stalled"),
				active:  shown(conditions, "Active"),
				pending: shown(conditions, "Pending"),
				plan:    planned(Decide(c.facts)),
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			c.facts.Invitation.Status = status
			if diff := cmp.Diff(status, Report(c.facts)); diff != "" {
				t.Errorf("a second look says something else: -first +second\n%s", diff)
			}
		})
	}
}

func shown(conditions []metav1.Condition, conditionType string) string {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func present(conditions []metav1.Condition, conditionType string) string {
	if meta.FindStatusCondition(conditions, conditionType) != nil {
		return " " + conditionType
	}
	return ""
}

func planned(p Plan) string {
	switch {
	case p.Delete:
		return "delete"
	case p.CreateMembership:
		return "create Membership"
	case p.Claim != nil:
		return fmt.Sprintf("claim %d", p.Claim.Tries)
	case p.After != 0:
		return "wait " + p.After.String()
	}
	return "wait"
}

func TestARepeatIsTheSameMail(t *testing.T) {
	f := someFacts(tried(other, "", 1), at(time.Hour))
	f.Organization.Spec.DisplayName, f.NewestKey, f.MailDomain = "Renamed", 8, "elsewhere.example"
	first, repeat := f.Invitation.Status.Delivery, *Decide(f).Claim
	repeat.Tries, repeat.TryTime, repeat.Holder = first.Tries, first.TryTime, first.Holder
	if diff := cmp.Diff(first, repeat); diff != "" {
		t.Errorf("-first +repeat\n%s", diff)
	}
	expires := f.Invitation.Status.ExpirationTime.DeepCopy()
	Begin(&f.Invitation.Status, repeat, time.Hour)
	if !f.Invitation.Status.ExpirationTime.Equal(expires) {
		t.Error("a repeat moved the end of the validity, which the mail names")
	}
}

func TestBackoffNeverWaitsLongAndNeverAsksOften(t *testing.T) {
	asked, waited := 1, time.Duration(0)
	for tries := int32(1); waited < time.Hour; tries++ {
		wait := Backoff(tries, someUID)
		if wait > 5*time.Minute || wait < 9*time.Second {
			t.Errorf("after %d tries it waits %v", tries, wait)
		}
		waited += wait
		asked++
	}
	if asked > 20 {
		t.Errorf("in an hour the mail server was asked %d times", asked)
	}
}

func TestCheckTellsNothingWithoutAGenuineLink(t *testing.T) {
	keys := someKeys(t, 7)
	sent := func(changes ...func(*Facts)) Offer {
		return someFacts(append([]func(*Facts){tried(me, accountsv1.DeliverySent, 1)}, changes...)...).Offer
	}
	text, err := keys.DeriveLink(someUID, sent().Invitation.Status.Delivery)
	if err != nil {
		t.Fatal(err)
	}
	link, _ := ParseLink(text)
	cases := map[string]struct {
		offer Offer
		now   time.Time
		want  Standing
	}{
		"open":                         {sent(), claimed, Open},
		"the last second":              {sent(), claimed.Add(DefaultValidity - time.Second), Open},
		"expired":                      {sent(), claimed.Add(DefaultValidity), Expired},
		"used":                         {sent(accepting), claimed, Used},
		"used, and expired since":      {sent(accepting), claimed.Add(DefaultValidity), Used},
		"taken up, its status lost":    {sent(func(f *Facts) { f.TakenUp = true }), claimed, Used},
		"no Organization":              {sent(func(f *Facts) { f.Organization = nil }), claimed, Withdrawn},
		"no such role any more":        {sent(func(f *Facts) { f.Organization.Spec.Roles = nil }), claimed, Withdrawn},
		"not in the home namespace":    {sent(func(f *Facts) { f.Organization.Spec.Namespace = "other" }), claimed, Withdrawn},
		"its Membership is gone":       {sent(madeFor), claimed, Withdrawn},
		"its Membership is going":      {sent(withMembership(func(m *accountsv1.Membership) { m.DeletionTimestamp = second(claimed) })), claimed, Withdrawn},
		"the Invitation is going":      {sent(func(f *Facts) { f.Invitation.DeletionTimestamp = second(claimed) }), claimed, Withdrawn},
		"no Invitation":                {Offer{}, claimed, Unknown},
		"an Invitation without a mail": {someFacts().Offer, claimed, Unknown},
		"another Invitation":           {sent(func(f *Facts) { f.Invitation.UID = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac" }), claimed, Unknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.offer.Check(link, keys, c.now); got != c.want {
				t.Errorf("Check = %v, want %v", got, c.want)
			}
		})
	}
}
