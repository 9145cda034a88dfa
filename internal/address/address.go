// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package address holds what Usher knows about mail addresses as text: which
// ones it takes (CheckSyntax), when two are the same (Key, Same), and which
// domains an Organization accepts (Rules). It is pure: it imports neither a
// client nor net/http nor the API, and asks no DNS server.
package address

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Key is the form in which addresses are compared: two addresses are the same
// to Usher if their keys are equal. It is for comparing only; mail goes to the
// address as it was given.
//
// One key for two mailboxes would let the owner of one take the invitation of
// the other. So little is merged, and all of it by name:
//
//   - The case of a letter, in the local part as well, where RFC 5321 leaves it
//     to the server: nobody sees it, and no provider sells Jane and jane to two
//     people. It is Unicode's simple case folding, of one letter to one letter:
//     ß is not ss, and the dotless ı is not i.
//   - The ways to compose a letter (Unicode canonical equivalence, NFC, as RFC
//     6532 section 3.1 recommends): é in one character or in two.
//   - The ways to write a domain that DNS holds to be the same (IDNA 2008 with
//     the mapping of UTS #46, non-transitional): BÜCHER.example is
//     xn--bcher-kva.example, but faß.example is not fass.example.
//
// Not merged: what only looks alike (Cyrillic а and Latin a), what is alike
// under NFKC only, tags after a plus sign, dots that some providers ignore, and
// the domains of one provider. Characters that would become a to z or 0 to 9
// under NFKC or case folding (ａ, ſ, the Kelvin sign) do not come this far:
// CheckSyntax refuses the address.
//
// Key takes any text. What CheckSyntax refuses is the same as nothing but
// itself, apart from the case of a to z.
func Key(email string) string {
	local, domain, err := split(email)
	if err != nil {
		return lowerASCII(email)
	}
	// Taken apart first: İ has no small letter of its own, but I with a dot has.
	return norm.NFC.String(strings.Map(fold, norm.NFD.String(local))) + "@" + domain
}

// Same tells whether two addresses have the same Key.
func Same(a, b string) bool { return Key(a) == Key(b) }

// Domain is the domain of an address in ASCII (A-labels, RFC 5890) and lower
// case. It is empty if CheckSyntax refuses the address.
func Domain(email string) string {
	_, domain, err := split(email)
	if err != nil {
		return ""
	}
	return domain
}

// fold gives one letter for all that differ in case only.
func fold(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		// The iota subscript is a mark whose capital is a letter: ᾳ is not αι.
		if unicode.IsLetter(other) {
			least = min(least, other)
		}
	}
	return unicode.ToLower(least)
}

// lowerASCII leaves all other bytes alone, also those that are no UTF-8.
func lowerASCII(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
