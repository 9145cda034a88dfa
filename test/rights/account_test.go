// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// accountChange is a change of an Account's status.
type accountChange = func(*accountsv1.AccountStatus)

// deeds are what a person can do, by the field of the status in which the portal
// records it.
var deeds = map[string]accountChange{
	"signIn":            func(s *accountsv1.AccountStatus) { s.SignIn.Failures++ },
	"twoFactor":         twoFactor(accountsv1.TwoFactorEnrolled),
	"passwordTime":      func(s *accountsv1.AccountStatus) { s.PasswordTime = after(1) },
	"secondFactorTime":  func(s *accountsv1.AccountStatus) { s.SecondFactorTime = after(1) },
	"resetTimes":        resets(1, 0),
	"userNameTimes":     userNames(1, 0),
	"emailCodeTimes":    emailCodes(1, 0),
	"emailCodeGuesses":  func(s *accountsv1.AccountStatus) { s.EmailCodeGuesses++ },
	"emailVerifiedTime": confirmed(&at),
	"deviceApprovals":   approvals(1, 0),
	"language":          func(s *accountsv1.AccountStatus) { s.Language = "de" },
	"leaving":           leaving("acme/jane", "globex/jane-doe"),
}

// after returns the time that is the given number of hours after the fixtures' time.
func after(hours int) *metav1.Time {
	t := metav1.NewTime(at.Add(time.Duration(hours) * time.Hour))
	return &t
}

func afters(hours []int) []metav1.Time {
	var times []metav1.Time
	for _, h := range hours {
		times = append(times, *after(h))
	}
	return times
}

func resets(hours ...int) accountChange {
	return func(s *accountsv1.AccountStatus) { s.ResetTimes = afters(hours) }
}

func userNames(hours ...int) accountChange {
	return func(s *accountsv1.AccountStatus) { s.UserNameTimes = afters(hours) }
}

func emailCodes(hours ...int) accountChange {
	return func(s *accountsv1.AccountStatus) { s.EmailCodeTimes = afters(hours) }
}

func emailGuesses(n int32) accountChange {
	return func(s *accountsv1.AccountStatus) { s.EmailCodeGuesses = n }
}

// confirmed sets the time at which the person confirmed the address.
func confirmed(at *metav1.Time) accountChange {
	return func(s *accountsv1.AccountStatus) { s.EmailVerifiedTime = at }
}

// approvals sets the devices that the person approved, each at a number of hours after the
// fixtures' time.
func approvals(hours ...int) accountChange {
	return func(s *accountsv1.AccountStatus) {
		s.DeviceApprovals = nil
		for _, h := range hours {
			hash := strings.Repeat(fmt.Sprint(h%10), 64)
			s.DeviceApprovals = append(s.DeviceApprovals, accountsv1.DeviceApproval{CodeHash: hash, SessionHash: hash, Time: after(h)})
		}
	}
}

func twoFactor(value accountsv1.TwoFactor) accountChange {
	return func(s *accountsv1.AccountStatus) { s.TwoFactor = value }
}

func signIn(value accountsv1.SignIn) accountChange {
	return func(s *accountsv1.AccountStatus) { s.SignIn = value }
}

// leaving sets the Memberships that the person leaves, each as namespace/name.
func leaving(names ...string) accountChange {
	return func(s *accountsv1.AccountStatus) {
		s.Leaving = nil
		for _, name := range names {
			namespace, name, _ := strings.Cut(name, "/")
			s.Leaving = append(s.Leaving, accountsv1.MembershipReference{
				Namespace: accountsv1.NamespaceName(namespace), Name: accountsv1.CatalogueName(name),
			})
		}
	}
}

// saveStatusAsPortal makes changes to an Account's status and saves it as the portal.
func saveStatusAsPortal(ctx context.Context, a *accountsv1.Account, changes ...accountChange) error {
	a = a.DeepCopy()
	for _, change := range changes {
		change(&a.Status)
	}
	return portal.Status().Update(ctx, a)
}

