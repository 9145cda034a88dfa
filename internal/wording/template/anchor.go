// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/wording/input"
)

// hiddenSpace matches white space that a mail program could hide, so that the text on both sides is one.
var hiddenSpace = regexp.MustCompile(`\s*\x00`)

// anchor returns why the text of an anchor deceives about where the anchor leads. A text that looks
// like an address must be the address. All other texts, such as "Join us", promise no address.
func (r *reading) anchor(href, shown string) string {
	if href == "" {
		return ""
	}
	for _, secret := range r.Secrets {
		if !slices.Contains(r.Links, secret) && strings.Contains(shown, r.values[secret]) {
			return fmt.Sprintf("{{.%s}} must not be in an <a>", secret)
		}
	}
	if strings.ContainsFunc(shown, input.ReversesText) {
		return "an <a> must not contain a character that reverses the order of letters"
	}
	for _, word := range r.addresses(shown) {
		if word == href {
			continue
		}
		for _, link := range r.Links {
			if word == r.values[link] {
				return fmt.Sprintf(`an <a> that shows {{.%s}} must have href="{{.%s}}"`, link, link)
			}
		}
		if withoutScheme(word) != withoutScheme(href) {
			return fmt.Sprintf("an <a> that shows %q must lead there, but leads to %q", excerpt(word), excerpt(href))
		}
	}
	return ""
}

// addresses returns the words of a text that look like an address, without the punctuation around them.
// The names in a message do not count, such as "Acme.example": cluster admins choose them, not the
// author of the template. The names of people never look like an address.
func (r *reading) addresses(text string) []string {
	text = hiddenSpace.ReplaceAllString(text, "")
	for _, name := range []string{"Organization", "Role"} {
		if value := r.values[name]; value != "" {
			text = strings.ReplaceAll(text, value, "x")
		}
	}
	var found []string
	for word := range strings.FieldsSeq(text) {
		if input.LooksLikeAddress(word) {
			found = append(found, strings.Trim(word, ".,;:!?()<>\"'"))
		}
	}
	return found
}

// withoutScheme returns an address as people write it.
func withoutScheme(address string) string {
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		address = strings.TrimPrefix(address, scheme)
	}
	return strings.ToLower(strings.TrimSuffix(address, "/"))
}

func hrefOf(n *html.Node) string {
	for _, a := range n.Attr {
		if a.Key == "href" {
			return a.Val
		}
	}
	return ""
}
