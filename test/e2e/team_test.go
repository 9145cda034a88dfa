// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A team of fifty people", Ordered, func() {
	const people, seats = 50, 20
	var acme tenant
	person := func(n int) string { return fmt.Sprintf("p%02d", n) }
	// There are twenty seats, and guests need none.
	manifest := func(role string) string {
		var all []string
		for n := range people {
			all = append(all, acme.membership(person(n), role))
		}
		return strings.Join(all, "---")
	}

	BeforeAll(func(ctx SpecContext) { acme = newTenant(ctx, fmt.Sprintf("seats: %d", seats)) })

	It("is invited by one manifest: one mail each, over at most as many connections as there are workers", Label("C12", "D4"), func(ctx SpecContext) {
		before := mailbox.Connections()
		apply(ctx, manifest("guest"))
		kubectl(ctx, "wait", "--for=condition=Ready", "memberships", "--all", "-n", acme.name, "--timeout=60s")
		for n := range people {
			Expect(acme.subjects(person(n))).To(HaveExactElements(invited))
		}
		Expect(mailbox.Connections()-before).To(BeNumerically("<=", 4), "connections for %d mails", people)
		table := kubectl(ctx, "get", "memberships", "-n", acme.name)
		for n := range people {
			Expect(row(table, person(n))).To(ContainElements("Invited", "True", "guest"))
		}
	})

	It("gets exactly the available seats, even if all accept and get a role that needs a seat at the same moment", Label("D2", "D5"), func(ctx SpecContext) {
		usher.scaleUp(ctx)
		accept := func(n int) (status int, body string) {
			return newVisitor().post(ctx, mailbox.Link(acme.email(person(n))), acceptance(acme.unique(person(n)), newPassword()))
		}
		inParallel(people+1, func(n int) {
			if n == people {
				apply(ctx, manifest("developer"))
				return
			}
			switch status, body := accept(n); status {
			case http.StatusOK:
				Expect(body).To(ContainSubstring("Your account is ready"))
			case http.StatusConflict:
				Expect(body).To(ContainSubstring("All seats are taken right now"))
			default:
				Expect(status).To(Equal(http.StatusServiceUnavailable), body)
			}
		})

		By("trying again for the remaining seats")
		Eventually(func(g Gomega) {
			states := acme.states(ctx)
			for name, state := range states {
				if state != accountsv1.MembershipActive {
					var n int
					_, err := fmt.Sscanf(name, "p%02d", &n)
					g.Expect(err).NotTo(HaveOccurred())
					accept(n)
				}
			}
			active := 0
			for _, state := range states {
				if state == accountsv1.MembershipActive {
					active++
				}
			}
			g.Expect(active).To(Equal(seats))
		}).WithTimeout(patience).Should(Succeed())

		seated := map[string]bool{}
		for name, state := range acme.states(ctx) {
			if seated[name] = state == accountsv1.MembershipActive; !seated[name] {
				Expect(state).To(Equal(accountsv1.MembershipFailed))
				Expect(acme.message(ctx, name)).To(ContainSubstring("All seats"))
			}
		}
		var right []any
		for name, is := range seated {
			if is {
				right = append(right, acme.staging()+" edit usher:"+acme.unique(name))
			}
		}
		Eventually(func() []string { return strings.Split(strings.TrimSpace(acme.bindings(ctx)), "\n") }).Should(ConsistOf(right...))
		Expect(kubectl(ctx, "get", "organization", acme.name, "-o", "jsonpath={.status.seats.taken}")).To(Equal(fmt.Sprint(seats)))
		for n := range people {
			Expect(acme.subjects(person(n))).To(Or(HaveExactElements(invited), HaveExactElements(invited, welcomed)))
		}
	})
})

// states returns the states of all Memberships, by name.
func (t tenant) states(ctx context.Context) map[string]accountsv1.MembershipState {
	GinkgoHelper()
	var all accountsv1.MembershipList
	Expect(admin.List(ctx, &all, client.InNamespace(t.name))).To(Succeed())
	states := map[string]accountsv1.MembershipState{}
	for _, m := range all.Items {
		states[m.Name] = m.Status.State
	}
	return states
}
