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

// Carrier holds everything that differs by medium. It has no state: what it sends with is in the
// Notifier.
type Carrier interface {
	// Medium describes the medium to the rules of package delivery.
	Medium() delivery.Medium
	// Lane names the server that a message occupies while it is sent.
	Lane(n *Notifier, m Message) Lane
	// Send writes the text of a message and sends it. It returns nil once the receiving server has
	// taken the message. An error can report that it is permanent, or that the server may have taken
	// the message (see resultOf). After any other error, a retry is safe.
	Send(ctx context.Context, n *Notifier, m Message) error
}

// withdrawer is a Carrier that can take back what it delivered.
type withdrawer interface {
	Carrier
	Withdraw(ctx context.Context, n *Notifier, inv *accountsv1.Invitation, d accountsv1.Delivery) error
}

// carriers holds the Carrier of each medium. Register a new medium here and nowhere else.
var carriers = map[accountsv1.Medium]Carrier{
	accountsv1.MediumEmail: emailCarrier{},
	accountsv1.MediumSMS:   smsCarrier{},
	accountsv1.MediumChat:  chatCarrier{},
	accountsv1.MediumLink:  linkSecretCarrier{},
}

// Media describes all media to the rules of package delivery.
func Media() delivery.Media {
	all := delivery.Media{}
	for name, carrier := range carriers {
		all[name] = carrier.Medium()
	}
	return all
}

// Message is one claimed delivery with the facts that its text is written from. Either Invitation or
// Account is set, and the other is nil.
type Message struct {
	accountsv1.Delivery

	Invitation *invitation.Facts
	Account    *account.Facts
}
