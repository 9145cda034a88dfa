// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"
	"unicode"
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
	for _, written := range []func(string) string{url.QueryEscape, url.PathEscape, html.EscapeString, clean} {
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
	answer = clean(answer)
	if strings.HasPrefix(answer, "<") || strings.HasPrefix(answer, "{") {
		return ""
	}
	for _, password := range s.passwords {
		answer = mask(answer, len(password), password)
	}
	return shorten(mask(answer, maskLength, s.texts...), maxQuote)
}

// clean leaves one line without control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// shorten cuts to n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// mask hides every stretch of s, n bytes or longer, that also stands in one of the secrets.
func mask(s string, n int, secrets ...string) string {
	hidden := make([]bool, len(s))
	for i := 0; n > 0 && i+n <= len(s); i++ {
		for _, secret := range secrets {
			if strings.Contains(secret, s[i:i+n]) {
				for j := i; j < i+n; j++ {
					hidden[j] = true
				}
				break
			}
		}
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("[hidden]")
		}
	}
	// A stretch may begin or end within a letter.
	return strings.ToValidUTF8(b.String(), "")
}
