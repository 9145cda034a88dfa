// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The status of an Account", func() {
	var (
		w world
		m *accountsv1.Membership
		a *accountsv1.Account
	)

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		m, a = w.active(ctx)
	})

	It("reports that the Account is disabled and that every session has ended", Label("D7"), func(ctx SpecContext) {
		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventually(ctx, a, haveState("Disabled"), haveCondition("Active", metav1.ConditionFalse, "Disabled"),
			haveCondition("Ready", metav1.ConditionTrue, "Disabled"), haveMessage("Ready", "spec.state"))
		ended := a.Status.SignIn.SessionsEndTime
		Expect(ended).NotTo(BeNil())
		ask(ctx, a, accountsv1.ResetAnnotation)
		passes(ctx, a, time.Minute)
		eventually(ctx, a, haveState("Disabled"), HaveField("Status.SignIn.SessionsEndTime", ended))
		Expect(lettersTo(a, resetSubject)).To(BeEmpty())

		turn(ctx, a, accountsv1.AccountSwitchActive)
		eventually(ctx, a, haveState("Active"), beReady(), haveCondition("Active", metav1.ConditionTrue, "Accepted"), HaveField("Status.SignIn.SessionsEndTime", ended))
		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventually(ctx, a, haveState("Disabled"), HaveField("Status.SignIn.SessionsEndTime.Time", BeTemporally(">", ended.Time)))
	})

	It("is rebuilt with the second factor after a restore without status", func(ctx SpecContext) {
		eventually(ctx, a, haveCondition("TwoFactorEnrolled", metav1.ConditionFalse, "NotEnrolled"))
		say(ctx, a, accountsv1.TwoFactorEnrolled)
		eventually(ctx, a, haveCondition("TwoFactorEnrolled", metav1.ConditionTrue, "Enrolled"),
			HaveField("Annotations", HaveKeyWithValue(accountsv1.TwoFactorAnnotation, "Enrolled")))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, _ metav1.Time) { *s = accountsv1.AccountStatus{} })
		eventually(ctx, a, haveState("Active"), haveCondition("TwoFactorEnrolled", metav1.ConditionTrue, "Enrolled"),
			HaveField("Status.TwoFactor", accountsv1.TwoFactorEnrolled))
		say(ctx, a, accountsv1.TwoFactorNotEnrolled)
		eventually(ctx, a, haveCondition("TwoFactorEnrolled", metav1.ConditionFalse, "NotEnrolled"),
			HaveField("Annotations", HaveKeyWithValue(accountsv1.TwoFactorAnnotation, "NotEnrolled")))
	})

	It("reports which Membership its owner left; the access is withdrawn and no new invitation is sent", Label("D2", "K4"), func(ctx SpecContext) {
		eventually(ctx, w.invitation("jane"), haveState("Active"))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, _ metav1.Time) {
			s.Leaving = []accountsv1.MembershipReference{{Namespace: accountsv1.NamespaceName(w.name), Name: "jane"}}
		})
		eventually(ctx, m, haveState("Inactive"), beReady(), haveCondition("Active", metav1.ConditionFalse, "NoAccount"))
		Expect(w.access(ctx)).To(BeEmpty())
		eventually(ctx, a, haveState("Active"), HaveField("Status.Leaving", BeEmpty()),
			HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation, "")))
		Eventually(func() []string { return eventsAbout(ctx, a) }).Should(ConsistOf("Normal Left"))
		Eventually(func() []string { return eventsAbout(ctx, m) }).Should(ConsistOf("Normal Left"))
		poke(ctx, m)
		poke(ctx, w.invitation("jane"))
		passes(ctx, a, time.Second)
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
		Expect(w.access(ctx)).To(BeEmpty())
		eventually(ctx, a, HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation, "")))
	})
})
