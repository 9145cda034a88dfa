// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"errors"
	"fmt"
	"net/textproto"

	"github.com/usher-dev/usher/internal/quote"
)

const maxReplyText = 200

// RefusedError says that the server refused the message for good: a 5xx reply to MAIL FROM, RCPT TO,
// DATA or the message itself (RFC 5321, section 4.2.1).
type RefusedError struct {
	// Command is what was refused: "MAIL FROM" (the sender), "RCPT TO" (the recipient), "DATA" or
	// "message" (the content).
	Command string
	// Code is the three-digit reply code. It is 553 where Send refused by itself, because the address
	// is not ASCII and the server does not take such addresses (RFC 6531).
	Code int
	// Text is the server's own text, or, where Send refused by itself, what to change: one line, at
	// most 200 characters, with nothing in it that was in the message or in the password.
	Text string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the mail server refused the %s for good: %s", subject(e.Command), reply(e.Code, e.Text))
}

// Permanent is true: the server would refuse the same message again.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError says that the server has not taken the message and that trying later is safe: a 4xx
// reply, a server that cannot be reached or trusted, a sign-in that failed, or a connection that
// broke before the final dot.
type TemporaryError struct {
	// Code is the reply code, or 0 where there was no reply.
	Code int
	// Reason is one sentence without ports, times or secrets, so that it is the same at each try.
	Reason string
	// Err is the cause, for errors.Is; nil where the server replied.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns the cause, such as context.Canceled.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError says that the whole message was sent and no reply came: it may or may not have been
// taken (RFC 1047). Only the very same bytes may be sent again.
type UnknownError struct {
	// Err is the cause, for errors.Is.
	Err error
}

func (e *UnknownError) Error() string {
	return "the mail server got the message and did not confirm it: " + describe(e.Err)
}

// Unconfirmed is true: a repeat may be a copy.
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

// describe says in stable words why a connection failed.
func describe(err error) string {
	if known := quote.Failure(err); known != "" {
		return known
	}
	if _, garbage := errors.AsType[textproto.ProtocolError](err); garbage {
		return "it does not speak SMTP on this port"
	}
	return quote.Shorten(quote.Line(err.Error()), maxReplyText)
}
