// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("A RoleBinding of a member", func() {
	DescribeTable("is restored within five seconds", Label("K5"),
		func(ctx SpecContext, meddle ...string) {
			acme := newTenant(ctx)
			jane := acme.unique("jane")
			acme.join(ctx, "jane", "developer", jane)
			right := acme.staging() + " edit usher:" + jane + "\n"
			Eventually(acme.bindings).WithArguments(ctx).Should(Equal(right))
			binding := strings.TrimSpace(kubectl(ctx, "get", "rolebindings", "-n", acme.staging(), "-o", "name"))

			kubectl(ctx, append([]string{meddle[0], binding, "-n", acme.staging()}, meddle[1:]...)...)
			Eventually(func(g Gomega) {
				g.Expect(acme.bindings(ctx)).To(Equal(right))
				g.Expect(mayThey(ctx, jane, "create", "deployments.apps", acme.staging())).To(Equal("yes"))
				g.Expect(mayThey(ctx, "mallory", "create", "deployments.apps", acme.staging())).To(Equal("no"))
			}).WithTimeout(5 * time.Second).Should(Succeed())
		},
		Entry("after another client deleted it", "delete"),
		Entry("after another client replaced its subject",
			"patch", "--type=json", `--patch=[{"op":"replace","path":"/subjects/0/name","value":"usher:mallory"}]`),
		Entry("after another client added a subject",
			"patch", "--type=json", `--patch=[{"op":"add","path":"/subjects/-","value":{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"usher:mallory"}}]`),
		Entry("after another client removed all its subjects", "patch", "--type=merge", `--patch={"subjects":null}`),
		Entry("after another client removed its labels", "label",
			"app.kubernetes.io/managed-by-", "accounts.usher.dev/organization-", "accounts.usher.dev/membership-",
			"accounts.usher.dev/membership-namespace-", "accounts.usher.dev/account-"),
	)
})
