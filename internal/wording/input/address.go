// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package input

import "regexp"

// addressLike are the places where mail programs and telephones recognise an address and turn it into a
// link, in two halves. Dots of other scripts count as dots, and zero-width letters can stand between.
var addressLike = []*regexp.Regexp{
	regexp.MustCompile(`(:)(//)`),
	regexp.MustCompile(`(?i)(www\p{Cf}*[.．․﹒。｡])(\S)`),
	regexp.MustCompile(`([^\s\p{P}\p{Cf}]\p{Cf}*[.．․﹒])(\p{Cf}*\p{L}\p{Cf}*[-\p{L}\p{M}\p{N}])`),
	// In Chinese and Japanese, a letter often follows the full stop directly.
	regexp.MustCompile(`([-0-9A-Za-z]\p{Cf}*[。｡])(\p{Cf}*[0-9A-Za-z])`),
	regexp.MustCompile(`(\d[.])(\d+[.]\d+[.]\d)`),
}

// LooksLikeAddress reports whether a program could take a part of a text for a web or mail address.
func LooksLikeAddress(s string) bool { return BreakAddresses(s) != s }

// BreakAddresses puts a space into every string that programs could take for a web address. It changes
// nothing else.
func BreakAddresses(s string) string {
	for _, pattern := range addressLike {
		// Labels of a host name share letters, so one pass does not find them all.
		for pattern.MatchString(s) {
			s = pattern.ReplaceAllString(s, "$1 $2")
		}
	}
	return s
}

// ReversesText reports whether a character reverses the order of letters up to the end of the line.
// With such a character, a text reads differently from what it is (Unicode Standard Annex 9).
func ReversesText(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
