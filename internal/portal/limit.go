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

// Limits are the rate limits of one client. A client is an IPv4 address or an
// IPv6 network of 64 bits. A client that has one address of such a network has
// all of them.
type Limits struct {
	// Requests per second, and the burst.
	Requests      rate.Limit
	RequestsBurst int
	// Posts per second, and the burst. Posts also count as Requests.
	Posts      rate.Limit
	PostsBurst int
	// Clients is the number of clients that the limiter remembers. Beyond that, it
	// forgets the client that was silent longest, which then starts with full limits again.
	Clients int
}

// DefaultLimits returns limits that are enough for an office behind one address,
// with four requests per page. They make guessing pointless.
func DefaultLimits() Limits {
	return Limits{
		Requests: 10, RequestsBurst: 60,
		Posts: 1, PostsBurst: 20,
		Clients: 20_000,
	}
}

// limiter applies the Limits to each client.
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

// admit returns how long the client has to wait; 0 admits the request. A refused
// request does not count, so every wait ends.
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

// clientOf returns the client that a request counts for. X-Forwarded-For is only
// a claim of its sender. It is read from the right, and an address is used only
// if the proxy that reported it is trusted.
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

// parseAddr parses an address with or without a port. It returns the zero address
// if text is invalid.
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
