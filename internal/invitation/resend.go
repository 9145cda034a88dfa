// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// clockSkew is how far in the future a request may lie: clocks differ.
const clockSkew = 5 * time.Minute

// maxRequest is how long the value of a resend annotation may be.
const maxRequest = 64

// resend is a request for a new attempt, and what becomes of it.
type resend struct {
	// asked tells whether there is a request that has not been answered.
	asked bool
	// invalid tells that its value is no time.
	invalid bool
	// otherTerms tells that it would not go out as the Membership says by now.
	otherTerms bool
	// possibleAt is when it can be carried out, if there was too much of late;
	// zero: now.
	possibleAt time.Time
}

// resend reads the annotations of the Invitation and of its Membership.
func (f Facts) resend() resend {
	fresh := freshRequests(f.Invitation, f.Membership)
	switch {
	case len(fresh) == 0:
		return resend{}
	case len(validRequests(fresh)) == 0:
		return resend{asked: true, invalid: true}
	case otherTerms(f.Invitation, f.Membership):
		return resend{asked: true, otherTerms: true}
	}
	return resend{asked: true, possibleAt: f.nextAttempt()}
}

// requests are the values of the resend annotations, of an Invitation and of
// its Membership.
func requests(inv *accountsv1.Invitation, m *accountsv1.Membership) (own, membership string) {
	own = inv.Annotations[accountsv1.ResendAnnotation]
	if m != nil {
		membership = m.Annotations[accountsv1.ResendAnnotation]
	}
	return own, membership
}

// freshRequests are those that no attempt has answered. The first attempt
// answers what was asked before it.
func freshRequests(inv *accountsv1.Invitation, m *accountsv1.Membership) []string {
	attempt := inv.Status.Attempt
	if !attempt.Begun() {
		return nil
	}
	var fresh []string
	own, membership := requests(inv, m)
	if own != "" && own != attempt.ResendRequest {
		fresh = append(fresh, own)
	}
	if membership != "" && membership != attempt.MembershipResendRequest {
		fresh = append(fresh, membership)
	}
	return fresh
}

func validRequests(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(value string) bool {
		_, err := time.Parse(time.RFC3339, value)
		return err != nil || len(value) > maxRequest
	})
}

// kept is a request as an attempt keeps it: what is no request is not kept.
func kept(value string) string {
	if len(validRequests([]string{value})) == 0 {
		return ""
	}
	return value
}

// otherTerms tells whether an Invitation that was made for the Membership is not
// as it would be made now. It cannot be changed: another number, say, which
// somebody has put right since, is in none of its attempts. The role is not among
// the terms: each attempt goes by the Membership's.
func otherTerms(inv *accountsv1.Invitation, m *accountsv1.Membership) bool {
	if m == nil || !MadeForMembership(inv) {
		return false
	}
	now := SpecFor(m)
	now.Role = inv.Spec.Role
	return !equality.Semantic.DeepEqual(now, inv.Spec)
}

// renewing tells whether a new attempt is to be begun now.
func (f Facts) renewing() bool {
	r := f.resend()
	return r.asked && !r.invalid && !r.otherTerms && r.possibleAt.IsZero() && f.settled()
}

// settled tells whether nothing of the current attempt is on its way. A try that
// came to nothing is not: nobody is at it, and whoever asks for a resend need not
// wait until a gateway that is away takes what is out of date by then.
func (f Facts) settled() bool {
	if _, ended := f.end(); ended {
		return true
	}
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose == accountsv1.PurposeInvitation && d.Result == "" {
			return false
		}
	}
	return true
}

// Released tells whether somebody asked for mail after it was held: one of the
// values is a time since Ready turned False, which it did when the status was
// lost, and no time that has yet to come. What was asked for before does not
// count: it came back with everything else.
func Released(conditions []metav1.Condition, now time.Time, asked ...string) bool {
	ready := meta.FindStatusCondition(conditions, accountsv1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return false
	}
	return slices.ContainsFunc(asked, func(value string) bool {
		t, err := time.Parse(time.RFC3339, value)
		return err == nil && !t.Before(ready.LastTransitionTime.Time) && t.Before(now.Add(clockSkew))
	})
}
