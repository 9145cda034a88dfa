// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Rival is why an address cannot be invited: somebody has it already.
type Rival struct {
	// Reason is a reason of the condition Ready; empty: there is no rival.
	Reason string
	// Name of the Invitation, Membership or Account that has the address.
	Name string
}

// Others are who else has to do with an address in an Organization.
type Others struct {
	// Invitations of the Organization to the same address.
	Invitations []accountsv1.Invitation
	// Memberships of the Organization for the same address.
	Memberships []accountsv1.Membership
	// Accounts of the address that hold a Membership of another name in the
	// Organization.
	Accounts []accountsv1.Account
}

// FindRival finds who stands in the way of an Invitation: a member, even one
// whose Membership grants nothing at the moment, an Account that a member signs
// in with, or an older open Invitation. It looks at the Organization alone: who
// has an Account of the address elsewhere may be invited.
func FindRival(inv *accountsv1.Invitation, others Others) Rival {
	for i := range others.Memberships {
		if m := &others.Memberships[i]; m.Name != inv.Name && m.Status.AccountRef.Name != "" {
			return Rival{accountsv1.ReasonAddressIsMember, m.Name}
		}
	}
	for i := range others.Accounts {
		return Rival{accountsv1.ReasonAddressHasAccount, others.Accounts[i].Name}
	}
	for i := range others.Invitations {
		other := &others.Invitations[i]
		if other.Name != inv.Name && open(other) && before(other, inv) {
			return Rival{accountsv1.ReasonAddressInvited, other.Name}
		}
	}
	return Rival{}
}

// open tells whether an Invitation can still be accepted, or is about to be mailed.
func open(inv *accountsv1.Invitation) bool {
	switch inv.Status.State {
	case accountsv1.InvitationPending, accountsv1.InvitationSending, "":
		return inv.DeletionTimestamp == nil
	default:
		return false
	}
}

// before tells which of two Invitations to one address stays: the one that was
// mailed first, or else the older.
func before(a, b *accountsv1.Invitation) bool {
	return cmp.Or(
		begun(a).Compare(begun(b)),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	) < 0
}

// begun is when an Invitation was first mailed; one that was not comes last.
func begun(inv *accountsv1.Invitation) time.Time {
	if !open(inv) || !inv.Status.Attempt.Begun() {
		return time.Unix(1<<40, 0)
	}
	first := inv.Status.Attempt.ClaimTime.Time
	for _, e := range inv.Status.Attempt.Earlier {
		first = e.ClaimTime.Time
	}
	return first
}
