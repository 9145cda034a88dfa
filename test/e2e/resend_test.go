// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

var _ = Describe("An invitation that is sent again", func() {
	It("has a new link, and the old one leads to a page that points to it", Label("A7", "D7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		old := acme.invite(ctx, "jane", "developer")
		link := acme.resend(ctx, "jane")
		Expect(acme.subjects("jane")).To(HaveExactElements(invited, invited))

		browser := newPage()
		browser.open(old)
		Expect(browser.status).To(BeEquivalentTo(http.StatusGone))
		Expect(browser.text()).To(And(
			ContainSubstring("A newer link has replaced this one"),
			ContainSubstring("Use the link in the newest message"),
			ContainSubstring("ask Ada Example to send it again"),
			Not(ContainSubstring("Create account")),
		))
		status, _ := newVisitor().post(ctx, old, acceptance(acme.unique("jane"), newPassword()))
		Expect(status).To(Equal(http.StatusGone))
		Expect(acme.accounts(ctx, "jane")).To(BeEmpty())

		browser.open(link)
		browser.fillIn(acme.unique("jane"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Eventually(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, invited, welcomed))
	})
})

var _ = Describe("In every state of a Membership,", func() {
	DescribeTable("resending, changing the role and deleting have a clear effect:", Label("A7", "D5", "D7", "K4"),
		func(ctx SpecContext, state accountsv1.MembershipState, bring func(ctx SpecContext, acme tenant)) {
			acme := newTenant(ctx)
			bring(ctx, acme)
			Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(state))
			Expect(row(kubectl(ctx, "get", "memberships", "-n", acme.name), "jane")).To(ContainElement(string(state)))
			active := state == accountsv1.MembershipActive

			By("sending the invitation again")
			before := mailbox.Link(acme.email("jane"))
			acme.annotateResend(ctx, "jane")
			if active {
				Consistently(mailbox.Link).WithArguments(acme.email("jane")).Should(Equal(before))
			} else {
				Eventually(mailbox.Link).WithArguments(acme.email("jane")).ShouldNot(Equal(before))
				Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipInvited))
			}

			By("changing the role")
			kubectl(ctx, "patch", "membership", "jane", "-n", acme.name, "--type=merge", `--patch={"spec":{"role":"observer"}}`)
			link := mailbox.Link(acme.email("jane"))
			if active {
				Eventually(mayThey).WithArguments(ctx, acme.unique("jane"), "list", "pods", acme.production()).Should(Equal("yes"))
				Expect(mayThey(ctx, acme.unique("jane"), "create", "deployments.apps", acme.staging())).To(Equal("no"))
			} else {
				Eventually(func() string {
					_, page := newVisitor().get(ctx, http.MethodGet, link)
					return page
				}).Should(ContainSubstring("<strong>Observer</strong>"))
			}

			By("deleting the Membership")
			kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
			Eventually(acme.bindings).WithArguments(ctx).Should(BeEmpty())
			Eventually(kubectl).WithArguments(ctx, "get", "memberships,invitations", "-n", acme.name, "-o", "name").Should(BeEmpty())
			status, _ := newVisitor().post(ctx, link, acceptance(acme.unique("late"), newPassword()))
			Expect(status).To(Or(Equal(http.StatusGone), Equal(http.StatusNotFound)))
		},
		Entry("Invited", accountsv1.MembershipInvited, func(ctx SpecContext, acme tenant) {
			acme.invite(ctx, "jane", "developer")
		}),
		Entry("Active", accountsv1.MembershipActive, func(ctx SpecContext, acme tenant) {
			acme.join(ctx, "jane", "developer", acme.unique("jane"))
		}),
		Entry("Expired", accountsv1.MembershipExpired, func(ctx SpecContext, acme tenant) {
			acme.invite(ctx, "jane", "developer")
			acme.expire(ctx, "jane")
		}),
		Entry("Declined", accountsv1.MembershipDeclined, func(ctx SpecContext, acme tenant) {
			acme.decline(ctx, "jane", "")
		}),
		Entry("Failed, because the mail server refused the address", accountsv1.MembershipFailed, func(ctx SpecContext, acme tenant) {
			mailbox.FailOnce(inbox.Rcpt, inbox.Fault{Code: 550, Text: "5.1.1 no such person"})
			DeferCleanup(mailbox.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
			apply(ctx, acme.membership("jane", "developer"))
			Eventually(acme.message).WithArguments(ctx, "jane").Should(ContainSubstring("no such person"))
		}),
	)
})
