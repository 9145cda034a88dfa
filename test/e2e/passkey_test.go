// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A passkey", func() {
	It("is a sufficient second factor to accept with, and signs in alone, even while guessed passwords have locked the account",
		Label("A10", "B2"), func(ctx SpecContext) {
			acme := newTenant(ctx, required)
			jane := acme.unique("jane")
			browser := newPage(withPasskeys())
			browser.open(acme.invite(ctx, "jane", "developer"))
			password := newPassword()
			browser.fillIn(jane, password)
			browser.tick("#passkey-enrol button")
			Eventually(browser.text).Should(ContainSubstring("Your passkey is ready. You don't need an app now."))

			By("sending the form with another problem, which does not lose the passkey")
			browser.fill("password-again", newPassword())
			browser.submit()
			Expect(browser.textOf("password-again-problem")).To(ContainSubstring("The two passwords don't match"))
			Expect(browser.textOf("app-code-problem")).To(BeEmpty())
			Expect(browser.text()).To(ContainSubstring("Your passkey is ready."))
			browser.fillIn(jane, password)
			browser.submit()
			Expect(browser.text()).To(ContainSubstring("Your account is ready"))
			Expect(browser.recoveryCodes()).To(HaveLen(10))
			Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))

			By("signing in with the passkey alone")
			browser.open(usher.url + "/sign-in")
			browser.click(usePasskey)
			Expect(browser.path()).To(Equal("/account"))
			Expect(browser.text()).To(ContainSubstring("usher:" + jane))
			browser.click(signOut)

			By("signing in with the password and the passkey as its second factor")
			browser.signIn(jane, password)
			Expect(browser.path()).To(Equal("/sign-in/code"))
			Expect(browser.text()).To(ContainSubstring("Continue with your passkey."))
			browser.click(usePasskey)
			Expect(browser.path()).To(Equal("/account"))
			browser.click(signOut)

			By("signing in with the passkey while the account is locked")
			guess(ctx, jane, 5)
			other := newPage()
			other.signIn(jane, password)
			Expect(other.text()).To(ContainSubstring(notLetIn))
			browser.click(usePasskey)
			Expect(browser.path()).To(Equal("/account"))
			Expect(browser.text()).To(ContainSubstring("usher:" + jane))
			Expect(browser.browserErrors()).To(BeEmpty())
		})

	It("is added and removed on the account page, and then no longer signs in", Label("A10"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		browser := newPage(withPasskeys())
		browser.mustSignIn(jane, password)
		browser.click("main a[href*='/second-factor']")
		browser.fill("passkey-name", "Jane's telephone")
		browser.click("#passkey-add button[type=submit]")
		Expect(browser.text()).To(ContainSubstring("The passkey was added."))
		Expect(browser.recoveryCodes()).To(HaveLen(10))
		acme.mail("jane", factorMailed)
		browser.open(usher.url + "/account/second-factor")
		Expect(browser.text()).To(ContainSubstring("Jane's telephone"))
		browser.click(signOut)
		browser.click(usePasskey)
		Expect(browser.path()).To(Equal("/account"))

		By("removing it")
		browser.open(usher.url + "/account/second-factor")
		browser.tick("details:has(form[action*='/passkey/remove']) summary")
		browser.click("form[action*='/passkey/remove'] button[type=submit]")
		Expect(browser.textOf("passkey-problem")).To(ContainSubstring("Choose the passkey to remove."))
		browser.tick("input[name=passkey]")
		browser.click("form[action*='/passkey/remove'] button[type=submit]")
		Expect(browser.text()).To(ContainSubstring("The passkey was removed."))
		Eventually(condition).WithArguments(ctx, "TwoFactorEnrolled", "account", jane).Should(Equal("False NotEnrolled"))
		browser.click(signOut)
		browser.do(chromedp.Click(chromedp.CSS(usePasskey)))
		Eventually(browser.text).Should(ContainSubstring("This passkey can't be used to sign in right now."))
		browser.mustSignIn(jane, password)
		Expect(browser.browserErrors()).To(BeEmpty())
	})
})

// usePasskey selects the button that signs in with the browser's passkey for the
// portal.
const usePasskey = "#passkey-sign-in button"

// withPasskeys makes the browser a device that stores passkeys, and whose user always
// agrees.
func withPasskeys() action {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
			Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			},
		})
		return err
	})
}
