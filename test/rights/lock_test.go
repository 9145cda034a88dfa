// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

var _ = Describe("What the portal counts for the sign-ins of an Account", Ordered, func() {
	BeforeAll(policiesInForce)

	It("is restricted field by field", func() {
		Expect(statusOf("accounts")["signIn"].Properties).To(And(HaveLen(5), HaveKey("failures"), HaveKey("codeFailures"),
			HaveKey("failureTime"), HaveKey("locks"), HaveKey("sessionsEndTime")), "the policy and these specs must know the fields")
	})

	It("goes up by one, or starts again", func(ctx SpecContext) {
		counts := map[string]func(*accountsv1.SignIn) *int32{
			"failures":     func(s *accountsv1.SignIn) *int32 { return &s.Failures },
			"codeFailures": func(s *accountsv1.SignIn) *int32 { return &s.CodeFailures },
		}
		for name, count := range counts {
			to := func(n int32) accountChange {
				return func(s *accountsv1.AccountStatus) { *count(&s.SignIn) = n }
			}
			for _, c := range []struct {
				from, to int32
				right    bool
			}{
				{0, 1, true},
				{1, 2, true},
				{99, 100, true},
				{7, 7, true},
				{7, 0, true},
				{7, 1, true},
				{0, 2, false},
				{0, 100, false},
				{3, 5, false},
				{7, 6, false},
				{7, 2, false},
			} {
				expected := beForbiddenAs(notByOne)
				if c.right {
					expected = Succeed()
				}
				Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, to(c.from)), to(c.to), deeds["language"])).To(expected, "%s from %d to %d", name, c.from, c.to)
			}
		}
	})

	It("makes each lock longer than the one before, until the person signs in", func(ctx SpecContext) {
		for _, c := range []struct {
			name     string
			from, to accountsv1.SignIn
			right    bool
		}{
			{"the first lock", accountsv1.SignIn{Failures: 5}, accountsv1.SignIn{Failures: 1, Locks: 1}, true},
			{"the next", accountsv1.SignIn{Failures: 5, Locks: 1}, accountsv1.SignIn{CodeFailures: 1, Locks: 2}, true},
			{"as many as are counted", accountsv1.SignIn{Failures: 5, Locks: 100}, accountsv1.SignIn{Failures: 1, Locks: 100}, true},
			{"a right password before the code", accountsv1.SignIn{Failures: 4, CodeFailures: 1, Locks: 2}, accountsv1.SignIn{CodeFailures: 1, Locks: 2}, true},
			{"a success", accountsv1.SignIn{Failures: 4, CodeFailures: 1, FailureTime: &at, Locks: 2}, accountsv1.SignIn{}, true},
			{"two locks at once", accountsv1.SignIn{Failures: 5}, accountsv1.SignIn{Failures: 1, Locks: 2}, false},
			{"one lock less", accountsv1.SignIn{Failures: 4, Locks: 2}, accountsv1.SignIn{Failures: 5, Locks: 1}, false},
			{"no locks, and failures", accountsv1.SignIn{Failures: 4, Locks: 2}, accountsv1.SignIn{Failures: 5}, false},
			{"no locks, and wrong codes", accountsv1.SignIn{CodeFailures: 1, Locks: 2}, accountsv1.SignIn{CodeFailures: 1}, false},
			{"no locks, and the time of a failure", accountsv1.SignIn{FailureTime: &at, Locks: 2}, accountsv1.SignIn{FailureTime: &at}, false},
		} {
			expected := beForbiddenAs(locksNotByOne)
			if c.right {
				expected = Succeed()
			}
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, signIn(c.from)), signIn(c.to))).To(expected, c.name)
		}
	})

	It("is what the rules of the lock return for each attempt", func(ctx SpecContext) {
		limits, now := account.Limits{MaxFailures: 3}, at
		a := anAcceptedAccount(ctx, signIn(accountsv1.SignIn{}))
		saved := func(step string, change func(*accountsv1.SignIn)) {
			GinkgoHelper()
			change(&a.Status.SignIn)
			Expect(portal.Status().Update(ctx, a)).To(Succeed(), step)
		}
		counted := func(factor account.Factor) func(*accountsv1.SignIn) {
			return func(s *accountsv1.SignIn) {
				Expect(account.Count(s, factor, limits, now)).To(BeTrue())
			}
		}
		locked := func() {
			GinkgoHelper()
			for range limits.MaxFailures {
				saved("a failed sign-in", counted(account.FactorPassword))
			}
			lock := account.LockOf(a.Status.SignIn, limits)
			Expect(lock.Locked(now.Time)).To(BeTrue())
			now = metav1.NewTime(lock.Until)
		}
		locked()
		saved("a code after a lock", counted(account.FactorCode))
		saved("a password", counted(account.FactorPassword))
		saved("the right password", account.PasswordRight)
		saved("another code", counted(account.FactorCode))
		saved("the right code", func(s *accountsv1.SignIn) { account.SignedIn(s, account.FactorCode, limits) })
		locked()
		saved("a failed sign-in after a lock", counted(account.FactorPassword))
		saved("the right password after a lock", account.PasswordRight)
		locked()
		Expect(a.Status.SignIn.Locks).To(BeEquivalentTo(1))
		saved("a new password", func(s *accountsv1.SignIn) { account.Open(s, limits) })
		now = metav1.NewTime(now.Add(time.Hour))
		saved("the end of all sessions", func(s *accountsv1.SignIn) { account.EndSessions(s, now) })
		a = anAcceptedAccount(ctx, signIn(accountsv1.SignIn{Failures: 3, FailureTime: &at, Locks: 100}))
		now = metav1.NewTime(at.Add(48 * time.Hour))
		saved("a failed sign-in after a hundred locks", counted(account.FactorPassword))
	})
})
