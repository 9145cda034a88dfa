// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"cmp"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// mostOwners is the maximum number of listed owners. An owner beyond this number needs
// no protection, because the listed owners stay.
const mostOwners = 100

// Person is a Membership that an Account holds.
type Person struct {
	Membership *accountsv1.Membership
	// Leaving reports whether the person has asked to leave.
	Leaving bool
	// Disabled reports whether the Account cannot sign in. The Organization does not
	// rely on an owner who cannot sign in.
	Disabled bool
}

// Owners returns the wanted list of owners, from the present list and the present state
// of the people.
//
// A listed owner keeps their access until they are removed from the list, and only this
// function removes owners. It removes an owner only if another listed owner stays. If none
// stays, it keeps the owner who has been listed longest, although that owner is to be
// removed. An owner who has just joined does not count: a reconciliation that read the
// earlier list may be withdrawing that owner's access at the same moment.
func Owners(org *accountsv1.Organization, people []Person) []accountsv1.OwnerStatus {
	if org.DeletionTimestamp != nil {
		return nil
	}
	var last, staying, unseen, joining []accountsv1.OwnerStatus
	for _, p := range inListOrder(org, people) {
		m := p.Membership
		listed, isListed := org.Owner(m.Name)
		switch stays := owns(org, p); {
		case stays && isListed && isReconciled(m):
			staying = append(staying, entry(m))
		case stays && isListed:
			unseen = append(unseen, entry(m))
		case stays && isReconciled(m):
			joining = append(joining, entry(m))
		case isListed && org.IsOwnerRole(listed.Role) && len(last)+len(unseen) == 0:
			last = append(last, listed)
		}
	}
	if len(staying) > 0 {
		last = nil
	}
	owners := slices.Concat(last, staying, unseen, joining)
	return owners[:min(len(owners), mostOwners)]
}

// owns reports whether the person is an owner and is to stay one.
func owns(org *accountsv1.Organization, p Person) bool {
	m := p.Membership
	return m.DeletionTimestamp == nil && !p.Leaving && !p.Disabled && m.Spec.State != accountsv1.MembershipSwitchSuspended &&
		grant.Owns(org, m.Spec.Role, m.Spec.Permissions) && m.Status.State == accountsv1.MembershipActive
}

func entry(m *accountsv1.Membership) accountsv1.OwnerStatus {
	return accountsv1.OwnerStatus{Name: accountsv1.CatalogueName(m.Name), Role: m.Spec.Role}
}

// isReconciled reports whether the present generation of the Membership was reconciled. Before
// that, the Membership may be losing access because of an earlier manifest.
func isReconciled(m *accountsv1.Membership) bool {
	observed := m.Status.ObservedGeneration
	return observed != nil && *observed == m.Generation
}

// inListOrder sorts people whose access is in force first, and among them the listed owners
// first, in the order of the list.
func inListOrder(org *accountsv1.Organization, people []Person) []Person {
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
