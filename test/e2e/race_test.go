// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A link that a hundred people use at the same moment", func() {
	It("creates one account, with the password that the winner typed", Label("A7"), func(ctx SpecContext) {
		acme := newTenant(ctx)
		link := acme.invite(ctx, "jane", "developer")

		const racers = 100
		answers := make([]answer, racers)
		inParallel(racers, func(n int) {
			a := &answers[n]
			// Half of them try the same user name, the others five more.
			a.userName, a.password = acme.unique(fmt.Sprintf("racer%d", n%2*n%10)), newPassword()
			a.status, a.body = newVisitor().post(ctx, link, acceptance(a.userName, a.password))
		})

		By("telling one of them that the account is ready, and all others that it is not")
		var winners []answer
		for _, a := range answers {
			switch a.status {
			case http.StatusOK:
				Expect(a.body).To(ContainSubstring("Your account is ready"))
				winners = append(winners, a)
			case http.StatusGone, http.StatusUnprocessableEntity, http.StatusServiceUnavailable:
				Expect(a.body).NotTo(ContainSubstring("Your account is ready"))
			default:
				Fail(fmt.Sprintf("one answer has the status %d:\n%s", a.status, a.body))
			}
		}
		Expect(winners).To(HaveLen(1))
		winner := winners[0]

		By("leaving one Account, one Membership, and only one person's credentials")
		Eventually(acme.accounts).WithArguments(ctx, "jane").WithTimeout(40 * time.Second).Should(HaveExactElements(winner.userName))
		Expect(kubectl(ctx, "get", "memberships", "-n", acme.name, "-o", "jsonpath={.items[*].status.accountRef.name}")).To(Equal(winner.userName))
		Eventually(acme.state).WithArguments(ctx, "jane").Should(Equal(accountsv1.MembershipActive))
		Eventually(acme.credentials).WithArguments(ctx).Should(HaveLen(1))

		By("keeping only the winner's password")
		hash := string(acme.credentials(ctx)[0].Data["password"])
		for _, a := range answers {
			matches, err := argon2id.ComparePasswordAndHash(a.password, hash)
			Expect(err).NotTo(HaveOccurred())
			Expect(matches).To(Equal(a.password == winner.password))
		}
	})
})

// answer is what one person sent, and the response.
type answer struct {
	userName, password string
	status             int
	body               string
}

// inParallel calls do n times at once, and waits for all calls.
func inParallel(n int, do func(i int)) {
	GinkgoHelper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			defer GinkgoRecover()
			do(i)
		})
	}
	all.Wait()
}

// accounts returns the user names of all Accounts with a person's address.
func (t tenant) accounts(ctx context.Context, name string) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "get", "accounts", "--field-selector=spec.email="+t.email(name), "-o", "jsonpath={.items[*].metadata.name}"))
}

// credentials returns the Secrets of all Accounts with user names of this tenant.
func (t tenant) credentials(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var all corev1.SecretList
	Expect(admin.List(ctx, &all, client.InNamespace(accountsv1.CredentialsNamespace))).To(Succeed())
	var own []corev1.Secret
	for _, secret := range all.Items {
		if strings.HasPrefix(secret.Name, "account-") && strings.HasSuffix(secret.Name, t.unique("")) {
			own = append(own, secret)
		}
	}
	return own
}
