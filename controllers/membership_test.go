// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A Membership", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("is Invited as soon as the mail was sent, and Ready without an answer", Label("A5", "C6", "D3"), func(ctx SpecContext) {
		m := w.membership("jane")
		create(ctx, m)
		eventually(ctx, m, haveState("Invited"), beReady(),
			haveCondition("Pending", metav1.ConditionTrue, "AwaitingAcceptance"),
			haveCondition("Active", metav1.ConditionFalse, "NotAccepted"),
			haveCondition("Expired", metav1.ConditionFalse, "NotExpired"),
			haveCondition("PermissionsApplied", metav1.ConditionFalse, "NotAccepted"))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
	})

	It("is Active once the person has accepted, with exactly what the role grants", Label("A8", "C7", "B6"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		Expect(m).To(And(
			haveCondition("Active", metav1.ConditionTrue, "Accepted"),
			haveCondition("Pending", metav1.ConditionFalse, "Reconciled"),
			haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled")))
		Expect(m.Status.AccountRef.Name).To(BeEquivalentTo(a.Name))
		Expect(m.Status.Grants).To(ConsistOf(accountsv1.GrantStatus{
			Permission: "deploy", Resource: "staging", State: "InForce", ClusterRole: "edit", Namespaces: []accountsv1.NamespaceName{accountsv1.NamespaceName(w.staging())},
		}))
		made := bindings(ctx, w.staging())
		Expect(made).To(HaveLen(1))
		Expect(made[0].RoleRef).To(Equal(rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"}))
		Expect(made[0].Subjects).To(ConsistOf(rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "usher:" + a.Name}))
	})

	It("follows a change of its role", Label("D8"), func(ctx SpecContext) {
		m, _ := w.active(ctx)
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Role = "observer" })
		Eventually(func() []string {
			var roles []string
			for _, b := range bindings(ctx, w.staging()) {
				roles = append(roles, b.RoleRef.Name)
			}
			return roles
		}).Should(ConsistOf("view"))
	})

	It("allows and denies single permissions for this person", func(ctx SpecContext) {
		m := w.membership("jane")
		m.Spec.Permissions = []accountsv1.PermissionOverride{
			{Effect: "Deny", Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}},
			{Effect: "Allow", Permission: "look", Resources: []accountsv1.CatalogueName{"staging"}},
			{Effect: "Allow", Permission: "dashboards", Resources: []accountsv1.CatalogueName{"staging"}},
		}
		create(ctx, m)
		eventually(ctx, m, haveState("Invited"), beReady())
		w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"), beReady())
		made := bindings(ctx, w.staging())
		Expect(made).To(HaveLen(1))
		Expect(made[0].RoleRef.Name).To(Equal("view"))
		Expect(m.Status.Grants).To(ContainElement(HaveField("Group", "grafana-editors")))
	})

	It("reports which grant is not in force, and applies it as soon as possible", func(ctx SpecContext) {
		late := accountsv1.NamespaceName(w.name + "-late")
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources[0].Namespaces.Names = append(o.Spec.Resources[0].Namespaces.Names, late)
		})
		m := w.invited(ctx, "jane")
		w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"),
			haveCondition("PermissionsApplied", metav1.ConditionFalse, "GrantsWithheld"),
			haveCondition("Reconciling", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", "Namespace "+string(late)+" does not exist"))
		Expect(bindings(ctx, w.staging())).To(HaveLen(1))
		create(ctx, namespace(string(late)))
		eventually(ctx, m, beReady())
		Expect(bindings(ctx, string(late))).To(HaveLen(1))
	})

	It("reports a resource that is not declared, and grants nothing on it", Label("B9"), func(ctx SpecContext) {
		m := w.membership("jane")
		m.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: "Allow", Permission: "look", Resources: []accountsv1.CatalogueName{"production"}}}
		create(ctx, m)
		eventually(ctx, m, haveState("Invited"), beReady())
		w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"),
			haveMessage("Ready", "no resource production; add the resource to the Organization first"))
	})

	It("is Failed, and sends no invitation, if the Organization does not have its role", func(ctx SpecContext) {
		m := w.membership("jane")
		m.Spec.Role = "astronaut"
		create(ctx, m)
		eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "RoleNotFound"))
		Expect(w.invitationsTo("jane")).To(BeEmpty())
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Role = "observer" })
		eventually(ctx, m, haveState("Invited"), beReady())
	})

	It("is Failed outside the home namespace of its Organization", func(ctx SpecContext) {
		m := w.membership("jane")
		m.Namespace = w.staging()
		create(ctx, m)
		eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "WrongNamespace"))
		Expect(w.invitationsTo("jane")).To(BeEmpty())
	})

	It("repairs a RoleBinding that another client edited, relabelled or deleted", Label("K5"), func(ctx SpecContext) {
		_, a := w.active(ctx)
		want := bindings(ctx, w.staging())[0]
		repaired := func(g Gomega) {
			var have rbacv1.RoleBinding
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(&want), &have)).To(Succeed())
			g.Expect(have.Labels).To(Equal(want.Labels))
			g.Expect(have.RoleRef).To(Equal(want.RoleRef))
			g.Expect(have.Subjects).To(Equal(want.Subjects))
		}
		for _, change := range []func(b *rbacv1.RoleBinding) error{
			func(b *rbacv1.RoleBinding) error {
				b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"})
				return k8s.Update(ctx, b)
			},
			func(b *rbacv1.RoleBinding) error { b.Subjects = nil; return k8s.Update(ctx, b) },
			func(b *rbacv1.RoleBinding) error { b.Labels = nil; return k8s.Update(ctx, b) },
			func(b *rbacv1.RoleBinding) error { return k8s.Delete(ctx, b) },
			func(b *rbacv1.RoleBinding) error {
				if err := k8s.Delete(ctx, b); err != nil {
					return err
				}
				b.ResourceVersion, b.UID, b.RoleRef.Name = "", "", "cluster-admin"
				return client.IgnoreAlreadyExists(k8s.Create(ctx, b))
			},
		} {
			b := want.DeepCopy()
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
			Expect(change(b)).To(Succeed())
			Eventually(repaired, "5s").Should(Succeed())
		}
		Expect(want.Subjects[0].Name).To(Equal("usher:" + a.Name))
	})

	It("never takes over a RoleBinding of another client", func(ctx SpecContext) {
		theirs := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.staging(), Name: "usher:" + w.name + ":jane:edit"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		create(ctx, theirs)
		m := w.invited(ctx, "jane")
		w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"), haveCondition("Stalled", metav1.ConditionTrue, "GrantsWithheld"), haveMessage("Ready", "is managed by \"controllers.test\""))
		before := theirs.ResourceVersion
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(theirs), theirs)).To(Succeed())
		Expect(theirs.ResourceVersion).To(Equal(before))
	})

	It("withdraws the access before its deletion completes", Label("B8", "K4"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
		eventuallyGone(ctx, w.invitation("jane"))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		Expect(a.Annotations).To(HaveKeyWithValue(accountsv1.MembershipsAnnotation, ""))
	})

	It("must be accepted again if it is created again", Label("B8"), func(ctx SpecContext) {
		m, _ := w.active(ctx)
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		w.invited(ctx, "jane")
		Expect(w.invitationsTo("jane")).To(HaveLen(2))
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
	})

	It("deletes its Invitation when it is deleted, even without a garbage collector", Label("K4"), func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		eventuallyGone(ctx, w.invitation("jane"))
	})

	It("keeps the Invitation of the next Membership of its name from a controller that lags behind", Label("K4"), func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		stopUsher()
		DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })
		late, held := make(chan struct{}), make(chan struct{}, 10)
		DeferCleanup(startUsher(context.Background(), through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/invitations/jane") {
				held <- struct{}{}
				select {
				case <-late:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			return next.RoundTrip(r)
		}), testNotifier(), 4))
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		Eventually(ctx, held).Should(Receive())

		DeferCleanup(startUsher(context.Background(), usherAPI, testNotifier(), 4))
		eventuallyGone(ctx, m)
		w.invited(ctx, "jane")
		next := w.invitation("jane")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(next), next)).To(Succeed())
		uid := next.UID
		close(late)
		quiet(ctx)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(next), next)).To(Succeed())
		Expect(next.UID).To(Equal(uid))
	})

	It("is the same again after a restore without any status", func(ctx SpecContext) {
		m, a := w.active(ctx)
		inv := w.invitation("jane")
		changeStatus(ctx, m, func(m *accountsv1.Membership) { m.Status = accountsv1.MembershipStatus{} })
		changeStatus(ctx, inv, func(inv *accountsv1.Invitation) { inv.Status = accountsv1.InvitationStatus{} })
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(m.Status.AccountRef.Name).To(BeEquivalentTo(a.Name))
		eventually(ctx, inv, haveState("Active"), beReady())
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})
})
