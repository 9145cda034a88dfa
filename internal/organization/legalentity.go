// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// ownEntity begins the identifier of an Organization that is a legal entity of its own.
// The API server accepts no text with this character.
const ownEntity = "\x00"

// LegalEntity returns an identifier of the legal entity of an Organization:
// spec.legalEntity as written or, if it is unset, the Organization itself in a form
// that no text can have. It is for comparison, not for display.
func LegalEntity(org *accountsv1.Organization) string {
	if entity := org.Spec.LegalEntity; entity != "" {
		return string(entity)
	}
	return ownEntity + org.Name
}

// SameLegalEntity reports whether two Organizations belong to one legal entity.
func SameLegalEntity(a, b *accountsv1.Organization) bool {
	return LegalEntity(a) == LegalEntity(b)
}

// MayJoin reports whether an Account that belongs to the current Organizations may also
// join org. All of them must belong to one legal entity. An Account that belongs to no
// Organization can join any. Nil means a deleted Organization, and prevents nothing.
func MayJoin(org *accountsv1.Organization, current []*accountsv1.Organization) bool {
	return org == nil || !slices.ContainsFunc(current, func(c *accountsv1.Organization) bool {
		return c != nil && !SameLegalEntity(org, c)
	})
}
