// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// changes counts the writes that change the Account.
type changes struct {
	seen  atomic.Int64
	first chan struct{}
}

// changesOf starts to count the changes of an Account.
func changesOf(ctx context.Context, a *accountsv1.Account) *changes {
	GinkgoHelper()
	events, err := admin.Watch(ctx, &accountsv1.AccountList{}, &client.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", a.Name),
		Raw:           &metav1.ListOptions{ResourceVersion: a.ResourceVersion},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(events.Stop)
	c := &changes{first: make(chan struct{})}
	go func() {
		for event := range events.ResultChan() {
			if event.Type == watch.Modified && c.seen.Add(1) == 1 {
				close(c.first)
			}
		}
	}()
	return c
}

var _ = Describe("Guessing a password", Label("B2"), func() {
	DescribeTable("at three portals at once, one of which is replaced meanwhile, gets no more checks than the strictest limit:",
		func(ctx SpecContext, guesses int, maxFailures []int32, most int64) {
			victim := named(fresh("victim"))
			for _, limit := range maxFailures {
				victim.joins(ctx, anOrganization(ctx, limit))
			}
			hash, err := account.NewHasher(1, time.Minute).Hash(ctx, password)
			Expect(err).NotTo(HaveOccurred())
			victim.credentials.Password = hash
			a := victim.settle(ctx)
			before := secretOf(ctx, victim.name)

			looks := &atomic.Int64{}
			start := func() *replica {
				return aPortal(ctx, countingHasher{account.NewHasher(hashSlots, hashWait), hash, looks})
			}
			at := [3]atomic.Pointer[replica]{}
			for i := range at {
				at[i].Store(start())
			}
			// A spare is ready, so that the guesses find a portal in the place of the
			// dead one.
			spare, writes := start(), changesOf(ctx, a)
			go func() {
				<-writes.first
				dead := at[0].Swap(spare)
				dead.kill()
			}()

			began := time.Now()
			var resent atomic.Int64
			answers := atOnce(guesses, func(i int) answer {
				body := form("sign-in-name", victim.name, "sign-in-password", fmt.Sprintf("a wrong guess, number %d", i))
				for {
					got, err := stranger().send(at[i%len(at)].Load(), http.MethodPost, "/sign-in", formType, body)
					if err == nil {
						return got
					}
					resent.Add(1)
				}
			})
			took := time.Since(began)

			statuses := map[int]int{}
			for _, got := range answers {
				statuses[got.status]++
				Expect(got.session()).To(BeEmpty())
			}
			right := atOnce(3, func(i int) answer { return stranger().signIn(at[i].Load(), victim.name, password) })
			Expect(statuses).To(HaveKey(http.StatusUnprocessableEntity))
			for _, got := range right {
				Expect(got.status).To(Equal(http.StatusUnprocessableEntity))
				Expect(got.session()).To(BeEmpty())
			}
			locked := reread(ctx, a)
			Expect(locked.Status.SignIn.Failures).To(BeEquivalentTo(most))
			figure("guesses", "%d guesses in %s, answers %v, %d sent again to the new portal; "+
				"passwords checked: %d of %d, writes of the Account: %d, of the Secret: %t",
				guesses, took.Round(time.Second/10), statuses, resent.Load(), looks.Load(), most, writes.seen.Load(),
				secretOf(ctx, victim.name).ResourceVersion != before.ResourceVersion)
			Expect(looks.Load()).To(And(BeNumerically("<=", most), BeNumerically(">", 0)))
			Expect(writes.seen.Load()).To(And(BeNumerically(">=", most), BeNumerically("<=", most+1)))
			Expect(secretOf(ctx, victim.name).ResourceVersion).To(Equal(before.ResourceVersion))

			By("waiting for the end of the lock")
			now.PutForward(15*time.Minute - 5*time.Second - time.Since(locked.Status.SignIn.FailureTime.Time))
			Expect(stranger().signIn(at[1].Load(), victim.name, password).session()).To(BeEmpty())
			now.PutForward(10 * time.Second)
			owner := stranger()
			Expect(owner.signIn(at[1].Load(), victim.name, password).leadsTo("/account")).To(BeTrue())
			Expect(owner.isIn(at[2].Load(), victim.name)).To(BeTrue())
			Expect(reread(ctx, a).Status.SignIn.Failures).To(BeZero())
		},
		Entry("5, if no Organization sets one", 1000, []int32{0}, int64(5)),
		Entry("3, if two Organizations set one", 300, []int32{10, 3}, int64(3)),
	)
})
