// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The user name of another person", Label("K4"), func() {
	It("is refused after its Account was deleted, while an admin's binding names it, and until an admin releases it", func(ctx SpecContext) {
		acme := newTenant(ctx)
		name := acme.unique("jane")
		acme.join(ctx, "jane", "developer", name)
		taken := newVisitor()
		link := acme.invite(ctx, "john", "observer")
		_, likeTaken := taken.get(ctx, http.MethodGet, link+"/user-name?value="+name)

		bound := acme.unique("bound")
		kubectl(ctx, "create", "clusterrolebinding", bound, "--clusterrole=view", "--user=usher:"+bound)
		DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "delete", "clusterrolebinding", bound, "--ignore-not-found") })
		kubectl(ctx, "delete", "account", name)
		for _, withheld := range []string{name, bound} {
			// The list of bound names is written at most once a minute, and another spec may
			// have changed it just now.
			Eventually(func() string {
				_, answer := newVisitor().get(ctx, http.MethodGet, link+"/user-name?value="+withheld)
				return answer
			}).WithTimeout(time.Minute+20*time.Second).Should(Equal(likeTaken), withheld)
			status, body := newVisitor().post(ctx, link, acceptance(withheld, newPassword()))
			Expect(status).To(Equal(http.StatusUnprocessableEntity))
			Expect(body).To(ContainSubstring("is already taken"))
		}
		Expect(acme.accounts(ctx, "john")).To(BeEmpty())

		kubectl(ctx, "delete", "configmap", "-n", "usher-system", "user-name-"+name)
		Eventually(func() int {
			status, _ := newVisitor().post(ctx, link, acceptance(name, newPassword()))
			return status
		}).Should(Equal(http.StatusOK))
		Eventually(acme.state).WithArguments(ctx, "john").Should(Equal(accountsv1.MembershipActive))
	})
})
