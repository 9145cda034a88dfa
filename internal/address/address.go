// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package address holds the rules of mail addresses as text: which ones Usher accepts
// (CheckSyntax), when two are the same (Key, Same), and which domains an Organization
// accepts (Rules). It is pure: it imports neither a client nor net/http nor the API, and
// asks no DNS server.
package address

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Key returns the form in which addresses are compared: Usher treats two addresses as the
// same if their keys are equal. It is for comparison only; mail goes to the address as it
// was given.
//
// One key for two mailboxes would let the owner of one take the invitation of the other.
// So Key merges little, and only the following:
//
//   - The case of a letter, also in the local part, where RFC 5321 leaves it to the
//     server. People do not notice case, and no provider sells Jane and jane to two
//     people. Key uses Unicode's simple case folding, which maps one letter to one
//     letter: ß is not ss, and the dotless ı is not i.
//   - The ways to compose a letter (Unicode canonical equivalence, NFC, as RFC 6532
//     section 3.1 recommends): é in one character or in two.
//   - The ways to write a domain that are the same in DNS (IDNA 2008 with the mapping of
//     UTS #46, non-transitional). BÜCHER.example is xn--bcher-kva.example, but
//     faß.example is not fass.example.
//
// Key does not merge:
//
//   - characters that only look alike (Cyrillic а and Latin a)
//   - text that is the same only under NFKC
//   - tags after a plus sign
//   - dots that some providers ignore
//   - the domains of one provider
//
// Characters that would become a to z or 0 to 9 under NFKC or case folding (ａ, ſ, the
// Kelvin sign) do not get this far, because CheckSyntax refuses the address.
//
// Key accepts any text. A text that CheckSyntax refuses is the same only as itself, apart
// from the case of a to z.
func Key(email string) string {
	local, domain, err := split(email)
	if err != nil {
		return lowerASCII(email)
	}
	// Decompose first: İ has no lower-case letter of its own, but I with a dot has.
	return norm.NFC.String(strings.Map(fold, norm.NFD.String(local))) + "@" + domain
}

// Same reports whether two addresses have the same Key.
func Same(a, b string) bool { return Key(a) == Key(b) }

// Domain returns the domain of an address in ASCII (A-labels, RFC 5890) and lower case.
// It is empty if CheckSyntax refuses the address.
func Domain(email string) string {
	_, domain, err := split(email)
	if err != nil {
		return ""
	}
	return domain
}

// fold returns the same letter for all letters that differ only in case.
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

// lowerASCII leaves all other bytes alone, including bytes that are not valid UTF-8.
func lowerASCII(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
