// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// settledAfter is how long the status of an Account does not show its lock.
const settledAfter = 10 * time.Second

// members and owners are the limits that the portal applies.
var members, owners = account.Limits{MaxFailures: 5}, account.Limits{MaxFailures: 5, Owner: true}

// guess tries five wrong passwords, which the portal counts.
func guess(ctx context.Context, a *accountsv1.Account, limits account.Limits) {
	GinkgoHelper()
	for range 5 {
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			Expect(account.Count(&s.SignIn, account.FactorPassword, limits, now)).To(BeTrue())
		})
	}
}

// lockOut also waits until the last password attempt can no longer succeed.
func lockOut(ctx context.Context, a *accountsv1.Account, limits account.Limits) {
	GinkgoHelper()
	guess(ctx, a, limits)
	now.PutForward(settledAfter)
	poke(ctx, a)
	eventually(ctx, a, haveState("Locked"), beReady(), haveCondition("Locked", metav1.ConditionTrue, "TooManyFailures"))
}

// passes advances the clock and makes the controllers reconcile the Account.
func passes(ctx context.Context, a *accountsv1.Account, by time.Duration) {
	GinkgoHelper()
	now.PutForward(by)
	poke(ctx, a)
	quiet(ctx)
}

func beOpen() OmegaMatcher {
	return And(haveState("Active"), beReady(), haveCondition("Locked", metav1.ConditionFalse, "NotLocked"))
}

var _ = Describe("A locked Account", Label("B2"), func() {
	var (
		w world
		m *accountsv1.Membership
		a *accountsv1.Account
	)

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		m, a = w.active(ctx)
	})

	It("shows its lock once no pending attempt can still succeed, and its owner is mailed, in two writes", Label("K1", "K8"), func(ctx SpecContext) {
		guess(ctx, a, members)
		quiet(ctx)
		eventually(ctx, a, beOpen())
		Expect(lettersTo(a, lockedSubject)).To(BeEmpty())
		before := len(w.writes())
		passes(ctx, a, settledAfter)
		eventually(ctx, a, haveState("Locked"), beReady(), haveCondition("Locked", metav1.ConditionTrue, "TooManyFailures"),
			haveMessage("Locked", "ends by itself"), haveCondition("Active", metav1.ConditionTrue, "Accepted"))
		mail := eventuallyMailed(ctx, a, lockedSubject, 1)
		Expect(mail.Text).To(And(ContainSubstring(a.Name), ContainSubstring("https://accounts.example.com/reset\n")))
		Expect(w.writes()[before:]).To(ConsistOf("update accounts/status "+a.Name, "update accounts/status "+a.Name))
		passes(ctx, a, time.Minute)
		Expect(w.writes()[before:]).To(HaveLen(2))
		Expect(lettersTo(a, lockedSubject)).To(HaveLen(1))
		eventually(ctx, m, haveState("Active"), beReady())
	})

	It("locks and unlocks on time without any other event", func(ctx SpecContext) {
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			failed := metav1.NewTime(now.Add(-settledAfter + 2*time.Second))
			s.SignIn = accountsv1.SignIn{Failures: 5, FailureTime: &failed}
		})
		eventually(ctx, a, haveState("Locked"))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			failed := metav1.NewTime(now.Add(-15*time.Minute + 2*time.Second))
			s.SignIn.FailureTime = &failed
		})
		eventually(ctx, a, beOpen())
	})

	It("unlocks by itself, later each time, and its owner is mailed each time", func(ctx SpecContext) {
		for round, locked := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour} {
			lockOut(ctx, a, members)
			eventuallyMailed(ctx, a, lockedSubject, round+1)
			passes(ctx, a, locked-settledAfter-time.Minute)
			eventually(ctx, a, haveState("Locked"))
			passes(ctx, a, time.Minute)
			eventually(ctx, a, beOpen())
		}
	})

	It("stays locked no longer than the first time if it belongs to an owner of an Organization", func(ctx SpecContext) {
		w.owned(ctx)
		ada := &accountsv1.Account{}
		Expect(k8s.Get(ctx, client.ObjectKey{Name: w.name + "-ada"}, ada)).To(Succeed())
		for range 3 {
			lockOut(ctx, ada, owners)
			passes(ctx, ada, 15*time.Minute-settledAfter)
			eventually(ctx, ada, beOpen())
		}
		Expect(ada.Status.SignIn.Locks).To(BeEquivalentTo(2))
	})

	DescribeTable("is unlocked once by an annotation", Label("D7"), func(ctx SpecContext, which func() client.Object) {
		lockOut(ctx, a, members)
		value := ask(ctx, which(), accountsv1.UnlockAnnotation)
		eventually(ctx, a, beOpen(), HaveField("Status.SignIn", accountsv1.SignIn{}))
		Expect(eventuallyMailed(ctx, a, unlockedSubject, 1).Text).To(ContainSubstring("An administrator unlocked the account"))
		now.PutForward(time.Minute)
		lockOut(ctx, a, members)
		annotate(ctx, which(), accountsv1.UnlockAnnotation, value)
		passes(ctx, a, time.Second)
		eventually(ctx, a, haveState("Locked"))
	},
		Entry("on the Account", func() client.Object { return a }),
		Entry("on its Membership", func() client.Object { return m }),
	)

	It("follows the strictest of its Organizations, even when their limits change, and no session ends", func(ctx SpecContext) {
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			s.SignIn = accountsv1.SignIn{Failures: 3, FailureTime: &now}
		})
		passes(ctx, a, settledAfter)
		eventually(ctx, a, beOpen())
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.SignIn.MaxFailures = 3 })
		eventually(ctx, a, haveState("Locked"))
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.SignIn.MaxFailures = 4 })
		eventually(ctx, a, beOpen())
		Expect(a.Status.SignIn.SessionsEndTime).To(BeNil())
	})

	It("is locked by codes apart from passwords, and its owner is mailed about each", func(ctx SpecContext) {
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			s.SignIn = accountsv1.SignIn{CodeFailures: 5, CodeFailureTime: &now}
		})
		passes(ctx, a, settledAfter)
		eventually(ctx, a, haveState("Locked"), haveMessage("Locked", "A new password does not end it"))
		Expect(eventuallyMailed(ctx, a, codesLockedSubject, 1).Text).To(ContainSubstring("A new password does not unlock your second factor."))
		asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
			s.SignIn.Failures, s.SignIn.FailureTime = 5, &now
		})
		passes(ctx, a, settledAfter)
		eventuallyMailed(ctx, a, lockedSubject, 1)
		Expect(lettersTo(a, codesLockedSubject)).To(HaveLen(1))
	})
})

