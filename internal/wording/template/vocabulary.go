// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"maps"
	"slices"
	"strings"

	"github.com/usher-dev/usher/internal/wording/language"
)

// Message is one message before it is worded: the values that a wording can show.
type Message struct {
	// Kind names its templates and its sentences, such as "invitation".
	Kind string
	// Tag is the language of the message.
	Tag language.Tag
	// Values are the values by their names. They are checked but not escaped.
	Values map[string]string
	// Lines are the names of values with several lines. Each entry is the beginning of every line in
	// plain text.
	Lines map[string]string
	// Count is the number in sentences with a plural. It is 0 if there is none.
	Count int
}

// Content is the part of a message that a person reads.
type Content struct {
	// Subject is one line of plain text.
	Subject string
	// Text is the plain text body.
	Text string
	// HTML is the same body in HTML. Empty means that the message is plain text only.
	HTML string
}

// LinesOf returns the lines of a value. There are none if the value is empty.
func (m Message) LinesOf(name string) []string {
	if m.Values[name] == "" {
		return nil
	}
	return strings.Split(m.Values[name], "\n")
}

// PlainText returns the message with marks before the lines that are quoted or listed. HTML has
// elements for that.
func (m Message) PlainText() Message {
	m.Values = maps.Clone(m.Values)
	for name, mark := range m.Lines {
		if lines := m.LinesOf(name); lines != nil {
			for i, line := range lines {
				lines[i] = strings.TrimRight(mark+line, " ")
			}
			m.Values[name] = strings.Join(lines, "\n")
		}
	}
	return m
}

// Vocabulary is what the templates of one kind of message can show.
type Vocabulary struct {
	// Must is the value that text and HTML must show. It is empty if there is none.
	Must string
	// Secrets are the values that a subject must not show, because every locked screen shows the
	// subject. They must stand alone, so that they are no part of another address.
	Secrets []string
	// Links are the values that can be a href.
	Links []string
	// Full and Bare are samples: one with all values, one with only the required values.
	Full, Bare Message
}

// Vocabularies holds the vocabularies of the messages that can be reworded, by kind.
type Vocabularies map[string]Vocabulary

// fields returns the names of the values, sorted.
func (v Vocabulary) fields() []string { return slices.Sorted(maps.Keys(v.Full.Values)) }

// samples returns a message with all values and one with only the required values.
func (v Vocabulary) samples() []Message { return []Message{v.Full, v.Bare} }

// required reports whether a value is never empty.
func (v Vocabulary) required(field string) bool { return v.Bare.Values[field] != "" }
