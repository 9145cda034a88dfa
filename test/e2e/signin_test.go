// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// company gives Organizations the same legal entity.
const company = "legalEntity: Acme S.p.A."

var _ = Describe("A person who already has an account", func() {
	DescribeTable("accepts the next invitation with it, signing in", Label("B7", "B10", "D8", "E1", "E7"),
		func(ctx SpecContext, setting string, typed func(userName, address string) string) {
			acme := newTenant(ctx, company, setting)
			chosen := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", chosen)
			jane := acme.accounts(ctx, "jane")[0]
			other := newTenant(ctx, company)
			link := other.inviteAlso(ctx, acme, "jane", "observer")

			browser := newPage()
			browser.open(link)
			Expect(browser.text()).To(ContainSubstring("Already have an account?"))
			browser.fill("sign-in-name", typed(strings.Replace(jane, ".", "/", 1), acme.email("jane")))
			browser.fill("sign-in-password", password)
			browser.click(signIn)
			Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
			Expect(browser.text()).To(ContainSubstring("You are signed in as " + strings.Replace(jane, ".", "/", 1)))
			Expect(other.state(ctx, "jane")).To(Equal(accountsv1.MembershipInvited))
			browser.click(acceptWithIt)
			Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
			Expect(browser.text()).To(And(
				ContainSubstring("You're in"),
				ContainSubstring("user name and password stay the same"),
				ContainSubstring("usher:"+jane),
				ContainSubstring("Look at applications in Production, Staging"),
			))

			Eventually(func() []string {
				return row(kubectl(ctx, "get", "memberships", "-n", other.name), "jane")
			}).Should(ContainElements("Active", "True", jane))
			Expect(acme.accounts(ctx, "jane")).To(HaveExactElements(jane))
			Eventually(mayThey).WithArguments(ctx, jane, "list", "pods", other.production()).Should(Equal("yes"))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("yes"))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", other.staging())).To(Equal("no"))
			Eventually(subjectsTo).WithArguments(acme.email("jane")).Should(HaveExactElements(invited, welcomed, invited, welcomed))

			By("reading about both on the account page")
			browser.click("main a[href*='/account']")
			Expect(browser.text()).To(And(ContainSubstring("Deploy applications in Staging"), ContainSubstring("Look at applications in Production, Staging")))
			Expect(browser.browserErrors()).To(BeEmpty())

			By("losing only the access that belongs to the deleted Membership")
			kubectl(ctx, "delete", "membership", "jane", "-n", other.name)
			Eventually(mayThey).WithArguments(ctx, jane, "list", "pods", other.production()).Should(Equal("no"))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("yes"))
		},
		Entry("with the user name", "language: en", func(userName, _ string) string { return userName }),
		Entry("with the user name as phones write it", "language: en", func(userName, _ string) string { return " " + strings.ToUpper(userName) }),
		Entry("with a user name that has a qualifier", "qualifier: rockets", func(userName, _ string) string { return userName }),
		Entry("with the e-mail address", "language: en", func(_, address string) string { return strings.Replace(address, "acme-", "ACME-", 1) }),
	)

	It("is led to sign in after trying to create a second account for the same address", Label("E7", "E9"), func(ctx SpecContext) {
		acme, other := newTenant(ctx, company), newTenant(ctx, company)
		password := acme.join(ctx, "jane", "developer", acme.unique("jane"))
		browser := newPage()
		browser.open(other.inviteAlso(ctx, acme, "jane", "observer"))
		browser.fillIn(acme.unique("janet"), newPassword())
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
		Expect(browser.textOf("problems")).To(ContainSubstring("There is already an account with " + acme.email("jane") + ". Sign in and accept with it"))
		Expect(acme.accounts(ctx, "jane")).To(HaveExactElements(acme.unique("jane")))

		browser.fill("sign-in-name", acme.unique("jane"))
		browser.fill("sign-in-password", password)
		browser.click(signIn)
		browser.click(acceptWithIt)
		Expect(browser.text()).To(ContainSubstring("You're in"))
		Eventually(other.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
	})

	It("cannot use it for another person's invitation, even with a forged request", Label("C4", "E7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		password := acme.join(ctx, "john", "observer", acme.unique("john"))
		link := acme.invite(ctx, "jane", "developer")
		browser := newPage()
		browser.open(link)
		browser.fill("sign-in-name", acme.unique("john"))
		browser.fill("sign-in-password", password)
		browser.click(signIn)
		const other = ", but your account has a different address."
		Expect(browser.text()).To(And(
			ContainSubstring("This invitation is for "+acme.email("jane")+other), Not(ContainSubstring("Accept with this account"))))
		status, body := newVisitor().post(ctx, link+"/accept", nil, browser.session())
		Expect(status).To(Equal(http.StatusUnprocessableEntity))
		Expect(body).To(ContainSubstring(other))
		Expect(acme.state(ctx, "jane")).To(Equal(accountsv1.MembershipInvited))

		By("passing the browser to the invited person")
		browser.click(signOut)
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Expect(browser.browserErrors()).To(BeEmpty())
	})
})

var _ = Describe("An attacker who guesses passwords with a link", func() {
	It("is stopped after five, even with the right password, and can still create an account", Label("A7", "B2", "E7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		john := acme.unique("john")
		password := acme.join(ctx, "john", "observer", john)
		link := acme.invite(ctx, "jane", "developer")
		read := map[string]bool{}
		for _, tried := range []string{newPassword(), newPassword(), newPassword(), newPassword(), newPassword(), password} {
			status, body := newVisitor().post(ctx, link+"/sign-in", url.Values{"sign-in-name": {john}, "sign-in-password": {tried}})
			Expect(status).To(Equal(http.StatusUnprocessableEntity))
			Expect(body).To(ContainSubstring("Incorrect user name, email address, or password."))
			read[body] = true
		}
		Expect(read).To(HaveLen(1), "the answers do not reveal that the last password was right")

		browser := newPage()
		browser.open(link)
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
	})
})