var _ = Describe("A manager of an Organization", Label("D7"), func() {
	It("unlocks a member once a minute and 5 times a day, and each lock and each unlock is mailed", Label("K8"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		m, a := w.active(ctx)
		locks := 0
		// locked makes an attacker guess, and the manager request an unlock at once.
		locked := func() {
			GinkgoHelper()
			guess(ctx, a, members)
			locks++
			ask(ctx, m, accountsv1.UnlockAnnotation)
			quiet(ctx)
			passes(ctx, a, settledAfter)
			eventuallyMailed(ctx, a, lockedSubject, locks)
		}
		locked()
		eventually(ctx, a, beOpen())
		eventuallyMailed(ctx, a, unlockedSubject, 1)
		locked()
		eventually(ctx, a, haveState("Locked"), haveCondition("RequestBlocked", metav1.ConditionTrue, "UnlockLimited"),
			haveMessage("RequestBlocked", w.name+"/jane"), haveMessage("RequestBlocked", "once a minute, and 5 times in 24 hours"))
		Eventually(func() []string { return eventsAbout(ctx, m) }).Should(ContainElement("Warning UnlockLimited"))
		passes(ctx, a, time.Minute-settledAfter)
		eventually(ctx, a, beOpen())
		for unlocks := 2; unlocks < 5; unlocks++ {
			eventuallyMailed(ctx, a, unlockedSubject, unlocks)
			passes(ctx, a, time.Minute)
			locked()
			eventually(ctx, a, beOpen())
		}
		eventuallyMailed(ctx, a, unlockedSubject, 5)
		passes(ctx, a, time.Minute)
		locked()
		passes(ctx, a, 5*time.Minute)
		eventually(ctx, a, haveState("Locked"), haveCondition("RequestBlocked", metav1.ConditionTrue, "UnlockLimited"))
		Expect(lettersTo(a, unlockedSubject)).To(HaveLen(5))
		ask(ctx, a, accountsv1.UnlockAnnotation)
		eventually(ctx, a, beOpen())
		eventuallyMailed(ctx, a, unlockedSubject, 6)
		Expect(lettersTo(a, lockedSubject)).To(HaveLen(locks))
	})

	It("cannot request anything for an owner of another Organization, but a cluster admin can", func(ctx SpecContext) {
		entity := accountsv1.DisplayText(fresh("Acme"))
		shop, labs := aWorldOf(ctx, entity), aWorldOf(ctx, entity)
		m, a := shop.active(ctx)
		labs.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Roles = append(o.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner})
		})
		owner := labs.membership("jane")
		owner.Spec.Email, owner.Spec.Role = shop.email("jane"), "owner"
		create(ctx, owner)
		eventually(ctx, owner, haveState("Invited"), beReady())
		labs.acceptWith(ctx, "jane", a)
		eventually(ctx, owner, haveState("Active"))

		for _, annotation := range []string{accountsv1.ResetAnnotation, accountsv1.UnlockAnnotation} {
			lockOut(ctx, a, owners)
			ask(ctx, m, annotation)
			eventually(ctx, a, haveState("Locked"), beReady(), haveCondition("RequestBlocked", metav1.ConditionTrue, "OwnerElsewhere"),
				haveMessage("RequestBlocked", shop.name+"/jane"), haveMessage("RequestBlocked", annotation))
			Eventually(func() []string { return eventsAbout(ctx, m) }).Should(ContainElement("Warning OwnerElsewhere"))
			passes(ctx, a, time.Second)
			eventually(ctx, a, haveState("Locked"))
			Expect(lettersTo(a, resetSubject)).To(BeEmpty())
			passes(ctx, a, time.Hour)
			eventually(ctx, a, beOpen())
			Expect(words(a.Status.Conditions)).NotTo(ContainElement(HavePrefix("RequestBlocked")))
		}
		Expect(eventsAbout(ctx, m)).To(ConsistOf("Warning OwnerElsewhere", "Warning OwnerElsewhere"))
		Expect(eventsAbout(ctx, owner)).To(BeEmpty())

		ask(ctx, a, accountsv1.ResetAnnotation)
		eventuallyMailed(ctx, a, resetSubject, 1)
		now.PutForward(time.Minute)
		ask(ctx, owner, accountsv1.ResetAnnotation)
		eventuallyMailed(ctx, a, resetSubject, 2)
	})
})
