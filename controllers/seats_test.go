// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// limited sets the seat limit of the Organization. Observers take no seat.
func (w world) limited(ctx context.Context, seats int32) {
	GinkgoHelper()
	org := w.organization()
	change(ctx, org, func(o *accountsv1.Organization) {
		o.Spec.Seats = seats
		o.Spec.Roles[1].Seat = accountsv1.SeatFree
	})
	eventually(ctx, org, HaveField("Status.Seats.Taken", Not(BeNil())))
}

// taken returns who has a seat. It checks the number as well.
func (w world) taken(ctx context.Context) (names []string) {
	GinkgoHelper()
	org := w.organization()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
	for _, h := range org.Status.Seats.Holders {
		names = append(names, string(h.Name))
	}
	Expect(ptr.Deref(org.Status.Seats.Taken, 0)).To(BeEquivalentTo(len(names)))
	return names
}

// mailed counts the invitations to each address in this world.
func (w world) mailed() map[string]int {
	got := map[string]int{}
	for _, m := range letters.Messages() {
		if len(m.To) == 1 && strings.HasSuffix(m.To[0], "@"+w.name+".example") {
			got[m.To[0]]++
		}
	}
	return got
}

var _ = Describe("A seat limit", Label("D2"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("admits no further member and sends no mail, and continues automatically when a seat becomes free", func(ctx SpecContext) {
		w.limited(ctx, 1)
		jane, _ := w.active(ctx)
		john := w.membership("john")
		create(ctx, john)
		inv := w.invitation("john")
		eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "SeatsExhausted"))
		eventually(ctx, john, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "SeatsExhausted"))
		Expect(health(ctx, john)).To(BeEquivalentTo("Failed"))
		Expect(w.invitationsTo("john")).To(BeEmpty())
		Expect(w.taken(ctx)).To(ConsistOf("jane"))

		Expect(k8s.Delete(ctx, jane)).To(Succeed())
		eventually(ctx, john, haveState("Invited"), beReady())
		Expect(w.invitationsTo("john")).To(HaveLen(1))
		Expect(w.taken(ctx)).To(ConsistOf("john"))
	})

	It("counts open invitations, but not roles that take no seat", Label("C9"), func(ctx SpecContext) {
		w.limited(ctx, 1)
		w.invited(ctx, "jane")
		guest := w.membership("guest")
		guest.Spec.Role = "observer"
		create(ctx, guest)
		eventually(ctx, guest, haveState("Invited"), beReady())
		late := w.membership("late")
		create(ctx, late)
		eventually(ctx, late, haveState("Failed"))

		now.PutForward(8 * 24 * time.Hour)
		poke(ctx, w.invitation("jane"))
		eventually(ctx, late, haveState("Invited"), beReady())
		Expect(w.taken(ctx)).To(ConsistOf("late"))
	})

	It("applies to a guest who gets a role that takes a seat", func(ctx SpecContext) {
		w.limited(ctx, 1)
		w.invited(ctx, "john")
		jane := w.membership("jane")
		jane.Spec.Role = "observer"
		create(ctx, jane)
		eventually(ctx, jane, haveState("Invited"), beReady())
		w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, jane, haveState("Active"), beReady())
		change(ctx, jane, func(m *accountsv1.Membership) { m.Spec.Role = "developer" })
		eventually(ctx, jane, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "SeatsExhausted"))
		Eventually(func() []string { return w.access(ctx) }).Should(BeEmpty())
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Seats = 2 })
		eventually(ctx, jane, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + w.name + "-jane"))
	})

	It("revokes no seat when it is lowered, or when every status was lost", func(ctx SpecContext) {
		w.limited(ctx, 3)
		jane, _ := w.active(ctx)
		john := w.invited(ctx, "john")
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Seats = 1 })
		org := w.organization()
		eventually(ctx, org, HaveField("Status.ObservedGeneration", HaveValue(BeEquivalentTo(3))), beReady())
		Expect(w.taken(ctx)).To(ConsistOf("jane", "john"))
		changeStatus(ctx, org, func(o *accountsv1.Organization) { o.Status = accountsv1.OrganizationStatus{} })
		Eventually(func() []string { return w.taken(ctx) }).Should(ConsistOf("jane", "john"))
		late := w.membership("late")
		create(ctx, late)
		eventually(ctx, late, haveState("Failed"))
		eventually(ctx, jane, haveState("Active"), beReady())
		eventually(ctx, john, haveState("Invited"), beReady())
	})

	It("is never exceeded, even with fifty concurrent applies and acceptances on two controllers", func(ctx SpecContext) {
		const seats, people = 20, 50
		DeferCleanup(startUsher(context.Background(), usherAPI, testNotifier(), 4))
		w.limited(ctx, seats)
		var applied sync.WaitGroup
		for i := range people {
			applied.Go(func() {
				defer GinkgoRecover()
				create(ctx, w.membership(fmt.Sprintf("p%d", i)))
			})
		}
		applied.Wait()
		settledStates := func(g Gomega) (invited []string) {
			var all accountsv1.MembershipList
			g.Expect(k8s.List(ctx, &all, client.InNamespace(w.name))).To(Succeed())
			failed := 0
			for _, m := range all.Items {
				switch {
				case m.Status.State == "Failed":
					failed++
				case m.Status.State == "Invited" && beReadyNow(&m):
					invited = append(invited, m.Name)
				}
			}
			g.Expect(invited).To(HaveLen(seats))
			g.Expect(failed).To(Equal(people - seats))
			return invited
		}
		var invited []string
		Eventually(func(g Gomega) { invited = settledStates(g) }, "60s").Should(Succeed())
		Expect(w.mailed()).To(And(HaveLen(seats), HaveEach(1)))
		Expect(w.taken(ctx)).To(ConsistOf(invited))

		var accepted sync.WaitGroup
		for _, person := range invited {
			accepted.Go(func() {
				defer GinkgoRecover()
				w.accept(ctx, person, w.name+"-"+person)
			})
		}
		accepted.Wait()
		Eventually(func() int { return len(w.access(ctx)) }, "60s").Should(Equal(seats))
		quiet(ctx)
		Expect(w.access(ctx)).To(HaveLen(seats))
		Expect(w.taken(ctx)).To(ConsistOf(invited))
	})
})

func beReadyNow(o conditioned) bool {
	matched, err := beReady().Match(o)
	return err == nil && matched
}
