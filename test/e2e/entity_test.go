// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An organization of another legal entity", func() {
	It("requires an account of its own, with another user name, as the page explains", Label("B11"), func(ctx SpecContext) {
		acme, other := newTenant(ctx, company), newTenant(ctx, "legalEntity: Globex GmbH")
		apply(ctx, strings.Replace(other.manifest("legalEntity: Globex GmbH"), "Acme Rocket Works", "Globex", 1))
		jane, doe := acme.unique("jane"), acme.unique("doe")
		password := acme.join(ctx, "jane", "developer", jane)
		apply(ctx, other.membershipOf("Jane", "Doe", "jane", acme.email("jane"), "observer"))
		Eventually(acme.subjects).WithArguments("jane").Should(ContainElement("Invitation to join Globex"))
		link := mailbox.Link(acme.email("jane"))

		By("trying it with the existing account")
		browser := newPage()
		browser.open(link)
		browser.fill("sign-in-name", jane)
		browser.fill("sign-in-password", password)
		browser.click(signIn)
		Expect(browser.text()).To(And(
			ContainSubstring("Globex belongs to a different company than Acme Rocket Works, and an account is for one company only."),
			ContainSubstring("Create a new account below, with another user name."),
			Not(ContainSubstring("Accept with this account")),
		))

		By("creating another account, which cannot have the same name")
		browser.fillIn(jane, newPassword())
		browser.submit()
		Expect(browser.textOf("user-name-problem")).To(ContainSubstring("This user name, or one that looks like it, is already taken"))
		another := newPassword()
		browser.fillIn(doe, another)
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(other.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Expect(acme.accounts(ctx, "jane")).To(ConsistOf(jane, doe))

		By("signing in with either user name; the shared address means the older account")
		for _, signsIn := range []struct{ typed, password, name, theirs, other string }{
			{jane, password, jane, "Acme Rocket Works", "Globex"},
			{acme.email("jane"), password, jane, "Acme Rocket Works", "Globex"},
			{doe, another, doe, "Globex", "Acme Rocket Works"},
		} {
			browser := newPage()
			browser.mustSignIn(signsIn.typed, signsIn.password)
			Expect(browser.text()).To(And(
				ContainSubstring("usher:"+signsIn.name), ContainSubstring(signsIn.theirs), Not(ContainSubstring(signsIn.other))))
		}
		Expect(browser.browserErrors()).To(BeEmpty())
	})
})

var _ = Describe("A member whose address changes", func() {
	It("moves to it in two steps: a manifest invites the new address, then the old Membership is deleted", Label("B5", "B12"), func(ctx SpecContext) {
		acme := newTenant(ctx, "supportContact: help@acme.example")
		before, after := acme.unique("jane"), acme.unique("jane-doe")
		password := acme.join(ctx, "jane", "developer", before)
		Eventually(mayThey).WithArguments(ctx, before, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))

		By("reading that the address cannot be changed, and what to do instead")
		for object, instead := range map[string]string{
			"account/" + before: "email cannot be changed: invite the new address and delete this Account",
			"membership/jane":   "email cannot be changed: create a Membership with the new address and delete this one",
		} {
			_, err := kube.Kubectl(ctx, "patch", object, "-n", acme.name, "--type=merge", `--patch={"spec":{"email":"new@example.com"}}`)
			Expect(err).To(MatchError(ContainSubstring(instead)))
		}
		browser := newPage()
		browser.mustSignIn(before, password)
		Expect(browser.text()).To(And(
			ContainSubstring("To move to another address, ask the people who manage your organization to invite the new one"),
			ContainSubstring("help@acme.example")))

		By("inviting the new address")
		acme.join(ctx, "jane-new", "developer", after)
		Eventually(mayThey).WithArguments(ctx, after, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))

		By("deleting the old Membership")
		kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
		Eventually(mayThey).WithArguments(ctx, before, "create", "deployments.apps", acme.staging()).Should(Equal("no"))
		Eventually(acme.bindings).WithArguments(ctx).Should(Equal(acme.staging() + " edit usher:" + after + "\n"))
		Eventually(func() string {
			browser.open(usher.url + "/account")
			return browser.text()
		}).Should(ContainSubstring("You don't belong to any organization right now."))
	})
})
