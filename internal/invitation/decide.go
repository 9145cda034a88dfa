// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// DefaultValidity is how long an invitation can be accepted where its
// Organization does not say.
const DefaultValidity = 7 * 24 * time.Hour

// recheckKeys is how long to wait before keys that could not be used are looked
// at again.
const recheckKeys = time.Minute

// Plan is what to do next. At most one of its actions is set.
type Plan struct {
	// Delete the Invitation, because Usher made it for a Membership that is gone.
	Delete bool
	// CreateMembership that the accepted Invitation stands for.
	CreateMembership bool
	// Mark the Invitation as one that was mailed, for the case that its status
	// is lost.
	Mark bool
	// Withdraw the Secret of this delivery: its link is dead.
	Withdraw *accountsv1.Delivery
	// Claim the next try with this; then send.
	Claim *Claim
	// After which time to look again, if nothing happens before. 0: never.
	After time.Duration
}

// Decide says what to do next.
func Decide(f Facts) Plan {
	at := f.situation()
	if p, due := f.housekeeping(at); due {
		return p
	}
	switch at {
	case deleting, takenUp:
		return Plan{}
	case orphaned:
		return Plan{Delete: true}
	case accepted:
		return Plan{CreateMembership: f.Membership == nil}
	case noKey:
		return f.untilExpiry(Plan{After: recheckKeys})
	case addressNotAllowed, rivalled, contended, seatless, seatUnknown, suspended:
		return f.untilExpiry(Plan{})
	case limited:
		return Plan{After: f.nextAttempt().Sub(f.Now)}
	case unclaimed, renewed:
		return Plan{Claim: f.newAttempt()}
	case failedTry, inFlight, sent:
		return f.untilExpiry(f.deliver(accountsv1.PurposeInvitation, accountsv1.PurposeCode))
	case history, declined:
		return f.untilResend(f.deliver(accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined))
	case noOrganization, wrongNamespace, noRole, unvetted, membershipConflict,
		voided, foreign, mismatched, refused, undelivered, expired, held:
		// An admin must change something or ask for a resend.
	}
	return f.untilResend(Plan{})
}

// housekeeping is what comes before the next step, if anything is due.
func (f Facts) housekeeping(at situation) (Plan, bool) {
	if at == deleting || at == orphaned || at == accepted {
		return Plan{}, false
	}
	inv := f.Invitation
	if _, marked := inv.Annotations[accountsv1.MailedAnnotation]; !marked && inv.Status.Attempt.Begun() {
		return Plan{Mark: true}, true
	}
	d := f.deadLink(at)
	return Plan{Withdraw: d}, d != nil
}

// AwaitLane is a plan whose message found its lane busy. The Invitation is woken
// when the lane comes free; the wait is for the case that nothing wakes it.
func AwaitLane(p Plan) Plan {
	const laneWait = 5 * time.Second
	p.After = laneWait
	return p
}

// untilExpiry looks again when the validity of the attempt ends, at the latest.
func (f Facts) untilExpiry(p Plan) Plan {
	p = f.untilResend(p)
	if expires := f.Invitation.Status.ExpirationTime; p.Claim == nil && expires != nil && f.Now.Before(expires.Time) {
		p.After = earlier(p.After, expires.Sub(f.Now))
	}
	return p
}

// untilResend looks again when a resend that waits becomes possible.
func (f Facts) untilResend(p Plan) Plan {
	if at := f.resend().possibleAt; p.Claim == nil && !at.IsZero() {
		p.After = earlier(p.After, at.Sub(f.Now))
	}
	return p
}

// earlier is the shorter of two waits, where 0 stands for none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// IsHistory tells whether the acceptance of an Invitation has been carried out.
func IsHistory(inv *accountsv1.Invitation) bool {
	return inv.Status.State == accountsv1.InvitationActive
}

// Validity is how long an invitation of the Organization can be accepted.
func Validity(org *accountsv1.Organization) time.Duration {
	if s := org.Spec.InvitationValiditySeconds; s != 0 {
		return time.Duration(s) * time.Second
	}
	return DefaultValidity
}

// second is a time as the API server keeps it: in UTC, cut to the second.
func second(t time.Time) *metav1.Time {
	cut := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &cut
}
