// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("An account under password guessing", func() {
	It("is locked by the fifth failed sign-in, even for the right password, and unlocked by a password reset to the address on file",
		Label("B2"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)
			acme.mail("jane", welcomed)
			victim := newPage()
			victim.mustSignIn(jane, password)

			By("trying five passwords")
			guess(ctx, jane, 4)
			Expect(accountState(ctx, jane)).To(Equal("Active"))
			browser := newPage()
			browser.signIn(jane, newPassword())
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			wrong := browser.text()

			By("trying the right password, which gets the same answer")
			browser.signIn(jane, password)
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.text()).To(Equal(wrong))
			victim.open(usher.url + "/account")
			Expect(victim.path()).To(Equal("/account"), "a lock ends no session")

			By("getting one mail about it")
			Eventually(accountState).WithArguments(ctx, jane).Should(Equal("Locked"))
			Expect(condition(ctx, "Locked", "account", jane)).To(Equal("True TooManyFailures"))
			Expect(acme.mail("jane", lockedMailed).Text).To(And(
				ContainSubstring("for the user name "+jane), ContainSubstring("none of these attempts succeeded"), ContainSubstring(usher.url+"/reset")))
			guess(ctx, jane, 1)

			By("following the link on the page")
			browser.click(".problems a")
			Expect(browser.path()).To(Equal("/reset"))
			browser.fill("sign-in-name", jane)
			browser.submit()
			Expect(browser.text()).To(And(ContainSubstring("Check your email"), Not(ContainSubstring(acme.email("jane")))))
			Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
			browser.open(acme.resetLinks("jane")[0])
			chosen := newPassword()
			browser.fill("new-password", chosen)
			browser.fill("new-password-again", chosen)
			browser.submit()
			Expect(browser.text()).To(ContainSubstring("Your password has been changed"))

			By("signing in with the new password")
			browser.mustSignIn(jane, chosen)
			Eventually(accountState).WithArguments(ctx, jane).Should(Equal("Active"))
			Expect(condition(ctx, "Locked", "account", jane)).To(Equal("False NotLocked"))
			Eventually(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed, lockedMailed, resetMailed, passwordMailed))
			Expect(browser.browserErrors()).To(BeEmpty())
		})

	It("does not lock out its owner in a browser that the owner has signed in with before", Label("B2"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		browser, other := newPage(), newPage()
		browser.mustSignIn(jane, password)
		browser.click(signOut)
		guess(ctx, jane, 5)
		other.signIn(jane, password)
		Expect(other.text()).To(ContainSubstring(notLetIn))
		browser.mustSignIn(jane, password)
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("is locked earlier if one of its organizations sets a lower limit", Label("B2"), func(ctx SpecContext) {
		acme := newTenant(ctx, "signIn: {maxFailures: 3}")
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		guess(ctx, jane, 2)
		newPage().mustSignIn(jane, password)
		guess(ctx, jane, 3)
		browser := newPage()
		browser.signIn(jane, password)
		Expect(browser.text()).To(ContainSubstring(notLetIn))
	})

	It("is unlocked by an admin who annotates the Account, or a Membership of an Organization that they manage",
		Label("B2", "D7"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)
			for _, object := range [][]string{{"membership", "jane", "-n", acme.name}, {"account", jane}} {
				locked(ctx, jane, 5)
				browser := newPage()
				browser.signIn(jane, password)
				Expect(browser.text()).To(ContainSubstring(notLetIn))
				annotateNow(ctx, unlocks, object...)
				Eventually(accountState).WithArguments(ctx, jane).Should(Equal("Active"))
				browser.mustSignIn(jane, password)
				// The annotation would also end the next lock, which is dated one
				// minute back.
				kubectl(ctx, append([]string{"annotate"}, append(object, unlocks+"-")...)...)
			}
		})

	It("is neither unlocked nor reset by managers of one organization if the person owns another",
		Label("B2", "D7"), func(ctx SpecContext) {
			acme, other := newTenant(ctx, company), newTenant(ctx, company)
			jane := other.unique("jane")
			password := other.join(ctx, "jane", "owner", jane)
			acme.add(ctx, other, "jane", "developer", jane, password)
			locked(ctx, jane, 5)

			for _, asked := range []string{unlocks, resets} {
				annotateNow(ctx, asked, "membership", "jane", "-n", acme.name)
				Eventually(condition).WithArguments(ctx, "RequestBlocked", "account", jane).Should(Equal("True OwnerElsewhere"))
				Eventually(kubectl).WithArguments(ctx, "get", "account", jane, "-o", `jsonpath={.status.conditions[?(@.type=="RequestBlocked")].message}`).
					Should(And(ContainSubstring("Membership "+acme.name+"/jane has a blocked request by annotation "+asked), ContainSubstring("Only a cluster admin can make this request")))
				Eventually(kubectl).WithArguments(ctx, "get", "events", "-n", acme.name).Should(And(ContainSubstring("OwnerElsewhere"), ContainSubstring(asked)))
				kubectl(ctx, "annotate", "membership", "jane", "-n", acme.name, asked+"-")
				Eventually(condition).WithArguments(ctx, "RequestBlocked", "account", jane).Should(BeEmpty())
			}
			Expect(accountState(ctx, jane)).To(Equal("Locked"))
			Expect(other.resetLinks("jane")).To(BeEmpty())

			By("asking as the cluster admin")
			annotateNow(ctx, unlocks, "account", jane)
			Eventually(accountState).WithArguments(ctx, jane).Should(Equal("Active"))
			newPage().mustSignIn(jane, password)
		})
})
