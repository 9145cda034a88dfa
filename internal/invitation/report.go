// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

// Report says where the Invitation stands. What was mailed and answered is
// taken over as it is; all else follows from the facts.
func Report(f Facts) accountsv1.InvitationStatus {
	status := *f.Invitation.Status.DeepCopy()
	at := f.situation()
	switch at {
	case deleting, orphaned, accepted:
		return status // what follows in a moment says more
	default:
	}
	generation := f.Invitation.Generation
	c := condition.New(f.Now, generation, status.Conditions)
	v := f.verdict(at)
	v.set(c, v.reason, v.message)
	f.delivered(c, v.reason, v.message)
	pending := v.state == accountsv1.InvitationPending && at != noOrganization
	c.Either(accountsv1.ConditionPending, pending, accountsv1.ReasonAwaitingAcceptance, v.reason, v.message)
	c.Either(accountsv1.ConditionActive, v.state == accountsv1.InvitationActive, accountsv1.ReasonAccepted, NotAccepted(v.reason), v.message)
	c.Either(accountsv1.ConditionExpired, v.state == accountsv1.InvitationExpired, accountsv1.ReasonExpired, accountsv1.ReasonNotExpired, v.message)
	f.resendBlocked(c, at)
	status.Conditions = c.List()
	status.ObservedGeneration = &generation
	switch {
	case at == takenUp && status.Acceptance.Given():
		status.Deliveries = withPlanned(status.Deliveries, f.afterAcceptance())
	case at == declined && status.State != accountsv1.InvitationDeclined:
		status.Deliveries = withPlanned(status.Deliveries, f.toOwners("declined.", accountsv1.PurposeDeclined))
	}
	status.State = v.state
	return status
}

// verdict is what Report says about one situation.
type verdict struct {
	state           accountsv1.InvitationState
	set             func(c *condition.Set, reason, message string)
	reason, message string
}

// verdict tells state, Ready and its companions. The table in
// docs/spec/invitations.md is drawn from it.
func (f Facts) verdict(at situation) verdict {
	ready, reconciling, stalled := (*condition.Set).Ready, (*condition.Set).Reconciling, (*condition.Set).Stalled
	spec := f.Invitation.Spec
	org := spec.OrganizationRef.Name
	switch at {
	case history, takenUp:
		return verdict{accountsv1.InvitationActive, ready, accountsv1.ReasonAccepted, "The invitation was accepted."}
	case declined:
		return verdict{accountsv1.InvitationDeclined, ready, accountsv1.ReasonDeclined, f.declinedMessage()}
	case expired:
		return verdict{
			accountsv1.InvitationExpired, ready, accountsv1.ReasonExpired,
			"Nobody accepted in time; annotate the Invitation or its Membership with " + accountsv1.ResendAnnotation + " to invite again.",
		}
	case noOrganization:
		state := accountsv1.InvitationSending
		if handedOver(f.Invitation) {
			state = accountsv1.InvitationPending
		}
		return verdict{
			state, reconciling, accountsv1.ReasonOrganizationNotFound,
			fmt.Sprintf("There is no Organization %s; the invitation waits for it.", org),
		}
	case wrongNamespace:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonWrongNamespace,
			fmt.Sprintf("This namespace is not the home of Organization %s; move the Invitation to the one that is.", org),
		}
	case noRole:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonRoleNotFound,
			fmt.Sprintf("Organization %s has no role %s; add it there, or name one that it has.", org, f.Role()),
		}
	case unvetted:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonPoliciesMissing,
			fmt.Sprintf("Role %s manages people, and Usher's policies were not in force when this was written; when they are, delete the Invitation and make it anew.", f.Role()),
		}
	case membershipConflict:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonMembershipConflict,
			"The Membership of the same name is for another address, Organization or role, or allows more than the role; give the Invitation another name.",
		}
	case seatless:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonSeatsExhausted,
			fmt.Sprintf("Every seat of Organization %s is taken; it goes on by itself when one comes free or spec.seats is raised.", org),
		}
	case noKey:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonLinkKeysInvalid,
			fmt.Sprintf("No link can be made: %s.", f.KeyFault),
		}
	default:
		return f.mailVerdict(at)
	}
}

// mailVerdict is the verdict where mail is the matter.
func (f Facts) mailVerdict(at situation) verdict {
	ready, stalled := (*condition.Set).Ready, (*condition.Set).Stalled
	again := "; annotate the Invitation or its Membership with " + accountsv1.ResendAnnotation + " to invite again."
	switch at {
	case sent:
		return verdict{
			accountsv1.InvitationPending, ready, accountsv1.ReasonAwaitingAcceptance,
			"The link is out; the next step is the invited person's.",
		}
	case voided:
		return verdict{accountsv1.InvitationFailed, stalled, accountsv1.ReasonAccountNotFound, "The Account that accepted is gone" + again}
	case foreign:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonLegalEntityMismatch,
			"The Account that accepted belongs to an Organization of another legal entity; " +
				"resend the invitation, and the person makes another account with another user name.",
		}
	case mismatched:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonAddressMismatch,
			"The Account that accepted has another address, which addressMatch or the Organization's domains do not allow" + again,
		}
	case refused:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonRefused,
			f.outcomes() + " Check where it goes" + again,
		}
	case undelivered:
		return verdict{
			accountsv1.InvitationFailed, stalled, cmp.Or(f.handover(), accountsv1.ReasonTemporaryFailure),
			"The time of the link is over, and no channel is known to have taken it. " + f.outcomes() + " Put that right" + again,
		}
	case held:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonMailHeld,
			"The invitation was mailed before its status was lost, and is not mailed again by itself; annotate the Organization with " +
				accountsv1.ReleaseMailAnnotation + " to mail all of its kind, or this one with " + accountsv1.ResendAnnotation + ".",
		}
	case addressNotAllowed:
		return verdict{
			accountsv1.InvitationFailed, stalled, accountsv1.ReasonAddressNotAllowed,
			fmt.Sprintf("Organization %s does not invite this address: %s.", f.Invitation.Spec.OrganizationRef.Name, f.addressFault()),
		}
	case rivalled:
		return verdict{accountsv1.InvitationFailed, stalled, f.Rival.Reason, f.Rival.message()}
	default:
		return f.waitingVerdict(at)
	}
}

