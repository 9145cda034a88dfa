// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/usher-dev/usher/internal/wording/input"
)

// anchor is one <a> in the HTML of a mail.
type anchor struct {
	href       string
	begin, end int  // in the text that a person sees
	from, to   int  // in the whole text
	divided    bool // it has an element in it
}

// dots are the characters that stand between the parts of a host name (RFC 3490, section 3.1).
const dots = ".。．｡"

// anchorsDeceive returns why the text of an anchor deceives about where the anchor leads. A text that
// looks like an address must be the address. All other texts, such as "Join us", promise no address.
func (r *reading) anchorsDeceive() string {
	text, shown := r.text.String(), string(r.shown)
	for _, a := range r.anchors {
		if a.href == "" {
			continue
		}
		if r.reversed {
			return "HTML with an <a> must not contain a character that reverses the order of letters"
		}
		if reason := r.deceives(a, text[a.from:a.to], shown); reason != "" {
			return reason
		}
	}
	return ""
}

func (r *reading) deceives(a *anchor, text, all string) string {
	for _, secret := range r.Secrets {
		if !slices.Contains(r.Links, secret) && strings.Contains(text, r.values[secret]) {
			return fmt.Sprintf("{{.%s}} must not be in an <a>", secret)
		}
	}
	shown := all[a.begin:a.end]
	if reason := r.wordsDeceive(a.href, shown); reason != "" {
		return reason
	}
	if a.divided && r.separatesNames(shown) {
		return "an <a> with a dot or // in its text must have no element in it: put the other element around the <a>"
	}
	before, after := lastWord(all[:a.begin]), firstWord(all[a.end:])
	first, last := firstWord(shown), lastWord(shown)
	if first == shown { // one word has both edges
		return r.edgeDeceives(before, shown, after)
	}
	return cmp.Or(r.edgeDeceives(before, first, ""), r.edgeDeceives("", last, after))
}

// wordsDeceive compares the words of an anchor with its address.
func (r *reading) wordsDeceive(href, shown string) string {
	for whole := range strings.FieldsSeq(shown) {
		word := strings.TrimFunc(whole, isPunctuation)
		if sameAddress(whole, href) || sameAddress(word, href) || !input.LooksLikeAddress(r.withoutName(word)) {
			continue
		}
		for _, link := range r.Links {
			if word == r.values[link] {
				return fmt.Sprintf(`an <a> that shows {{.%s}} must have href="{{.%s}}"`, link, link)
			}
		}
		return fmt.Sprintf("an <a> that shows %q must lead there, but leads to %q", excerpt(word), excerpt(href))
	}
	return ""
}

// edgeDeceives finds a word that is only partly in its anchor, and could be an address. The punctuation
// of a sentence does not count, such as a comma after an anchor.
func (r *reading) edgeDeceives(before, within, after string) string {
	before, after = strings.TrimLeftFunc(before, isPunctuation), strings.TrimRightFunc(after, isPunctuation)
	word := before + within + after
	if within == "" || word == within || !r.separatesNames(word) {
		return ""
	}
	return fmt.Sprintf("%q is only partly in its <a>: put a space between the <a> and the text beside it", excerpt(word))
}

// separatesNames reports whether a text has a character that stands between the parts of an address. An
// author can hide or move elements, so the parts do not count.
func (r *reading) separatesNames(text string) bool {
	var words []string
	for word := range strings.FieldsSeq(text) {
		words = append(words, r.withoutName(word))
	}
	text = strings.TrimFunc(strings.Join(words, " "), isPunctuation)
	return strings.ContainsAny(text, dots) || strings.Contains(text, "//")
}

// withoutName returns a word without the name at its beginning. The names in a message do not count as
// addresses, such as "Acme.example": cluster admins choose them, not the author of the template. A
// suffix can follow, as in "Acme.example's". The names of people never look like an address.
func (r *reading) withoutName(word string) string {
	word = strings.TrimFunc(word, isPunctuation)
	for _, value := range []string{r.values["Organization"], r.values["Role"]} {
		for name := range strings.FieldsSeq(visible(value)) {
			suffix, found := strings.CutPrefix(word, strings.TrimFunc(name, isPunctuation))
			if found && (suffix == "" || strings.ContainsAny(suffix[:1], "-'") || strings.HasPrefix(suffix, "’")) {
				return "x" + suffix
			}
		}
	}
	return word
}

// isPunctuation reports whether a character around an address is no part of it.
func isPunctuation(r rune) bool {
	return strings.ContainsRune(".,;:!?…<>\"'", r) || unicode.In(r, unicode.Pi, unicode.Pf, unicode.Ps, unicode.Pe)
}

func sameAddress(word, href string) bool {
	return word == href || withoutScheme(word) == withoutScheme(href)
}

// withoutScheme returns an address as people write it.
func withoutScheme(address string) string {
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		address = strings.TrimPrefix(address, scheme)
	}
	return strings.ToLower(strings.TrimSuffix(address, "/"))
}

func firstWord(text string) string {
	if space := strings.IndexFunc(text, unicode.IsSpace); space >= 0 {
		return text[:space]
	}
	return text
}

func lastWord(text string) string {
	if space := strings.LastIndexFunc(text, unicode.IsSpace); space >= 0 {
		return strings.TrimLeftFunc(text[space:], unicode.IsSpace)
	}
	return text
}
