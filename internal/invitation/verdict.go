// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"fmt"
	"strings"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

// verdict is the result that Report writes in one situation.
type verdict struct {
	// silent leaves the status unchanged: the next reconciliation reports more.
	silent bool
	// linkStays makes the state Pending once a channel took the link. It is unset for a
	// new attempt, because a new attempt invalidates the earlier link.
	linkStays bool
	state     accountsv1.InvitationState
	set       func(c *condition.Set, reason, message string)
	reason    string
	message   string
	// reasonOf and messageOf replace reason and message if these depend on the facts.
	reasonOf, messageOf func(Facts) string
}

const inviteAgain = "; annotate the Invitation or its Membership with " + accountsv1.ResendAnnotation + " to invite again."

var (
	isReady       = (*condition.Set).Ready
	isReconciling = (*condition.Set).Reconciling
	isStalled     = (*condition.Set).Stalled
)

var (
	joined  = verdict{state: accountsv1.InvitationActive, set: isReady, reason: accountsv1.ReasonAccepted, message: "The invitation was accepted."}
	sending = verdict{state: accountsv1.InvitationSending, set: isReconciling, reason: accountsv1.ReasonSending, message: "Usher is sending the link."}
)

// verdicts has a row for every situation. The table in docs/spec/invitations.md is
// generated from it.
var verdicts = map[situation]verdict{
	deleting: {silent: true},
	orphaned: {silent: true},

	history:       joined,
	alreadyJoined: joined,
	accepted:      {silent: true},

	noOrganization: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonOrganizationNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Organization %s does not exist; the invitation waits until it is created.", f.organizationName())
		},
	},
	wrongNamespace: failed(accountsv1.ReasonWrongNamespace, func(f Facts) string {
		return fmt.Sprintf("This namespace is not the home namespace of Organization %s; move the Invitation to the home namespace.", f.organizationName())
	}),
	noRole: failed(accountsv1.ReasonRoleNotFound, func(f Facts) string {
		return fmt.Sprintf("Organization %s has no role %s; add the role to the Organization, or use one of its roles.", f.organizationName(), f.Role())
	}),
	unvetted: failed(accountsv1.ReasonPoliciesMissing, func(f Facts) string {
		return fmt.Sprintf("Role %s manages people, but Usher's policies were not in force when this Invitation was written; once they are, delete the Invitation and create it again.", f.Role())
	}),
	membershipConflict: failed(accountsv1.ReasonMembershipConflict, fixed(
		"The Membership of the same name is for another address, Organization or role, or allows more than the role; give the Invitation another name.")),

	accepterDeleted: failed(accountsv1.ReasonAccountNotFound, fixed("The Account that accepted was deleted"+inviteAgain)),
	foreign: failed(accountsv1.ReasonLegalEntityMismatch, fixed("The Account that accepted belongs to an Organization of another legal entity; "+
		"resend the invitation, so that the person can create another account with another user name.")),
	mismatched: failed(accountsv1.ReasonAddressMismatch, fixed(
		"The Account that accepted has an address that is not verified, or that addressMatch or the Organization's domains do not allow"+inviteAgain)),
	declined: {state: accountsv1.InvitationDeclined, set: isReady, reason: accountsv1.ReasonDeclined, messageOf: Facts.declinedMessage},
	refused: failed(accountsv1.ReasonRefused, func(f Facts) string {
		return f.channelResults() + " Check the recipient" + inviteAgain
	}),
	undelivered: {
		state: accountsv1.InvitationFailed, set: isStalled,
		reasonOf: func(f Facts) string { return cmp.Or(f.deliveredReason(), accountsv1.ReasonTemporaryFailure) },
		messageOf: func(f Facts) string {
			return "The link has expired, and no channel is known to have sent it. " + f.channelResults() + " Fix the cause" + inviteAgain
		},
	},
	expired: {
		state: accountsv1.InvitationExpired, set: isReady, reason: accountsv1.ReasonExpired,
		message: "The invitation was not accepted in time" + inviteAgain,
	},

	mailHeld: failed(accountsv1.ReasonMailHeld, fixed(
		"The status was lost after the invitation was sent, so Usher does not send it again on its own; annotate the Organization with "+
			accountsv1.ReleaseMailAnnotation+" to release all of its held mail, or this Invitation with "+accountsv1.ResendAnnotation+".")),
	addressNotAllowed: failed(accountsv1.ReasonAddressNotAllowed, func(f Facts) string {
		return fmt.Sprintf("Organization %s does not invite this address: %s.", f.organizationName(), f.addressFault())
	}),
	addressConflict: {
		state: accountsv1.InvitationFailed, set: isStalled,
		reasonOf:  func(f Facts) string { return f.AddressConflict.Reason },
		messageOf: func(f Facts) string { return f.AddressConflict.message() },
	},
	addressUndecided: sending,
	seatless: failed(accountsv1.ReasonSeatsExhausted, func(f Facts) string {
		return fmt.Sprintf("All seats of Organization %s are taken; Usher continues when a seat becomes free or spec.seats is raised.", f.organizationName())
	}),
	seatUnknown: sending,
	noKey: failed(accountsv1.ReasonLinkKeysInvalid, func(f Facts) string {
		return fmt.Sprintf("Usher cannot create links: %s.", f.KeyFault)
	}),

	suspended: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReady, reason: accountsv1.ReasonSuspended,
		message: "The Membership of the same name is suspended; Usher sends the link once its spec.state is Active.",
	},
	limited: {
		state: accountsv1.InvitationSending, set: isReconciling,
		reasonOf: func(f Facts) string {
			_, reason, _ := f.limit()
			return reason
		},
		messageOf: func(f Facts) string {
			_, _, message := f.limit()
			return message
		},
	},
	unclaimed: sending,
	renewed:   sending,
	failedSend: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonTemporaryFailure,
		messageOf: Facts.channelResults,
	},
	inFlight: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonSending,
		message: "Usher is sending the link.",
	},
	sent: {
		state: accountsv1.InvitationPending, set: isReady, reason: accountsv1.ReasonAwaitingAcceptance,
		message: "The link was sent; Usher waits for the invited person to answer.",
	},
}

