// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal"
	"github.com/usher-dev/usher/internal/portal/store"
)

// flooding counts the hashes of wrong passwords. It holds each of them up, in its slot,
// until the gate opens.
type flooding struct {
	store.Hasher
	gate   chan struct{}
	hashes *atomic.Int64
}

const wrongPassword = "a stranger's guess"

func (h flooding) Verify(ctx context.Context, typed string, stored func() string) (bool, error) {
	return h.Hasher.Verify(ctx, typed, func() string {
		if typed == wrongPassword {
			h.hashes.Add(1)
			<-h.gate
		}
		return stored()
	})
}

var _ = Describe("Flooding a portal with sign-ins", Label("B2"), func() {
	// The default of --hash-slots, a quarter of which is the reserve.
	const slots, strangersSlots = 8, 6

	behindAProxy := func(c *portal.Config) {
		c.Limits = portal.DefaultLimits()
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	}

	DescribeTable("by an address with several accounts, from as many networks, leaves out no known browser:",
		func(ctx SpecContext, requests int, refused bool) {
			address := fresh("shared") + "@example.com"
			var names []string
			for range 6 {
				p := named(fresh("holder"))
				p.email = address
				p.settle(ctx)
				names = append(names, p.name)
			}
			victim := named(fresh("victim"))
			victim.settle(ctx)
			h := flooding{account.NewHasher(slots, hashWait), make(chan struct{}), &atomic.Int64{}}
			at := aPortal(ctx, h, behindAProxy)
			known := stranger()
			known.from = "192.0.2.1"
			Expect(known.signIn(at, victim.name, password).leadsTo("/account")).To(BeTrue())
			known.post(at, "/sign-out")

			answers := make(chan []answer)
			go func() {
				defer GinkgoRecover()
				answers <- atOnce(requests, func(i int) answer {
					b := stranger()
					b.from = fmt.Sprintf("10.%d.%d.1", i/250, i%250)
					return b.signIn(at, address, wrongPassword)
				})
			}()
			Eventually(h.hashes.Load).Should(BeEquivalentTo(strangersSlots))
			began := time.Now()
			got := known.signIn(at, victim.name, password)
			took := time.Since(began)
			close(h.gate)
			statuses := map[int]int{}
			for _, a := range <-answers {
				statuses[a.status]++
			}

			figure("floods", "%d sign-ins by one address of %d accounts, from as many networks: answers %v, %d hashes; a known browser signs in within %s",
				requests, len(names), statuses, h.hashes.Load(), took.Round(time.Millisecond))
			Expect(got.leadsTo("/account")).To(BeTrue(), got.body)
			Expect(known.isIn(at, victim.name)).To(BeTrue())
			By("looking at the strangers: a request costs one hash, or none")
			Expect(h.hashes.Load()).To(BeEquivalentTo(statuses[http.StatusUnprocessableEntity]))
			Expect(h.hashes.Load()).To(BeNumerically(">=", strangersSlots))
			if refused {
				Expect(statuses).To(HaveKey(http.StatusTooManyRequests))
			} else {
				Expect(statuses).NotTo(HaveKey(http.StatusTooManyRequests))
			}
		},
		Entry("40, as many as people at nine o'clock", 40, false),
		Entry("500, more than the limit for all", 500, true),
	)
})
