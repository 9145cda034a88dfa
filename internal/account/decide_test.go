// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// someFacts returns the facts of an Account that was created a minute ago through an
// Invitation that is still open.
func someFacts(changes ...func(*Facts)) Facts {
	expires := metav1.NewTime(noon.Add(time.Hour))
	f := Facts{
		Now: noon,
		Account: &accountsv1.Account{
			ObjectMeta: metav1.ObjectMeta{
				Name: "jane", UID: "a1", Generation: 1, CreationTimestamp: metav1.NewTime(noon.Add(-time.Minute)), Finalizers: []string{accountsv1.Finalizer},
			},
			Spec: accountsv1.AccountSpec{Email: "jane@example.com"},
		},
		Origin: &accountsv1.Invitation{Status: accountsv1.InvitationStatus{State: accountsv1.InvitationPending, ExpirationTime: &expires}},
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func record(value string) func(*Facts) {
	return func(f *Facts) { annotate(f.Account, accountsv1.MembershipsAnnotation, value) }
}

func originAcceptedBy(uid string) func(*Facts) {
	return func(f *Facts) {
		f.Origin.Status.Acceptance.AccountRef = accountsv1.AcceptedAccountReference{Name: "jane", UID: uid}
	}
}

func accepted(change func(*Acceptance)) func(*Facts) {
	return func(f *Facts) {
		a := Acceptance{
			Invitation: &accountsv1.Invitation{
				ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane"}, Spec: accountsv1.InvitationSpec{Email: "jane@example.com"},
				Status: accountsv1.InvitationStatus{State: accountsv1.InvitationPending},
			},
			Membership: &accountsv1.Membership{
				ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane"}, Spec: accountsv1.MembershipSpec{Email: "jane@example.com"},
			},
			Organization: &accountsv1.Organization{},
		}
		change(&a)
		f.Accepted = append(f.Accepted, a)
	}
}

// belongingTo adds the Organization of a legal entity to those of the Account.
func belongingTo(organization string) func(*Facts) {
	return func(f *Facts) {
		org := &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization}}
		org.Spec.LegalEntity = accountsv1.DisplayText(organization + " S.p.A.")
		f.Organizations = append(f.Organizations, org)
	}
}

func anyAddress(a *Acceptance) { a.Organization.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress }

func withAddress(email accountsv1.EmailAddress) func(*Facts) {
	return func(f *Facts) { f.Account.Spec.Email = email }
}

func at(after time.Duration) func(*Facts) { return func(f *Facts) { f.Now = noon.Add(after) } }

func going(f *Facts) { f.Account.DeletionTimestamp = &metav1.Time{Time: noon} }

