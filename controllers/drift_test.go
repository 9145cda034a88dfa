// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// mallory is another client that writes Usher's RoleBindings.
const mallory = client.FieldOwner("mallory")

var malloryHerself = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "mallory"}

// generated returns all RoleBindings that Usher made for an Organization.
func (w world) generated(ctx context.Context) []rbacv1.RoleBinding {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(k8s.List(ctx, &list, client.MatchingLabels{accountsv1.OrganizationLabel: w.name})).To(Succeed())
	return list.Items
}

// bindingNamed returns the RoleBinding for a ClusterRole in a namespace.
func bindingNamed(all []rbacv1.RoleBinding, clusterRole, namespace string) *rbacv1.RoleBinding {
	GinkgoHelper()
	i := slices.IndexFunc(all, func(b rbacv1.RoleBinding) bool { return b.RoleRef.Name == clusterRole && b.Namespace == namespace })
	Expect(i).To(BeNumerically(">=", 0))
	return all[i].DeepCopy()
}

// beTrueAgain waits until a RoleBinding is as Usher made it.
func beTrueAgain(ctx context.Context, want *rbacv1.RoleBinding) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var have rbacv1.RoleBinding
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(want), &have)).To(Succeed())
		g.Expect(have.Labels).To(Equal(want.Labels))
		g.Expect(have.RoleRef).To(Equal(want.RoleRef))
		g.Expect(have.Subjects).To(Equal(want.Subjects))
		g.Expect(have.DeletionTimestamp).To(BeNil())
	}, "5s").Should(Succeed())
}

// stripped removes what identifies a RoleBinding as Usher's.
func stripped(ctx context.Context, b *rbacv1.RoleBinding, labels, managers bool) {
	GinkgoHelper()
	change(ctx, b, func(b *rbacv1.RoleBinding) {
		if labels {
			b.Labels = nil
		}
		if managers {
			b.ManagedFields = []metav1.ManagedFieldsEntry{{}} // which resets them
		}
	})
}

// hold puts a foreign finalizer on a RoleBinding. release removes it.
func hold(ctx context.Context, b *rbacv1.RoleBinding) (release func()) {
	GinkgoHelper()
	change(ctx, b, func(b *rbacv1.RoleBinding) { b.Finalizers = append(b.Finalizers, "example.com/hold") })
	return func() {
		GinkgoHelper()
		change(ctx, b, func(b *rbacv1.RoleBinding) { b.Finalizers = nil })
	}
}

// usurp replaces a RoleBinding as another client, before Usher can recreate it.
func usurp(ctx context.Context, b *rbacv1.RoleBinding) *rbacv1.RoleBinding {
	GinkgoHelper()
	theirs := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name},
		RoleRef:    b.RoleRef, Subjects: []rbacv1.Subject{malloryHerself},
	}
	Eventually(func() error {
		if err := k8s.Delete(ctx, b.DeepCopy()); client.IgnoreNotFound(err) != nil {
			return err
		}
		theirs.ResourceVersion = ""
		return k8s.Create(ctx, theirs, mallory)
	}).Should(Succeed())
	return theirs
}

