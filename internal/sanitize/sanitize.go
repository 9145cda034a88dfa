// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package sanitize makes foreign text fit for a status or a log: a server's answer, and
// the reason why a connection failed. It is pure, and imports no other package of
// Usher.
package sanitize

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"
)

// ConnectionFailure describes in stable words why a connection failed. The texts of the standard
// library contain ports and times that differ with every connection, and statuses must
// not flap. ConnectionFailure returns an empty string for an error that it does not know.
func ConnectionFailure(err error) string {
	var (
		certificate x509.CertificateInvalidError
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		record      tls.RecordHeaderError
		lookup      *net.DNSError
		timeout     net.Error
		errno       syscall.Errno
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "the send was cancelled"
	case errors.As(err, &certificate) && certificate.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &authority):
		return "its certificate is signed by an authority that is not trusted here; configure the CA file"
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
	}
	return ""
}

// SingleLine turns foreign text into one line without control characters.
func SingleLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// Shorten truncates s to n characters. The last one is an ellipsis if anything was cut.
func Shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// Mask hides every stretch of s of at least n bytes that also occurs in one of the
// secrets. Servers quote what they reject, and this can be the link.
func Mask(s string, n int, secrets ...string) string {
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
