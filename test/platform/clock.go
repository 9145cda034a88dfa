// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// Clock is the machine's clock, put forward by as much as a spec likes.
type Clock struct{ shift atomic.Int64 }

// Now tells the time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

// Since tells how long ago something was.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// PutForward puts the clock forward for the rest of the spec.
func (c *Clock) PutForward(by time.Duration) {
	c.shift.Add(int64(by))
	DeferCleanup(func() { c.shift.Add(-int64(by)) })
}

var serial atomic.Int64

// Fresh is a name that nobody else in the process has.
func Fresh(prefix string) string { return fmt.Sprintf("%s-%04d", prefix, serial.Add(1)) }

// Figure reports a measured number, so that it can be read after a run.
func Figure(name, format string, args ...any) {
	GinkgoHelper()
	AddReportEntry(name, ReportEntryVisibilityAlways, fmt.Sprintf(format, args...))
}
