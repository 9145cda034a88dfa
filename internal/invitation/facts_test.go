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
	"github.com/usher-dev/usher/internal/delivery"
)

const me, other = "usher-1", "usher-2"

// someMedia have the same properties as their Carriers describe. Package notifier
// imports this one, so these tests cannot use it.
var someMedia = delivery.Media{
	accountsv1.MediumEmail: {
		CopyRecognisable: true, MessageID: true, Recipient: func(inv *accountsv1.Invitation) string { return string(inv.Spec.Email) },
	},
	accountsv1.MediumSMS:  {Recipient: func(inv *accountsv1.Invitation) string { return inv.Spec.PhoneNumber }},
	accountsv1.MediumChat: {},
	accountsv1.MediumLink: {
		CopyRecognisable: true, Withdrawable: true,
		Recipient: func(inv *accountsv1.Invitation) string { return inv.Name + accountsv1.LinkSecretSuffix },
	},
}

// someFacts returns the facts of a manually applied Invitation to which nothing has
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
		Now:   claimed, Media: someMedia, ClaimOwner: me, SendDeadline: time.Minute, NewestKey: 7,
		Sender: "Usher <usher@example.com>", MailDomain: "example.com",
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

// tried puts the Invitation into the state after its claim.
func tried(holder string, result accountsv1.DeliveryResult, tries int32) func(*Facts) {
	return func(f *Facts) {
		claim := someFacts(func(g *Facts) { g.Invitation, g.Now = f.Invitation.DeepCopy(), f.Now }).claimNewAttempt()
		status := &f.Invitation.Status
		Begin(status, *claim)
		for i := range status.Deliveries {
			d := &status.Deliveries[i]
			d.ClaimTime, d.TryTime, d.Tries = second(f.Now), second(f.Now), tries
			if d.Holder = holder; result != "" {
				f.Media.End(status.Deliveries, d.Name, result, "because", f.Now)
			}
		}
		cameBack(f)
	}
}

// delivered records the result of one channel.
func delivered(channel string, result accountsv1.DeliveryResult) func(*Facts) {
	return func(f *Facts) { f.Media.End(f.Invitation.Status.Deliveries, channel, result, "because", f.Now) }
}

// by delivers the link through these channels.
func by(channels ...accountsv1.DeliveryChannel) func(*Facts) {
	return func(f *Facts) {
		f.Invitation.Spec.Delivery, f.Invitation.Spec.PhoneNumber = channels, "+393331234567"
	}
}

// asked requests a resend.
func asked(value string) func(*Facts) {
	return func(f *Facts) { annotate(f, accountsv1.ResendAnnotation, value) }
}

const aRequest = "2026-11-21T12:00:00Z"

func declining(f *Facts) {
	f.Invitation.Status.Decline = accountsv1.Decline{DeclinedTime: second(claimed), Reason: "Not for me"}
}

// seats gives the Organization a limit and a list of holders.
func seats(limit int32, holders ...accountsv1.SeatHolder) func(*Facts) {
	return func(f *Facts) {
		taken := int32(len(holders))
		f.Organization.Spec.Seats = limit
		f.Organization.Status.Seats = accountsv1.SeatsStatus{Taken: &taken, Holders: holders}
	}
}

// cameBack marks the Invitation as sent, although it has no status.
func cameBack(f *Facts) { annotate(f, accountsv1.MailedAnnotation, claimed.Format(time.RFC3339)) }

func annotate(f *Facts, annotation, value string) {
	if f.Invitation.Annotations == nil {
		f.Invitation.Annotations = map[string]string{}
	}
	f.Invitation.Annotations[annotation] = value
}

// heldSince holds its mail from the given time.
func heldSince(t time.Time) func(*Facts) {
	return func(f *Facts) {
		f.Invitation.Status.Conditions = []metav1.Condition{{
			Type: "Ready", Status: "False", Reason: "MailHeld", LastTransitionTime: metav1.NewTime(t),
		}}
	}
}

func at(after time.Duration) func(*Facts) {
	return func(f *Facts) { f.Now = claimed.Add(after) }
}

func accepting(f *Facts) {
	f.Invitation.Status.Acceptance = accountsv1.Acceptance{
		AccountRef: accountsv1.AcceptedAccountReference{Name: "jane", UID: "a1"}, AcceptedTime: second(claimed),
	}
	f.Accepter = &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: "jane", UID: "a1"}, Spec: accountsv1.AccountSpec{Email: "jane@example.com"}}
}

