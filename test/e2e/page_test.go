// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

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
		Expect(browser.text()).NotTo(ContainSubstring("Show"), "the button needs the script")

		By("choosing a proposal, which is a link")
		proposal := browser.evaluate("[...document.querySelectorAll('.proposals a')].at(-1).innerText")
		browser.navigate(chromedp.Click(chromedp.CSS(".proposals li:last-child a")))
		Expect(browser.value("user-name")).To(Equal(proposal))

		By("sending the form half filled in")
		browser.fill("user-name", acme.unique("jane"))
		browser.submit()
		Expect(browser.textOf("password-problem")).To(ContainSubstring("at least 15 characters"))
		Expect(browser.value("user-name")).To(Equal(acme.unique("jane")))

		By("sending the form filled in")
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
		browser.navigate(enter())

		By("being led to the problem")
		// The browser sets the focus of a page when it first renders it, which can be
		// after the page has loaded.
		Eventually(browser.focused).Should(Equal("problems"))
		browser.press(kb.Tab)
		browser.do(enter())
		Eventually(browser.focused).Should(Equal("password"))
		Expect(browser.value("given-name")).To(Equal("Janet"))

		password := newPassword()
		browser.press(password)
		browser.tabTo("password-again")
		browser.press(password)
		browser.press(kb.Tab)
		Expect(browser.focused()).To(Equal("Create account"))
		browser.navigate(enter())
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	DescribeTable("fits a phone, and follows the light or dark mode of the system,", Label("E7", "screenshots"),
		func(ctx SpecContext, name string, arrive func(p *page, link string), send string) {
			acme := newTenant(ctx, "addressMatch: AnyAddress")
			pictures := map[string][]byte{}

			for _, width := range []int64{320, 390} {
				phone := newPage(onPhone(width, 844), inScheme("light"))
				arrive(phone, acme.invite(ctx, fmt.Sprintf("jane%d", width), "developer"))
				Expect(phone.overflow()).To(Equal("0"), "at %d pixels", width)
				Expect(phone.browserErrors()).To(BeEmpty())
				pictures["phone"] = phone.pose(onPhone, width)
				phone.click(send)
				Expect(phone.overflow()).To(Equal("0"), "with problems, at %d pixels", width)
				Expect(phone.textOf("problems")).NotTo(BeEmpty())
			}
			backgrounds := map[string]string{}
			for _, scheme := range []string{"light", "dark"} {
				desk := newPage(onDesk(660, 700), inScheme(scheme))
				arrive(desk, acme.invite(ctx, scheme, "developer"))
				Expect(desk.overflow()).To(Equal("0"))
				backgrounds[scheme] = desk.evaluate("getComputedStyle(document.documentElement).backgroundColor + getComputedStyle(document.body).backgroundColor")
				pictures[scheme] = desk.pose(onDesk, 660)
			}
			Expect(backgrounds["light"]).NotTo(Equal(backgrounds["dark"]))

			// The command make screenshots sets the variable to keep them.
			if dir := os.Getenv("USHER_SCREENSHOTS"); dir != "" {
				Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
				for variant, picture := range pictures {
					Expect(os.WriteFile(filepath.Join(dir, name+"-"+variant+".png"), picture, 0o644)).To(Succeed())
				}
			}
		},
		Entry("for accepting, with a new or an existing account", "acceptance", func(p *page, link string) {
			p.open(link)
		}, createAccount),
		Entry("for entering a code", "code", func(p *page, link string) {
			p.open(link)
			p.tick("#other-address summary")
			p.fill("email", "jane@home.example")
			p.click(mailCode)
		}, createAccount),
		Entry("for signing in", "sign-in", func(p *page, _ string) {
			p.open(usher.url + "/sign-in")
		}, "form[action^='/sign-in'] button[type=submit]"),
		Entry("for declining", "decline", func(p *page, link string) {
			p.open(link + "/decline")
			p.fill("reason", "I have moved to another team.")
		}, "button[type=submit]"),
	)
})

// pose replaces text that differs between runs with constant text, so that a picture
// changes only when the page does. The picture shows the whole page.
func (p *page) pose(screen func(width, height int64) action, width int64) []byte {
	GinkgoHelper()
	if p.evaluate("String(document.getElementById('user-name') !== null)") == "true" {
		p.fill("user-name", "jane-doe")
		Eventually(p.textOf).WithArguments("user-name-status").ShouldNot(BeEmpty())
	}
	p.evaluate(`
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (texts.nextNode()) {
			texts.currentNode.data = texts.currentNode.data
				.replace(/\w+@acme-\w+\./, 'jane.doe@acme.')
				.replace(/localhost:\d+/, 'accounts.acme.example')
				.replace(/\w+, \d+ \w+ \d{4}, \d\d:\d\d UTC/, 'Saturday, 28 November 2026, 09:00 UTC');
		}
		document.activeElement.blur();
		scrollTo(0, 0);
		''`)
	height, err := strconv.ParseInt(p.evaluate("String(document.documentElement.scrollHeight)"), 10, 64)
	Expect(err).NotTo(HaveOccurred())
	p.do(screen(width, height))
	return p.screenshot()
}
