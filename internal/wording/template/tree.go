// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/usher-dev/usher/internal/sanitize"
	"github.com/usher-dev/usher/internal/wording/input"
)

const (
	// maxFaults limits how many faults of one template are reported.
	maxFaults = 10

	// maxValues limits how many values one template can show. With more, its mails could be huge.
	maxValues = 500

	// maxQuoted is how much of a template a fault quotes, in characters.
	maxQuoted = 60
)

// functions are the functions that a template can call, with their minimum and maximum number of
// arguments.
var functions = map[string][2]int{
	"and": {1, maxTemplate}, "or": {1, maxTemplate}, "not": {1, 1}, "eq": {2, maxTemplate}, "ne": {2, 2},
}

// meaning is the kind of result that a part of a template has.
type meaning int

const (
	atRoot meaning = iota // all values together
	text
	truth
)

// treeCheck walks a template and finds everything that is not allowed. It allows only what it knows. So
// if a later Go version adds new actions, they are refused. A template that passes always ends, calls
// nothing and cannot fail.
type treeCheck struct {
	Vocabulary
	file, source string

	faults     []fault
	depth      int             // nesting of if and with
	values     int             // how many values are shown
	shown      map[string]bool // values outside of any if and with
	neverEmpty bool            // the output is never empty
}

func (c *treeCheck) fault(at parse.Node, format string, args ...any) {
	c.faults = append(c.faults, fault{lineOf(c.source, at), fmt.Sprintf(format, args...)})
}

// lineOf returns the line that a node begins in.
func lineOf(source string, at parse.Node) int {
	return 1 + strings.Count(source[:min(int(at.Position()), len(source))], "\n")
}

func (c *treeCheck) list(list *parse.ListNode, dot meaning) {
	if list == nil { // there is no else
		return
	}
	for _, n := range list.Nodes {
		if len(c.faults) < maxFaults {
			c.node(n, dot)
		}
	}
}

func (c *treeCheck) node(n parse.Node, dot meaning) {
	switch n := n.(type) {
	case *parse.TextNode:
		if c.depth == 0 && len(strings.TrimSpace(string(n.Text))) > 0 {
			c.neverEmpty = true
		}
		if c.file == fileSubject && strings.ContainsFunc(string(n.Text), input.BreaksLine) {
			c.fault(n, "a subject must be one line")
		}
		if c.file == fileHTML {
			textFaults(n.Text, func(at int, reason string) {
				c.faults = append(c.faults, fault{lineOf(c.source, n) + bytes.Count(n.Text[:at], []byte("\n")), reason})
			})
		}
	case *parse.ActionNode:
		if c.values++; c.values == maxValues+1 {
			c.fault(n, "there are more than %d values", maxValues)
		}
		c.pipe(n.Pipe, dot)
		if name, ok := soleField(n.Pipe); ok && c.depth == 0 {
			c.shown[name] = true
			c.neverEmpty = c.neverEmpty || c.required(name)
		}
	case *parse.IfNode:
		c.pipe(n.Pipe, dot)
		c.branches(&n.BranchNode, dot, dot)
	case *parse.WithNode:
		c.branches(&n.BranchNode, c.pipe(n.Pipe, dot), dot)
	case *parse.RangeNode:
		c.fault(n, "range is not allowed; write a value of several lines as a whole, such as {{.Message}}")
	case *parse.TemplateNode:
		c.fault(n, "template and block are not allowed; write everything in this one")
	default:
		c.fault(n, "%s is not allowed; use values such as {{.Organization}}, if and with", quoted(n))
	}
}

func (c *treeCheck) branches(n *parse.BranchNode, dot, elseDot meaning) {
	c.depth++
	c.list(n.List, dot)
	c.list(n.ElseList, elseDot)
	c.depth--
}

