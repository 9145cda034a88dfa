// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/usher-dev/usher/internal/sanitize"
)

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
		"the send was cancelled":           fmt.Errorf("%w: %w", context.Canceled, op(os.ErrDeadlineExceeded)),
		"connection refused":               op(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"its host name cannot be resolved": op(&net.DNSError{Err: "no such host", Server: "10.0.0.10:53"}),
		"two lines of it":                  errors.New("two lines\r\n\tof it"),
	} {
		if got := describe(err); got != sanitize.SingleLine(want) {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}
