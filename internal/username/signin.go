// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import "strings"

// Join returns the name of the Account for a chosen name in an Organization with a
// qualifier. The qualifier may be empty. Join checks nothing.
func Join(chosen, qualifier string) string {
	if qualifier == "" {
		return chosen
	}
	return chosen + "." + qualifier
}

// Show returns an Account's name as people read and type it: jane-doe/acme for
// jane-doe.acme, and jane-doe unchanged.
func Show(objectName string) string { return strings.Replace(objectName, ".", "/", 1) }

// ParseSignIn returns the name of the Account for a user name that was typed to sign in:
// the chosen part alone, or with a slash and the qualifier. It ignores capitals and
// surrounding spaces, because phones add them. It is not ok if there can be no such
// Account, as for an address. A Reserved name is ok, because it may be older than the
// rule. For every name that the API server accepts, ParseSignIn reverses Show.
func ParseSignIn(typed string) (objectName string, ok bool) {
	// In ASCII only: strings.ToLower maps the Kelvin sign to k.
	name := strings.Map(lowerASCII, strings.TrimSpace(typed))
	chosen, qualifier, qualified := strings.Cut(name, "/")
	if !isLabel(chosen) || qualified && !isLabel(qualifier) || len(name) > maxLength {
		return "", false
	}
	return Join(chosen, qualifier), true
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
