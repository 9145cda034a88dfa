// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"regexp"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A member who has accepted", func() {
	It("follows the mail to the sign-in page, reads their names and permissions, and signs out permanently",
		Label("A9", "B7", "D8"), func(ctx SpecContext) {
			acme := newTenant(ctx, "supportContact: help@acme.example")
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)

			By("reading the mail")
			mail := acme.mail("jane", welcomed)
			Expect(mail.Text).To(And(
				ContainSubstring("User name: "+jane),
				ContainSubstring("Sign-in email: "+acme.email("jane")),
				ContainSubstring("Sign in here with your user name or email address and your password:"),
			))
			link := regexp.MustCompile(`https://\S+/sign-in\S*`).FindString(mail.Text)
			Expect(link).To(HavePrefix(usher.url))

			By("signing in with the user name")
			browser := newPage()
			browser.open(link)
			browser.fill("sign-in-name", jane)
			browser.fill("sign-in-password", password)
			browser.click(signIn)
			Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
			Expect(browser.path()).To(Equal("/account"))
			Expect(browser.text()).To(And(
				ContainSubstring(jane), ContainSubstring("Jane Doe"), ContainSubstring(acme.email("jane")), ContainSubstring("usher:"+jane),
				ContainSubstring("Acme Rocket Works"), ContainSubstring("Developer"), ContainSubstring("Deploy applications in Staging"),
				ContainSubstring("help@acme.example"),
			))
			session := browser.session()

			By("signing out, which neither going back nor a copy of the cookie undoes")
			browser.click(signOut)
			Expect(browser.text()).To(ContainSubstring("You are signed out."))
			browser.navigate(chromedp.Evaluate[chromedp.Void]("history.back()"))
			Expect(browser.path()).To(Equal("/sign-in"))
			browser.open(usher.url + "/account")
			Expect(browser.path()).To(Equal("/sign-in"))
			_, body := newVisitor().get(ctx, http.MethodGet, usher.url+"/account", session)
			Expect(body).To(And(ContainSubstring("Sign in"), Not(ContainSubstring(jane))))

			By("signing in with the address")
			browser.mustSignIn(acme.email("jane"), password)
			Expect(browser.text()).To(ContainSubstring("usher:" + jane))
			Expect(browser.browserErrors()).To(BeEmpty())
		})

	It("reads the same for a wrong password as for an unknown name", Label("B7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		browser := newPage()
		var read []string
		for _, name := range []string{acme.unique("jane"), acme.email("jane"), acme.unique("unknown"), "unknown@example.com", "Not A Name!"} {
			browser.signIn(name, newPassword())
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.path()).To(Equal("/sign-in"))
			Eventually(browser.focused).Should(Equal("problems"))
			Expect(browser.value("sign-in-name")).To(Equal(name))
			Expect(browser.value("sign-in-password")).To(BeEmpty())
			read = append(read, browser.text())
		}
		Expect(read[0]).To(And(ContainSubstring(notLetIn), ContainSubstring("You can confirm your email address and choose a new password.")))
		Expect(read).To(HaveEach(read[0]))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("sees their sessions, and signs out everywhere", Label("B7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		office, home := newPage(), newPage(withoutScript())
		home.mustSignIn(jane, password)
		office.mustSignIn(jane, password)
		sessions := func() string { return office.evaluate("String(document.querySelectorAll('.sessions li').length)") }
		Expect(sessions()).To(Equal("2"))
		Expect(office.text()).To(ContainSubstring("(this browser)"))

		By("ending the other session")
		office.click(".sessions li:not(:has(strong)) button")
		Expect(office.text()).To(ContainSubstring("The session was ended."))
		Expect(sessions()).To(Equal("1"))
		home.open(usher.url + "/account")
		Expect(home.path()).To(Equal("/sign-in"))

		By("ending all sessions")
		home.mustSignIn(jane, password)
		office.click("form:has(input[value=all]) button")
		Expect(office.path()).To(Equal("/sign-in"))
		for _, browser := range []*page{office, home} {
			browser.open(usher.url + "/account")
			Expect(browser.path()).To(Equal("/sign-in"))
		}
		Expect(acme.state(ctx, "jane")).To(Equal(accountsv1.MembershipActive))
		Expect(office.browserErrors()).To(BeEmpty())
	})
})
