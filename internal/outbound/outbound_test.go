// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net"
	"net/netip"
	"testing"
)

// registries lists the entries of IANA's special-purpose address registries.
var registries = []string{
	// https://www.iana.org/assignments/iana-ipv4-special-registry
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32",
	// https://www.iana.org/assignments/iana-ipv6-special-registry, without ::ffff:0:0/96 and 64:ff9b::/96
	"::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128",
	"2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28",
	"2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
	// multicast, and what IANA has withdrawn
	"224.0.0.0/4", "ff00::/8", "fec0::/10", "::/96",
}

func TestSpecialPurposeAddressesAreBlocked(t *testing.T) {
	t.Parallel()
	for _, raw := range registries {
		prefix := netip.MustParsePrefix(raw)
		for _, addr := range []netip.Addr{prefix.Addr(), last(prefix)} {
			if !Blocked(addr, nil) {
				t.Errorf("%s of %s is not blocked", addr, raw)
			}
			if addr.Is6() {
				continue
			}
			for form, embedded := range embeddings(addr) {
				if !Blocked(embedded, nil) {
					t.Errorf("%s, which is %s %s, is not blocked", embedded, addr, form)
				}
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		// The addresses just outside the blocks.
		"1.0.0.0": false, "9.255.255.255": false, "11.0.0.0": false, "100.63.255.255": false, "100.128.0.0": false,
		"126.255.255.255": false, "128.0.0.0": false, "169.253.255.255": false, "169.255.0.0": false, "172.15.255.255": false,
		"172.32.0.0": false, "191.255.255.255": false, "192.0.1.0": false, "192.0.3.0": false, "192.167.255.255": false,
		"192.169.0.0": false, "198.17.255.255": false, "198.20.0.0": false, "223.255.255.255": false,
		"2001:200::": false, "2001:db7:ffff::1": false, "2001:db9::": false, "2003::": false, "2620:4f:8001::": false,
		"3ffe:ffff::1": false, "2606:4700::1": false, "8.8.8.8": false, "::ffff:8.8.8.8": false, "64:ff9b::808:808": false,
		// Metadata services of clouds.
		"169.254.169.254": true, "192.0.0.192": true, "100.100.100.200": true, "168.63.129.16": true, "fd00:ec2::254": true,
		"fd20:ce::254": true, "fd00:c1::a9fe:a9fe": true, "fd00:42::42": true, "::ffff:168.63.129.16": true,
		"64:ff9b::a83f:8110": true, "168.63.129.15": false,
		// Private IPv4 addresses in IPv6 addresses.
		"::ffff:10.0.0.1": true, "::10.0.0.1": true, "64:ff9b::10.0.0.1": true, "64:ff9b::7f00:1": true,
		"64:ff9b:1::10.0.0.1": true, "2002:a00:1::1": true, "2002:7f00:1::": true, "2001:0:0:0:0:0:f5ff:fffe": true,
		// A zone changes nothing.
		"fe80::1%eth0": true, "::1%lo": true, "fd00::1%eth0": true, "64:ff9b::a00:1%eth0": true, "2606:4700::1%eth0": false,
		// Space that IANA has not allocated.
		"4000::1": true, "8000::1": true, "200::1": true,
	} {
		if got := Blocked(netip.MustParseAddr(addr), nil); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
	if !Blocked(netip.Addr{}, nil) {
		t.Error("no address at all is not blocked")
	}
}

func TestAPlatformAllowsNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr    string
		allowed []string
		want    bool
	}{
		{"10.20.30.40", []string{"10.20.30.0/24"}, false},
		{"10.20.31.1", []string{"10.20.30.0/24"}, true},
		{"127.0.0.1", []string{"10.0.0.0/8", "127.0.0.0/8"}, false},
		{"::1", []string{"127.0.0.0/8"}, true},
		{"::1", []string{"::1/128"}, false},
		{"fd12::1%eth0", []string{"fd12::/32"}, false},
		// An IPv4 address is the same in any form.
		{"::ffff:10.20.30.40", []string{"10.20.30.0/24"}, false},
		{"64:ff9b::a14:1e28", []string{"10.20.30.0/24"}, false},
		// An IPv6 network does not allow the IPv4 addresses in it.
		{"64:ff9b::a14:1e28", []string{"64:ff9b::/96"}, true},
		{"::ffff:10.20.30.40", []string{"::/0"}, true},
		// These forms of an IPv4 address stay blocked, whatever it is.
		{"64:ff9b:1::a14:1e28", []string{"64:ff9b:1::/48", "10.20.30.0/24"}, true},
		{"64:ff9b:1::a9fe:a9fe", []string{"64:ff9b:1::/48"}, true},
		{"64:ff9b:1:a9fe:a9:fe00::", []string{"64:ff9b:1::/48"}, true},
		{"2002:a14:1e28::1", []string{"2002::/16", "10.20.30.0/24"}, true},
		{"2002:808:808::1", []string{"2002::/16"}, true},
		{"2001::f5eb:e1d7", []string{"2001::/32", "10.20.30.0/24"}, true},
		{"2001::f7f7:f7f7", []string{"2001::/32"}, true},
		{"::169.254.169.254", []string{"::/0"}, true},
		{"::10.20.30.40", []string{"::/96", "10.20.30.0/24"}, true},
		// Link-local and metadata addresses, and multicast, stay blocked.
		{"169.254.169.254", []string{"169.254.0.0/16", "0.0.0.0/0"}, true},
		{"192.0.0.192", []string{"192.0.0.0/24"}, true},
		{"100.100.100.200", []string{"100.64.0.0/10"}, true},
		{"100.100.100.201", []string{"100.64.0.0/10"}, false},
		{"168.63.129.16", []string{"0.0.0.0/0"}, true},
		{"fd00:ec2::254", []string{"fc00::/7"}, true},
		{"fd20:ce::254", []string{"fc00::/7"}, true},
		{"fd00:c1::a9fe:a9fe", []string{"fd00:c1::/32"}, true},
		{"fd00:42::42", []string{"fd00:42::/32"}, true},
		{"fe80::1%eth0", []string{"fe80::/10", "::/0"}, true},
		{"0.0.0.0", []string{"0.0.0.0/0"}, true},
		{"::", []string{"::/0"}, true},
		{"ff02::1", []string{"::/0"}, true},
		{"224.0.0.1", []string{"0.0.0.0/0"}, true},
		{"255.255.255.255", []string{"0.0.0.0/0"}, true},
	} {
		allowed, err := ParseNetworks(c.allowed)
		if err != nil {
			t.Fatal(err)
		}
		if got := Blocked(netip.MustParseAddr(c.addr), allowed); got != c.want {
			t.Errorf("%s with %v allowed: got %t", c.addr, c.allowed, got)
		}
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"10.0.0.0/8":            "",
		"fd12::/32":             "",
		"10.0.0.1":              `"10.0.0.1" is not a network: write it like 10.20.30.0/24 or fd12::/32`,
		"chat.example.com":      `"chat.example.com" is not a network: write it like 10.20.30.0/24 or fd12::/32`,
		"fe80::1%eth0/64":       `"fe80::1%eth0/64" is not a network: write it like 10.20.30.0/24 or fd12::/32`,
		"10.20.30.40/24":        `"10.20.30.40/24" has an address in the network: write 10.20.30.0/24, or 10.20.30.40/32 for the address alone`,
		"fd12::1/32":            `"fd12::1/32" has an address in the network: write fd12::/32, or fd12::1/128 for the address alone`,
		"::ffff:10.0.0.0/104":   `"::ffff:10.0.0.0/104" is an IPv4 network in the form of IPv6: write it like 10.20.30.0/24`,
		"::ffff:10.20.30.0/120": `"::ffff:10.20.30.0/120" is an IPv4 network in the form of IPv6: write it like 10.20.30.0/24`,
	} {
		got := ""
		if _, err := ParseNetworks([]string{raw}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q", raw, got)
		}
	}
}

// The name localhost resolves to one or two addresses. The Dialer checks each of them.
func TestADialerChecksEachAddress(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"} {
		_, err := Dialer(nil)(t.Context(), "tcp", net.JoinHostPort(host, port))
		// The same error as for a name that does not exist.
		if err != ErrUnreachable { //nolint:errorlint // Nothing wraps it.
			t.Errorf("%s: got %v", host, err)
		}
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	conn, err := Dialer(loopback)(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// last returns the last address of a network.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// embeddings returns the IPv6 addresses that lead to an IPv4 address.
func embeddings(addr netip.Addr) map[string]netip.Addr {
	b := addr.As4()
	return map[string]netip.Addr{
		"as an IPv4-mapped address": netip.AddrFrom16(addr.As16()),
		"behind NAT64":              netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
		"behind a local NAT64":      netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 0, 1, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
		"behind 6to4":               netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3], 15: 1}),
		"behind Teredo":             netip.AddrFrom16([16]byte{0x20, 1, 12: ^b[0], 13: ^b[1], 14: ^b[2], 15: ^b[3]}),
	}
}
