// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	op := func(err error) error {
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 40001}, Err: err}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{op(os.NewSyscallError("read", syscall.ECONNRESET)), "it closed the connection"},
		{io.EOF, "it closed the connection"},
		{op(os.ErrDeadlineExceeded), "it did not answer in time"},
		{context.DeadlineExceeded, "it did not answer in time"},
		{fmt.Errorf("%w: %w", context.Canceled, op(os.ErrDeadlineExceeded)), "the send was cancelled"},
		{op(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		{op(&net.DNSError{Err: "no such host", Server: "10.0.0.10:53"}), "its host name cannot be resolved"},
		{errors.New(`malformed HTTP response "the link"`), "it does not speak valid HTTP on this port"},
	} {
		if got := describe(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	s := secretsOf("usher", "hunter2", "open https://usher.example.org/i#c2VjcmV0LXNlY3JldA now")
	for name, c := range map[string]struct{ in, want string }{
		"nothing secret":                     {"Number is not routable.", "Number is not routable."},
		"the link":                           {"bad <https://usher.example.org/i#c2VjcmV0LXNlY3JldA>", "bad <[hidden]>"},
		"only the token":                     {"x#c2VjcmV0LXNlY3JldAx", "x[hidden]x"},
		"the password, although it is short": {"hunter2 and hunter22", "[hidden] and [hidden]2"},
		"multi-byte letters":                 {"ü https://usher.example ü", "ü[hidden] ü"},
		"several lines":                      {"a\r\n\tb\x00c", "a b c"},
		"a page":                             {" <!DOCTYPE html>", ""},
		"an object":                          {`{"error":"x"}`, ""},
		"text that is too long":              {strings.Repeat("a", 2001), ""},
		"long text":                          {strings.Repeat("ä", 201), strings.Repeat("ä", 199) + "…"},
	} {
		if got := s.sanitize(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestTheWholeRequestFitsIntoTheBuffer checks what Send relies on to know whether a request was sent.
func TestTheWholeRequestFitsIntoTheBuffer(t *testing.T) {
	t.Parallel()
	cfg := Config{Gateway: Gateway{URL: "https://sms.example.org", User: "usher"}, From: "Usher"}
	password := strings.Repeat("ä", maxPassword/2)
	for _, text := range []string{strings.Repeat("è", 153*MaxSegments), strings.Repeat("д", 67*MaxSegments), strings.Repeat("🎉", 33*MaxSegments)} {
		if err := checkText(text); err != nil {
			t.Fatal(err)
		}
		for _, dialect := range []dialect{kannel{}, twilio{}} {
			req, err := dialect.request(t.Context(), cfg, password, Message{To: "+393331234567", Text: text})
			if err != nil {
				t.Fatal(err)
			}
			var raw strings.Builder
			if err := req.Write(&raw); err != nil {
				t.Fatal(err)
			}
			if n := raw.Len(); n > bufferSize/2 {
				t.Errorf("%T: the request has %d bytes", dialect, n)
			}
		}
	}
}

func TestAllTimeoutsFitIntoTheDeadline(t *testing.T) {
	t.Parallel()
	c := New(Config{})
	if c.transport.TLSHandshakeTimeout != ConnectTimeout || c.transport.ResponseHeaderTimeout != ReplyTimeout {
		t.Error("a step of the transport is not bounded")
	}
	if 2*ConnectTimeout+ReplyTimeout >= SendDeadline {
		t.Error("the deadline cuts a step short")
	}
}
