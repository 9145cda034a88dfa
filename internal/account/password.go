// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The length of a password, in characters after normalization. NIST SP 800-63B-4 requires
// at least 15 if the password is the only factor and at least 8 if it is not. It also
// requires that passwords of at least 64 are accepted. The upper bound only keeps a
// request small.
const (
	MinPasswordLength                 = 15
	MinPasswordLengthWithSecondFactor = 8
	MaxPasswordLength                 = 256
)

// LeastLength returns the minimum length of a password.
func LeastLength(secondFactor bool) int {
	if secondFactor {
		return MinPasswordLengthWithSecondFactor
	}
	return MinPasswordLength
}

// IsShort reports whether a password is too short to be an account's only factor.
func IsShort(password string) bool { return PasswordLength(password) < MinPasswordLength }

// Normal returns the form in which a password is measured, hashed and compared. It is
// NFC, so é is the same letter however a keyboard composes it.
func Normal(password string) string { return norm.NFC.String(password) }

// PasswordLength returns the number of characters of a password in Normal form.
func PasswordLength(password string) int { return utf8.RuneCountInString(Normal(password)) }

// Weakness is the reason why a password is refused. It is a key that the caller
// translates into the person's language. Empty means that nothing is wrong.
type Weakness string

// What can be wrong with a password. All except the first three name what makes it easy
// to guess.
const (
	// WeakEmpty: nothing was typed.
	WeakEmpty Weakness = "empty"
	// WeakShort: it has fewer than LeastLength characters.
	WeakShort Weakness = "short"
	// WeakLong: it has more than MaxPasswordLength characters.
	WeakLong Weakness = "long"
	// WeakPersonal: it is built from the person's name or address, or from the name of
	// the organization.
	WeakPersonal Weakness = "personal"
	// WeakCommon: it is a common password, or only a few common words.
	WeakCommon Weakness = "common"
	// WeakKeyboard: it follows the keys of a keyboard.
	WeakKeyboard Weakness = "keyboard"
	// WeakSequence: it follows the alphabet or counts up.
	WeakSequence Weakness = "sequence"
	// WeakSame: it repeats the same character.
	WeakSame Weakness = "same"
	// WeakRepeated: it repeats a part over and over.
	WeakRepeated Weakness = "repeated"
	// WeakDate: it is mostly a date.
	WeakDate Weakness = "date"
	// WeakSimple: it has no such pattern, but it is too simple.
	WeakSimple Weakness = "simple"
)

// CheckPassword returns why a password is refused, or the empty Weakness. Only the length
// and how easy the password is to guess count: any character is welcome, and none is
// required.
func CheckPassword(password string, about Person, secondFactor bool) Weakness {
	switch length := PasswordLength(password); {
	case password == "":
		return WeakEmpty
	case length < LeastLength(secondFactor):
		return WeakShort
	case length > MaxPasswordLength:
		return WeakLong
	}
	return Rate(password, about).Weakness
}

// Person is what can be known about the owner of an account. An attacker tries it first.
type Person struct {
	UserName, Email, GivenName, FamilyName string
	// Organization holds the name and the title of each Organization.
	Organization []string
}

// words returns the words that the person's password should not be built from.
func (p Person) words() []string {
	texts := append([]string{p.UserName, p.Email, p.GivenName, p.FamilyName, "usher", "kubernetes"}, p.Organization...)
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
