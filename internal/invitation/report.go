// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

// Report returns the status of the Invitation. It keeps the record of what was sent and
// answered as it is; everything else follows from the facts.
func Report(f Facts) accountsv1.InvitationStatus {
	status := *f.Invitation.Status.DeepCopy()
	at := f.situation()
	v := f.verdict(at)
	if v.silent {
		return status
	}
	generation := f.Invitation.Generation
	c := condition.New(f.Now, generation, status.Conditions)
	v.set(c, v.reason, v.message)
	f.delivered(c, v.reason, v.message)
	pending := v.state == accountsv1.InvitationPending && at != noOrganization
	c.Either(accountsv1.ConditionPending, pending, accountsv1.ReasonAwaitingAcceptance, v.reason, v.message)
	c.Either(accountsv1.ConditionActive, v.state == accountsv1.InvitationActive, accountsv1.ReasonAccepted, NotAccepted(v.reason), v.message)
	c.Either(accountsv1.ConditionExpired, v.state == accountsv1.InvitationExpired, accountsv1.ReasonExpired, accountsv1.ReasonNotExpired, v.message)
	f.resendBlocked(c, at)
	f.codeBlocked(c, at)
	status.Conditions = c.List()
	status.ObservedGeneration = &generation
	switch {
	case at == alreadyJoined && status.Acceptance.Given():
		status.Deliveries = withPlanned(status.Deliveries, f.afterAcceptance())
	case at == declined && status.State != accountsv1.InvitationDeclined:
		status.Deliveries = withPlanned(status.Deliveries, f.toOwners("declined.", accountsv1.PurposeDeclined))
	}
	status.State = v.state
	return status
}

// delivered sets the condition Delivered from the record of the current attempt.
func (f Facts) delivered(c *condition.Set, reason, message string) {
	switch at := f.deliveredReason(); {
	case at == accountsv1.ReasonSent:
		c.True(accountsv1.ConditionDelivered, at, f.channelResults())
	case at != "":
		c.False(accountsv1.ConditionDelivered, at, f.channelResults())
	case reason == accountsv1.ReasonSending || reason == accountsv1.ReasonAccepted:
		c.Set(accountsv1.ConditionDelivered, metav1.ConditionUnknown, reason, message)
	default:
		c.False(accountsv1.ConditionDelivered, reason, message)
	}
}

// deliveredReason summarizes the channels of the current attempt as a reason: Sent if all took
// the link, otherwise the reason of the worst channel. It is empty while nothing is
// known.
func (f Facts) deliveredReason() string {
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
		case d.Result == accountsv1.DeliverySent && f.Media.MayNotResend(d) && reason != accountsv1.ReasonTemporaryFailure:
			reason = accountsv1.ReasonUnconfirmed
		case d.SentTime == nil:
			return ""
		case reason == "":
			reason = accountsv1.ReasonSent
		}
	}
	return reason
}

// channelResults describes the result of each channel of the current attempt.
func (f Facts) channelResults() string {
	var told []string
	_, ended := f.end()
	for _, d := range f.Invitation.Status.Deliveries {
		if d.Purpose != accountsv1.PurposeInvitation {
			continue
		}
		outcome := "being sent"
		switch d.Result {
		case "":
			if ended {
				outcome = "not known to have been sent"
			}
		case accountsv1.DeliverySent:
			outcome = "sent"
			if f.Media.MayNotResend(d) {
				outcome = "sent twice without confirmation: " + d.Message
			}
		case accountsv1.DeliveryWithdrawn:
			outcome = "withdrawn"
		case accountsv1.DeliveryRefused:
			outcome = "refused permanently: " + d.Message
		case accountsv1.DeliveryTemporaryFailure:
			outcome = "retrying: " + d.Message
			if ended {
				outcome = "not sent: " + d.Message
			}
		}
		told = append(told, fmt.Sprintf("%s: %s.", d.Medium, strings.TrimRight(outcome, ".")))
	}
	return strings.Join(told, " ")
}

// resendBlocked sets the condition ResendBlocked if a requested resend is not carried
// out.
func (f Facts) resendBlocked(c *condition.Set, at situation) {
	r := f.resend()
	switch {
	case at == history || at == alreadyJoined:
	case r.invalid:
		c.True(accountsv1.ConditionResendBlocked, accountsv1.ReasonResendInvalid,
			"The value of "+accountsv1.ResendAnnotation+" must be a time such as 2026-11-21T10:00:00Z.")
	case r.otherTerms:
		c.True(accountsv1.ConditionResendBlocked, accountsv1.ReasonTermsChanged,
			"The terms of the Membership, such as the phone number, changed after this Invitation was created; delete the Invitation, and Usher creates it again.")
	case !r.possibleAt.IsZero():
		_, reason, message := f.limit()
		c.True(accountsv1.ConditionResendBlocked, reason, message)
	}
}

// NotAccepted returns the reason of Active=False for a reason of Ready.
func NotAccepted(ready string) string {
	switch ready {
	case accountsv1.ReasonAwaitingAcceptance, accountsv1.ReasonSending, accountsv1.ReasonTemporaryFailure,
		accountsv1.ReasonResendLimited, accountsv1.ReasonQuotaReached:
		return accountsv1.ReasonNotAccepted
	}
	return ready
}
