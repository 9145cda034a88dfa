// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"errors"
	"net/netip"
	"syscall"
)

// errBlockedAddress is the error of a connection to an address that is not allowed.
var errBlockedAddress = errors.New("an address that Usher does not post to")

// blockedPrefixes are the addresses that a machine, a link or a cloud uses for itself.
var blockedPrefixes = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // this host (RFC 1122, section 3.2.1.3)
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local (RFC 3927); metadata of most clouds
	netip.MustParsePrefix("224.0.0.0/4"),        // multicast (RFC 5771)
	netip.MustParsePrefix("240.0.0.0/4"),        // reserved, and broadcast (RFC 1112, RFC 919)
	netip.MustParsePrefix("::/96"),              // unspecified, and IPv4-compatible (RFC 4291, section 2.5.5.1)
	netip.MustParsePrefix("fe80::/10"),          // link-local (RFC 4291, section 2.5.6)
	netip.MustParsePrefix("ff00::/8"),           // multicast (RFC 4291, section 2.7)
	netip.MustParsePrefix("fd00:ec2::/32"),      // metadata of AWS
	netip.MustParsePrefix("fd20:ce::254/128"),   // metadata of Google Cloud
	netip.MustParsePrefix("100.100.100.200/32"), // metadata of Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // the host of a machine in Azure
}

// nat64 addresses hold an IPv4 address in their last four bytes (RFC 6052, section 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func isBlocked(addr netip.Addr, allowLoopback bool) bool {
	addr = addr.WithZone("").Unmap()
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if addr.IsLoopback() {
		return !allowLoopback
	}
	for _, prefix := range blockedPrefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// control returns a function that checks the address of each connection after its name was resolved and
// before it is opened. So a name cannot resolve to one address for the check and to another one for the
// connection.
func control(allowLoopback bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil || isBlocked(target.Addr(), allowLoopback) {
			return errBlockedAddress
		}
		return nil
	}
}
