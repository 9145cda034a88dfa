// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// someFacts returns the facts of a Membership with its finalizer to which nothing else
// has happened yet.
func someFacts(changes ...func(*Facts)) Facts {
	f := Facts{
		Now: noon,
		Membership: &accountsv1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane", UID: "m1", Generation: 1, Finalizers: []string{accountsv1.Finalizer}},
			Spec: accountsv1.MembershipSpec{
				OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", Role: "developer",
			},
			Status: accountsv1.MembershipStatus{Conditions: []metav1.Condition{
				{Type: "Ready", Status: "False", Reason: "Sending"}, {Type: "Pending", Status: "False", Reason: "Sending"},
			}},
		},
		Organization: &accountsv1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: "acme"},
			Spec: accountsv1.OrganizationSpec{
				Namespace:   "acme",
				Resources:   []accountsv1.Resource{{Name: "staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"staging"}}}},
				Permissions: []accountsv1.Permission{{Name: "deploy", ClusterRole: "edit"}},
				Roles:       []accountsv1.Role{{Name: "developer", Grants: []accountsv1.Grant{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}}}}},
			},
		},
		Cluster: grant.Cluster{
			Namespaces:   []corev1.Namespace{namespace("staging")},
			ClusterRoles: map[string]grant.ClusterRole{"edit": {Exists: true, Bindable: true}},
			Own:          "usher-system",
		},
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func namespace(name string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func invitedAs(state accountsv1.InvitationState, status metav1.ConditionStatus, reason string) func(*Facts) {
	return func(f *Facts) {
		f.Invitation = invitationFor(f.Membership)
		f.Invitation.Status.State = state
		f.Invitation.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: status, Reason: reason, Message: "Reported by the Invitation."}}
	}
}

// byHand makes the Invitation a manually applied one, for a role.
func byHand(role accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		f.Invitation.Annotations, f.Invitation.OwnerReferences, f.Invitation.Spec.Role = nil, nil, role
	}
}

func heldBy(name, email string) func(*Facts) {
	return func(f *Facts) {
		record := map[string]string{accountsv1.MembershipsAnnotation: "acme/jane"}
		f.Account = &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: record}, Spec: accountsv1.AccountSpec{Email: accountsv1.EmailAddress(email)}}
	}
}

func statusLost(f *Facts) { f.Membership.Status = accountsv1.MembershipStatus{} }

// heldSince holds its mail from the given time.
func heldSince(t time.Time) func(*Facts) {
	return func(f *Facts) {
		f.Membership.Status.Conditions = []metav1.Condition{
			{Type: "Ready", Status: "False", Reason: "MailHeld", LastTransitionTime: metav1.NewTime(t)}, {Type: "Pending", Status: "False", Reason: "MailHeld"},
		}
	}
}

// lookFailed changes the status as a failed request to the API server does: it sets
// Ready and keeps the other conditions.
func lookFailed(f *Facts) {
	failed := metav1.Condition{Type: "Ready", Status: "False", Reason: "Error", LastTransitionTime: metav1.NewTime(noon)}
	meta.RemoveStatusCondition(&f.Membership.Status.Conditions, "Ready")
	f.Membership.Status.Conditions = append(f.Membership.Status.Conditions, failed)
}

func released(f *Facts) {
	f.Organization.Annotations = map[string]string{accountsv1.ReleaseMailAnnotation: noon.Format(time.RFC3339)}
}

func seats(limit int32, holders ...accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		taken := int32(len(holders))
		f.Organization.Spec.Seats, f.Organization.Status.Seats.Taken = limit, &taken
		for _, name := range holders {
			f.Organization.Status.Seats.Holders = append(f.Organization.Status.Seats.Holders, accountsv1.SeatHolder{Name: name})
		}
	}
}

func bound(change func(*rbacv1.RoleBinding)) func(*Facts) {
	return func(f *Facts) {
		b := grant.RoleBindings(f.Membership, "jane", []grant.Grant{{ClusterRole: "edit", Namespaces: []string{"staging"}}})[0]
		change(&b)
		f.Bindings = append(f.Bindings, b)
	}
}

