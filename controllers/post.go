// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/chat"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
	"github.com/usher-dev/usher/internal/quote"
	"github.com/usher-dev/usher/internal/sms"
)

// Mailer hands a message to a mail server. Its errors are those of mail.SMTP.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Texter hands a short message to an SMS gateway. Its errors are those of sms.Client.
type Texter interface {
	Send(ctx context.Context, m sms.Message) error
}

// Chatter posts a text to the chat behind a URL. Its errors are those of chat.Client.
type Chatter interface {
	Send(ctx context.Context, chatURL, text string) error
}

// Links keeps the Secrets that delivery by Link writes.
type Links interface {
	Write(ctx context.Context, inv *accountsv1.Invitation, secret, link string) error
	Remove(ctx context.Context, inv *accountsv1.Invitation, secret string) error
}

// Post makes the messages about invitations and hands them over.
type Post struct {
	// Mailer takes the mails of Organizations without a mail server of their own.
	Mailer Mailer
	// From is the sender of those.
	From netmail.Address
	// Settings reads what Organizations bring of their own.
	Settings *Settings
	// Texter takes short messages; nil: there is no SMS gateway.
	Texter Texter
	// Chatter posts to chats.
	Chatter Chatter
	// Links keeps links that are handed over by hand.
	Links Links
	// Keys reads the keyring that links are made with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// PortalURL is what links start with.
	PortalURL *url.URL
	// Holder names this process in claims. Another run of it has another name.
	Holder string
	// Deadline is how long a try can take at the very most.
	Deadline time.Duration

	// ended are the tries whose end this process knows and has not seen in the
	// cache yet, by the UID of the Invitation.
	ended sync.Map
	// mailed are the mailings of this process within a day.
	mailed mailings
}

// LinkURL is the URL of a link.
func LinkURL(portal *url.URL, link string) string {
	return portal.JoinPath("invitation", link).String()
}

// send makes the try that was claimed. The answer is what was said to it, if
// the message was not taken.
func (p *Post) send(ctx context.Context, f invitation.Facts, name string) (result accountsv1.DeliveryResult, answer string) {
	// A send that is called off half-way leaves its outcome unknown, so the
	// process waits for it when it is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Deadline)
	defer cancel()
	d := invitation.Delivery(f.Invitation, name)
	err := p.carry(ctx, f, d)
	switch {
	case err == nil:
		return accountsv1.DeliverySent, ""
	case refusal(err):
		result = accountsv1.DeliveryRefused
	default:
		result = accountsv1.DeliveryTemporaryFailure
	}
	logf.FromContext(ctx).Info("Message was not taken", "delivery", name, "result", result, "reason", err.Error())
	return result, shorten(err.Error())
}

// errNoGateway is what delivery by SMS comes to without an SMS gateway.
var errNoGateway = &sms.InvalidError{Reason: "this Usher has no SMS gateway: set --sms-url, or choose another delivery"}

// carry hands a message to what carries it.
func (p *Post) carry(ctx context.Context, f invitation.Facts, d accountsv1.Delivery) error {
	switch d.Medium {
	case accountsv1.MediumSMS:
		if p.Texter == nil {
			return errNoGateway
		}
		text, err := p.shortText(ctx, f, d)
		if err != nil {
			return err
		}
		return p.Texter.Send(ctx, sms.Message{To: d.Recipient, Text: text})
	case accountsv1.MediumLink:
		link, err := p.link(ctx, f.Invitation)
		if err != nil {
			return err
		}
		return p.Links.Write(ctx, f.Invitation, d.Recipient, link)
	case accountsv1.MediumChat:
		chatURL, err := p.Settings.chatURL(ctx, f.Invitation.Namespace)
		if err != nil {
			return err
		}
		text, err := chatText(f, d)
		if err != nil {
			return err
		}
		return p.Chatter.Send(ctx, chatURL, text)
	default:
		message, err := p.message(ctx, f, d)
		if err != nil {
			return err
		}
		mailer, err := p.mailer(ctx, f)
		if err != nil {
			return err
		}
		return mailer.Send(ctx, message)
	}
}

// mailer is the mail server of the Organization, or else Usher's. A mail that an
// Organization's own sender was claimed for never goes by Usher's.
func (p *Post) mailer(ctx context.Context, f invitation.Facts) (Mailer, error) {
	org := f.Organization
	switch {
	case org == nil && f.Invitation.Status.Attempt.Sender != p.From.String():
		return nil, errors.New("the Organization, which has a mail server of its own, is gone")
	case org == nil || org.Spec.Mail.Server == "":
		return p.Mailer, nil
	}
	own, err := p.Settings.server(ctx, org)
	if err != nil {
		return nil, fmt.Errorf("the Organization's own mail server cannot be used: %w", err)
	}
	return own, nil
}

// sender is the From of an Organization's mails. One that cannot be read is
// found out when its mail server is asked for.
func (p *Post) sender(org *accountsv1.Organization) netmail.Address {
	if org != nil && org.Spec.Mail.Server != "" {
		if own, err := netmail.ParseAddress(org.Spec.Mail.Sender); err == nil {
			return *own
		}
	}
	return p.From
}

// refusal tells whether an error says that the same message will not be taken
// later either.
func refusal(err error) bool {
	var (
		mailRefused *mail.RefusedError
		mailInvalid *mail.InvalidError
		smsRefused  *sms.RefusedError
		smsInvalid  *sms.InvalidError
		chatRefused *chat.RefusedError
		chatInvalid *chat.InvalidError
		foreign     *foreignSecretError
	)
	return errors.Is(err, invitation.ErrKeyGone) || errors.As(err, &mailRefused) || errors.As(err, &mailInvalid) || errors.As(err, &smsRefused) ||
		errors.As(err, &smsInvalid) || errors.As(err, &chatRefused) || errors.As(err, &chatInvalid) || errors.As(err, &foreign)
}

// ending is how a try of this process ended.
type ending struct {
	attempt  int32
	delivery accountsv1.Delivery
	// written is the resourceVersion that this process last wrote.
	written string
	// recorded tells whether that was the record, or still the claim.
	recorded bool
}

// remember keeps how the last try ended until the cache shows it.
func (p *Post) remember(inv *accountsv1.Invitation, name string, recorded bool) {
	d := invitation.Delivery(inv, name)
	p.ended.Store(inv.UID, ending{inv.Status.Attempt.Number, d, inv.ResourceVersion, recorded})
}

// recall compares what the cache shows with what this process knows. A status
// that lacks the end of a try gets it, so that a message is not sent again
// because its record failed. If the cache is behind what this process wrote,
// nothing is to be made of what it shows.
func (p *Post) recall(inv *accountsv1.Invitation) (behind bool) {
	known, found := p.ended.Load(inv.UID)
	if !found {
		return false
	}
	last := known.(ending)
	if order, err := resourceversion.CompareResourceVersion(inv.ResourceVersion, last.written); err == nil && order < 0 {
		return true
	}
	shown := invitation.Delivery(inv, last.delivery.Name)
	if !last.recorded && shown.Holder == p.Holder && inv.Status.Attempt.Number == last.attempt && shown.Tries == last.delivery.Tries {
		for i := range inv.Status.Deliveries {
			if inv.Status.Deliveries[i].Name == last.delivery.Name {
				inv.Status.Deliveries[i] = last.delivery
			}
		}
		return false
	}
	p.ended.Delete(inv.UID)
	return false
}

// shorten cuts an answer to what a status may hold.
func shorten(answer string) string {
	const most = 250
	return quote.Shorten(answer, most)
}
