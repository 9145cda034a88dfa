// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// allowed is everything that the HTML of a mail can have. It has nothing that acts, loads or submits,
// and no style that puts one text over another. So a mail tells no server that it is read, and shows
// each link in its own place.
var allowed = allowList()

func allowList() *bluemonday.Policy {
	all := slices.Collect(maps.Keys(elements))
	p := bluemonday.NewPolicy().AllowElements(all...)
	p.AllowNoAttrs().OnElements(all...)
	p.AllowURLSchemes("https", "http", "mailto")
	p.AllowAttrs("href").OnElements("a")
	for name, shape := range elements {
		p.AllowAttrs("style").Matching(styles[shape]).OnElements(name)
	}
	p.AllowAttrs("class").Matching(bluemonday.SpaceSeparatedTokens).Globally()
	p.AllowAttrs("lang", "role").Matching(regexp.MustCompile(`^[-0-9A-Za-z]+$`)).Globally()
	p.AllowAttrs("dir").Matching(regexp.MustCompile(`^(auto|ltr|rtl)$`)).Globally()
	p.AllowAttrs("align", "valign").Matching(regexp.MustCompile(`(?i)^[a-z]+$`)).Globally()
	p.AllowAttrs("width", "border", "cellpadding", "cellspacing", "colspan", "rowspan").Matching(bluemonday.NumberOrPercent).Globally()
	p.AllowAttrs("bgcolor").Matching(regexp.MustCompile(`(?i)^` + color + `$`)).Globally()
	p.AllowAttrs("aria-label").OnElements("div")
	p.AllowAttrs("charset").Matching(regexp.MustCompile(`(?i)^utf-8$`)).OnElements("meta")
	p.AllowAttrs("name").Matching(regexp.MustCompile(`^(viewport|(supported-)?color-schemes?)$`)).OnElements("meta")
	p.AllowAttrs("content").OnElements("meta")
	return p
}

const (
	color  = `(?:#[0-9a-f]{3,8}|[a-z]+|(?:rgb|hsl)a?\([\d\s,.%]+\))`
	length = `(?:0|\d+(?:[.]\d+)?(?:px|pt|em|%))`
	side   = `(?:-(?:top|right|bottom|left))?`
	word   = `[-a-z0-9]+`
)

// declaration is a style that an element can have. Both parts are regular expressions.
type declaration struct{ property, value string }

// styles are the styles that an element can have, by its shape. No size makes a text invisible, no line
// is lower than its text, and no text leaves its place. A text can still have the colour of the page.
var styles = map[shape]*regexp.Regexp{
	inline: stylesOf(declaration{`display`, `(?:inline-)?block`}),
	block: stylesOf(declaration{`display`, `block`}, declaration{`border-collapse`, word},
		declaration{`(?:max-)?width`, `[1-9]\d{2,}px|\d+%`}),
	outside: stylesOf(),
}

func stylesOf(more ...declaration) *regexp.Regexp {
	var all []string
	for _, d := range append([]declaration{
		{`(?:background-|border` + side + `-)?color`, color},
		{`border` + side, `(?:(?:` + length + `|` + color + `)\s*)+`},
		{`(?:margin|padding)` + side, `(?:(?:auto|` + length + `)\s*)+`},
		{`border-radius|letter-spacing`, length},
		{`font-family`, `[-\w\s,'"]+`},
		{`font-size`, `(?:[89]|[1-9]\d)(?:[.]\d+)?px|(?:[6-9]|[1-9]\d)(?:[.]\d+)?pt`},
		{`line-height`, `normal|[1-4](?:[.]\d+)?|[1-9]\d(?:[.]\d+)?px`},
		{`color-scheme|font-(?:style|weight)|text-(?:align|decoration|transform)`, word + `(?:\s+` + word + `)*`},
		{`vertical-align|white-space|word-break|overflow-wrap|list-style-type`, word},
	}, more...) {
		all = append(all, fmt.Sprintf(`(?:%s)\s*:\s*(?:%s)`, d.property, d.value))
	}
	one := `\s*(?:` + strings.Join(all, "|") + `)\s*`
	return regexp.MustCompile(`(?i)^(?:` + one + `;)*(?:` + one + `)?\s*$`)
}

// clean returns the HTML as the library writes it: one notation, which all mail programs read alike. If
// the HTML has something that is not allowed, clean returns the first of it.
func clean(source string) (cleaned, reason string) {
	cleaned = allowed.Sanitize(source)
	kept := tags(cleaned)
	for i, tag := range tags(source) {
		if i >= len(kept) || kept[i].Type != tag.Type || kept[i].Data != tag.Data {
			return "", elementNotAllowed(tag.Data)
		}
		if reason := attributeNotAllowed(tag, kept[i].Attr); reason != "" {
			return "", reason
		}
	}
	if doctype.MatchString(source) { // the library removes it
		cleaned = "<!doctype html>" + cleaned
	}
	return cleaned, ""
}

var doctype = regexp.MustCompile(`(?i)^\s*<!doctype`)

// tags returns everything except text and document types, which act on nothing.
func tags(source string) []html.Token {
	var all []html.Token
	for z := html.NewTokenizer(strings.NewReader(source)); z.Next() != html.ErrorToken; {
		if t := z.Token(); t.Type != html.TextToken && t.Type != html.DoctypeToken {
			all = append(all, t)
		}
	}
	return all
}

func elementNotAllowed(name string) string {
	return fmt.Sprintf("an element <%s> is not allowed in a mail", excerpt(name))
}

func attributeNotAllowed(tag html.Token, kept []html.Attribute) string {
	for _, a := range tag.Attr {
		switch {
		case slices.Contains(kept, a):
		case tag.Data == "a" && a.Key == "href":
			return hrefNotAllowed(a.Val, kept)
		case a.Key == "style":
			return fmt.Sprintf("a style %q is not allowed in <%s>", excerpt(firstFault(a.Val, styles[elements[tag.Data]])), tag.Data)
		default:
			return fmt.Sprintf("an attribute %s=%q is not allowed in <%s>", excerpt(a.Key), excerpt(a.Val), tag.Data)
		}
	}
	return ""
}

func hrefNotAllowed(href string, kept []html.Attribute) string {
	for _, a := range kept {
		if a.Key == "href" {
			return fmt.Sprintf("write href=%q in place of href=%q", a.Val, excerpt(href))
		}
	}
	return fmt.Sprintf("href=%q is not allowed: it must begin with https://, http:// or mailto:", excerpt(href))
}

// firstFault returns the first declaration of a style that is not allowed.
func firstFault(style string, allowed *regexp.Regexp) string {
	for declaration := range strings.SplitSeq(style, ";") {
		if !allowed.MatchString(declaration) {
			return strings.TrimSpace(declaration)
		}
	}
	return style
}
