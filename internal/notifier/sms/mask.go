// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"

	"github.com/usher-dev/usher/internal/sanitize"
)

const (
	// maxQuoted is the longest answer that an error quotes, in bytes. A longer answer is a page of
	// something else.
	maxQuoted = 2000
	// maxQuote is how much of an answer an error quotes, in characters.
	maxQuote = 200
	// maskLength is the longest part of a text that an error can show, in bytes. It is short enough to
	// hide a cut link, and long enough to leave common words alone.
	maskLength = 16
)

// secrets are the strings that an error must not repeat, in any encoding that a gateway can use.
type secrets struct {
	texts     []string // hidden in parts, because a gateway can cut them
	passwords []string // hidden as a whole, because they can be shorter than a part
}

func secretsOf(user, password, text string) secrets {
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	s := secrets{passwords: []string{basic, base64.StdEncoding.EncodeToString([]byte(password))}}
	for _, written := range []func(string) string{url.QueryEscape, url.PathEscape, html.EscapeString, sanitize.SingleLine} {
		s.texts = append(s.texts, written(text))
		s.passwords = append(s.passwords, written(password))
	}
	return s
}

// sanitize turns the answer of a gateway into text for a status: one short line without secrets. It
// returns "" if the answer is a page instead of a sentence.
func (s secrets) sanitize(answer string) string {
	if len(answer) > maxQuoted {
		return ""
	}
	answer = sanitize.SingleLine(answer)
	if strings.HasPrefix(answer, "<") || strings.HasPrefix(answer, "{") {
		return ""
	}
	for _, password := range s.passwords {
		answer = sanitize.Mask(answer, len(password), password)
	}
	return sanitize.Shorten(sanitize.Mask(answer, maskLength, s.texts...), maxQuote)
}
