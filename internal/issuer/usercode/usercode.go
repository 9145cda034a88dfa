// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package usercode holds the form of user codes of the device flow (RFC 8628, section 6.1).
// It is pure.
//
// The issuer stores nothing before a person approves a code. So the code itself says from
// which network and when it was requested, and the page can show that. Of its 60 bits, one
// is the address family, 24 are the network, 4 the time, 27 are random, and 4 check for
// typing errors. A person types it as three groups of four characters.
//
// A code is no credential. Only the device code gives tokens, and only after a person who is
// signed in approved the user code. Two devices can have the same code, so an approval is for
// the first one that uses it, and the second one ends that sign-in.
//
// A person who guesses the code of another device signs that device in to their own account,
// so they gain nothing but the actions of its user (RFC 8628, section 5.1). For that they
// need the network and the minute of the request, the 27 random bits, and a form for each
// guess, which the portal limits. No failures are counted, because a guess that is wrong
// looks like the code of a device that has not asked yet.
package usercode

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"
)

// Life is how long a code can be used.
const Life = 10 * time.Minute

const (
	networkBits = 24
	slotBits    = 4
	randomBits  = 27
	checkBits   = 4
	// slot is the precision of the time in a code. A code knows its slot among 16.
	slot  = 2 * time.Minute
	slots = 1 << slotBits
)

// alphabet is that of Crockford's Base32: without the letters I, L, O and U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const size = 12

// Code is what a user code says.
type Code struct {
	// Network that the device is in. Only public addresses have one, of IPv6 those of
	// 2000::/3.
	Network netip.Prefix
	// slot of the time, modulo slots.
	slot uint64
	// random is derived from the device code.
	random uint64
}

// New returns the code of a device with that secret, address and time of the request.
func New(secret []byte, address netip.Addr, now time.Time) Code {
	sum := sha256.Sum256(secret)
	return Code{
		Network: networkOf(address.Unmap()), slot: slotOf(now),
		random: binary.BigEndian.Uint64(sum[:]) >> (64 - randomBits),
	}
}

func slotOf(t time.Time) uint64 {
	return uint64(t.Unix()/int64(slot/time.Second)) % slots //nolint:gosec // G115: no clock is before 1970.
}

// globalUnicast are the IPv6 addresses in use (RFC 4291, section 2.4).
var globalUnicast = netip.MustParsePrefix("2000::/3")

// shared are addresses that providers give many customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// networkOf returns the network of an address. Private and shared addresses have none: often
// they are those of a proxy, behind which everyone seems to be in one network.
func networkOf(address netip.Addr) netip.Prefix {
	if !address.IsGlobalUnicast() || address.IsPrivate() || shared.Contains(address) {
		return netip.Prefix{}
	}
	bits := networkBits
	if address.Is6() {
		if !globalUnicast.Contains(address) {
			return netip.Prefix{}
		}
		bits += globalUnicast.Bits()
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}

// bits returns the code as a number, without the check.
func (c Code) bits() uint64 {
	family, network := uint64(0), uint64(0)
	switch address := c.Network.Addr(); {
	case address.Is4():
		raw := address.As4()
		network = uint64(binary.BigEndian.Uint32(raw[:])) >> (32 - networkBits)
	case address.Is6():
		raw := address.As16()
		family, network = 1, binary.BigEndian.Uint64(raw[:])<<globalUnicast.Bits()>>(64-networkBits)
	}
	return ((family<<networkBits|network)<<slotBits|c.slot)<<randomBits | c.random
}

func check(bits uint64) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, bits))
	return uint64(sum[0]) >> (8 - checkBits)
}

// String returns the code as people read it, such as 1K7P-X2M9-QRT4.
func (c Code) String() string {
	bits := c.bits()<<checkBits | check(c.bits())
	text := make([]byte, size)
	for i := range text {
		text[size-1-i] = alphabet[bits%32]
		bits /= 32
	}
	return string(text[:4]) + "-" + string(text[4:8]) + "-" + string(text[8:])
}

// Parse reads a code as people type it: in any case, with any separators, and with the
// letters that look like digits. It reports whether the text is a code that can be used now.
func Parse(text string, now time.Time) (Code, bool) {
	var bits uint64
	count := 0
	for _, c := range strings.ToUpper(text) {
		switch c {
		case '-', ' ', '\t':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		digit := strings.IndexRune(alphabet, c)
		if digit < 0 || count == size {
			return Code{}, false
		}
		bits, count = bits*32+uint64(digit), count+1
	}
	if count != size || check(bits>>checkBits) != bits%(1<<checkBits) {
		return Code{}, false
	}
	bits >>= checkBits
	c := Code{random: bits % (1 << randomBits), slot: bits >> randomBits % slots}
	network := bits >> (randomBits + slotBits) % (1 << networkBits)
	if bits>>(randomBits+slotBits+networkBits) == 0 {
		if network != 0 {
			var raw [4]byte
			binary.BigEndian.PutUint32(raw[:], uint32(network)<<(32-networkBits))
			c.Network = netip.PrefixFrom(netip.AddrFrom4(raw), networkBits)
		}
	} else {
		var raw [16]byte
		prefix := uint64(1)<<61 | network<<(64-networkBits-globalUnicast.Bits())
		binary.BigEndian.PutUint64(raw[:], prefix)
		c.Network = netip.PrefixFrom(netip.AddrFrom16(raw), networkBits+globalUnicast.Bits())
	}
	age := (slotOf(now) - c.slot) % slots
	return c, age <= uint64(Life/slot)
}

// Contains reports whether an address is in the network of the device.
func (c Code) Contains(address netip.Addr) bool {
	return c.Network.IsValid() && c.Network.Contains(address.Unmap())
}
