// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

// Report says where the Invitation stands. Delivery, expiration and acceptance
// are taken over as they are; all else follows from the facts.
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
	reason, message := f.ready(c, at)
	f.delivered(c, reason, message)
	pending, active, expiredNow := at == sent, at == history || at == takenUp, at == expired
	c.Either(accountsv1.ConditionPending, pending, accountsv1.ReasonAwaitingAcceptance, reason, message)
	c.Either(accountsv1.ConditionActive, active, accountsv1.ReasonAccepted, NotAccepted(reason), message)
	c.Either(accountsv1.ConditionExpired, expiredNow, accountsv1.ReasonExpired, accountsv1.ReasonNotExpired, message)
	status.Conditions = c.List()
	status.ObservedGeneration = &generation
	status.State = f.state(at)
	return status
}

func (f Facts) state(at situation) accountsv1.InvitationState {
	switch at {
	case history, takenUp:
		return accountsv1.InvitationActive
	case sent:
		return accountsv1.InvitationPending
	case expired:
		return accountsv1.InvitationExpired
	case noOrganization:
		if f.Invitation.Status.Delivery.SentTime != nil {
			return accountsv1.InvitationPending
		}
		return accountsv1.InvitationSending
	case voided, noKey, wrongNamespace, noRole, membershipConflict, refused:
		return accountsv1.InvitationFailed
	default:
		return accountsv1.InvitationSending
	}
}

// ready sets Ready, Reconciling and Stalled, and returns Ready's reason and message.
func (f Facts) ready(c *condition.Set, at situation) (reason, message string) {
	spec := f.Invitation.Spec
	switch at {
	case history, takenUp:
		reason, message = accountsv1.ReasonAccepted, "The invitation was accepted."
		c.Ready(reason, message)
	case sent:
		reason, message = accountsv1.ReasonAwaitingAcceptance, "The mail is out; the next step is the invited person's."
		c.Ready(reason, message)
	case expired:
		reason, message = accountsv1.ReasonExpired, "Nobody accepted in time; delete this Invitation to invite again, and re-apply it if it was applied by hand."
		c.Ready(reason, message)
	case voided:
		reason, message = accountsv1.ReasonAccountNotFound, "The Account that accepted is gone; delete this Invitation to invite again."
		c.Stalled(reason, message)
	case noOrganization:
		reason = accountsv1.ReasonOrganizationNotFound
		message = fmt.Sprintf("There is no Organization %s; the invitation waits for it.", spec.OrganizationRef.Name)
		c.Reconciling(reason, message)
	case wrongNamespace:
		reason = accountsv1.ReasonWrongNamespace
		message = fmt.Sprintf("This namespace is not the home of Organization %s; move the Invitation to the one that is.", spec.OrganizationRef.Name)
		c.Stalled(reason, message)
	case noRole:
		reason = accountsv1.ReasonRoleNotFound
		message = fmt.Sprintf("Organization %s has no role %s; add it there, or name one that it has.", spec.OrganizationRef.Name, f.Role())
		c.Stalled(reason, message)
	case membershipConflict:
		reason = accountsv1.ReasonMembershipConflict
		message = "The Membership of the same name is for another address or Organization; give the Invitation another name."
		c.Stalled(reason, message)
	case noKey:
		reason = accountsv1.ReasonLinkKeysInvalid
		message = fmt.Sprintf("No link can be made: %s.", f.KeyFault)
		c.Stalled(reason, message)
	case refused:
		reason = accountsv1.ReasonRefused
		message = fmt.Sprintf("The mail server refused the mail for good: %s. Check the address; delete this Invitation to try again.", f.Invitation.Status.Delivery.Message)
		c.Stalled(reason, message)
	case failedTry:
		reason = accountsv1.ReasonTemporaryFailure
		message = fmt.Sprintf("The mail could not be handed over and is tried again: %s.", f.Invitation.Status.Delivery.Message)
		c.Reconciling(reason, message)
	default:
		reason, message = accountsv1.ReasonSending, "The mail is on its way to the mail server."
		c.Reconciling(reason, message)
	}
	return reason, message
}

// delivered sets Delivered from the record of the current attempt.
func (f Facts) delivered(c *condition.Set, reason, message string) {
	d := f.Invitation.Status.Delivery
	switch {
	case d.SentTime != nil:
		c.True(accountsv1.ConditionDelivered, accountsv1.ReasonSent, "The mail server took the mail.")
	case reason == accountsv1.ReasonSending || reason == accountsv1.ReasonAccepted:
		c.Set(accountsv1.ConditionDelivered, metav1.ConditionUnknown, reason, message)
	default:
		c.False(accountsv1.ConditionDelivered, reason, message)
	}
}

// NotAccepted is the reason of Active=False, for a reason of Ready.
func NotAccepted(ready string) string {
	switch ready {
	case accountsv1.ReasonAwaitingAcceptance, accountsv1.ReasonSending, accountsv1.ReasonTemporaryFailure:
		return accountsv1.ReasonNotAccepted
	}
	return ready
}
