// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The length of a password that is an account's only factor, in characters
// after normalization. NIST SP 800-63B-4 asks for at least 15, and for at least
// 64 to be accepted. The upper bound only keeps a request small.
const (
	MinPasswordLength = 15
	MaxPasswordLength = 256
)

// Normal is the form in which a password is measured, hashed and compared:
// NFC, so that é is the same letter however a keyboard composes it.
func Normal(password string) string { return norm.NFC.String(password) }

// PasswordLength counts the characters of a password in Normal form.
func PasswordLength(password string) int { return utf8.RuneCountInString(Normal(password)) }

// CheckPassword tells why a password cannot be taken, in a sentence to the
// person who typed it, or returns nil. Length and how easy it is to guess are
// all that counts: any character is welcome, and none is asked for.
func CheckPassword(password string, about Person) error {
	switch length := PasswordLength(password); {
	case password == "":
		return fmt.Errorf("choose a password of at least %d characters; three or four words that do not belong together make a good one", MinPasswordLength)
	case length < MinPasswordLength:
		return fmt.Errorf("make it longer by %d: a password needs at least %d characters, and spaces count", MinPasswordLength-length, MinPasswordLength)
	case length > MaxPasswordLength:
		return fmt.Errorf("this password has %d characters, and %d is the most: shorten it", length, MaxPasswordLength)
	}
	if s := Rate(password, about); s.Weak() {
		return fmt.Errorf("too easy to guess: %s", s.Reason)
	}
	return nil
}

// Person is what can be known about the owner of an account, and is therefore
// tried first by whoever guesses their password.
type Person struct {
	UserName, Email, GivenName, FamilyName string
	// Organization holds its name and its title.
	Organization []string
}

// words are what the person's password should not be built from.
func (p Person) words() []string {
	texts := append([]string{p.UserName, p.Email, p.GivenName, p.FamilyName, "usher"}, p.Organization...)
	seen := map[string]bool{}
	var words []string
	for _, text := range texts {
		folded := strings.ToLower(firstRunes(text, ratedLength))
		parts := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, word := range append(parts, folded, strings.Join(parts, "")) {
			word = singleBytes(word)
			if len(word) >= 3 && !seen[word] {
				seen[word] = true
				words = append(words, word)
			}
		}
	}
	return words
}
