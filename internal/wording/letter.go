// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package wording writes every sentence that people read in a message, in every medium and language. It
// holds the built-in templates and their values, and composes a message from the facts about an
// Invitation or an Account.
//
// Its subpackages are:
//
//   - language: the catalogue;
//   - template: the check of a tenant's own wording, which is a security boundary;
//   - input: what a line and an address can contain.
//
// It is pure: nothing here sends.
package wording

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/template"
)

// A message has one template for each format, for all languages. The sentences are in the catalogue of
// package language, below "mail.", and the templates put them in order.
//
//go:embed templates
var files embed.FS

var (
	builtInText = texttemplate.Must(texttemplate.ParseFS(files, "templates/*.txt"))
	builtInHTML = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/*.html"))
)

// Templates is the wording of messages: the built-in wording, and the templates that replace it for an
// organization (see ParseTemplates). The zero value is the built-in wording. A Templates never changes,
// and it is safe for concurrent use.
//
// Its methods write a Content that depends only on the Templates, the data and the language. They
// return an *input.InvalidError if a value is missing, or if a name contains a line break or a web
// address, because a name must not become a second link.
type Templates struct{ own template.Set }

// Content is the part of a message that a person reads.
type Content = template.Content

// ParseTemplates parses an organization's own wording, as in the data of a ConfigMap:
//
//	invitation.subject, invitation.txt, invitation.html           for every language
//	invitation.de.subject, invitation.de.txt, invitation.de.html  for one language
//
// The keys of confirmation, joined, declined and code have the same form. The mails about an Account,
// such as Reset, always have the built-in wording.
//
// A subject and a text belong together. The HTML is optional, and without it the message is plain text
// only. A message uses the wording for its language, otherwise the one for every language, otherwise
// the built-in one. If one of its templates has an error, the whole wording is ignored. The errors
// report which template is wrong and why, sorted by key and line. HTML is an error if the platform's
// server sends the mail.
//
// The templates are those of text/template and html/template, reduced to values, if, with, and, or,
// not, eq and ne, so that they always end and never fail. The values are the fields of the message's
// data, as text:
//
//   - Dates are written in the language.
//   - In plain text, Message and Reason are quoted with "> ", and Permissions are listed with "- ". In
//     HTML they are several lines.
//   - In joined and declined, Person is the name, or the address if there is no name.
//   - In HTML, a value is the text between elements. Link, PortalURL and SignInURL can also be a whole
//     href in quotes. An anchor that shows an address must lead there.
//
// An invitation must show Link, and a code must show Code, whatever the other values are. A subject must show
// neither. These two are secrets: wherever they are shown, white space or the edges of blocks must
// surround them, so that no mail program takes them for part of another address. If other values of a
// mail could still carry a secret to another server, that mail uses the built-in wording.
func ParseTemplates(data map[string]string, server template.Server) (Templates, []template.Error) {
	own, faults := vocabularies.Parse(data, server)
	return Templates{own}, faults
}

func (t Templates) write(m template.Message) (Content, error) {
	if own, written, err := t.own.Write(m); written || err != nil {
		return own, err
	}
	p := page{m}
	var text, html strings.Builder
	if err := builtInText.ExecuteTemplate(&text, m.Kind+".txt", page{m.PlainText()}); err != nil {
		return Content{}, fmt.Errorf("write the %s as text: %w", m.Kind, err)
	}
	if err := builtInHTML.ExecuteTemplate(&html, m.Kind+".html", p); err != nil {
		return Content{}, fmt.Errorf("write the %s as HTML: %w", m.Kind, err)
	}
	return Content{Subject: input.Subject(p.Say(p.Subject())), Text: text.String(), HTML: html.String()}, nil
}

// page is the data of the built-in templates.
type page struct{ template.Message }

// Tag returns the language, for the attribute lang.
func (p page) Tag() string { return p.Message.Tag.String() }

// Value returns one of the values. It is empty if the value is not known.
func (p page) Value(name string) string { return p.Values[name] }

// Lines returns the lines of a value. There are none if the value is not known.
func (p page) Lines(name string) []string { return p.LinesOf(name) }

// Subject returns the ID of the sentence that is the subject.
func (p page) Subject() string { return "mail." + p.Kind + ".subject" }

// Greeting returns the ID of the sentence that greets the recipient.
func (p page) Greeting() string {
	if p.Values["Name"] == "" {
		return "mail.greeting.anyone"
	}
	return "mail.greeting.name"
}

// Say returns the sentence with that ID.
func (p page) Say(id string) string {
	return p.fill(id, func(name string) string { return p.Values[name] })
}

// button is a link to press, and the same address to copy.
type button struct{ Text, URL, Copy string }

// Button returns a button that shows the sentence with that ID and opens the address in the value.
func (p page) Button(id, value string) button {
	return button{p.Say(id), p.Values[value], p.Say("mail.copy")}
}

// part is a piece of a sentence: some of its words, or an inserted value.
type part struct {
	Text  string
	Value bool
}

// Parts returns the same sentence in pieces, so that HTML can set the values apart. The template
// escapes each piece, like everything else.
func (p page) Parts(id string) []part {
	// No sentence and no name of a value contains a NUL, so the mark is unambiguous.
	const mark = "\x00"
	var out []part
	for i, piece := range strings.Split(p.fill(id, func(name string) string { return mark + name + mark }), mark) {
		switch {
		case i%2 == 1:
			out = append(out, part{p.Values[piece], true})
		case piece != "":
			out = append(out, part{piece, false})
		}
	}
	return out
}

func (p page) fill(id string, value func(name string) string) string {
	data := map[string]any{}
	for name := range p.Values {
		data[name] = value(name)
	}
	if p.Count > 0 {
		data["PluralCount"] = p.Count
	}
	return p.Message.Tag.Text(id, data)
}
