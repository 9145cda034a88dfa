// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A user name", func() {
	It("has the qualifier of the Organization on every page and in every mail", Label("A3", "A9"), func(ctx SpecContext) {
		acme := newTenant(ctx, "qualifier: acme")
		browser := newPage()
		browser.open(acme.invite(ctx, "jane", "developer"))
		Expect(browser.text()).To(ContainSubstring("A slash and acme are added to it. You sign in with the full name."))
		Expect(browser.evaluate("document.querySelector('.qualifier').innerText")).To(Equal("/acme"))
		Expect(browser.value("user-name")).To(Equal("jane-doe"))
		browser.fill("user-name", "jane-doe")
		Eventually(browser.textOf).WithArguments("user-name-status").Should(Equal("jane-doe/acme is available."))

		browser.fillIn("jane-doe", newPassword())
		browser.submit()
		Expect(browser.text()).To(And(
			ContainSubstring("Your account is ready"), ContainSubstring("jane-doe/acme"), ContainSubstring("usher:jane-doe.acme")))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Expect(acme.accounts(ctx, "jane")).To(HaveExactElements("jane-doe.acme"))
		Eventually(mayThey).WithArguments(ctx, "jane-doe.acme", "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
		Expect(mayThey(ctx, "jane-doe", "create", "deployments.apps", acme.staging())).To(Equal("no"))
		Expect(acme.mail("jane", welcomed).Text).To(And(ContainSubstring("jane-doe/acme"), ContainSubstring("usher:jane-doe.acme")))
	})

	It("is proposed in Latin letters, and neither equals nor resembles another person's", Label("A3"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		apply(ctx, acme.membershipOf("Иван", "Петров", "ivan", acme.email("ivan"), "developer"))
		link := acme.mailedLink("ivan")
		browser := newPage()
		browser.open(link)
		Expect(browser.proposals()).To(ContainElements("ivan-petrov", "ivan"))
		Expect(browser.value("user-name")).To(Equal("ivan-petrov"))

		By("seeing another person take a name that looks like it")
		acme.join(ctx, "john", "observer", "lvan-petrov")
		Eventually(func(g Gomega) {
			browser.open(link)
			g.Expect(browser.proposals()).To(And(Not(BeEmpty()), Not(ContainElement("ivan-petrov"))))
		}).Should(Succeed())
		browser.fillIn("ivan-petrov", newPassword())
		Eventually(browser.textOf).WithArguments("user-name-status").Should(ContainSubstring("This user name, or one that looks like it, is already taken"))
		browser.submit()
		Expect(browser.textOf("user-name-problem")).To(ContainSubstring("This user name, or one that looks like it, is already taken. Choose another."))

		By("typing letters that only look Latin")
		browser.fillIn(strings.Replace("ivan", "a", "а", 1), newPassword())
		browser.submit()
		Expect(browser.textOf("user-name-problem")).To(ContainSubstring("The letter а looks like the Latin a, but it isn't"))
		Expect(acme.accounts(ctx, "ivan")).To(BeEmpty())
	})

	It("never imitates an administrator, even for a person with such a name", Label("A3"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		apply(ctx, acme.membershipOf("Admin", "Admin", "admin", acme.email("admin"), "developer"))
		browser := newPage()
		browser.open(acme.mailedLink("admin"))
		Expect(browser.proposals()).To(And(Not(BeEmpty()), HaveEach(Not(HavePrefix("adm")))))
		for _, name := range []string{"admin", "Adm1n", "it-admin", "kube-system"} {
			browser.fillIn(name, newPassword())
			browser.submit()
			Expect(browser.textOf("user-name-problem")).To(ContainSubstring("reserved for the system and its administrators"), name)
		}
		Expect(acme.accounts(ctx, "admin")).To(BeEmpty())
	})
})

// proposals returns the user names that the page proposes.
func (p *page) proposals() []string {
	GinkgoHelper()
	return strings.Fields(p.evaluate("[...document.querySelectorAll('.proposals li')].map(e => e.innerText).join(' ')"))
}
