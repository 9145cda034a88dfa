// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"errors"
	"fmt"
	"net/textproto"

	"github.com/usher-dev/usher/internal/sanitize"
)

const maxReplyText = 200

// RefusedError reports that the server refused the message permanently: a 5xx reply to MAIL FROM, RCPT
// TO, DATA or the message itself (RFC 5321, section 4.2.1).
type RefusedError struct {
	// Command is the refused command: "MAIL FROM" (the sender), "RCPT TO" (the recipient), "DATA" or
	// "message" (the content).
	Command string
	// Code is the three-digit reply code. It is 553 if Send itself refused, because the address is not
	// ASCII and the server does not take such addresses (RFC 6531).
	Code int
	// Text is the server's own text or, if Send itself refused, what to change. It is one line of at
	// most 200 characters, and contains nothing of the message or the password.
	Text string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the mail server refused the %s permanently: %s", subject(e.Command), reply(e.Code, e.Text))
}

// Permanent reports whether the server would refuse the same message again. It always returns true.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError reports that the server has not taken the message and that a retry is safe. Causes are
// a 4xx reply, a server that cannot be reached or trusted, a failed sign-in, or a connection that broke
// before the final dot.
type TemporaryError struct {
	// Code is the reply code, or 0 if there was no reply.
	Code int
	// Reason is one sentence without ports, times or secrets, so that it is the same at each retry.
	Reason string
	// Err is the cause, for errors.Is. It is nil if the server replied.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns the cause, such as context.Canceled.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError reports that the whole message was sent and no reply came, so the server may or may not
// have taken it (RFC 1047). Send only the same bytes again.
type UnknownError struct {
	// Err is the cause, for errors.Is.
	Err error
}

func (e *UnknownError) Error() string {
	return "the mail server may have received the message but did not confirm it: " + describe(e.Err)
}

// Unconfirmed reports whether a retry can result in a copy. It always returns true.
func (*UnknownError) Unconfirmed() bool { return true }

// Unwrap returns the cause, such as context.Canceled.
func (e *UnknownError) Unwrap() error { return e.Err }

func subject(command string) string {
	switch command {
	case cmdMail:
		return "sender"
	case cmdRcpt:
		return "recipient"
	default:
		return "message"
	}
}

func reply(code int, text string) string {
	if text == "" {
		return fmt.Sprintf("%d", code)
	}
	return fmt.Sprintf("%d %s", code, text)
}

// describe returns stable words for the reason that a connection failed.
func describe(err error) string {
	if known := sanitize.ConnectionFailure(err); known != "" {
		return known
	}
	if _, garbage := errors.AsType[textproto.ProtocolError](err); garbage {
		return "it does not speak SMTP on this port"
	}
	return sanitize.Shorten(sanitize.SingleLine(err.Error()), maxReplyText)
}
