// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/delivery"
)

// Facts is everything that decides about an Invitation.
type Facts struct {
	// Offer is the Invitation and what it offers.
	Offer
	// Now is the time of the look.
	Now time.Time
	// Accepter is the Account that accepted; nil if there is none, or none any
	// more. Only looked at while the acceptance has not been carried out.
	Accepter *accountsv1.Account
	// Foreign says that the Accepter belongs to an Organization of another
	// legal entity.
	Foreign bool
	// HomeTaken says that an older Organization holds the home namespace.
	HomeTaken bool
	// Unvetted says that the role lets people manage people, and that nobody was
	// asked whether who wrote the Invitation may hand it out. Not looked at where
	// a Membership of the same name says what the role is.
	Unvetted bool
	// Rival is who stands in the way of inviting the address.
	Rival Rival
	// Mailings are when the recipients were sent invitations, for each rate limit that
	// counts for the Invitation.
	Mailings []Mailings
	// Owners are those who are told about the answer.
	Owners []Owner
	// Permissions are what the person can do who has accepted, one line each.
	Permissions []string
	// Chat says that the Organization has a chat that is told who has joined.
	Chat bool

	// Media are the media that messages go by.
	Media delivery.Media
	// Holder names this process in claims.
	Holder string
	// SendDeadline is after which time a try has surely ended.
	SendDeadline time.Duration
	// NewestKey is the number of the key that new links are made with.
	NewestKey int32
	// KeyFault says why there is no key to make links with; empty if there is one.
	KeyFault string
	// Sender is the From of mails.
	Sender string
	// MailDomain is the right-hand side of Message-IDs.
	MailDomain string
}

// Owner is somebody who is told when a person joins or declines.
type Owner struct {
	// Name is that of the owner's Membership.
	Name string
	// Email is that of the owner's Account.
	Email string
}

// situation is where an Invitation stands; Decide and Report both start from it.
type situation int

const (
	// Not to be told about any more.
	deleting situation = iota
	orphaned

	// Answered with yes.
	history
	takenUp
	accepted

	// What the manifests or the platform must change, or wait for.
	noOrganization
	wrongNamespace
	noRole
	unvetted
	membershipConflict

	// Ended; asked to, Usher begins a new attempt.
	voided
	foreign
	mismatched
	declined
	refused
	undelivered
	expired

	// In the way of a mailing.
	held
	addressNotAllowed
	rivalled
	contended
	seatless
	seatUnknown
	noKey

	// Being mailed.
	suspended
	limited
	unclaimed
	renewed
	failedTry
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
	case MadeForMembership(inv) && (f.Membership == nil || !ownedBy(inv, f.Membership)):
		return orphaned
	case IsHistory(inv):
		return history
	case f.TakenUp:
		return takenUp
	case f.Unvetted:
		return unvetted
	case f.acceptable() && !f.conflicting():
		return accepted
	case org == nil || org.DeletionTimestamp != nil:
		return noOrganization
	case string(org.Spec.Namespace) != inv.Namespace || f.HomeTaken:
		return wrongNamespace
	case !f.roleExists():
		return noRole
	case f.conflicting():
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

// acceptable tells whether somebody accepted, with an Account that may.
func (f Facts) acceptable() bool {
	return f.Invitation.Status.Acceptance.Given() && f.Accepter != nil && f.MayAccept(f.Accepter.Spec.Email) && !f.Foreign
}

// end is how the current attempt ended, if it did. One that was said to have
// expired stays so, even where a clock is put back. Where nobody got a link,
// nobody was too late.
func (f Facts) end() (situation, bool) {
	status := f.Invitation.Status
	switch {
	case status.Acceptance.Given() && f.Accepter == nil:
		return voided, true
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
	case !handedOver(f.Invitation):
		return undelivered, true
	}
	return expired, true
}

// obstacle is what keeps an Invitation from being mailed, or from staying open.
func (f Facts) obstacle() (situation, bool) {
	switch {
	case f.held():
		return held, true
	case f.addressFault() != nil:
		return addressNotAllowed, true
	case f.Rival.Reason != "":
		return rivalled, true
	case f.Rival.Undecided:
		return contended, true
	}
	switch seat := f.seat(f.wantedAttempt()); {
	case seat == seatTaken:
		return 0, false
	case seat == seatsExhausted:
		return seatless, true
	case f.Invitation.Status.Attempt.Begun() && !f.renewing():
		return 0, false // who has seats is being found out anew
	}
	return seatUnknown, true
}

func (f Facts) mailing() situation {
	at := f.nextMail()
	isSuspended := f.Membership != nil && f.Membership.Spec.State == accountsv1.MembershipSwitchSuspended
	if isSuspended && at != sent && at != inFlight { // what is out, or on its way, stays good
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
				at = failedTry
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

// refusedByAll tells whether no channel took the link, for good.
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

// handedOver tells whether a channel has taken the current attempt's link.
func handedOver(inv *accountsv1.Invitation) bool {
	for _, d := range inv.Status.Deliveries {
		if d.Purpose == accountsv1.PurposeInvitation && d.SentTime != nil {
			return true
		}
	}
	return false
}

// held tells whether the Invitation was mailed once, has lost its status, and
// nobody has asked for another mailing since.
func (f Facts) held() bool {
	inv := f.Invitation
	if _, mailed := inv.Annotations[accountsv1.MailedAnnotation]; !mailed || inv.Status.Attempt.Begun() {
		return false
	}
	asked := []string{inv.Annotations[accountsv1.ResendAnnotation], f.Organization.Annotations[accountsv1.ReleaseMailAnnotation]}
	if f.Membership != nil {
		asked = append(asked, f.Membership.Annotations[accountsv1.ResendAnnotation])
	}
	return !Released(inv.Status.Conditions, f.Now, asked...)
}

// addressFault says why the Organization does not take the address.
func (f Facts) addressFault() error {
	return AddressRules(f.Organization).Check(string(f.Invitation.Spec.Email))
}

// AddressRules are the Organization's rules for addresses.
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

// conflicting tells whether the Membership of the same name is one that the
// Invitation cannot be for.
func (f Facts) conflicting() bool { return f.Membership != nil && !Fits(f.Invitation, f.Membership) }

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
