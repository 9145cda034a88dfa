// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
)

// Mailer hands a message to a mail server. Its errors are those of mail.SMTP.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Post makes the mails of invitations and hands them to a Mailer.
type Post struct {
	// Mailer takes the mails.
	Mailer Mailer
	// Keys reads the keyring that links are made with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// From is the sender.
	From netmail.Address
	// PortalURL is what links start with.
	PortalURL *url.URL
	// Holder names this process in claims. Another run of it has another name.
	Holder string
	// Deadline is how long a try can take at the very most.
	Deadline time.Duration

	// ended are the tries whose end this process knows and has not seen in the
	// cache yet, by the UID of the Invitation.
	ended sync.Map
}

// LinkURL is the URL of a link.
func LinkURL(portal *url.URL, link string) string {
	return portal.JoinPath("invitation", link).String()
}

// send offers the mail of the claimed attempt to the mail server. The answer
// is what the mail server said, if it did not take the mail.
func (p *Post) send(ctx context.Context, inv *accountsv1.Invitation) (result accountsv1.DeliveryResult, answer string) {
	message, err := p.message(ctx, inv)
	if err == nil {
		// A send that is called off half-way leaves its outcome unknown, so
		// the process waits for it when it is told to stop.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Deadline)
		defer cancel()
		err = p.Mailer.Send(ctx, message)
	}
	var refused *mail.RefusedError
	var invalid *mail.InvalidError
	switch {
	case err == nil:
		return accountsv1.DeliverySent, ""
	case errors.As(err, &refused), errors.As(err, &invalid):
		result = accountsv1.DeliveryRefused
	default:
		result = accountsv1.DeliveryTemporaryFailure
	}
	logf.FromContext(ctx).Info("Mail was not taken", "result", result, "reason", err.Error())
	return result, shorten(err.Error())
}

// message makes the mail of the claimed attempt, from the Invitation's spec
// and its claim alone.
func (p *Post) message(ctx context.Context, inv *accountsv1.Invitation) (mail.Message, error) {
	keys, err := p.Keys(ctx)
	if err != nil {
		return mail.Message{}, err
	}
	spec, claim := inv.Spec, inv.Status.Delivery
	link, err := keys.DeriveLink(string(inv.UID), claim)
	if err != nil {
		return mail.Message{}, err
	}
	name := strings.TrimSpace(string(spec.GivenName) + " " + string(spec.FamilyName))
	content, err := mail.Invitation(mail.InvitationData{
		Organization: string(claim.Organization),
		Role:         string(claim.Role),
		InvitedBy:    string(spec.InvitedBy),
		Name:         name,
		Link:         LinkURL(p.PortalURL, link),
		ValidUntil:   inv.Status.ExpirationTime.Time,
	})
	if err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		ID:      claim.MessageID,
		Date:    claim.ClaimTime.Time,
		From:    p.From,
		To:      netmail.Address{Name: name, Address: string(spec.Email)},
		Content: content,
	}, nil
}

// ending is how a try of this process ended.
type ending struct {
	delivery accountsv1.Delivery
	// written is the resourceVersion that this process last wrote.
	written string
	// recorded tells whether that was the record, or still the claim.
	recorded bool
}

// remember keeps how the last try ended until the cache shows it.
func (p *Post) remember(inv *accountsv1.Invitation, recorded bool) {
	p.ended.Store(inv.UID, ending{inv.Status.Delivery, inv.ResourceVersion, recorded})
}

// recall compares what the cache shows with what this process knows. A status
// that lacks the end of a try gets it, so that a mail is not sent again because
// its record failed. If the cache is behind what this process wrote, nothing is
// to be made of what it shows.
func (p *Post) recall(inv *accountsv1.Invitation) (behind bool) {
	known, found := p.ended.Load(inv.UID)
	if !found {
		return false
	}
	last, shown := known.(ending), &inv.Status.Delivery
	if order, err := resourceversion.CompareResourceVersion(inv.ResourceVersion, last.written); err == nil && order < 0 {
		return true
	}
	if !last.recorded && shown.Holder == p.Holder && shown.Attempt == last.delivery.Attempt && shown.Tries == last.delivery.Tries {
		*shown = last.delivery
		return false
	}
	p.ended.Delete(inv.UID)
	return false
}

// domain is the right-hand side of Message-IDs: that of the sender.
func (p *Post) domain() string {
	return p.From.Address[strings.LastIndexByte(p.From.Address, '@')+1:]
}

// shorten cuts a mail server's answer to what a status may hold.
func shorten(answer string) string {
	const most = 250
	if runes := []rune(answer); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return answer
}
