// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"k8s.io/apimachinery/pkg/api/meta"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// seat is whether an attempt has a seat.
type seat int

const (
	// seatTaken: it has one, or needs none.
	seatTaken seat = iota
	// seatsExhausted: there is none.
	seatsExhausted
	// seatPending: it has not been looked at yet.
	seatPending
)

// Counted tells whether a role of the Organization takes one of its seats. One
// that is not in the catalogue does: a slip in a manifest must not give the
// seats of everybody with that role to others.
func Counted(org *accountsv1.Organization, role accountsv1.CatalogueName) bool {
	r, _ := org.Role(role)
	return org.Spec.Seats != 0 && r.Counted()
}

// seat tells whether the attempt has a seat, by what the Organization says. A
// seat is given to one attempt of one Invitation, so that an older look at the
// Organization never passes for a newer one.
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
			return seatPending // its own, of which it is being found out whether it goes on
		}
	}
	if *seats.Taken < org.Spec.Seats {
		return seatPending
	}
	return seatsExhausted
}

// seated tells whether the current attempt can be accepted: only with a seat.
// Where the list of seats is made anew, whoever was mailed will be on it.
func (o Offer) seated() bool {
	return o.seat(o.Invitation.Status.Attempt.Number) == seatTaken || o.Organization.Status.Seats.Taken == nil
}

// wantedAttempt is the attempt that needs a seat now.
func (f Facts) wantedAttempt() int32 {
	number := f.Invitation.Status.Attempt.Number
	if number == 0 || f.renewing() {
		return number + 1
	}
	return number
}

// WantsSeat tells for which attempt an Invitation needs a seat, going by what
// its status says: none if it has ended and nobody asked for a resend, or if it
// stands still for another reason than seats. Membership may be nil.
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
	// Pending has the reason, too, and keeps it where a look failed.
	pending := meta.FindStatusCondition(inv.Status.Conditions, accountsv1.ConditionPending)
	if pending != nil && pending.Reason == accountsv1.ReasonSeatsExhausted {
		return attempt, true
	}
	return attempt, number != 0 && attempt > number
}
