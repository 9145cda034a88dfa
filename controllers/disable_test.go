// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// turn enables or disables an Account.
func turn(ctx context.Context, a *accountsv1.Account, to accountsv1.AccountSwitch) {
	GinkgoHelper()
	change(ctx, a, func(a *accountsv1.Account) { a.Spec.State = to })
}

var _ = Describe("A disabled Account", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("loses all access within seconds, keeps its Membership and its seat, and gets the access back once it is enabled", Label("D7", "K4"), func(ctx SpecContext) {
		w.limited(ctx, 1)
		m, a := w.active(ctx)
		john := w.membership("john")
		create(ctx, john)
		eventually(ctx, john, haveState("Failed"))

		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventuallyWithin(ctx, "5s", m, haveState("Inactive"), beReady(), haveCondition("Ready", metav1.ConditionTrue, "AccountDisabled"),
			haveCondition("Active", metav1.ConditionFalse, "AccountDisabled"), haveCondition("PermissionsApplied", metav1.ConditionFalse, "AccountDisabled"),
			haveMessage("Ready", "spec.state"), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)), HaveField("Status.Grants", BeEmpty()))
		Expect(w.access(ctx)).To(BeEmpty())
		Expect(health(ctx, m)).To(BeEquivalentTo("Current"))
		quiet(ctx)
		Expect(w.taken(ctx)).To(ConsistOf("jane"))
		eventually(ctx, john, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "SeatsExhausted"))

		turn(ctx, a, accountsv1.AccountSwitchActive)
		eventuallyWithin(ctx, "5s", m, haveState("Active"), beReady(), haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled"))
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("gets what its role grants at the time when it is enabled", Label("D7"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventually(ctx, m, haveState("Inactive"))
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.Role = "observer" })
		quiet(ctx)
		Expect(w.access(ctx)).To(BeEmpty())
		turn(ctx, a, accountsv1.AccountSwitchActive)
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("view for usher:" + a.Name))
	})

	It("is still a member, so its address is not invited again", Label("E9"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
		m := w.invited(ctx, "jane")
		a := w.acceptAs(ctx, "jane", w.name+"-jane", "doe@example.net")
		eventually(ctx, m, haveState("Active"), beReady())
		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventually(ctx, m, haveState("Inactive"))
		second := w.membership("second")
		second.Spec.Email = w.email("jane")
		create(ctx, second)
		eventually(ctx, second, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "AddressIsMember"), haveMessage("Ready", "Membership jane"))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})
})

var _ = Describe("The name of a deleted Account", func() {
	It("is free only once the last access was withdrawn and an admin released it, and passes no access to the next Account", Label("K4", "B8"), func(ctx SpecContext) {
		first, second := aWorld().ready(ctx), aWorld().ready(ctx)
		m, a := first.active(ctx)
		kept := first.hold(ctx)
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventually(ctx, m, haveState("Inactive"), haveCondition("Active", metav1.ConditionFalse, "NoAccount"))
		quiet(ctx)
		second.invited(ctx, "john")
		taken := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: a.Name}, Spec: accountsv1.AccountSpec{
			Email: second.email("john"), InvitationRef: a.Spec.InvitationRef,
		}}
		Expect(apierrors.IsAlreadyExists(k8s.Create(ctx, taken))).To(BeTrue(), "the name is reserved while a RoleBinding for it exists")
		change(ctx, kept, func(b *rbacv1.RoleBinding) { b.Finalizers = nil })
		eventuallyGone(ctx, a)
		eventuallyGone(ctx, credentials(a.Name))

		Expect(k8s.Delete(ctx, retired(a.Name))).To(Succeed())
		next := second.accept(ctx, "john", a.Name)
		eventually(ctx, second.membership("john"), haveState("Active"), beReady())
		quiet(ctx)
		Expect(first.access(ctx)).To(BeEmpty())
		Expect(second.access(ctx)).To(ConsistOf("edit for usher:" + next.Name))
		eventually(ctx, next, HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation, second.name+"/john")))
		eventually(ctx, m, haveState("Inactive"), HaveField("Status.AccountRef.Name", BeEmpty()))
	})
})

// hold keeps the only RoleBinding from being deleted.
func (w world) hold(ctx context.Context) *rbacv1.RoleBinding {
	GinkgoHelper()
	all := bindings(ctx, w.staging())
	Expect(all).To(HaveLen(1))
	change(ctx, &all[0], func(b *rbacv1.RoleBinding) { b.Finalizers = []string{"example.com/hold"} })
	return &all[0]
}

// janeLeaves records that Jane leaves her Membership, as the portal does.
func (w world) janeLeaves(ctx context.Context, a *accountsv1.Account) {
	GinkgoHelper()
	changeStatus(ctx, a, func(a *accountsv1.Account) {
		a.Status.Leaving = []accountsv1.MembershipReference{{Namespace: accountsv1.NamespaceName(w.name), Name: "jane"}}
	})
}

var _ = Describe("A Membership that its member has left", func() {
	It("keeps its seat until it is deleted", Label("D2"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		w.limited(ctx, 1)
		m, a := w.active(ctx)
		w.janeLeaves(ctx, a)
		eventually(ctx, m, haveState("Inactive"))
		john := w.membership("john")
		create(ctx, john)
		eventually(ctx, john, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "SeatsExhausted"))
		quiet(ctx)
		Expect(w.taken(ctx)).To(ConsistOf("jane"))
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventually(ctx, john, haveState("Invited"), beReady())
		Expect(w.taken(ctx)).To(ConsistOf("john"))
	})

	It("grants nothing, sends no new invitation, and explains how to invite the person again", Label("K4"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		m, a := w.active(ctx)
		w.janeLeaves(ctx, a)
		eventually(ctx, m, haveState("Inactive"), haveCondition("Ready", metav1.ConditionTrue, "NoAccount"),
			haveMessage("Ready", "the person left"), HaveField("Status.AccountRef.Name", BeEmpty()))
		Expect(w.access(ctx)).To(BeEmpty())
		quiet(ctx)
		Expect(w.invitationsTo("jane")).To(HaveLen(1))

		Expect(k8s.Delete(ctx, w.invitation("jane"))).To(Succeed())
		eventually(ctx, m, haveState("Invited"), beReady())
		Expect(w.invitationsTo("jane")).To(HaveLen(2))
		w.acceptWith(ctx, "jane", a)
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
	})
})
