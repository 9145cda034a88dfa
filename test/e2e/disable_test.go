// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A disabled account", func() {
	It("loses its sessions and all access within seconds; enabling it restores the access, but no session",
		Label("D7", "B8"), func(ctx SpecContext) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			password := acme.join(ctx, "jane", "developer", jane)
			acme.mail("jane", welcomed)
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))
			browser := newPage()
			browser.mustSignIn(jane, password)

			By("disabling it")
			turn(ctx, jane, accountsv1.AccountSwitchDisabled)
			browser.open(usher.url + "/account")
			Expect(browser.path()).To(Equal("/sign-in"))
			Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).
				WithTimeout(5 * time.Second).Should(Equal("no"))
			Eventually(acme.bindings).WithArguments(ctx).Should(BeEmpty())
			Eventually(accountState).WithArguments(ctx, jane).Should(Equal("Disabled"))
			Eventually(func() []string {
				return row(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "wide"), "jane")
			}).Should(ContainElements("Inactive", "True", jane, "AccountDisabled"))
			browser.signIn(jane, password)
			Expect(browser.text()).To(ContainSubstring(notLetIn))

			By("changing the role meanwhile, and requesting another invitation, which is not sent")
			kubectl(ctx, "patch", "membership", "jane", "-n", acme.name, "--type=merge", `--patch={"spec":{"role":"observer"}}`)
			acme.annotateResend(ctx, "jane")
			Consistently(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed))

			By("enabling it")
			turn(ctx, jane, accountsv1.AccountSwitchActive)
			Eventually(mayThey).WithArguments(ctx, jane, "list", "pods", acme.production()).
				WithTimeout(5 * time.Second).Should(Equal("yes"))
			Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("no"))
			browser.open(usher.url + "/account")
			Expect(browser.path()).To(Equal("/sign-in"))
			browser.mustSignIn(jane, password)
			Expect(browser.browserErrors()).To(BeEmpty())

			By("deleting the Membership while its account is disabled")
			turn(ctx, jane, accountsv1.AccountSwitchDisabled)
			Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipInactive))
			kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
			Eventually(kubectl).WithArguments(ctx, "get", "memberships,invitations", "-n", acme.name, "-o", "name").Should(BeEmpty())
		})
})

// turn enables or disables an Account.
func turn(ctx context.Context, userName string, to accountsv1.AccountSwitch) {
	GinkgoHelper()
	kubectl(ctx, "patch", "account", userName, "--type=merge", `--patch={"spec":{"state":"`+string(to)+`"}}`)
}
