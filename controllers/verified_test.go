// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/account"
)

var _ = Describe("The address of an Account", Label("E4", "K6"), func() {
	isVerified := haveCondition("EmailVerified", metav1.ConditionTrue, "Verified")
	isNotVerified := haveCondition("EmailVerified", metav1.ConditionFalse, "NotVerified")

	It("is proved by a link that went there by mail", func(ctx SpecContext) {
		_, a := aWorld().ready(ctx).active(ctx)
		eventually(ctx, a, haveState("Active"), beReady(), isVerified)
		Expect(a.Annotations).To(HaveKey(accountsv1.EmailVerifiedAnnotation))
	})

	It("is not proved by a link from a Secret, until the person enters a mailed code", func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		m := w.membership("jane")
		m.Spec.Delivery = []accountsv1.DeliveryChannel{accountsv1.ChannelLink}
		create(ctx, m)
		eventually(ctx, m, haveState("Invited"), beReady())
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"), beReady())
		eventually(ctx, a, haveState("Active"), beReady(), isNotVerified)
		Expect(a.Annotations).NotTo(HaveKey(accountsv1.EmailVerifiedAnnotation))

		changeStatus(ctx, a, func(a *accountsv1.Account) { account.RequestEmailCode(a, second()) })
		code := codeIn(eventuallyMailed(ctx, a, "Confirm your email address", 1))
		Expect(everything(ctx)).NotTo(Or(ContainSubstring(code), ContainSubstring(strings.ReplaceAll(code, " ", ""))))
		right, valid := false, false
		changeStatus(ctx, a, func(a *accountsv1.Account) {
			var err error
			right, valid, err = account.EnterEmailCode(a, resetKeys, code, second())
			Expect(err).NotTo(HaveOccurred())
		})
		Expect(right).To(BeTrue())
		Expect(valid).To(BeTrue())
		eventually(ctx, a, isVerified, HaveField("ObjectMeta.Annotations", HaveKey(accountsv1.EmailVerifiedAnnotation)))

		By("losing the status, as in a restore")
		changeStatus(ctx, a, func(a *accountsv1.Account) { a.Status = accountsv1.AccountStatus{} })
		eventually(ctx, a, beReady(), isVerified)
	})

	It("is not proved by the mail server of an Organization, whose managers can read what it sends", func(ctx SpecContext) {
		theirs, err := inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		w := aWorld().ready(ctx)
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "people@acme.example"}
		})
		m := w.invited(ctx, "jane")
		Eventually(func() []inbox.Message { return theirs.For(string(w.email("jane"))) }).Should(HaveLen(1))
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"), beReady())
		eventually(ctx, a, haveState("Active"), beReady(), isNotVerified)
	})

	It("has to be proved before the Account accepts with a link from a Secret", func(ctx SpecContext) {
		w, other := aWorld().ready(ctx), aWorld().ready(ctx)
		for _, one := range []world{w, other} {
			one.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.LegalEntity = "Acme S.p.A." })
		}
		shared := w.email("jane")
		byLink := func(w world) *accountsv1.Membership {
			m := w.membership("jane")
			m.Spec.Email = shared
			m.Spec.Delivery = []accountsv1.DeliveryChannel{accountsv1.ChannelLink}
			return m
		}
		first, later := byLink(w), byLink(other)
		create(ctx, first)
		eventually(ctx, first, haveState("Invited"), beReady())
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, a, haveState("Active"), isNotVerified)
		create(ctx, later)
		eventually(ctx, later, haveState("Invited"), beReady())

		By("accepting without a proof, past the portal")
		other.acceptWith(ctx, "jane", a)
		inv := other.invitation("jane")
		eventually(ctx, inv, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "AddressMismatch"))
		Expect(a.Annotations[accountsv1.MembershipsAnnotation]).NotTo(ContainSubstring(other.name))

		By("proving the address")
		changeStatus(ctx, a, func(a *accountsv1.Account) { account.VerifyEmail(a, second()) })
		eventually(ctx, later, haveState("Active"), beReady())
		eventually(ctx, a, isVerified)
	})
})

// codeIn returns the code in a mail, as a person reads it.
func codeIn(m inbox.Message) string {
	GinkgoHelper()
	code := regexp.MustCompile(`\b\d{4} \d{4}\b`).FindString(m.Text)
	Expect(code).NotTo(BeEmpty())
	return code
}
