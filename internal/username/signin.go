// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package username

import "strings"

// Join is the name of the Account whose owner chose a name in an Organization
// with a qualifier, or without one if that is empty. It checks nothing.
func Join(chosen, qualifier string) string {
	if qualifier == "" {
		return chosen
	}
	return chosen + "." + qualifier
}

// Show is an Account's name as people read and type it: jane-doe/acme for
// jane-doe.acme, and jane-doe as it is.
func Show(objectName string) string { return strings.Replace(objectName, ".", "/", 1) }

// ParseSignIn gives the name of the Account that somebody means who types a
// user name to sign in: the chosen part alone, or with a slash and the
// qualifier. Spaces around it and capitals are how telephones write. It is not
// ok if there can be no such Account, as for an address. A Reserved name is ok:
// it may be older than the rule. For every name that the API server takes,
// ParseSignIn undoes Show.
func ParseSignIn(typed string) (objectName string, ok bool) {
	// In ASCII only: for strings.ToLower the Kelvin sign is a capital k.
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
