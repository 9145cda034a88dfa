// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"fmt"
	"slices"
	"text/template/parse"
)

// endings are what a text can end with, over all the ways through the branches so far, but for the
// edges: the start, white space, and the edge of a block.
type endings uint8

const (
	inWord      endings = 1 << iota // what follows is read together with it
	afterSecret                     // what follows is read together with a secret
)

// asideCheck finds secrets that run together with what stands beside them. Mail programs look for
// addresses in a text and make them links: in "https://evil.example/?u={{.Link}}" the link is a part of
// another address, and one click gives it away. It follows all branches at once. A value is never an
// edge, whatever it may be, and nor is an entity such as &nbsp; where one program ends an address,
// another goes on.
type asideCheck struct {
	Vocabulary
	file, source string
	faults       []fault

	ends   endings
	secret parse.Node // the last one
	told   parse.Node // the last one that a fault was found with
	place  place
}

// place is where the HTML is at; in plain text it is always the zero value. That all branches end in
// the same place is seen to by html/template.
type place struct {
	tag   bool
	quote byte // of the attribute's value; 0 outside of one
	style bool // in the style sheet, or in the tag that begins it
}

func asideFaults(v Vocabulary, file, source string, tree *parse.Tree) []fault {
	check := asideCheck{Vocabulary: v, file: file, source: source}
	check.list(tree.Root, false)
	return check.faults
}

// list goes through a list in which the dot is a secret, or is not.
func (c *asideCheck) list(list *parse.ListNode, dot bool) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			c.text(n.Text)
		case *parse.ActionNode:
			c.value(n, dot)
		case *parse.IfNode:
			c.branches(&n.BranchNode, dot, dot)
		case *parse.WithNode:
			c.branches(&n.BranchNode, c.tells(n.Pipe, dot), dot)
		}
	}
}

func (c *asideCheck) branches(n *parse.BranchNode, dot, elseDot bool) {
	ends, place := c.ends, c.place
	c.list(n.List, dot)
	then := c.ends
	c.ends, c.place = ends, place
	c.list(n.ElseList, elseDot)
	c.ends |= then
}

func (c *asideCheck) value(n *parse.ActionNode, dot bool) {
	if c.place != (place{}) { // a href
		return
	}
	if !c.tells(n.Pipe, dot) {
		c.word()
		return
	}
	if c.ends != 0 {
		c.fault(n)
	}
	c.ends, c.secret = afterSecret, n
}

// tells whether a pipe can come out as a secret.
func (c *asideCheck) tells(p *parse.PipeNode, dot bool) bool {
	args := p.Cmds[0].Args // the others are what html/template makes values safe with
	if function, ok := args[0].(*parse.IdentifierNode); ok && function.Ident != "and" && function.Ident != "or" {
		return false
	}
	return slices.ContainsFunc(args, func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.FieldNode:
			return slices.Contains(c.Secrets, n.Ident[0])
		case *parse.VariableNode:
			return slices.Contains(c.Secrets, n.Ident[1])
		case *parse.DotNode:
			return dot
		case *parse.PipeNode:
			return c.tells(n, dot)
		}
		return false
	})
}

// word is anything that a secret must not touch.
func (c *asideCheck) word() {
	if c.ends&afterSecret != 0 {
		c.fault(c.secret)
	}
	c.ends = inWord
}

func (c *asideCheck) text(text []byte) {
	for i, b := range text {
		switch {
		case c.place.tag:
			c.inTag(b)
		case c.place.style && !isEndOfStyle(text[i:]):
		case c.file == fileHTML && b == '<':
			name := tagName(text[i:])
			if elements[name] == block {
				c.ends = 0
			}
			// All other tags are as if they were not there.
			c.place = place{tag: true, style: name == "style" && text[i+1] != '/'}
		case separates(b):
			c.ends = 0
		default:
			c.word()
		}
	}
}

func (c *asideCheck) inTag(b byte) {
	switch {
	case c.place.quote == b:
		c.place.quote = 0
	case c.place.quote != 0:
	case b == '"' || b == '\'':
		c.place.quote = b
	case b == '>':
		c.place.tag = false
	}
}

// separates tells whether an address ends at a character in every mail program. Where the mail is
// written, a carriage return becomes a line break.
func separates(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// tagName is the name of the element whose tag a text begins with, in lower case.
func tagName(text []byte) string {
	name := bytes.TrimPrefix(text[1:], []byte("/"))
	if end := bytes.IndexAny(name, " \t\n\f\r/>"); end >= 0 {
		name = name[:end]
	}
	return string(bytes.ToLower(name))
}

func isEndOfStyle(text []byte) bool {
	return bytes.HasPrefix(text, []byte("</")) && tagName(text) == "style"
}

// fault tells once of each secret.
func (c *asideCheck) fault(secret parse.Node) {
	if secret == c.told || len(c.faults) >= maxFaults {
		return
	}
	c.told = secret
	c.faults = append(c.faults, fault{lineOf(c.source, secret), mustStandAlone(c.Vocabulary, c.file)})
}

func mustStandAlone(v Vocabulary, file string) string {
	beside := "a space or a line break"
	if file == fileHTML {
		beside = "a space, a line break or the edge of a block such as <p>"
	}
	return fmt.Sprintf("write %s directly before and after {{.%s}}, or mail programs take it for a part of another address",
		beside, v.Secrets[0])
}
