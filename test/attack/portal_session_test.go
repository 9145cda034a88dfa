// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

var _ = Describe("A session", Label("B7"), func() {
	// ends measures how long after do no portal accepts the browser's session any
	// more.
	ends := func(what string, b *browser, name string, at []*replica, do func()) {
		GinkgoHelper()
		for _, p := range at {
			Expect(b.copy().isIn(p, name)).To(BeTrue())
		}
		do()
		start := time.Now()
		Eventually(func() int {
			still := 0
			for _, p := range at {
				if b.copy().isIn(p, name) {
					still++
				}
			}
			return still
		}).WithTimeout(time.Second).WithPolling(5 * time.Millisecond).Should(BeZero())
		figure(what, "known at no portal after %s", time.Since(start).Round(time.Millisecond))
	}

	It("that begins at one portal works at every portal, and signing out at one portal ends it at every portal", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		jane.settle(ctx)
		at, b := portals(ctx), stranger()
		Expect(b.signIn(at[0], jane.name, password).leadsTo("/account")).To(BeTrue())
		for _, p := range at {
			Expect(b.isIn(p, jane.name)).To(BeTrue())
		}
		kept := b.copy()
		Expect(b.post(at[1], "/sign-out").leadsTo("/sign-in")).To(BeTrue())
		for _, p := range []*replica{at[2], at[0], at[1]} {
			Expect(kept.copy().get(p, "/account").leadsTo("/sign-in")).To(BeTrue())
		}
	})

	It("ends at every portal when the Account is disabled, and stays ended", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		a := jane.settle(ctx)
		at, b := portals(ctx), stranger()
		b.signIn(at[0], jane.name, password)
		ends("disabled", b, jane.name, at, func() {
			disabled := reread(ctx, a)
			disabled.Spec.State = accountsv1.AccountSwitchDisabled
			Expect(admin.Update(ctx, disabled)).To(Succeed())
		})
		Expect(stranger().signIn(at[1], jane.name, password).status).To(Equal(http.StatusUnprocessableEntity))
	})

	It("ends at every portal when the Account is deleted", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		a := jane.settle(ctx)
		at, b := portals(ctx), stranger()
		b.signIn(at[0], jane.name, password)
		ends("deleted", b, jane.name, at, func() { Expect(admin.Delete(ctx, a)).To(Succeed()) })
		Expect(stranger().signIn(at[1], jane.name, password).status).To(Equal(http.StatusUnprocessableEntity))
	})
})

var _ = Describe("A crowd at the sign-in page", Label("B2"), func() {
	It("that exceeds what a portal can hash is asked to come back later", func(ctx SpecContext) {
		jane := named(fresh("jane"))
		jane.settle(ctx)
		at := aPortal(ctx, account.NewHasher(1, 20*time.Millisecond))
		answers := atOnce(60, func(int) answer { return stranger().signIn(at, fresh("unknown"), "a wrong password") })
		turnedAway := 0
		for _, got := range answers {
			switch got.status {
			case http.StatusServiceUnavailable:
				turnedAway++
				Expect(got.header.Get("Retry-After")).To(MatchRegexp(`^[1-9][0-9]*$`))
			default:
				Expect(got.status).To(Equal(http.StatusUnprocessableEntity))
			}
		}
		figure("crowd", "%d at once, with room for one and a wait of 20 ms: %d turned away", len(answers), turnedAway)
		Expect(turnedAway).To(And(BeNumerically(">", 0), BeNumerically("<", len(answers))))
		Expect(stranger().signIn(at, jane.name, password).leadsTo("/account")).To(BeTrue())
	})
})
