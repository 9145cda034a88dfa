// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package outbound decides which addresses Usher connects to if a tenant chose the server: the chat and
// the mail server of an Organization. By default, Usher connects only to addresses of the public
// internet. A platform can allow networks of its own.
//
// Use Dialer for each such connection, without a proxy. It checks the address after the name was
// resolved, and at each attempt. So a name cannot resolve to one address for the check and to another
// one for the connection.
//
// Servers that the platform chose, such as its own mail server, need no check.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// timeout bounds resolving the name and connecting.
const timeout = 10 * time.Second

// ErrUnreachable is the error of a connection to an address that is not allowed. It is also the error of
// a name without an address, and it wraps no cause. Otherwise a tenant could find out which names exist
// in the internal network.
var ErrUnreachable = errors.New("it has no address that Usher can connect to: " +
	"correct its name, or ask the platform's admin to allow its network (--allow-outbound)")

// A DialFunc opens a connection, like net.Dialer.DialContext.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns a function that connects to the public internet and to the allowed networks.
func Dialer(allowed []netip.Prefix) DialFunc {
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil || Blocked(target.Addr(), allowed) {
			return ErrUnreachable
		}
		return nil
	}}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		_, lookup := errors.AsType[*net.DNSError](err)
		// The name has only addresses of a family that this machine does not have.
		_, family := errors.AsType[*net.AddrError](err)
		if ctx.Err() == nil && (lookup || family || errors.Is(err, ErrUnreachable)) {
			return nil, ErrUnreachable
		}
		return conn, err
	}
}

// Blocked reports whether an address is neither of the public internet nor in an allowed network. An
// IPv4-mapped address and one behind NAT64 are blocked if the IPv4 address is. Other IPv6 addresses that
// contain an IPv4 address are always blocked.
func Blocked(addr netip.Addr, allowed []netip.Prefix) bool {
	addr = addr.WithZone("").Unmap()
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if !addr.IsValid() || within(addr, never) && !addr.IsLoopback() {
		return true
	}
	return special(addr) && !within(addr, allowed)
}

// special reports whether an address is outside the public internet.
func special(addr netip.Addr) bool {
	if addr.Is4() {
		return within(addr, special4)
	}
	return !global6.Contains(addr) || within(addr, special6)
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// ParseNetworks parses networks in CIDR notation. An error says what to write.
func ParseNetworks(raw []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(raw))
	for _, r := range raw {
		p, err := netip.ParsePrefix(r)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is not a network: write it like 10.20.30.0/24 or fd12::/32", r)
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("%q is an IPv4 network in the form of IPv6: write it like 10.20.30.0/24", r)
		case p != p.Masked():
			return nil, fmt.Errorf("%q has an address in the network: write %s, or %s for the address alone",
				r, p.Masked(), netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
		}
		networks = append(networks, p)
	}
	return networks, nil
}
