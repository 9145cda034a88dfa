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

var _ = Describe("Codes to other addresses", Label("K8"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
	})

	pending := func(ctx SpecContext, people ...string) {
		for _, person := range people {
			inv := w.invitation(person)
			create(ctx, inv)
			eventually(ctx, inv, haveState("Pending"))
		}
	}
	tagged := func(n int) accountsv1.EmailAddress {
		return accountsv1.EmailAddress(fmt.Sprintf("%s+%d@gmail.com", w.name, n))
	}

	It("reach one mailbox five times a day, whatever the tags and the link", func(ctx SpecContext) {
		people := []string{"john", "mary", "paul"}
		pending(ctx, people...)
		sent := 0
		for n := range 9 {
			if w.gotCode(ctx, people[n%3], tagged(n)) {
				sent++
			}
		}
		Expect(sent).To(Equal(5))
		john := w.invitation("john")
		eventually(ctx, john, haveState("Pending"), beReady(), haveCondition("CodeBlocked", metav1.ConditionTrue, "ResendLimited"),
			haveMessage("CodeBlocked", "mailed 5 times within a day"))

		By("an invitation to the mailbox")
		last := w.invitation("last")
		last.Spec.Email = tagged(100)
		create(ctx, last)
		Eventually(waits).WithArguments(ctx, last, "ResendLimited").Should(BeTrue())

		By("another mailbox, and a day later")
		Expect(w.gotCode(ctx, "john", w.email("other"))).To(BeTrue())
		now.PutForward(24 * time.Hour)
		Expect(w.gotCode(ctx, "mary", tagged(200))).To(BeTrue())
		eventually(ctx, w.invitation("mary"), Not(haveCondition("CodeBlocked", metav1.ConditionTrue, "ResendLimited")))
	})

	It("count towards the quota of the Organization, and are sent once it is raised", func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 3 })
		pending(ctx, "john")
		Expect(w.gotCode(ctx, "john", w.email("a"))).To(BeTrue())
		Expect(w.gotCode(ctx, "john", w.email("b"))).To(BeTrue())
		Expect(w.gotCode(ctx, "john", w.email("c"))).To(BeFalse())
		john := w.invitation("john")
		eventually(ctx, john, haveState("Pending"), beReady(), haveCondition("CodeBlocked", metav1.ConditionTrue, "QuotaReached"),
			haveMessage("CodeBlocked", "spec.invitationsPerDay"))
		org := w.organization()
		eventually(ctx, org, haveCondition("QuotaReached", metav1.ConditionTrue, "QuotaReached"), beReady())
		create(ctx, w.membership("mary"))
		eventually(ctx, w.membership("mary"), haveCondition("Reconciling", metav1.ConditionTrue, "QuotaReached"))

		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 100 })
		Eventually(w.mailsTo).WithArguments("c", "").Should(HaveLen(1))
		eventually(ctx, john, Not(haveCondition("CodeBlocked", metav1.ConditionTrue, "QuotaReached")))
		eventually(ctx, org, Not(haveCondition("QuotaReached", metav1.ConditionTrue, "QuotaReached")))
	})

	It("that are held are not sent after their ten minutes, and the condition ends with them", func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 1 })
		pending(ctx, "john")
		Expect(w.gotCode(ctx, "john", w.email("a"))).To(BeFalse())
		now.PutForward(10 * time.Minute)
		john := w.invitation("john")
		poke(ctx, john)
		eventually(ctx, john, haveState("Pending"), beReady(), Not(haveCondition("CodeBlocked", metav1.ConditionTrue, "QuotaReached")))
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 100 })
		quiet(ctx)
		Expect(w.mailsTo("a", "")).To(BeEmpty())
		waitForEvents(w, "john", 2) // the link was sent, and the code was held
		Expect(w.gotCode(ctx, "john", w.email("a"))).To(BeTrue())
	})

	It("count after a restart of the controller, and after a resend", Serial, func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationsPerDay = 5 })
		pending(ctx, "john")
		Expect(w.gotCode(ctx, "john", w.email("a"))).To(BeTrue())
		Expect(w.gotCode(ctx, "john", w.email("b"))).To(BeTrue())
		john := w.invitation("john")
		askForResend(ctx, john)
		eventually(ctx, john, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
		Expect(w.gotCode(ctx, "john", w.email("c"))).To(BeTrue())

		stopUsher()
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		Expect(w.gotCode(ctx, "john", w.email("d"))).To(BeFalse())
		eventually(ctx, john, haveCondition("CodeBlocked", metav1.ConditionTrue, "QuotaReached"))
	})
})

// gotCode requests a code to an address, as the portal does, and reports whether it was mailed.
// Otherwise, the status reports that it is held.
func (w world) gotCode(ctx context.Context, person string, to accountsv1.EmailAddress) bool {
	GinkgoHelper()
	inv, before := w.invitation(person), len(letters.For(string(to)))
	changeStatus(ctx, inv, func(inv *accountsv1.Invitation) {
		at := metav1.NewTime(now.Now().UTC().Truncate(time.Second))
		inv.Status.OtherAddress = accountsv1.OtherAddress{Email: to, RequestTime: &at, Requests: inv.Status.OtherAddress.Requests + 1}
	})
	var mailed bool
	Eventually(func() bool {
		mailed = len(letters.For(string(to))) > before
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv)).To(Succeed())
		return mailed || meta.IsStatusConditionTrue(inv.Status.Conditions, "CodeBlocked")
	}).Should(BeTrue())
	if !mailed {
		quiet(ctx) // the condition can be about an earlier request
	}
	return len(letters.For(string(to))) > before
}
