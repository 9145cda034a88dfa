// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"net/netip"
	"slices"
)

// metadata are the networks in which a cloud has its metadata service, which gives credentials to its
// clients. The NetworkPolicy of the controller (config/network) excepts the same networks.
var metadata = prefixes(
	"169.254.0.0/16",         // link-local (RFC 3927); metadata of most clouds
	"fe80::/10",              // link-local (RFC 4291, section 2.5.6)
	"192.0.0.192/32",         // metadata of Oracle Cloud
	"100.100.100.200/32",     // metadata of Alibaba Cloud
	"168.63.129.16/32",       // the host of a machine in Azure; a public address
	"fd00:ec2::/32",          // metadata of AWS
	"fd20:ce::254/128",       // metadata of Google Cloud
	"fd00:c1::a9fe:a9fe/128", // metadata of Oracle Cloud
	"fd00:42::42/128",        // metadata of Scaleway
)

// never are networks that a platform cannot allow. They lead to a metadata service, to the machine
// itself or to its link. Others contain IPv4 addresses in a form that Usher does not check.
var never = slices.Concat(metadata, prefixes(
	"0.0.0.0/8",          // this network, and this machine (RFC 791, section 3.2; RFC 1122, section 3.2.1.3)
	"224.0.0.0/4",        // multicast (RFC 5771)
	"ff00::/8",           // multicast (RFC 4291, section 2.7)
	"255.255.255.255/32", // broadcast (RFC 919, section 7; RFC 8190)
	"::/96",              // this machine, and IPv4-compatible, deprecated (RFC 4291, section 2.5.5.1); ::1 can be allowed
	"64:ff9b:1::/48",     // local NAT64 (RFC 8215); the place of the IPv4 address depends on the network
	"2001::/32",          // Teredo (RFC 4380; RFC 8190)
	"2002::/16",          // 6to4 (RFC 3056)
))

// special4 are the other entries of IANA's registry of special-purpose IPv4 addresses. Some are globally
// reachable, but no chat and no mail server has such an address.
// https://www.iana.org/assignments/iana-ipv4-special-registry
var special4 = prefixes(
	"10.0.0.0/8",      // private use (RFC 1918)
	"100.64.0.0/10",   // shared address space (RFC 6598)
	"127.0.0.0/8",     // loopback (RFC 1122, section 3.2.1.3)
	"172.16.0.0/12",   // private use (RFC 1918)
	"192.0.0.0/24",    // IETF protocol assignments (RFC 6890, section 2.1), with the next six
	"192.0.0.0/29",    // IPv4 service continuity (RFC 7335)
	"192.0.0.8/32",    // dummy address (RFC 7600)
	"192.0.0.9/32",    // port control protocol anycast (RFC 7723)
	"192.0.0.10/32",   // TURN anycast (RFC 8155)
	"192.0.0.170/32",  // discovery of NAT64 and DNS64 (RFC 8880; RFC 7050, section 2.2)
	"192.0.0.171/32",  // discovery of NAT64 and DNS64 (RFC 8880; RFC 7050, section 2.2)
	"192.0.2.0/24",    // documentation (RFC 5737)
	"192.31.196.0/24", // AS112 (RFC 7535)
	"192.52.193.0/24", // automatic multicast tunneling (RFC 7450)
	"192.88.99.0/24",  // 6to4 relay anycast, deprecated (RFC 7526)
	"192.88.99.2/32",  // 6a44 relay anycast (RFC 6751)
	"192.168.0.0/16",  // private use (RFC 1918)
	"192.175.48.0/24", // AS112 direct delegation (RFC 7534)
	"198.18.0.0/15",   // benchmarking (RFC 2544)
	"198.51.100.0/24", // documentation (RFC 5737)
	"203.0.113.0/24",  // documentation (RFC 5737)
	"240.0.0.0/4",     // reserved (RFC 1112, section 4)
)

// global6 is the only part of the IPv6 address space that IANA allocates to the public internet (RFC
// 3513, section 4). Outside it are 64:ff9b::/96, which has a check of its own, and:
//
//	::1/128            loopback (RFC 4291, section 2.5.3)
//	::ffff:0:0/96      IPv4-mapped (RFC 4291, section 2.5.5.2), checked as IPv4
//	100::/64           discard only (RFC 6666)
//	100:0:0:1::/64     dummy prefix (RFC 9780)
//	5f00::/16          segment routing (RFC 9602)
//	fc00::/7           unique local (RFC 4193)
//	fec0::/10          site-local, deprecated (RFC 3879)
var global6 = netip.MustParsePrefix("2000::/3")

// special6 are the entries of IANA's registry of special-purpose IPv6 addresses within global6.
// https://www.iana.org/assignments/iana-ipv6-special-registry
var special6 = prefixes(
	"2001::/23",         // IETF protocol assignments (RFC 2928), with the next nine
	"2001:1::1/128",     // port control protocol anycast (RFC 7723)
	"2001:1::2/128",     // TURN anycast (RFC 8155)
	"2001:1::3/128",     // service registration anycast (RFC 9665)
	"2001:2::/48",       // benchmarking (RFC 5180)
	"2001:3::/32",       // automatic multicast tunneling (RFC 7450)
	"2001:4:112::/48",   // AS112 (RFC 7535)
	"2001:10::/28",      // ORCHID, deprecated (RFC 4843)
	"2001:20::/28",      // ORCHIDv2 (RFC 7343)
	"2001:30::/28",      // drone remote identification (RFC 9374)
	"2001:db8::/32",     // documentation (RFC 3849)
	"2620:4f:8000::/48", // AS112 direct delegation (RFC 7534)
	"3fff::/20",         // documentation (RFC 9637)
)

// nat64 addresses end in an IPv4 address (RFC 6052, section 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(raw ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(raw))
	for i, r := range raw {
		parsed[i] = netip.MustParsePrefix(r)
	}
	return parsed
}
