// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"k8s.io/apimachinery/pkg/api/meta"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// seat is the seat status of an attempt.
type seat int

const (
	// seatTaken: it has a seat, or needs none.
	seatTaken seat = iota
	// seatsExhausted: no seat is free.
	seatsExhausted
	// seatPending: its seat is not decided yet.
	seatPending
)

// Counted reports whether a role of the Organization takes one of its seats. A role
// that is not in the catalogue takes one too: a mistake in a manifest must not give the
// seats of all members with that role to others.
func Counted(org *accountsv1.Organization, role accountsv1.CatalogueName) bool {
	r, _ := org.Role(role)
	return org.Spec.Seats != 0 && r.TakesSeat()
}

// seat returns whether the attempt has a seat, according to the Organization's status.
// A seat is given to one attempt of one Invitation, so that a stale Organization is never
// mistaken for a current one.
func (o Offer) seat(attempt int32) seat {
	org := o.Organization
	if !Counted(org, o.Role()) {
		return seatTaken
	}
	seats := org.Status.Seats
	if seats.Taken == nil {
		return seatPending
	}
	for _, h := range seats.Holders {
		switch {
		case string(h.Name) != o.Invitation.Name:
		case h.InvitationUID == string(o.Invitation.UID) && h.Attempt >= attempt:
			return seatTaken
		case h.InvitationUID == string(o.Invitation.UID) || h.InvitationUID == "":
			return seatPending // it has this seat, and Usher has yet to decide whether it keeps it
		}
	}
	if *seats.Taken < org.Spec.Seats {
		return seatPending
	}
	return seatsExhausted
}

// seated reports whether the current attempt can be accepted, for which it needs a
// seat. While the list of seats is being rebuilt it can be accepted, because every
// Invitation that was sent will be on the list.
func (o Offer) seated() bool {
	return o.seat(o.Invitation.Status.Attempt.Number) == seatTaken || o.Organization.Status.Seats.Taken == nil
}

// wantedAttempt returns the attempt that needs a seat now.
func (f Facts) wantedAttempt() int32 {
	number := f.Invitation.Status.Attempt.Number
	if number == 0 || f.renewing() {
		return number + 1
	}
	return number
}

// WantsSeat returns the attempt for which an Invitation needs a seat, according to its
// status. It needs none if it ended without a request for a resend, or if it is stalled
// for another reason than seats. Membership can be nil.
func WantsSeat(inv *accountsv1.Invitation, m *accountsv1.Membership) (attempt int32, wanted bool) {
	number := inv.Status.Attempt.Number
	if number == 0 || len(validRequests(freshRequests(inv, m))) > 0 && !otherTerms(inv, m) {
		attempt = number + 1
	} else {
		attempt = number
	}
	switch inv.Status.State {
	case accountsv1.InvitationActive:
		return 0, false
	case "", accountsv1.InvitationSending, accountsv1.InvitationPending:
		return attempt, true
	case accountsv1.InvitationExpired, accountsv1.InvitationDeclined, accountsv1.InvitationFailed:
	}
	// Pending has the same reason, and keeps it after a failed reconciliation.
	pending := meta.FindStatusCondition(inv.Status.Conditions, accountsv1.ConditionPending)
	if pending != nil && pending.Reason == accountsv1.ReasonSeatsExhausted {
		return attempt, true
	}
	return attempt, number != 0 && attempt > number
}
