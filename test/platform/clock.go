// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// Clock is the machine's clock, which specs can put forward.
type Clock struct{ shift atomic.Int64 }

// Now returns the current time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

// Since returns the time that has passed since t.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// PutForward puts the clock forward for the rest of the spec.
func (c *Clock) PutForward(by time.Duration) {
	c.shift.Add(int64(by))
	DeferCleanup(func() { c.shift.Add(-int64(by)) })
}

var serial atomic.Int64

// Fresh returns a name that is unique in the process.
func Fresh(prefix string) string { return fmt.Sprintf("%s-%04d", prefix, serial.Add(1)) }

// Figure reports a measured number, so that it can be read after a run.
func Figure(name, format string, args ...any) {
	GinkgoHelper()
	AddReportEntry(name, ReportEntryVisibilityAlways, fmt.Sprintf(format, args...))
}
