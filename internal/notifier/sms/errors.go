// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"fmt"
	"strings"

	"github.com/usher-dev/usher/internal/quote"
)

// The parts of a message that a gateway can refuse.
const (
	partNumber = "number"
	partText   = "text"
)

// InvalidError says that a message cannot be sent as it is. It is permanent: the input must change.
// Nothing was sent.
type InvalidError struct {
	// Field names the part of the message: "number" or "text".
	Field string
	// Reason is one sentence that says what is wrong with it, without repeating it.
	Reason string
}

func (e *InvalidError) Error() string { return "the text message cannot be sent: " + e.Reason }

// Permanent is true: the same message cannot be sent later either.
func (*InvalidError) Permanent() bool { return true }

// RefusedError says that the gateway refused the message for good: it would refuse the same message
// again.
type RefusedError struct {
	// Part is what was refused: "number" or "text".
	Part string
	// Code is the gateway's own error code (Twilio), or the status of its answer (Kannel).
	Code int
	// Text is what the gateway said: one line, at most 200 characters, with nothing in it of the
	// message's text or of the password.
	Text string
}

func (e *RefusedError) Error() string {
	advice := "give another number"
	if e.Part == partText {
		advice = "change the text"
	}
	return fmt.Sprintf("the SMS gateway refused the %s for good, so %s: %s", e.Part, advice, words(e.Code, e.Text))
}

// Permanent is true: the gateway would refuse the same message again.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError says that the gateway has not taken the message and that trying later is safe: nothing
// was sent, or the gateway answered with something that is not about this message. Where the platform
// must change, Reason says which of its settings.
type TemporaryError struct {
	// Code is the status of the answer, or 0 where there was none.
	Code int
	// Reason is one sentence without ports, times or secrets, so that it is the same at each try.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded where the time was up, and nil otherwise.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns Err.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError says that the request went out and that no answer came which tells whether the message
// was taken. Sent again, the text may arrive twice.
type UnknownError struct {
	// Reason says why there is no answer, like TemporaryError.Reason.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded where the time was up, and nil otherwise.
	Err error
}

func (e *UnknownError) Error() string {
	return "the SMS gateway got the message and did not confirm it: " + e.Reason
}

// Unconfirmed is true: a repeat may be a copy.
func (*UnknownError) Unconfirmed() bool { return true }

// Unwrap returns Err.
func (e *UnknownError) Unwrap() error { return e.Err }

func words(code int, text string) string { return strings.TrimSpace(fmt.Sprintf("%d %s", code, text)) }

// describe says in stable words why there was no answer. The texts of the standard library are not
// repeated: they quote what the other side sent.
func describe(err error) string {
	if known := quote.Failure(err); known != "" {
		return known
	}
	if strings.Contains(err.Error(), "tls: ") {
		return "TLS with it failed: it must offer TLS 1.2 or newer, and a certificate for its host name"
	}
	return "it does not speak HTTP as it should on this port"
}
