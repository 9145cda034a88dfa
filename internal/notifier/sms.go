// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/notifier/sms"
)

// Texter passes a short message to an SMS gateway. It returns the errors of sms.Client.
type Texter interface {
	Send(ctx context.Context, m sms.Message) error
}

// errNoGateway is returned for a delivery by SMS if there is no SMS gateway.
var errNoGateway = &sms.InvalidError{Reason: "Usher has no SMS gateway: set --sms-url, or choose another delivery"}

// smsCarrier sends the invitation as a short message through the platform's gateway.
type smsCarrier struct{}

var _ Carrier = smsCarrier{}

func (smsCarrier) Medium() delivery.Medium {
	return delivery.Medium{
		Recipient:    telephone,
		RateLimitKey: func(number string) string { return number },
		RateLimited:  "The telephone was texted",
	}
}

// telephone returns the number that an Invitation is texted to. It is empty if SMS is not a channel of
// the Invitation.
func telephone(inv *accountsv1.Invitation) string {
	if !slices.Contains(inv.Spec.Delivery, accountsv1.ChannelSMS) {
		return ""
	}
	return inv.Spec.PhoneNumber
}

func (smsCarrier) Lane(*Notifier, Message) Lane { return PlatformLane }

func (smsCarrier) Send(ctx context.Context, n *Notifier, m Message) error {
	switch {
	case n.Texter == nil:
		return errNoGateway
	case m.Invitation == nil:
		return errOnlyInvitations
	}
	text, err := n.writer(ctx).SMS(*m.Invitation, m.Delivery)
	if err != nil {
		return err
	}
	return n.Texter.Send(ctx, sms.Message{To: m.Recipient, Text: text})
}
