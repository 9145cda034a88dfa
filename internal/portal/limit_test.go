// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func TestLimiter(t *testing.T) {
	clock := clocktesting.NewFakeClock(storetest.Start)
	l := newLimiter(Limits{Requests: 2, RequestsBurst: 4, Posts: 1, PostsBurst: 2, Clients: 10}, clock)
	jane, john := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	expectWait := func(client netip.Addr, post bool, want time.Duration) {
		t.Helper()
		if got := l.admit(client, post); got != want {
			t.Errorf("wait %v, want %v", got, want)
		}
	}
	expectWait(jane, true, 0)
	expectWait(jane, true, 0)
	// A refused request costs nothing: two requests are still left.
	for range 3 {
		expectWait(jane, true, time.Second)
	}
	expectWait(jane, false, 0)
	expectWait(jane, false, 0)
	expectWait(jane, false, 500*time.Millisecond)
	expectWait(john, false, 0)
	clock.Step(500 * time.Millisecond)
	expectWait(jane, false, 0)
	expectWait(jane, false, 500*time.Millisecond)
	clock.Step(500 * time.Millisecond)
	expectWait(jane, true, 0)
	clock.Step(time.Hour)
	for range 4 {
		expectWait(jane, false, 0)
	}
	expectWait(jane, false, 500*time.Millisecond)
}

func TestLimiterForgetsTheLeastRecentClient(t *testing.T) {
	l := newLimiter(Limits{Requests: 1, RequestsBurst: 1, Posts: 1, PostsBurst: 1, Clients: 100}, clocktesting.NewFakeClock(storetest.Start))
	for i := range 10_000 {
		l.admit(netip.MustParseAddr(fmt.Sprintf("10.1.%d.%d", i/250, i%250)), false)
	}
	if got := l.clients.Len(); got != 100 {
		t.Errorf("remembers %d clients, want 100", got)
	}
	if wait := l.admit(netip.MustParseAddr("10.1.39.249"), false); wait == 0 {
		t.Error("forgot the last client")
	}
	if wait := l.admit(netip.MustParseAddr("10.1.0.0"), false); wait != 0 {
		t.Error("still remembers the first client")
	}
}

func TestClientOf(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tc := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                               {"203.0.113.1:4711", nil, "203.0.113.1"},
		"an untrusted client's claim is ignored": {"203.0.113.1:4711", []string{"198.51.100.1"}, "203.0.113.1"},
		"a trusted proxy's claim counts":         {"10.0.0.1:4711", []string{"203.0.113.1"}, "203.0.113.1"},
		"only what the proxy itself saw":         {"10.0.0.1:4711", []string{"198.51.100.1, 203.0.113.1"}, "203.0.113.1"},
		"through several proxies":                {"10.0.0.1:4711", []string{"198.51.100.1, 203.0.113.1, 10.0.0.3", "10.0.0.2"}, "203.0.113.1"},
		"a proxy asks for itself":                {"10.0.0.1:4711", nil, "10.0.0.1"},
		"only proxies":                           {"10.0.0.1:4711", []string{"10.0.0.2"}, "10.0.0.2"},
		"an invalid address ends the search":     {"10.0.0.1:4711", []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		"with ports":                             {"10.0.0.1:4711", []string{"203.0.113.1:99"}, "203.0.113.1"},
		"IPv6 counts by network":                 {"[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1:2::"},
		"the same network":                       {"[2001:db8:1:2:ffff::1]:4711", nil, "2001:db8:1:2::"},
		"IPv6 through a proxy":                   {"[fd00::1]:4711", []string{"[2001:db8:1:2::9]:1"}, "2001:db8:1:2::"},
		"IPv4 in IPv6 is IPv4":                   {"[::ffff:10.0.0.1]:4711", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		"a zone does not create a new client":    {"[fe80::1%eth0]:4711", nil, "fe80::"},
		"all invalid addresses are one client":   {"@", nil, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest("GET", "/", nil)
			r.RemoteAddr = tc.peer
			for _, value := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", value)
			}
			if got := clientOf(r, trusted).String(); got != tc.want {
				t.Errorf("clientOf = %s, want %s", got, tc.want)
			}
		})
	}
}