func switchedOff(f *Facts) { f.Account.Spec.State = accountsv1.AccountSwitchDisabled }

func going(f *Facts) { f.Membership.DeletionTimestamp = &metav1.Time{Time: noon} }

func asItShould(*rbacv1.RoleBinding) {}

// TestEverySituation is the state table: it lists what Usher does and reports.
func TestEverySituation(t *testing.T) {
	type want struct {
		state, ready, active string
		plan                 []string
	}
	held := heldBy("jane", "jane@example.com")
	cases := map[string]struct {
		facts Facts
		want  want
	}{
		"new": {someFacts(func(f *Facts) { f.Membership.Finalizers = nil }), want{
			"Invited", "False Sending Reconciling", "False NotAccepted", []string{"add finalizer", "invite"},
		}},
		"the Organization does not exist yet": {someFacts(func(f *Facts) { f.Organization = nil }), want{
			"Inactive", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", nil,
		}},
		"the Organization was deleted, and access existed": {someFacts(held, bound(asItShould), func(f *Facts) { f.Organization = nil }), want{
			"Inactive", "False OrganizationNotFound Reconciling", "False OrganizationNotFound", []string{"delete binding"},
		}},
		"not in the home namespace": {someFacts(func(f *Facts) { f.Organization.Spec.Namespace = "other" }), want{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", nil,
		}},
		"the role was deleted, and access existed": {someFacts(held, bound(asItShould), func(f *Facts) { f.Membership.Spec.Role = "pilot" }), want{
			"Failed", "False RoleNotFound Stalled", "False RoleNotFound", []string{"delete binding"},
		}},
		"the link is being sent": {someFacts(invitedAs("Sending", "False", "TemporaryFailure")), want{
			"Invited", "False TemporaryFailure Reconciling", "False NotAccepted", nil,
		}},
		"the link was sent": {someFacts(invitedAs("Pending", "True", "AwaitingAcceptance")), want{
			"Invited", "True AwaitingAcceptance", "False NotAccepted", nil,
		}},
		"the invitation expired": {someFacts(invitedAs("Expired", "True", "Expired")), want{
			"Expired", "True Expired", "False Expired", nil,
		}},
		"the mail was refused": {someFacts(invitedAs("Failed", "False", "Refused")), want{
			"Failed", "False Refused Stalled", "False Refused", nil,
		}},
		"the person declined": {someFacts(invitedAs("Declined", "True", "Declined")), want{
			"Declined", "True Declined", "False Declined", nil,
		}},
		"one channel sent, one is retried": {someFacts(invitedAs("Pending", "False", "TemporaryFailure")), want{
			"Invited", "False TemporaryFailure Reconciling", "False NotAccepted", nil,
		}},
		"invited before, and its status was lost": {someFacts(statusLost), want{
			"Failed", "False MailHeld Stalled", "False MailHeld", nil,
		}},
		"its status was lost, and mail was requested since": {
			someFacts(heldSince(noon), released),
			want{"Invited", "False Sending Reconciling", "False NotAccepted", []string{"invite"}},
		},
		"its status was lost, and the first reconciliation failed": {someFacts(statusLost, lookFailed), want{
			"Failed", "False MailHeld Stalled", "False MailHeld", nil,
		}},
		"its status was lost, and a reconciliation failed since": {someFacts(heldSince(noon), lookFailed), want{
			"Failed", "False MailHeld Stalled", "False MailHeld", nil,
		}},
		"its status was lost, a reconciliation failed since, and mail was requested": {someFacts(heldSince(noon), lookFailed, released), want{
			"Invited", "False Sending Reconciling", "False NotAccepted", []string{"invite"},
		}},
		"its status was lost, and its Organization does not exist yet": {someFacts(statusLost, func(f *Facts) { f.Organization = nil }), want{
			"Failed", "False MailHeld Stalled", "False MailHeld", nil,
		}},
		"its status was lost, and that of its Invitation too": {someFacts(statusLost, invitedAs("", "", "")), want{
			"Failed", "False MailHeld Stalled", "False MailHeld", nil,
		}},
		"its status was lost, but not that of its Invitation": {
			someFacts(statusLost, invitedAs("Pending", "True", "AwaitingAcceptance"), func(f *Facts) { f.Invitation.Status.Attempt.Number = 1 }),
			want{"Invited", "True AwaitingAcceptance", "False NotAccepted", nil},
		},
		"new, and the first reconciliation failed": {
			someFacts(statusLost, lookFailed, func(f *Facts) { f.Membership.Finalizers = nil }),
			want{"Invited", "False Sending Reconciling", "False NotAccepted", []string{"add finalizer", "invite"}},
		},
		"its status was lost, and mail was requested before": {
			someFacts(heldSince(noon), func(f *Facts) {
				f.Membership.Annotations = map[string]string{accountsv1.ResendAnnotation: noon.Add(-time.Second).Format(time.RFC3339)}
			}),
			want{"Failed", "False MailHeld Stalled", "False MailHeld", nil},
		},
		"joined, and its status was lost": {someFacts(statusLost, held, bound(asItShould)), want{
			"Active", "True Reconciled", "True Accepted", nil,
		}},
		"joined, without a seat": {someFacts(held, bound(asItShould), seats(1, "john")), want{
			"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", []string{"delete binding"},
		}},
		"joined, with a seat": {someFacts(held, bound(asItShould), seats(2, "john", "jane")), want{
			"Active", "True Reconciled", "True Accepted", nil,
		}},
		"joined, while the seat list is being rebuilt": {someFacts(held, bound(asItShould), func(f *Facts) { f.Organization.Spec.Seats = 1 }), want{
			"Active", "True Reconciled", "True Accepted", nil,
		}},
		"joined, with the seat of its Invitation": {
			someFacts(held, bound(asItShould), seats(1), func(f *Facts) {
				f.Organization.Status.Seats.Holders = []accountsv1.SeatHolder{{Name: "jane", InvitationUID: "i1", Attempt: 1}}
			}),
			want{"Active", "True Reconciled", "True Accepted", nil},
		},
		"joined, for a role that needs no seat": {
			someFacts(held, bound(asItShould), seats(1, "john"), func(f *Facts) { f.Organization.Spec.Roles[0].Seat = accountsv1.SeatFree }),
			want{"Active", "True Reconciled", "True Accepted", nil},
		},
		"held by an Account with another, confirmed address": {
			someFacts(heldBy("jane", "doe@example.net"), bound(asItShould), func(f *Facts) {
				f.Account.Annotations[accountsv1.MembershipsAnnotation] = "acme/jane=jane@example.com"
			}),
			want{"Active", "True Reconciled", "True Accepted", nil},
		},
		"a Membership of that name was held before, for another address": {
			someFacts(held, func(f *Facts) { f.Account.Annotations[accountsv1.MembershipsAnnotation] = "acme/jane=jane@example.net" }, invitedAs("Pending", "True", "AwaitingAcceptance")),
			want{"Invited", "True AwaitingAcceptance", "False NotAccepted", nil},
		},
		"its Invitation is being deleted": {
			someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), func(f *Facts) { f.Invitation.DeletionTimestamp = &metav1.Time{Time: noon} }), want{
				"Invited", "False Sending Reconciling", "False NotAccepted", nil,
			},
		},
		"its Invitation has no status yet": {someFacts(func(f *Facts) { f.Invitation = invitationFor(f.Membership) }), want{
			"Invited", "False Sending Reconciling", "False NotAccepted", nil,
		}},
		"another Organization holds the home namespace": {someFacts(held, bound(asItShould), func(f *Facts) { f.HomeTaken = true }), want{
			"Failed", "False WrongNamespace Stalled", "False WrongNamespace", []string{"delete binding"},
		}},
		"its Invitation is for another address": {
			someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), func(f *Facts) { f.Invitation.Spec.Email = "john@example.com" }), want{
				"Failed", "False InvitationConflict Stalled", "False InvitationConflict", nil,
			},
		},
		"a manually applied Invitation is for a lesser role": {
			someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), byHand("observer")), want{
				"Failed", "False InvitationConflict Stalled", "False InvitationConflict", nil,
			},
		},
		"no Account holds it any more, and its Invitation had another role": {
			someFacts(invitedAs("Active", "False", "Accepted"), byHand("observer")), want{
				"Inactive", "True NoAccount", "False NoAccount", nil,
			},
		},
		"just joined": {someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), held), want{
			"Active", "True Reconciled", "True Accepted", []string{"apply binding"},
		}},
		"joined": {someFacts(held, bound(asItShould)), want{
			"Active", "True Reconciled", "True Accepted", nil,
		}},
		"its binding was edited": {someFacts(held, bound(func(b *rbacv1.RoleBinding) { b.Subjects = nil })), want{
			"Active", "True Reconciled", "True Accepted", []string{"apply binding"},
		}},
		"its binding is to another ClusterRole": {someFacts(held, bound(func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "admin" })), want{
			"Active", "True Reconciled", "True Accepted", []string{"apply binding", "delete binding"},
		}},
		"a binding that nothing requires": {someFacts(held, bound(asItShould), bound(func(b *rbacv1.RoleBinding) { b.Namespace = "production" })), want{
			"Active", "True Reconciled", "True Accepted", []string{"delete binding"},
		}},
		"a namespace of a grant does not exist": {someFacts(held, func(f *Facts) { f.Cluster.Namespaces = nil }), want{
			"Active", "False GrantsWithheld Reconciling", "True Accepted", nil,
		}},
		"a namespace of a grant is Usher's own": {someFacts(held, func(f *Facts) { f.Cluster.Own = "staging" }), want{
			"Active", "False GrantsWithheld Stalled", "True Accepted", nil,
		}},
		"a binding that Usher is not allowed to create": {someFacts(held, bound(asItShould), func(f *Facts) {
			f.Failures = map[string]Failure{"staging/usher:acme:jane:edit": {Reason: "BindForbidden", Message: "Allow it."}}
		}), want{"Active", "False GrantsWithheld Stalled", "True Accepted", nil}},
		"a Deny of an unknown permission": {someFacts(held, bound(asItShould), func(f *Facts) {
			f.Membership.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: "Deny", Permission: "deplyo", Resources: []accountsv1.CatalogueName{"staging"}}}
		}), want{"Active", "False GrantsWithheld Stalled", "True Accepted", nil}},
		"its Account is being deleted": {someFacts(invitedAs("Active", "True", "Accepted"), held, bound(asItShould), func(f *Facts) {
			f.Account.DeletionTimestamp = &metav1.Time{Time: noon}
		}), want{"Inactive", "True NoAccount", "False NoAccount", []string{"delete binding"}}},
		"its Account was deleted": {someFacts(invitedAs("Active", "True", "Accepted")), want{
			"Inactive", "True NoAccount", "False NoAccount", nil,
		}},
		"its Account is disabled": {someFacts(invitedAs("Active", "True", "Accepted"), held, bound(asItShould), switchedOff), want{
			"Inactive", "True AccountDisabled", "False AccountDisabled", []string{"delete binding"},
		}},
		"its Account is disabled, and it has no seat": {someFacts(held, seats(1, "john"), switchedOff), want{
			"Inactive", "True AccountDisabled", "False AccountDisabled", nil,
		}},
		"its Account is disabled, and has just joined": {
			someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), held, switchedOff),
			want{"Inactive", "True AccountDisabled", "False AccountDisabled", nil},
		},
		"its Account is disabled, and the role was deleted": {
			someFacts(held, bound(asItShould), switchedOff, func(f *Facts) { f.Membership.Spec.Role = "pilot" }),
			want{"Failed", "False RoleNotFound Stalled", "False RoleNotFound", []string{"delete binding"}},
		},
		"its Account is enabled again": {someFacts(held, switchedOff, func(f *Facts) { f.Account.Spec.State = accountsv1.AccountSwitchActive }), want{
			"Active", "True Reconciled", "True Accepted", []string{"apply binding"},
		}},
		"the person left, and the Account exists": {
			someFacts(invitedAs("Active", "True", "Accepted"), held, bound(asItShould), func(f *Facts) { f.Account.Annotations[accountsv1.MembershipsAnnotation] = "" }),
			want{"Inactive", "True NoAccount", "False NoAccount", []string{"delete binding"}},
		},
		"a second factor is required and missing, within the grace period": {someFacts(held, bound(asItShould), wasMember, factorRequired), want{
			"Active", "True Reconciled", "True Accepted", []string{"reconcile again after 168h0m0s"},
		}},
		"a second factor is required and missing, after the grace period": {someFacts(held, bound(asItShould), wasMember, factorRequired, missedSince(week, "GracePeriod")), want{
			"Inactive", "True TwoFactorRequired", "True Accepted", []string{"delete binding"},
		}},
		"a second factor is required and missing, and no seat is free": {someFacts(held, seats(1, "john"), wasInvited, factorRequired), want{
			"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", nil,
		}},
		"a second factor is required and missing for a new member": {someFacts(held, wasInvited, factorRequired), want{
			"Inactive", "True TwoFactorRequired", "True Accepted", nil,
		}},
		"a second factor is required and set up": {someFacts(held, bound(asItShould), wasInvited, factorRequired, enrols), want{
			"Active", "True Reconciled", "True Accepted", nil,
		}},
		"a second factor was required and missing, and the Membership is being deleted": {
			someFacts(held, bound(asItShould), wasMember, factorRequired, missedSince(0, "GracePeriod"), going),
			want{"Inactive", "False Deleting Reconciling", "False Deleting", []string{"delete binding"}},
		},
		"the record of an Account with another address names it": {
			someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), heldBy("mallory", "mallory@example.com")), want{
				"Invited", "True AwaitingAcceptance", "False NotAccepted", nil,
			},
		},
		"being deleted, and everything still exists": {someFacts(invitedAs("Active", "True", "Accepted"), held, bound(asItShould), going), want{
			"Inactive", "False Deleting Reconciling", "False Deleting", []string{"delete binding", "delete Invitation"},
		}},
		"being deleted, and still in an Account's record": {someFacts(held, going), want{
			"Inactive", "False Deleting Reconciling", "False Deleting", nil,
		}},
		"being deleted, with a manually applied Invitation": {someFacts(invitedAs("Active", "True", "Accepted"), going, func(f *Facts) {
			f.Invitation.OwnerReferences = nil
		}), want{"Inactive", "False Deleting Reconciling", "False Deleting", []string{"remove finalizer"}}},
		"being deleted, and nothing is left": {someFacts(going), want{
			"Inactive", "False Deleting Reconciling", "False Deleting", []string{"remove finalizer"},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status := Report(c.facts)
			got := want{state: string(status.State), ready: shown(status.Conditions, "Ready"), active: shown(status.Conditions, "Active"), plan: planned(Decide(c.facts))}
			for _, extra := range []string{"Reconciling", "Stalled"} {
				if meta.FindStatusCondition(status.Conditions, extra) != nil {
					got.ready += " " + extra
				}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			c.facts.Membership.Status = status
			if diff := cmp.Diff(status, Report(c.facts)); diff != "" {
				t.Errorf("a second reconciliation reports something else: -first +second\n%s", diff)
			}
		})
	}
}

func shown(conditions []metav1.Condition, conditionType string) string {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

func planned(p Plan) []string {
	var steps []string
	add := func(step string, times int) { steps = append(steps, slices.Repeat([]string{step}, times)...) }
	times := map[bool]int{true: 1}
	add("add finalizer", times[p.AddFinalizer])
	add("invite", times[p.Invite != nil])
	add("apply binding", len(p.Apply))
	add("delete binding", len(p.Delete))
	add("delete Invitation", times[p.DeleteInvitation != nil])
	add("remove finalizer", times[p.RemoveFinalizer])
	if p.After != 0 {
		add("reconcile again after "+p.After.String(), 1)
	}
	return steps
}
