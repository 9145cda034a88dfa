// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"fmt"
	"strings"

	"github.com/usher-dev/usher/internal/sanitize"
)

// The parts of a message that a gateway can refuse.
const (
	partNumber = "number"
	partText   = "text"
)

// InvalidError reports that a message cannot be sent as it is. It is permanent: the input must change.
// Nothing was sent.
type InvalidError struct {
	// Field names the part of the message: "number" or "text".
	Field string
	// Reason is one sentence that says what is wrong with Field, without repeating its value.
	Reason string
}

func (e *InvalidError) Error() string { return "the text message cannot be sent: " + e.Reason }

// Permanent reports whether a retry with the same message fails too. It always returns true.
func (*InvalidError) Permanent() bool { return true }

// RefusedError reports that the gateway refused the message permanently: it would refuse the same
// message again.
type RefusedError struct {
	// Part is the refused part: "number" or "text".
	Part string
	// Code is the gateway's own error code (Twilio), or the status of its answer (Kannel).
	Code int
	// Text is the gateway's own text: one line of at most 200 characters. It contains nothing of the
	// message's text or of the password.
	Text string
}

func (e *RefusedError) Error() string {
	advice := "use another number"
	if e.Part == partText {
		advice = "change the text"
	}
	return fmt.Sprintf("the SMS gateway refused the %s permanently, so %s: %s", e.Part, advice, words(e.Code, e.Text))
}

// Permanent reports whether the gateway would refuse the same message again. It always returns true.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError reports that the gateway has not taken the message and that a retry is safe. Either
// nothing was sent, or the answer is not about this message. If the platform's settings must change,
// Reason says which ones.
type TemporaryError struct {
	// Code is the status of the answer, or 0 if there was none.
	Code int
	// Reason is one sentence without ports, times or secrets, so that it is the same at each retry.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded if the context ended, and nil otherwise.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns Err.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError reports that the request was sent, but that no answer confirms or refuses the message. If
// sent again, the text can arrive twice.
type UnknownError struct {
	// Reason says why there is no answer. It has the same form as TemporaryError.Reason.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded if the context ended, and nil otherwise.
	Err error
}

func (e *UnknownError) Error() string {
	return "the SMS gateway may have received the message but did not confirm it: " + e.Reason
}

// Unconfirmed reports whether a retry can result in a copy. It always returns true.
func (*UnknownError) Unconfirmed() bool { return true }

// Unwrap returns Err.
func (e *UnknownError) Unwrap() error { return e.Err }

func words(code int, text string) string { return strings.TrimSpace(fmt.Sprintf("%d %s", code, text)) }

// describe returns stable words for the reason that there was no answer. It does not repeat the texts
// of the standard library, because they quote what the other side sent.
func describe(err error) string {
	if known := sanitize.ConnectionFailure(err); known != "" {
		return known
	}
	if strings.Contains(err.Error(), "tls: ") {
		return "TLS with it failed: it must offer TLS 1.2 or newer, and a certificate for its host name"
	}
	return "it does not speak valid HTTP on this port"
}
