// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package template

import (
	"maps"
	"slices"
	"strings"

	"github.com/usher-dev/usher/internal/wording/language"
)

// Message is one message before it is worded: the values that a wording can say.
type Message struct {
	// Kind names its templates and its sentences, such as "invitation".
	Kind string
	// Tag is the language of the message.
	Tag language.Tag
	// Values by their names. They are checked, and are not escaped.
	Values map[string]string
	// Lines are the values of several lines, and what each of their lines begins with in plain text.
	Lines map[string]string
	// Count is the number that sentences with a plural are about; 0 where there is none.
	Count int
}

// Content is what a person reads of a message.
type Content struct {
	// Subject is one line of plain text.
	Subject string
	// Text is the plain text body.
	Text string
	// HTML is the same in HTML; empty means that the message is plain text only.
	HTML string
}

// LinesOf are the lines of a value; none where the value is empty.
func (m Message) LinesOf(name string) []string {
	if m.Values[name] == "" {
		return nil
	}
	return strings.Split(m.Values[name], "\n")
}

// PlainText marks the lines that are quoted or listed. HTML has elements for that.
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

// Vocabulary is what the templates of one kind of message can say.
type Vocabulary struct {
	// Must is the value that text and HTML have to show; empty if there is none.
	Must string
	// Secrets are the values that a subject must not show, because it is on every locked screen. They must
	// stand alone, so that they are no part of another address.
	Secrets []string
	// Links are the values that can be a href.
	Links []string
	// Full and Bare are samples: one with all values, one with the required values alone.
	Full, Bare Message
}

// Vocabularies are those of the messages that can be reworded, by kind.
type Vocabularies map[string]Vocabulary

// fields are the names of the values, sorted.
func (v Vocabulary) fields() []string { return slices.Sorted(maps.Keys(v.Full.Values)) }

// samples are a message that says everything and one that says little.
func (v Vocabulary) samples() []Message { return []Message{v.Full, v.Bare} }

// required tells whether a value is never empty.
func (v Vocabulary) required(field string) bool { return v.Bare.Values[field] != "" }
