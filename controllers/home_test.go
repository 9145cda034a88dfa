// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// everywhere returns a resource that selects every namespace without a label.
func everywhere(label string) accountsv1.Resource {
	return accountsv1.Resource{Name: "everywhere", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: label, Operator: metav1.LabelSelectorOpDoesNotExist}},
	}}}
}

// labelled labels a namespace, or removes the label if the value is empty.
func labelled(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	change(ctx, namespace(name), func(n *corev1.Namespace) {
		delete(n.Labels, key)
		if value != "" {
			n.Labels[key] = value
		}
	})
}

var _ = Describe("In a home namespace, a ClusterRole that reads Secrets", Label("C1", "K6"), func() {
	var w world
	var keys, staging, home string

	BeforeEach(func(ctx SpecContext) {
		w = aWorld()
		create(ctx, namespace(w.name))
		w.ready(ctx)
		keys = w.name + "-keys"
		staging, home = in(keys, w.staging()), in(keys, w.name)
		create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: keys}, Rules: []rbacv1.PolicyRule{ruleOf("", "secrets", "get")}})
		original := &rbacv1.ClusterRole{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: accountsv1.GrantableName}, original)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			grantable(ctx, func([]string) []string { return original.Rules[0].ResourceNames })
		})
		grantable(ctx, func(names []string) []string { return append(names, keys) })
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("home", w.name), named("both", w.name, w.staging()))
			o.Spec.Permissions = append(o.Spec.Permissions, accountsv1.Permission{Name: "unlock", ClusterRole: keys})
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("look", "staging")}
			o.Spec.Roles = append(o.Spec.Roles,
				accountsv1.Role{Name: "keeper", Grants: []accountsv1.Grant{grantOn("unlock", "both")}},
				accountsv1.Role{Name: "visitor", Standing: accountsv1.StandingGuest, Grants: []accountsv1.Grant{grantOn("unlock", "both")}})
		})
		vetting(ctx)
	})

	It("is not given by an Allow, and the status says what to do", func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer", overrideOn("Allow", "unlock", "home"))
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()), "unlock on home: NotGrantedByRole")
		eventually(ctx, w.membership("jane"), haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", "grant it to role developer in the Organization"))
		change(ctx, w.membership("jane"), func(m *accountsv1.Membership) {
			m.Spec.Permissions = []accountsv1.PermissionOverride{overrideOn("Allow", "unlock", "both")}
		})
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()), staging, "unlock on both: NotGrantedByRole")
	})

	It("is not given to a guest", func(ctx SpecContext) {
		rose := w.enlist(ctx, "rose", "visitor")
		w.eventuallyHasAccess(ctx, "rose", rose, staging, "unlock on both: Guest")
	})

	It("is given to a role by the catalogue, and withdrawn when the role changes", func(ctx SpecContext) {
		john := w.enlist(ctx, "john", "keeper")
		w.eventuallyHasAccess(ctx, "john", john, staging, home)
		eventually(ctx, w.membership("john"), haveState("Active"), beReady())
		change(ctx, w.membership("john"), func(m *accountsv1.Membership) {
			m.Spec.Role, m.Spec.Permissions = "developer", []accountsv1.PermissionOverride{overrideOn("Allow", "unlock", "both")}
		})
		w.eventuallyHasAccess(ctx, "john", john, in("view", w.staging()), staging, "unlock on both: NotGrantedByRole")
	})

	It("is withdrawn when it starts to read them", func(ctx SpecContext) {
		change(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: keys}}, func(r *rbacv1.ClusterRole) {
			r.Rules = []rbacv1.PolicyRule{ruleOf("", "pods", "get")}
		})
		jane := w.enlist(ctx, "jane", "developer", overrideOn("Allow", "unlock", "home"))
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()), home)
		change(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: keys}}, func(r *rbacv1.ClusterRole) {
			r.Rules = append(r.Rules, ruleOf("", "secrets", "list"))
		})
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()), "unlock on home: NotGrantedByRole")
	})

	It("is withdrawn when the namespace becomes the home namespace of another Organization, until it no longer is", func(ctx SpecContext) {
		john := w.enlist(ctx, "john", "keeper")
		w.eventuallyHasAccess(ctx, "john", john, staging, home)
		second := aWorld().organization()
		second.Spec.Namespace = accountsv1.NamespaceName(w.staging())
		create(ctx, second)
		w.eventuallyHasAccess(ctx, "john", john, home, "unlock on both: NotHomeNamespace")
		Expect(k8s.Delete(ctx, second)).To(Succeed())
		eventuallyGone(ctx, second)
		w.eventuallyHasAccess(ctx, "john", john, staging, home)
	})
})

