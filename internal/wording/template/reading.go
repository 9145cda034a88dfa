// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/wording/input"
)

// reading walks through the HTML of a mail in the way that mail programs read it.
type reading struct {
	Vocabulary
	values map[string]string
	text   strings.Builder // with a line break at each edge of a block
	reason string

	// shown is the text as a person sees it: without characters that are invisible or too narrow for a
	// space, and without white space that a mail program could hide.
	shown    []byte
	anchors  []*anchor
	reversed bool // a character reverses the order of letters

	inLine  bool   // the element is in one with display:inline-block
	small   string // the element around it with small text
	heading string // the heading around it
}

func (r *reading) node(n *html.Node) {
	if n.Type == html.ElementNode {
		r.element(n)
		return
	}
	if n.Type == html.TextNode {
		r.text.WriteString(n.Data)
		r.shown = append(r.shown, visible(n.Data)...)
		r.reversed = r.reversed || strings.ContainsFunc(n.Data, input.ReversesText)
	}
	r.children(n)
}

func (r *reading) children(n *html.Node) {
	for child := range n.ChildNodes() {
		r.node(child)
	}
}

func (r *reading) element(n *html.Node) {
	inLine, small, heading := r.inLine, r.small, r.heading
	defer func() { r.inLine, r.small, r.heading = inLine, small, heading }()
	r.place(n)
	if elements[n.Data] == block {
		r.edge()
		r.children(n)
		r.edge()
		return
	}
	var a *anchor
	if n.Data == "a" {
		a = &anchor{href: attributeOf(n, "href"), begin: len(r.shown), from: r.text.Len(), divided: isDivided(n)}
		r.anchors = append(r.anchors, a)
	}
	r.children(n)
	if a != nil {
		a.end, a.to = len(r.shown), r.text.Len()
	}
	if text := r.text.String(); n.FirstChild != nil && elements[n.Data] == inline && text != "" && separates(text[len(text)-1]) {
		// There are many ways to hide an element together with the white space at its end.
		r.text.WriteByte(0)
		r.hideSpace()
	}
}

// edge is the edge of a block.
func (r *reading) edge() {
	r.text.WriteByte('\n')
	r.shown = append(r.shown, '\n')
}

// hideSpace removes the white space at the end of the text so far.
func (r *reading) hideSpace() {
	r.shown = bytes.TrimRightFunc(r.shown, unicode.IsSpace)
	for _, a := range r.anchors {
		a.begin, a.end = min(a.begin, len(r.shown)), min(a.end, len(r.shown))
	}
}

// place finds elements whose text is too small to be seen, or is shown in another line than it is read.
func (r *reading) place(n *html.Node) {
	outer := &r.small
	switch n.Data {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		outer = &r.heading
		fallthrough
	case "small", "sub", "sup":
		if *outer != "" {
			r.fault("an element <%s> must not be in an element <%s>: its text would be too small", n.Data, *outer)
		}
		*outer = n.Data
	}
	if r.inLine && elements[n.Data] == block {
		r.fault("an element <%s> must not be in an element with display:inline-block", n.Data)
	}
	r.inLine = r.inLine || strings.Contains(strings.ToLower(attributeOf(n, "style")), "inline-block")
}

// fault keeps the first fault.
func (r *reading) fault(format string, args ...any) {
	r.reason = cmp.Or(r.reason, fmt.Sprintf(format, args...))
}

// isDivided reports whether an anchor has an element in it, and so can show its parts differently.
func isDivided(a *html.Node) bool {
	return slices.ContainsFunc(slices.Collect(a.ChildNodes()), func(child *html.Node) bool {
		return child.Type == html.ElementNode && child.Data != "br"
	})
}

func attributeOf(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// lookAlikes are the characters that look like those between the parts of an address (Unicode Technical
// Standard 39).
var lookAlikes = strings.NewReplacer(
	"\u0660", ".", "\u06f0", ".", "\u0701", ".", "\u0702", ".", "\u2024", ".", "\ua4f8", ".", "\ua60e", ".",
	"\ufe52", ".", "\uff0e", ".", "\U00010a50", ".", "\U0001d16d", ".",
	"\u02d0", ":", "\u02f8", ":", "\u0589", ":", "\u05c3", ":", "\u0703", ":", "\u0704", ":", "\u16ec", ":",
	"\u205a", ":", "\u2236", ":", "\ua4fd", ":", "\ua789", ":", "\ufe30", ":", "\ufe55", ":", "\uff1a", ":",
	"\u1735", "/", "\u2041", "/", "\u2044", "/", "\u2215", "/", "\u2571", "/", "\u27cb", "/", "\u29f8", "/", "\uff0f", "/",
)

// visible returns a text without the characters that a person does not see. Spaces count as invisible if
// they can be so narrow that two words look like one.
func visible(text string) string {
	return lookAlikes.Replace(strings.Map(func(r rune) rune {
		isNarrow := r >= '\u2000' && r <= '\u200a' || r == '\u202f' || r == '\u205f'
		if isNarrow || unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return r
	}, text))
}
