// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package input checks what goes into a message before it is written: one line of text, and one mail
// address. A line break or a hidden character in either could change the meaning of the message. So
// both the sentences of a message and its header fields are checked here. The package is pure, and must
// not import the packages that write or send messages.
package input

import (
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/usher-dev/usher/internal/sanitize"
)

// MaxLine is the maximum length of a line, in characters.
const MaxLine = 300

const (
	maxLocalPart = 64  // bytes (RFC 5321, section 4.5.3.1.1)
	maxAddress   = 254 // bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets)
)

// InvalidError reports that a message cannot be written from its input. It is permanent: the input must
// change. Nothing was sent.
type InvalidError struct {
	// Field names the part of the message, such as "subject".
	Field string
	// Reason says what is wrong with the field, without repeating its value.
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("the %s in the mail %s", e.Field, e.Reason) }

// Invalid returns an *InvalidError.
func Invalid(field, reason string) error { return &InvalidError{Field: field, Reason: reason} }

// Permanent reports whether a retry with the same message fails too. It always returns true.
func (*InvalidError) Permanent() bool { return true }

// Line returns s with single spaces. go-mail folds at spaces, and a run of spaces could become a line
// that consists only of spaces, which RFC 5322 forbids.
func Line(field, s string) (string, error) {
	switch {
	case !utf8.ValidString(s):
		return "", Invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(s, BreaksLine):
		return "", Invalid(field, "contains a line break or another control character")
	case strings.Contains(s, "=?"):
		// Many programs decode an encoded word anywhere (RFC 2047), and nothing here has checked the
		// decoded text.
		return "", Invalid(field, `contains "=?", which begins an encoded word: remove one of the two characters`)
	case utf8.RuneCountInString(s) > MaxLine:
		return "", Invalid(field, fmt.Sprintf("is longer than %d characters", MaxLine))
	}
	return strings.Join(strings.Fields(s), " "), nil
}

// BreaksLine reports whether a character ends a line or is another control character.
func BreaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// unseen reports whether a character in an address could be invisible. In addition to control
// characters, these are zero-width spaces, marks that reverse the order of letters, and similar
// characters.
func unseen(r rune) bool { return !unicode.IsPrint(r) }

// Address returns the address with its domain in ASCII (RFC 5890), the form that every server supports.
func Address(field string, a netmail.Address) (netmail.Address, error) {
	name, err := Line(field, a.Name)
	if err != nil {
		return a, err
	}
	bad := Invalid(field, "must be one plain mail address, such as ada@example.org")
	at := strings.LastIndexByte(a.Address, '@')
	if at < 1 || at > maxLocalPart || !utf8.ValidString(a.Address) {
		return a, bad
	}
	local, domain := a.Address[:at], a.Address[at+1:]
	if strings.ContainsFunc(local, unseen) {
		return a, bad
	}
	// Lookup also refuses names that are not host names, such as an address literal or a space.
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" {
		return a, bad
	}
	address := local + "@" + domain
	parsed, err := netmail.ParseAddress(address)
	// If they differ, the input contained a name, a comment, quotes, or more than one address.
	if err != nil || parsed.Name != "" || parsed.Address != address || len(address) > maxAddress {
		return a, bad
	}
	return netmail.Address{Name: name, Address: address}, nil
}

// Subject makes a text fit for a subject: one line of bounded length, without the start of an encoded
// word.
func Subject(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || BreaksLine(r) }), " ")
	// "=?" begins an encoded word (RFC 2047). Two adjacent names could form one.
	return sanitize.Shorten(strings.ReplaceAll(s, "=?", "= ?"), MaxLine)
}

var lineFeeds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// LineFeeds ends every line of a text with only a line feed.
func LineFeeds(s string) string { return lineFeeds.Replace(s) }