var _ = Describe("A namespace with the label accounts.usher.dev/grants", Label("C1", "K6"), func() {
	var w world
	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("loses every grant, named or selected, and has them again without the label", func(ctx SpecContext) {
		none := "example.com/" + w.name
		for _, name := range []string{w.staging(), w.name} {
			labelled(ctx, name, "example.com/of", w.name)
		}
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			selected := everywhere(none)
			selected.Namespaces.Selector.MatchLabels = map[string]string{"example.com/of": w.name}
			o.Spec.Resources = append(o.Spec.Resources, selected, named("home", w.name))
			o.Spec.Roles[0].Grants = append(o.Spec.Roles[0].Grants, grantOn("look", "everywhere", "home"))
		})
		jane := w.enlist(ctx, "jane", "developer")
		edit, view, home := in("edit", w.staging()), in("view", w.staging()), in("view", w.name)
		w.eventuallyHasAccess(ctx, "jane", jane, edit, view, home)
		labelled(ctx, w.staging(), accountsv1.GrantsLabel, accountsv1.GrantsNever)
		w.eventuallyHasAccess(ctx, "jane", jane, home, "deploy on staging: NamespaceExcluded")
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
		eventually(ctx, w.organization(), haveCondition("CatalogueValid", metav1.ConditionFalse, "NamespaceExcluded"), haveMessage("CatalogueValid", w.staging()+" (staging)"))
		labelled(ctx, w.name, accountsv1.GrantsLabel, "anything")
		w.eventuallyHasAccess(ctx, "jane", jane, "deploy on staging: NamespaceExcluded", "look on home: NamespaceExcluded")
		for _, name := range []string{w.staging(), w.name} {
			labelled(ctx, name, accountsv1.GrantsLabel, "")
		}
		w.eventuallyHasAccess(ctx, "jane", jane, edit, view, home)
		eventually(ctx, w.organization(), beReady())
	})
})

var _ = Describe("The status of an Organization", Label("C5"), func() {
	It("lists what a selector covers, and counts the rest", func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		covers := func(count int32, has OmegaMatcher) OmegaMatcher {
			return HaveField("Status.Resources", ContainElement(And(
				HaveField("Name", BeEquivalentTo("team")), HaveField("Covered", HaveValue(Equal(count))), HaveField("Namespaces", has))))
		}
		team := map[string]string{"example.com/team": w.name}
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, everywhere("example.com/"+w.name), accountsv1.Resource{
				Name: "team", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: team}},
			})
		})
		org := w.organization()
		eventually(ctx, org, covers(0, BeEmpty()))
		for _, r := range org.Status.Resources {
			Expect(r.Name).To(Or(BeEquivalentTo("everywhere"), BeEquivalentTo("team")), "a resource with names is not listed")
			Expect(slices.IsSorted(r.Namespaces)).To(BeTrue())
			Expect(slices.ContainsFunc(r.Namespaces, func(n accountsv1.NamespaceName) bool { return strings.HasPrefix(string(n), "kube-") })).To(BeFalse())
		}
		labelled(ctx, w.staging(), "example.com/team", w.name)
		eventually(ctx, org, covers(1, HaveExactElements(accountsv1.NamespaceName(w.staging()))))
		labelled(ctx, w.staging(), accountsv1.GrantsLabel, accountsv1.GrantsNever)
		eventually(ctx, org, covers(0, BeEmpty()))
		var names []accountsv1.NamespaceName
		for i := range 22 {
			made := namespace(w.name + "-" + string(rune('a'+i)))
			made.Labels = team
			create(ctx, made)
			names = append(names, accountsv1.NamespaceName(made.Name))
		}
		eventually(ctx, org, covers(22, Equal(names[:20])))
	})
})
