// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package username holds the rules of user names:
//
//   - their form (Check)
//   - the reserved names (Reserved)
//   - which names look alike (Skeleton)
//   - how a name with a qualifier is written and typed (Join, Show, ParseSignIn)
//   - which names to propose to a person (Propose)
//
// It is pure: it imports neither a client nor net/http, and the caller tells it which
// names are taken.
//
// A user name is what its owner chose, a DNS label. If an Organization sets a qualifier,
// the Account's name is the chosen part, a dot and the qualifier. People write a slash
// for the dot: jane-doe.acme is jane-doe/acme.
package username

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths in characters, which are octets too.
const (
	// maxLength is the maximum of a DNS label and of a label value. Both are made of an
	// Account's name, with its qualifier.
	maxLength = 63
	// maxQualifier leaves a person enough room for a name.
	maxQualifier = 30
)

// Check returns why a text cannot be a user name without a qualifier, or nil. The error
// is a *Refusal. Except for Reserved names, it accepts exactly what the API server
// accepts. User names are in lower case. A caller that wants to accept capitals converts
// them first.
//
// Letters of other scripts are refused, so they cannot make look-alikes. Skeleton handles
// look-alikes within a to z and 0 to 9.
func Check(name string) error { return CheckWith(name, "") }

// CheckWith is Check for the chosen part of a name with a qualifier. An empty qualifier
// means none. Both together have at most 63 characters.
func CheckWith(chosen, qualifier string) error {
	if qualifier != "" && (len(qualifier) > maxQualifier || !isLabel(qualifier)) {
		return &Refusal{Reason: ReasonQualifier, Qualifier: qualifier}
	}
	if err := checkForm(chosen, maxLength-len(Join("", qualifier))); err != nil {
		return err
	}
	if Reserved(chosen) {
		return &Refusal{Reason: ReasonReserved}
	}
	return nil
}

func checkForm(name string, most int) error {
	switch {
	case name == "":
		return &Refusal{Reason: ReasonEmpty}
	case utf8.RuneCountInString(name) > most:
		return &Refusal{Reason: ReasonLong, Most: most}
	case strings.ContainsFunc(name, notInName):
		return checkLetters(name)
	case !isLabel(name):
		return &Refusal{Reason: ReasonDash}
	}
	return nil
}

// checkLetters returns what is wrong with a name that holds characters other than those
// of a label. A foreign letter can look right, so the refusal names it.
func checkLetters(name string) error {
	for _, r := range norm.NFC.String(name) {
		if r < utf8.RuneSelf || !unicode.IsLetter(r) {
			continue
		}
		if latin := looksLike(r); latin != "" {
			return &Refusal{Reason: ReasonLookAlike, Letter: string(r), Latin: latin}
		}
		return &Refusal{Reason: ReasonForeign, Letter: string(r)}
	}
	return &Refusal{Reason: ReasonCharacters}
}

// isLabel reports whether a text is a DNS label in lower case (RFC 1123).
func isLabel(text string) bool {
	return text != "" && len(text) <= maxLength && !strings.ContainsFunc(text, notInName) &&
		text[0] != '-' && text[len(text)-1] != '-'
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}
