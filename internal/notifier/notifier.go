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
	"github.com/usher-dev/usher/internal/sanitize"
	"github.com/usher-dev/usher/internal/wording"
)

// Notifier sends the messages about Invitations and Accounts.
type Notifier struct {
	// Mailer sends the mails of Organizations without a mail server of their own. It also sends all
	// mails about Accounts, because an Account can belong to several Organizations.
	Mailer Mailer
	// From is the sender of the mails that Mailer sends.
	From netmail.Address
	// Settings reads the Organizations' own settings, such as their mail servers.
	Settings *Settings
	// Texter sends short messages. It is nil if there is no SMS gateway.
	Texter Texter
	// Chatter posts to chats.
	Chatter Chatter
	// Secrets writes the Secrets that hold links.
	Secrets client.Writer
	// Keys reads the keyring that links are made with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// ResetKeys returns the keyring of links for a new password.
	ResetKeys func(ctx context.Context) (invitation.Keyring, error)
	// PortalURL is the base URL of links.
	PortalURL *url.URL
	// ClaimOwner names this process in claims. A restarted process has another name.
	ClaimOwner string
	// Deadline limits the time of one send.
	Deadline time.Duration

	ended    endedTries
	mailings mailings
}

// Check returns an error that lists the required fields if one of them is missing.
func (n *Notifier) Check() error {
	if n == nil || n.Mailer == nil || n.Settings == nil || n.Chatter == nil || n.Secrets == nil || n.Keys == nil || n.ResetKeys == nil || n.PortalURL == nil {
		return errors.New("a notifier needs a mailer, settings, a chatter, a writer of Secrets, link keys, reset keys and the portal's URL")
	}
	if n.Settings.PlatformSender != n.From.String() {
		return errors.New("the settings of Organizations need the platform's sender")
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

// Send sends a claimed message and returns the result. If the receiving server did not confirm the
// message, answer holds what the server replied.
func (n *Notifier) Send(ctx context.Context, m Message) (result accountsv1.DeliveryResult, answer string) {
	log := logf.FromContext(ctx).WithValues("delivery", m.Name, "medium", m.Medium, "purpose", m.Purpose, "try", m.Tries)
	if Media().MayNotResend(m.Delivery) {
		log.Info("Message counts as sent, because two sends ended without an answer")
		return accountsv1.DeliverySent, "it is unknown how two sends ended, because a controller was stopped during at least one of them; the message is not sent again"
	}
	// If a send is cancelled half-way, its outcome is unknown. So the process waits for it at shutdown.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.Deadline)
	defer cancel()
	err := n.deliver(ctx, m)
	if err == nil {
		log.Info("Message was sent")
		return accountsv1.DeliverySent, ""
	}
	result = resultOf(err)
	log.Info("Message was not confirmed", "result", result, "reason", err.Error())
	return result, Answer(err.Error())
}

func (n *Notifier) deliver(ctx context.Context, m Message) error {
	carrier, known := carriers[m.Medium]
	if !known {
		return &unsendableError{fmt.Sprintf("this version of Usher does not know the medium %q: update Usher, or choose another delivery", m.Medium)}
	}
	return carrier.Send(ctx, n, m)
}

// Withdraw takes back what was delivered.
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
		ResetKeys: func() (invitation.Keyring, error) { return n.ResetKeys(ctx) },
	}
}

// unsendableError reports a message that no retry can send.
type unsendableError struct{ reason string }

func (e *unsendableError) Error() string { return e.reason }

// Permanent reports whether a retry fails too. It always returns true.
func (*unsendableError) Permanent() bool { return true }

// errOnlyInvitations is returned for a message about an Account over a medium that has no text for it.
var errOnlyInvitations = &unsendableError{"messages about an Account are sent only by e-mail"}

// permanent is an error that can report that sending the same message later fails too.
type permanent interface {
	error
	Permanent() bool
}

// unconfirmed is an error that can report that the message was sent without a confirmation, so the
// server may or may not have taken it.
type unconfirmed interface {
	error
	Unconfirmed() bool
}

// resultOf returns the result of a send that ended with an error.
func resultOf(err error) accountsv1.DeliveryResult {
	if e, says := errors.AsType[permanent](err); errors.Is(err, invitation.ErrKeyGone) || says && e.Permanent() {
		return accountsv1.DeliveryRefused
	}
	if e, says := errors.AsType[unconfirmed](err); says && e.Unconfirmed() {
		return delivery.Unconfirmed
	}
	return accountsv1.DeliveryTemporaryFailure
}

// Answer shortens an answer to the length that a status can hold.
func Answer(s string) string {
	const longest = 250
	return sanitize.Shorten(s, longest)
}