// The refusals of the policy.
const (
	notThePortals     = "may only change signIn, twoFactor, passwordTime, secondFactorTime, resetTimes, userNameTimes, emailCodeTimes, emailCodeGuesses, emailVerifiedTime, deviceApprovals, language and leaving in the status of an Account"
	notTakenUp        = "the portal may only change status.twoFactor, and only to Enrolled"
	notInFront        = "may only add one newer time at the front of status.resetTimes, userNameTimes and emailCodeTimes, and drop the oldest time if there are more than 5"
	guessesNotByOne   = "may only increase status.emailCodeGuesses by one, or reset it with a new request"
	confirmedBefore   = "may set status.emailVerifiedTime only once"
	notHeld           = "may only add to status.leaving, and only Memberships that the Account holds"
	takenBack         = "may not remove status.twoFactor, passwordTime or secondFactorTime, and may not change signIn.sessionsEndTime"
	notByOne          = "may only increase status.signIn.failures and codeFailures by one, or reset them"
	locksNotByOne     = "may only increase status.signIn.locks by one, and may only reset it together with failures and failureTime"
	codeLocksNotByOne = "may only increase status.signIn.codeLocks by one, or decrease it by one after a right code"
	codesStay         = "may not reset status.signIn.codeFailures when it changes passwordTime or signIn.failures"
)

