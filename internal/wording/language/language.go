// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package language owns the languages of Usher: which there are, which of them a reader prefers, the
// sentences of each and how each writes a date.
//
// The sentences are in the directory catalogue, in one file for each language and domain, such as
// mail.de.yaml and portal.de.yaml. A sentence has the same ID in every language, and the ID begins with
// its domain. Add a new sentence to all files of its domain. The tests refuse a language that lacks a
// sentence, has an additional one, or uses other values than English.
//
// The package knows neither mail nor web pages nor Kubernetes, and must not import any of them.
package language

import (
	"slices"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// Tag is a language, as its two-letter code (BCP 47). The zero value, and every Tag that is not in All,
// behaves as Default.
type Tag string

// Default is the language that is used if no other is requested.
const Default Tag = "en"

// longestHeader is the longest Accept-Language that is parsed, in bytes. Browsers send a tenth of it.
const longestHeader = 1000

var (
	tags = []Tag{Default, "it", "fr", "de", "es", "pt"}

	// matcher has the languages in the order of tags, so that its result is an index of tags.
	matcher = xlanguage.NewMatcher([]xlanguage.Tag{
		xlanguage.English, xlanguage.Italian, xlanguage.French, xlanguage.German, xlanguage.Spanish,
		xlanguage.EuropeanPortuguese,
	})
)

// All returns the languages, Default first.
func All() []Tag { return slices.Clone(tags) }

// Parse parses a language tag, such as "de". It ignores case and everything after the language: "de-AT"
// is "de". Unlike Match, it does not guess: "gsw" is not a language of Usher.
func Parse(s string) (Tag, bool) {
	base, _, _ := strings.Cut(s, "-")
	if t := Tag(strings.ToLower(base)); slices.Contains(tags, t) {
		return t, true
	}
	return "", false
}

// Match returns the language for a reader from an Accept-Language header (RFC 9110, section 12.5.4). It
// returns Default if the header is empty, cannot be parsed, or requests only languages that Usher does
// not have.
func Match(acceptLanguage string) Tag {
	if len(acceptLanguage) > longestHeader {
		return Default
	}
	wanted, _, err := xlanguage.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return Default
	}
	_, i, _ := matcher.Match(wanted...) // 0, which is Default, if nothing fits
	return tags[i]
}

// String returns the code of the language, as in the attribute lang of HTML.
func (t Tag) String() string {
	if slices.Contains(tags, t) {
		return string(t)
	}
	return string(Default)
}

// Name returns the name of the language in the language itself, such as "Italiano".
func (t Tag) Name() string { return t.usage().name }
