// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	_ "embed"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// axe finds barriers for people who use a page:
// https://github.com/dequelabs/axe-core.
//
//go:embed axe/axe.min.js
var axe string

// The specs visit every page of the portal, with and without possible errors on it.
// The last spec checks that none was left out.
var _ = Describe("People of all abilities can use", Ordered, ContinueOnFailure, func() {
	seen := map[string]bool{}
	// look checks a page that is rendered from the named template.
	look := func(p *page, template string) {
		GinkgoHelper()
		seen[template] = true
		p.expectAccessible()
	}

	It("the page of an invitation, and the pages that follow", Label("C7"), func(ctx SpecContext) {
		acme := newTenant(ctx, "addressMatch: AnyAddress", "qualifier: acme")
		link := acme.invite(ctx, "jane", "developer")
		browser := newPage()
		browser.open(link)
		look(browser, "invitation")
		browser.fillIn("Not A Name", "too short")
		browser.submit()
		look(browser, "invitation")
		browser.fill("sign-in-name", "unknown")
		browser.fill("sign-in-password", newPassword())
		browser.click(signIn)
		Expect(browser.textOf("sign-in-name-problem")).NotTo(BeEmpty())
		look(browser, "invitation")

		browser.tick("#other-address summary")
		browser.fill("email", "unknown")
		browser.click(mailCode)
		Expect(browser.textOf("email-problem")).NotTo(BeEmpty())
		look(browser, "invitation")
		browser.fill("email", acme.email("home"))
		browser.click(mailCode)
		look(browser, "invitation")
		browser.fill("code", wrong(codeIn(acme.mail("home", codeMailed))))
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.textOf("code-problem")).NotTo(BeEmpty())
		look(browser, "invitation")

		browser.click(toDecline)
		look(browser, "decline")
		browser.submit()
		Expect(browser.textOf("decline-problem")).NotTo(BeEmpty())
		look(browser, "decline")
		browser.open(link)
		browser.tick("input[name=address-choice][value=invited]")
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		look(browser, "done")
		for _, address := range []string{link, flip(link), usher.url + "/nothing"} {
			browser.open(address)
			look(browser, "message")
		}
	})

	It("the pages to sign in, and to recover a password or user name", func(ctx SpecContext) {
		acme := newTenant(ctx, "supportContact: help@acme.example")
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		at := func(path string) string { return usher.url + path + "?organization=" + acme.name }
		browser := newPage()
		browser.open(at("/sign-in"))
		look(browser, "signin")
		browser.submit()
		Expect(browser.textOf("sign-in-name-problem")).NotTo(BeEmpty())
		look(browser, "signin")
		browser.signIn(acme.unique("jane"), newPassword())
		look(browser, "signin")

		for path, template := range map[string]string{"/reset": "reset", "/user-names": "usernames"} {
			browser.open(at(path))
			look(browser, template)
			browser.submit()
			Expect(browser.textOf("problems")).NotTo(BeEmpty())
			look(browser, template)
			browser.do(chromedp.Focus(chromedp.CSS("main input")))
			browser.press(acme.email("jane"))
			browser.submit()
			look(browser, "resetmessage")
		}
		Eventually(acme.resetLinks).WithArguments("jane").Should(HaveLen(1))
		link := acme.resetLinks("jane")[0]
		browser.open(flip(link))
		look(browser, "resetmessage")
		browser.open(link)
		look(browser, "resetform")
		browser.submit()
		Expect(browser.textOf("new-password-problem")).NotTo(BeEmpty())
		look(browser, "resetform")
		chosen := newPassword()
		browser.fill("new-password", chosen)
		browser.fill("new-password-again", chosen)
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your password has been changed"))
		look(browser, "resetmessage")
		browser.open(link)
		look(browser, "resetmessage")
	})

	It("the pages about second factors", Label("A10"), func(ctx SpecContext) {
		acme := newTenant(ctx, required)
		jane := acme.unique("jane")
		browser := newPage(withPasskeys())
		browser.open(acme.invite(ctx, "jane", "developer"))
		look(browser, "invitation")
		phone, password := browser.scan(), newPassword()
		browser.fillIn(jane, password)
		browser.submit()
		Expect(browser.textOf("app-code-problem")).NotTo(BeEmpty())
		look(browser, "invitation")
		browser.fillIn(jane, password)
		browser.fill("app-code", phone.code())
		browser.submit()
		Expect(browser.recoveryCodes()).To(HaveLen(10))
		look(browser, "done")

		browser.signIn(jane, password)
		look(browser, "code")
		browser.submit()
		Expect(browser.textOf("code-problem")).NotTo(BeEmpty())
		look(browser, "code")
		browser.fill("code", phone.nextCode())
		browser.click(sendCode)
		look(browser, "account")
		browser.click("main a[href*='/second-factor']")
		look(browser, "secondfactor")
		browser.click("form[action*='/second-factor/app'] button[type=submit]")
		look(browser, "secondfactorapp")
		browser.submit()
		Expect(browser.textOf("code-problem")).NotTo(BeEmpty())
		look(browser, "secondfactorapp")

		browser.open(usher.url + "/account/second-factor")
		browser.click("#passkey-add button[type=submit]")
		look(browser, "secondfactor")
		browser.tick("details:has(form[action*='/recovery-codes']) summary")
		browser.click("form[action*='/recovery-codes'] button[type=submit]")
		Expect(browser.recoveryCodes()).To(HaveLen(10))
		look(browser, "recoverycodes")

		By("having signed in long ago")
		acme.age(ctx, jane, 11*time.Minute)
		for _, form := range []string{"/app/remove", "/passkey/remove", "/recovery-codes"} {
			browser.open(usher.url + "/account/second-factor")
			browser.tick("details:has(form[action*='" + form + "']) summary")
			look(browser, "secondfactor")
			browser.click("form[action*='" + form + "'] button[type=submit]")
			Expect(browser.textOf("current-password-problem")).NotTo(BeEmpty())
			look(browser, "secondfactor")
		}
	})

	It("the pages of an account", func(ctx SpecContext) {
		acme, other := newTenant(ctx, company), newTenant(ctx, company)
		ada := acme.unique("ada")
		password := acme.join(ctx, "ada", "owner", ada)
		other.add(ctx, acme, "ada", "developer", ada, password)
		browser := newPage()
		browser.mustSignIn(ada, password)
		look(browser, "account")
		browser.click(toLeave + "[href*='" + acme.name + "']")
		look(browser, "leave")
		browser.open(usher.url + "/account")
		browser.click(toLeave + "[href*='" + other.name + "']")
		look(browser, "leave")
		browser.submit()
		look(browser, "account")
		browser.click("main a[href*='/account/password']")
		look(browser, "password")
		browser.submit()
		Expect(browser.textOf("current-password-problem")).NotTo(BeEmpty())
		look(browser, "password")

		By("being asked to set up a second factor")
		apply(ctx, acme.manifest(company, required))
		Eventually(condition).WithArguments(ctx, "TwoFactorMissing", "membership", "ada", "-n", acme.name).Should(Equal("True GracePeriod"))
		browser.open(usher.url + "/account")
		Expect(browser.text()).To(ContainSubstring("Your organization requires a second factor."))
		look(browser, "account")
		browser.open(usher.url + "/account/second-factor")
		look(browser, "secondfactor")
		browser.click(signOut)
		look(browser, "signin")
	})

	It("the page of an invitation with an existing account", Label("E7"), func(ctx SpecContext) {
		acme, same, another := newTenant(ctx, company), newTenant(ctx, company), newTenant(ctx)
		strict := newTenant(ctx, company, required)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		browser := newPage(withPasskeys())
		browser.open(another.inviteAlso(ctx, acme, "jane", "observer"))
		browser.fill("sign-in-name", jane)
		browser.fill("sign-in-password", password)
		browser.click(signIn)
		Expect(browser.text()).To(ContainSubstring("belongs to a different company"))
		look(browser, "invitation")
		browser.open(strict.inviteAlso(ctx, acme, "jane", "observer"))
		Expect(browser.text()).To(ContainSubstring("requires a second factor, and this account has none"))
		look(browser, "invitation")

		browser.open(usher.url + "/account/second-factor")
		browser.click("#passkey-add button[type=submit]")
		Expect(browser.recoveryCodes()).To(HaveLen(10))
		browser.click(signOut)
		browser.open(same.inviteAlso(ctx, acme, "jane", "observer"))
		browser.fill("sign-in-name", jane)
		browser.fill("sign-in-password", password)
		browser.click(signIn)
		Expect(browser.text()).To(ContainSubstring(nextStep))
		look(browser, "invitation")
		browser.click("form[action*='/code'] button[type=submit]")
		Expect(browser.textOf("sign-in-code-problem")).NotTo(BeEmpty())
		look(browser, "invitation")
		browser.click(usePasskey)
		Expect(browser.text()).To(ContainSubstring("Accept with this account"))
		look(browser, "invitation")
		browser.click(acceptWithIt)
		Expect(browser.text()).To(ContainSubstring("You're in"))
		look(browser, "done")
	})

	It("the page that confirms an address, with each way to get there", Label("E4"), func(ctx SpecContext) {
		acme, same := newTenant(ctx, company), newTenant(ctx, company)
		jane, password := acme.unique("jane"), newPassword()
		status, body := newVisitor().post(ctx, acme.handOver(ctx, acme.email("jane")), acceptance(jane, password))
		Expect(status).To(Equal(http.StatusOK), body)
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		browser := newPage()
		browser.mustSignIn(jane, password)
		Expect(browser.text()).To(ContainSubstring("Not confirmed yet"))
		look(browser, "account")
		browser.open(same.handOver(ctx, acme.email("jane")))
		Expect(browser.text()).To(ContainSubstring("We don't know yet whether email to"))
		look(browser, "invitation")

		browser.click("section .problems a")
		look(browser, "email")
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("8-digit code"))
		look(browser, "email")
		browser.submit()
		Expect(browser.textOf("code-problem")).NotTo(BeEmpty())
		look(browser, "email")
		browser.fill("code", codeIn(acme.mail("jane", addressCodeMailed)))
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your email address is confirmed."))
		look(browser, "account")
	})

	It("the pages to sign in to the cluster, and to sign out", Label("S2", "S7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		browser := newPage()
		browser.open(front.url + "/oauth2/authorize")
		Expect(browser.text()).To(ContainSubstring("This request is not valid"))
		look(browser, "message")
		browser.open(front.url + "/oauth2/authorize?" + url.Values{
			"client_id": {"kubectl"}, "redirect_uri": {"http://127.0.0.1:8000/"}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"},
		}.Encode())
		Expect(browser.text()).To(ContainSubstring("Sign in to continue to kubectl."))
		look(browser, "signin")
		browser.signIn(jane, password)
		Expect(browser.text()).To(ContainSubstring("You are signing in to kubectl"))
		look(browser, "client")
		browser.open(front.url + "/account")
		Expect(browser.text()).To(ContainSubstring("You were signing in to kubectl."))
		look(browser, "account")
		browser.click("main a[href*='/connect']")
		look(browser, "connect")

		By("approving a device")
		browser.open(front.url + "/device")
		look(browser, "device")
		browser.fill("code", "wrong")
		browser.submit()
		Expect(browser.textOf("code-problem")).NotTo(BeEmpty())
		look(browser, "device")
		_, asked := newVisitor().post(ctx, front.url+"/oauth2/device_authorization", url.Values{"client_id": {"kubectl"}, "scope": {"openid"}})
		browser.fill("code", userCode.FindString(asked))
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Approve a device"))
		look(browser, "device")
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("The device is approved"))
		look(browser, "device")

		By("signing out")
		browser.open(front.url + "/sign-out")
		look(browser, "signout")
		browser.submit()
		look(browser, "signin")
		browser.open(front.url + "/sign-in/client")
		look(browser, "message")
	})

	It("every page of the portal", func() {
		files, err := filepath.Glob(filepath.Join(root, "internal", "portal", "pages", "*.html"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			Expect(seen).To(HaveKey(strings.TrimSuffix(filepath.Base(file), ".html")))
		}
	})
})

