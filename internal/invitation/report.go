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

// Report says where the Invitation stands. What was mailed and answered is
// taken over as it is; all else follows from the facts.
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
