// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/base64"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An invitation that an admin delivers manually", func() {
	It("is a link in a Secret, which is deleted after the link is used", Label("E4", "E1", "K4", "K7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		apply(ctx, acme.membership("jane", "developer", "delivery: [Link]"))
		kubectl(ctx, "wait", "--for=condition=Ready", "membership/jane", "-n", acme.name, "--timeout=20s")
		encoded := kubectl(ctx, "get", "secret", "jane-link", "-n", acme.name, "-o", "jsonpath={.data.link}")
		link, err := base64.StdEncoding.DecodeString(encoded)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(link)).To(HavePrefix(usher.url + "/invitation/"))
		Expect(acme.subjects("jane")).To(BeEmpty())

		browser := newPage()
		browser.open(string(link))
		Expect(browser.status).To(BeEquivalentTo(http.StatusOK))
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Eventually(kubectl).WithArguments(ctx, "get", "secrets", "-n", acme.name, "-o", "name").ShouldNot(ContainSubstring("link"))
		acme.mail("jane", welcomed)
	})

	It("is also mailed if the manifest requests both, with the same link", Label("E4"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		mailed := acme.invite(ctx, "jane", "developer", "delivery: [Email, Link]")
		kubectl(ctx, "wait", "--for=condition=Ready", "membership/jane", "-n", acme.name, "--timeout=20s")
		encoded := kubectl(ctx, "get", "secret", "jane-link", "-n", acme.name, "-o", "jsonpath={.data.link}")
		Expect(base64.StdEncoding.DecodeString(encoded)).To(BeEquivalentTo(mailed))
	})
})

var _ = Describe("The language", func() {
	It("is that of the invitation, in the mail, on the page, and when it is sent again; on the page it can be changed",
		Label("E5", "E7"), func(ctx SpecContext) {
			acme := newTenant(ctx, "language: fr")
			const invito = "Invito a far parte dell'organizzazione Acme Rocket Works"
			link := acme.invite(ctx, "jane", "developer", "language: it")
			Expect(acme.subjects("jane")).To(HaveExactElements(invito))
			Expect(mailbox.For(acme.email("jane"))[0].Text).To(ContainSubstring("Ada Example La invita"))
			link2 := acme.resend(ctx, "jane")
			Expect(link2).NotTo(Equal(link))
			Expect(acme.subjects("jane")).To(HaveExactElements(invito, invito))

			browser := newPage(withoutScript())
			browser.open(link2)
			Expect(browser.language()).To(Equal("it"))
			Expect(browser.text()).To(And(ContainSubstring("Si unisca all'organizzazione Acme Rocket Works"), ContainSubstring("Crea account")))

			By("choosing another language, which keeps the page and the chosen user name")
			browser.click(".proposals li:last-child a")
			chosen := browser.value("user-name")
			browser.click("a[hreflang=de]")
			Expect(browser.language()).To(Equal("de"))
			Expect(browser.text()).To(ContainSubstring("Acme Rocket Works beitreten"))
			Expect(browser.value("user-name")).To(Equal(chosen))
			browser.click(toDecline)
			Expect(browser.language()).To(Equal("de"))
			browser.click("a[hreflang=es]")
			Expect(browser.language()).To(Equal("es"))
			Expect(browser.evaluate("location.pathname")).To(HaveSuffix("/decline"))
			browser.click("form p a")

			By("reading the problems of the form in that language, and the welcome mail in that of the invitation")
			browser.submit()
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.language()).To(Equal("es"))
			Expect(browser.textOf("password-problem")).To(ContainSubstring("contraseña"))
			browser.fillIn(acme.unique("jane"), newPassword())
			browser.submit()
			Expect(browser.language()).To(Equal("es"))
			acme.mail("jane", "Le diamo il benvenuto nell'organizzazione Acme Rocket Works")
		})

	It("is that of the Organization if the invitation has none", Label("E5"), func(ctx SpecContext) {
		acme := newTenant(ctx, "language: de")
		link := acme.invite(ctx, "jane", "developer")
		Expect(acme.subjects("jane")).To(HaveExactElements(ContainSubstring("Einladung")))
		_, page := newVisitor().get(ctx, http.MethodGet, link)
		Expect(page).To(ContainSubstring(`<html lang="de">`))
	})
})

// language returns the language of the page.
func (p *page) language() string {
	GinkgoHelper()
	return p.evaluate("document.documentElement.lang")
}
