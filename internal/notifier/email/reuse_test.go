// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
)

func TestSendKeepsOneConnection(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	for i := range 100 {
		m := aMessage()
		m.ID = fmt.Sprintf("%d@usher.example.org", i)
		mustSend(t, s, m)
	}
	if got, n := len(ib.Messages()), ib.Connections(); got != 100 || n != 1 {
		t.Errorf("%d messages over %d connections, want 100 over 1", got, n)
	}
}

func TestSendKeepsAConnectionForEachWorker(t *testing.T) {
	t.Parallel()
	const workers, each = 4, 25
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				m := aMessage()
				m.ID = fmt.Sprintf("%d.%d@usher.example.org", w, i)
				if err := s.Send(t.Context(), m); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	ids := map[string]int{}
	for _, m := range ib.Messages() {
		ids[m.ID]++
	}
	if len(ids) != workers*each || len(ib.Messages()) != workers*each || ib.Connections() > workers {
		t.Errorf("%d of %d messages over %d connections", len(ids), len(ib.Messages()), ib.Connections())
	}
}

func TestSendLeavesAnOldConnection(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	s := sender(t, ib, func(cfg *email.Config) { cfg.Now = func() time.Time { return now } })
	mustSend(t, s, aMessage())
	now = now.Add(email.IdleTimeout - time.Second)
	mustSend(t, s, aMessage())
	if n := ib.Connections(); n != 1 {
		t.Errorf("%d connections before the idle time is over, want 1", n)
	}
	now = now.Add(email.IdleTimeout)
	mustSend(t, s, aMessage())
	s.Close()
	if n, quits := ib.Connections(), ib.Commands("QUIT"); n != 2 || quits != 2 {
		t.Errorf("%d connections and %d QUITs, want 2 and 2", n, quits)
	}
}

func TestSendLeavesNoConnectionBehind(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, func(cfg *email.Config) { cfg.IdleTimeout = 20 * time.Millisecond })
	mustSend(t, s, aMessage())
	waitClosed(t, ib)
	// The sender stays usable after that, and after Close.
	s.Close()
	mustSend(t, s, aMessage())
	waitClosed(t, ib)
	if quits := ib.Commands("QUIT"); quits != 2 {
		t.Errorf("%d QUITs, want 2", quits)
	}
}

func TestSendAfterCloseKeepsNothing(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	s.Close()
	mustSend(t, s, aMessage())
	waitClosed(t, ib)
}

func waitClosed(t *testing.T, ib *inbox.Inbox) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for ib.OpenConnections() > 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d connections are still open", ib.OpenConnections())
		}
	}
}
