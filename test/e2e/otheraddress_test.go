// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"net/url"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

const codeMailed = "Confirm your email address for Acme Rocket Works"

var _ = Describe("An invited person who wants to accept with another address", func() {
	It("confirms it with a code, and the account has that address", Label("A3", "C4", "E7"), func(ctx SpecContext) {
		acme := newTenant(ctx, "addressMatch: AnyAddress")
		browser := newPage()
		browser.open(acme.invite(ctx, "jane", "developer"))
		browser.tick("#other-address summary")
		browser.fill("email", acme.email("home"))
		browser.click(mailCode)
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(ContainSubstring("We're emailing an 8-digit code to " + acme.email("home")))

		By("typing a wrong code first")
		code := codeIn(acme.mail("home", codeMailed))
		browser.fill("code", wrong(code))
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
		Expect(browser.textOf("code-problem")).To(ContainSubstring("the code from our latest email"))
		Expect(browser.value("user-name")).To(Equal(acme.unique("jane")))
		Expect(acme.accounts(ctx, "home")).To(BeEmpty())

		By("typing the right code")
		browser.fill("code", code)
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(And(ContainSubstring("Your account is ready"), ContainSubstring(acme.email("home"))))
		Expect(browser.browserErrors()).To(BeEmpty())

		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Expect(row(kubectl(ctx, "get", "accounts"), acme.unique("jane"))).To(ContainElement(acme.email("home")))
		Expect(acme.accounts(ctx, "jane")).To(BeEmpty())
		kubectl(ctx, "wait", "--for=condition=EmailVerified", "account/"+acme.unique("jane"), "--timeout=20s")
		Eventually(mayThey).WithArguments(ctx, acme.unique("jane"), "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
		Expect(acme.mail("home", welcomed).Text).To(ContainSubstring("Sign-in email: " + acme.email("home")))
	})

	It("can still choose the invited address", Label("C4"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		browser := newPage(withoutScript())
		browser.open(acme.invite(ctx, "jane", "developer", "addressMatch: AnyAddress"))
		browser.tick("#other-address summary")
		browser.fill("email", acme.email("home"))
		browser.click(mailCode)
		browser.tick("input[name=address-choice][value=invited]")
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Expect(acme.accounts(ctx, "jane")).To(HaveExactElements(acme.unique("jane")))
	})

	It("cannot if only the invited address is allowed, even with forged requests", Label("C4"), func(ctx SpecContext) {
		acme := newTenant(ctx, "addressMatch: AnyAddress")
		link := acme.invite(ctx, "jane", "developer", "addressMatch: Strict")
		acme.waitForMailed(ctx, "jane")
		browser := newPage()
		browser.open(link)
		Expect(browser.text()).NotTo(ContainSubstring("Use another email address"))
		var before, after accountsv1.Invitation
		Expect(admin.Get(ctx, acme.key("jane"), &before)).To(Succeed())

		const only = "This invitation can be accepted with "
		status, body := newVisitor().post(ctx, link+"/address", url.Values{"email": {acme.email("mallory")}})
		Expect(status).To(Equal(http.StatusUnprocessableEntity))
		Expect(body).To(ContainSubstring(only + acme.email("jane") + " only."))
		forged := acceptance(acme.unique("mallory"), newPassword())
		forged.Set("email", acme.email("mallory"))
		forged.Set("address-choice", "other")
		forged.Set("code", "1234 5678")
		status, body = newVisitor().post(ctx, link, forged)
		Expect(status).To(Equal(http.StatusUnprocessableEntity))
		Expect(body).To(ContainSubstring(only))

		Expect(admin.Get(ctx, acme.key("jane"), &after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
		Consistently(acme.subjects).WithArguments("mallory").Should(BeEmpty())
		Expect(acme.accounts(ctx, "mallory")).To(BeEmpty())
	})
})

var digits = regexp.MustCompile(`\b(\d{4}) (\d{4})\b`)

// codeIn returns the code in a mail, in the form in which a person reads it.
func codeIn(mail inbox.Message) string {
	GinkgoHelper()
	code := digits.FindString(mail.Text)
	Expect(code).NotTo(BeEmpty(), mail.Subject)
	return code
}

// wrong returns the code with one digit changed.
func wrong(code string) string {
	other := "1"
	if code[0] == '1' {
		other = "2"
	}
	return other + code[1:]
}