// elsewhere makes the accepting Account belong to another legal entity.
func elsewhere(f *Facts) { f.Foreign = true }

// nobodyAsked makes the role manage people, and the Invitation older than the policies.
func nobodyAsked(f *Facts) { f.Unvetted = true }

func state(s accountsv1.InvitationState) func(*Facts) {
	return func(f *Facts) { f.Invitation.Status.State = s }
}

func withMembership(change func(*accountsv1.Membership)) func(*Facts) {
	return func(f *Facts) {
		f.Membership = &accountsv1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane", UID: "m1"},
			Spec: accountsv1.MembershipSpec{
				OrganizationRef: f.Invitation.Spec.OrganizationRef, Email: f.Invitation.Spec.Email, Role: f.Invitation.Spec.Role,
			},
		}
		change(f.Membership)
	}
}

// madeFor makes the Invitation one that Usher created for the Membership m1.
func madeFor(f *Facts) {
	f.Invitation.OwnerReferences = []metav1.OwnerReference{{Kind: "Membership", Name: "jane", UID: "m1"}}
}

func same(*accountsv1.Membership) {}

// allowing makes the Membership allow more than its role.
func allowing(m *accountsv1.Membership) {
	m.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: accountsv1.EffectAllow, Permission: "own", Resources: []accountsv1.CatalogueName{"home"}}}
}

// step takes the next step. If the step is a send, it ends with the given result; an
// empty result means that the result is unknown.
func step(f *Facts, result accountsv1.DeliveryResult) string {
	plan := Decide(*f)
	status := &f.Invitation.Status
	switch {
	case plan.Mark:
		cameBack(f)
	case plan.Withdraw != nil:
		f.Media.End(status.Deliveries, plan.Withdraw.Name, accountsv1.DeliveryWithdrawn, "", f.Now)
	case plan.Claim != nil:
		Begin(status, *plan.Claim)
		*status = Report(*f)
		if result != "" {
			answer := map[bool]string{true: "because"}[result != accountsv1.DeliverySent]
			f.Media.End(status.Deliveries, plan.Claim.Name, result, answer, f.Now)
		}
	}
	*status = Report(*f)
	return planned(plan)
}

// says is what Report returns for some facts, and what Decide plans.
type says struct {
	state   accountsv1.InvitationState
	ready   string // status and reason of Ready, then the other True conditions
	active  string
	pending string
	plan    string
}

// someSituation holds facts, and what Report and Decide must return for them.
type someSituation struct {
	facts Facts
	want  says
}

// situations are named test cases.
type situations map[string]someSituation

func (s situations) check(t *testing.T) {
	t.Helper()
	for name, c := range s {
		t.Run(name, func(t *testing.T) {
			before := c.facts.Invitation.DeepCopy()
			got, status := look(c.facts)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(says{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if diff := cmp.Diff(before, c.facts.Invitation); diff != "" {
				t.Errorf("reconciling has changed the facts: -before +after\n%s", diff)
			}
			c.facts.Invitation.Status = status
			if diff := cmp.Diff(status, Report(c.facts)); diff != "" {
				t.Errorf("a second reconciliation reports something else: -first +second\n%s", diff)
			}
		})
	}
}

func look(f Facts) (says, accountsv1.InvitationStatus) {
	status := Report(f)
	conditions := status.Conditions
	return says{
		state:   status.State,
		ready:   shown(conditions, "Ready") + present(conditions, "Reconciling") + present(conditions, "Stalled") + present(conditions, "ResendBlocked") + present(conditions, "CodeBlocked"),
		active:  shown(conditions, "Active"),
		pending: shown(conditions, "Pending"),
		plan:    planned(Decide(f)),
	}, status
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
	case p.Mark:
		return "mark"
	case p.Withdraw != nil:
		return "withdraw " + p.Withdraw.Name
	case p.Claim != nil && p.Claim.Attempt != nil:
		return fmt.Sprintf("attempt %d", p.Claim.Attempt.Number)
	case p.Claim != nil:
		return fmt.Sprintf("claim %s %d", p.Claim.Name, p.Claim.Tries)
	case p.After != 0:
		return "wait " + p.After.String()
	}
	return "wait"
}
