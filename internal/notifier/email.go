// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"fmt"
	netmail "net/mail"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/template"
)

// Mailer passes a message to a mail server. It returns the errors of email.SMTP.
type Mailer interface {
	Send(ctx context.Context, m email.Message) error
}

// emailCarrier sends mail. It uses the Organization's own server if that server sends as the claimed
// sender, and the platform's server otherwise.
type emailCarrier struct{}

var _ Carrier = emailCarrier{}

func (emailCarrier) Medium() delivery.Medium {
	return delivery.Medium{
		// The same bytes with the same Message-ID are the same mail.
		CopyRecognisable: true,
		MessageID:        true,
		Recipient:        func(inv *accountsv1.Invitation) string { return string(inv.Spec.Email) },
		RateLimitKey:     address.Mailbox,
		RateLimited:      "The mailbox was mailed",
	}
}

// Lane returns PlatformLane for a mail about an Account, and for Organizations without their own
// server.
func (emailCarrier) Lane(n *Notifier, m Message) Lane {
	if m.Invitation == nil || !n.sendsAs(m.Invitation.Organization, m.sender()) {
		return PlatformLane
	}
	return HomeLane(m.Invitation.Invitation.Namespace)
}

func (c emailCarrier) Send(ctx context.Context, n *Notifier, m Message) error {
	if m.Account != nil {
		return c.sendAboutAccount(ctx, n, m)
	}
	f := *m.Invitation
	server := template.PlatformServer
	if n.sendsAs(f.Organization, m.sender()) {
		server = template.OwnServer
	}
	templates, _, err := n.Settings.templates(ctx, f.Invitation.Namespace, server)
	if err != nil {
		return err
	}
	content, err := n.writer(ctx).Mail(templates, f, m.Delivery)
	if err != nil {
		return err
	}
	sender, err := netmail.ParseAddress(m.sender())
	if err != nil {
		return fmt.Errorf("read the claimed sender: %w", err)
	}
	mailer, err := n.mailer(ctx, f.Organization, m.sender())
	if err != nil {
		return err
	}
	to := netmail.Address{Address: m.Recipient}
	if m.Purpose == accountsv1.PurposeInvitation || m.Purpose == accountsv1.PurposeConfirmation {
		to.Name = wording.NameOf(f.Invitation)
	}
	return mailer.Send(ctx, m.email(*sender, to, content))
}

// sendAboutAccount sends only to the address of the Account. It ignores the recipient in the delivery.
func (emailCarrier) sendAboutAccount(ctx context.Context, n *Notifier, m Message) error {
	content, err := n.writer(ctx).AccountMail(*m.Account, m.Delivery)
	if err != nil {
		return err
	}
	to := netmail.Address{Address: string(m.Account.Account.Spec.Email)}
	return n.Mailer.Send(ctx, m.email(n.From, to, content))
}

// email builds the same mail for each send: Message-ID, Date and sender are as they were claimed.
func (m Message) email(from, to netmail.Address, content wording.Content) email.Message {
	return email.Message{ID: m.MessageID, Date: m.ClaimTime.Time, From: from, To: to, Content: email.Content(content)}
}

// sender returns the From that a mail about an Invitation was claimed with.
func (m Message) sender() string { return invitation.SenderOf(m.Invitation.Invitation, m.Delivery) }

// mailer returns the mail server that sends as the claimed sender: the Organization's server for its
// own sender, the platform's server for the platform's. If neither has the claimed sender any more, it
// returns an error. One server would refuse the mail permanently, and the other would vouch for a
// foreign sender.
func (n *Notifier) mailer(ctx context.Context, org *accountsv1.Organization, sender string) (Mailer, error) {
	switch {
	case n.sendsAs(org, sender):
		own, err := n.Settings.server(ctx, org)
		if err != nil {
			return nil, fmt.Errorf("the Organization's own mail server cannot be used: %w", err)
		}
		return own, nil
	case sender == n.From.String():
		return n.Mailer, nil
	}
	return nil, fmt.Errorf("no mail server sends as %s any more, but this mail was begun with that sender: "+
		"set it again in spec.mail of the Organization, or in --mail-from, until the mail is sent", sender)
}

// sendsAs reports whether the Organization has a mail server for a sender.
func (n *Notifier) sendsAs(org *accountsv1.Organization, sender string) bool {
	if org == nil || org.Spec.Mail.Server == "" {
		return false
	}
	own := n.Sender(org)
	return sender == own.String()
}

// Sender returns the From of an Organization's mails. It does not report a sender that cannot be
// parsed: the Settings report it when they read the mail server.
func (n *Notifier) Sender(org *accountsv1.Organization) netmail.Address {
	if org != nil && org.Spec.Mail.Server != "" {
		if own, err := netmail.ParseAddress(org.Spec.Mail.Sender); err == nil {
			return *own
		}
	}
	return n.From
}
