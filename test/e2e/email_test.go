// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/base64"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const addressCodeMailed = "Confirm your email address"

var _ = Describe("A person who got the link from a Secret", func() {
	It("confirms their address with a mailed code, and can then accept with their account elsewhere", Label("E4", "E7", "B10"), func(ctx SpecContext) {
		acme, globex := newTenant(ctx, "legalEntity: Acme S.p.A."), newTenant(ctx, "legalEntity: Acme S.p.A.")
		jane, password := acme.unique("jane"), newPassword()
		status, body := newVisitor().post(ctx, acme.handOver(ctx, acme.email("jane")), acceptance(jane, password))
		Expect(status).To(Equal(http.StatusOK), body)
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		kubectl(ctx, "wait", "--for=condition=EmailVerified=False", "account/"+jane, "--timeout=20s")

		By("being asked for a proof")
		other := globex.handOver(ctx, acme.email("jane"))
		browser := newPage()
		browser.mustSignIn(jane, password)
		browser.open(other)
		const asks = "We don't know yet whether email to "
		Expect(browser.text()).To(ContainSubstring(asks + acme.email("jane")))
		browser.click("section .problems a")
		Expect(browser.path()).To(Equal("/account/email"))
		Expect(browser.text()).To(ContainSubstring(asks + acme.email("jane")))

		By("typing a wrong code first")
		browser.submit()
		code := codeIn(acme.mail("jane", addressCodeMailed))
		browser.fill("code", wrong(code))
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
		Expect(browser.textOf("code-problem")).To(ContainSubstring("the code from our latest email"))

		By("typing the right code")
		browser.fill("code", code)
		browser.submit()
		Expect(browser.path()).To(Equal("/account"))
		Expect(browser.text()).To(And(ContainSubstring("Your email address is confirmed."), Not(ContainSubstring("Not confirmed yet"))))
		kubectl(ctx, "wait", "--for=condition=EmailVerified", "account/"+jane, "--timeout=20s")

		browser.open(other)
		Expect(browser.text()).NotTo(ContainSubstring(asks))
		browser.click("form[action*='/accept'] button")
		Expect(browser.text()).To(ContainSubstring("You're in"))
		Eventually(globex.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("is not kept from their account by a stranger's account with their address", Label("E4", "E7"), func(ctx SpecContext) {
		theirs, acme := newTenant(ctx), newTenant(ctx)
		mallory := theirs.unique("mallory")
		status, body := newVisitor().post(ctx, theirs.handOver(ctx, acme.email("jane")), acceptance(mallory, newPassword()))
		Expect(status).To(Equal(http.StatusOK), body)
		Eventually(theirs.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))

		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		kubectl(ctx, "wait", "--for=condition=EmailVerified", "account/"+jane, "--timeout=20s")
		browser := newPage(withoutScript())
		browser.mustSignIn(acme.email("jane"), password)
		Expect(browser.text()).To(And(ContainSubstring(jane), Not(ContainSubstring("Not confirmed yet"))))
	})
})

// handOver invites an address with delivery Link as jane, and returns the link in the Secret.
func (t tenant) handOver(ctx context.Context, address string) string {
	GinkgoHelper()
	apply(ctx, t.membershipOf("Jane", "Doe", "jane", address, "developer", "delivery: [Link]"))
	kubectl(ctx, "wait", "--for=condition=Ready", "membership/jane", "-n", t.name, "--timeout=20s")
	encoded := kubectl(ctx, "get", "secret", "jane-link", "-n", t.name, "-o", "jsonpath={.data.link}")
	link, err := base64.StdEncoding.DecodeString(encoded)
	Expect(err).NotTo(HaveOccurred())
	return string(link)
}
