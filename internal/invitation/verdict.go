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

// verdict is what Report says in one situation.
type verdict struct {
	// silent keeps the status as it is: the next reconcile says more.
	silent bool
	// linkStays makes the state Pending once a channel has taken the link. A new
	// attempt does not have it, because it makes the earlier link invalid.
	linkStays bool
	state     accountsv1.InvitationState
	set       func(c *condition.Set, reason, message string)
	reason    string
	message   string
	// reasonOf and messageOf replace reason and message where the facts decide.
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
	sending = verdict{state: accountsv1.InvitationSending, set: isReconciling, reason: accountsv1.ReasonSending, message: "The link is on its way."}
)

// verdicts has a row for every situation. The table in docs/spec/invitations.md
// is drawn from it.
var verdicts = map[situation]verdict{
	deleting: {silent: true},
	orphaned: {silent: true},

	history:  joined,
	takenUp:  joined,
	accepted: {silent: true},

	noOrganization: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonOrganizationNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("There is no Organization %s; the invitation waits for it.", f.organizationName())
		},
	},
	wrongNamespace: failed(accountsv1.ReasonWrongNamespace, func(f Facts) string {
		return fmt.Sprintf("This namespace is not the home of Organization %s; move the Invitation to the one that is.", f.organizationName())
	}),
	noRole: failed(accountsv1.ReasonRoleNotFound, func(f Facts) string {
		return fmt.Sprintf("Organization %s has no role %s; add it there, or name one that it has.", f.organizationName(), f.Role())
	}),
	unvetted: failed(accountsv1.ReasonPoliciesMissing, func(f Facts) string {
		return fmt.Sprintf("Role %s manages people, and Usher's policies were not in force when this was written; when they are, delete the Invitation and make it anew.", f.Role())
	}),
	membershipConflict: failed(accountsv1.ReasonMembershipConflict, fixed(
		"The Membership of the same name is for another address, Organization or role, or allows more than the role; give the Invitation another name.")),

	voided: failed(accountsv1.ReasonAccountNotFound, fixed("The Account that accepted is gone"+inviteAgain)),
	foreign: failed(accountsv1.ReasonLegalEntityMismatch, fixed("The Account that accepted belongs to an Organization of another legal entity; "+
		"resend the invitation, and the person makes another account with another user name.")),
	mismatched: failed(accountsv1.ReasonAddressMismatch, fixed(
		"The Account that accepted has another address, which addressMatch or the Organization's domains do not allow"+inviteAgain)),
	declined: {state: accountsv1.InvitationDeclined, set: isReady, reason: accountsv1.ReasonDeclined, messageOf: Facts.declinedMessage},
	refused: failed(accountsv1.ReasonRefused, func(f Facts) string {
		return f.outcomes() + " Check where it goes" + inviteAgain
	}),
	undelivered: {
		state: accountsv1.InvitationFailed, set: isStalled,
		reasonOf: func(f Facts) string { return cmp.Or(f.handover(), accountsv1.ReasonTemporaryFailure) },
		messageOf: func(f Facts) string {
			return "The time of the link is over, and no channel is known to have taken it. " + f.outcomes() + " Put that right" + inviteAgain
		},
	},
	expired: {
		state: accountsv1.InvitationExpired, set: isReady, reason: accountsv1.ReasonExpired,
		message: "Nobody accepted in time" + inviteAgain,
	},

	held: failed(accountsv1.ReasonMailHeld, fixed(
		"The invitation was mailed before its status was lost, and is not mailed again by itself; annotate the Organization with "+
			accountsv1.ReleaseMailAnnotation+" to mail all of its kind, or this one with "+accountsv1.ResendAnnotation+".")),
	addressNotAllowed: failed(accountsv1.ReasonAddressNotAllowed, func(f Facts) string {
		return fmt.Sprintf("Organization %s does not invite this address: %s.", f.organizationName(), f.addressFault())
	}),
	rivalled: {
		state: accountsv1.InvitationFailed, set: isStalled,
		reasonOf:  func(f Facts) string { return f.Rival.Reason },
		messageOf: func(f Facts) string { return f.Rival.message() },
	},
	contended: sending,
	seatless: failed(accountsv1.ReasonSeatsExhausted, func(f Facts) string {
		return fmt.Sprintf("Every seat of Organization %s is taken; it goes on by itself when one comes free or spec.seats is raised.", f.organizationName())
	}),
	seatUnknown: sending,
	noKey: failed(accountsv1.ReasonLinkKeysInvalid, func(f Facts) string {
		return fmt.Sprintf("No link can be made: %s.", f.KeyFault)
	}),

	suspended: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReady, reason: accountsv1.ReasonSuspended,
		message: "The Membership of the same name is suspended; the link goes out once its spec.state is Active.",
	},
	limited: {
		state: accountsv1.InvitationSending, set: isReconciling, reason: accountsv1.ReasonResendLimited,
		messageOf: func(f Facts) string {
			_, message := f.limit()
			return message
		},
	},
	unclaimed: sending,
	renewed:   sending,
	failedTry: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonTemporaryFailure,
		messageOf: Facts.outcomes,
	},
	inFlight: {
		state: accountsv1.InvitationSending, linkStays: true, set: isReconciling, reason: accountsv1.ReasonSending,
		message: "The link is on its way.",
	},
	sent: {
		state: accountsv1.InvitationPending, set: isReady, reason: accountsv1.ReasonAwaitingAcceptance,
		message: "The link is out; the next step is the invited person's.",
	},
}

// failed is the verdict where a manifest or the platform must change.
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
	if v.linkStays && handedOver(f.Invitation) {
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

func (r Rival) message() string {
	switch r.Reason {
	case accountsv1.ReasonAddressIsMember:
		return fmt.Sprintf("The address is a member already, by Membership %s; change that one, or delete it first.", r.Name)
	case accountsv1.ReasonAddressHasAccount:
		return fmt.Sprintf("The address is the sign-in name of Account %s, who is a member already; invite another address.", r.Name)
	}
	return fmt.Sprintf("Invitation %s to the same address is open already; wait for its answer, or delete it.", r.Name)
}

func (f Facts) declinedMessage() string {
	message := "The person does not want to join"
	if reason := f.Invitation.Status.Decline.Reason; reason != "" {
		message += fmt.Sprintf(", and wrote: %q", strings.Join(strings.Fields(reason), " "))
	}
	return message + inviteAgain
}
