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

// TestTheLimiterOfNetworks lets a client change its address with every form. It gets no more
// than the share of its network.
func TestTheLimiterOfNetworks(t *testing.T) {
	for name, tc := range map[string]struct {
		client func(i int) string
		// most is how many forms get through at once, in clients' bursts of 20.
		most int
	}{
		"one IPv4 address":            {func(int) string { return "198.51.100.7" }, 1},
		"one IPv6 network of 64 bits": {func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i) }, 1},
		"an IPv6 network of 56 bits":  {func(i int) string { return fmt.Sprintf("2001:db8:1:12%02x::%x", i%256, i) }, 2},
		"an IPv6 network of 48 bits":  {func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) }, 4},
		"an IPv4 network of 24 bits":  {func(i int) string { return fmt.Sprintf("198.51.100.%d", i%256) }, 4},
		"all of IPv6":                 {func(i int) string { return fmt.Sprintf("2001:db8:%x:1::1", i) }, 5},
		"all of IPv4":                 {func(i int) string { return fmt.Sprintf("10.%d.%d.1", i/256, i%256) }, 5},
		"no address":                  {func(int) string { return "" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimiter(DefaultLimits(), clocktesting.NewFakeClock(storetest.Start))
			admitted := 0
			for i := range 10_000 {
				r := newRequest("POST", "/sign-in", nil)
				r.RemoteAddr = tc.client(i)
				if l.admit(clientOf(r, nil), true) == 0 {
					admitted++
				}
			}
			if want := 20 * tc.most; admitted != want {
				t.Errorf("%d forms got through, want %d", admitted, want)
			}
			if wait := l.admitReserve("jane", true); wait != 0 {
				t.Errorf("a browser with a reserve waits %s", wait)
			}
		})
	}
}

// TestOneClientDoesNotUseUpTheLimitsOfOthers floods from one network of each size. The
// refused requests count nowhere, so a client elsewhere does not wait.
func TestOneClientDoesNotUseUpTheLimitsOfOthers(t *testing.T) {
	clock := clocktesting.NewFakeClock(storetest.Start)
	l := newLimiter(DefaultLimits(), clock)
	for range 60 {
		for i := range 1000 {
			l.admit(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::", i)), true)
			l.admit(netip.MustParseAddr("203.0.113.1"), true)
		}
		clock.Step(time.Second)
		for _, other := range []string{"2001:db8:2::", "198.51.100.1", "203.0.113.2"} {
			if wait := l.admit(netip.MustParseAddr(other), true); wait != 0 {
				t.Fatalf("%s waits %s", other, wait)
			}
		}
	}
}

// TestTheReserveOfOneAccount floods with the reserve of one Account, as the holder of one
// cookie can. Another Account still has its own.
func TestTheReserveOfOneAccount(t *testing.T) {
	l := newLimiter(DefaultLimits(), clocktesting.NewFakeClock(storetest.Start))
	admitted := 0
	for range 1000 {
		if l.admitReserve("mallory", true) == 0 {
			admitted++
		}
	}
	if admitted != 20 {
		t.Errorf("%d forms of one account got through, want 20", admitted)
	}
	if wait := l.admitReserve("jane", true); wait != 0 {
		t.Errorf("another account waits %s", wait)
	}
}

// TestAFloodResetsNoLimits floods from ever new addresses. Meanwhile a client that has used up
// its limits does not get them back early, although the memory is limited.
func TestAFloodResetsNoLimits(t *testing.T) {
	clock := clocktesting.NewFakeClock(storetest.Start)
	l := newLimiter(DefaultLimits(), clock)
	jane := netip.MustParseAddr("203.0.113.1")
	for range DefaultLimits().PostsBurst {
		l.admit(jane, true)
	}
	flood := 0
	for range 19 {
		for range 3000 {
			flood++
			l.admit(netip.AddrFrom4([4]byte{10, byte(flood >> 16), byte(flood >> 8), byte(flood)}), false)
			l.admit(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(flood >> 16), byte(flood >> 8), byte(flood)}), false)
		}
		clock.Step(time.Second)
	}
	known, found := l.groups[tierClient].Get(jane)
	if !found {
		t.Fatal("the limiter forgot a client before its limits were full again")
	}
	if left := known.(buckets).posts.TokensAt(clock.Now()); left > 19.5 {
		t.Errorf("the client has %v posts", left)
	}
	limits := DefaultLimits()
	fill := max(float64(limits.RequestsBurst)/float64(limits.Requests), float64(limits.PostsBurst)/float64(limits.Posts))
	share := tierShares[tierAll]
	if most := float64(share.burst*limits.RequestsBurst) + float64(share.rate)*float64(limits.Requests)*fill; most > float64(limits.Clients) {
		t.Errorf("%v clients can begin in %v seconds, but only %d are remembered", most, fill, limits.Clients)
	}
}

func TestLimiterForgetsTheLeastRecentClient(t *testing.T) {
	clock := clocktesting.NewFakeClock(storetest.Start)
	l := newLimiter(Limits{Requests: 1, RequestsBurst: 1, Posts: 1, PostsBurst: 1, Clients: 100}, clock)
	for i := range 1000 {
		l.admit(netip.MustParseAddr(fmt.Sprintf("10.1.%d.%d", i%250, i/250)), false)
		clock.Step(20 * time.Millisecond)
	}
	for tier := range l.groups {
		if got := l.groups[tier].Len(); got > 100 {
			t.Errorf("tier %d remembers %d groups, want 100 at most", tier, got)
		}
	}
	if _, found := l.groups[tierClient].Get(netip.MustParseAddr("10.1.249.3")); !found {
		t.Error("forgot the last client")
	}
	if _, found := l.groups[tierClient].Get(netip.MustParseAddr("10.1.0.0")); found {
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
