// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"

	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/wording"
)

// Chatter posts a text to the chat behind a URL. It returns the errors of chat.Client.
type Chatter interface {
	Send(ctx context.Context, chatURL, text string) error
}

// chatCarrier announces new members in the chat of an Organization. It sends no links.
type chatCarrier struct{}

var _ Carrier = chatCarrier{}

func (chatCarrier) Medium() delivery.Medium { return delivery.Medium{} }

func (chatCarrier) Lane(_ *Notifier, m Message) Lane {
	if m.Invitation == nil {
		return NoLane
	}
	return HomeLane(m.Invitation.Invitation.Namespace)
}

func (chatCarrier) Send(ctx context.Context, n *Notifier, m Message) error {
	if m.Invitation == nil {
		return errOnlyInvitations
	}
	chatURL, err := n.Settings.ChatURL(ctx, m.Invitation.Invitation.Namespace)
	if err != nil {
		return err
	}
	text, err := wording.Chat(*m.Invitation, m.Delivery)
	if err != nil {
		return err
	}
	return n.Chatter.Send(ctx, chatURL, text)
}