var _ = Describe("A RoleBinding that Usher manages", Label("K5"), func() {
	var w world
	var jane *accountsv1.Account
	var all []rbacv1.RoleBinding

	// Jane has several grants in several namespaces.
	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		create(ctx, namespace(w.production()))
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("live", w.production(), w.name))
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("deploy", "staging", "live"), grantOn("look", "staging", "live")}
		})
		jane = w.enlist(ctx, "jane", "developer")
		eventually(ctx, w.membership("jane"), beReady())
		all = w.generated(ctx)
		Expect(all).To(HaveLen(6))
	})

	DescribeTable("is repaired within seconds", func(ctx SpecContext, drift func(context.Context, *rbacv1.RoleBinding)) {
		for i := range all {
			drift(ctx, all[i].DeepCopy())
			beTrueAgain(ctx, &all[i])
		}
		Expect(w.generated(ctx)).To(HaveLen(len(all)))
		eventually(ctx, w.membership("jane"), haveState("Active"), beReady())
	},
		Entry("when its subjects were removed", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Subjects = nil })
		}),
		Entry("when its subject was replaced", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Subjects = []rbacv1.Subject{malloryHerself} })
		}),
		Entry("when a subject was added", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, malloryHerself) })
		}),
		Entry("when its labels name another Membership", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Labels[accountsv1.MembershipNameLabel] = "john" })
		}),
		Entry("when its label names another Account", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Labels[accountsv1.AccountLabel] = "mallory" })
		}),
		Entry("when its labels were removed", func(ctx context.Context, b *rbacv1.RoleBinding) { stripped(ctx, b, true, false) }),
		Entry("when its labels were removed and mallory is its subject", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Labels, b.Subjects = nil, []rbacv1.Subject{malloryHerself} })
		}),
		Entry("when it was deleted", func(ctx context.Context, b *rbacv1.RoleBinding) { Expect(k8s.Delete(ctx, b)).To(Succeed()) }),
		Entry("when another field manager took over its subjects by force", func(ctx context.Context, b *rbacv1.RoleBinding) {
			Expect(k8s.Apply(ctx, rbacv1ac.RoleBinding(b.Name, b.Namespace).
				WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(b.RoleRef.APIGroup).WithKind(b.RoleRef.Kind).WithName(b.RoleRef.Name)).
				WithSubjects(rbacv1ac.Subject().WithAPIGroup(rbacv1.GroupName).WithKind(rbacv1.UserKind).WithName("mallory")).
				WithLabels(map[string]string{accountsv1.AccountLabel: "mallory"}),
				mallory, client.ForceOwnership)).To(Succeed())
		}),
		Entry("when it has no field manager and another subject", func(ctx context.Context, b *rbacv1.RoleBinding) {
			stripped(ctx, b, false, true)
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Subjects = []rbacv1.Subject{malloryHerself} })
		}),
		Entry("when it was replaced by one with other rights and Usher's labels", func(ctx context.Context, b *rbacv1.RoleBinding) {
			theirs := &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name, Labels: maps.Clone(b.Labels)},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
				Subjects:   []rbacv1.Subject{malloryHerself},
			}
			Expect(k8s.Delete(ctx, b)).To(Succeed())
			if err := k8s.Create(ctx, theirs, mallory); !apierrors.IsAlreadyExists(err) { // Usher may be faster
				Expect(err).NotTo(HaveOccurred())
			}
		}),
	)

	It("is left alone once another client has replaced it, is reported with its manager, and is recreated once the replacement is deleted", func(ctx SpecContext) {
		m := w.membership("jane")
		for i := range all {
			theirs := usurp(ctx, &all[i])
			eventuallyWithin(ctx, "5s", m, haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
				haveCondition("PermissionsApplied", metav1.ConditionFalse, "GrantsWithheld"),
				haveMessage("Ready", `RoleBinding `+theirs.Name+` in namespace `+theirs.Namespace+` is managed by "mallory"`),
				HaveField("Status.Grants", ContainElement(And(HaveField("State", BeEquivalentTo("Withheld")), HaveField("Reason", "BindingConflict")))))
			before := theirs.ResourceVersion
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
			Expect(theirs.ResourceVersion).To(Equal(before), "Usher does not write the object of another client")
			Expect(w.generated(ctx)).To(HaveLen(len(all)-1), "one conflict does not block anything else")

			Expect(k8s.Delete(ctx, theirs)).To(Succeed())
			beTrueAgain(ctx, &all[i])
			eventually(ctx, m, haveState("Active"), beReady())
		}
	})

	It("is not recognized without its labels and its field manager, and the Membership reports the conflict", func(ctx SpecContext) {
		lost := all[0].DeepCopy()
		whileAway(func() { stripped(ctx, lost, true, true) })
		m := w.membership("jane")
		eventually(ctx, m, haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", "RoleBinding "+lost.Name+" in namespace "+lost.Namespace+" is managed by"))
		Expect(k8s.Delete(ctx, lost)).To(Succeed())
		beTrueAgain(ctx, &all[0])
		eventually(ctx, m, haveState("Active"), beReady())
	})

	It("is recognized by its labels after a restore that lost its field manager", Label("K1"), func(ctx SpecContext) {
		whileAway(func() {
			for i := range all {
				stripped(ctx, all[i].DeepCopy(), false, true)
			}
		})
		m := w.membership("jane")
		quiet(ctx)
		eventually(ctx, m, haveState("Active"), beReady(), haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled"))
		Expect(w.generated(ctx)).To(HaveLen(len(all)))
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		Expect(reach(ctx, jane)).To(BeEmpty())
	})

	It("is deleted with its Membership, even if its labels were removed and the Membership deleted while Usher was not running", Label("K4", "B8"), func(ctx SpecContext) {
		m := w.membership("jane")
		whileAway(func() {
			for i := range all {
				stripped(ctx, all[i].DeepCopy(), true, false)
			}
			Expect(k8s.Delete(ctx, m)).To(Succeed())
		})
		eventuallyGone(ctx, m)
		Expect(reach(ctx, jane)).To(BeEmpty())
	})

	It("grants nothing once it is being deleted, even if a foreign finalizer blocks the deletion", Label("B8"), func(ctx SpecContext) {
		m := w.membership("jane")
		var releases []func()
		for i := range all {
			releases = append(releases, hold(ctx, all[i].DeepCopy()))
		}
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("look", "staging")}
		})
		w.eventuallyHasAccess(ctx, "jane", jane, "view in "+w.staging())
		change(ctx, bindingNamed(all, "view", w.staging()), func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, malloryHerself) })
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		Eventually(reach, "5s").WithArguments(ctx, jane).Should(BeEmpty())
		for _, b := range w.generated(ctx) {
			Expect(b.Subjects).To(BeEmpty(), "in %s", b.Namespace)
		}
		quiet(ctx)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed(), "it waits until all its RoleBindings are deleted")
		for _, release := range releases {
			release()
		}
		eventuallyGone(ctx, m)
		Expect(w.generated(ctx)).To(BeEmpty())
	})

	It("is deleted even if another one is blocked that Usher may not change", Label("B8"), func(ctx SpecContext) {
		grantable(ctx, w.withPilot)
		DeferCleanup(func(ctx SpecContext) { grantable(ctx, w.withoutPilot) })
		create(ctx, w.pilot())
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Permissions = append(o.Spec.Permissions, accountsv1.Permission{Name: "fly", ClusterRole: w.pilot().Name})
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("fly", "staging"), grantOn("look", "staging", "live")}
		})
		flies := w.pilot().Name + " in " + w.staging()
		looks := []string{"view in " + w.staging(), "view in " + w.production(), "view in " + w.name}
		w.eventuallyHasAccess(ctx, "jane", jane, append(looks, flies)...)
		release := hold(ctx, bindingNamed(w.generated(ctx), w.pilot().Name, w.staging()))
		m := w.membership("jane")

		grantable(ctx, w.withoutPilot)
		eventually(ctx, m, haveCondition("Reconciling", metav1.ConditionTrue, "Error"))
		Expect(reach(ctx, jane)).To(ConsistOf(append(looks, flies)), "RBAC refuses to change what Usher may not bind")
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		Eventually(reach, "5s").WithArguments(ctx, jane).Should(ConsistOf(flies), "one RoleBinding does not keep another in force")
		grantable(ctx, w.withPilot)
		Eventually(reach, "20s").WithArguments(ctx, jane).Should(BeEmpty())
		release()
		eventuallyGone(ctx, m)
	})

	It("is deleted when its role grants less, even if its labels were removed while Usher was not running", Label("K4"), func(ctx SpecContext) {
		whileAway(func() {
			for i := range all {
				stripped(ctx, all[i].DeepCopy(), true, false)
			}
			change(ctx, w.organization(), func(o *accountsv1.Organization) {
				o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("look", "staging")}
			})
		})
		w.eventuallyHasAccess(ctx, "jane", jane, "view in "+w.staging())
	})
})

