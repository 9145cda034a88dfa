// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package wording writes every sentence that people read in a message, in every medium and language: the built-in
// templates, their values, and the composition of a message from the facts about an Invitation or an Account.
// Its rooms are language (the catalogue), template (the check of a tenant's own wording, a security
// boundary) and input (what a line and an address may hold). It is pure: nothing here sends.
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

// A message has one template a format, for all languages: the sentences are in the catalogue of
// package language, below "mail.", and the templates say in which order they stand.
//
//go:embed templates
var files embed.FS

var (
	builtInText = texttemplate.Must(texttemplate.ParseFS(files, "templates/*.txt"))
	builtInHTML = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/*.html"))
)

// Templates is the wording of messages: the built-in one, and what an organization put in its place
// (see ParseTemplates). The zero value is the built-in wording. It never changes, and it is safe for
// concurrent use.
//
// Its methods write a Content from data and a language. It depends on nothing but these three. Their
// error is an *input.InvalidError where something is missing, or where a name holds a line break or a web
// address: a name must not become a second link.
type Templates struct{ own template.Set }

// Content is what a person reads of a message.
type Content = template.Content

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
func ParseTemplates(data map[string]string) (Templates, []template.Error) {
	own, faults := vocabularies.Parse(data)
	return Templates{own}, faults
}

func (t Templates) write(m template.Message) (Content, error) {
	if own, written, err := t.own.Write(m); written || err != nil {
		return own, err
	}
	p := page{m}
	var text, html strings.Builder
	if err := builtInText.ExecuteTemplate(&text, m.Kind+".txt", page{m.PlainText()}); err != nil {
		return Content{}, fmt.Errorf("writing the %s as text: %w", m.Kind, err)
	}
	if err := builtInHTML.ExecuteTemplate(&html, m.Kind+".html", p); err != nil {
		return Content{}, fmt.Errorf("writing the %s as HTML: %w", m.Kind, err)
	}
	return Content{Subject: input.Subject(p.Say(p.Subject())), Text: text.String(), HTML: html.String()}, nil
}

// page is what the built-in templates work with.
type page struct{ template.Message }

// Tag is the language, for the attribute lang.
func (p page) Tag() string { return p.Message.Tag.String() }

// Value is one of the values; it is empty where it is not known.
func (p page) Value(name string) string { return p.Values[name] }

// Lines are the lines of a value; none where it is not known.
func (p page) Lines(name string) []string { return p.LinesOf(name) }

// Subject is the id of the sentence that is the subject.
func (p page) Subject() string { return "mail." + p.Kind + ".subject" }

// Greeting is the id of the sentence that greets the recipient.
func (p page) Greeting() string {
	if p.Values["Name"] == "" {
		return "mail.greeting.anyone"
	}
	return "mail.greeting.name"
}

// Say is the sentence with that id.
func (p page) Say(id string) string {
	return p.fill(id, func(name string) string { return p.Values[name] })
}

// button is a link to press, and the same address to copy.
type button struct{ Text, URL, Copy string }

// Button has the sentence with that id on it, and opens the address that is the value.
func (p page) Button(id, value string) button {
	return button{p.Say(id), p.Values[value], p.Say("mail.copy")}
}

// part is a piece of a sentence: some words of it, or a value that was filled in.
type part struct {
	Text  string
	Value bool
}

// Parts is the same sentence in pieces, so that HTML can set the values apart. The pieces are escaped
// one by one by the template like everything else.
func (p page) Parts(id string) []part {
	// No sentence and no name of a value holds a NUL, so this cannot be mistaken for anything else.
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
