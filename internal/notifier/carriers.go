// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
)

// Carrier is everything that differs by medium. It keeps nothing: what it sends with is the Notifier's.
type Carrier interface {
	// Medium describes the medium to the rules.
	Medium() delivery.Medium
	// Lane names the server that a message occupies while it is sent.
	Lane(n *Notifier, m Message) Lane
	// Send writes the text of a message and passes it on. It returns nil once the receiving server has
	// taken the message. An error can say that it is permanent, or that the message may have been taken
	// (see resultOf); any other error means that trying again is safe.
	Send(ctx context.Context, n *Notifier, m Message) error
}

// withdrawer is a Carrier that can take back what it brought.
type withdrawer interface {
	Carrier
	Withdraw(ctx context.Context, n *Notifier, inv *accountsv1.Invitation, d accountsv1.Delivery) error
}

// carriers has the Carrier of each medium. A new medium is registered here, and nowhere else.
var carriers = map[accountsv1.Medium]Carrier{
	accountsv1.MediumEmail: emailCarrier{},
	accountsv1.MediumSMS:   smsCarrier{},
	accountsv1.MediumChat:  chatCarrier{},
	accountsv1.MediumLink:  linkSecretCarrier{},
}

// Media describes all media to the rules.
func Media() delivery.Media {
	all := delivery.Media{}
	for name, carrier := range carriers {
		all[name] = carrier.Medium()
	}
	return all
}

// Message is one delivery that was claimed, with the facts that its text is written from. It is about an
// Invitation or about an Account; the other is nil.
type Message struct {
	accountsv1.Delivery

	Invitation *invitation.Facts
	Account    *account.Facts
}
