// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The page of an invitation", func() {
	It("works in a browser without JavaScript", Label("C7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		browser := newPage(withoutScript())
		browser.open(acme.invite(ctx, "jane", "developer"))
		Expect(browser.text()).NotTo(ContainSubstring("Show"), "that button is the script's")

		By("choosing a proposal, which is a link")
		proposal := browser.evaluate("[...document.querySelectorAll('.proposals a')].at(-1).innerText")
		browser.leave(chromedp.Click(chromedp.CSS(".proposals li:last-child a")))
		Expect(browser.value("user-name")).To(Equal(proposal))

		By("sending it half filled in")
		browser.fill("user-name", acme.unique("jane"))
		browser.submit()
		Expect(browser.beside("password-problem")).To(ContainSubstring("at least 15 characters"))
		Expect(browser.value("user-name")).To(Equal(acme.unique("jane")))

		By("sending it filled in")
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
	})

	It("can be used with the keyboard alone", Label("C7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		browser := newPage()
		browser.open(acme.invite(ctx, "jane", "developer"))

		browser.tabTo("user-name")
		browser.press(acme.unique("jane"))
		browser.tabTo("given-name")
		browser.press("Janet")
		browser.tabTo("family-name")
		browser.tabTo("password")
		browser.press("too short")
		browser.press(kb.Tab)
		Expect(browser.focused()).To(Equal("Show"))
		browser.press(" ")
		Expect(browser.evaluate("document.getElementById('password').type")).To(Equal("text"))
		browser.tabTo("password-again")
		browser.leave(enter())

		By("being led to what is wrong")
		Expect(browser.focused()).To(Equal("problems"))
		browser.press(kb.Tab)
		browser.do(enter())
		Expect(browser.focused()).To(Equal("password"))
		Expect(browser.value("given-name")).To(Equal("Janet"))

		password := newPassword()
		browser.press(password)
		browser.tabTo("password-again")
		browser.press(password)
		browser.press(kb.Tab)
		Expect(browser.focused()).To(Equal("Create account"))
		browser.leave(enter())
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Expect(browser.complained()).To(BeEmpty())
	})

	It("fits a telephone, and follows the light or dark of the system", Label("E7", "screenshots"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		pictures := map[string][]byte{}

		for _, width := range []int64{320, 390} {
			phone := newPage(onPhone(width), inScheme("light"))
			phone.open(link)
			Expect(phone.overflow()).To(Equal("0"), "at %d pixels", width)
			Expect(phone.complained()).To(BeEmpty())
			phone.pose()
			pictures["phone"] = phone.screenshot()
			phone.fillIn(acme.unique("jane"), "too short")
			phone.submit()
			Expect(phone.overflow()).To(Equal("0"), "with problems, at %d pixels", width)
		}
		backgrounds := map[string]string{}
		for _, scheme := range []string{"light", "dark"} {
			desk := newPage(chromedp.EmulateViewport(660, 1240), inScheme(scheme))
			desk.open(link)
			Expect(desk.overflow()).To(Equal("0"))
			backgrounds[scheme] = desk.evaluate("getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.body).backgroundColor")
			desk.pose()
			pictures[scheme] = desk.screenshot()
		}
		Expect(backgrounds["light"]).NotTo(Equal(backgrounds["dark"]))

		// make screenshots keeps them.
		if dir := os.Getenv("USHER_SCREENSHOTS"); dir != "" {
			Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
			for name, picture := range pictures {
				Expect(os.WriteFile(filepath.Join(dir, "acceptance-"+name+".png"), picture, 0o644)).To(Succeed())
			}
		}
	})
})

// pose puts what differs from run to run into words that do not, so that a
// picture changes only when the page does.
func (p *page) pose() {
	GinkgoHelper()
	p.evaluate(`
		document.querySelector('time').innerText = 'Saturday, 28 November 2026, 09:00 UTC';
		document.querySelector('footer strong').innerText = 'accounts.acme.example';
		for (const e of document.querySelectorAll('.facts dd')) e.innerHTML = e.innerHTML.replace(/@acme-\w+\./, '@acme.');
		''`)
	p.fill("user-name", "jane-doe")
	Eventually(p.beside).WithArguments("user-name-status").ShouldNot(BeEmpty())
	p.evaluate("document.activeElement.blur(); scrollTo(0, 0); ''")
}
