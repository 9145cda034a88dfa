// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/delivery"
)

// MostGuesses is the number of codes that can be tried with one link.
const MostGuesses = 10

// MostCodes is how many codes can be requested with one link.
const MostCodes = 5

// LinkStatus is the status of a presented link at this moment.
type LinkStatus int

// The statuses of a link.
const (
	// LinkUnknown: no such invitation, or not its link. Usher discloses nothing more.
	LinkUnknown LinkStatus = iota
	// LinkOpen: the link can be used.
	LinkOpen
	// LinkUsed: the invitation was accepted.
	LinkUsed
	// LinkDeclined: the invitation was declined.
	LinkDeclined
	// LinkExpired: the link has expired.
	LinkExpired
	// LinkSuperseded: a newer link was sent.
	LinkSuperseded
	// LinkWithdrawn: the invitation cannot be accepted now. Its Organization or role no
	// longer exists, it is being deleted, or an admin must change a manifest first.
	LinkWithdrawn
	// LinkSeatless: the Organization has no seat for it.
	LinkSeatless
)

// Offer holds everything that decides whether an Invitation can be accepted.
// Organization and Membership are nil if they do not exist.
type Offer struct {
	Invitation   *accountsv1.Invitation
	Organization *accountsv1.Organization
	Membership   *accountsv1.Membership
	// Joined reports that an Account already holds the Membership.
	Joined bool
}

// Check returns the status of a link. Only the holder of a genuine link learns more
// than LinkUnknown.
func (o Offer) Check(link Link, keys Keyring, now time.Time) LinkStatus {
	inv := o.Invitation
	switch {
	case inv == nil:
		return LinkUnknown
	case keys.Verify(link, string(inv.UID), inv.Status.Attempt):
		return o.linkStatus(now)
	case keys.wasValid(link, inv):
		return LinkSuperseded
	}
	return LinkUnknown
}

// linkStatus returns the status of the current attempt's link. What the controller
// reported is final, even if the clock here shows another time.
func (o Offer) linkStatus(now time.Time) LinkStatus {
	status := o.Invitation.Status
	switch {
	case status.Acceptance.Given() || o.Joined || status.State == accountsv1.InvitationActive:
		return LinkUsed
	case o.Invitation.DeletionTimestamp != nil || o.withdrawn():
		return LinkWithdrawn
	case status.Decline.Given():
		return LinkDeclined
	case HasExpired(o.Invitation, now) || status.State == accountsv1.InvitationExpired:
		return LinkExpired
	case !o.seated():
		return LinkSeatless
	case status.State == accountsv1.InvitationFailed:
		return LinkWithdrawn
	}
	return LinkOpen
}

// wasValid reports whether the link belongs to an attempt before the current one.
func (k Keyring) wasValid(link Link, inv *accountsv1.Invitation) bool {
	for _, e := range inv.Status.Attempt.Earlier {
		if k.Verify(link, string(inv.UID), accountsv1.Attempt{Number: e.Number, KeyID: e.KeyID, ClaimTime: e.ClaimTime}) {
			return true
		}
	}
	return false
}

// Role returns the role that acceptance gives. If there is a Membership, its role
// counts, because it states what is wanted now.
func (o Offer) Role() accountsv1.CatalogueName {
	if o.Membership != nil {
		return o.Membership.Spec.Role
	}
	return o.Invitation.Spec.Role
}

// AddressMatch returns the rule for the address of the accepting Account.
func (o Offer) AddressMatch() accountsv1.AddressMatch {
	organization := accountsv1.AddressMatchStrict
	if o.Organization != nil {
		organization = cmp.Or(o.Organization.Spec.AddressMatch, organization)
	}
	return cmp.Or(o.Invitation.Spec.AddressMatch, organization)
}

// MayAccept reports whether an Account may accept. Its address must fit, and must be
// proved: otherwise, an Account that was created elsewhere with the address of another
// person could accept what is meant for that person.
func (o Offer) MayAccept(a *accountsv1.Account) bool {
	return o.FitsAddress(a.Spec.Email) && o.ProvedTo(a)
}

// ProvedTo reports whether it is known that the owner of an Account receives mail at its
// address, as far as this Invitation is concerned. An Account that was created through
// this Invitation has the invited address, or another one that a code confirmed.
// Otherwise the link proves it, if it went to that address only.
func (o Offer) ProvedTo(a *accountsv1.Account) bool {
	return a.EmailVerified() || a.Spec.InvitationRef.UID == string(o.Invitation.UID) ||
		mailedLink(o.Invitation) != nil && address.Same(string(a.Spec.Email), string(o.Invitation.Spec.Email))
}

