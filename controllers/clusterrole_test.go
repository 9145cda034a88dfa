// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// whileAway calls happens while Usher is not running.
func whileAway(happens func()) {
	GinkgoHelper()
	stopUsher()
	defer func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) }()
	happens()
}

// ruleOf returns one rule of a ClusterRole.
func ruleOf(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// grantable changes which ClusterRoles Usher may bind, until the end of the spec.
func grantable(ctx context.Context, how func(names []string) []string) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: accountsv1.GrantableName}}
	change(ctx, role, func(r *rbacv1.ClusterRole) { r.Rules[0].ResourceNames = how(r.Rules[0].ResourceNames) })
}

func (w world) pilot() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: w.name + "-pilot"}, Rules: []rbacv1.PolicyRule{ruleOf("", "pods", "get", "list")},
	}
}

// withPilot adds the pilots' ClusterRole to the names that Usher may bind.
func (w world) withPilot(names []string) []string { return append(names, w.pilot().Name) }

func (w world) withoutPilot(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == w.pilot().Name })
}

var _ = Describe("A ClusterRole of the catalogue", func() {
	var w world
	var pilot *rbacv1.ClusterRole
	var here, home string

	// Developers fly in staging and in the home namespace.
	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		pilot = w.pilot()
		here, home = pilot.Name+" in "+w.staging(), pilot.Name+" in "+w.name
		original := &rbacv1.ClusterRole{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: accountsv1.GrantableName}, original)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			grantable(ctx, func([]string) []string { return original.Rules[0].ResourceNames })
		})
		grantable(ctx, w.withPilot)
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("home", w.name))
			o.Spec.Permissions = append(o.Spec.Permissions, accountsv1.Permission{Name: "fly", ClusterRole: pilot.Name})
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("fly", "staging", "home")}
		})
	})

	// lacks waits until a person has none of it, and the Organization reports the reason.
	lacks := func(ctx context.Context, person string, a *accountsv1.Account, reason string) {
		GinkgoHelper()
		w.eventuallyHasAccess(ctx, person, a, "fly on staging: "+reason, "fly on home: "+reason)
		eventuallyWithin(ctx, "5s", w.organization(), haveCondition("CatalogueValid", metav1.ConditionFalse, reason),
			haveCondition("Stalled", metav1.ConditionTrue, reason), haveMessage("CatalogueValid", pilot.Name))
		eventually(ctx, w.membership(person), haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", pilot.Name))
	}
	// has waits until a person has it in both namespaces, and everything is ready.
	has := func(ctx context.Context, person string, a *accountsv1.Account) {
		GinkgoHelper()
		w.eventuallyHasAccess(ctx, person, a, here, home)
		eventually(ctx, w.organization(), beReady())
		eventually(ctx, w.membership(person), haveState("Active"), beReady())
	}

	It("is bound when it is created, withdrawn when it is deleted, and bound again when it is created again", Label("C2", "K1"), func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer")
		lacks(ctx, "jane", jane, "ClusterRoleNotFound")
		create(ctx, pilot)
		has(ctx, "jane", jane)
		Expect(k8s.Delete(ctx, pilot)).To(Succeed())
		lacks(ctx, "jane", jane, "ClusterRoleNotFound")
		create(ctx, w.pilot())
		has(ctx, "jane", jane)
	})

	It("is withdrawn when Usher may no longer bind it, and bound again when Usher may", Label("C1", "K1"), func(ctx SpecContext) {
		create(ctx, pilot)
		jane := w.enlist(ctx, "jane", "developer")
		has(ctx, "jane", jane)
		grantable(ctx, w.withoutPilot)
		lacks(ctx, "jane", jane, "BindForbidden")
		grantable(ctx, w.withPilot)
		has(ctx, "jane", jane)
	})

	It("is withdrawn and bound again if Usher's right to bind it changed while Usher was not running", Label("C1", "K5"), func(ctx SpecContext) {
		create(ctx, pilot)
		jane := w.enlist(ctx, "jane", "developer")
		has(ctx, "jane", jane)
		whileAway(func() { grantable(ctx, w.withoutPilot) })
		lacks(ctx, "jane", jane, "BindForbidden")
		whileAway(func() { grantable(ctx, w.withPilot) })
		has(ctx, "jane", jane)
	})

	It("is withdrawn while it has rights that Usher never grants, and bound again when it is narrowed", Label("C1", "K6"), func(ctx SpecContext) {
		create(ctx, pilot)
		jane := w.enlist(ctx, "jane", "developer")
		harmless := pilot.Rules
		for _, excess := range []rbacv1.PolicyRule{
			ruleOf(rbacv1.GroupName, "clusterroles", "escalate"),
			ruleOf(rbacv1.GroupName, "roles", "bind"),
			ruleOf("", "users", "impersonate"),
			ruleOf("", "*", "get"),
			ruleOf(accountsv1.GroupVersion.Group, "memberships/status", "update"),
		} {
			has(ctx, "jane", jane)
			change(ctx, pilot, func(r *rbacv1.ClusterRole) { r.Rules = append(slices.Clone(harmless), excess) })
			lacks(ctx, "jane", jane, "ClusterRoleTooPowerful")
			change(ctx, pilot, func(r *rbacv1.ClusterRole) { r.Rules = harmless })
		}
		has(ctx, "jane", jane)
	})

	It("is withdrawn when aggregation makes it too powerful", Label("C1", "K6"), func(ctx SpecContext) {
		pilot.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"example.com/to": pilot.Name}}}}
		create(ctx, pilot)
		jane := w.enlist(ctx, "jane", "developer")
		has(ctx, "jane", jane)
		// There is no aggregation controller here. This is how the controller manager
		// would write it.
		change(ctx, pilot, func(r *rbacv1.ClusterRole) { r.Rules = append(r.Rules, ruleOf("*", "*", "*")) })
		lacks(ctx, "jane", jane, "ClusterRoleTooPowerful")
		change(ctx, pilot, func(r *rbacv1.ClusterRole) { r.Rules = r.Rules[:1] })
		has(ctx, "jane", jane)
	})

	It("is bound only in the home namespace, and never to guests, once it manages people", Label("C11", "C9", "K6"), func(ctx SpecContext) {
		create(ctx, pilot)
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles = append(o.Spec.Roles, accountsv1.Role{
				Name: "visitor", Standing: accountsv1.StandingGuest, Grants: []accountsv1.Grant{grantOn("fly", "home")},
			})
		})
		jane, gus := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "gus", "visitor")
		has(ctx, "jane", jane)
		w.eventuallyHasAccess(ctx, "gus", gus, home)
		change(ctx, pilot, func(r *rbacv1.ClusterRole) {
			r.Rules = append(r.Rules, ruleOf(accountsv1.GroupVersion.Group, "memberships", "create", "update"))
		})
		w.eventuallyHasAccess(ctx, "jane", jane, home, "fly on staging: NotHomeNamespace")
		eventually(ctx, w.membership("jane"), haveState("Active"), haveMessage("Ready", "only in namespace "+w.name+";"))
		w.eventuallyHasAccess(ctx, "gus", gus, "fly on home: Guest")
		eventually(ctx, w.membership("gus"), haveState("Active"), haveMessage("Ready", "guests must not"))
		change(ctx, pilot, func(r *rbacv1.ClusterRole) { r.Rules = r.Rules[:1] })
		has(ctx, "jane", jane)
		w.eventuallyHasAccess(ctx, "gus", gus, home)
	})
})
