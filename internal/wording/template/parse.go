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

	"github.com/usher-dev/usher/internal/quote"
)

// fault is what is wrong in one template.
type fault struct {
	line   int // 0: the template as a whole
	reason string
}

// parseTree reads a template and checks that it can do no harm, without running it.
func parseTree(v Vocabulary, file, source string) (*parse.Tree, []fault) {
	switch {
	case len(source) > maxTemplate:
		return nil, []fault{{0, "is longer than 64 KiB"}}
	case !utf8.ValidString(source):
		return nil, []fault{{0, "is not valid UTF-8"}}
	}
	// The name is at the start of every error, and is no key of anybody's.
	const name = "_"
	tree := parse.New(name)
	// A function that does not exist is told by the check, in its own words.
	tree.Mode = parse.SkipFuncCheck
	all := map[string]*parse.Tree{}
	if _, err := tree.Parse(source, "", "", all); err != nil {
		return nil, []fault{syntaxFault(name, err)}
	}
	if len(all) != 1 || all[name] != tree {
		return nil, []fault{{0, "defines another template; write everything into this one"}}
	}
	check := treeCheck{Vocabulary: v, file: file, source: source, shown: map[string]bool{}}
	check.list(tree.Root, atRoot)
	check.completeness()
	return tree, check.faults
}

// syntaxFault takes an error of text/template apart: "template: _:3: unexpected ...".
func syntaxFault(name string, err error) fault {
	var line int
	text := strings.TrimPrefix(err.Error(), "template: "+name+":")
	number, reason, found := strings.Cut(text, ":")
	if _, scanErr := fmt.Sscan(number, &line); !found || scanErr != nil {
		return fault{0, quote.Shorten(quote.Line(text), maxReason)}
	}
	return fault{line, quote.Shorten(quote.Line(reason), maxReason)}
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
		return nil, []fault{{0, quote.Shorten(quote.Line(err.Error()), maxReason)}}
	}
	if faults = asideFaults(v, file, source, tree); len(faults) > 0 {
		return nil, faults
	}
	return t, writtenFaults(v, file, written)
}

func parseHTML(v Vocabulary, source string) (*htmltemplate.Template, []fault) {
	tree, faults := parseTree(v, fileHTML, source)
	if len(faults) > 0 {
		return nil, faults
	}
	var written []string
	t, err := htmltemplate.New(fileHTML).AddParseTree(fileHTML, tree)
	if err == nil {
		// The first execution is what makes html/template look at where each value stands.
		written, err = try(v, fileHTML, func(w io.Writer, l Message) error { return t.Execute(w, l.Values) })
	}
	if escape, ok := errors.AsType[*htmltemplate.Error](err); ok {
		return nil, []fault{{escape.Line, quote.Shorten(quote.Line(escape.Description), maxReason)}}
	}
	if err != nil {
		return nil, []fault{{0, quote.Shorten(quote.Line(err.Error()), maxReason)}}
	}
	check := htmlCheck{Vocabulary: v, source: source}
	check.list(tree.Root)
	// By now the tree has no comments any more.
	check.faults = append(check.faults, asideFaults(v, fileHTML, source, tree)...)
	if len(check.faults) > 0 {
		return nil, check.faults
	}
	return t, writtenFaults(v, fileHTML, written)
}

// try writes the samples of a message with a template that was checked.
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

// writtenFaults looks at the samples that try has written.
func writtenFaults(v Vocabulary, file string, written []string) []fault {
	for i, l := range v.samples() {
		for _, secret := range v.Secrets {
			if reason := carriesIn(v, l, secret, file, written[i]); reason != "" {
				return []fault{{0, reason}}
			}
		}
	}
	return nil
}
