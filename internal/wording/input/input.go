// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package input checks what goes into a message before it is written: one line of text, and one mail
// address. A line break or a hidden character in either could change what the message means, so both the
// sentences of a message and its header fields are checked here. It is pure, and must not import the
// packages that write or send messages.
package input

import (
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/usher-dev/usher/internal/quote"
)

// MaxLine is how long a line can be, in characters.
const MaxLine = 300

const (
	maxLocalPart = 64  // bytes (RFC 5321, section 4.5.3.1.1)
	maxAddress   = 254 // bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets)
)

// InvalidError says that a message cannot be written from its input. It is permanent: the input must
// change. Nothing was sent.
type InvalidError struct {
	// Field names the part of the message, such as "subject".
	Field string
	// Reason says what is wrong with it, without repeating it.
	Reason string
}

func (e *InvalidError) Error() string { return fmt.Sprintf("the %s of the mail %s", e.Field, e.Reason) }

// Invalid is an *InvalidError.
func Invalid(field, reason string) error { return &InvalidError{Field: field, Reason: reason} }

// Permanent is true: the same message cannot be sent later either.
func (*InvalidError) Permanent() bool { return true }

// Line returns s with its spaces made single: go-mail folds at spaces, and a run of them could
// become a line of nothing but space, which RFC 5322 forbids.
func Line(field, s string) (string, error) {
	switch {
	case !utf8.ValidString(s):
		return "", Invalid(field, "is not valid UTF-8")
	case strings.ContainsFunc(s, BreaksLine):
		return "", Invalid(field, "holds a line break or another control character")
	case strings.Contains(s, "=?"):
		// Many programs decode it wherever it stands (RFC 2047), into a text that nobody here has checked.
		return "", Invalid(field, `holds "=?", which begins an encoded word: leave one of the two characters out`)
	case utf8.RuneCountInString(s) > MaxLine:
		return "", Invalid(field, fmt.Sprintf("is longer than %d characters", MaxLine))
	}
	return strings.Join(strings.Fields(s), " "), nil
}

// BreaksLine reports whether a character ends a line, or controls something else.
func BreaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// unseen tells what an address could hold without anybody seeing it: besides control characters also
// spaces of no width, marks that turn the order of letters round, and the like.
func unseen(r rune) bool { return !unicode.IsPrint(r) }

// Address returns the address with its domain in ASCII (RFC 5890), the form that every server knows.
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
	// Lookup also refuses what is no host name, such as an address literal or a space.
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" {
		return a, bad
	}
	address := local + "@" + domain
	parsed, err := netmail.ParseAddress(address)
	// Not equal: it held a name, a comment, quotes, or more than one address.
	if err != nil || parsed.Name != "" || parsed.Address != address || len(address) > maxAddress {
		return a, bad
	}
	return netmail.Address{Name: name, Address: address}, nil
}

// Subject makes a text fit for a subject: one line of bounded length, without what begins an encoded word.
func Subject(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || BreaksLine(r) }), " ")
	// "=?" begins an encoded word (RFC 2047); two names beside each other could make one.
	return quote.Shorten(strings.ReplaceAll(s, "=?", "= ?"), MaxLine)
}

var lineFeeds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// LineFeeds ends every line of a text with a line feed alone.
func LineFeeds(s string) string { return lineFeeds.Replace(s) }
