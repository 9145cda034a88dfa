// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// AddressConflict is the reason why an address cannot be invited: it is already taken.
type AddressConflict struct {
	// Reason is a reason of the condition Ready; empty: there is no conflict.
	Reason string
	// Name of the Invitation, Membership or Account that has the address.
	Name string
	// Undecided reports that no conflict is known, but that another Invitation may have
	// been first and has not reported its result yet.
	Undecided bool
}

// AddressUses holds the other objects in an Organization that use an address.
type AddressUses struct {
	// Invitations of the Organization to the same address.
	Invitations []accountsv1.Invitation
	// Memberships of the Organization for the same address.
	Memberships []accountsv1.Membership
	// Accounts with the address that hold a Membership of another name in the
	// Organization.
	Accounts []accountsv1.Account
}

// FindAddressConflict returns what prevents an Invitation from being sent. It is one of these:
//
//   - a member, even if the Membership grants nothing at the moment
//   - an Account with which a member signs in
//   - an older open Invitation
//
// It considers only this Organization: a person who has an Account with the address
// elsewhere can be invited.
//
// The state of another Invitation is visible only with a delay. Creation times are exact
// only to the second, and come from clocks that differ. Therefore an Invitation that has
// precedence waits until each other one has seen it and failed because of it, or turns
// out to have been sent.
func FindAddressConflict(inv *accountsv1.Invitation, others AddressUses) AddressConflict {
	for i := range others.Memberships {
		if m := &others.Memberships[i]; m.Name != inv.Name && m.Status.AccountRef.Name != "" {
			return AddressConflict{Reason: accountsv1.ReasonAddressIsMember, Name: m.Name}
		}
	}
	for i := range others.Accounts {
		return AddressConflict{Reason: accountsv1.ReasonAddressHasAccount, Name: others.Accounts[i].Name}
	}
	undecided := false
	for i := range others.Invitations {
		other := &others.Invitations[i]
		if other.Name == inv.Name || !open(other) {
			continue
		}
		if hasPrecedence(other, inv) {
			return AddressConflict{Reason: accountsv1.ReasonAddressInvited, Name: other.Name}
		}
		undecided = undecided || !inv.Status.Attempt.Begun() && !other.Status.Attempt.Begun()
	}
	return AddressConflict{Undecided: undecided}
}

// open reports whether an Invitation can still be accepted, or is about to be sent.
func open(inv *accountsv1.Invitation) bool {
	switch inv.Status.State {
	case accountsv1.InvitationPending, accountsv1.InvitationSending, "":
		return inv.DeletionTimestamp == nil
	case accountsv1.InvitationActive, accountsv1.InvitationExpired, accountsv1.InvitationDeclined, accountsv1.InvitationFailed:
	}
	return false
}

// hasPrecedence reports whether Invitation a has precedence over b to the same address: the
// one that was sent first, otherwise the older one.
func hasPrecedence(a, b *accountsv1.Invitation) bool {
	return cmp.Or(
		firstSent(a).Compare(firstSent(b)),
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Name, b.Name),
	) < 0
}

// firstSent returns when an Invitation was first sent. One that was never sent sorts last.
func firstSent(inv *accountsv1.Invitation) time.Time {
	if !open(inv) || !inv.Status.Attempt.Begun() {
		return time.Unix(1<<40, 0)
	}
	first := inv.Status.Attempt.ClaimTime.Time
	for _, e := range inv.Status.Attempt.Earlier {
		first = e.ClaimTime.Time
	}
	return first
}
