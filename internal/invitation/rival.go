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
	// Undecided says that no rival is known, but that one may have come first:
	// another Invitation, which has not said yet what became of it.
	Undecided bool
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
//
// What another one is at is seen only later, and which of two was there first is
// known to the second, by clocks that differ. So one that has precedence waits
// until each other has seen it, and failed for it, or turns out to be on its way.
func FindRival(inv *accountsv1.Invitation, others Others) Rival {
	for i := range others.Memberships {
		if m := &others.Memberships[i]; m.Name != inv.Name && m.Status.AccountRef.Name != "" {
			return Rival{Reason: accountsv1.ReasonAddressIsMember, Name: m.Name}
		}
	}
	for i := range others.Accounts {
		return Rival{Reason: accountsv1.ReasonAddressHasAccount, Name: others.Accounts[i].Name}
	}
	undecided := false
	for i := range others.Invitations {
		other := &others.Invitations[i]
		if other.Name == inv.Name || !open(other) {
			continue
		}
		if before(other, inv) {
			return Rival{Reason: accountsv1.ReasonAddressInvited, Name: other.Name}
		}
		undecided = undecided || !inv.Status.Attempt.Begun() && !other.Status.Attempt.Begun()
	}
	return Rival{Undecided: undecided}
}

// open tells whether an Invitation can still be accepted, or is about to be mailed.
func open(inv *accountsv1.Invitation) bool {
	switch inv.Status.State {
	case accountsv1.InvitationPending, accountsv1.InvitationSending, "":
		return inv.DeletionTimestamp == nil
	case accountsv1.InvitationActive, accountsv1.InvitationExpired, accountsv1.InvitationDeclined, accountsv1.InvitationFailed:
	}
	return false
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
