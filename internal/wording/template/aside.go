// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"fmt"
	"slices"
	"text/template/parse"
)

// endings are the possible ends of the text so far, over all paths through the branches. Edges are not
// among them: the start, white space, and the edge of a block.
type endings uint8

const (
	inWord      endings = 1 << iota // the following text is read together with it
	afterSecret                     // the following text is read together with a secret
)

// asideCheck finds secrets that run together with the text beside them. Mail programs look for
// addresses in a text and turn them into links. In "https://evil.example/?u={{.Link}}" the link is a
// part of another address, and one click reveals it. asideCheck follows all branches at once. A value
// is never an edge, with any content. An entity such as &nbsp; is no edge either, because an address
// ends there in some programs and continues in others.
type asideCheck struct {
	Vocabulary
	file, source string
	faults       []fault

	ends     endings
	secret   parse.Node // the last secret
	reported parse.Node // the last secret with a fault
	place    htmlPosition
}

// htmlPosition is the position in the HTML. In plain text it is always the zero value. html/template makes
// sure that all branches end in the same place.
type htmlPosition struct {
	tag   bool
	quote byte // of the attribute's value; 0 outside of one
}

func asideFaults(v Vocabulary, file, source string, tree *parse.Tree) []fault {
	check := asideCheck{Vocabulary: v, file: file, source: source}
	check.list(tree.Root, false)
	return check.faults
}

// list checks a list of nodes. dot reports whether the dot is a secret.
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
			c.branches(&n.BranchNode, c.isSecret(n.Pipe, dot), dot)
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
	if c.place != (htmlPosition{}) { // a href
		return
	}
	if !c.isSecret(n.Pipe, dot) {
		c.word()
		return
	}
	if c.ends != 0 {
		c.fault(n)
	}
	c.ends, c.secret = afterSecret, n
}

// isSecret reports whether the result of a pipe can be a secret.
func (c *asideCheck) isSecret(p *parse.PipeNode, dot bool) bool {
	args := p.Cmds[0].Args // the other commands are the escapers of html/template
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
			return c.isSecret(n, dot)
		}
		return false
	})
}

// word handles any text that a secret must not touch.
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
		case c.file == fileHTML && b == '<':
			if elements[tagName(text[i:])] == block {
				c.ends = 0
			}
			// All other tags count as if they did not exist.
			c.place = htmlPosition{tag: true}
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

// separates reports whether an address ends at a character in every mail program. When the mail is
// written, a carriage return becomes a line break.
func separates(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// tagName returns the name of the element whose tag the text begins with, in lower case.
func tagName(text []byte) string {
	name := bytes.TrimPrefix(text[1:], []byte("/"))
	if end := bytes.IndexAny(name, " \t\n\f\r/>"); end >= 0 {
		name = name[:end]
	}
	return string(bytes.ToLower(name))
}

// fault reports each secret once.
func (c *asideCheck) fault(secret parse.Node) {
	if secret == c.reported || len(c.faults) >= maxFaults {
		return
	}
	c.reported = secret
	c.faults = append(c.faults, fault{lineOf(c.source, secret), mustStandAlone(c.Vocabulary, c.file)})
}

func mustStandAlone(v Vocabulary, file string) string {
	beside := "a space or a line break"
	if file == fileHTML {
		beside = "a space, a line break or the edge of a block such as <p>"
	}
	return fmt.Sprintf("write %s directly before and after {{.%s}}, or mail programs take it for part of another address",
		beside, v.Secrets[0])
}
