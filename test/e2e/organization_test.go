// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The manifest of an Organization", func() {
	It("names its first owners, and nothing else invites them", Label("D1", "D3"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		founders := fmt.Sprintf("founders: [{name: ada, email: %s, givenName: Ada, familyName: Example, role: owner}]", acme.email("ada"))
		apply(ctx, acme.manifest(founders))
		link := acme.mailedLink("ada")
		browser := newPage()
		browser.open(link)
		Expect(browser.text()).To(ContainSubstring("Acme Rocket Works has invited you to join as Owner."))
		Expect(browser.value("given-name")).To(Equal("Ada"))
		browser.fillIn(acme.unique("ada"), newPassword())
		browser.submit()
		Expect(browser.text()).To(ContainSubstring("Your account is ready"))
		Eventually(func() []string {
			return row(kubectl(ctx, "get", "memberships", "-n", acme.name), "ada")
		}).Should(ContainElements("Active", "owner", acme.unique("ada")))

		By("getting mail when a person joins, and staying removed after being removed")
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		acme.mail("ada", joined)
		acme.join(ctx, "june", "owner", acme.unique("june")) // the last owner cannot be removed
		kubectl(ctx, "delete", "membership", "ada", "-n", acme.name)
		apply(ctx, acme.manifest(founders, "language: it"))
		Eventually(kubectl).WithArguments(ctx, "get", "organization", acme.name, "-o",
			"jsonpath={.metadata.generation} {.status.observedGeneration}").Should(Equal("3 3"))
		Consistently(acme.state).WithArguments(ctx, "ada").Should(BeEmpty())
	})

	It("limits its seats; the next person waits, without mail, until a seat is free", Label("D2", "C9", "K2"), func(ctx SpecContext) {
		acme := newTenant(ctx, "seats: 1")
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		apply(ctx, acme.membership("john", "developer"))
		kubectl(ctx, "wait", "--for=condition=Stalled", "membership/john", "-n", acme.name, "--timeout=20s")
		Expect(acme.message(ctx, "john")).To(Equal("All seats of Organization " + acme.name +
			" are taken; Usher continues when a seat becomes free or spec.seats is raised."))
		Expect(row(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "wide"), "john")).To(ContainElements("Failed", "False", "SeatsExhausted"))
		acme.invite(ctx, "june", "guest")
		Expect(acme.subjects("john")).To(BeEmpty())

		kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
		status, _ := newVisitor().post(ctx, acme.mailedLink("john"), acceptance(acme.unique("john"), newPassword()))
		Expect(status).To(Equal(http.StatusOK))
		Eventually(acme.state).WithArguments(ctx, "john").Should(Equal(accountsv1.MembershipActive))
		Expect(kubectl(ctx, "get", "organization", acme.name, "-o", "jsonpath={.status.seats.taken} {.status.seats.holders[*].name}")).To(Equal("1 john"))
	})
})

var _ = Describe("kubectl wait", func() {
	It("returns for every kind as soon as Usher has done its part, without waiting for people", Label("K2"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.join(ctx, "active", "developer", acme.unique("jane"))
		acme.decline(ctx, "declined", "no time")
		acme.invite(ctx, "expired", "developer")
		acme.expire(ctx, "expired")
		apply(ctx, acme.membership("invited", "developer"))
		kubectl(ctx, "wait", "--for=condition=Ready", "memberships,invitations", "--all", "-n", acme.name, "--timeout=20s")
		kubectl(ctx, "wait", "--for=condition=Ready", "organization/"+acme.name, "account/"+acme.unique("jane"), "--timeout=20s")
		table := kubectl(ctx, "get", "memberships", "-n", acme.name)
		for name, state := range map[string]string{"active": "Active", "declined": "Declined", "expired": "Expired", "invited": "Invited"} {
			Expect(row(table, name)[:3]).To(HaveExactElements(name, state, "True"))
		}
	})
})
