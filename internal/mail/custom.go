// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"cmp"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/usher-dev/usher/internal/quote"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	maxTemplate = 64 << 10 // bytes
	maxKey      = 253      // characters, those of a key in a ConfigMap
)

// The files of a wording.
const (
	fileSubject = "subject"
	fileText    = "txt"
	fileHTML    = "html"
)

// TemplateError says why a template of an organization's own wording cannot be used.
type TemplateError struct {
	// Key names the template, such as "invitation.de.html".
	Key string
	// Line is where the fault is, from 1; 0 where it is the template as a whole.
	Line int
	// Reason says what is wrong and what to write instead.
	Reason string
}

func (e TemplateError) Error() string {
	if e.Line == 0 {
		return e.Key + ": " + e.Reason
	}
	return fmt.Sprintf("%s line %d: %s", e.Key, e.Line, e.Reason)
}

// wording is an organization's own wording of one message.
type wording struct {
	subject, text *texttemplate.Template
	html          *htmltemplate.Template // nil: the message is plain text only
}

// ParseTemplates reads an organization's own wording, as it stands in the data of a ConfigMap:
//
//	invitation.subject, invitation.txt, invitation.html           for every language
//	invitation.de.subject, invitation.de.txt, invitation.de.html  for one language
//
// and likewise for confirmation, joined, declined and code; the mails about an Account, such as Reset, are
// always in the built-in wording. A subject and a text belong together; the HTML is optional, and without
// it the message is plain text only. A message uses the wording for its language, else that for every
// language, else the built-in one. Where one of the templates has a fault, all of its wording counts as
// not given, and the errors say which and why, sorted by key and line.
//
// The templates are those of text/template and html/template, cut down to values, if, with, and, or, not,
// eq and ne, so that they always end and never fail. The values are the fields of the message's data,
// as text: dates are written in the language; in plain text Message and Reason are quoted with "> " and
// Permissions listed with "- ", and in HTML they are several lines. In joined and declined, Person is the
// name, or else the address. In HTML a value is the text between elements, or, for Link, PortalURL and
// SignInURL, a whole href in quotes. An invitation must show Link, and a code must show Code, whatever the
// other values are; a subject must show neither. These two are secrets: they stand between white space, or
// the edges of blocks, wherever they are shown, so that no mail program takes them for a part of another
// address. A mail in which one of them could be carried to another server all the same, because of its
// other values, is in the built-in wording.
func ParseTemplates(data map[string]string) (Templates, []TemplateError) {
	var errs []TemplateError
	sets := map[string]map[string]string{} // by the name of the wording, then by file
	for key, source := range data {
		name, file, ok := splitKey(key)
		if !ok {
			errs = append(errs, TemplateError{quote.Shorten(quote.Line(key), maxKey), 0, unknownKey})
			continue
		}
		if sets[name] == nil {
			sets[name] = map[string]string{}
		}
		sets[name][file] = source
	}
	out := Templates{own: map[string]wording{}}
	for name, set := range sets {
		w, faults := parseWording(name, set)
		if len(faults) > 0 {
			errs = append(errs, faults...)
			continue
		}
		out.own[name] = w
	}
	slices.SortFunc(errs, func(a, b TemplateError) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Reason, b.Reason))
	})
	return out, errs
}

const unknownKey = "there is no template of this name; write a message (invitation, confirmation, joined, declined or code), " +
	"then a language if you like (en, it, fr, de, es or pt), then subject, txt or html, such as invitation.de.txt"

// splitKey splits "invitation.de.html" into the name of its wording and what it is of that.
func splitKey(key string) (name, file string, ok bool) {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 {
		return "", "", false
	}
	name, file = key[:dot], key[dot+1:]
	kind, tag, hasTag := strings.Cut(name, ".")
	_, known := vocabularies[kind]
	return name, file, known && slices.Contains([]string{fileSubject, fileText, fileHTML}, file) &&
		(!hasTag || slices.Contains(language.All(), language.Tag(tag)))
}

func parseWording(name string, set map[string]string) (wording, []TemplateError) {
	var errs []TemplateError
	for _, file := range []string{fileSubject, fileText} {
		if _, found := set[file]; !found {
			errs = append(errs, TemplateError{
				name + "." + file, 0,
				"is missing; a wording has a subject and a txt, and an html if you like",
			})
		}
	}
	var w wording
	kind, _, _ := strings.Cut(name, ".")
	for file, source := range set {
		var faults []fault
		switch file {
		case fileSubject:
			w.subject, faults = parseText(kind, file, source)
		case fileText:
			w.text, faults = parseText(kind, file, source)
		case fileHTML:
			w.html, faults = parseHTML(kind, source)
		}
		for _, f := range faults {
			errs = append(errs, TemplateError{name + "." + file, f.line, f.reason})
		}
	}
	return w, errs
}

func (w wording) write(l letter) (Content, error) {
	var subject, text, html strings.Builder
	plain := l.inPlainText().values
	// No value can make a template fail that was checked.
	if err := errors.Join(w.subject.Execute(&subject, plain), w.text.Execute(&text, plain)); err != nil {
		return Content{}, fmt.Errorf("writing the %s in the organization's own wording: %w", l.kind, err)
	}
	if w.html != nil {
		if err := w.html.Execute(&html, l.values); err != nil {
			return Content{}, fmt.Errorf("writing the %s as HTML in the organization's own wording: %w", l.kind, err)
		}
	}
	return Content{Subject: oneLine(subject.String()), Text: text.String(), HTML: html.String()}, nil
}