// expectAccessible fails if anything on the page is a barrier, in light and dark mode,
// on a desktop and on a phone.
func (p *page) expectAccessible() {
	GinkgoHelper()
	p.do(onDesk(660, 900), inScheme("light"))
	Expect(p.violations()).To(BeEmpty(), "%s in light", p.path())
	p.do(inScheme("dark"))
	Expect(p.violations()).To(BeEmpty(), "%s in dark", p.path())
	p.do(onPhone(320, 700), inScheme("light"))
	Expect(p.violations()).To(BeEmpty(), "%s on a phone", p.path())
	Expect(p.overflow()).To(Equal("0"), p.path())
	Expect(p.browserErrors()).To(BeEmpty(), p.path())
	p.do(onDesk(660, 900))
}

// violations returns what axe finds on the page as shown, one line each.
func (p *page) violations() string {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](`
		if (!window.axe) { `+axe+` }
		axe.run({ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } }).then(result =>
			result.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html + ' ' + n.failureSummary)).join('\n'))`,
		chromedp.EvalAwaitPromise))
	Expect(err).NotTo(HaveOccurred())
	return found
}

// age makes sessions of a person older than they are.
func (t tenant) age(ctx context.Context, userName string, by time.Duration) {
	GinkgoHelper()
	var owner accountsv1.Account
	Expect(admin.Get(ctx, client.ObjectKey{Name: userName}, &owner)).To(Succeed())
	secrets := t.credentials(ctx)
	Expect(secrets).To(HaveLen(1))
	credentials, err := account.ReadCredentials(&secrets[0])
	Expect(err).NotTo(HaveOccurred())
	for i, session := range credentials.Sessions {
		credentials.Sessions[i].StartTime = session.StartTime.Add(-by)
	}
	Expect(credentials.WriteTo(&secrets[0], &owner)).To(Succeed())
	Expect(admin.Update(ctx, &secrets[0])).To(Succeed())
}
