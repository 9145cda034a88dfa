// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"cmp"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// mostOwners is how many owners are listed. Whoever is not needs no protection:
// the listed ones stay.
const mostOwners = 100

// Person is a Membership that an Account holds.
type Person struct {
	Membership *accountsv1.Membership
	// Leaving tells whether the person has asked to leave.
	Leaving bool
	// Disabled tells whether nobody can sign in to the Account. Whoever cannot
	// is not the one whom the Organization counts on.
	Disabled bool
}

// Owners is the list of owners as it is to be, from the one that there is and
// the people as they are at this moment.
//
// Nobody who is listed loses access before being taken out of the list. So it is
// the one place where removals meet: somebody is taken out only where another
// one, who was in the list before, stays in it. Where nobody else stays, one of
// those who want to go is kept: the first, who has been in the list for longest.
// Whoever has just joined may have lost access in that very moment, by a look at
// the list as it was before.
func Owners(org *accountsv1.Organization, people []Person) []accountsv1.OwnerStatus {
	if org.DeletionTimestamp != nil {
		return nil
	}
	var last, staying, unseen, joining []accountsv1.OwnerStatus
	for _, p := range inTurn(org, people) {
		m := p.Membership
		listed, isListed := org.Owner(m.Name)
		switch stays := owns(org, p); {
		case stays && isListed && seen(m):
			staying = append(staying, entry(m))
		case stays && isListed:
			unseen = append(unseen, entry(m))
		case stays && seen(m):
			joining = append(joining, entry(m))
		case isListed && org.Owns(listed.Role) && len(last)+len(unseen) == 0:
			last = append(last, listed)
		}
	}
	if len(staying) > 0 {
		last = nil
	}
	owners := slices.Concat(last, staying, unseen, joining)
	return owners[:min(len(owners), mostOwners)]
}

// owns tells whether somebody is an owner, and is to stay one.
func owns(org *accountsv1.Organization, p Person) bool {
	m := p.Membership
	return m.DeletionTimestamp == nil && !p.Leaving && !p.Disabled && m.Spec.State != accountsv1.MembershipSwitchSuspended &&
		grant.Owns(org, m.Spec.Role, m.Spec.Permissions) && m.Status.State == accountsv1.MembershipActive
}

func entry(m *accountsv1.Membership) accountsv1.OwnerStatus {
	return accountsv1.OwnerStatus{Name: accountsv1.CatalogueName(m.Name), Role: m.Spec.Role}
}

// seen tells whether the Membership was looked at as it is. Before, it may be
// losing access for what it asked for until a moment ago.
func seen(m *accountsv1.Membership) bool {
	observed := m.Status.ObservedGeneration
	return observed != nil && *observed == m.Generation
}

// inTurn puts those first whose access is in force, and among them those who are
// in the list, in its order.
func inTurn(org *accountsv1.Organization, people []Person) []Person {
	place := func(p Person) int {
		i := slices.IndexFunc(org.Status.Owners, func(o accountsv1.OwnerStatus) bool { return string(o.Name) == p.Membership.Name })
		if i < 0 {
			return len(org.Status.Owners)
		}
		return i
	}
	inForce := func(p Person) int {
		if p.Membership.Status.State == accountsv1.MembershipActive && !p.Disabled {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(slices.Values(people), func(a, b Person) int {
		return cmp.Or(cmp.Compare(inForce(a), inForce(b)), cmp.Compare(place(a), place(b)), cmp.Compare(a.Membership.Name, b.Membership.Name))
	})
}
