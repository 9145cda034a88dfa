// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// bare returns a typed code in its original form: without spaces and dashes, and with
// plain digits and letters instead of wide ones (NFKC).
func bare(typed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, norm.NFKC.String(typed))
}

// grouped puts a separator after every four characters of an ASCII text.
func grouped(text, separator string) string {
	var groups []string
	for group := range slices.Chunk([]byte(text), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, separator)
}