var _ = Describe("A RoleBinding that another client created", func() {
	var w world

	// plant creates a RoleBinding with the labels of Jane's, and another name.
	plant := func(ctx context.Context, name string) *rbacv1.RoleBinding {
		GinkgoHelper()
		planted := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.staging(), Name: name, Labels: maps.Clone(bindings(ctx, w.staging())[0].Labels)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects:   []rbacv1.Subject{malloryHerself},
		}
		create(ctx, planted)
		return planted
	}

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	DescribeTable("with Usher's labels is left alone and delays nothing,", Label("K4"), func(ctx SpecContext, name string) {
		jane := w.enlist(ctx, "jane", "developer")
		planted := plant(ctx, name)
		poke(ctx, w.membership("jane"))
		quiet(ctx)
		w.eventuallyHasAccess(ctx, "jane", jane, "edit in "+w.staging())
		m, org := w.membership("jane"), w.organization()
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		Expect(k8s.Delete(ctx, jane)).To(Succeed())
		eventuallyGone(ctx, jane)
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
		before := planted.ResourceVersion
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(planted), planted)).To(Succeed())
		Expect(planted.ResourceVersion).To(Equal(before))
	},
		Entry("under a name of its own", "planted"),
		Entry("under a name in Usher's form for another Organization", "usher:other:jane:edit"),
	)
})

