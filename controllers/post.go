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
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/chat"
	"github.com/usher-dev/usher/internal/delivery"
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

// Post makes the messages about Invitations and Accounts and hands them over.
type Post struct {
	// Mailer takes the mails of Organizations without a mail server of their own,
	// and all about Accounts, which are no one Organization's.
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
	// cache yet, by the UID of the object that they are about.
	ended sync.Map
	// mailed are the mailings of this process within a day.
	mailed mailings
}

// LinkURL is the URL of a link.
func LinkURL(portal *url.URL, link string) string {
	return portal.JoinPath("invitation", link).String()
}

// send makes the try that was claimed for an Invitation. The answer is what was
// said to it, if the message was not taken.
func (p *Post) send(ctx context.Context, f invitation.Facts, name string) (result accountsv1.DeliveryResult, answer string) {
	return p.try(ctx, name, func(ctx context.Context) error {
		return p.carry(ctx, f, invitation.Delivery(f.Invitation, name))
	})
}

// sendToAccount makes the try that was claimed for an Account.
func (p *Post) sendToAccount(ctx context.Context, f account.Facts, name string) (result accountsv1.DeliveryResult, answer string) {
	return p.try(ctx, name, func(ctx context.Context) error {
		message, err := p.accountMessage(ctx, f, name)
		if err != nil {
			return err
		}
		return p.Mailer.Send(ctx, message)
	})
}

// try hands a message over, and tells what came of it.
func (p *Post) try(ctx context.Context, name string, handOver func(ctx context.Context) error) (result accountsv1.DeliveryResult, answer string) {
	// A send that is called off half-way leaves its outcome unknown, so the
	// process waits for it when it is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Deadline)
	defer cancel()
	err := handOver(ctx)
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

// deliveriesOf are the deliveries in the status of an object, and the attempt
// that they belong to, where there are several.
func deliveriesOf(o client.Object) (all []accountsv1.Delivery, attempt int32) {
	switch o := o.(type) {
	case *accountsv1.Invitation:
		return o.Status.Deliveries, o.Status.Attempt.Number
	case *accountsv1.Account:
		return o.Status.Deliveries, 0
	}
	return nil, 0
}

// remember keeps how the last try ended until the cache shows it.
func (p *Post) remember(o client.Object, name string, recorded bool) {
	all, attempt := deliveriesOf(o)
	if d := delivery.Find(all, name); d != nil {
		p.ended.Store(o.GetUID(), ending{attempt, *d, o.GetResourceVersion(), recorded})
	}
}

// recall compares what the cache shows with what this process knows. A status
// that lacks the end of a try gets it, so that a message is not sent again
// because its record failed. If the cache is behind what this process wrote,
// nothing is to be made of what it shows.
func (p *Post) recall(o client.Object) (behind bool) {
	known, found := p.ended.Load(o.GetUID())
	if !found {
		return false
	}
	last := known.(ending)
	if order, err := resourceversion.CompareResourceVersion(o.GetResourceVersion(), last.written); err == nil && order < 0 {
		return true
	}
	all, attempt := deliveriesOf(o)
	shown := delivery.Find(all, last.delivery.Name)
	if !last.recorded && shown != nil && shown.Holder == p.Holder && attempt == last.attempt && shown.Tries == last.delivery.Tries {
		*shown = last.delivery
		return false
	}
	p.ended.Delete(o.GetUID())
	return false
}

// shorten cuts an answer to what a status may hold.
func shorten(answer string) string {
	const most = 250
	return quote.Shorten(answer, most)
}
