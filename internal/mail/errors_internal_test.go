// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestMask(t *testing.T) {
	t.Parallel()
	const secret = "open https://usher.example.org/i#c2VjcmV0LXNlY3JldA now"
	for name, c := range map[string]struct{ in, want string }{
		"nothing of the secret":     {"mailbox full", "mailbox full"},
		"all of it":                 {"bad URL <https://usher.example.org/i#c2VjcmV0LXNlY3JldA>", "bad URL <[hidden]>"},
		"the token alone":           {"x#c2VjcmV0LXNlY3JldAx", "x[hidden]x"},
		"a stretch too short":       {"usher.example", "usher.example"},
		"two stretches":             {"https://usher.example - c2VjcmV0LXNlY3JldA", "[hidden] - [hidden]"},
		"an empty text":             {"", ""},
		"letters of several bytes":  {"ü https://usher.example ü", "ü[hidden] ü"},
		"a stretch with its spaces": {" https://usher.example", "[hidden]"},
	} {
		if got := mask(c.in, 16, "other secret", secret); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := mask("the password is x", 0, ""); got != "the password is x" {
		t.Errorf("an empty password: got %q", got)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	op := func(err error) error {
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 40001}, Err: err}
	}
	for want, err := range map[string]error{
		"it closed the connection":         op(os.NewSyscallError("read", syscall.ECONNRESET)),
		"it closed the connection ":        io.EOF,
		"it did not answer in time":        op(os.ErrDeadlineExceeded),
		"it did not answer in time ":       context.DeadlineExceeded,
		"the send was called off":          fmt.Errorf("%w: %w", context.Canceled, op(os.ErrDeadlineExceeded)),
		"connection refused":               op(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"its host name cannot be resolved": op(&net.DNSError{Err: "no such host", Server: "10.0.0.10:53"}),
		"two lines of it":                  errors.New("two lines\r\n\tof it"),
	} {
		if got := describe(err); got != clean(want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	if got := shorten("äöü", 3); got != "äöü" {
		t.Errorf("got %q", got)
	}
	if got := shorten("äöüß", 3); got != "äö…" {
		t.Errorf("got %q", got)
	}
}
