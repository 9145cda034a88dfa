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

// grantOn returns a grant of a role.
func grantOn(permission accountsv1.CatalogueName, resources ...accountsv1.CatalogueName) accountsv1.Grant {
	return accountsv1.Grant{Permission: permission, Resources: resources}
}

// overrideOn allows or denies a permission for one person.
func overrideOn(effect accountsv1.Effect, permission accountsv1.CatalogueName, resources ...accountsv1.CatalogueName) accountsv1.PermissionOverride {
	return accountsv1.PermissionOverride{Effect: effect, Permission: permission, Resources: resources}
}

// named returns a resource that selects namespaces by name.
func named(resource accountsv1.CatalogueName, namespaces ...string) accountsv1.Resource {
	r := accountsv1.Resource{Name: resource}
	for _, namespace := range namespaces {
		r.Namespaces.Names = append(r.Namespaces.Names, accountsv1.NamespaceName(namespace))
	}
	return r
}

func (w world) production() string { return w.name + "-production" }

// enlist creates a member with this role, and waits until the person has accepted and got
// the last mail about it.
func (w world) enlist(ctx context.Context, person string, role accountsv1.CatalogueName, overrides ...accountsv1.PermissionOverride) *accountsv1.Account {
	GinkgoHelper()
	m := w.membership(person)
	m.Spec.Role, m.Spec.Permissions = role, overrides
	create(ctx, m)
	eventually(ctx, m, haveState("Invited"), beReady())
	a := w.accept(ctx, person, w.name+"-"+person)
	eventually(ctx, m, haveState("Active"))
	w.confirmed(ctx, person)
	return a
}

// confirmed waits until a person who accepted has the confirmation mail.
func (w world) confirmed(ctx context.Context, person string) {
	GinkgoHelper()
	eventually(ctx, w.invitation(person), haveState("Active"), HaveField("Status.Deliveries",
		ContainElement(And(HaveField("Purpose", accountsv1.PurposeConfirmation), HaveField("Result", accountsv1.DeliverySent)))))
}

// reach returns the access of an Account through the RoleBindings of all namespaces,
// including those of other clients. An item has the form "edit in acme".
func reach(ctx context.Context, a *accountsv1.Account) []string {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(k8s.List(ctx, &list)).To(Succeed())
	var all []string
	for _, b := range list.Items {
		if slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Name == "usher:"+a.Name }) {
			all = append(all, b.RoleRef.Name+" in "+b.Namespace)
		}
	}
	return all
}

// reportedGrants returns the grants in the status of a Membership, such as "edit in acme"
// and "group editors". A grant that is not in force has the form "deploy on staging:
// NamespaceNotFound".
func reportedGrants(m *accountsv1.Membership) []string {
	var all []string
	for _, g := range m.Status.Grants {
		if g.Reason != "" {
			all = append(all, string(g.Permission+" on "+g.Resource)+": "+g.Reason)
		}
		if g.Group != "" {
			all = append(all, "group "+g.Group)
		}
		for _, n := range g.Namespaces {
			all = append(all, g.ClusterRole+" in "+string(n))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// in describes the access by a ClusterRole in a namespace.
func in(clusterRole, namespace string) string { return clusterRole + " in " + namespace }

// eventuallyHasAccess waits until a person has exactly this access, both in the RoleBindings and
// in the status of the Membership. It waits no longer than a change of access may take.
func (w world) eventuallyHasAccess(ctx context.Context, person string, a *accountsv1.Account, want ...string) {
	GinkgoHelper()
	bound := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, "group ") || strings.Contains(s, ": ") })
	m := w.membership(person)
	Eventually(func(g Gomega) {
		g.Expect(reach(ctx, a)).To(ConsistOf(bound), "the access of %s", person)
		g.Expect(k8s.Get(ctx, w.key(person), m)).To(Succeed())
		g.Expect(reportedGrants(m)).To(ConsistOf(want), "the grants in the Membership of %s", person)
	}, "5s").Should(Succeed())
}

