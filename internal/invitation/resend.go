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

// clockSkew is how far in the future a request can lie, because clocks differ.
const clockSkew = 5 * time.Minute

// maxRequest is the maximum length of the value of a resend annotation.
const maxRequest = 64

// resend is a request for a new attempt, and its result.
type resend struct {
	// asked reports whether there is an unanswered request.
	asked bool
	// invalid reports that its value is not a time.
	invalid bool
	// otherTerms reports that the terms of the Membership have changed, so that the
	// resend would not match them.
	otherTerms bool
	// possibleAt is when the rate limits allow it; zero: now.
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

// requests returns the values of the resend annotations of an Invitation and of its
// Membership.
func requests(inv *accountsv1.Invitation, m *accountsv1.Membership) (own, membership string) {
	own = inv.Annotations[accountsv1.ResendAnnotation]
	if m != nil {
		membership = m.Annotations[accountsv1.ResendAnnotation]
	}
	return own, membership
}

// freshRequests returns the requests that no attempt has answered. The first attempt
// answers all requests made before it.
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

// recordedRequest returns a request as an attempt records it. An invalid request is not recorded.
func recordedRequest(value string) string {
	if len(validRequests([]string{value})) == 0 {
		return ""
	}
	return value
}

// otherTerms reports whether an Invitation that Usher created for the Membership
// differs from the one it would create now. An Invitation cannot be changed, so none of
// its attempts uses, for example, a corrected phone number. The role is not one of the
// terms: each attempt uses the Membership's role.
func otherTerms(inv *accountsv1.Invitation, m *accountsv1.Membership) bool {
	if m == nil || !IsManagedByMembership(inv) {
		return false
	}
	now := SpecFor(m)
	now.Role = inv.Spec.Role
	return !equality.Semantic.DeepEqual(now, inv.Spec)
}

// renewing reports whether a new attempt is due now.
func (f Facts) renewing() bool {
	r := f.resend()
	return r.asked && !r.invalid && !r.otherTerms && r.possibleAt.IsZero() && f.noSendInProgress()
}

// noSendInProgress reports whether no send of the current attempt is in progress. A failed send
// is not in progress. Otherwise, if a gateway is down, a requested resend would wait until
// the gateway takes a message that is outdated.
func (f Facts) noSendInProgress() bool {
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

// MailReleased reports whether an admin requested mail after it was held. One of the values
// must be a time since Ready turned False, which happened when the status was lost, and
// must not lie in the future. Earlier requests do not count, because the restore
// brought them back with everything else.
func MailReleased(conditions []metav1.Condition, now time.Time, asked ...string) bool {
	ready := meta.FindStatusCondition(conditions, accountsv1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return false
	}
	return slices.ContainsFunc(asked, func(value string) bool {
		t, err := time.Parse(time.RFC3339, value)
		return err == nil && !t.Before(ready.LastTransitionTime.Time) && t.Before(now.Add(clockSkew))
	})
}
