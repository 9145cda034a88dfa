// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A password", func() {
	It("is changed by typing the current password and the new one twice; that ends every other session and sends a mail",
		Label("B1"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)
			acme.mail("jane", welcomed)
			browser, elsewhere := newPage(), newPage()
			elsewhere.mustSignIn(jane, password)
			browser.mustSignIn(jane, password)
			change := func(current, chosen, again string) {
				browser.fill("current-password", current)
				browser.fill("new-password", chosen)
				browser.fill("new-password-again", again)
				browser.submit()
			}

			By("being shown the problems")
			chosen := newPassword()
			browser.click("main a[href*='/account/password']")
			change(newPassword(), chosen, chosen)
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.textOf("current-password-problem")).To(ContainSubstring("That is not your current password."))
			change(password, chosen, newPassword())
			Expect(browser.textOf("new-password-again-problem")).To(ContainSubstring("The two passwords don't match"))
			change(password, "rocketworks", "rocketworks")
			Expect(browser.textOf("new-password-problem")).To(ContainSubstring("at least 15 characters"))
			Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed))

			By("correcting the form")
			change(password, chosen, chosen)
			Expect(browser.path()).To(Equal("/account"))
			Expect(browser.text()).To(And(ContainSubstring("Your password has been changed. All other sessions were ended."), ContainSubstring("usher:"+jane)))
			elsewhere.open(usher.url + "/account")
			Expect(elsewhere.path()).To(Equal("/sign-in"))
			Expect(acme.mail("jane", passwordMailed).Text).To(And(
				ContainSubstring("The password for the user name "+jane+" was changed."), ContainSubstring(usher.url+"/reset")))

			By("signing in elsewhere")
			elsewhere.signIn(jane, password)
			Expect(elsewhere.text()).To(ContainSubstring(notLetIn))
			elsewhere.mustSignIn(jane, chosen)
			Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed, passwordMailed))
			Expect(browser.browserErrors()).To(BeEmpty())
		})
})
