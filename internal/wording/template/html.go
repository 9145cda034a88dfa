// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

var (
	// hrefBegins matches the end of a text that a whole href can follow.
	hrefBegins = regexp.MustCompile(`(?i)\shref\s*=\s*(["'])$`)

	// tagBegins matches the beginning of a tag, a comment or a document type.
	tagBegins = regexp.MustCompile(`(?i)^<(/?[a-z]|!--|!doctype)`)

	// tagSplit matches a text that ends within the name of an element, so that the element is unknown.
	tagSplit = regexp.MustCompile(`</?[0-9A-Za-z:-]*$`)

	// anyTag matches the beginning of a tag, with the name of the element.
	anyTag = regexp.MustCompile(`</?([A-Za-z][^ \t\n\f\r/>]*)`)
)

// shape is how a text treats an element.
type shape int

const (
	inline  shape = iota + 1 // within a line
	block                    // separate from the text before, after and in it
	outside                  // of the text, or dropped if it stands in the wrong place
)

// elements are the elements that a mail can have. All others act by themselves, load something, move or
// hide their content, or contain text in which a "<" begins no tag. At best, mail programs drop them.
var elements = shapes(map[shape]string{
	inline: "a abbr acronym b bdi big cite code del dfn em font i ins kbd mark q s samp small span " +
		"strike strong sub sup time tt u var wbr",
	block: "address article aside blockquote br caption center dd div dl dt figcaption figure footer " +
		"h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table td th ul",
	outside: "body col colgroup head html meta tbody tfoot thead tr",
})

func shapes(names map[shape]string) map[string]shape {
	out := map[string]shape{}
	for shape, all := range names {
		for name := range strings.FieldsSeq(all) {
			out[name] = shape
		}
	}
	return out
}

// textFaults finds what is not allowed in the text between actions, and reports the position in the
// text. For each "<" that begins no tag, html/template scans all the text after it. With some 10000 of
// them this takes seconds.
func textFaults(text []byte, found func(at int, reason string)) {
	if split := tagSplit.FindIndex(text); split != nil {
		found(split[0], "write the name of an element as a whole, without {{ in it")
		text = text[:split[0]]
	}
	reported := map[string]bool{}
	for _, tag := range anyTag.FindAllSubmatchIndex(text, -1) {
		name := string(text[tag[2]:tag[3]])
		if _, known := elements[strings.ToLower(name)]; !known && !reported[name] && len(reported) < maxFaults {
			reported[name] = true
			found(tag[0], elementNotAllowed(name))
		}
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

// htmlCheck checks where in the HTML the values stand. It runs after html/template, which inserts
// functions into each pipeline to make its value safe there. These functions identify the place. Only
// two places are allowed. The author of the wording is not always allowed to see a link. In most other
// places, a value could be carried to another server, for example as a part of an image address.
type htmlCheck struct {
	Vocabulary
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
		if href := hrefBegins.FindStringSubmatch(before); href == nil || !strings.HasPrefix(after, href[1]) {
			c.fault(lineOf(c.source, n), placesAllowed)
		} else if !sole || !slices.Contains(c.Links, name) {
			c.fault(lineOf(c.source, n), "this value is not an address, so it cannot be a href")
		}
	default:
		c.fault(lineOf(c.source, n), placesAllowed)
	}
}

// textAt returns the text of a node of a list. It is empty if the node is not a text.
func textAt(list *parse.ListNode, i int) string {
	if i < 0 || i >= len(list.Nodes) {
		return ""
	}
	if n, ok := list.Nodes[i].(*parse.TextNode); ok {
		return string(n.Text)
	}
	return ""
}
