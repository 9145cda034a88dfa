// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/quote"
	"github.com/usher-dev/usher/internal/wording"
)

// Notifier sends the messages about Invitations and Accounts.
type Notifier struct {
	// Mailer takes the mails of Organizations without a mail server of their own, and all mails about
	// Accounts, which can belong to several Organizations.
	Mailer Mailer
	// From is the sender of those.
	From netmail.Address
	// Settings reads what Organizations bring of their own.
	Settings *Settings
	// Texter takes short messages; nil: there is no SMS gateway.
	Texter Texter
	// Chatter posts to chats.
	Chatter Chatter
	// Secrets writes the Secrets that hold links.
	Secrets client.Writer
	// Keys reads the keyring that links are made with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// PortalURL is what links start with.
	PortalURL *url.URL
	// Holder names this process in claims. Another run of it has another name.
	Holder string
	// Deadline is how long a try can take at most.
	Deadline time.Duration

	ended    endedTries
	mailings mailings
}

// Check returns an error that names what a Notifier needs and lacks.
func (n *Notifier) Check() error {
	if n == nil || n.Mailer == nil || n.Settings == nil || n.Chatter == nil || n.Secrets == nil || n.Keys == nil || n.PortalURL == nil {
		return errors.New("a notifier needs a mailer, settings, a chatter, a writer of Secrets, link keys and the portal's URL")
	}
	return nil
}

// Lane names the server that a message occupies while it is sent.
func (n *Notifier) Lane(m Message) Lane {
	if carrier, known := carriers[m.Medium]; known {
		return carrier.Lane(n, m)
	}
	return NoLane
}

// Send makes the try that was claimed for a message, and returns how it ended. The answer is what the
// receiving server said, where the message was not confirmed.
func (n *Notifier) Send(ctx context.Context, m Message) (result accountsv1.DeliveryResult, answer string) {
	log := logf.FromContext(ctx).WithValues("delivery", m.Name, "medium", m.Medium, "purpose", m.Purpose, "try", m.Tries)
	if Media().Spent(m.Delivery) {
		log.Info("Message counts as sent, because two tries ended without an answer")
		return accountsv1.DeliverySent, "nobody knows how two tries ended, because a controller was stopped at one of them at least; it is not sent again"
	}
	// A send that is called off half-way leaves its outcome unknown, so the process waits for it when it
	// is told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.Deadline)
	defer cancel()
	err := n.pass(ctx, m)
	if err == nil {
		log.Info("Message was sent")
		return accountsv1.DeliverySent, ""
	}
	result = resultOf(err)
	log.Info("Message was not confirmed", "result", result, "reason", err.Error())
	return result, Answer(err.Error())
}

func (n *Notifier) pass(ctx context.Context, m Message) error {
	carrier, known := carriers[m.Medium]
	if !known {
		return &unsendableError{fmt.Sprintf("this Usher does not know the medium %q: update Usher, or choose another delivery", m.Medium)}
	}
	return carrier.Send(ctx, n, m)
}

// Withdraw takes back what a delivery brought.
func (n *Notifier) Withdraw(ctx context.Context, inv *accountsv1.Invitation, d accountsv1.Delivery) error {
	carrier, can := carriers[d.Medium].(withdrawer)
	if !can {
		return fmt.Errorf("withdraw delivery %s: the medium %s cannot be withdrawn", d.Name, d.Medium)
	}
	return carrier.Withdraw(ctx, n, inv, d)
}

// writer composes messages.
func (n *Notifier) writer(ctx context.Context) wording.Writer {
	return wording.Writer{
		PortalURL: n.PortalURL,
		Keys:      func() (invitation.Keyring, error) { return n.Keys(ctx) },
	}
}

// unsendableError reports a message that no later try can send either.
type unsendableError struct{ reason string }

func (e *unsendableError) Error() string { return e.reason }

// Permanent is true.
func (*unsendableError) Permanent() bool { return true }

// errOnlyInvitations is the result of a message about an Account by a medium that has no text for it.
var errOnlyInvitations = &unsendableError{"messages about an Account are sent by e-mail only"}

// permanent is an error that can say that the same message will not be taken later either.
type permanent interface {
	error
	Permanent() bool
}

// unconfirmed is an error that can say that the message was sent, and that it is unknown whether it was
// taken.
type unconfirmed interface {
	error
	Unconfirmed() bool
}

// resultOf is the result of a try that ended with an error.
func resultOf(err error) accountsv1.DeliveryResult {
	if e, says := errors.AsType[permanent](err); errors.Is(err, invitation.ErrKeyGone) || says && e.Permanent() {
		return accountsv1.DeliveryRefused
	}
	if e, says := errors.AsType[unconfirmed](err); says && e.Unconfirmed() {
		return delivery.Unconfirmed
	}
	return accountsv1.DeliveryTemporaryFailure
}

// Answer cuts an answer to what a status can hold.
func Answer(s string) string {
	const longest = 250
	return quote.Shorten(s, longest)
}
