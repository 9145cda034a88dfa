// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Standing is how a link that somebody presents stands at this moment.
type Standing int

// How a link can stand.
const (
	// Unknown: no such invitation, or not its link. Nothing more is told.
	Unknown Standing = iota
	// Open: the link can be used.
	Open
	// Used: somebody accepted the invitation.
	Used
	// Expired: its time is over.
	Expired
	// Withdrawn: the invitation cannot be accepted (any more), because its
	// Organization or role is gone, or it is being deleted.
	Withdrawn
)

// Offer is all that decides whether an Invitation can be accepted. Organization
// and Membership may be nil: then there is none.
type Offer struct {
	Invitation   *accountsv1.Invitation
	Organization *accountsv1.Organization
	Membership   *accountsv1.Membership
	// TakenUp says that an Account holds the Membership already.
	TakenUp bool
}

// Check tells how a link stands. Only the holder of a genuine link learns more
// than Unknown.
func (o Offer) Check(link Link, keys Keyring, now time.Time) Standing {
	inv := o.Invitation
	if inv == nil || !keys.Verify(link, string(inv.UID), inv.Status.Delivery) {
		return Unknown
	}
	switch {
	case inv.Status.Acceptance.Given() || o.TakenUp:
		return Used
	case inv.DeletionTimestamp != nil || o.withdrawn():
		return Withdrawn
	case HasExpired(inv, now):
		return Expired
	}
	return Open
}

// Role is the role that acceptance gives: the Membership's where there is one,
// because it says what is wanted now.
func (o Offer) Role() accountsv1.CatalogueName {
	if o.Membership != nil {
		return o.Membership.Spec.Role
	}
	return o.Invitation.Spec.Role
}

func (o Offer) withdrawn() bool {
	org, m := o.Organization, o.Membership
	if org == nil || org.DeletionTimestamp != nil || string(org.Spec.Namespace) != o.Invitation.Namespace {
		return true
	}
	if _, found := org.Role(o.Role()); !found {
		return true
	}
	if m == nil {
		return MadeForMembership(o.Invitation)
	}
	return m.DeletionTimestamp != nil || m.Spec.Email != o.Invitation.Spec.Email ||
		m.Spec.OrganizationRef != o.Invitation.Spec.OrganizationRef
}

// HasExpired tells whether the current attempt's time is over: from the very
// second that status.expirationTime names.
func HasExpired(inv *accountsv1.Invitation, now time.Time) bool {
	expires := inv.Status.ExpirationTime
	return expires != nil && !now.Before(expires.Time)
}

// MadeForMembership tells whether Usher made the Invitation for a Membership,
// as opposed to somebody who applied it by hand.
func MadeForMembership(inv *accountsv1.Invitation) bool {
	for _, owner := range inv.OwnerReferences {
		if owner.Kind == "Membership" && owner.Name == inv.Name {
			return true
		}
	}
	return false
}
