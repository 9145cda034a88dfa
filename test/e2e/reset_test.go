// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A member who has forgotten their password", func() {
	It("requests a link by user name, chooses a new password with it, and signs in again", Label("B3"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		acme.mail("jane", welcomed)
		elsewhere := newPage()
		elsewhere.mustSignIn(jane, password)

		By("asking")
		browser := newPage()
		browser.open(usher.url + "/sign-in")
		browser.click(".forgotten li:first-child a")
		browser.fill("sign-in-name", jane)
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(ContainSubstring("If there is an account with that name or address, we have sent a link to its address."))
		Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
		Expect(acme.mail("jane", resetMailed).Text).To(And(
			ContainSubstring("requested a new password for the user name "+jane), ContainSubstring("This link works once")))

		By("asking again at once, which sends no second mail")
		status, _ := newVisitor().post(ctx, usher.url+"/reset", url.Values{"sign-in-name": {acme.email("jane")}})
		Expect(status).To(Equal(http.StatusOK))
		link := acme.resetLinks("jane")[0]

		By("being shown the problems")
		browser.open(link)
		Expect(browser.text()).To(And(ContainSubstring("For the user name "+jane), Not(ContainSubstring("second factor"))))
		choose := func(chosen, again string) {
			browser.fill("new-password", chosen)
			browser.fill("new-password-again", again)
			browser.submit()
		}
		choose("passwordpassword", "passwordpassword")
		Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
		Expect(browser.textOf("new-password-problem")).To(ContainSubstring("Too easy to guess"))
		choose(newPassword(), newPassword())
		Expect(browser.textOf("new-password-again-problem")).To(ContainSubstring("The two passwords don't match"))

		By("correcting the form")
		chosen := newPassword()
		choose(chosen, chosen)
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(And(ContainSubstring("Your password has been changed"), ContainSubstring("You are not signed in yet")))
		for _, session := range []*page{browser, elsewhere} {
			session.open(usher.url + "/account")
			Expect(session.path()).To(Equal("/sign-in"))
		}

		By("using the link once more")
		browser.open(link)
		Expect(browser.status).To(BeEquivalentTo(http.StatusGone))
		Expect(browser.text()).To(ContainSubstring("A new password has been chosen since this link was requested."))
		again := newPassword()
		status, _ = newVisitor().post(ctx, link, url.Values{"new-password": {again}, "new-password-again": {again}})
		Expect(status).To(Equal(http.StatusGone))

		browser.signIn(jane, password)
		Expect(browser.text()).To(ContainSubstring(notLetIn))
		browser.mustSignIn(jane, chosen)
		Eventually(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed, resetMailed, passwordMailed))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("gets a link from an admin, who sees and chooses nothing; the newest link replaces the ones before",
		Label("B3", "D7"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			acme.join(ctx, "jane", "developer", jane)
			annotateNow(ctx, resets, "membership", "jane", "-n", acme.name)
			Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
			annotateNow(ctx, resets, "account", jane)
			Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(2))
			links := acme.resetLinks("jane")

			browser := newPage(withoutScript())
			browser.open(links[0])
			Expect(browser.status).To(BeEquivalentTo(http.StatusGone))
			Expect(browser.text()).To(And(ContainSubstring("A newer link has replaced this one"), Not(ContainSubstring(jane))))
			browser.open(flip(links[1]))
			Expect(browser.status).To(BeEquivalentTo(http.StatusNotFound))
			Expect(browser.text()).To(And(ContainSubstring("Copy the whole link from the email"), Not(ContainSubstring(jane))))
			browser.open(links[1])
			chosen := newPassword()
			browser.fill("new-password", chosen)
			browser.fill("new-password-again", chosen)
			browser.submit()
			Expect(browser.text()).To(ContainSubstring("Your password has been changed"))
			newPage().mustSignIn(jane, chosen)
		})

	It("still needs their second factor", Label("B3", "A10"), func(ctx SpecContext) {
		acme := newTenant(ctx, required)
		jane := acme.unique("jane")
		_, phone, _ := acme.joinWithApp(ctx, "jane", "developer", jane)
		annotateNow(ctx, resets, "account", jane)
		Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
		browser := newPage()
		browser.open(acme.resetLinks("jane")[0])
		Expect(browser.text()).To(ContainSubstring("Your second factor stays the same, and you still need it to sign in."))
		chosen := newPassword()
		browser.fill("new-password", chosen)
		browser.fill("new-password-again", chosen)
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("You still need your second factor for that."))

		browser.signIn(jane, chosen)
		Expect(browser.path()).To(Equal("/sign-in/code"))
		browser.open(usher.url + "/account")
		Expect(browser.path()).To(Equal("/sign-in/code"))
		browser.fill("code", phone.nextCode())
		browser.click(sendCode)
		Expect(browser.path()).To(Equal("/account"))
	})
})

var _ = Describe("A member who has forgotten their user name", func() {
	It("gets a mail with all user names of the address, and reads whom to ask for help", Label("B4", "B11"), func(ctx SpecContext) {
		const support = "supportContact: help@acme.example"
		acme, other := newTenant(ctx, support), newTenant(ctx, support)
		jane, doe := acme.unique("jane"), acme.unique("doe")
		acme.join(ctx, "jane", "developer", jane)
		status, body := newVisitor().post(ctx, other.inviteAlso(ctx, acme, "jane", "developer"), acceptance(doe, newPassword()))
		Expect(status).To(Equal(http.StatusOK), body)
		Eventually(accountState).WithArguments(ctx, doe).Should(Equal("Active"))

		browser := newPage()
		browser.open(usher.url + "/sign-in?organization=" + acme.name)
		Expect(browser.text()).To(ContainSubstring("Need help? Contact Acme Rocket Works: help@acme.example"))
		browser.click(".forgotten li:last-child a")
		Expect(browser.path()).To(Equal("/user-names"))
		Expect(browser.text()).To(ContainSubstring("help@acme.example"))

		browser.fill("address", jane)
		browser.submit()
		Expect(browser.textOf("address-problem")).To(ContainSubstring("Enter a complete email address"))
		browser.fill("address", acme.email("jane"))
		browser.submit()
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		Expect(browser.text()).To(And(
			ContainSubstring("If there is an account with that address, we have emailed its user names to it."),
			ContainSubstring("help@acme.example"), Not(ContainSubstring(jane))))
		Expect(acme.mail("jane", "Your user names").Text).To(And(
			ContainSubstring("- "+jane), ContainSubstring("- "+doe), ContainSubstring(usher.url+"/sign-in"), ContainSubstring("help@acme.example")))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("reads the same for an unknown address, which gets no mail", Label("B4"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		var read []string
		for _, name := range []string{"jane", "unknown"} {
			status, body := newVisitor().post(ctx, usher.url+"/user-names", url.Values{"address": {acme.email(name)}})
			Expect(status).To(Equal(http.StatusOK))
			read = append(read, body)
		}
		Expect(read[1]).To(Equal(read[0]))
		acme.mail("jane", "Your user name")
		Expect(acme.subjects("unknown")).To(BeEmpty())
	})
})
