// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The length of a password, in characters after normalization. NIST SP 800-63B-4
// asks for at least 15 where it is an account's only factor, for at least 8 where
// it is not, and for at least 64 to be accepted. The upper bound only keeps a
// request small.
const (
	MinPasswordLength                 = 15
	MinPasswordLengthWithSecondFactor = 8
	MaxPasswordLength                 = 256
)

// LeastLength is how long a password must be at least.
func LeastLength(secondFactor bool) int {
	if secondFactor {
		return MinPasswordLengthWithSecondFactor
	}
	return MinPasswordLength
}

// IsShort tells whether a password is too short to be an account's only factor.
func IsShort(password string) bool { return PasswordLength(password) < MinPasswordLength }

// Normal is the form in which a password is measured, hashed and compared:
// NFC, so that é is the same letter however a keyboard composes it.
func Normal(password string) string { return norm.NFC.String(password) }

// PasswordLength counts the characters of a password in Normal form.
func PasswordLength(password string) int { return utf8.RuneCountInString(Normal(password)) }

// Weakness is why a password cannot be taken. It is a name for whoever tells the
// person, in their language; the empty one says that nothing is wrong.
type Weakness string

// What can be wrong with a password. All but the first three say what makes it
// easy to guess.
const (
	// WeakEmpty: nothing was typed.
	WeakEmpty Weakness = "empty"
	// WeakShort: it has less than LeastLength characters.
	WeakShort Weakness = "short"
	// WeakLong: it has more than MaxPasswordLength characters.
	WeakLong Weakness = "long"
	// WeakPersonal: it is built from the person's name or address, or from the
	// name of the organization.
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

// CheckPassword tells why a password cannot be taken, or that nothing is wrong
// with it. Length and how easy it is to guess are all that counts: any
// character is welcome, and none is asked for.
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

// Person is what can be known about the owner of an account, and is therefore
// tried first by whoever guesses their password.
type Person struct {
	UserName, Email, GivenName, FamilyName string
	// Organization holds its name and its title.
	Organization []string
}

// words are what the person's password should not be built from.
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
