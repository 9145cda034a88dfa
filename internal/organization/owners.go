// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"cmp"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// mostOwners is how many owners are listed. Whoever is not needs no protection:
// the listed ones stay.
const mostOwners = 100

// Person is a Membership that an Account holds.
type Person struct {
	Membership *accountsv1.Membership
	// Leaving tells whether the person has asked to leave.
	Leaving bool
}

// Owners is the list of owners as it is to be, from the one that there is and
// the people as they are at this moment.
//
// Nobody who is listed loses access before being taken out of the list. So it is
// the one place where removals meet: somebody is taken out only where another
// one, who was in the list before, stays in it. Where nobody else stays, one of
// those who want to go is kept.
func Owners(org *accountsv1.Organization, people []Person) []accountsv1.OwnerStatus {
	if org.DeletionTimestamp != nil {
		return nil
	}
	var staying, going, joining []accountsv1.OwnerStatus
	for _, p := range byReadiness(people) {
		m := p.Membership
		listed, isListed := org.Owner(m.Name)
		switch {
		case owns(org, p) && isListed:
			staying = append(staying, entry(m))
		case owns(org, p):
			joining = append(joining, entry(m))
		case isListed && org.Owns(listed.Role):
			going = append(going, listed)
		}
	}
	owners := slices.Concat(staying, joining)
	if len(staying) == 0 && len(going) > 0 {
		owners = slices.Concat(going[:1], joining)
	}
	owners = owners[:min(len(owners), mostOwners)]
	slices.SortFunc(owners, func(a, b accountsv1.OwnerStatus) int { return cmp.Compare(a.Name, b.Name) })
	return owners
}

// owns tells whether somebody is an owner, and is to stay one.
func owns(org *accountsv1.Organization, p Person) bool {
	m := p.Membership
	return m.DeletionTimestamp == nil && !p.Leaving && m.Spec.State != accountsv1.MembershipSwitchSuspended &&
		org.Owns(m.Spec.Role) && m.Status.State == accountsv1.MembershipActive
}

func entry(m *accountsv1.Membership) accountsv1.OwnerStatus {
	return accountsv1.OwnerStatus{Name: accountsv1.CatalogueName(m.Name), Role: m.Spec.Role}
}

// byReadiness puts those first who can be kept best: whose access is in force,
// and whose deletion has not begun, which nobody can take back.
func byReadiness(people []Person) []Person {
	rank := func(p Person) int {
		switch {
		case p.Membership.Status.State != accountsv1.MembershipActive:
			return 2
		case p.Membership.DeletionTimestamp != nil:
			return 1
		}
		return 0
	}
	return slices.SortedFunc(slices.Values(people), func(a, b Person) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Membership.Name, b.Membership.Name))
	})
}