func (c *treeCheck) pipe(p *parse.PipeNode, dot meaning) meaning {
	switch {
	case len(c.faults) >= maxFaults: // quoting a deep pipe at each depth would take long
	case len(p.Decl) > 0:
		c.fault(p, "variables are not allowed; write values such as {{.Organization}}")
	case len(p.Cmds) != 1:
		c.fault(p, "%s: a pipe is not allowed; write only the value, because Usher escapes it", quoted(p))
	default:
		return c.command(p.Cmds[0], dot)
	}
	return text
}

func (c *treeCheck) command(cmd *parse.CommandNode, dot meaning) meaning {
	function, ok := cmd.Args[0].(*parse.IdentifierNode)
	if !ok {
		if len(cmd.Args) > 1 {
			c.fault(cmd, "%s: a value cannot be called", quoted(cmd))
		}
		return c.operand(cmd.Args[0], dot)
	}
	limits, found := functions[function.Ident]
	args := cmd.Args[1:]
	switch {
	case !found:
		c.fault(cmd, "there is no function %s; use one of and, or, not, eq, ne", excerpt(function.Ident))
		return text
	case len(args) < limits[0] || len(args) > limits[1]:
		c.fault(cmd, "%s: the number of values is wrong", quoted(cmd))
	}
	allText := true
	for _, arg := range args {
		allText = c.operand(arg, dot) == text && allText
	}
	switch function.Ident {
	case "and", "or":
		if allText {
			return text
		}
	case "eq", "ne":
		if !allText {
			c.fault(cmd, "%s: only values and texts in quotes can be compared", quoted(cmd))
		}
	}
	return truth
}

func (c *treeCheck) operand(n parse.Node, dot meaning) meaning {
	switch n := n.(type) {
	case *parse.FieldNode:
		if dot != atRoot {
			c.fault(n, "inside with, write $%s", quoted(n))
			break
		}
		c.field(n, n.Ident)
	case *parse.VariableNode:
		if n.Ident[0] != "$" || len(n.Ident) == 1 {
			c.fault(n, "%s is not allowed; write a value such as $.Organization", quoted(n))
			break
		}
		c.field(n, n.Ident[1:])
	case *parse.DotNode:
		if dot == atRoot {
			c.fault(n, "a single dot is a value only inside with")
			break
		}
		return dot
	case *parse.StringNode:
	case *parse.PipeNode:
		return c.pipe(n, dot)
	case *parse.IdentifierNode:
		c.fault(n, "put %s and its values in parentheses", quoted(n))
	default:
		c.fault(n, "%s is not allowed; use values such as .Organization and texts in quotes", quoted(n))
	}
	return text
}

func (c *treeCheck) field(n parse.Node, path []string) {
	switch _, found := c.Full.Values[path[0]]; {
	case !found || len(path) > 1:
		c.fault(n, "there is no field .%s; use one of .%s",
			excerpt(strings.Join(path, ".")), strings.Join(c.fields(), ", ."))
	case c.file == fileSubject && slices.Contains(c.Secrets, path[0]):
		c.fault(n, "a subject must not show .%s, which is a secret: locked screens show subjects", path[0])
	}
}

// completeness reports what is missing in the whole template.
func (c *treeCheck) completeness() {
	if c.Must != "" && c.file != fileSubject && !c.shown[c.Must] {
		c.faults = append(c.faults, fault{0, fmt.Sprintf("must show {{.%s}} outside of any if and with", c.Must)})
	}
	if !c.neverEmpty {
		c.faults = append(c.faults, fault{0, "must contain text outside of any if and with"})
	}
}

// soleField returns the name of the value if the pipe is a single value and nothing else.
func soleField(p *parse.PipeNode) (string, bool) {
	if len(p.Decl) > 0 || len(p.Cmds) == 0 || len(p.Cmds[0].Args) != 1 {
		return "", false
	}
	switch n := p.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return n.Ident[0], len(n.Ident) == 1
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) == 2 {
			return n.Ident[1], true
		}
	}
	return "", false
}

func quoted(n parse.Node) string { return excerpt(n.String()) }

// excerpt returns as much of a template as a fault quotes.
func excerpt(s string) string { return sanitize.Shorten(sanitize.SingleLine(s), maxQuoted) }
