// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

var (
	// hrefBegins is the end of a text that a whole href can follow.
	hrefBegins = regexp.MustCompile(`(?i)\shref\s*=\s*(["'])$`)

	// tagBegins is how a tag, a comment or the type of the document begins.
	tagBegins = regexp.MustCompile(`(?i)^<(/?[a-z]|!--|!doctype)`)

	// tagSplit is a text that ends within the name of an element, so that nobody can tell which it is.
	tagSplit = regexp.MustCompile(`</?[0-9A-Za-z:-]*$`)

	// unwanted are elements that act by themselves or carry what stands in them elsewhere, which mail
	// programs drop at best, and those whose text may hold a "<" (see textFaults).
	unwanted = regexp.MustCompile(
		`(?i)<(script|iframe|frameset|frame|object|embed|applet|form|base|link|svg|math|title|textarea)\b`)
)

// textFaults finds what is not allowed in the text between actions, and says where in the text. For each
// "<" that begins no tag html/template looks at all that follows, so that it takes seconds for some
// 10000 of them.
func textFaults(text []byte, found func(at int, reason string)) {
	for _, element := range unwanted.FindAllSubmatchIndex(text, maxFaults) {
		found(element[0], fmt.Sprintf("an element <%s> is not allowed in a mail", text[element[2]:element[3]]))
	}
	if split := tagSplit.FindIndex(text); split != nil {
		found(split[0], "write the name of an element as a whole, without {{ within")
		text = text[:split[0]]
	}
	const doctype = "<!doctype"
	for at, c := range text {
		if c != '<' {
			continue
		}
		tag := tagBegins.Find(text[at:min(at+len(doctype), len(text))])
		if tag == nil || len(tag) == len(doctype) && at != bytes.IndexByte(text, '<') {
			found(at, "write &lt; for a < that begins no element")
			return
		}
	}
}

// htmlCheck looks where in the HTML the values stand, after html/template has found out: it puts the
// functions into each pipeline that make a value safe there, and these tell the places apart. Only two
// places are allowed. Whoever writes the wording is not always who may see a link, and in most other
// places a value could be carried to another server: as a part of an address of an image, say.
type htmlCheck struct {
	vocabulary
	source string
	faults []fault
}

const placesAllowed = "a value can stand between elements or be a whole href in quotes, nowhere else"

func (c *htmlCheck) fault(line int, reason string) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fault{line, reason})
	}
}

func (c *htmlCheck) list(list *parse.ListNode) {
	if list == nil {
		return
	}
	for i, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			c.value(n, textAt(list, i-1), textAt(list, i+1))
		case *parse.IfNode:
			c.list(n.List)
			c.list(n.ElseList)
		case *parse.WithNode:
			c.list(n.List)
			c.list(n.ElseList)
		}
	}
}

func (c *htmlCheck) value(n *parse.ActionNode, before, after string) {
	var escapers []string
	for _, cmd := range n.Pipe.Cmds[1:] {
		escapers = append(escapers, strings.TrimPrefix(cmd.String(), "_html_template_"))
	}
	switch strings.Join(escapers, " ") {
	case "htmlescaper":
	case "urlfilter urlnormalizer attrescaper":
		name, sole := soleField(n.Pipe)
		if quote := hrefBegins.FindStringSubmatch(before); quote == nil || !strings.HasPrefix(after, quote[1]) {
			c.fault(lineOf(c.source, n), placesAllowed)
		} else if !sole || !slices.Contains(c.links, name) {
			c.fault(lineOf(c.source, n), "this value is no address that a href can have")
		}
	default:
		c.fault(lineOf(c.source, n), placesAllowed)
	}
}

// textAt is the text of a node of a list; empty if it is anything else.
func textAt(list *parse.ListNode, i int) string {
	if i < 0 || i >= len(list.Nodes) {
		return ""
	}
	if n, ok := list.Nodes[i].(*parse.TextNode); ok {
		return string(n.Text)
	}
	return ""
}
