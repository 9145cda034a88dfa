// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/delivery"
)

// Facts holds everything that decides about an Invitation.
type Facts struct {
	// Offer is the Invitation and what it offers.
	Offer
	// Now is the time of this reconciliation.
	Now time.Time
	// Accepter is the Account that accepted. It is nil if no Account accepted or if the
	// Account was deleted. It is read only while the acceptance has not been carried
	// out.
	Accepter *accountsv1.Account
	// Foreign reports that the Accepter belongs to an Organization of another legal
	// entity.
	Foreign bool
	// HomeTaken reports that an older Organization holds the home namespace.
	HomeTaken bool
	// Unvetted reports that the role lets people manage people, but that the API server
	// did not check whether the author of the Invitation may assign it. It is not set
	// if a Membership of the same name determines the role.
	Unvetted bool
	// AddressConflict is the reason why the address cannot be invited.
	AddressConflict AddressConflict
	// Mailings are the times at which the recipients were sent invitations, for each
	// rate limit that applies to the Invitation.
	Mailings []Mailings
	// CodeMailings are the times at which the recipient of the RequestedCode was sent
	// invitations and codes.
	CodeMailings Mailings
	// QuotaFreeAt is when the Organization can send another invitation, because its quota
	// is used up; zero: now.
	QuotaFreeAt time.Time
	// Owners are the owners that Usher notifies about the answer.
	Owners []Owner
	// Permissions lists what the person can do after accepting, one line each.
	Permissions []string
	// Chat reports that the Organization has a chat that Usher notifies about new
	// members.
	Chat bool

	// Media are the media that carry messages.
	Media delivery.Media
	// ClaimOwner is the name of this process in claims.
	ClaimOwner string
	// SendDeadline is the time after which a send has certainly ended.
	SendDeadline time.Duration
	// NewestKey is the number of the key that signs new links.
	NewestKey int32
	// KeyFault says why no key can sign links; empty if there is one.
	KeyFault string
	// Sender is the From address of mails.
	Sender string
	// MailDomain is the right-hand side of Message-IDs.
	MailDomain string
}

// Owner is an owner whom Usher notifies when a person joins or declines.
type Owner struct {
	// Name of the owner's Membership.
	Name string
	// Email of the owner's Account.
	Email string
}

// situation is the current phase of an Invitation. Decide and Report both start from
// it.
type situation int

const (
	// The status is not written any more.
	deleting situation = iota
	orphaned

	// Accepted.
	history
	alreadyJoined
	accepted

	// An admin must change the manifests or the platform, or Usher waits for something.
	noOrganization
	wrongNamespace
	noRole
	unvetted
	membershipConflict

	// Ended. On request, Usher begins a new attempt.
	accepterDeleted
	foreign
	mismatched
	declined
	refused
	undelivered
	expired

	// Prevented from being sent.
	mailHeld
	addressNotAllowed
	addressConflict
	addressUndecided
	seatless
	seatUnknown
	noKey

	// Being sent.
	suspended
	limited
	unclaimed
	renewed
	failedSend
	inFlight
	sent

	// situationCount is the number of situations; add new ones above it.
	situationCount = iota
)

func (f Facts) situation() situation {
	inv, org := f.Invitation, f.Organization
	switch {
	case inv.DeletionTimestamp != nil:
		return deleting
	case IsManagedByMembership(inv) && (f.Membership == nil || !ownedBy(inv, f.Membership)):
		return orphaned
	case IsHistory(inv):
		return history
	case f.Joined:
		return alreadyJoined
	case f.Unvetted:
		return unvetted
	case f.acceptable() && !f.conflictsWithMembership():
		return accepted
	case org == nil || org.DeletionTimestamp != nil:
		return noOrganization
	case string(org.Spec.Namespace) != inv.Namespace || f.HomeTaken:
		return wrongNamespace
	case !f.roleExists():
		return noRole
	case f.conflictsWithMembership():
		return membershipConflict
	}
	if end, ended := f.end(); ended && !f.renewing() {
		return end
	}
	if fault, found := f.obstacle(); found {
		return fault
	}
	return f.mailing()
}

// acceptable reports whether the invitation was accepted with an Account that may
// accept it.
func (f Facts) acceptable() bool {
	return f.Invitation.Status.Acceptance.Given() && f.Accepter != nil && f.MayAccept(f.Accepter) && !f.Foreign
}

