// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// turnJane suspends Jane's Membership or makes it active again.
func (w world) turnJane(ctx context.Context, to accountsv1.MembershipSwitch) {
	GinkgoHelper()
	change(ctx, w.membership("jane"), func(m *accountsv1.Membership) { m.Spec.State = to })
}

// beSuspended matches a suspended Membership: it is Ready, and nothing is granted.
func beSuspended() gomegatypes.GomegaMatcher {
	return And(haveState("Inactive"), beReady(),
		haveCondition("Ready", metav1.ConditionTrue, "Suspended"), haveCondition("Suspended", metav1.ConditionTrue, "Suspended"),
		haveCondition("Active", metav1.ConditionFalse, "Suspended"), haveCondition("PermissionsApplied", metav1.ConditionFalse, "Suspended"),
		haveMessage("Ready", "set spec.state to Active"), HaveField("Status.Grants", BeEmpty()))
}

// beNotSuspended matches a Membership without any trace of a suspension.
func beNotSuspended() gomegatypes.GomegaMatcher {
	return WithTransform(func(o client.Object) []string { return words(o.(*accountsv1.Membership).Status.Conditions) },
		Not(ContainElement(ContainSubstring("Suspended"))))
}

var _ = Describe("A suspended Membership", Label("D7"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("loses all access within seconds, keeps its Account and its seat, and gets the access back when it is active, without a mail", Label("K4"), func(ctx SpecContext) {
		w.limited(ctx, 1)
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Resources = append(o.Spec.Resources, named("home", w.name))
			o.Spec.DefaultGrants = []accountsv1.Grant{grantOn("look", "home"), grantOn("dashboards", "home")}
		})
		everything := []string{"edit in " + w.staging(), "view in " + w.name, "group grafana-editors"}
		jane := w.enlist(ctx, "jane", "developer")
		w.eventuallyHasAccess(ctx, "jane", jane, everything...)
		john := w.membership("john")
		create(ctx, john)
		eventually(ctx, john, haveState("Failed"))
		waitForEvents(w, "jane", 2)
		quiet(ctx)
		mails := w.mailed()

		w.turnJane(ctx, accountsv1.MembershipSwitchSuspended)
		w.eventuallyHasAccess(ctx, "jane", jane)
		m := w.membership("jane")
		eventually(ctx, m, beSuspended(), HaveField("Status.AccountRef.Name", BeEquivalentTo(jane.Name)))
		Expect(health(ctx, m)).To(BeEquivalentTo("Current"))
		quiet(ctx)
		Expect(w.taken(ctx)).To(ConsistOf("jane"))
		eventually(ctx, john, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "SeatsExhausted"))

		w.turnJane(ctx, accountsv1.MembershipSwitchActive)
		w.eventuallyHasAccess(ctx, "jane", jane, everything...)
		eventually(ctx, m, haveState("Active"), beReady(), beNotSuspended(), haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled"))
		quiet(ctx)
		Expect(w.mailed()).To(Equal(mails))
	})

	It("gets what its role grants at the time when it is active again", func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer")
		w.turnJane(ctx, accountsv1.MembershipSwitchSuspended)
		w.eventuallyHasAccess(ctx, "jane", jane)
		change(ctx, w.membership("jane"), func(m *accountsv1.Membership) { m.Spec.Role = "observer" })
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles[1].Grants = append(o.Spec.Roles[1].Grants, grantOn("dashboards", "staging"))
		})
		quiet(ctx)
		w.eventuallyHasAccess(ctx, "jane", jane)
		w.turnJane(ctx, "") // as before: unset means Active
		w.eventuallyHasAccess(ctx, "jane", jane, "view in "+w.staging(), "group grafana-editors")
	})

	It("sends no invitation until it is active", Label("A5"), func(ctx SpecContext) {
		m := w.membership("jane")
		m.Spec.State = accountsv1.MembershipSwitchSuspended
		create(ctx, m)
		eventually(ctx, m, beSuspended(), HaveField("Status.AccountRef.Name", BeEmpty()))
		Expect(health(ctx, m)).To(BeEquivalentTo("Current"))
		quiet(ctx)
		Expect(w.mailed()).To(BeEmpty())
		w.turnJane(ctx, accountsv1.MembershipSwitchActive)
		eventually(ctx, m, haveState("Invited"), beReady(), beNotSuspended())
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("keeps its open invitation, does not send it a second time, and grants nothing when it is accepted", func(ctx SpecContext) {
		w.limited(ctx, 1)
		m := w.invited(ctx, "jane")
		w.turnJane(ctx, accountsv1.MembershipSwitchSuspended)
		eventually(ctx, m, beSuspended(), haveCondition("Pending", metav1.ConditionFalse, "Suspended"))
		quiet(ctx)
		Expect(w.taken(ctx)).To(ConsistOf("jane"))
		w.turnJane(ctx, accountsv1.MembershipSwitchActive)
		eventually(ctx, m, haveState("Invited"), beReady(), beNotSuspended(), haveCondition("Pending", metav1.ConditionTrue, "AwaitingAcceptance"))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))

		w.turnJane(ctx, accountsv1.MembershipSwitchSuspended)
		eventually(ctx, m, beSuspended())
		jane := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, beSuspended(), HaveField("Status.AccountRef.Name", BeEquivalentTo(jane.Name)))
		quiet(ctx)
		Expect(reach(ctx, jane)).To(BeEmpty())
		w.turnJane(ctx, accountsv1.MembershipSwitchActive)
		w.eventuallyHasAccess(ctx, "jane", jane, "edit in "+w.staging())
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("can be deleted, and leaves nothing behind", Label("B8", "K4"), func(ctx SpecContext) {
		jane := w.enlist(ctx, "jane", "developer")
		w.turnJane(ctx, accountsv1.MembershipSwitchSuspended)
		m := w.membership("jane")
		eventually(ctx, m, beSuspended())
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		eventuallyGone(ctx, w.invitation("jane"))
		Expect(reach(ctx, jane)).To(BeEmpty())
	})
})