// writtenSince returns the writes after the first ones, except those to Organizations.
func (w world) writtenSince(before int) []string {
	GinkgoHelper()
	return slices.DeleteFunc(w.writes()[before:], func(write string) bool { return strings.HasPrefix(write, "update organizations/status ") })
}

// finish completes the deletion of a namespace, as the namespace controller does once it
// is empty.
func finish(ctx context.Context, namespace *corev1.Namespace) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
	Expect(namespace.DeletionTimestamp).NotTo(BeNil())
	namespace.Spec.Finalizers = nil
	Expect(k8s.SubResource("finalize").Update(ctx, namespace)).To(Succeed())
	eventuallyGone(ctx, namespace)
}

var _ = Describe("Access follows", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("an edited role, for its members only, without other writes", Label("C2", "C5"), func(ctx SpecContext) {
		jane, joe, olga := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "joe", "developer"), w.enlist(ctx, "olga", "observer")
		for _, p := range []string{"jane", "joe", "olga"} {
			waitForEvents(w, p, 2)
		}
		both := []string{in("edit", w.staging()), in("view", w.staging())}
		kept := bindings(ctx, w.staging())
		quiet(ctx)

		before := len(w.writes())
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles[0].Grants = append(o.Spec.Roles[0].Grants, grantOn("look", "staging"))
		})
		w.eventuallyHasAccess(ctx, "jane", jane, both...)
		w.eventuallyHasAccess(ctx, "joe", joe, both...)
		quiet(ctx)
		Expect(w.writtenSince(before)).To(ConsistOf(
			"patch rolebindings usher:"+w.name+":jane:view", "update memberships/status jane",
			"patch rolebindings usher:"+w.name+":joe:view", "update memberships/status joe"))
		Expect(bindings(ctx, w.staging())).To(ContainElements(kept), "the existing RoleBindings are not touched")

		before = len(w.writes())
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Roles[0].Grants = o.Spec.Roles[0].Grants[1:] })
		w.eventuallyHasAccess(ctx, "jane", jane, both[1])
		w.eventuallyHasAccess(ctx, "joe", joe, both[1])
		quiet(ctx)
		Expect(w.writtenSince(before)).To(ConsistOf(
			"delete rolebindings usher:"+w.name+":jane:edit", "update memberships/status jane",
			"delete rolebindings usher:"+w.name+":joe:edit", "update memberships/status joe"))
		w.eventuallyHasAccess(ctx, "olga", olga, both[1])
	})

	It("a permission that gets another ClusterRole, without writes for other members", Label("C2"), func(ctx SpecContext) {
		jane, olga := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "olga", "observer")
		waitForEvents(w, "jane", 2)
		waitForEvents(w, "olga", 2)
		quiet(ctx)
		before := len(w.writes())
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Permissions[0].ClusterRole = "view" })
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()))
		quiet(ctx)
		Expect(w.writtenSince(before)).To(ConsistOf("delete rolebindings usher:"+w.name+":jane:edit",
			"patch rolebindings usher:"+w.name+":jane:view", "update memberships/status jane"))
		w.eventuallyHasAccess(ctx, "olga", olga, in("view", w.staging()))
	})

	It("the default grants, which new members get automatically and guests never get", Label("C10", "C9"), func(ctx SpecContext) {
		create(ctx, namespace(w.production()))
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("production", w.production()), named("home", w.name))
			o.Spec.Roles = append(o.Spec.Roles, accountsv1.Role{
				Name: "visitor", Standing: accountsv1.StandingGuest, Grants: []accountsv1.Grant{grantOn("look", "production")},
			})
			o.Spec.Seats = 2
		})
		jane, gus := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "gus", "visitor")
		own, guests, channel := in("edit", w.staging()), in("view", w.production()), in("view", w.name)
		w.eventuallyHasAccess(ctx, "gus", gus, guests)
		Expect(w.taken(ctx)).To(ConsistOf("jane"), "a guest takes no seat")

		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.DefaultGrants = []accountsv1.Grant{grantOn("look", "home"), grantOn("dashboards", "home")}
		})
		w.eventuallyHasAccess(ctx, "jane", jane, own, channel, "group grafana-editors")
		joe := w.enlist(ctx, "joe", "developer")
		w.eventuallyHasAccess(ctx, "joe", joe, own, channel, "group grafana-editors")
		w.eventuallyHasAccess(ctx, "gus", gus, guests)

		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.DefaultGrants = nil })
		w.eventuallyHasAccess(ctx, "jane", jane, own)
		w.eventuallyHasAccess(ctx, "joe", joe, own)
		w.eventuallyHasAccess(ctx, "gus", gus, guests)
	})

	It("a member who becomes a guest, and back", Label("C9", "C10", "D5"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("home", w.name))
			o.Spec.DefaultGrants = []accountsv1.Grant{grantOn("look", "home")}
			o.Spec.Roles[1].Standing = accountsv1.StandingGuest
		})
		jane := w.enlist(ctx, "jane", "developer")
		w.eventuallyHasAccess(ctx, "jane", jane, in("edit", w.staging()), in("view", w.name))
		change(ctx, w.membership("jane"), func(m *accountsv1.Membership) { m.Spec.Role = "observer" })
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()))
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Roles[1].Standing = accountsv1.StandingMember })
		w.eventuallyHasAccess(ctx, "jane", jane, in("view", w.staging()), in("view", w.name))
	})

	It("a changed role of a member, without a mail", Label("D5"), func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer")
		mails := w.mailed()
		for _, step := range []struct{ role, clusterRole string }{{"observer", "view"}, {"developer", "edit"}} {
			change(ctx, w.membership("jane"), func(m *accountsv1.Membership) { m.Spec.Role = accountsv1.CatalogueName(step.role) })
			w.eventuallyHasAccess(ctx, "jane", jane, in(step.clusterRole, w.staging()))
		}
		eventually(ctx, w.membership("jane"), haveState("Active"), beReady())
		quiet(ctx)
		Expect(w.mailed()).To(Equal(mails))
	})

	It("single permissions that are allowed and denied for one person", Label("A4", "E2", "C5"), func(ctx SpecContext) {
		jane, joe := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "joe", "developer")
		edit, view := in("edit", w.staging()), in("view", w.staging())
		m := w.membership("jane")
		for _, step := range []struct {
			overrides []accountsv1.PermissionOverride
			want      []string
		}{
			{[]accountsv1.PermissionOverride{overrideOn("Allow", "look", "staging")}, []string{edit, view}},
			{[]accountsv1.PermissionOverride{overrideOn("Deny", "deploy", "staging"), overrideOn("Allow", "look", "staging")}, []string{view}},
			{[]accountsv1.PermissionOverride{
				overrideOn("Deny", "deploy", "staging"), overrideOn("Allow", "look", "staging"), overrideOn("Allow", "deploy", "staging"),
			}, []string{view}},
			{[]accountsv1.PermissionOverride{overrideOn("Deny", "deploy", "staging"), overrideOn("Allow", "dashboards", "staging")}, []string{"group grafana-editors"}},
			{[]accountsv1.PermissionOverride{overrideOn("Deny", "deploy", "staging")}, nil},
			{nil, []string{edit}},
		} {
			change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Permissions = step.overrides })
			w.eventuallyHasAccess(ctx, "jane", jane, step.want...)
			eventually(ctx, m, haveState("Active"), beReady(), haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled"))
		}
		w.eventuallyHasAccess(ctx, "joe", joe, edit)
	})

	It("a denial, even if another name grants the same, and the status reports what is withdrawn", Label("A4", "E2", "C5"), func(ctx SpecContext) {
		label := map[string]string{"example.com/team": w.name}
		live := namespace(w.production())
		live.Labels = label
		create(ctx, live)
		change(ctx, namespace(w.staging()), func(n *corev1.Namespace) { n.Labels["example.com/team"] = w.name })
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("production", w.production()), accountsv1.Resource{
				Name: "all", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: label}},
			})
			o.Spec.Permissions = append(o.Spec.Permissions, accountsv1.Permission{Name: "release", ClusterRole: "edit"})
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("deploy", "all")}
		})
		jane, joe := w.enlist(ctx, "jane", "developer"), w.enlist(ctx, "joe", "developer")
		staging, production := in("edit", w.staging()), in("edit", w.production())
		w.eventuallyHasAccess(ctx, "jane", jane, staging, production)
		m := w.membership("jane")
		for _, denied := range []accountsv1.PermissionOverride{overrideOn("Deny", "deploy", "production"), overrideOn("Deny", "release", "production")} {
			change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Permissions = []accountsv1.PermissionOverride{denied} })
			w.eventuallyHasAccess(ctx, "jane", jane, staging, "deploy on all: Denied")
			eventually(ctx, m, haveState("Active"), beReady(), haveMessage("Ready", "except what is denied"),
				HaveField("Status.Grants", ContainElement(HaveField("Message", ContainSubstring(w.production())))))
		}
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Permissions[0].Resources[0] = "all" })
		w.eventuallyHasAccess(ctx, "jane", jane, "deploy on all: Denied")
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Permissions = nil })
		w.eventuallyHasAccess(ctx, "jane", jane, staging, production)
		w.eventuallyHasAccess(ctx, "joe", joe, staging, production)
	})

	It("a namespace by its name: created later, deleted, and created again", Label("C5", "K1"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Resources[0] = named("staging", w.staging(), w.production()) })
		jane := w.enlist(ctx, "jane", "developer")
		staging, production, missing := in("edit", w.staging()), in("edit", w.production()), "deploy on staging: NamespaceNotFound"
		w.eventuallyHasAccess(ctx, "jane", jane, staging, missing)
		for range 2 {
			late := namespace(w.production())
			Expect(k8s.Create(ctx, late)).To(Succeed())
			w.eventuallyHasAccess(ctx, "jane", jane, staging, production)
			Expect(k8s.Delete(ctx, late)).To(Succeed())
			w.eventuallyHasAccess(ctx, "jane", jane, staging, missing)
			eventually(ctx, w.membership("jane"), haveState("Active"), haveCondition("Reconciling", metav1.ConditionTrue, "GrantsWithheld"),
				haveMessage("Ready", w.production()))
			finish(ctx, late)
			w.eventuallyHasAccess(ctx, "jane", jane, staging, missing)
		}
	})

	It("the labels of a namespace: created with and without them, labelled, unlabelled, and deleted", Label("C5", "K1"), func(ctx SpecContext) {
		label := map[string]string{"example.com/team": w.name}
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources[0].Namespaces = accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: label}}
		})
		jane := w.enlist(ctx, "jane", "developer")
		w.eventuallyHasAccess(ctx, "jane", jane)
		eventually(ctx, w.membership("jane"), haveState("Active"), beReady())

		made := namespace(w.production())
		made.Labels = label
		Expect(k8s.Create(ctx, made)).To(Succeed())
		w.eventuallyHasAccess(ctx, "jane", jane, in("edit", w.production()))
		staging := namespace(w.staging())
		change(ctx, staging, func(n *corev1.Namespace) { n.Labels["example.com/team"] = w.name })
		w.eventuallyHasAccess(ctx, "jane", jane, in("edit", w.production()), in("edit", w.staging()))
		change(ctx, staging, func(n *corev1.Namespace) { n.Labels["example.com/team"] = "other" })
		w.eventuallyHasAccess(ctx, "jane", jane, in("edit", w.production()))
		Expect(k8s.Delete(ctx, made)).To(Succeed())
		w.eventuallyHasAccess(ctx, "jane", jane)
		Expect(bindings(ctx, made.Name)).To(BeEmpty())
		finish(ctx, made)
		eventually(ctx, w.membership("jane"), haveState("Active"), beReady())
	})

	It("a group, which is listed in the Membership and has no RoleBinding", Label("C2"), func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer")
		edit := in("edit", w.staging())
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles[0].Grants = append(o.Spec.Roles[0].Grants, grantOn("dashboards", "staging"))
		})
		w.eventuallyHasAccess(ctx, "jane", jane, edit, "group grafana-editors")
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Permissions[2].Group = "grafana-viewers" })
		w.eventuallyHasAccess(ctx, "jane", jane, edit, "group grafana-viewers")
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Roles[0].Grants = o.Spec.Roles[0].Grants[:1] })
		w.eventuallyHasAccess(ctx, "jane", jane, edit)
		Expect(bindings(ctx, w.staging())).To(HaveLen(1))
	})

	It("a resource that is declared later, and the Membership reports it as missing until then", Label("B9"), func(ctx SpecContext) {
		create(ctx, namespace(w.production()))
		jane := w.enlist(ctx, "jane", "developer", overrideOn("Allow", "look", "production"))
		edit := in("edit", w.staging())
		w.eventuallyHasAccess(ctx, "jane", jane, edit, "look on production: ResourceNotFound")
		m := w.membership("jane")
		eventually(ctx, m, haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", "no resource production; add the resource to the Organization first"))
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("production", w.production()))
		})
		w.eventuallyHasAccess(ctx, "jane", jane, edit, in("view", w.production()))
		eventually(ctx, m, haveState("Active"), beReady())
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Resources = o.Spec.Resources[:1] })
		w.eventuallyHasAccess(ctx, "jane", jane, edit, "look on production: ResourceNotFound")
	})

	It("the removal of a member, in each namespace of the Organization and in no other", Label("B8", "K4"), func(ctx SpecContext) {
		entity := accountsv1.DisplayText(fresh("Acme"))
		create(ctx, namespace(w.production()))
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.LegalEntity = entity
			o.Spec.Resources = append(o.Spec.Resources, named("everywhere", w.name, w.production(), w.staging()))
			o.Spec.DefaultGrants = []accountsv1.Grant{grantOn("look", "everywhere")}
		})
		other := aWorldOf(ctx, entity)
		jane := w.enlist(ctx, "jane", "developer")
		elsewhere := other.invitesJaneOf(ctx, w)
		other.acceptWith(ctx, "jane", jane)
		eventually(ctx, elsewhere, haveState("Active"), beReady())
		Eventually(func() []string { return reach(ctx, jane) }).Should(ConsistOf(in("edit", w.staging()), in("edit", other.staging()),
			in("view", w.name), in("view", w.production()), in("view", w.staging())))

		m := w.membership("jane")
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		Eventually(func() []string { return reach(ctx, jane) }, "5s").Should(ConsistOf(in("edit", other.staging())))
		eventuallyGone(ctx, m)
	})

	It("the deletion of an Account, in every Organization", Label("B8", "K4"), func(ctx SpecContext) {
		entity := accountsv1.DisplayText(fresh("Acme"))
		shop, labs := aWorldOf(ctx, entity), aWorldOf(ctx, entity)
		jane := shop.enlist(ctx, "jane", "developer")
		second := labs.invitesJaneOf(ctx, shop)
		labs.acceptWith(ctx, "jane", jane)
		eventually(ctx, second, haveState("Active"), beReady())
		Expect(reach(ctx, jane)).To(ConsistOf(in("edit", shop.staging()), in("edit", labs.staging())))
		Expect(k8s.Delete(ctx, jane)).To(Succeed())
		Eventually(func() []string { return reach(ctx, jane) }, "5s").Should(BeEmpty())
		eventuallyGone(ctx, jane)
		for _, left := range []world{shop, labs} {
			eventually(ctx, left.membership("jane"), haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "NoAccount"),
				HaveField("Status.Grants", BeEmpty()))
		}
	})
})
