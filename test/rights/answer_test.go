// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"maps"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// answers are all changes that the portal may make to an Invitation, by the field of
// the status.
var answers = map[string]func(*accountsv1.InvitationStatus){
	"acceptance":   accepted("jane"),
	"decline":      declined,
	"otherAddress": requested(1),
	"guesses":      guessed(1),
}

func accepted(by accountsv1.AccountName) func(*accountsv1.InvitationStatus) {
	return func(s *accountsv1.InvitationStatus) {
		s.Acceptance = accountsv1.Acceptance{
			AccountRef: accountsv1.AcceptedAccountReference{Name: by, UID: "1"}, AcceptedTime: &at,
		}
	}
}

func declined(s *accountsv1.InvitationStatus) {
	s.Decline = accountsv1.Decline{DeclinedTime: &at, Reason: "No, thanks."}
}

// requested sets the number of requested codes; zero clears the field.
func requested(times int32) func(*accountsv1.InvitationStatus) {
	return func(s *accountsv1.InvitationStatus) {
		s.OtherAddress = accountsv1.OtherAddress{}
		if times > 0 {
			s.OtherAddress = accountsv1.OtherAddress{Email: "jane@example.org", RequestTime: &at, Requests: times}
		}
	}
}

// guessed sets the number of tried passwords and codes; zero clears the field.
func guessed(times int32) func(*accountsv1.InvitationStatus) {
	return func(s *accountsv1.InvitationStatus) { s.Guesses = times }
}

func inState(state accountsv1.InvitationState) func(*accountsv1.InvitationStatus) {
	return func(s *accountsv1.InvitationStatus) { s.State = state }
}

// answering makes changes to an Invitation's status and saves it as the portal.
func answering(ctx context.Context, inv *accountsv1.Invitation, changes ...func(*accountsv1.InvitationStatus)) error {
	inv = inv.DeepCopy()
	for _, change := range changes {
		change(&inv.Status)
	}
	return portal.Status().Update(ctx, inv)
}

// The refusals of the policy.
const (
	anotherField = "may only change status.acceptance, decline, otherAddress and guesses of an Invitation"
	notOne       = "must change exactly one of status.acceptance, decline, otherAddress and guesses"
	answered     = "may not change an Invitation that is already accepted or declined"
	ended        = "may not change an Invitation that has ended"
	uncounted    = "must count each request for another address"
	uncountedTry = "must increase status.guesses by one"
)

