// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// toLeave selects the link from the account page to the page for leaving an
// organization.
const toLeave = "main a[href*='/leave']"

var _ = Describe("A member who leaves an organization", func() {
	It("loses all access within seconds, keeps the account, and is not invited again", Label("B8"), func(ctx SpecContext) {
		acme, other := newTenant(ctx, company), newTenant(ctx, company)
		jane := acme.unique("jane")
		password := acme.join(ctx, "jane", "developer", jane)
		other.add(ctx, acme, "jane", "observer", jane, password)
		Eventually(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed, invited, welcomed))
		Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))

		By("opening the page and going back")
		browser := newPage()
		browser.mustSignIn(jane, password)
		browser.click(toLeave + "[href*='" + acme.name + "']")
		Expect(browser.text()).To(And(
			ContainSubstring("Leave Acme Rocket Works?"),
			ContainSubstring("You will lose the access you have there as Developer within seconds."),
			ContainSubstring("You can only come back with a new invitation. You keep your account."),
		))
		browser.click("form p a")
		Expect(acme.state(ctx, "jane")).To(Equal(accountsv1.MembershipActive))

		By("leaving")
		browser.click(toLeave + "[href*='" + acme.name + "']")
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("You have left the organization. Your access ends within seconds."))
		Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).
			WithTimeout(5 * time.Second).Should(Equal("no"))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipInactive))
		Expect(row(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "wide"), "jane")).To(ContainElements("Inactive", "True", "NoAccount"))
		Expect(acme.message(ctx, "jane")).To(ContainSubstring("the person left"))
		Eventually(kubectl).WithArguments(ctx, "get", "events", "-n", acme.name).Should(ContainSubstring("The person left"))
		Eventually(func() string {
			browser.open(usher.url + "/account")
			return browser.text()
		}).Should(And(Not(ContainSubstring("Deploy applications")), ContainSubstring("Look at applications in Production, Staging")))
		Expect(mayThey(ctx, jane, "list", "pods", other.production())).To(Equal("yes"))
		Consistently(acme.subjects).WithArguments("jane").Should(HaveExactElements(invited, welcomed, invited, welcomed))
		Expect(browser.browserErrors()).To(BeEmpty())
	})

	It("cannot be its only owner, even with a forged request", func(ctx SpecContext) {
		acme := newTenant(ctx)
		ada := acme.unique("ada")
		password := acme.join(ctx, "ada", "owner", ada)
		browser := newPage()
		browser.mustSignIn(ada, password)
		browser.click(toLeave)
		const refusal = "You are the only owner of Acme Rocket Works. Make someone else an owner first."
		Expect(browser.text()).To(ContainSubstring(refusal))
		Expect(browser.evaluate("String(document.querySelectorAll('main button').length)")).To(Equal("0"))
		status, body := newVisitor().post(ctx, usher.url+"/account/leave", url.Values{"membership": {acme.name + "/ada"}}, browser.session())
		Expect(status).To(Equal(http.StatusConflict))
		Expect(body).To(ContainSubstring(refusal))
		Consistently(acme.state).WithArguments(ctx, "ada").Should(Equal(accountsv1.MembershipActive))

		By("adding another owner")
		acme.join(ctx, "june", "owner", acme.unique("june"))
		Eventually(func() string {
			browser.open(usher.url + "/account/leave?membership=" + acme.name + "/ada")
			return browser.text()
		}).ShouldNot(ContainSubstring(refusal))
		browser.submit()
		Eventually(acme.state).WithArguments(ctx, "ada").Should(Equal(accountsv1.MembershipInactive))
		Expect(browser.browserErrors()).To(BeEmpty())
	})
})
