// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"unicode/utf8"

	"github.com/usher-dev/usher/internal/sanitize"
)

// fault is one error in one template.
type fault struct {
	line   int // 0: the whole template
	reason string
}

// parseTree parses a template and checks, without running it, that it can do no harm.
func parseTree(v Vocabulary, file, source string) (*parse.Tree, []fault) {
	switch {
	case len(source) > maxTemplate:
		return nil, []fault{{0, "is longer than 64 KiB"}}
	case !utf8.ValidString(source):
		return nil, []fault{{0, "is not valid UTF-8"}}
	}
	// Every error starts with this name, which cannot be a key in the ConfigMap of a tenant.
	const name = "_"
	tree := parse.New(name)
	// The check reports functions that do not exist, in its own words.
	tree.Mode = parse.SkipFuncCheck
	all := map[string]*parse.Tree{}
	if _, err := tree.Parse(source, "", "", all); err != nil {
		return nil, []fault{syntaxFault(name, err)}
	}
	if len(all) != 1 || all[name] != tree {
		return nil, []fault{{0, "defines another template; write everything in this one"}}
	}
	check := treeCheck{Vocabulary: v, file: file, source: source, shown: map[string]bool{}}
	check.list(tree.Root, atRoot)
	check.completeness()
	return tree, check.faults
}

// syntaxFault parses an error of text/template: "template: _:3: unexpected ...".
func syntaxFault(name string, err error) fault {
	var line int
	text := strings.TrimPrefix(err.Error(), "template: "+name+":")
	number, reason, found := strings.Cut(text, ":")
	if _, scanErr := fmt.Sscan(number, &line); !found || scanErr != nil {
		return fault{0, sanitize.Shorten(sanitize.SingleLine(text), maxReason)}
	}
	return fault{line, sanitize.Shorten(sanitize.SingleLine(reason), maxReason)}
}

func parseText(v Vocabulary, file, source string) (*texttemplate.Template, []fault) {
	if file == fileSubject {
		source = strings.TrimSpace(source)
	}
	tree, faults := parseTree(v, file, source)
	if len(faults) > 0 {
		return nil, faults
	}
	var written []string
	t, err := texttemplate.New(file).AddParseTree(file, tree)
	if err == nil {
		written, err = try(v, file, func(w io.Writer, l Message) error { return t.Execute(w, l.PlainText().Values) })
	}
	if err != nil {
		return nil, []fault{{0, sanitize.Shorten(sanitize.SingleLine(err.Error()), maxReason)}}
	}
	if faults = asideFaults(v, file, source, tree); len(faults) > 0 {
		return nil, faults
	}
	for i, l := range v.samples() {
		if reason := secretsInAddress(v, l, file, written[i]); reason != "" {
			return nil, []fault{{0, reason}}
		}
	}
	return t, nil
}

// needsOwnServer is the fault of HTML that the platform's sender would vouch for.
const needsOwnServer = "own HTML needs the Organization's own mail server: set spec.mail of the Organization, " +
	"or delete this key to send plain text"

func parseHTML(v Vocabulary, source string, server Server) (*htmltemplate.Template, []fault) {
	if server != OwnServer {
		return nil, []fault{{0, needsOwnServer}}
	}
	tree, faults := parseTree(v, fileHTML, source)
	if len(faults) > 0 {
		return nil, faults
	}
	var written []string
	t, err := htmltemplate.New(fileHTML).AddParseTree(fileHTML, tree)
	if err == nil {
		// During the first execution, html/template determines where each value stands.
		written, err = try(v, fileHTML, func(w io.Writer, l Message) error { return t.Execute(w, l.Values) })
	}
	if escape, ok := errors.AsType[*htmltemplate.Error](err); ok {
		return nil, []fault{{escape.Line, sanitize.Shorten(sanitize.SingleLine(escape.Description), maxReason)}}
	}
	if err != nil {
		return nil, []fault{{0, sanitize.Shorten(sanitize.SingleLine(err.Error()), maxReason)}}
	}
	check := htmlCheck{Vocabulary: v, source: source}
	check.list(tree.Root)
	// The tree no longer has comments here.
	check.faults = append(check.faults, asideFaults(v, fileHTML, source, tree)...)
	if len(check.faults) > 0 {
		return nil, check.faults
	}
	for i, l := range v.samples() {
		if _, reason := inspectHTML(v, l, written[i]); reason != "" {
			return nil, []fault{{0, reason}}
		}
	}
	return t, nil
}

// try writes the samples of a message with a checked template.
func try(v Vocabulary, file string, execute func(io.Writer, Message) error) (written []string, err error) {
	for _, l := range v.samples() {
		var b strings.Builder
		if err := execute(&b, l); err != nil {
			return nil, err
		}
		if file != fileSubject && !strings.Contains(b.String(), l.Values[v.Must]) {
			return nil, fmt.Errorf("does not show {{.%s}}", v.Must)
		}
		written = append(written, b.String())
	}
	return written, nil
}
