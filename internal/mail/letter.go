// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"maps"
	"strings"
	texttemplate "text/template"

	"github.com/usher-dev/usher/internal/quote"
	"github.com/usher-dev/usher/internal/wording/language"
)

// A message has one template a format, for all languages: the sentences are in the catalogue of
// package language, below "mail.", and the templates say in which order they stand.
//
//go:embed templates
var templates embed.FS

var (
	builtInText = texttemplate.Must(texttemplate.ParseFS(templates, "templates/*.txt"))
	builtInHTML = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/*.html"))
)

// Templates is the wording of messages: the built-in one, and what an organization put in its place
// (see ParseTemplates). The zero value is the built-in wording. It never changes, and it is safe for
// concurrent use.
//
// Its methods write a Content from data and a language. It depends on nothing but these three. Their
// error is an *InvalidError where something is missing, or where a name holds a line break or a web
// address: a name must not become a second link.
type Templates struct {
	own map[string]wording // by message, such as "code", or by message and language, such as "code.de"
}

// letter is a message before it is written: all that a wording can say.
type letter struct {
	// kind names its templates, its sentences and its keys, such as "invitation".
	kind string
	tag  language.Tag
	// values are checked, and are not escaped. A wording has them by these names.
	values map[string]string
	// lines are the values of several lines, and what each of their lines begins with in plain text.
	lines map[string]string
	// count is the number that sentences with a plural are about; 0 where there is none.
	count int
}

func (t Templates) write(l letter) (Content, error) {
	for _, key := range []string{l.kind + "." + l.tag.String(), l.kind} {
		own, found := t.own[key]
		if !found {
			continue
		}
		c, err := own.write(l)
		if err != nil {
			return Content{}, err
		}
		if carries(l, c) == "" {
			return c, nil
		}
		break // the built-in wording is safe with any values
	}
	p := page{l}
	var text, html strings.Builder
	if err := builtInText.ExecuteTemplate(&text, l.kind+".txt", page{l.inPlainText()}); err != nil {
		return Content{}, fmt.Errorf("writing the %s as text: %w", l.kind, err)
	}
	if err := builtInHTML.ExecuteTemplate(&html, l.kind+".html", p); err != nil {
		return Content{}, fmt.Errorf("writing the %s as HTML: %w", l.kind, err)
	}
	return Content{Subject: oneLine(p.Say(p.Subject())), Text: text.String(), HTML: html.String()}, nil
}

// inPlainText marks the lines that are quoted or listed. HTML has elements for that.
func (l letter) inPlainText() letter {
	l.values = maps.Clone(l.values)
	for name, mark := range l.lines {
		if lines := (page{l}).Lines(name); lines != nil {
			for i, line := range lines {
				lines[i] = strings.TrimRight(mark+line, " ")
			}
			l.values[name] = strings.Join(lines, "\n")
		}
	}
	return l
}

// oneLine makes a text fit for a subject.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || breaksLine(r) }), " ")
	// "=?" begins an encoded word (RFC 2047); two names beside each other could make one.
	return quote.Shorten(strings.ReplaceAll(s, "=?", "= ?"), maxHeaderText)
}

// page is what the built-in templates work with.
type page struct{ letter }

// Tag is the language, for the attribute lang.
func (p page) Tag() string { return p.tag.String() }

// Value is one of the values; it is empty where it is not known.
func (p page) Value(name string) string { return p.values[name] }

// Lines are the lines of a value; none where it is not known.
func (p page) Lines(name string) []string {
	if p.values[name] == "" {
		return nil
	}
	return strings.Split(p.values[name], "\n")
}

// Subject is the id of the sentence that is the subject.
func (p page) Subject() string { return "mail." + p.kind + ".subject" }

// Greeting is the id of the sentence that greets the recipient.
func (p page) Greeting() string {
	if p.values["Name"] == "" {
		return "mail.greeting.anyone"
	}
	return "mail.greeting.name"
}

// Say is the sentence with that id.
func (p page) Say(id string) string {
	return p.fill(id, func(name string) string { return p.values[name] })
}

// button is a link to press, and the same address to copy.
type button struct{ Text, URL, Copy string }

// Button has the sentence with that id on it, and opens the address that is the value.
func (p page) Button(id, value string) button {
	return button{p.Say(id), p.values[value], p.Say("mail.copy")}
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
			out = append(out, part{p.values[piece], true})
		case piece != "":
			out = append(out, part{piece, false})
		}
	}
	return out
}

func (p page) fill(id string, value func(name string) string) string {
	data := map[string]any{}
	for name := range p.values {
		data[name] = value(name)
	}
	if p.count > 0 {
		data["PluralCount"] = p.count
	}
	return p.tag.Text(id, data)
}
