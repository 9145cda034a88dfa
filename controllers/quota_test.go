// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("Many invitations", Label("K8"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	people := func(prefix string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s%02d", prefix, i))
		}
		return names
	}
	// mailed returns how many of the people got a mail.
	mailed := func(names ...string) func() int {
		return func() int {
			sum := 0
			for _, name := range names {
				sum += len(w.invitationMails(name))
			}
			return sum
		}
	}
	// waiting returns how many of the people wait because of the quota.
	waiting := func(ctx SpecContext, names ...string) func() int {
		return func() int {
			sum := 0
			for _, name := range names {
				if waits(ctx, w.membership(name), "QuotaReached") && waits(ctx, w.invitation(name), "QuotaReached") {
					sum++
				}
			}
			return sum
		}
	}

	It("reach one mailbox five times a day, whatever the tags and dots", func(ctx SpecContext) {
		var all []*accountsv1.Invitation
		sent := func() int {
			sum := 0
			for _, inv := range all {
				sum += len(letters.For(string(inv.Spec.Email)))
			}
			return sum
		}
		for i := range 30 {
			inv := w.invitation(fmt.Sprintf("p%02d", i))
			inv.Spec.Email = accountsv1.EmailAddress(fmt.Sprintf("%s+%d@gmail.com", w.name, i))
			if i%2 == 0 {
				inv.Spec.Email = accountsv1.EmailAddress(fmt.Sprintf("%s.%s+%d@googlemail.com", w.name[:1], w.name[1:], i))
			}
			all = append(all, inv)
			create(ctx, inv)
		}
		Eventually(func() int {
			limited := 0
			for _, inv := range all {
				if waits(ctx, inv, "ResendLimited") {
					limited++
				}
			}
			return limited
		}).Should(Equal(25))
		quiet(ctx)
		Expect(sent()).To(Equal(5))
	})

	It("are as many in a day as the Organization declares; the others wait, and all of them are told", func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 4 })
		names := people("a", 9)
		for _, name := range names {
			create(ctx, w.membership(name))
		}
		Eventually(waiting(ctx, names...)).Should(Equal(5))
		org := w.organization()
		eventually(ctx, org, haveCondition("QuotaReached", metav1.ConditionTrue, "QuotaReached"), beReady(),
			haveMessage("QuotaReached", "spec.invitationsPerDay"))
		quiet(ctx)
		Expect(mailed(names...)()).To(Equal(4))

		By("delete those that were sent, and invite others")
		for _, name := range names {
			if len(w.invitationMails(name)) > 0 {
				m := w.membership(name)
				Expect(k8s.Delete(ctx, m)).To(Succeed())
				eventuallyGone(ctx, m)
			}
		}
		more := people("b", 2)
		for _, name := range more {
			create(ctx, w.membership(name))
		}
		Eventually(waiting(ctx, more...)).Should(Equal(2))
		Expect(mailed(more...)()).To(BeZero())

		By("raise the limit")
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 100 })
		Eventually(mailed(append(names, more...)...)).Should(Equal(11))
		eventually(ctx, org, Not(haveCondition("QuotaReached", metav1.ConditionTrue, "QuotaReached")))
	})

	It("are sent a day later, and a resend counts as well", func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 1 })
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		askForResend(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady(), haveCondition("ResendBlocked", metav1.ConditionTrue, "QuotaReached"))
		eventually(ctx, w.organization(), haveCondition("QuotaReached", metav1.ConditionTrue, "QuotaReached"))
		Expect(w.invitationMails("john")).To(HaveLen(1))

		now.PutForward(24 * time.Hour)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
		Expect(w.invitationMails("john")).To(HaveLen(2))
	})
})

// waits reports whether Usher will continue with an object by itself, for that reason.
func waits(ctx context.Context, o interface {
	client.Object
	conditioned
}, reason string,
) bool {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(o), o))).To(Succeed())
	reconciling := meta.FindStatusCondition(o.GetConditions(), "Reconciling")
	return reconciling != nil && reconciling.Reason == reason && meta.IsStatusConditionFalse(o.GetConditions(), "Ready")
}
