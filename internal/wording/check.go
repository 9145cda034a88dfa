// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"fmt"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/usher-dev/usher/internal/sanitize"
	"github.com/usher-dev/usher/internal/wording/input"
	"github.com/usher-dev/usher/internal/wording/language"
)

// maxQuote is how much of a person's own text a message contains, in characters.
const maxQuote = 500

// webAddress is what the inviter's message must not contain. The API refuses the same, and accepts the
// Italian titles Sig.ra and Dott.ssa.
var (
	webAddress = regexp.MustCompile(`(?i)://|www[.]|[\p{L}\p{N}][.]\p{L}{2,}`)
	title      = regexp.MustCompile(`(?i)^.[.](ra|ssa)$`)
)

func holdsWebAddress(s string) bool {
	return slices.ContainsFunc(webAddress.FindAllString(s, -1), func(found string) bool { return !title.MatchString(found) })
}

// mailAddress is a plain mail address, with the punctuation of a sentence around it.
var mailAddress = regexp.MustCompile(`^[(<]?[\p{L}\p{N}_.+-]+@[\p{L}\p{N}-]+([.][\p{L}\p{N}-]+)*[>,;:.)]*$`)

// checks validates the fields of a message one after the other and keeps the first error.
type checks struct{ err error }

func (c *checks) keep(s string, err error) string {
	if c.err == nil {
		c.err = err
	}
	return s
}

// name checks a required name.
func (c *checks) name(field, s string) string { return c.keep(checkName(field, s, true)) }

// person checks the name of a person, which can be empty. The result never looks like a link: attackers
// pretend to be people, and no person's name needs a dot inside.
func (c *checks) person(field, s string) string {
	s = c.keep(checkName(field, s, false))
	return input.BreakAddresses(s)
}

// userName checks the name that a person signs in with. It must be shown unchanged, and must not look
// like a link.
func (c *checks) userName(field, s string) string {
	s = c.name(field, s)
	c.require(input.BreakAddresses(s) == s, field, "contains a web address")
	return s
}

// date returns a time in the notation of the language.
func (c *checks) date(tag language.Tag, field string, at time.Time) string {
	c.require(!at.IsZero(), field, "is missing")
	return tag.Date(at)
}

// link checks the absolute address of a page.
func (c *checks) link(field, s string) string { return c.keep(s, checkLink(field, s)) }

// address checks the mail address of a person.
func (c *checks) address(field, s string) string {
	a, err := input.Address(field, netmail.Address{Address: s})
	return c.keep(a.Address, err)
}

// message checks a text by a person with rights in the organization.
func (c *checks) message(field, s string) string { return c.keep(checkMessage(field, s)) }

// require refuses a field unless ok.
func (c *checks) require(ok bool, field, reason string) {
	if !ok {
		c.keep("", input.Invalid(field, reason))
	}
}

func checkName(field, s string, required bool) (string, error) {
	s, err := input.Line(field, s)
	if err != nil {
		return "", err
	}
	lower := strings.ToLower(s)
	switch {
	case s == "" && required:
		return "", input.Invalid(field, "is missing")
	case strings.Contains(lower, "://") || strings.Contains(lower, "www."):
		return "", input.Invalid(field, "contains a web address")
	case strings.ContainsFunc(s, input.ReversesText):
		return "", input.Invalid(field, "contains a character that reverses the order of letters")
	}
	return s, nil
}

func checkLink(field, link string) error {
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil ||
		strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"\\`", r) }) {
		return input.Invalid(field, "must be an absolute http or https URL in ASCII")
	}
	return nil
}

func checkMessage(field, s string) (string, error) {
	switch {
	case !utf8.ValidString(s):
		return "", input.Invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && input.BreaksLine(r) || input.ReversesText(r) }):
		return "", input.Invalid(field, "contains a control character other than a line break")
	case utf8.RuneCountInString(s) > maxQuote:
		return "", input.Invalid(field, fmt.Sprintf("is longer than %d characters", maxQuote))
	case holdsWebAddress(s):
		return "", input.Invalid(field, "contains a web address (put a space after a full stop)")
	}
	return paragraphs(input.BreakAddresses(s)), nil
}

// quotable makes any text by a stranger fit for a message, because a notice must not fail because of
// the text. A string that looks like an address gets a space inside, so that no program turns it into a
// link.
func quotable(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(strings.ToValidUTF8(s, ""))
	s = strings.Map(func(r rune) rune {
		switch {
		case input.ReversesText(r):
			return -1
		case r != '\n' && unicode.IsControl(r):
			return ' '
		}
		return r
	}, s)
	return paragraphs(input.BreakAddresses(sanitize.Shorten(s, maxQuote)))
}

// contact makes any support contact fit for a message: a mail about a password must not wait until an
// admin corrects a telephone number. A mail address stays unchanged. A string that looks like another
// address gets a space inside.
func contact(s string) string {
	words := strings.Fields(sanitize.SingleLine(s))
	for i, word := range words {
		if !mailAddress.MatchString(word) {
			words[i] = input.BreakAddresses(word)
		}
	}
	return sanitize.Shorten(strings.Join(words, " "), input.MaxLine)
}

// paragraphs removes the spaces around lines. Of several empty lines in a row it keeps one.
func paragraphs(s string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		line = strings.TrimSpace(line)
		if line != "" || len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
