// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"sync"
	"time"

	"github.com/usher-dev/usher/internal/invitation"
)

// mailings are when a process mailed invitations, by Organization and address.
// What Invitations say of themselves goes with them; this stays, as long as the
// process, so that a tool that makes them anew all the time does not have
// people mailed all the time.
type mailings struct {
	mu    sync.Mutex
	times map[string][]time.Time
}

// add notes a mailing, and forgets those that do not count any more.
func (m *mailings) add(key string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times == nil {
		m.times = map[string][]time.Time{}
	}
	for other, times := range m.times {
		kept := slices.DeleteFunc(times, func(t time.Time) bool { return at.Sub(t) >= invitation.MailingsWindow })
		if m.times[other] = kept; len(kept) == 0 {
			delete(m.times, other)
		}
	}
	m.times[key] = append(m.times[key], at)
}

// without are the mailings that are not among those that are known otherwise.
func (m *mailings) without(key string, known []time.Time) []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.times[key]), func(t time.Time) bool {
		return slices.ContainsFunc(known, t.Equal)
	})
}