// VerifiesAddress reports whether the acceptance of the Invitation by an Account proves to
// everyone that its owner receives mail at its address: the link or the code went there
// only, through the platform's mail server, which sends as sender. The mail server of an
// Organization proves nothing to others, because its managers can read what it sends.
func (o Offer) VerifiesAddress(a *accountsv1.Account, sender string) bool {
	inv := o.Invitation
	proof := o.mailedCode(a)
	if address.Same(string(a.Spec.Email), string(inv.Spec.Email)) {
		proof = mailedLink(inv)
	}
	return proof != nil && address.Same(proof.Recipient, string(a.Spec.Email)) && SenderOf(inv, *proof) == sender
}

// mailedLink returns the mail with the link of the current attempt. It is nil if the link
// also went out in another way, so that others than the readers of the mailbox may have it.
func mailedLink(inv *accountsv1.Invitation) *accountsv1.Delivery {
	var mail *accountsv1.Delivery
	for i := range inv.Status.Deliveries {
		d := &inv.Status.Deliveries[i]
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		if d.Medium != accountsv1.MediumEmail {
			return nil
		}
		mail = d
	}
	return mail
}

// mailedCode returns the mail with the code that an Account was created with. The
// acceptance has the request of that code. A code that was mailed after the Account was
// created was not needed for it.
func (o Offer) mailedCode(a *accountsv1.Account) *accountsv1.Delivery {
	inv := o.Invitation
	if a.Spec.InvitationRef.UID != string(inv.UID) || !inv.Status.OtherAddress.Given() {
		return nil
	}
	d := delivery.Find(inv.Status.Deliveries, codeDelivery(inv.Status.Attempt.Number, inv.Status.OtherAddress).Name)
	if d == nil || d.ClaimTime == nil || d.ClaimTime.After(a.CreationTimestamp.Time) {
		return nil
	}
	return d
}

// FitsAddress reports whether an Account with that address may accept, if the address is
// proved.
func (o Offer) FitsAddress(email accountsv1.EmailAddress) bool {
	if address.Same(string(email), string(o.Invitation.Spec.Email)) {
		return true
	}
	return o.AddressMatch() == accountsv1.AddressMatchAnyAddress &&
		o.Organization != nil && AddressRules(o.Organization).Check(string(email)) == nil
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
		return IsManagedByMembership(o.Invitation)
	}
	return m.DeletionTimestamp != nil || !Fits(o.Invitation, m)
}

// Fits reports whether an Invitation can be the one for the Membership of its name. The
// role and permissions that count are those of the Membership. So a manually applied
// Invitation fits only if they are exactly what its requester may assign: that role, and
// no additional Allow.
func Fits(inv *accountsv1.Invitation, m *accountsv1.Membership) bool {
	if m.Spec.Email != inv.Spec.Email || m.Spec.OrganizationRef != inv.Spec.OrganizationRef {
		return false
	}
	more := slices.ContainsFunc(m.Spec.Permissions, func(o accountsv1.PermissionOverride) bool { return o.Effect == accountsv1.EffectAllow })
	return IsManagedByMembership(inv) || IsHistory(inv) || m.Spec.Role == inv.Spec.Role && !more
}

// HasExpired reports whether the current attempt has expired. It expires in exactly the
// second that status.expirationTime names.
func HasExpired(inv *accountsv1.Invitation, now time.Time) bool {
	expires := inv.Status.ExpirationTime
	return expires != nil && !now.Before(expires.Time)
}

// IsManagedByMembership reports whether Usher created the Invitation for a Membership.
// Otherwise a person or a tool applied it.
func IsManagedByMembership(inv *accountsv1.Invitation) bool {
	if inv.Annotations[accountsv1.CreatedForMembershipAnnotation] == inv.Name {
		return true
	}
	for _, owner := range inv.OwnerReferences {
		if owner.Kind == "Membership" && owner.Name == inv.Name {
			return true
		}
	}
	return false
}

// SpecFor returns the spec of the Invitation for a Membership.
func SpecFor(m *accountsv1.Membership) accountsv1.InvitationSpec {
	return accountsv1.InvitationSpec{
		OrganizationRef: m.Spec.OrganizationRef,
		Email:           m.Spec.Email,
		GivenName:       m.Spec.GivenName,
		FamilyName:      m.Spec.FamilyName,
		InvitedBy:       m.Spec.InvitedBy,
		Role:            m.Spec.Role,
		InvitationTerms: *m.Spec.InvitationTerms.DeepCopy(),
	}
}