// waitingVerdict is the verdict while the link is on its way, or waits to be.
func (f Facts) waitingVerdict(at situation) verdict {
	ready, reconciling := (*condition.Set).Ready, (*condition.Set).Reconciling
	// An attempt that is new makes the link that is out a dead one.
	state := accountsv1.InvitationSending
	if handedOver(f.Invitation) && (at == suspended || at == failedTry || at == inFlight) {
		state = accountsv1.InvitationPending
	}
	switch at {
	case suspended:
		return verdict{
			state, ready, accountsv1.ReasonSuspended,
			"The Membership of the same name is suspended; the link goes out once its spec.state is Active.",
		}
	case limited:
		_, message := f.limit()
		return verdict{state, reconciling, accountsv1.ReasonResendLimited, message}
	case failedTry:
		return verdict{state, reconciling, accountsv1.ReasonTemporaryFailure, f.outcomes()}
	default:
		return verdict{state, reconciling, accountsv1.ReasonSending, "The link is on its way."}
	}
}

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
	return message + "; annotate the Invitation or its Membership with " + accountsv1.ResendAnnotation + " to invite again."
}

// delivered sets Delivered from the record of the current attempt.
func (f Facts) delivered(c *condition.Set, reason, message string) {
	switch at := f.handover(); {
	case at == accountsv1.ReasonSent:
		c.True(accountsv1.ConditionDelivered, at, f.outcomes())
	case at != "":
		c.False(accountsv1.ConditionDelivered, at, f.outcomes())
	case reason == accountsv1.ReasonSending || reason == accountsv1.ReasonAccepted:
		c.Set(accountsv1.ConditionDelivered, metav1.ConditionUnknown, reason, message)
	default:
		c.False(accountsv1.ConditionDelivered, reason, message)
	}
}

// handover is how the channels of the current attempt did, as a reason: Sent
// when all took the link, otherwise what the worst of them says; empty while
// nothing is known.
func (f Facts) handover() string {
	reason := ""
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		switch {
		case d.Result == accountsv1.DeliveryRefused:
			return accountsv1.ReasonRefused
		case d.Result == accountsv1.DeliveryTemporaryFailure:
			reason = accountsv1.ReasonTemporaryFailure
		case d.Result == accountsv1.DeliverySent && f.Media.Spent(d) && reason != accountsv1.ReasonTemporaryFailure:
			reason = accountsv1.ReasonUnconfirmed
		case d.SentTime == nil:
			return ""
		case reason == "":
			reason = accountsv1.ReasonSent
		}
	}
	return reason
}

// outcomes tells how each channel of the current attempt did.
func (f Facts) outcomes() string {
	var told []string
	_, ended := f.end()
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		outcome := "on its way"
		switch d.Result {
		case "":
			if ended {
				outcome = "not known to have been taken"
			}
		case accountsv1.DeliverySent:
			outcome = "handed over"
			if f.Media.Spent(d) {
				outcome = "handed over twice, and never confirmed: " + d.Message
			}
		case accountsv1.DeliveryWithdrawn:
			outcome = "taken away again"
		case accountsv1.DeliveryRefused:
			outcome = "refused for good: " + d.Message
		case accountsv1.DeliveryTemporaryFailure:
			outcome = "tried again: " + d.Message
			if ended {
				outcome = "not taken: " + d.Message
			}
		}
		told = append(told, fmt.Sprintf("%s: %s.", d.Medium, strings.TrimRight(outcome, ".")))
	}
	return strings.Join(told, " ")
}

// resendBlocked tells about a resend that is not carried out.
func (f Facts) resendBlocked(c *condition.Set, at situation) {
	r := f.resend()
	switch {
	case at == history || at == takenUp:
	case r.invalid:
		c.True(accountsv1.ConditionResendBlocked, accountsv1.ReasonResendInvalid,
			"The value of "+accountsv1.ResendAnnotation+" must be a time such as 2026-11-21T10:00:00Z.")
	case r.otherTerms:
		c.True(accountsv1.ConditionResendBlocked, accountsv1.ReasonTermsChanged,
			"The Membership has other terms than this Invitation was made with, such as another number; delete the Invitation, and Usher makes it anew.")
	case !r.possibleAt.IsZero():
		_, message := f.limit()
		c.True(accountsv1.ConditionResendBlocked, accountsv1.ReasonResendLimited, message)
	}
}

// NotAccepted is the reason of Active=False, for a reason of Ready.
func NotAccepted(ready string) string {
	switch ready {
	case accountsv1.ReasonAwaitingAcceptance, accountsv1.ReasonSending, accountsv1.ReasonTemporaryFailure, accountsv1.ReasonResendLimited:
		return accountsv1.ReasonNotAccepted
	}
	return ready
}
