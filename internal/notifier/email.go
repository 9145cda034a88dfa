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
)

// Mailer passes a message to a mail server. Its errors are those of email.SMTP.
type Mailer interface {
	Send(ctx context.Context, m email.Message) error
}

// emailCarrier sends mail: by the Organization's own server where its sender has one, otherwise by the
// platform's.
type emailCarrier struct{}

var _ Carrier = emailCarrier{}

func (emailCarrier) Medium() delivery.Medium {
	return delivery.Medium{
		// The same bytes with the same Message-ID are the same mail.
		CopyRecognisable: true,
		MessageID:        true,
		Recipient:        func(inv *accountsv1.Invitation) string { return string(inv.Spec.Email) },
		RateLimitKey:     func(inv *accountsv1.Invitation) string { return address.Key(string(inv.Spec.Email)) },
		RateLimited:      "The address was mailed",
	}
}

// Lane of a mail about an Account is the platform's server, like that of an Organization without its own.
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
	templates, _, err := n.Settings.templates(ctx, f.Invitation.Namespace)
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

// sendAboutAccount sends to the address of the Account and to no other, whatever the delivery says.
func (emailCarrier) sendAboutAccount(ctx context.Context, n *Notifier, m Message) error {
	content, err := n.writer(ctx).AccountMail(*m.Account, m.Delivery)
	if err != nil {
		return err
	}
	to := netmail.Address{Address: string(m.Account.Account.Spec.Email)}
	return n.Mailer.Send(ctx, m.email(n.From, to, content))
}

// email is the same mail at each try: Message-ID, Date and sender are as they were claimed.
func (m Message) email(from, to netmail.Address, content wording.Content) email.Message {
	return email.Message{ID: m.MessageID, Date: m.ClaimTime.Time, From: from, To: to, Content: email.Content(content)}
}

// sender is the From that a mail about an Invitation was claimed with.
func (m Message) sender() string { return invitation.SenderOf(m.Invitation.Invitation, m.Delivery) }

// mailer is the mail server that sends as the claimed sender: the Organization's for its own sender, the
// platform's for the platform's. A mail that was claimed with a sender that neither has any more goes by
// neither: one server would refuse it permanently, and the other would vouch for a foreign sender.
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
	return nil, fmt.Errorf("nobody sends as %s any more, and this mail was begun so: "+
		"let spec.mail of the Organization, or --mail-from, say that again until it is out", sender)
}

// sendsAs reports whether the Organization has a mail server for a sender.
func (n *Notifier) sendsAs(org *accountsv1.Organization, sender string) bool {
	if org == nil || org.Spec.Mail.Server == "" {
		return false
	}
	own := n.Sender(org)
	return sender == own.String()
}

// Sender is the From of an Organization's mails. A sender that cannot be read is reported when its mail
// server is asked for.
func (n *Notifier) Sender(org *accountsv1.Organization) netmail.Address {
	if org != nil && org.Spec.Mail.Server != "" {
		if own, err := netmail.ParseAddress(org.Spec.Mail.Sender); err == nil {
			return *own
		}
	}
	return n.From
}
