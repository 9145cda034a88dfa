// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import "fmt"

// Reason is why a text cannot be a user name: a name for whoever tells the
// person in their own language.
type Reason string

// The reasons.
const (
	// ReasonEmpty: nothing was typed.
	ReasonEmpty Reason = "empty"
	// ReasonLong: it has more characters than Refusal.Most.
	ReasonLong Reason = "long"
	// ReasonCharacters: it holds something other than letters from a to z in
	// lower case, digits and dashes.
	ReasonCharacters Reason = "characters"
	// ReasonForeign: it holds Refusal.Letter, which is none of those.
	ReasonForeign Reason = "foreign"
	// ReasonLookAlike: it holds Refusal.Letter, which only looks like
	// Refusal.Latin.
	ReasonLookAlike Reason = "look-alike"
	// ReasonDash: it starts or ends with a dash.
	ReasonDash Reason = "dash"
	// ReasonReserved: nobody gets it.
	ReasonReserved Reason = "reserved"
	// ReasonQualifier: Refusal.Qualifier cannot follow a user name. It is the
	// organization that has to change it.
	ReasonQualifier Reason = "qualifier"
)

// Refusal is the error of Check and CheckWith. What does not belong to its
// Reason is empty.
type Refusal struct {
	Reason Reason
	// Most is how many characters a name can have here.
	Most int
	// Letter is a letter of the name, and Latin the one that it looks like.
	Letter, Latin string
	// Qualifier is as it was given.
	Qualifier string
}

// Error is a sentence to the person who typed the name, in English.
func (r *Refusal) Error() string {
	const hint = "use only the letters a to z in lower case, digits and dashes, such as jane-doe"
	switch r.Reason {
	case ReasonEmpty:
		return "choose a user name, such as jane-doe"
	case ReasonLong:
		return fmt.Sprintf("a user name has %d characters at the most: shorten it", r.Most)
	case ReasonForeign:
		return fmt.Sprintf("the letter %s cannot be part of a user name: %s", r.Letter, hint)
	case ReasonLookAlike:
		return fmt.Sprintf("the letter %s is not the Latin %s, which it looks like: %s", r.Letter, r.Latin, hint)
	case ReasonDash:
		return "a user name starts and ends with a letter or a digit: take the dash away"
	case ReasonReserved:
		return "this user name is kept for the system and for those who run it: choose another, such as jane-doe"
	case ReasonQualifier:
		return fmt.Sprintf("the qualifier %q cannot follow a user name: ask the organization for one of letters a to z in lower case, digits and dashes, %d at the most", r.Qualifier, maxQualifier)
	case ReasonCharacters:
	}
	return hint
}
