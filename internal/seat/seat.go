// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package seat determines who has the seats of an Organization. It is pure: it imports
// no client.
//
// The seats are a list in the Organization's status, and only a conditional write
// changes it. So no seat is given twice, regardless of how many controllers run:
//
//   - Usher sends an Invitation, and the invited person can accept it, only while it is
//     on the list.
//   - A Membership gives access only while it is on the list.
//   - Usher removes a holder from the list only if the object was deleted, or if the
//     object's own status shows that it has ended.
package seat

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
)

// People holds everything that could have a seat of an Organization.
type People struct {
	// Invitations and Memberships of the Organization, in its home namespace.
	Invitations []accountsv1.Invitation
	Memberships []accountsv1.Membership
	// Accounts whose records name Memberships of the home namespace.
	Accounts []accountsv1.Account
}

// claim is an Invitation or a Membership that has a seat or wants one.
type claim struct {
	accountsv1.SeatHolder
	// hasPriority reports that the Invitation was sent before, or that an Account holds the
	// Membership.
	hasPriority bool
	since       time.Time
}

// Assign returns the list of seats. Holders that still need their seat keep it. The
// free seats go to the claims that have waited longest. Without a limit there is no
// list. If the list was lost, or did not exist yet, every member and every Invitation
// that was sent has a seat, even beyond the limit.
func Assign(org *accountsv1.Organization, people People) accountsv1.SeatsStatus {
	if org.Spec.Seats == 0 {
		return accountsv1.SeatsStatus{}
	}
	before := org.Status.Seats
	claims := claimsOf(org, people)
	var holders []accountsv1.SeatHolder
	waiting := slices.DeleteFunc(claims, func(c claim) bool {
		keeps := c.hasPriority
		if before.Taken != nil {
			keeps = slices.ContainsFunc(before.Holders, c.continues)
		}
		if keeps {
			holders = append(holders, c.SeatHolder)
		}
		return keeps
	})
	for _, c := range waiting {
		if len(holders) >= int(org.Spec.Seats) {
			break
		}
		holders = append(holders, c.SeatHolder)
	}
	slices.SortFunc(holders, func(a, b accountsv1.SeatHolder) int { return cmp.Compare(a.Name, b.Name) })
	taken := int32(len(holders)) //nolint:gosec // G115: the API server keeps no list that long.
	return accountsv1.SeatsStatus{Taken: &taken, Holders: holders}
}

// Changed returns the names of the holders whose seats differ, sorted.
func Changed(before, after accountsv1.SeatsStatus) []string {
	had := map[accountsv1.SeatHolder]bool{}
	for _, h := range before.Holders {
		had[h] = true
	}
	var names []string
	for _, h := range after.Holders {
		if !had[h] {
			names = append(names, string(h.Name))
		}
		delete(had, h)
	}
	for h := range had {
		names = append(names, string(h.Name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// continues reports whether a claim continues a given seat: that of the same Invitation,
// or that of the Invitation from which the Membership resulted.
func (c claim) continues(h accountsv1.SeatHolder) bool {
	return c.Name == h.Name && (c.InvitationUID == h.InvitationUID || c.InvitationUID == "" || h.InvitationUID == "")
}

// claimsOf returns the claims that have or want a seat, the earliest first.
func claimsOf(org *accountsv1.Organization, people People) []claim {
	memberships := map[string]*accountsv1.Membership{}
	for i := range people.Memberships {
		m := &people.Memberships[i]
		if isIn(m.Spec.OrganizationRef, m.Namespace, org) && m.DeletionTimestamp == nil {
			memberships[m.Name] = m
		}
	}
	held := isHeldByAny(people.Accounts)
	var claims []claim
	answered, invited := map[string]bool{}, map[string]bool{}
	for i := range people.Invitations {
		inv := &people.Invitations[i]
		m := memberships[inv.Name]
		switch {
		case !isIn(inv.Spec.OrganizationRef, inv.Namespace, org) || inv.DeletionTimestamp != nil:
		case invitation.IsHistory(inv):
			answered[inv.Name] = true
		case m != nil && held(m) || m == nil && invitation.IsManagedByMembership(inv):
		default:
			if c, wanted := ofInvitation(org, inv, m); wanted {
				claims = append(claims, c)
				invited[inv.Name] = true
			}
		}
	}
	for name, m := range memberships {
		in := held(m) || answered[name] || m.Status.State == accountsv1.MembershipActive
		if in && !invited[name] && invitation.Counted(org, m.Spec.Role) {
			claims = append(claims, ofMembership(m))
		}
	}
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.Name, b.Name))
	})
	return claims
}

func ofMembership(m *accountsv1.Membership) claim {
	return claim{
		SeatHolder:  accountsv1.SeatHolder{Name: accountsv1.CatalogueName(m.Name)},
		hasPriority: true, since: m.CreationTimestamp.Time,
	}
}

func ofInvitation(org *accountsv1.Organization, inv *accountsv1.Invitation, m *accountsv1.Membership) (claim, bool) {
	offer := invitation.Offer{Invitation: inv, Organization: org, Membership: m}
	attempt, wanted := invitation.WantsSeat(inv, m)
	if !wanted || !invitation.Counted(org, offer.Role()) {
		return claim{}, false
	}
	return claim{
		SeatHolder:  accountsv1.SeatHolder{Name: accountsv1.CatalogueName(inv.Name), InvitationUID: string(inv.UID), Attempt: attempt},
		hasPriority: inv.Status.Attempt.Begun(), since: inv.CreationTimestamp.Time,
	}, true
}

// isHeldByAny returns a function that reports whether one of the Accounts holds a
// Membership.
func isHeldByAny(accounts []accountsv1.Account) func(*accountsv1.Membership) bool {
	holders := map[types.NamespacedName][]*accountsv1.Account{}
	for i := range accounts {
		for _, h := range membership.ParseRecord(accounts[i].Annotations[accountsv1.MembershipsAnnotation]) {
			holders[h.NamespacedName] = append(holders[h.NamespacedName], &accounts[i])
		}
	}
	return func(m *accountsv1.Membership) bool {
		key := types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
		return slices.ContainsFunc(holders[key], func(a *accountsv1.Account) bool {
			return a.DeletionTimestamp == nil && membership.IsHeldBy(a, key, m.Spec.Email)
		})
	}
}

func isIn(ref accountsv1.OrganizationReference, namespace string, org *accountsv1.Organization) bool {
	return string(ref.Name) == org.Name && namespace == string(org.Spec.Namespace)
}
