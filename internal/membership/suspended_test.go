// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// says is what Report returns for some facts, and what Decide plans.
type says struct {
	state  string
	ready  string // status and reason of Ready, then the other True conditions
	active string
	plan   []string
}

// situations are test cases: facts, and what Report and Decide must return for them.
type situations map[string]struct {
	facts Facts
	want  says
}

func (s situations) check(t *testing.T) {
	t.Helper()
	for name, c := range s {
		t.Run(name, func(t *testing.T) {
			before := c.facts.Membership.DeepCopy()
			status := Report(c.facts)
			got := says{string(status.State), shown(status.Conditions, "Ready"), shown(status.Conditions, "Active"), planned(Decide(c.facts))}
			for _, extra := range []string{"Reconciling", "Stalled", "Suspended", "LastOwner", "TwoFactorMissing"} {
				if meta.IsStatusConditionTrue(status.Conditions, extra) {
					got.ready += " +" + extra
				}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(says{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			keepsKstatus(t, status)
			if diff := cmp.Diff(before, c.facts.Membership); diff != "" {
				t.Errorf("reconciling has changed the facts: -before +after\n%s", diff)
			}
			c.facts.Membership.Status = status
			if diff := cmp.Diff(status, Report(c.facts)); diff != "" {
				t.Errorf("a second reconciliation reports something else: -first +second\n%s", diff)
			}
		})
	}
}

// reporter is a test, or one run of a property test.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
}

// keepsKstatus checks that Ready is present, and that it is False exactly if either
// Reconciling or Stalled is True. It also checks that each condition has a reason and a
// message.
func keepsKstatus(t reporter, status accountsv1.MembershipStatus) {
	t.Helper()
	ready := meta.FindStatusCondition(status.Conditions, "Ready")
	reconciling, stalled := meta.FindStatusCondition(status.Conditions, "Reconciling"), meta.FindStatusCondition(status.Conditions, "Stalled")
	switch {
	case ready == nil:
		t.Error("Ready is missing")
	case reconciling != nil && stalled != nil:
		t.Error("it is both Reconciling and Stalled")
	case (ready.Status == "False") != (reconciling != nil || stalled != nil):
		t.Errorf("Ready is %s, Reconciling %v, Stalled %v", ready.Status, reconciling, stalled)
	}
	for _, c := range status.Conditions {
		if c.Reason == "" || c.Message == "" {
			t.Errorf("%s has no reason or message: %+v", c.Type, c)
		}
	}
}

func suspends(f *Facts) { f.Membership.Spec.State = accountsv1.MembershipSwitchSuspended }

func TestSuspendedMembersHaveNoAccessAndNoInvitation(t *testing.T) {
	held := heldBy("jane", "jane@example.com")
	isSuspended := func(plan ...string) says {
		return says{"Inactive", "True Suspended +Suspended", "False Suspended", plan}
	}
	situations{
		"new":                                    {someFacts(suspends, func(f *Facts) { f.Membership.Finalizers = nil }), isSuspended("add finalizer")},
		"invited":                                {someFacts(suspends, invitedAs("Pending", "True", "AwaitingAcceptance")), isSuspended()},
		"the link is being sent":                 {someFacts(suspends, invitedAs("Sending", "False", "Sending")), isSuspended()},
		"the invitation expired":                 {someFacts(suspends, invitedAs("Expired", "True", "Expired")), isSuspended()},
		"joined":                                 {someFacts(held, bound(asItShould), suspends), isSuspended("delete binding")},
		"just joined":                            {someFacts(held, suspends), isSuspended()},
		"joined, and the Account disabled":       {someFacts(held, bound(asItShould), suspends, switchedOff), isSuspended("delete binding")},
		"joined, without a seat":                 {someFacts(held, suspends, seats(1, "john")), isSuspended()},
		"joined, and the Account was deleted":    {someFacts(suspends, bound(asItShould), invitedAs("Active", "True", "Accepted")), isSuspended("delete binding")},
		"joined, without a second factor":        {someFacts(held, wasInvited, factorRequired, suspends), says{"Inactive", "True Suspended +Suspended +TwoFactorMissing", "False Suspended", nil}},
		"its Invitation is for another person":   {someFacts(suspends, invitedAs("Pending", "True", "x"), func(f *Facts) { f.Invitation.Spec.Email = "john@example.com" }), isSuspended()},
		"its role was deleted":                   {someFacts(held, bound(asItShould), suspends, func(f *Facts) { f.Membership.Spec.Role = "pilot" }), says{"Failed", "False RoleNotFound +Stalled +Suspended", "False RoleNotFound", []string{"delete binding"}}},
		"it is being deleted":                    {someFacts(held, bound(asItShould), suspends, going), says{"Inactive", "False Deleting +Reconciling +Suspended", "False Deleting", []string{"delete binding"}}},
		"joined, and active again":               {someFacts(held, suspends, func(f *Facts) { f.Membership.Spec.State = accountsv1.MembershipSwitchActive }), says{"Active", "True Reconciled", "True Accepted", []string{"apply binding"}}},
		"new, and active again":                  {someFacts(suspends, func(f *Facts) { f.Membership.Spec.State = "" }), says{"Invited", "False Sending +Reconciling", "False NotAccepted", []string{"invite"}}},
		"one of several owners, who is released": {someFacts(held, owning(), bound(toOwn), suspends), isSuspended("delete binding")},
	}.check(t)
}

// owning makes the Membership that of an owner. The Organization lists this owner and
// the named ones; without names, it lists no owner.
func owning(listed ...accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		spec := &f.Organization.Spec
		spec.Resources = append(spec.Resources, accountsv1.Resource{Name: "people", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme"}}})
		spec.Permissions = append(spec.Permissions, accountsv1.Permission{Name: "own", ClusterRole: "owner"})
		spec.Roles = append(spec.Roles,
			accountsv1.Role{Name: "owner", Standing: "Owner", Grants: []accountsv1.Grant{{Permission: "own", Resources: []accountsv1.CatalogueName{"people"}}}},
			accountsv1.Role{Name: "partner", Standing: "Owner"})
		for _, name := range listed {
			f.Organization.Status.Owners = append(f.Organization.Status.Owners, accountsv1.OwnerStatus{Name: name, Role: "owner"})
		}
		f.Membership.Spec.Role = "owner"
		f.Cluster.Namespaces = append(f.Cluster.Namespaces, namespace("acme"))
		f.Cluster.ClusterRoles["owner"] = grant.ClusterRole{Exists: true, Bindable: true, Manages: true}
		f.Guard.Since = noon.AddDate(-1, 0, 0)
		f.Membership.CreationTimestamp = metav1.NewTime(noon.AddDate(0, -1, 0))
	}
}

// toOwn makes a binding that of an owner.
func toOwn(b *rbacv1.RoleBinding) {
	b.Name, b.Namespace, b.RoleRef.Name = grant.BindingName("acme", "jane", "owner"), "acme", "owner"
}
