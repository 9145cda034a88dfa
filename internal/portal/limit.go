// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

// Limits say how much one client may ask for. A client is an IPv4 address, or
// the 64 bits of an IPv6 address that name a network: whoever has one address
// of it has them all.
type Limits struct {
	// Requests a second, and how many at once.
	Requests      rate.Limit
	RequestsBurst int
	// Posts a second, and how many at once. They count as Requests too.
	Posts      rate.Limit
	PostsBurst int
	// Clients is how many clients are remembered. Beyond, the one that has
	// been silent for longest is forgotten, and so starts anew.
	Clients int
}

// DefaultLimits leave room for an office behind one address, where a page
// takes four requests, and make guessing anything pointless.
func DefaultLimits() Limits {
	return Limits{
		Requests: 10, RequestsBurst: 60,
		Posts: 1, PostsBurst: 20,
		Clients: 20_000,
	}
}

// limiter holds each client to the Limits.
type limiter struct {
	limits Limits
	clock  clock.PassiveClock

	mu      sync.Mutex
	clients *lru.Cache
}

type buckets struct{ requests, posts *rate.Limiter }

func newLimiter(limits Limits, c clock.PassiveClock) *limiter {
	return &limiter{limits: limits, clock: c, clients: lru.New(limits.Clients)}
}

// admit tells how long the client has to wait; 0 means that it may go on. What
// is refused does not count, so that a wait always ends.
func (l *limiter) admit(client netip.Addr, post bool) time.Duration {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets(client)
	requests := b.requests.ReserveN(now, 1)
	if wait := requests.DelayFrom(now); wait > 0 || !post {
		if wait > 0 {
			requests.CancelAt(now)
		}
		return wait
	}
	posts := b.posts.ReserveN(now, 1)
	wait := posts.DelayFrom(now)
	if wait > 0 {
		posts.CancelAt(now)
		requests.CancelAt(now)
	}
	return wait
}

func (l *limiter) buckets(client netip.Addr) buckets {
	if known, found := l.clients.Get(client); found {
		return known.(buckets)
	}
	b := buckets{
		requests: rate.NewLimiter(l.limits.Requests, l.limits.RequestsBurst),
		posts:    rate.NewLimiter(l.limits.Posts, l.limits.PostsBurst),
	}
	l.clients.Add(client, b)
	return b
}

// clientOf tells who a request counts for. X-Forwarded-For is a claim of
// whoever sent it: it is read from the right, and only as far as each address
// is a proxy that is trusted to have looked at the next.
func clientOf(r *http.Request, trusted []netip.Prefix) netip.Addr {
	client := parseAddr(r.RemoteAddr)
	isTrusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !isTrusted(client) {
			break
		}
		addr := parseAddr(strings.TrimSpace(hop))
		if !addr.IsValid() {
			break
		}
		client = addr
	}
	if client.Is6() {
		if network, err := client.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return client
}

// parseAddr reads an address with or without a port, or returns the zero one.
func parseAddr(text string) netip.Addr {
	if pair, err := netip.ParseAddrPort(text); err == nil {
		return pair.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
