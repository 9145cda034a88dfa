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

	"github.com/usher-dev/usher/internal/outbound"
)

// InvalidError reports that the URL or the notice must change. Nothing was sent.
type InvalidError struct {
	// Field is what must change: "chat URL" or "notice".
	Field string
	// Reason says what to write instead, without repeating the invalid value.
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("the %s %s", e.Field, e.Reason) }

// Permanent reports whether posting the same notice to the same URL fails later too. It always returns
// true.
func (*InvalidError) Permanent() bool { return true }

// RefusedError reports that the chat refused the notice permanently: a 4xx status other than those of
// TemporaryError, or a redirect (RFC 9110, sections 15.4 and 15.5).
type RefusedError struct {
	// Code is the HTTP status code.
	Code int
}

func (e *RefusedError) Error() string {
	if e.Code < 400 {
		return fmt.Sprintf("the chat answered with a redirect (HTTP status %d), which Usher does not follow: write the URL that the chat itself shows for the hook", e.Code)
	}
	return fmt.Sprintf("the chat refused the notice permanently (HTTP status %d): make sure that the hook exists and may post to the channel, or write the URL of a new one", e.Code)
}

// Permanent reports whether the chat would refuse the same notice again. It always returns true.
func (*RefusedError) Permanent() bool { return true }

// TemporaryError reports that the chat has not taken the notice and that a retry is safe. Either the
// chat could not be reached or trusted, or it answered 408, 425, 429 or a 5xx other than those of
// UnknownError.
type TemporaryError struct {
	// Code is the HTTP status code, or 0 if there was no answer.
	Code int
	// Reason is one sentence that is the same at each retry.
	Reason string
	// Err is context.Canceled or context.DeadlineExceeded if the caller's context ended. Otherwise it
	// is nil, because other causes contain the URL.
	Err error
}

func (e *TemporaryError) Error() string { return e.Reason }

// Unwrap returns the cause, if it contains nothing secret.
func (e *TemporaryError) Unwrap() error { return e.Err }

// UnknownError reports that the request was sent and the chat did not answer, so the chat may or may
// not have taken the notice. 502 and 504 come from a proxy before the chat (RFC 9110, sections 15.6.3
// and 15.6.5), which may have passed the notice on.
type UnknownError struct {
	// Code is the HTTP status code of the proxy, or 0 if there was no answer.
	Code int
	// Err is context.Canceled or context.DeadlineExceeded if the caller's context ended. Otherwise it
	// is nil, because other causes contain the URL.
	Err error
}

func (e *UnknownError) Error() string {
	const doubt = "the notice was sent but the chat did not answer: it may or may not have been posted"
	if e.Code != 0 {
		return fmt.Sprintf("%s (HTTP status %d, from a proxy)", doubt, e.Code)
	}
	return doubt
}

// Unconfirmed reports whether a retry can show the notice twice. It always returns true.
func (*UnknownError) Unconfirmed() bool { return true }

// Unwrap returns the cause, if it contains nothing secret.
func (e *UnknownError) Unwrap() error { return e.Err }

// temporary returns the error for an answer that means "later".
func temporary(code int) *TemporaryError {
	return &TemporaryError{Code: code, Reason: fmt.Sprintf("the chat could not take the notice now (HTTP status %d)", code)}
}

// describe says why nothing could be sent. Its words depend only on the kind of failure.
func describe(err error) string {
	var (
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "the send was cancelled"
	case errors.Is(err, outbound.ErrUnreachable):
		return "the chat could not be reached: " + outbound.ErrUnreachable.Error()
	case errors.As(err, &cert):
		return "the certificate of the chat is not trusted"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the chat does not speak TLS on this port"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the chat could not be reached in time"
	}
	return "the chat could not be reached"
}
