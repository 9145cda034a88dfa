// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// ownEntity begins what stands for an Organization that is a legal entity of
// its own. The API server takes no text with such a character.
const ownEntity = "\x00"

// LegalEntity is what stands for the legal entity of an Organization:
// spec.legalEntity as it is written or, where it is unset, the Organization
// itself, in a form that no text can have. It is to be compared, not to be read.
func LegalEntity(org *accountsv1.Organization) string {
	if entity := org.Spec.LegalEntity; entity != "" {
		return string(entity)
	}
	return ownEntity + org.Name
}

// SameLegalEntity tells whether two Organizations belong to one legal entity.
func SameLegalEntity(a, b *accountsv1.Organization) bool {
	return LegalEntity(a) == LegalEntity(b)
}

// MayJoin tells whether an Account that belongs to the current Organizations may
// take up a Membership of org, too: all must be of one legal entity. Whoever
// belongs to none may join any. An Organization that is gone, a nil, stands in
// nobody's way.
func MayJoin(org *accountsv1.Organization, current []*accountsv1.Organization) bool {
	return org == nil || !slices.ContainsFunc(current, func(c *accountsv1.Organization) bool {
		return c != nil && !SameLegalEntity(org, c)
	})
}