// TestEverySituation is the state table: what Usher does, and what it reports.
func TestEverySituation(t *testing.T) {
	asItIs := func(*Acceptance) {}
	cases := map[string]struct {
		facts               Facts
		plan, state, active string
	}{
		"just created": {
			someFacts(func(f *Facts) { f.Account.CreationTimestamp = metav1.NewTime(noon.Add(-time.Second)) }), "wait 19s", "", "",
		},
		"incomplete, and its link is open": {someFacts(), "wait 1h0m0s", "Pending", "False NotAccepted"},
		"incomplete, and its link is being accepted": {
			someFacts(originAcceptedBy("a1")), "wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"incomplete, and the person declined": {
			someFacts(func(f *Facts) { f.Origin.Status.Decline.DeclinedTime = &metav1.Time{Time: noon} }), "discard", "Pending", "False NotAccepted",
		},
		"incomplete, and another Account accepted":   {someFacts(originAcceptedBy("a2")), "discard", "Pending", "False NotAccepted"},
		"incomplete, and the Invitation was deleted": {someFacts(func(f *Facts) { f.Origin = nil }), "discard", "Pending", "False NotAccepted"},
		"incomplete, and the Invitation is being deleted": {
			someFacts(func(f *Facts) { f.Origin.DeletionTimestamp = &metav1.Time{Time: noon} }), "discard", "Pending", "False NotAccepted",
		},
		"incomplete, and the Invitation has expired": {
			someFacts(func(f *Facts) { f.Origin.Status.State = accountsv1.InvitationExpired }), "discard", "Pending", "False NotAccepted",
		},
		"incomplete, and its link has expired but its state does not report it yet": {
			someFacts(at(2 * time.Hour)), "wait", "Pending", "False NotAccepted",
		},
		"accepted, and the Membership is of another Organization": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) { a.Membership.Spec.OrganizationRef.Name = "beta" })),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with an Invitation for another role, although the Membership existed": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) { a.Membership.Spec.Role = "owner" })),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted, and the Membership is being deleted": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) { a.Membership.DeletionTimestamp = &metav1.Time{Time: noon} })),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with another address, where only the invited one is allowed": {
			someFacts(originAcceptedBy("a1"), accepted(asItIs), withAddress("doe@example.net")), "wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with another address, before the Organization exists": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) {
				a.Organization, a.Invitation.Spec.AddressMatch = nil, accountsv1.AddressMatchAnyAddress
			}), withAddress("doe@example.net")),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with another address, where any is allowed": {
			someFacts(accepted(anyAddress), withAddress("doe@example.net")), "record acme/jane=jane@example.com", "Pending", "False NotAccepted",
		},
		"accepted with another address, where this Invitation allows any": {
			someFacts(accepted(func(a *Acceptance) { a.Invitation.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress }), withAddress("doe@example.net")),
			"record acme/jane=jane@example.com", "Pending", "False NotAccepted",
		},
		"accepted with another address, where this Invitation does not allow it": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) {
				anyAddress(a)
				a.Invitation.Spec.AddressMatch = accountsv1.AddressMatchStrict
			}), withAddress("doe@example.net")),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with another address, in a denied domain": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) {
				anyAddress(a)
				a.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.net"}
			}), withAddress("doe@example.net")),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted with the invited address in capitals": {
			someFacts(accepted(asItIs), withAddress("JANE@example.com")), "record acme/jane", "Pending", "False NotAccepted",
		},
		"accepted with the invited address, where any is allowed": {
			someFacts(accepted(anyAddress)), "record acme/jane", "Pending", "False NotAccepted",
		},
		"another address is recorded": {
			someFacts(record("acme/jane=jane@example.com"), accepted(anyAddress), withAddress("doe@example.net")), "wait", "Active", "True Accepted",
		},
		"accepted, after a Membership of that name was recorded for another address": {
			someFacts(record("acme/jane=old@example.com,beta/x"), accepted(asItIs)), "record acme/jane,beta/x", "Active", "True Accepted",
		},
		"accepted with another address, after a Membership of that name was recorded": {
			someFacts(record("acme/jane"), accepted(anyAddress), withAddress("doe@example.net")), "record acme/jane=jane@example.com", "Active", "True Accepted",
		},
		"a Membership for another address is being deleted": {
			someFacts(record("acme/jane=jane@example.com,beta/jane"), func(f *Facts) { f.Leaving = []types.NamespacedName{{Namespace: "acme", Name: "jane"}} }),
			"record beta/jane", "Active", "True Accepted",
		},
		"a damaged record": {
			someFacts(record("acme/jane, ,beta,acme/jane")), "record acme/jane", "Active", "True Accepted",
		},
		"accepted": {someFacts(accepted(asItIs)), "record acme/jane", "Pending", "False NotAccepted"},
		"accepted, before the Membership exists": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) { a.Membership = nil })), "wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted, and the Membership is for another address": {
			someFacts(originAcceptedBy("a1"), accepted(func(a *Acceptance) { a.Membership.Spec.Email = "john@example.com" })),
			"wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"recorded": {someFacts(record("acme/jane"), accepted(asItIs)), "wait", "Active", "True Accepted"},
		"a second Membership, of another legal entity": {
			someFacts(record("beta/jane"), belongingTo("beta"), accepted(asItIs)), "wait", "Active", "True Accepted",
		},
		"a second Membership, of the same legal entity": {
			someFacts(record("beta/jane"), belongingTo("beta"), accepted(func(a *Acceptance) { a.Organization.Spec.LegalEntity = "beta S.p.A." })),
			"record acme/jane,beta/jane", "Active", "True Accepted",
		},
		"two acceptances at once, of different legal entities": {
			someFacts(accepted(asItIs), accepted(func(a *Acceptance) { a.Membership.Namespace, a.Organization.Name = "beta", "beta" })),
			"record acme/jane", "Pending", "False NotAccepted",
		},
		"a second Membership": {
			someFacts(record("beta/jane"), accepted(asItIs)), "record acme/jane,beta/jane", "Active", "True Accepted",
		},
		"an acceptance that is history restores nothing": {
			someFacts(record(""), accepted(func(a *Acceptance) { a.Invitation.Status.State = accountsv1.InvitationActive })),
			"wait", "Active", "True Accepted",
		},
		"a Membership is being deleted": {
			someFacts(record("acme/jane,beta/jane"), func(f *Facts) { f.Leaving = []types.NamespacedName{{Namespace: "acme", Name: "jane"}} }),
			"record beta/jane", "Active", "True Accepted",
		},
		"the last Membership is being deleted": {
			someFacts(record("acme/jane"), func(f *Facts) { f.Leaving = []types.NamespacedName{{Namespace: "acme", Name: "jane"}} }),
			"record ", "Active", "True Accepted",
		},
		"accepted earlier, and everything else was deleted": {
			someFacts(record(""), func(f *Facts) { f.Origin = nil }), "wait", "Active", "True Accepted",
		},
		"incomplete and being deleted, and a request could still use it": {
			someFacts(going, at(10*time.Second)), "wait 10s", "Disabled", "False Deleting",
		},
		"incomplete and being deleted, and no request can use it any more": {
			someFacts(going, at(20*time.Second)), "remove finalizer", "Disabled", "False Deleting",
		},
		"just created, and being deleted": {
			someFacts(going, func(f *Facts) { f.Account.CreationTimestamp = metav1.NewTime(noon) }), "wait 20s", "Disabled", "False Deleting",
		},
		"incomplete, with a second factor": {
			someFacts(func(f *Facts) { f.Account.Status.TwoFactor = "Enrolled" }), "wait 1h0m0s", "Pending", "False NotAccepted",
		},
		"accepted, with a second factor": {
			someFacts(accepted(asItIs), func(f *Facts) { f.Account.Status.TwoFactor = "Enrolled" }),
			"record acme/jane, two-factor Enrolled", "Pending", "False NotAccepted",
		},
		"being deleted, and RoleBindings exist": {
			someFacts(record("acme/jane"), going, func(f *Facts) { f.BindingsLeft = true }), "wait", "Disabled", "False Deleting",
		},
		"being deleted, and no RoleBindings exist": {someFacts(record("acme/jane"), going), "remove finalizer", "Disabled", "False Deleting"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("it plans %q, not %q", got, c.plan)
			}
			status := Report(c.facts)
			active := ""
			if a := meta.FindStatusCondition(status.Conditions, accountsv1.ConditionActive); a != nil {
				active = string(a.Status) + " " + a.Reason
			}
			if string(status.State) != c.state || active != c.active {
				t.Errorf("it reports %q and Active=%q, not %q and %q", status.State, active, c.state, c.active)
			}
		})
	}
}

func planned(p Plan) string {
	switch {
	case p.Record != nil:
		text := "record " + *p.Record
		if len(p.Left) > 0 {
			text += fmt.Sprintf(", left %s", p.Left)
		}
		if p.TwoFactor != "" {
			text += ", two-factor " + string(p.TwoFactor)
		}
		return text
	case p.TwoFactor != "":
		return "two-factor " + string(p.TwoFactor)
	case p.Claim != nil:
		return fmt.Sprintf("claim %s %d", p.Claim.Name, p.Claim.Tries)
	case p.Discard:
		return "discard"
	case p.RemoveFinalizer:
		return "remove finalizer"
	case p.After != 0:
		return "wait " + p.After.String()
	}
	return "wait"
}
