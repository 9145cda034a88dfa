// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package language owns the languages that Usher speaks: which there are, which of them somebody
// wants, the sentences of each and how each writes a date.
//
// The sentences are in the directory catalogue, one file a language and domain, such as mail.de.yaml
// and portal.de.yaml. A sentence has the same id in every language, and that begins with its domain. A
// new sentence goes into all files of its domain: the tests refuse a language that lacks one, has one
// too many, or fills in other values than English does.
//
// The package knows neither mail nor web pages nor Kubernetes: it must not import any of them.
package language

import (
	"slices"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// Tag is a language, by its code of two letters (BCP 47). The zero value, and every Tag that is not one
// of All, behaves as Default.
type Tag string

// Default is the language where nothing else is said.
const Default Tag = "en"

// longestHeader is how much of an Accept-Language is looked at, in bytes. Browsers send a tenth of it.
const longestHeader = 1000

var (
	tags = []Tag{Default, "it", "fr", "de", "es", "pt"}

	// matcher has the languages in the order of tags, whose index it answers with.
	matcher = xlanguage.NewMatcher([]xlanguage.Tag{
		xlanguage.English, xlanguage.Italian, xlanguage.French, xlanguage.German, xlanguage.Spanish,
		xlanguage.EuropeanPortuguese,
	})
)

// All lists the languages, Default first.
func All() []Tag { return slices.Clone(tags) }

// Parse reads a language tag, such as "de". Case does not matter, and neither does what follows the
// language: "de-AT" is "de". It does not guess, as Match does: "gsw" is not a language of Usher.
func Parse(s string) (Tag, bool) {
	base, _, _ := strings.Cut(s, "-")
	if t := Tag(strings.ToLower(base)); slices.Contains(tags, t) {
		return t, true
	}
	return "", false
}

// Match chooses the language for a reader from an Accept-Language header (RFC 9110, section 12.5.4). It
// is Default where the header is empty, cannot be read, or asks for nothing that Usher speaks.
func Match(acceptLanguage string) Tag {
	if len(acceptLanguage) > longestHeader {
		return Default
	}
	wanted, _, err := xlanguage.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return Default
	}
	_, i, _ := matcher.Match(wanted...) // 0, which is Default, where nothing fits
	return tags[i]
}

// String returns the code of the language, as the attribute lang of HTML takes it.
func (t Tag) String() string {
	if slices.Contains(tags, t) {
		return string(t)
	}
	return string(Default)
}

// Name returns the name of the language in the language itself, such as "Italiano".
func (t Tag) Name() string { return t.usage().name }
