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
// all of them. Clients together get the shares of tierShares.
type Limits struct {
	// Requests per second, and the burst.
	Requests      rate.Limit
	RequestsBurst int
	// Posts per second, and the burst. Posts also count as Requests.
	Posts      rate.Limit
	PostsBurst int
	// Clients is the number of clients, and of networks of each size, that the limiter
	// remembers. Beyond that, it forgets the one that was silent longest, which then
	// starts with full limits again.
	Clients int
}

// DefaultLimits returns limits that are enough for an office behind one address,
// with four requests per page. They make guessing pointless.
//
// All clients together cannot begin more buckets than Clients in the time in which the
// buckets of a silent client fill up. So no flood resets the limits of any client.
func DefaultLimits() Limits {
	return Limits{
		Requests: 10, RequestsBurst: 60,
		Posts: 1, PostsBurst: 20,
		Clients: 20_000,
	}
}

// tier is a set of requests that share limits.
type tier int

const (
	// tierAll is all requests without a reserve.
	tierAll tier = iota
	// tierSite is an IPv4 network of 24 bits or an IPv6 network of 48 bits: what a
	// provider gives a company.
	tierSite
	// tierHome is an IPv6 network of 56 bits: what a provider gives a home.
	tierHome
	// tierClient is one client.
	tierClient
	// tierReserve is all requests with a reserve.
	tierReserve
	// tierAccount is all browsers of one Account with a reserve.
	tierAccount
	tiers
)

// tierShares are the limits of the tiers, in multiples of the Limits of one client.
var tierShares = [tiers]struct{ rate, burst int }{
	tierAll: {50, 5}, tierSite: {4, 4}, tierHome: {2, 2}, tierClient: {1, 1},
	tierReserve: {50, 5}, tierAccount: {1, 1},
}

// limiter applies the Limits to each client, to its networks and to all clients.
type limiter struct {
	limits Limits
	clock  clock.PassiveClock

	mu     sync.Mutex
	groups [tiers]*lru.Cache
}

type buckets struct{ requests, posts *rate.Limiter }

func newLimiter(limits Limits, c clock.PassiveClock) *limiter {
	l := &limiter{limits: limits, clock: c}
	for t := range l.groups {
		l.groups[t] = lru.New(limits.Clients)
	}
	return l
}

// group is the part of a tier that a request belongs to.
type group struct {
	tier tier
	key  any
}

// groupsOf returns the groups of a client, the widest first.
func groupsOf(client netip.Addr) []group {
	all := []group{{tier: tierAll}}
	network := func(t tier, bits int) {
		if prefix, err := client.Prefix(bits); err == nil {
			all = append(all, group{t, prefix})
		}
	}
	switch {
	case client.Is4():
		network(tierSite, 24)
	case client.Is6():
		network(tierSite, 48)
		network(tierHome, 56)
	}
	return append(all, group{tierClient, client})
}

// admit returns how long the client has to wait; 0 admits the request. A refused
// request does not count, so every wait ends.
func (l *limiter) admit(client netip.Addr, post bool) time.Duration {
	return l.take(post, groupsOf(client)...)
}

// admitReserve does the same for a request with the reserve of an Account. It does not
// count for the client, so other clients cannot use it up.
func (l *limiter) admitReserve(account any, post bool) time.Duration {
	return l.take(post, group{tier: tierReserve}, group{tierAccount, account})
}

// take counts a request for all groups, or for none. The widest group comes first: a
// request that it refuses leaves no bucket for a narrower one. So a client that changes
// its address does not displace other clients.
func (l *limiter) take(post bool, groups ...group) time.Duration {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken []*rate.Reservation
	for _, g := range groups {
		b := l.bucketsOf(g)
		counted := []*rate.Limiter{b.requests}
		if post {
			counted = append(counted, b.posts)
		}
		for _, bucket := range counted {
			one := bucket.ReserveN(now, 1)
			taken = append(taken, one)
			if wait := one.DelayFrom(now); wait > 0 {
				for _, reservation := range taken {
					reservation.CancelAt(now)
				}
				return wait
			}
		}
	}
	return 0
}

func (l *limiter) bucketsOf(g group) buckets {
	remembered := l.groups[g.tier]
	if known, found := remembered.Get(g.key); found {
		return known.(buckets)
	}
	share := tierShares[g.tier]
	b := buckets{
		requests: rate.NewLimiter(l.limits.Requests*rate.Limit(share.rate), l.limits.RequestsBurst*share.burst),
		posts:    rate.NewLimiter(l.limits.Posts*rate.Limit(share.rate), l.limits.PostsBurst*share.burst),
	}
	remembered.Add(g.key, b)
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
