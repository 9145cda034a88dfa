// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A person who applies manifests", func() {
	DescribeTable("reads at once, in a sentence, that an address is invalid:", Label("A1"),
		func(ctx SpecContext, address string) {
			acme := newTenant(ctx)
			manifest := strings.Replace(acme.membership("jane", "developer"), acme.email("jane"), address, 1)
			_, err := kube.KubectlWith(ctx, manifest, "apply", "-f", "-")
			Expect(err).To(MatchError(ContainSubstring("must be a complete e-mail address such as jane@example.com")))
			Expect(acme.state(ctx, "jane")).To(BeEmpty())
		},
		Entry("without a domain", "jane@"),
		Entry("with a space", `"jane doe@example.com"`),
		Entry("with two @ signs", "jane@doe@example.com"),
	)

	It("reads that an address cannot be changed, and what to do instead", Label("A1", "B5"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		acme.invite(ctx, "jane", "developer")
		_, err := kube.Kubectl(ctx, "patch", "membership", "jane", "-n", acme.name, "--type=merge",
			`--patch={"spec":{"email":"other@example.com"}}`)
		Expect(err).To(MatchError(ContainSubstring("create a Membership with the new address and delete this one")))
	})

	DescribeTable("reads in the status that the Organization does not invite an address", Label("A2", "E9"),
		func(ctx SpecContext, address, reason string) {
			acme := newTenant(ctx, "allowedDomains: [acme.example, partner.example]", "deniedDomains: [pec.acme.example]")
			apply(ctx, acme.membershipOf("Jane", "Doe", "jane", address, "developer"))
			kubectl(ctx, "wait", "--for=condition=Stalled", "membership/jane", "-n", acme.name, "--timeout=20s")
			Expect(row(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "wide"), "jane")).
				To(ContainElements("Failed", "False", "AddressNotAllowed"))
			Expect(acme.message(ctx, "jane")).To(And(ContainSubstring("does not invite this address"), ContainSubstring(reason)))
			Expect(subjectsTo(address)).To(BeEmpty())

			apply(ctx, acme.manifest())
			Eventually(subjectsTo).WithArguments(address).Should(HaveExactElements(invited))
		},
		Entry("of a certified mailbox", "jane@pec.acme.example", "pec.acme.example"),
		Entry("below the domain of a certified mailbox, in capitals", "jane@Box.PEC.Acme.Example", "pec.acme.example"),
		Entry("of a domain that is not allowed", "jane@badacme.example", "acme.example"),
	)

	It("reads that an address is already invited or a member, by which object, and what to do", Label("E9"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		apply(ctx, acme.membershipOf("Jane", "Doe", "again", strings.ToUpper(acme.email("jane")[:4])+acme.email("jane")[4:], "observer"))
		Eventually(acme.message).WithArguments(ctx, "again").Should(Equal(
			"Invitation jane to the same address is already open; wait for the answer, or delete that Invitation."))

		status, _ := newVisitor().post(ctx, link, acceptance(acme.unique("jane"), newPassword()))
		Expect(status).To(Equal(http.StatusOK))
		Eventually(acme.message).WithArguments(ctx, "again").Should(Equal(
			"The address already belongs to the member of Membership jane; change or delete that Membership first."))
		Expect(acme.state(ctx, "again")).To(Equal(accountsv1.MembershipFailed))
		acme.mail("jane", welcomed)
		Expect(acme.subjects("jane")).To(HaveExactElements(invited, welcomed))
	})

	It("reads which ClusterRole Usher may not bind, and no member gets it", func(ctx SpecContext) {
		acme := newTenant(ctx)
		apply(ctx, strings.Replace(acme.manifest(), "clusterRole: edit", "clusterRole: admin", 1))
		Eventually(kubectl).WithArguments(ctx, "get", "organization", acme.name,
			"-o", `jsonpath={.status.conditions[?(@.type=="CatalogueValid")].message}`).Should(ContainSubstring("usher-grantable): admin."))
		acme.join(ctx, "jane", "developer", acme.unique("jane"))
		Eventually(kubectl).WithArguments(ctx, "get", "membership", "jane", "-n", acme.name,
			"-o", "jsonpath={.status.grants[*].reason}").Should(Equal("BindForbidden"))
		Expect(kubectl(ctx, "get", "rolebindings", "-n", acme.staging(), "-o", "name")).To(BeEmpty())
	})
})

var _ = Describe("The portal", func() {
	It("accepts no form from another site's page", func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		form := acceptance(acme.unique("jane"), newPassword())
		for _, headers := range [][]string{
			{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"},
			{"Sec-Fetch-Site: same-site", "Origin: http://localhost:1"},
			{"Sec-Fetch-Site: cross-site", "Origin: null"},
			{"Origin: https://evil.example"},
		} {
			status, body := newVisitor().post(ctx, link, form, headers...)
			Expect(status).To(Equal(http.StatusForbidden), "%s", headers)
			Expect(body).To(ContainSubstring("This form came from somewhere else"))
		}
		status, _ := newVisitor().post(ctx, link, form, "Sec-Fetch-Site: same-origin", "Origin: "+usher.url)
		Expect(status).To(Equal(http.StatusOK))
	})

	It("keeps every link out of caches, referrers and frames", Label("K7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		response, err := front.client.Get(acme.invite(ctx, "jane", "developer"))
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = response.Body.Close() }()
		Expect(response).To(And(
			HaveHTTPStatus(http.StatusOK),
			HaveHTTPHeaderWithValue("Cache-Control", "no-store"),
			HaveHTTPHeaderWithValue("Referrer-Policy", "no-referrer"),
			HaveHTTPHeaderWithValue("X-Frame-Options", "DENY"),
			HaveHTTPHeaderWithValue("Content-Security-Policy", ContainSubstring("default-src 'none'")),
		))
		Expect(response.Cookies()).To(BeEmpty())
	})

	It("changes nothing for requests that only read: a thousand scanners leave a link valid", Label("A7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		var before, after accountsv1.Invitation
		acme.waitForMailed(ctx, "jane")
		Expect(admin.Get(ctx, acme.key("jane"), &before)).To(Succeed())

		inParallel(20, func(int) {
			// The rate limit lets one visitor send fifty requests at once, but makes some
			// requests of all these visitors wait.
			v := newVisitor()
			for n := range 50 {
				method := []string{http.MethodGet, http.MethodHead}[n%2]
				Eventually(func() int {
					status, _ := v.get(ctx, method, link)
					return status
				}).Should(Equal(http.StatusOK))
			}
		})
		Expect(admin.Get(ctx, acme.key("jane"), &after)).To(Succeed())
		Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))

		status, _ := newVisitor().post(ctx, link, acceptance(acme.unique("jane"), newPassword()))
		Expect(status).To(Equal(http.StatusOK))
	})
})
