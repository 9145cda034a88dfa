// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"syscall"
	"unicode"
)

const maxReplyText = 200

// InvalidError says that a message cannot be written from its input. It is permanent: the input must
// change. Nothing was sent.
type InvalidError struct {
	// Field names the part of the message, such as "subject".
	Field string
	// Reason says what is wrong with it, without repeating it.
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("the %s of the mail %s", e.Field, e.Reason) }

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

// describe says in stable words why a connection failed: the error texts of the standard library hold
// ports and times that differ at every try, and statuses must not flap.
func describe(err error) string {
	var (
		cert    x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		lookup  *net.DNSError
		timeout net.Error
		errno   syscall.Errno
		garbage textproto.ProtocolError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "the send was called off"
	case errors.As(err, &cert) && cert.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not trusted here; give the CA file"
	case errors.As(err, &host):
		return "its certificate is for another host name"
	case errors.As(err, &record):
		return "it does not speak TLS on this port"
	case errors.As(err, &lookup):
		return "its host name cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &garbage):
		return "it does not speak SMTP on this port"
	}
	return shorten(clean(err.Error()), maxReplyText)
}

// clean makes a stranger's text fit for a status: one line, no control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// shorten cuts to n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// mask hides every stretch of s, n bytes or longer, that also stands in one of the secrets. Servers do
// quote what they dislike, and what they quote may be the link.
func mask(s string, n int, secrets ...string) string {
	hidden := make([]bool, len(s))
	for i := 0; n > 0 && i+n <= len(s); i++ {
		for _, secret := range secrets {
			if strings.Contains(secret, s[i:i+n]) {
				for j := i; j < i+n; j++ {
					hidden[j] = true
				}
				break
			}
		}
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("[hidden]")
		}
	}
	// A stretch may begin or end within a letter.
	return strings.ToValidUTF8(b.String(), "")
}