// end returns how the current attempt ended, if it did. An attempt that was reported as
// expired stays expired, even if a clock is set back. If no channel took the link, the
// attempt did not expire but was undelivered.
func (f Facts) end() (situation, bool) {
	status := f.Invitation.Status
	switch {
	case status.Acceptance.Given() && f.Accepter == nil:
		return accepterDeleted, true
	case status.Acceptance.Given() && f.Foreign:
		return foreign, true
	case status.Acceptance.Given():
		return mismatched, true
	case status.Decline.Given():
		return declined, true
	case f.refusedByAll():
		return refused, true
	case !HasExpired(f.Invitation, f.Now) && status.State != accountsv1.InvitationExpired:
		return 0, false
	case !linkWasSent(f.Invitation):
		return undelivered, true
	}
	return expired, true
}

// obstacle returns what keeps an Invitation from being sent, or from staying open.
func (f Facts) obstacle() (situation, bool) {
	switch {
	case f.mailHeld():
		return mailHeld, true
	case f.addressFault() != nil:
		return addressNotAllowed, true
	case f.AddressConflict.Reason != "":
		return addressConflict, true
	case f.AddressConflict.Undecided:
		return addressUndecided, true
	}
	switch seat := f.seat(f.wantedAttempt()); {
	case seat == seatTaken:
		return 0, false
	case seat == seatsExhausted:
		return seatless, true
	case f.Invitation.Status.Attempt.Begun() && !f.renewing():
		return 0, false // the seat list is being rebuilt
	}
	return seatUnknown, true
}

func (f Facts) mailing() situation {
	at := f.nextMail()
	isSuspended := f.Membership != nil && f.Membership.Spec.State == accountsv1.MembershipSwitchSuspended
	if isSuspended && at != sent && at != inFlight { // a link that was sent, or is being sent, stays valid
		return suspended
	}
	return at
}

func (f Facts) nextMail() situation {
	switch {
	case !f.Invitation.Status.Attempt.Begun() && !f.nextAttempt().IsZero():
		return limited
	case !f.Invitation.Status.Attempt.Begun():
		return f.ifKey(unclaimed)
	case f.renewing():
		return f.ifKey(renewed)
	}
	at := sent
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		switch d.Result {
		case accountsv1.DeliverySent, accountsv1.DeliveryWithdrawn, accountsv1.DeliveryRefused:
		case accountsv1.DeliveryTemporaryFailure:
			if at == sent {
				at = failedSend
			}
		case "":
			at = inFlight
		}
	}
	if at == sent {
		return sent
	}
	return f.ifKey(at)
}

func (f Facts) ifKey(at situation) situation {
	if f.KeyFault != "" {
		return noKey
	}
	return at
}

// refusedByAll reports whether every channel refused the link permanently.
func (f Facts) refusedByAll() bool {
	refused := false
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		if d.Result != accountsv1.DeliveryRefused {
			return false
		}
		refused = true
	}
	return refused
}

// linkWasSent reports whether a channel took the current attempt's link.
func linkWasSent(inv *accountsv1.Invitation) bool {
	for _, d := range inv.Status.Deliveries {
		if d.Purpose == accountsv1.PurposeInvitation && d.SentTime != nil {
			return true
		}
	}
	return false
}

// mailHeld reports whether mail is held: the Invitation was sent once and lost its status,
// and no admin has requested another sending since.
func (f Facts) mailHeld() bool {
	inv := f.Invitation
	if _, mailed := inv.Annotations[accountsv1.MailedAnnotation]; !mailed || inv.Status.Attempt.Begun() {
		return false
	}
	asked := []string{inv.Annotations[accountsv1.ResendAnnotation], f.Organization.Annotations[accountsv1.ReleaseMailAnnotation]}
	if f.Membership != nil {
		asked = append(asked, f.Membership.Annotations[accountsv1.ResendAnnotation])
	}
	return !MailReleased(inv.Status.Conditions, f.Now, asked...)
}

// addressFault returns why the Organization does not allow the address.
func (f Facts) addressFault() error {
	return AddressRules(f.Organization).Check(string(f.Invitation.Spec.Email))
}

// AddressRules returns the Organization's rules for addresses.
func AddressRules(org *accountsv1.Organization) address.Rules {
	var rules address.Rules
	for _, d := range org.Spec.AllowedDomains {
		rules.Allowed = append(rules.Allowed, string(d))
	}
	for _, d := range org.Spec.DeniedDomains {
		rules.Denied = append(rules.Denied, string(d))
	}
	return rules
}

// conflictsWithMembership reports whether the Membership of the same name is one that the
// Invitation cannot be for.
func (f Facts) conflictsWithMembership() bool {
	return f.Membership != nil && !Fits(f.Invitation, f.Membership)
}

func (f Facts) roleExists() bool {
	_, found := f.Organization.Role(f.Role())
	return found
}

func ownedBy(inv *accountsv1.Invitation, m *accountsv1.Membership) bool {
	for _, owner := range inv.OwnerReferences {
		if owner.UID == m.UID {
			return true
		}
	}
	return false
}
