// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
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
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
	"github.com/usher-dev/usher/internal/notifier/sms"
	"github.com/usher-dev/usher/internal/quote"
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
	// Keys reads the keyring that links are made with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// PortalURL is what links start with.
	PortalURL *url.URL
	// Holder names this process in claims. Another run of it has another name.
	Holder string
	// Deadline is how long a try can take at the very most.
	Deadline time.Duration

	// links keeps links that are handed over by hand. Setup makes it.
	links linkSecrets
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
	d := invitation.Delivery(f.Invitation, name)
	if delivery.Spent(d) {
		return accountsv1.DeliverySent, "nobody knows how two tries ended, because a controller was stopped at one of them at least; it is not sent again"
	}
	return p.try(ctx, name, func(ctx context.Context) error { return p.carry(ctx, f, d) })
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
	if err == nil {
		return accountsv1.DeliverySent, ""
	}
	result = resultOf(err)
	logf.FromContext(ctx).Info("Message was not confirmed", "delivery", name, "result", result, "reason", err.Error())
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
		return p.links.write(ctx, f.Invitation, d.Recipient, link)
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
		mailer, err := p.mailer(ctx, f.Organization, senderOf(f.Invitation, d))
		if err != nil {
			return err
		}
		return mailer.Send(ctx, message)
	}
}

// senderOf is the From that a mail was claimed with.
func senderOf(inv *accountsv1.Invitation, d accountsv1.Delivery) string {
	return cmp.Or(d.Sender, inv.Status.Attempt.Sender)
}

// mailer is the mail server that sends as somebody: the Organization's for its
// own sender, and Usher's for Usher's. A mail that was begun with a sender that
// neither has any more goes by neither: the one would refuse it for good, and
// the other would vouch for somebody else.
func (p *Post) mailer(ctx context.Context, org *accountsv1.Organization, sender string) (Mailer, error) {
	switch {
	case p.isOwn(org, sender):
		own, err := p.Settings.server(ctx, org)
		if err != nil {
			return nil, fmt.Errorf("the Organization's own mail server cannot be used: %w", err)
		}
		return own, nil
	case sender == p.From.String():
		return p.Mailer, nil
	}
	return nil, fmt.Errorf("nobody sends as %s any more, and this mail was begun so: "+
		"let spec.mail of the Organization, or --mail-from, say that again until it is out", sender)
}

// isOwn tells whether a sender is one that the Organization has a mail server for.
func (p *Post) isOwn(org *accountsv1.Organization, sender string) bool {
	if org == nil || org.Spec.Mail.Server == "" {
		return false
	}
	own := p.sender(org)
	return sender == own.String()
}

// laneOf is whose server a message goes by that was claimed.
func (p *Post) laneOf(f invitation.Facts, d accountsv1.Delivery) lane {
	switch d.Medium {
	case accountsv1.MediumLink:
		return noLane
	case accountsv1.MediumSMS:
		return platformLane
	case accountsv1.MediumChat:
		return laneOfHome(f.Invitation.Namespace)
	default:
		if p.isOwn(f.Organization, senderOf(f.Invitation, d)) {
			return laneOfHome(f.Invitation.Namespace)
		}
		return platformLane
	}
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

// permanent is an error that can say that the same message will not be taken
// later either.
type permanent interface {
	error
	Permanent() bool
}

// unconfirmed is an error that can say that the message went out, and that nobody
// knows whether it was taken.
type unconfirmed interface {
	error
	Unconfirmed() bool
}

// resultOf is what an error makes of a try.
func resultOf(err error) accountsv1.DeliveryResult {
	if e, says := errors.AsType[permanent](err); errors.Is(err, invitation.ErrKeyGone) || says && e.Permanent() {
		return accountsv1.DeliveryRefused
	}
	if e, says := errors.AsType[unconfirmed](err); says && e.Unconfirmed() {
		return delivery.Unconfirmed
	}
	return accountsv1.DeliveryTemporaryFailure
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
