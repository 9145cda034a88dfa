// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// InvalidError says that nothing can be sent, and nothing was: the URL or the notice must change.
type InvalidError struct {
	// Field is what must change: "chat URL" or "notice".
	Field string
	// Reason says what to write instead, without repeating what was written.
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("the %s %s", e.Field, e.Reason) }

// Permanent is true: the same notice cannot be posted to the same URL later either.
func (*InvalidError) Permanent() bool { return true }

// RefusedError says that the chat refused the notice for good: a 4xx status other than those of
// TemporaryError, or a redirect (RFC 9110, sections 15.4 and 15.5).
type RefusedError struct {
	// Code is the HTTP status code.
	Code int
}

func (e *RefusedError) Error() string {
	if e.Code < 400 {
		return fmt.Sprintf("the chat answered with a redirect (HTTP status %d), which is not followed: write the URL that the chat itself shows for the hook", e.Code)
	}
	return fmt.Sprintf("the chat refused the notice for good (HTTP status %d): make sure that the hook exists and may post to the channel, or write the URL of a new one", e.Code)
}

// Permanent is true: the chat would refuse the same notice again.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError says that the chat has not taken the notice and that it can be tried later: the chat
// could not be reached or trusted, or it answered 408, 425, 429 or a 5xx other than those of UnknownError.
type TemporaryError struct {
	// Code is the HTTP status code, or 0 where there was no answer.
	Code int
	// Reason is one sentence, the same at each try.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded where the caller's context ended, otherwise
	// nil: other causes name the URL.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns the cause, if it can be told.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError says that the request went out and no answer of the chat's came: it may or may not have
// taken the notice. 502 and 504 speak for a proxy before it (RFC 9110, sections 15.6.3 and 15.6.5), which
// may have passed the notice on.
type UnknownError struct {
	// Code is the HTTP status code of the proxy, or 0 where there was no answer.
	Code int
	// Err is context.Canceled or context.DeadlineExceeded where the caller's context ended, otherwise
	// nil: other causes name the URL.
	Err error
}

func (e *UnknownError) Error() string {
	const doubt = "the notice went out and the chat did not answer: it may have been posted or not"
	if e.Code != 0 {
		return fmt.Sprintf("%s (HTTP status %d, of a proxy before it)", doubt, e.Code)
	}
	return doubt
}

// Unconfirmed is true: a repeat may show the notice twice.
func (*UnknownError) Unconfirmed() bool { return true }

// Unwrap returns the cause, if it can be told.
func (e *UnknownError) Unwrap() error { return e.Err }

// temporary is for an answer that says "later".
func temporary(code int) *TemporaryError {
	return &TemporaryError{Code: code, Reason: fmt.Sprintf("the chat could not take the notice now (HTTP status %d)", code)}
}

// describe says why nothing could be sent, in words that depend on the kind of failure alone.
func describe(err error) string {
	var (
		lookup  *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "the send was called off"
	case errors.As(err, &lookup):
		return "the host name of the chat cannot be resolved"
	case errors.As(err, &cert):
		return "the certificate of the chat is not one that is trusted here"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the chat does not speak TLS on this port"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the chat could not be reached in time"
	}
	return "the chat could not be reached"
}
