// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import "fmt"

// Reason is why a text cannot be a user name. It is a key that the caller translates into
// the person's language.
type Reason string

// The reasons.
const (
	// ReasonEmpty: nothing was typed.
	ReasonEmpty Reason = "empty"
	// ReasonLong: it has more characters than Refusal.Most.
	ReasonLong Reason = "long"
	// ReasonCharacters: it holds something other than letters from a to z in lower case,
	// digits and dashes.
	ReasonCharacters Reason = "characters"
	// ReasonForeign: it holds Refusal.Letter, which is none of those.
	ReasonForeign Reason = "foreign"
	// ReasonLookAlike: it holds Refusal.Letter, which only looks like Refusal.Latin.
	ReasonLookAlike Reason = "look-alike"
	// ReasonDash: it starts or ends with a dash.
	ReasonDash Reason = "dash"
	// ReasonReserved: the name is reserved.
	ReasonReserved Reason = "reserved"
	// ReasonQualifier: Refusal.Qualifier cannot follow a user name. The organization has
	// to change it.
	ReasonQualifier Reason = "qualifier"
)

// Refusal is the error of Check and CheckWith. Fields that do not belong to its Reason
// are empty.
type Refusal struct {
	Reason Reason
	// Most is the maximum length of the name, in characters.
	Most int
	// Letter is a letter of the name, and Latin the one that it looks like.
	Letter, Latin string
	// Qualifier is the qualifier that was passed.
	Qualifier string
}

// Error returns a sentence in English for the person who typed the name.
func (r *Refusal) Error() string {
	const hint = "use only the letters a to z in lower case, digits and dashes, such as jane-doe"
	switch r.Reason {
	case ReasonEmpty:
		return "choose a user name, such as jane-doe"
	case ReasonLong:
		return fmt.Sprintf("a user name has at most %d characters: shorten it", r.Most)
	case ReasonForeign:
		return fmt.Sprintf("the letter %s cannot be part of a user name: %s", r.Letter, hint)
	case ReasonLookAlike:
		return fmt.Sprintf("the letter %s only looks like the Latin %s: %s", r.Letter, r.Latin, hint)
	case ReasonDash:
		return "a user name starts and ends with a letter or a digit: remove the dash"
	case ReasonReserved:
		return "this user name is reserved for the system and its operators: choose another, such as jane-doe"
	case ReasonQualifier:
		return fmt.Sprintf("the qualifier %q cannot follow a user name: ask the organization for one with at most %[2]d lower-case letters a to z, digits and dashes", r.Qualifier, maxQualifier)
	case ReasonCharacters:
	}
	return hint
}