var _ = Describe("A system namespace", Label("C1"), func() {
	It("belongs to no resource, even if a resource names it or selects it", func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		system := []string{usherNamespace, "kube-system", "kube-public", "kube-node-lease"}
		for _, name := range system {
			labelled := namespace(name)
			change(ctx, labelled, func(n *corev1.Namespace) { metav1.SetMetaDataLabel(&n.ObjectMeta, "example.com/team", w.name) })
			DeferCleanup(func(ctx SpecContext) {
				change(ctx, labelled, func(n *corev1.Namespace) { delete(n.Labels, "example.com/team") })
			})
		}
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("usher", usherNamespace), accountsv1.Resource{
				Name: "team", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/team": w.name}}},
			})
			o.Spec.Roles[0].Grants = []accountsv1.Grant{grantOn("deploy", "usher", "team")}
		})
		jane := w.enlist(ctx, "jane", "developer")
		w.eventuallyHasAccess(ctx, "jane", jane, "deploy on usher: SystemNamespace")
		change(ctx, namespace(w.staging()), func(n *corev1.Namespace) { metav1.SetMetaDataLabel(&n.ObjectMeta, "example.com/team", w.name) })
		w.eventuallyHasAccess(ctx, "jane", jane, "deploy on usher: SystemNamespace", "edit in "+w.staging())
		eventually(ctx, w.membership("jane"), haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", usherNamespace), haveMessage("Ready", "remove it from resource usher"))
		eventually(ctx, w.organization(), haveCondition("CatalogueValid", metav1.ConditionFalse, "SystemNamespace"), haveMessage("Ready", usherNamespace+" (usher)"))
		for _, name := range system {
			Expect(bindings(ctx, name)).To(BeEmpty())
		}

		for _, name := range system[1:] {
			org := w.organization()
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
			org.Spec.Resources = append(org.Spec.Resources, named("system", name))
			Expect(k8s.Update(ctx, org)).To(MatchError(ContainSubstring("system namespace")))
		}
	})
})
