// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// bare is a code as it was made, whatever it was typed with: without spaces and
// dashes, and in plain digits and letters where a keyboard has wide ones (NFKC).
func bare(typed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, norm.NFKC.String(typed))
}

// grouped separates every four characters of an ASCII text from the next four.
func grouped(text, separator string) string {
	var groups []string
	for group := range slices.Chunk([]byte(text), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, separator)
}
