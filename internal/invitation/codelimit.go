// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/organization"
)

// maxCodes is how many codes are kept in a status. The limits on attempts and on codes
// allow fewer within MailingsWindow.
const maxCodes = 32

// codeDelivery returns the delivery of a requested code. Its name is unique over all attempts.
func codeDelivery(attempt int32, o accountsv1.OtherAddress) accountsv1.Delivery {
	return accountsv1.Delivery{
		Name: fmt.Sprintf("code-%d-%d", attempt, o.Requests), Purpose: accountsv1.PurposeCode,
		Medium: accountsv1.MediumEmail, Recipient: string(o.Email),
	}
}

// CodesOf returns the deliveries of the codes that were mailed for an Invitation, as far as its
// status records them.
func CodesOf(inv *accountsv1.Invitation) []accountsv1.Delivery {
	return codesIn(inv.Status.Deliveries)
}

func codesIn(deliveries []accountsv1.Delivery) []accountsv1.Delivery {
	return slices.DeleteFunc(slices.Clone(deliveries), func(d accountsv1.Delivery) bool {
		return d.Purpose != accountsv1.PurposeCode || !d.Claimed()
	})
}

// recentCodes returns the codes that count at a time, oldest first, and fewer than maxCodes.
func recentCodes(deliveries []accountsv1.Delivery, now time.Time) []accountsv1.Delivery {
	codes := slices.DeleteFunc(codesIn(deliveries), func(d accountsv1.Delivery) bool { return now.Sub(d.ClaimTime.Time) >= MailingsWindow })
	return codes[max(0, len(codes)-maxCodes+1):]
}

// RequestedCode returns the delivery of the latest requested code while it is worth sending: its
// address may accept, and it has not expired.
func (f Facts) RequestedCode() (accountsv1.Delivery, bool) {
	status := f.Invitation.Status
	o := status.OtherAddress
	if !o.Given() || !f.FitsAddress(o.Email) || !f.Now.Before(o.RequestTime.Add(CodeValidity)) {
		return accountsv1.Delivery{}, false
	}
	requested := codeDelivery(status.Attempt.Number, o)
	if begun := delivery.Find(status.Deliveries, requested.Name); begun != nil {
		requested = *begun
	}
	return requested, true
}

// codeHeld returns until when the requested code is held, because a limit is reached, with a
// reason and a message for people. A zero time means that no code is held. A code that was
// claimed before counts already, so nothing holds its retries.
func (f Facts) codeHeld() (until time.Time, reason, message string) {
	requested, is := f.RequestedCode()
	if !is || requested.Claimed() {
		return time.Time{}, "", ""
	}
	mailbox, expires := f.CodeMailings.first(f.Now), f.Invitation.Status.OtherAddress.RequestTime.Add(CodeValidity)
	switch {
	case f.QuotaFreeAt.After(f.Now) && f.QuotaFreeAt.After(mailbox):
		until, reason, message = f.QuotaFreeAt, accountsv1.ReasonQuotaReached, fmt.Sprintf(
			"Organization %s has sent the %d invitations and codes that it may send within 24 hours, so Usher does not mail the requested code; a cluster admin can raise spec.invitationsPerDay of the Organization.",
			f.organizationName(), organization.InvitationsPerDay(f.Organization))
	case !mailbox.IsZero():
		until, reason, message = mailbox, accountsv1.ReasonResendLimited, fmt.Sprintf(
			"The mailbox of the other address was mailed %d times within a day, so Usher does not mail the requested code; the person can use another address, or request a code on another day.", MostMailings)
	default:
		return time.Time{}, "", ""
	}
	if expires.Before(until) {
		until = expires
	}
	return until, reason, message
}

// requeueForCode requeues when the held code can be sent, or expires.
func (f Facts) requeueForCode(p Plan) Plan {
	if until, _, _ := f.codeHeld(); p.Claim == nil && !until.IsZero() {
		p.After = shorterWait(p.After, until.Sub(f.Now))
	}
	return p
}

// codeBlocked sets the condition CodeBlocked while a requested code is held.
func (f Facts) codeBlocked(c *condition.Set, at situation) {
	if at != failedSend && at != inFlight && at != sent {
		return
	}
	if until, reason, message := f.codeHeld(); !until.IsZero() {
		c.True(accountsv1.ConditionCodeBlocked, reason, message)
	}
}
