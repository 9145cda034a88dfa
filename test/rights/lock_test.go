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
		Expect(statusOf("accounts")["signIn"].Properties).To(And(HaveLen(7), HaveKey("failures"), HaveKey("failureTime"), HaveKey("locks"),
			HaveKey("codeFailures"), HaveKey("codeFailureTime"), HaveKey("codeLocks"), HaveKey("sessionsEndTime")), "the policy and these specs must know the fields")
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
			{"the next", accountsv1.SignIn{Failures: 5, Locks: 1}, accountsv1.SignIn{Failures: 1, Locks: 2}, true},
			{"as many as are counted", accountsv1.SignIn{Failures: 5, Locks: 100}, accountsv1.SignIn{Failures: 1, Locks: 100}, true},
			{"a right password", accountsv1.SignIn{Failures: 4, FailureTime: &at, Locks: 2}, accountsv1.SignIn{}, true},
			{"a right password before the code", accountsv1.SignIn{Failures: 4, FailureTime: &at, CodeFailures: 1, Locks: 2}, accountsv1.SignIn{CodeFailures: 1}, true},
			{"two locks at once", accountsv1.SignIn{Failures: 5}, accountsv1.SignIn{Failures: 1, Locks: 2}, false},
			{"one lock less", accountsv1.SignIn{Failures: 4, Locks: 2}, accountsv1.SignIn{Failures: 5, Locks: 1}, false},
			{"no locks, and failures", accountsv1.SignIn{Failures: 4, Locks: 2}, accountsv1.SignIn{Failures: 5}, false},
			{"no locks, and the time of a failure", accountsv1.SignIn{FailureTime: &at, Locks: 2}, accountsv1.SignIn{FailureTime: &at}, false},
		} {
			expected := beForbiddenAs(locksNotByOne)
			if c.right {
				expected = Succeed()
			}
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, signIn(c.from)), signIn(c.to))).To(expected, c.name)
		}
	})

	It("keeps what was counted for codes, except after a right code", func(ctx SpecContext) {
		type s = accountsv1.SignIn
		newPassword := func(status *accountsv1.AccountStatus) { status.PasswordTime = after(1) }
		for _, c := range []struct {
			name     string
			from, to s
			also     accountChange
			refused  string
		}{
			{"the first lock", s{CodeFailures: 5}, s{CodeFailures: 1, CodeLocks: 1}, nil, ""},
			{"the next", s{CodeFailures: 5, CodeLocks: 1}, s{CodeFailures: 1, CodeLocks: 2}, nil, ""},
			{"a right code", s{CodeFailures: 1, CodeLocks: 2}, s{CodeLocks: 1}, nil, ""},
			{"a right code after wrong ones", s{CodeFailures: 4, CodeLocks: 2}, s{CodeLocks: 2}, nil, ""},
			{"two locks at once", s{CodeFailures: 5}, s{CodeFailures: 1, CodeLocks: 2}, nil, codeLocksNotByOne},
			{"two locks less", s{CodeFailures: 1, CodeLocks: 2}, s{}, nil, codeLocksNotByOne},
			{"a lock less after wrong codes", s{CodeFailures: 2, CodeLocks: 2}, s{CodeLocks: 1}, nil, codeLocksNotByOne},
			{"a lock less without a code", s{CodeLocks: 2}, s{CodeLocks: 1}, nil, codeLocksNotByOne},
			{"a lock less, and the code stays", s{CodeFailures: 1, CodeLocks: 2}, s{CodeFailures: 1, CodeLocks: 1}, nil, codeLocksNotByOne},
			{"a new password", s{Failures: 5, CodeFailures: 4, CodeLocks: 2}, s{CodeFailures: 4, CodeLocks: 2}, newPassword, ""},
			{"a new password that resets codes", s{CodeFailures: 4, CodeLocks: 2}, s{CodeLocks: 2}, newPassword, codesStay},
			{"a right password that resets codes", s{Failures: 1, CodeFailures: 4}, s{}, nil, codesStay},
			{"a wrong password that resets codes", s{CodeFailures: 4}, s{Failures: 1}, nil, codesStay},
		} {
			expected := Succeed()
			if c.refused != "" {
				expected = beForbiddenAs(c.refused)
			}
			changes := []accountChange{signIn(c.to), deeds["language"]}
			if c.also != nil {
				changes = append(changes, c.also)
			}
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, signIn(c.from)), changes...)).To(expected, c.name)
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
		locked := func(factor account.Factor) {
			GinkgoHelper()
			for range limits.MaxFailures {
				saved("a failed sign-in", counted(factor))
			}
			lock := account.LockOf(a.Status.SignIn, factor, limits)
			Expect(lock.Locked(now.Time)).To(BeTrue())
			now = metav1.NewTime(lock.Until)
		}
		locked(account.FactorPassword)
		saved("a code", counted(account.FactorCode))
		saved("a password after a lock", counted(account.FactorPassword))
		saved("the right password", account.ClearPasswords)
		saved("another code", counted(account.FactorCode))
		saved("the right code", account.CodeRight)
		locked(account.FactorCode)
		saved("a code after a lock", counted(account.FactorCode))
		saved("another code after a lock", counted(account.FactorCode))
		saved("the right code after a lock", account.CodeRight)
		saved("another right code", counted(account.FactorCode))
		Expect(a.Status.SignIn.CodeLocks).To(BeEquivalentTo(1))
		saved("another right code", account.CodeRight)
		Expect(a.Status.SignIn).To(Equal(accountsv1.SignIn{}))
		locked(account.FactorCode)
		saved("a code after a lock", counted(account.FactorCode))
		saved("a second code at once", counted(account.FactorCode))
		saved("the first right code", account.CodeRight)
		saved("the second right code", account.CodeRight)
		Expect(a.Status.SignIn).To(Equal(accountsv1.SignIn{CodeLocks: 1}))
		saved("a later code", counted(account.FactorCode))
		saved("the later right code", account.CodeRight)
		locked(account.FactorPassword)
		saved("a failed sign-in after a lock", counted(account.FactorPassword))
		Expect(a.Status.SignIn.Locks).To(BeEquivalentTo(1))
		saved("a new password", func(s *accountsv1.SignIn) {
			account.ClearPasswords(s)
			a.Status.PasswordTime = &now
		})
		for _, factor := range []account.Factor{account.FactorPassword, account.FactorCode} {
			a = anAcceptedAccount(ctx, signIn(accountsv1.SignIn{Failures: 3, FailureTime: &at, Locks: 100, CodeFailures: 3, CodeFailureTime: &at, CodeLocks: 100}))
			now = metav1.NewTime(at.Add(48 * time.Hour))
			saved("a failed sign-in after a hundred locks", counted(factor))
		}
	})
})
