// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// requireTwoFactor makes the Organization require a second factor, with a grace period in
// seconds for members, if it is set.
func (w world) requireTwoFactor(ctx context.Context, grace int32) {
	GinkgoHelper()
	w.reorganize(ctx, func(o *accountsv1.Organization) {
		o.Spec.SignIn = accountsv1.SignInRules{TwoFactor: accountsv1.TwoFactorRequired, TwoFactorGraceSeconds: grace}
	})
}

// say records whether a second factor is enrolled, as the portal does.
func say(ctx context.Context, a *accountsv1.Account, twoFactor accountsv1.TwoFactor) {
	GinkgoHelper()
	changeStatus(ctx, a, func(a *accountsv1.Account) { a.Status.TwoFactor = twoFactor })
}

var _ = Describe("A required second factor", Label("A10"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("has a grace period; after that, access is withdrawn until it is enrolled", func(ctx SpecContext) {
		m, a := w.active(ctx)
		w.requireTwoFactor(ctx, 0)
		eventually(ctx, m, haveState("Active"), beReady(), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "GracePeriod"),
			haveMessage("TwoFactorMissing", "on the account page of the portal"), haveCondition("PermissionsApplied", metav1.ConditionTrue, "Reconciled"))
		now.PutForward(7*24*time.Hour - time.Minute)
		poke(ctx, m)
		quiet(ctx)
		eventually(ctx, m, haveState("Active"), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "GracePeriod"))
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))

		now.PutForward(time.Minute)
		poke(ctx, m)
		eventually(ctx, m, haveState("Inactive"), beReady(), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "TwoFactorRequired"),
			haveCondition("Ready", metav1.ConditionTrue, "TwoFactorRequired"), haveCondition("Active", metav1.ConditionTrue, "Accepted"),
			haveCondition("PermissionsApplied", metav1.ConditionFalse, "TwoFactorRequired"),
			HaveField("Status.Grants", ConsistOf(And(HaveField("State", BeEquivalentTo("Withheld")), HaveField("Reason", "TwoFactorRequired")))))
		Expect(w.access(ctx)).To(BeEmpty())
		Expect(health(ctx, m)).To(BeEquivalentTo("Current"))

		say(ctx, a, accountsv1.TwoFactorEnrolled)
		eventuallyWithin(ctx, "5s", m, haveState("Active"), beReady(), Not(haveCondition("TwoFactorMissing", metav1.ConditionTrue, "TwoFactorRequired")))
		Expect(words(m.Status.Conditions)).NotTo(ContainElement(HavePrefix("TwoFactorMissing")))
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("ends the access of a member without it exactly on time, without any other event", func(ctx SpecContext) {
		m, _ := w.active(ctx)
		w.requireTwoFactor(ctx, 60)
		eventually(ctx, m, haveCondition("TwoFactorMissing", metav1.ConditionTrue, "GracePeriod"))
		now.PutForward(57 * time.Second)
		poke(ctx, m)
		eventually(ctx, m, haveState("Inactive"), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "TwoFactorRequired"))
		Expect(w.access(ctx)).To(BeEmpty())
	})

	It("has no grace period for a new member, whether invited by a Membership or by an Invitation", func(ctx SpecContext) {
		w.requireTwoFactor(ctx, 0)
		jane := w.invited(ctx, "jane")
		byHand := w.invitation("john")
		create(ctx, byHand)
		eventually(ctx, byHand, haveState("Pending"))
		a := w.accept(ctx, "jane", w.name+"-jane")
		w.accept(ctx, "john", w.name+"-john")
		john := w.membership("john")
		for _, m := range []*accountsv1.Membership{jane, john} {
			eventually(ctx, m, haveState("Inactive"), beReady(), haveCondition("TwoFactorMissing", metav1.ConditionTrue, "TwoFactorRequired"))
		}
		quiet(ctx)
		Expect(w.writes()).NotTo(ContainElement(HavePrefix("patch rolebindings usher:" + w.name + ":")))

		say(ctx, a, accountsv1.TwoFactorEnrolled)
		eventuallyWithin(ctx, "5s", jane, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		eventually(ctx, john, haveState("Inactive"))
	})

	It("is known from the annotation of the Account if its status is lost", func(ctx SpecContext) {
		m, a := w.active(ctx)
		change(ctx, a, func(a *accountsv1.Account) { a.Annotations[accountsv1.TwoFactorAnnotation] = "Enrolled" })
		w.requireTwoFactor(ctx, 60)
		now.PutForward(time.Hour)
		poke(ctx, m)
		quiet(ctx)
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(words(m.Status.Conditions)).NotTo(ContainElement(HavePrefix("TwoFactorMissing")))
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
	})

	It("is no longer required once the Organization drops the rule", func(ctx SpecContext) {
		w.requireTwoFactor(ctx, 0)
		m := w.invited(ctx, "jane")
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Inactive"))
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.SignIn.TwoFactor = accountsv1.TwoFactorOptional })
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
	})
})
