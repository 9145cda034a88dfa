// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("Deleting", func() {
	It("a Membership removes within seconds everything that it gave", Label("B8", "K4"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		jane := acme.unique("jane")
		acme.join(ctx, "jane", "developer", jane)
		Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).Should(Equal("yes"))

		kubectl(ctx, "delete", "membership", "jane", "-n", acme.name, "--wait=false")
		Eventually(mayThey).WithArguments(ctx, jane, "create", "deployments.apps", acme.staging()).
			WithTimeout(5 * time.Second).Should(Equal("no"))
		Eventually(acme.bindings).WithArguments(ctx).Should(BeEmpty())
		Eventually(acme.state).WithArguments(ctx, "jane").Should(BeEmpty())
	})

	It("the Membership of a person who has not answered invalidates the link", Label("B8", "K4"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")
		kubectl(ctx, "delete", "membership", "jane", "-n", acme.name)
		Eventually(func() int {
			status, _ := newVisitor().get(ctx, http.MethodGet, link)
			return status
		}).Should(Or(Equal(http.StatusGone), Equal(http.StatusNotFound)))
		status, _ := newVisitor().post(ctx, link, acceptance(acme.unique("jane"), newPassword()))
		Expect(status).To(Or(Equal(http.StatusGone), Equal(http.StatusNotFound)))
		Expect(acme.accounts(ctx, "jane")).To(BeEmpty())
		Eventually(kubectl).WithArguments(ctx, "get", "invitations", "-n", acme.name, "-o", "name").Should(BeEmpty())
	})

	DescribeTable("everything leaves nothing behind, in any order, starting with", Label("K4"),
		func(ctx SpecContext, order ...string) {
			acme := newTenant(ctx)
			acme.join(ctx, "jane", "developer", acme.unique("jane"))
			acme.join(ctx, "john", "observer", acme.unique("john"))
			acme.invite(ctx, "june", "observer")
			Eventually(func() []string { return strings.Fields(acme.bindings(ctx)) }).Should(HaveLen(3 * 3))

			for i, kind := range order {
				if kind == "namespaces" && i == len(order)-1 {
					// The bindings must disappear before the namespaces do.
					Eventually(acme.bindings).WithArguments(ctx).Should(BeEmpty())
				}
				kubectl(ctx, append([]string{"delete", "--wait=false", "--ignore-not-found"}, acme.all(kind)...)...)
			}
			Eventually(acme.left).WithArguments(ctx).WithTimeout(40 * time.Second).Should(BeEmpty())
			Consistently(acme.left).WithArguments(ctx).Should(BeEmpty())
		},
		Entry("the members", "memberships", "accounts", "organization", "namespaces"),
		Entry("the people", "accounts", "memberships", "organization", "namespaces"),
		Entry("the Organization", "organization", "accounts", "memberships", "namespaces"),
		Entry("the namespaces", "namespaces", "accounts", "organization"),
	)
})

// all returns the arguments that name every object of one kind that the tenant has.
func (t tenant) all(kind string) []string {
	switch kind {
	case "accounts":
		return []string{"accounts", t.unique("jane"), t.unique("john")}
	case "namespaces":
		return []string{"namespaces", t.name, t.staging(), t.production()}
	case "organization":
		return []string{"organization", t.name}
	default:
		return []string{kind, "--all", "--namespace", t.name}
	}
}

// left returns the names of all objects of the tenant that are left in the cluster.
func (t tenant) left(ctx context.Context) string {
	GinkgoHelper()
	traces := kubectl(ctx, "get", "namespaces,organizations,accounts", "-o", "name") +
		kubectl(ctx, "get", "memberships,invitations,rolebindings", "--all-namespaces", "-o",
			`jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}`) +
		kubectl(ctx, "get", "secrets", "-n", accountsv1.CredentialsNamespace, "-o", "name")
	var own strings.Builder
	for line := range strings.Lines(traces) {
		if strings.Contains(line, t.unique("")) {
			own.WriteString(line)
		}
	}
	return own.String()
}
