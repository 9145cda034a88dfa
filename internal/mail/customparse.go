// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

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
func parseTree(kind, file, source string) (*parse.Tree, []fault) {
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
	check := treeCheck{vocabulary: vocabularies[kind], file: file, source: source, shown: map[string]bool{}}
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
		return fault{0, quote.Shorten(quote.Line(text), maxReplyText)}
	}
	return fault{line, quote.Shorten(quote.Line(reason), maxReplyText)}
}

func parseText(kind, file, source string) (*texttemplate.Template, []fault) {
	if file == fileSubject {
		source = strings.TrimSpace(source)
	}
	tree, faults := parseTree(kind, file, source)
	if len(faults) > 0 {
		return nil, faults
	}
	var written []string
	t, err := texttemplate.New(file).AddParseTree(file, tree)
	if err == nil {
		written, err = try(kind, file, func(w io.Writer, l letter) error { return t.Execute(w, l.inPlainText().values) })
	}
	if err != nil {
		return nil, []fault{{0, quote.Shorten(quote.Line(err.Error()), maxReplyText)}}
	}
	if faults = asideFaults(vocabularies[kind], file, source, tree); len(faults) > 0 {
		return nil, faults
	}
	return t, writtenFaults(kind, file, written)
}

func parseHTML(kind, source string) (*htmltemplate.Template, []fault) {
	tree, faults := parseTree(kind, fileHTML, source)
	if len(faults) > 0 {
		return nil, faults
	}
	var written []string
	t, err := htmltemplate.New(fileHTML).AddParseTree(fileHTML, tree)
	if err == nil {
		// The first execution is what makes html/template look at where each value stands.
		written, err = try(kind, fileHTML, func(w io.Writer, l letter) error { return t.Execute(w, l.values) })
	}
	if escape, ok := errors.AsType[*htmltemplate.Error](err); ok {
		return nil, []fault{{escape.Line, quote.Shorten(quote.Line(escape.Description), maxReplyText)}}
	}
	if err != nil {
		return nil, []fault{{0, quote.Shorten(quote.Line(err.Error()), maxReplyText)}}
	}
	check := htmlCheck{vocabulary: vocabularies[kind], source: source}
	check.list(tree.Root)
	// By now the tree has no comments any more.
	check.faults = append(check.faults, asideFaults(vocabularies[kind], fileHTML, source, tree)...)
	if len(check.faults) > 0 {
		return nil, check.faults
	}
	return t, writtenFaults(kind, fileHTML, written)
}

// try writes the samples of a message with a template that was checked.
func try(kind, file string, execute func(io.Writer, letter) error) (written []string, err error) {
	v := vocabularies[kind]
	for _, l := range v.samples() {
		var b strings.Builder
		if err := execute(&b, l); err != nil {
			return nil, err
		}
		if file != fileSubject && !strings.Contains(b.String(), l.values[v.must]) {
			return nil, fmt.Errorf("does not show {{.%s}}", v.must)
		}
		written = append(written, b.String())
	}
	return written, nil
}

// writtenFaults looks at the samples that try has written.
func writtenFaults(kind, file string, written []string) []fault {
	v := vocabularies[kind]
	for i, l := range v.samples() {
		for _, secret := range v.secrets {
			if reason := carriesIn(l, secret, file, written[i]); reason != "" {
				return []fault{{0, reason}}
			}
		}
	}
	return nil
}
