// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/pquerna/otp/totp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// required makes an Organization require a second factor.
const required = "signIn: {twoFactor: Required}"

var _ = Describe("If a second factor is required,", func() {
	It("an invitation is accepted after an app is set up, and signing in requires its codes, or a recovery code",
		Label("A10"), func(ctx SpecContext) {
			acme := newTenant(ctx, required)
			jane := acme.unique("jane")
			browser := newPage()
			browser.open(acme.invite(ctx, "jane", "developer"))
			Expect(browser.text()).To(ContainSubstring("Acme Rocket Works requires a second factor in addition to your password."))
			phone := browser.scan()

			By("leaving the code out, and typing a wrong one")
			password := newPassword()
			browser.fillIn(jane, password)
			browser.submit()
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.textOf("app-code-problem")).To(ContainSubstring("Set up a second factor"))
			browser.fillIn(jane, password)
			browser.fill("app-code", wrong(phone.code()))
			browser.submit()
			Expect(browser.textOf("app-code-problem")).To(ContainSubstring("This isn't the code the app shows now for this QR code."))
			Expect(acme.state(ctx, "jane")).To(Equal(accountsv1.MembershipInvited))
			Expect(acme.accounts(ctx, "jane")).To(BeEmpty())
			Expect(browser.scan()).To(Equal(phone), "the QR code stays the same")

			By("typing the code that the app shows")
			used := phone.code()
			browser.fillIn(jane, password)
			browser.fill("app-code", used)
			browser.submit()
			Expect(browser.text()).To(And(ContainSubstring("Your account is ready"), ContainSubstring("The codes are shown now and never again.")))
			codes := browser.recoveryCodes()
			Expect(codes).To(HaveLen(10))
			Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
			Expect(condition(ctx, "TwoFactorMissing", "membership", "jane", "-n", acme.name)).To(BeEmpty())
			Eventually(condition).WithArguments(ctx, "TwoFactorEnrolled", "account", jane).Should(Equal("True Enrolled"))

			By("signing in, for which the password is not enough")
			browser.signIn(jane, password)
			Expect(browser.path()).To(Equal("/sign-in/code"))
			Expect(browser.text()).To(And(ContainSubstring(nextStep), ContainSubstring("You are signing in as "+jane)))
			browser.fill("code", used)
			browser.click(sendCode)
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.textOf("code-problem")).To(ContainSubstring("That code is incorrect or was already used."))
			browser.fill("code", phone.nextCode())
			browser.click(sendCode)
			Expect(browser.path()).To(Equal("/account"))
			Expect(browser.text()).To(ContainSubstring("Signing in requires more than your password."))

			By("signing in with a recovery code, which works once")
			browser.click(signOut)
			browser.signIn(jane, password)
			browser.fill("code", strings.ToLower(codes[3]))
			browser.click(sendCode)
			Expect(browser.text()).To(ContainSubstring("You used a recovery code, which no longer works. You have 9 left."))
			browser.click(signOut)
			browser.signIn(jane, password)
			browser.fill("code", codes[3])
			browser.click(sendCode)
			Expect(browser.textOf("code-problem")).To(ContainSubstring("That code is incorrect or was already used."))
			Expect(browser.browserErrors()).To(BeEmpty())
		})

	It("a member without one keeps their access for the grace period, and is led to set one up when they sign in",
		Label("A10"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
			apply(ctx, acme.manifest("signIn: {twoFactor: Required, twoFactorGraceSeconds: 86400}"))
			missing := func() string { return condition(ctx, "TwoFactorMissing", "membership", "jane", "-n", acme.name) }
			Eventually(missing).Should(Equal("True GracePeriod"))
			Expect(acme.state(ctx, "jane")).To(Equal(accountsv1.MembershipActive))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("yes"))

			By("being led to the page")
			browser := newPage()
			browser.signIn(jane, password)
			Expect(browser.path()).To(Equal("/account/second-factor"))
			Expect(browser.text()).To(ContainSubstring("Acme Rocket Works requires one. Without it, you lose your access there. Last day: "))

			By("setting up an app")
			browser.click("form[action*='/second-factor/app'] button[type=submit]")
			phone := browser.scan()
			browser.fill("code", wrong(phone.code()))
			browser.submit()
			Expect(browser.textOf("code-problem")).To(ContainSubstring("That isn't the code the app shows now."))
			browser.fill("code", phone.code())
			browser.submit()
			Expect(browser.text()).To(And(ContainSubstring("Your app is set up."), ContainSubstring("Your recovery codes")))
			Expect(browser.recoveryCodes()).To(HaveLen(10))
			Eventually(missing).Should(BeEmpty())
			Expect(acme.mail("jane", factorMailed).Text).To(ContainSubstring("A second factor for the user name " + jane + " was added or removed."))

			By("failing to remove it")
			browser.click("main section:last-of-type p:last-of-type a")
			Expect(browser.text()).To(ContainSubstring("Codes left: 10"))
			browser.tick("details:has(form[action*='/app/remove']) summary")
			browser.click("form[action*='/app/remove'] button[type=submit]")
			Expect(browser.status).To(BeEquivalentTo(http.StatusUnprocessableEntity))
			Expect(browser.text()).To(ContainSubstring("Acme Rocket Works requires a second factor. Add another one before you remove this one."))
			Expect(browser.browserErrors()).To(BeEmpty())
		})
})

// app is an authenticator app, represented by its secret.
type app struct{ secret string }

// scan reads the secret that the page shows into an app.
func (p *page) scan() app {
	GinkgoHelper()
	secret := strings.ReplaceAll(p.evaluate("document.querySelector('.typed').innerText"), " ", "")
	Expect(p.evaluate("document.querySelector('a[href^=otpauth]').href")).To(ContainSubstring("secret="+secret), "the link is for the same app")
	keepSecret(p.evaluate("document.querySelector('.typed').innerText"))
	return app{keepSecret(secret)}
}

// code returns the code that the app shows now.
func (a app) code() string { return a.codeAt(time.Now()) }

// nextCode returns the code that the app shows next. It is already valid. Because no
// code works twice, the specs would otherwise wait for half a minute.
func (a app) nextCode() string { return a.codeAt(time.Now().Add(30 * time.Second)) }

func (a app) codeAt(t time.Time) string {
	GinkgoHelper()
	code, err := totp.GenerateCode(a.secret, t)
	Expect(err).NotTo(HaveOccurred())
	return keepSecret(code)
}

// recoveryCodes returns the recovery codes that the page shows.
func (p *page) recoveryCodes() []string {
	GinkgoHelper()
	codes := strings.Fields(p.evaluate("[...document.querySelectorAll('.codes li')].map(e => e.innerText).join(' ')"))
	for _, code := range codes {
		keepSecret(code)
		keepSecret(strings.ReplaceAll(code, "-", ""))
	}
	return codes
}

// joinWithApp invites a person to an Organization that requires a second factor, and
// the person accepts at once. It returns the password, the app and the recovery
// codes. The next valid code of the app is nextCode.
func (t tenant) joinWithApp(ctx SpecContext, name, role, userName string) (password string, phone app, codes []string) {
	GinkgoHelper()
	browser := newPage()
	browser.open(t.invite(ctx, name, role))
	phone, password = browser.scan(), newPassword()
	browser.fillIn(userName, password)
	browser.fill("app-code", phone.code())
	browser.submit()
	Expect(browser.text()).To(ContainSubstring("Your account is ready"))
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipActive))
	return password, phone, browser.recoveryCodes()
}
