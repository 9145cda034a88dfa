// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"

	"github.com/usher-dev/usher/internal/quote"
)

const (
	// maxQuoted is the longest answer of which anything is repeated, in bytes. What is longer is a
	// page of something else.
	maxQuoted = 2000
	// maxQuote is how much of an answer is repeated, in characters.
	maxQuote = 200
	// maskLength is how many bytes of a text may show: short enough to hide a cut link, long enough to
	// leave common words alone.
	maskLength = 16
)

// secrets are what must not come back in an error, whatever the gateway makes of them.
type secrets struct {
	texts     []string // hidden in stretches: a gateway may cut them
	passwords []string // hidden whole: they may be shorter than a stretch
}

func secretsOf(user, password, text string) secrets {
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	s := secrets{passwords: []string{basic, base64.StdEncoding.EncodeToString([]byte(password))}}
	for _, written := range []func(string) string{url.QueryEscape, url.PathEscape, html.EscapeString, quote.Line} {
		s.texts = append(s.texts, written(text))
		s.passwords = append(s.passwords, written(password))
	}
	return s
}

// quote makes a stranger's words fit for a status: one short line in which no secret is left. It gives
// up on whatever is a page and not a sentence.
func (s secrets) quote(answer string) string {
	if len(answer) > maxQuoted {
		return ""
	}
	answer = quote.Line(answer)
	if strings.HasPrefix(answer, "<") || strings.HasPrefix(answer, "{") {
		return ""
	}
	for _, password := range s.passwords {
		answer = quote.Mask(answer, len(password), password)
	}
	return quote.Shorten(quote.Mask(answer, maskLength, s.texts...), maxQuote)
}
