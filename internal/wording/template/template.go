// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package template parses a tenant's own wording and decides whether it can do harm. It is a security
// boundary. The author of a template is not always allowed to see what a message contains, such as the
// link of an invitation. And the reader trusts a message that comes from Usher.
//
// Therefore a template is checked three times:
//
//   - as a tree (tree.go): it uses only values, if, with, and, or, not, eq and ne, so that it always
//     ends and never fails;
//   - by its places (html.go, aside.go): a value stands between elements or is a whole href, and a
//     secret stands alone, so that it is no part of another address;
//   - by its output (written.go, allowed.go, reading.go, anchor.go): samples when it is parsed, and every message
//     when it is written. HTML has only what a library's list allows, and each anchor leads where it says.
//
// The package is pure. It knows no message by name: package wording defines the messages
// (Vocabularies).
package template

import (
	"cmp"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/usher-dev/usher/internal/sanitize"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	maxTemplate = 64 << 10 // bytes
	maxKey      = 253      // characters, the limit of a key in a ConfigMap
	maxReason   = 200      // characters of an error of Go's parsers
)

// The files of a wording.
const (
	fileSubject = "subject"
	fileText    = "txt"
	fileHTML    = "html"
)

// Error reports why a template of an organization's own wording cannot be used.
type Error struct {
	// Key names the template, such as "invitation.de.html".
	Key string
	// Line is the line of the error, from 1. It is 0 if the error is about the whole template.
	Line int
	// Reason says what is wrong and what to write instead.
	Reason string
}

func (e Error) Error() string {
	if e.Line == 0 {
		return e.Key + ": " + e.Reason
	}
	return fmt.Sprintf("%s line %d: %s", e.Key, e.Line, e.Reason)
}

// Server is the mail server that sends a tenant's mails. Its sender vouches for them.
type Server int

// The servers.
const (
	// PlatformServer sends in the name of the platform, for many tenants.
	PlatformServer Server = iota
	// OwnServer sends in the name of the tenant.
	OwnServer
)

// Set is a tenant's own wording: the templates that passed the check. The zero value holds none. A Set
// never changes, and it is safe for concurrent use.
type Set struct {
	vocabularies Vocabularies
	own          map[string]wording // by message, such as "code", or by message and language, such as "code.de"
}

// wording is a tenant's own wording of one message.
type wording struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template // nil: the message is plain text only
}

// Parse checks a tenant's templates, as in the data of a ConfigMap, for mails that a server sends. HTML
// needs the tenant's own server. If one of the templates of a wording has an error, the whole wording is
// ignored. The errors report which template is wrong and why, sorted by key and line.
func (v Vocabularies) Parse(data map[string]string, server Server) (Set, []Error) {
	var errs []Error
	sets := map[string]map[string]string{} // by the name of the wording, then by file
	for key, source := range data {
		name, file, ok := v.splitKey(key)
		if !ok {
			errs = append(errs, Error{sanitize.Shorten(sanitize.SingleLine(key), maxKey), 0, unknownKey})
			continue
		}
		if sets[name] == nil {
			sets[name] = map[string]string{}
		}
		sets[name][file] = source
	}
	out := Set{vocabularies: v, own: map[string]wording{}}
	for name, set := range sets {
		w, faults := v.parseWording(name, set, server)
		if len(faults) > 0 {
			errs = append(errs, faults...)
			continue
		}
		out.own[name] = w
	}
	slices.SortFunc(errs, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Reason, b.Reason))
	})
	return out, errs
}

// Write writes a message in the wording for its language, or otherwise in the wording for every
// language. It returns false if the tenant has none, or if this message would carry a secret to another
// server or deceive its reader. Then the caller uses its own wording, which is safe with any values.
func (s Set) Write(m Message) (c Content, written bool, err error) {
	for _, key := range []string{m.Kind + "." + m.Tag.String(), m.Kind} {
		own, found := s.own[key]
		if !found {
			continue
		}
		if c, err = own.write(m); err != nil {
			return Content{}, false, err
		}
		c, reason := inspect(s.vocabularies[m.Kind], m, c)
		return c, reason == "", nil
	}
	return Content{}, false, nil
}

const unknownKey = "no template has this name; write a message (invitation, confirmation, joined, declined or code), " +
	"then optionally a language (en, it, fr, de, es or pt), then subject, txt or html, such as invitation.de.txt"

// splitKey splits "invitation.de.html" into the name of its wording and the file in that wording.
func (v Vocabularies) splitKey(key string) (name, file string, ok bool) {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 {
		return "", "", false
	}
	name, file = key[:dot], key[dot+1:]
	kind, tag, hasTag := strings.Cut(name, ".")
	_, known := v[kind]
	return name, file, known && slices.Contains([]string{fileSubject, fileText, fileHTML}, file) &&
		(!hasTag || slices.Contains(language.All(), language.Tag(tag)))
}

func (v Vocabularies) parseWording(name string, set map[string]string, server Server) (wording, []Error) {
	var errs []Error
	for _, file := range []string{fileSubject, fileText} {
		if _, found := set[file]; !found {
			errs = append(errs, Error{
				name + "." + file, 0,
				"is missing; a wording needs a subject and a txt, and can have an html",
			})
		}
	}
	var w wording
	kind, _, _ := strings.Cut(name, ".")
	for file, source := range set {
		var faults []fault
		switch file {
		case fileSubject:
			w.subject, faults = parseText(v[kind], file, source)
		case fileText:
			w.text, faults = parseText(v[kind], file, source)
		case fileHTML:
			w.html, faults = parseHTML(v[kind], source, server)
		}
		for _, f := range faults {
			errs = append(errs, Error{name + "." + file, f.line, f.reason})
		}
	}
	return w, errs
}

func (w wording) write(l Message) (Content, error) {
	var subject, text, html strings.Builder
	plain := l.PlainText().Values
	// No value can make a checked template fail.
	if err := errors.Join(w.subject.Execute(&subject, plain), w.text.Execute(&text, plain)); err != nil {
		return Content{}, fmt.Errorf("write the %s in the organization's own wording: %w", l.Kind, err)
	}
	if w.html != nil {
		if err := w.html.Execute(&html, l.Values); err != nil {
			return Content{}, fmt.Errorf("write the %s as HTML in the organization's own wording: %w", l.Kind, err)
		}
	}
	return Content{Subject: input.Subject(subject.String()), Text: text.String(), HTML: html.String()}, nil
}