var _ = Describe("What the portal writes about an Account", Ordered, func() {
	BeforeAll(policiesInForce)

	It("covers each action of the person, alone or together with others, even if it is the first of its kind", func(ctx SpecContext) {
		var all []accountChange
		for field, deed := range deeds {
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), deed)).To(Succeed(), field)
			all = append(all, deed)
		}
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), all...)).To(Succeed())
		first := anAcceptedAccount(ctx, func(s *accountsv1.AccountStatus) {
			*s = accountsv1.AccountStatus{ObservedGeneration: s.ObservedGeneration}
		})
		Expect(saveStatusAsPortal(ctx, first, append(all, resets(1), userNames(1), emailCodes(1))...)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx))).To(Succeed(), "nothing")
	})

	It("covers no other field of the status, not even one that is added to the API later", func(ctx SpecContext) {
		generation := int64(7)
		changes := map[string][]accountChange{
			"conditions": {
				func(s *accountsv1.AccountStatus) { s.Conditions[0].Reason = "Else" },
				func(s *accountsv1.AccountStatus) { s.Conditions = nil },
			},
			"observedGeneration": {
				func(s *accountsv1.AccountStatus) { s.ObservedGeneration = &generation },
				func(s *accountsv1.AccountStatus) { s.ObservedGeneration = nil },
			},
			"state": {
				func(s *accountsv1.AccountStatus) { s.State = accountsv1.AccountLocked },
				func(s *accountsv1.AccountStatus) { s.State = "" },
			},
			"unlockTimes": {
				func(s *accountsv1.AccountStatus) { s.UnlockTimes = []metav1.Time{*after(1), at} },
				func(s *accountsv1.AccountStatus) { s.UnlockTimes = nil },
			},
			"deliveries": {
				func(s *accountsv1.AccountStatus) { s.Deliveries[0].Recipient = "mallory@example.org" },
				func(s *accountsv1.AccountStatus) { s.Deliveries = nil },
				func(s *accountsv1.AccountStatus) {
					s.Deliveries = append(s.Deliveries, accountsv1.Delivery{Name: "more", Purpose: accountsv1.PurposeReset, Medium: accountsv1.MediumEmail})
				},
			},
		}
		a := anAcceptedAccount(ctx)
		for field := range statusOf("accounts") {
			if deeds[field] != nil {
				continue
			}
			Expect(changes).To(HaveKey(field), "the policy and this spec must know the field")
			for _, change := range changes[field] {
				Expect(saveStatusAsPortal(ctx, a, change)).To(beForbiddenAs(notThePortals), field)
				for deed, do := range deeds {
					Expect(saveStatusAsPortal(ctx, a, do, change)).To(beForbiddenAs(notThePortals), "%s with %s", field, deed)
				}
			}
		}
	})

	It("covers only the second factor until the Account has a record of its Memberships", func(ctx SpecContext) {
		untaken := func(changes ...accountChange) *accountsv1.Account {
			a := anAcceptedAccount(ctx, changes...)
			a.Annotations = map[string]string{"example.com/note": accountsv1.MembershipsAnnotation}
			Expect(admin.Update(ctx, a)).To(Succeed())
			return a
		}
		enrolled := deeds["twoFactor"]
		Expect(saveStatusAsPortal(ctx, untaken(twoFactor("")), enrolled)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, untaken(), enrolled)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, untaken(enrolled))).To(Succeed(), "once more")

		Expect(saveStatusAsPortal(ctx, untaken())).To(beForbiddenAs(notTakenUp), "nothing")
		Expect(saveStatusAsPortal(ctx, untaken(twoFactor("")), twoFactor(accountsv1.TwoFactorNotEnrolled))).To(beForbiddenAs(notTakenUp))
		Expect(saveStatusAsPortal(ctx, untaken(enrolled), twoFactor(accountsv1.TwoFactorNotEnrolled))).To(beForbiddenAs(notTakenUp))
		Expect(saveStatusAsPortal(ctx, untaken(enrolled), twoFactor(""))).To(beForbiddenAs(notTakenUp))
		for field, deed := range deeds {
			if field != "twoFactor" {
				Expect(saveStatusAsPortal(ctx, untaken(enrolled), deed)).To(beForbiddenAs(notTakenUp), field)
				Expect(saveStatusAsPortal(ctx, untaken(), enrolled, deed)).To(beForbiddenAs(notTakenUp), "%s with twoFactor", field)
			}
		}
		emptied := anAcceptedAccount(ctx)
		emptied.Annotations[accountsv1.MembershipsAnnotation] = ""
		Expect(admin.Update(ctx, emptied)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, emptied, deeds["signIn"])).To(Succeed(), "an Account that has left its last Membership still belongs to its person")
	})

	It("adds one newer request time, in front of the existing ones", func(ctx SpecContext) {
		for list, set := range map[string]func(hours ...int) accountChange{"resetTimes": resets, "userNameTimes": userNames, "emailCodeTimes": emailCodes} {
			for _, c := range []struct {
				from, to []int
				right    bool
			}{
				{nil, []int{1}, true},
				{[]int{1}, []int{2, 1}, true},
				{[]int{4, 3, 2, 1}, []int{5, 4, 3, 2, 1}, true},
				{[]int{5, 4, 3, 2, 1}, []int{6, 5, 4, 3, 2}, true},
				{[]int{1}, []int{1, 1}, false},
				{[]int{2}, []int{1, 2}, false},
				{[]int{2}, []int{2, 1}, false},
				{nil, []int{2, 1}, false},
				{[]int{1}, []int{3, 2, 1}, false},
				{[]int{2, 1}, nil, false},
				{[]int{2, 1}, []int{2}, false},
				{[]int{2, 1}, []int{3}, false},
				{[]int{2, 1}, []int{3, 2}, false},
				{[]int{2, 1}, []int{3, 1}, false},
				{[]int{2, 1}, []int{3, 1, 2}, false},
				{[]int{2, 1}, []int{3, 2, 0}, false},
				{[]int{2, 1}, []int{4, 3, 1}, false},
				{[]int{5, 4, 3, 2, 1}, []int{6, 5, 4, 3}, false},
				{[]int{5, 4, 3, 2, 1}, []int{7, 6, 5, 4, 3}, false},
				{[]int{5, 4, 3, 2, 1}, []int{6, 5, 4, 3, 1}, false},
			} {
				expected := beForbiddenAs(notInFront)
				if c.right {
					expected = Succeed()
				}
				Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, set(c.from...)), set(c.to...))).To(expected, "%s from %v to %v", list, c.from, c.to)
			}
		}
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), resets(1, 0), userNames())).To(beForbiddenAs(notInFront))
	})

	It("counts each wrong code for the address, and starts again only with a new request", func(ctx SpecContext) {
		for _, c := range []struct {
			from, to int32
			request  bool
			right    bool
		}{
			{0, 1, false, true},
			{1, 2, false, true},
			{4, 5, false, true},
			{5, 0, true, true},
			{1, 0, true, true},
			{3, 3, true, true},
			{0, 2, false, false},
			{1, 3, false, false},
			{3, 2, false, false},
			{3, 1, false, false},
			{5, 0, false, false},
			{1, 0, false, false},
			{0, 2, true, false},
			{3, 2, true, false},
			{3, 1, true, false},
		} {
			expected, changes := beForbiddenAs(guessesNotByOne), []accountChange{emailGuesses(c.to)}
			if c.right {
				expected = Succeed()
			}
			if c.request {
				changes = append(changes, emailCodes(1, 0))
			}
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, emailGuesses(c.from)), changes...)).
				To(expected, "from %d to %d, with a request: %v", c.from, c.to, c.request)
		}
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), emailGuesses(0), emailCodes())).To(beForbiddenAs(notInFront), "without any request")
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), emailGuesses(0), resets(1, 0))).To(beForbiddenAs(guessesNotByOne), "with another request")
	})

	It("says once that the person confirmed the address", func(ctx SpecContext) {
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), confirmed(&at), emailGuesses(2))).To(Succeed())
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), confirmed(&at), deeds["passwordTime"])).To(Succeed(), "with a link for a new password")
		for name, change := range map[string]accountChange{
			"later": confirmed(after(1)), "earlier": confirmed(after(-1)), "removed": confirmed(nil),
		} {
			a := anAcceptedAccount(ctx, confirmed(&at))
			Expect(saveStatusAsPortal(ctx, a, change)).To(beForbiddenAs(confirmedBefore), name)
			Expect(saveStatusAsPortal(ctx, a, change, deeds["passwordTime"])).To(beForbiddenAs(confirmedBefore), "%s, with a new password", name)
		}
	})

	It("adds Memberships of the Account that the person leaves, and never removes one", func(ctx SpecContext) {
		for _, c := range []struct {
			from, to []string
			right    bool
		}{
			{nil, []string{"acme/jane"}, true},
			{nil, []string{"globex/jane-doe", "acme/jane"}, true},
			{[]string{"acme/jane"}, []string{"globex/jane-doe", "acme/jane"}, true},
			{[]string{"gone/jane"}, []string{"gone/jane", "acme/jane"}, true}, // from before, and not yet processed
			{nil, []string{"acme/john"}, false},
			{nil, []string{"globex/jane"}, false},
			{nil, []string{"globex/jane-do"}, false},
			{nil, []string{"cme/jane"}, false},
			{[]string{"acme/jane"}, []string{"acme/jane", "acme/john"}, false},
			{[]string{"acme/jane"}, []string{"globex/jane-doe"}, false},
			{[]string{"acme/jane"}, nil, false},
			{[]string{"acme/jane", "globex/jane-doe"}, []string{"acme/jane"}, false},
		} {
			expected := beForbiddenAs(notHeld)
			if c.right {
				expected = Succeed()
			}
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, leaving(c.from...)), leaving(c.to...))).To(expected, "from %v to %v", c.from, c.to)
		}
	})

	It("does not change the end of sessions, and removes no change of credentials", func(ctx SpecContext) {
		for field, changes := range map[string]struct{ away, back accountChange }{
			"passwordTime": {
				func(s *accountsv1.AccountStatus) { s.PasswordTime = nil },
				func(s *accountsv1.AccountStatus) { s.PasswordTime = after(-1) },
			},
			"secondFactorTime": {
				func(s *accountsv1.AccountStatus) { s.SecondFactorTime = nil },
				func(s *accountsv1.AccountStatus) { s.SecondFactorTime = after(-1) },
			},
			"twoFactor": {twoFactor(""), twoFactor(accountsv1.TwoFactorEnrolled)},
		} {
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), changes.away)).To(beForbiddenAs(takenBack), field)
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), changes.back)).To(Succeed(), "%s as an older Secret has it, after a restore", field)
		}
		ends := func(t *metav1.Time) accountChange {
			return func(s *accountsv1.AccountStatus) { s.SignIn.SessionsEndTime = t }
		}
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx, ends(nil)), ends(&at))).To(beForbiddenAs(takenBack))
		for _, t := range []*metav1.Time{nil, after(-1), after(1)} {
			Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), ends(t))).To(beForbiddenAs(takenBack))
		}
		Expect(saveStatusAsPortal(ctx, anAcceptedAccount(ctx), signIn(accountsv1.SignIn{}))).To(beForbiddenAs(takenBack))
	})

	It("is accepted for a status of maximum size", func(ctx SpecContext) {
		a := anAccount("")
		a.GenerateName = "jane-"
		var held []string
		for i := range 64 {
			held = append(held, fmt.Sprintf("%s%d/%s%d", strings.Repeat("a", 61), 10+i, strings.Repeat("a", 61), 10+i))
		}
		a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: strings.Join(held, "="+strings.Repeat("a", 64)+"@example.com,")}
		Expect(admin.Create(ctx, a)).To(Succeed())
		for i := range 16 {
			a.Status.Deliveries = append(a.Status.Deliveries, accountsv1.Delivery{
				Name: fmt.Sprint(i), Purpose: accountsv1.PurposeReset, Medium: accountsv1.MediumEmail, Message: strings.Repeat("é", 256),
				Recipient: strings.Repeat("a", 254), MessageID: strings.Repeat("a", 512), Holder: strings.Repeat("a", 253),
			})
			a.Status.Conditions = append(a.Status.Conditions, metav1.Condition{
				Type: fmt.Sprintf("Type%d", i), Status: "True", Reason: "Reconciled", LastTransitionTime: at, Message: strings.Repeat("a", 32768),
			})
		}
		Expect(admin.Status().Update(ctx, a)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, a, leaving(held...), resets(1))).To(Succeed())
		leaving(held...)(&a.Status)
		slices.Reverse(held)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		Expect(saveStatusAsPortal(ctx, a, leaving(held...), signIn(accountsv1.SignIn{Failures: 1, FailureTime: &at}))).To(Succeed())
	})

	It("builds on the last count, even if two portals count at once", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx)
		Expect(saveStatusAsPortal(ctx, a, deeds["signIn"])).To(Succeed())
		Expect(saveStatusAsPortal(ctx, a, deeds["signIn"])).To(MatchError(ContainSubstring("the object has been modified")))
		unconditional := a.DeepCopy()
		unconditional.ResourceVersion = ""
		Expect(saveStatusAsPortal(ctx, unconditional, deeds["signIn"])).To(MatchError(ContainSubstring("must be specified for an update")))
	})

	It("covers nothing outside the status", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx)
		more := a.DeepCopy()
		more.Labels = map[string]string{"team": "red"}
		more.Finalizers = nil
		more.Annotations[accountsv1.MembershipsAnnotation] += ",acme/boss"
		more.Annotations[accountsv1.TwoFactorAnnotation] = "Enrolled"
		more.Annotations[accountsv1.EmailVerifiedAnnotation] = "2027-01-15T08:00:00Z"
		more.Spec.State = accountsv1.AccountSwitchDisabled
		more.Spec.FamilyName = "Roe"
		Expect(saveStatusAsPortal(ctx, more, deeds["language"])).To(Succeed(), "the API server drops the other changes")
		got := &accountsv1.Account{}
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), got)).To(Succeed())
		Expect(got.Status.Language).To(BeEquivalentTo("de"))
		Expect(got.Labels).To(Equal(a.Labels))
		Expect(got.Annotations).To(Equal(a.Annotations))
		Expect(got.Finalizers).To(Equal(a.Finalizers))
		Expect(got.Spec).To(Equal(a.Spec))
	})

	It("can be written in no other way", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx)
		more := a.DeepCopy()
		deeds["signIn"](&more.Status)
		Expect(portal.Status().Patch(ctx, more, client.MergeFrom(a))).To(beForbidden())
		Expect(portal.Status().Patch(ctx, more.DeepCopy(), client.RawPatch(types.ApplyYAMLPatchType, []byte("{}")), client.FieldOwner("x"))).To(beForbidden())
		Expect(portal.Status().Create(ctx, a.DeepCopy(), more)).To(beForbidden())
		Expect(portal.Patch(ctx, more, client.MergeFrom(a))).To(beForbidden())
		Expect(portal.Update(ctx, a.DeepCopy())).To(beForbidden())
		Expect(portal.Delete(ctx, a)).To(beForbidden())
		Expect(portal.DeleteAllOf(ctx, &accountsv1.Account{})).To(beForbidden())
		for _, subresource := range []string{"finalizers", "scale"} {
			Expect(portal.SubResource(subresource).Update(ctx, a.DeepCopy())).To(beForbidden(), subresource)
		}
	})

	It("cannot be part of a new Account", func(ctx SpecContext) {
		a := anAccount("")
		a.GenerateName = "jane-"
		for _, deed := range deeds {
			deed(&a.Status)
		}
		Expect(portal.Create(ctx, a)).To(Succeed())
		generation := int64(-1)
		Expect(a.Status).To(Equal(accountsv1.AccountStatus{ObservedGeneration: &generation}))
	})
})