var _ = Describe("The portal's answer to an Invitation", Ordered, func() {
	BeforeAll(policiesInForce)

	It("is allowed until the Invitation has ended, and in no other state", func(ctx SpecContext) {
		open := map[accountsv1.InvitationState]bool{
			accountsv1.InvitationSending: true, accountsv1.InvitationPending: true,
			accountsv1.InvitationActive: false, accountsv1.InvitationExpired: false,
			accountsv1.InvitationDeclined: false, accountsv1.InvitationFailed: false,
		}
		states := []accountsv1.InvitationState{""}
		for _, state := range statusOf("invitations")["state"].Enum {
			Expect(open).To(HaveKey(accountsv1.InvitationState(state)), "the policy and this spec must know the state")
			states = append(states, accountsv1.InvitationState(state))
		}
		open[""] = true // the controller has not reconciled it yet
		for _, state := range states {
			for field, answer := range answers {
				expected := beForbiddenAs(ended)
				if open[state] {
					expected = Succeed()
				}
				Expect(answering(ctx, anInvitation(ctx, inState(state)), answer)).To(expected, "%s in state %q", field, state)
			}
		}
	})

	It("changes no other field of the status, not even one that is added to the API later", func(ctx SpecContext) {
		later, generation := metav1.NewTime(time.Unix(1_900_000_000, 0)), int64(7)
		changes := map[string][]func(*accountsv1.InvitationStatus){
			"conditions": {
				func(s *accountsv1.InvitationStatus) { s.Conditions[0].Reason = "Else" },
				func(s *accountsv1.InvitationStatus) { s.Conditions = nil },
			},
			"attempt": {
				func(s *accountsv1.InvitationStatus) { s.Attempt.Number = 2 },
				func(s *accountsv1.InvitationStatus) { s.Attempt = accountsv1.Attempt{} },
			},
			"deliveries": {
				func(s *accountsv1.InvitationStatus) { s.Deliveries[0].Recipient = "mallory@example.org" },
				func(s *accountsv1.InvitationStatus) { s.Deliveries = nil },
				func(s *accountsv1.InvitationStatus) {
					s.Deliveries = append(s.Deliveries, accountsv1.Delivery{Name: "more", Purpose: accountsv1.PurposeCode, Medium: accountsv1.MediumEmail})
				},
			},
			"expirationTime": {
				func(s *accountsv1.InvitationStatus) { s.ExpirationTime = &later },
				func(s *accountsv1.InvitationStatus) { s.ExpirationTime = nil },
			},
			"observedGeneration": {
				func(s *accountsv1.InvitationStatus) { s.ObservedGeneration = &generation },
				func(s *accountsv1.InvitationStatus) { s.ObservedGeneration = nil },
			},
			"state": {inState(accountsv1.InvitationActive), inState(accountsv1.InvitationSending), inState("")},
		}
		inv := anInvitation(ctx)
		for field := range statusOf("invitations") {
			if answers[field] != nil {
				continue
			}
			Expect(changes).To(HaveKey(field), "the policy and this spec must know the field")
			for _, change := range changes[field] {
				Expect(answering(ctx, inv, change)).To(beForbiddenAs(anotherField), field)
				for answer, give := range answers {
					Expect(answering(ctx, inv, give, change)).To(beForbiddenAs(anotherField), "%s with %s", field, answer)
				}
			}
		}
	})

	It("is one answer at a time", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		Expect(answering(ctx, inv)).To(beForbiddenAs(notOne))
		for one, give := range answers {
			for other, giveToo := range answers {
				if one != other {
					Expect(answering(ctx, inv, give, giveToo)).To(beForbiddenAs(notOne), "%s with %s", one, other)
				}
			}
		}
	})

	It("is the last one if it accepts or declines", func(ctx SpecContext) {
		for _, final := range []string{"acceptance", "decline"} {
			inv := anInvitation(ctx, answers[final])
			more := maps.Clone(answers)
			more["acceptance"] = accepted("mallory")
			more["decline"] = func(s *accountsv1.InvitationStatus) {
				s.Decline = accountsv1.Decline{DeclinedTime: &at, Reason: "Else."}
			}
			more["no acceptance"] = func(s *accountsv1.InvitationStatus) { s.Acceptance = accountsv1.Acceptance{} }
			more["no decline"] = func(s *accountsv1.InvitationStatus) { s.Decline = accountsv1.Decline{} }
			for name, change := range more {
				expected := beForbiddenAs(answered)
				if name == "no acceptance" && final == "decline" || name == "no decline" && final == "acceptance" {
					expected = beForbiddenAs(notOne) // there is nothing to remove
				}
				Expect(answering(ctx, inv, change)).To(expected, "%s after %s", name, final)
			}
		}
	})

	It("counts requests for another address, one by one", func(ctx SpecContext) {
		for _, c := range []struct {
			from, to int32
			right    bool
		}{{0, 1, true}, {1, 2, true}, {4, 5, true}, {0, 2, false}, {1, 3, false}, {3, 2, false}, {3, 1, false}, {3, 0, false}, {1, 0, false}} {
			expected := beForbiddenAs(uncounted)
			if c.right {
				expected = Succeed()
			}
			Expect(answering(ctx, anInvitation(ctx, requested(c.from)), requested(c.to))).To(expected, "from %d to %d", c.from, c.to)
		}
		inv := anInvitation(ctx, requested(2))
		Expect(answering(ctx, inv, func(s *accountsv1.InvitationStatus) { s.OtherAddress.Email = "mallory@example.org" })).To(beForbiddenAs(uncounted))
		later := metav1.NewTime(at.Add(time.Hour))
		Expect(answering(ctx, inv, func(s *accountsv1.InvitationStatus) { s.OtherAddress.RequestTime = &later })).To(beForbiddenAs(uncounted))
		Expect(answering(ctx, inv, func(s *accountsv1.InvitationStatus) {
			s.OtherAddress = accountsv1.OtherAddress{Email: "jane@example.net", RequestTime: &later, Requests: 3}
		})).To(Succeed())
	})

	It("counts guesses, one by one", func(ctx SpecContext) {
		for _, c := range []struct {
			from, to int32
			right    bool
		}{{0, 1, true}, {1, 2, true}, {99, 100, true}, {0, 2, false}, {3, 5, false}, {3, 2, false}, {3, 0, false}, {1, 0, false}} {
			expected := beForbiddenAs(uncountedTry)
			if c.right {
				expected = Succeed()
			}
			Expect(answering(ctx, anInvitation(ctx, guessed(c.from)), guessed(c.to))).To(expected, "from %d to %d", c.from, c.to)
		}
	})

	It("can accept or decline after requests and guesses, which are kept", func(ctx SpecContext) {
		for _, final := range []string{"acceptance", "decline"} {
			inv := anInvitation(ctx, requested(2), guessed(3))
			Expect(answering(ctx, inv, answers[final], guessed(0))).To(beForbiddenAs(notOne))
			Expect(answering(ctx, inv, answers[final], requested(0))).To(beForbiddenAs(notOne))
			Expect(answering(ctx, inv, answers[final])).To(Succeed())
		}
	})

	It("builds on the last count, even if two portals count at once", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		Expect(answering(ctx, inv, guessed(1))).To(Succeed())
		Expect(answering(ctx, inv, guessed(1))).To(MatchError(ContainSubstring("the object has been modified")))
	})

	It("is given in no other way", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		more := inv.DeepCopy()
		guessed(1)(&more.Status)
		Expect(portal.Status().Patch(ctx, more, client.MergeFrom(inv))).To(beForbidden())
		Expect(portal.Update(ctx, inv)).To(beForbidden())
		Expect(portal.Delete(ctx, inv)).To(beForbidden())
		Expect(portal.Create(ctx, &accountsv1.Invitation{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "mine"}, Spec: inv.Spec})).To(beForbidden())
	})
})
