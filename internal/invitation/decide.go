// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// DefaultValidity is how long an invitation can be accepted if its Organization does
// not set a validity.
const DefaultValidity = 7 * 24 * time.Hour

// recheckKeys is how long to wait before unusable keys are checked again.
const recheckKeys = time.Minute

// Plan holds what to do next. At most one of its actions is set.
type Plan struct {
	// Delete the Invitation, because Usher created it for a Membership that was
	// deleted.
	Delete bool
	// CreateMembership for the accepted Invitation.
	CreateMembership bool
	// Mark the Invitation as sent, in case its status is lost.
	Mark bool
	// Withdraw the Secret of this delivery, because its link is dead.
	Withdraw *accountsv1.Delivery
	// Claim to write for the next send; then send.
	Claim *Claim
	// After is the time to the next reconciliation if no event happens before. 0: none
	// is needed.
	After time.Duration
}

// Decide returns what to do next.
func Decide(f Facts) Plan {
	at := f.situation()
	if p, due := f.housekeeping(at); due {
		return p
	}
	switch at {
	case deleting, alreadyJoined:
		return Plan{}
	case orphaned:
		return Plan{Delete: true}
	case accepted:
		return Plan{CreateMembership: f.Membership == nil}
	case noKey:
		return f.requeueByExpiry(Plan{After: recheckKeys})
	case addressNotAllowed, addressConflict, addressUndecided, seatless, seatUnknown, suspended:
		return f.requeueByExpiry(Plan{})
	case limited:
		return Plan{After: f.nextAttempt().Sub(f.Now)}
	case unclaimed, renewed:
		return Plan{Claim: f.claimNewAttempt()}
	case failedSend, inFlight, sent:
		return f.requeueForCode(f.requeueByExpiry(f.deliver(accountsv1.PurposeInvitation, accountsv1.PurposeCode)))
	case history, declined:
		return f.requeueForResend(f.deliver(accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined))
	case noOrganization, wrongNamespace, noRole, unvetted, membershipConflict,
		accepterDeleted, foreign, mismatched, refused, undelivered, expired, mailHeld:
		// An admin must change something or request a resend.
	}
	return f.requeueForResend(Plan{})
}

// housekeeping returns the work that comes before the next step, if any is due.
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

// AwaitLane returns the plan for a message that found its lane busy. The Invitation is
// requeued when the lane becomes free; the wait is a fallback in case no event requeues
// it.
func AwaitLane(p Plan) Plan {
	const laneWait = 5 * time.Second
	p.After = laneWait
	return p
}

// requeueByExpiry requeues at the end of the attempt's validity at the latest.
func (f Facts) requeueByExpiry(p Plan) Plan {
	p = f.requeueForResend(p)
	if expires := f.Invitation.Status.ExpirationTime; p.Claim == nil && expires != nil && f.Now.Before(expires.Time) {
		p.After = shorterWait(p.After, expires.Sub(f.Now))
	}
	return p
}

// requeueForResend requeues when a waiting resend becomes possible.
func (f Facts) requeueForResend(p Plan) Plan {
	if at := f.resend().possibleAt; p.Claim == nil && !at.IsZero() {
		p.After = shorterWait(p.After, at.Sub(f.Now))
	}
	return p
}

// shorterWait returns the shorter of two waits, where 0 means no wait.
func shorterWait(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// IsHistory reports whether the acceptance of an Invitation has been carried out.
func IsHistory(inv *accountsv1.Invitation) bool {
	return inv.Status.State == accountsv1.InvitationActive
}

// Validity returns how long an invitation of the Organization can be accepted.
func Validity(org *accountsv1.Organization) time.Duration {
	if s := org.Spec.InvitationValiditySeconds; s != 0 {
		return time.Duration(s) * time.Second
	}
	return DefaultValidity
}

// second returns a time as the API server stores it: in UTC, truncated to the second.
func second(t time.Time) *metav1.Time {
	cut := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &cut
}