// failed returns the verdict for a situation that an admin must fix in a manifest or in
// the platform.
func failed(reason string, message func(Facts) string) verdict {
	return verdict{state: accountsv1.InvitationFailed, set: isStalled, reason: reason, messageOf: message}
}

// fixed returns a message that does not depend on the facts.
func fixed(message string) func(Facts) string {
	return func(Facts) string { return message }
}

// verdict returns the row of a situation, filled in from the facts.
func (f Facts) verdict(at situation) verdict {
	v := verdicts[at]
	if v.linkStays && linkWasSent(f.Invitation) {
		v.state = accountsv1.InvitationPending
	}
	if v.reasonOf != nil {
		v.reason = v.reasonOf(f)
	}
	if v.messageOf != nil {
		v.message = v.messageOf(f)
	}
	return v
}

func (f Facts) organizationName() string { return string(f.Invitation.Spec.OrganizationRef.Name) }

func (r AddressConflict) message() string {
	switch r.Reason {
	case accountsv1.ReasonAddressIsMember:
		return fmt.Sprintf("The address already belongs to the member of Membership %s; change or delete that Membership first.", r.Name)
	case accountsv1.ReasonAddressHasAccount:
		return fmt.Sprintf("Account %s signs in with this address and is already a member; invite another address.", r.Name)
	}
	return fmt.Sprintf("Invitation %s to the same address is already open; wait for the answer, or delete that Invitation.", r.Name)
}

func (f Facts) declinedMessage() string {
	message := "The invited person declined"
	if reason := f.Invitation.Status.Decline.Reason; reason != "" {
		message += fmt.Sprintf(", and wrote: %q", strings.Join(strings.Fields(reason), " "))
	}
	return message + inviteAgain
}
