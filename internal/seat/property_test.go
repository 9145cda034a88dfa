// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package seat

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

var names = []string{"ann", "bob", "cem", "dan", "eve", "fay"}

// somePeople are people in various states: each can be invited, a member, or both.
func somePeople(t *rapid.T) People {
	var p People
	minute := rapid.IntRange(0, 3)
	role := func() accountsv1.CatalogueName {
		return rapid.SampledFrom([]accountsv1.CatalogueName{"developer", "developer", "guest", "astronaut"}).Draw(t, "role")
	}
	for _, name := range names {
		sort := rapid.IntRange(0, 7).Draw(t, name)
		if sort&1 != 0 {
			state := rapid.SampledFrom([]accountsv1.InvitationState{"", "Sending", "Pending", "Pending", "Active", "Expired", "Declined", "Failed"}).Draw(t, "state")
			inv := invited(name, minute.Draw(t, "minute"), state)
			inv.Spec.Role = role()
			inv.UID = rapid.SampledFrom([]types.UID{types.UID(name + "-uid"), "later"}).Draw(t, "UID")
			for _, change := range []func(*accountsv1.Invitation){asked, forMembership, waitsForSeat} {
				if rapid.IntRange(0, 2).Draw(t, "change") == 0 {
					change(&inv)
				}
			}
			p.Invitations = append(p.Invitations, inv)
		}
		if sort&2 != 0 {
			m := belonging(name, minute.Draw(t, "minute"), rapid.SampledFrom([]accountsv1.MembershipState{"", "Invited", "Active", "Inactive"}).Draw(t, "state"))
			m.Spec.Role = role()
			p.Memberships = append(p.Memberships, m)
		}
		if sort&4 != 0 {
			p.Accounts = append(p.Accounts, rapid.SampledFrom([]accountsv1.Account{holding(name), leaving(name)}).Draw(t, "account"))
		}
	}
	return p
}

// someList is a list that was correct at some time.
func someList(t *rapid.T) accountsv1.SeatsStatus {
	if rapid.IntRange(0, 4).Draw(t, "no list") == 0 {
		return accountsv1.SeatsStatus{}
	}
	var seats []string
	for _, name := range names {
		if had := rapid.SampledFrom([]string{"", "", name, name + " 1", name + " 2"}).Draw(t, "had"); had != "" {
			seats = append(seats, had)
		}
	}
	return listed(seats...)
}

func holders(list accountsv1.SeatsStatus) []string {
	var all []string
	for _, h := range list.Holders {
		all = append(all, string(h.Name))
	}
	return all
}

func TestSeatsAreGivenOutByTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people, before := somePeople(t), someList(t)
		limit := rapid.Int32Range(1, 6).Draw(t, "limit")
		org := someOrganization(limit)
		org.Status.Seats = before
		after := Assign(org, people)

		claims := claimsOf(org, people)
		has, in := holders(after), whoWasIn(claims, before)
		if most := max(int(limit), len(in)); len(has) > most {
			t.Fatalf("%v have seats, more than %d", has, most)
		}
		if !slices.IsSorted(has) || len(slices.Compact(slices.Clone(has))) != len(has) {
			t.Fatalf("not sorted, or with a duplicate: %v", has)
		}
		checkTheQueue(t, claims, in, has, int(limit))
		for _, h := range after.Holders {
			checkEntitled(t, h, org, people)
		}

		org.Status.Seats = after
		if again := Assign(org, people); !cmp.Equal(after, again) {
			t.Fatalf("a second call assigns other seats:\n%s", cmp.Diff(after, again))
		}
	})
}

// whoWasIn returns the claims that had a seat: by the list or, without a list, because
// they were sent or are members.
func whoWasIn(claims []claim, before accountsv1.SeatsStatus) (names []string) {
	for _, c := range claims {
		if was := slices.ContainsFunc(before.Holders, c.continues); was || before.Taken == nil && c.hasPriority {
			names = append(names, string(c.Name))
		}
	}
	return names
}

// checkTheQueue checks both sides of the queue. Every holder that still claims its seat
// keeps it. A claim waits only if no seat is free and if no later claim has just got a
// seat.
func checkTheQueue(t *rapid.T, claims []claim, in, has []string, limit int) {
	var last claim
	for _, c := range claims {
		name := string(c.Name)
		switch {
		case slices.Contains(in, name):
			if !slices.Contains(has, name) {
				t.Fatalf("%s had a seat, still claims it, and lost it: %v", name, has)
			}
		case slices.Contains(has, name):
			if last.Name != "" {
				t.Fatalf("%s gets a seat before the earlier %s: %v", name, last.Name, has)
			}
		default:
			last = c
			if len(has) < limit {
				t.Fatalf("%s waits, with %d of %d seats taken", name, len(has), limit)
			}
		}
	}
}

// checkEntitled checks one seat. Its holder must have a role that takes a seat, and
// must be a member or able to become one.
func checkEntitled(t *rapid.T, h accountsv1.SeatHolder, org *accountsv1.Organization, people People) {
	i := slices.IndexFunc(people.Invitations, func(inv accountsv1.Invitation) bool { return inv.Name == string(h.Name) })
	m := slices.IndexFunc(people.Memberships, func(m accountsv1.Membership) bool { return m.Name == string(h.Name) })
	if h.InvitationUID == "" {
		if m < 0 || h.Attempt != 0 || !invitation.Counted(org, people.Memberships[m].Spec.Role) {
			t.Fatalf("a seat without a claim: %+v", h)
		}
		return
	}
	if i < 0 || string(people.Invitations[i].UID) != h.InvitationUID || h.Attempt < max(1, people.Invitations[i].Status.Attempt.Number) ||
		people.Invitations[i].Status.State == accountsv1.InvitationActive {
		t.Fatalf("a seat without a claim: %+v", h)
	}
	role := people.Invitations[i].Spec.Role
	if m >= 0 {
		role = people.Memberships[m].Spec.Role
	}
	if !invitation.Counted(org, role) {
		t.Fatalf("a seat for a role that needs none: %+v", h)
	}
}

func TestTheOrderOfTheListsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		people := somePeople(t)
		org := someOrganization(rapid.Int32Range(1, 6).Draw(t, "limit"))
		org.Status.Seats = someList(t)
		want := Assign(org, people)
		shuffled := People{
			Invitations: rapid.Permutation(people.Invitations).Draw(t, "Invitations"),
			Memberships: rapid.Permutation(people.Memberships).Draw(t, "Memberships"),
			Accounts:    rapid.Permutation(people.Accounts).Draw(t, "Accounts"),
		}
		org.Status.Seats.Holders = rapid.Permutation(org.Status.Seats.Holders).Draw(t, "holders")
		if diff := cmp.Diff(want, Assign(org, shuffled)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestChangedIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := someList(t), someList(t)
		got := Changed(before, after)
		of := func(list accountsv1.SeatsStatus, name string) (seats []string) {
			for _, s := range shown(list) {
				if who, _, _ := strings.Cut(s, " "); who == name {
					seats = append(seats, s)
				}
			}
			return seats
		}
		var want []string
		for _, name := range names {
			if !slices.Equal(of(before, name), of(after, name)) {
				want = append(want, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, Changed(after, before)); diff != "" {
			t.Fatal(diff)
		}
	})
}
