// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package seat

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func someOrganization(limit int32) *accountsv1.Organization {
	org := &accountsv1.Organization{}
	org.Name = "acme"
	org.Spec = accountsv1.OrganizationSpec{
		Namespace: "acme", Seats: limit,
		Roles: []accountsv1.Role{{Name: "developer"}, {Name: "guest", Seat: accountsv1.SeatFree}},
	}
	return org
}

// listed are seats as in a list: "jane" is that of a Membership, "jane 1" that of the
// first attempt of jane's Invitation.
func listed(seats ...string) accountsv1.SeatsStatus {
	list := accountsv1.SeatsStatus{}
	for _, s := range seats {
		var h accountsv1.SeatHolder
		if _, err := fmt.Sscanf(s, "%s %d", &h.Name, &h.Attempt); err == nil {
			h.InvitationUID = string(h.Name) + "-uid"
		}
		list.Holders = append(list.Holders, h)
	}
	taken := int32(len(list.Holders))
	list.Taken = &taken
	return list
}

func shown(list accountsv1.SeatsStatus) []string {
	var seats []string
	for _, h := range list.Holders {
		if h.InvitationUID == "" {
			seats = append(seats, string(h.Name))
			continue
		}
		seats = append(seats, fmt.Sprintf("%s %d", h.Name, h.Attempt))
	}
	return seats
}

// invited is an Invitation, created the given number of minutes after noon.
func invited(name string, minute int, state accountsv1.InvitationState, changes ...func(*accountsv1.Invitation)) accountsv1.Invitation {
	inv := accountsv1.Invitation{ObjectMeta: someMeta(name, minute)}
	inv.UID = types.UID(name + "-uid")
	inv.Spec = accountsv1.InvitationSpec{
		OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(name + "@example.com"), Role: "developer",
	}
	if inv.Status.State = state; state != "" {
		inv.Status.Attempt.Number = 1
	}
	for _, change := range changes {
		change(&inv)
	}
	return inv
}

// belonging is a Membership, created the given number of minutes after noon.
func belonging(name string, minute int, state accountsv1.MembershipState, changes ...func(*accountsv1.Membership)) accountsv1.Membership {
	m := accountsv1.Membership{ObjectMeta: someMeta(name, minute)}
	m.Spec = accountsv1.MembershipSpec{
		OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(name + "@example.com"), Role: "developer",
	}
	m.Status.State = state
	for _, change := range changes {
		change(&m)
	}
	return m
}

func holding(name string) accountsv1.Account {
	a := accountsv1.Account{Spec: accountsv1.AccountSpec{Email: accountsv1.EmailAddress(name + "@example.com")}}
	a.Name, a.Annotations = name, map[string]string{accountsv1.MembershipsAnnotation: "acme/" + name}
	return a
}

func leaving(name string) accountsv1.Account {
	a := holding(name)
	going(&a)
	return a
}

func someMeta(name string, minute int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "acme", Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))}
}

func going[T metav1.Object](o T) { o.SetDeletionTimestamp(&metav1.Time{Time: noon}) }

func asked(inv *accountsv1.Invitation) {
	inv.Annotations = map[string]string{accountsv1.ResendAnnotation: "2026-11-21T13:00:00Z"}
}

func forMembership(inv *accountsv1.Invitation) {
	inv.OwnerReferences = []metav1.OwnerReference{{Kind: "Membership", Name: inv.Name}}
}

func waitsForSeat(inv *accountsv1.Invitation) {
	inv.Status.Conditions = []metav1.Condition{{Type: "Pending", Status: "False", Reason: "SeatsExhausted"}}
}

type (
	invitations = []accountsv1.Invitation
	memberships = []accountsv1.Membership
	accounts    = []accountsv1.Account
)

func TestAssign(t *testing.T) {
	lost := accountsv1.SeatsStatus{}
	for name, c := range map[string]struct {
		limit  int32
		before accountsv1.SeatsStatus
		people People
		want   []string
	}{
		"no claims": {2, lost, People{}, nil},
		"the earliest claim": {2, listed(), People{Invitations: invitations{
			invited("ann", 3, ""), invited("bob", 1, ""), invited("cem", 2, ""),
		}}, []string{"bob 1", "cem 1"}},
		"by name, for claims of the same time": {1, listed(), People{Invitations: invitations{invited("bob", 0, ""), invited("ann", 0, "")}}, []string{"ann 1"}},
		"a holder, before an earlier claim": {1, listed("bob 1"), People{Invitations: invitations{
			invited("ann", 0, ""), invited("bob", 9, "Pending"),
		}}, []string{"bob 1"}},
		"the longest waiting claim, when a seat becomes free": {2, listed("ann 1", "bob 1"), People{Invitations: invitations{
			invited("ann", 0, "Expired"), invited("bob", 0, "Pending"), invited("cem", 7, "Failed", waitsForSeat), invited("dan", 5, "Failed", waitsForSeat),
		}}, []string{"bob 1", "dan 1"}},
		"no ended Invitation, and none that is stalled for another reason": {9, listed("ann 1", "bob 1", "cem 1", "dan 1"), People{Invitations: invitations{
			invited("ann", 0, "Expired"), invited("bob", 0, "Declined"), invited("cem", 0, "Failed"), invited("dan", 0, "Active"),
		}}, nil},
		"a new attempt, if a seat is free": {1, listed(), People{Invitations: invitations{
			invited("ann", 0, "Declined", asked), invited("bob", 1, "Expired", asked),
		}}, []string{"ann 2"}},
		"the next attempt of a holder": {1, listed("ann 1"), People{Invitations: invitations{
			invited("ann", 5, "Pending", asked), invited("bob", 0, ""),
		}}, []string{"ann 2"}},
		"not the next Invitation of the same name": {1, listed("ann 1"), People{Invitations: invitations{
			invited("ann", 5, "", func(inv *accountsv1.Invitation) { inv.UID = "other" }), invited("bob", 0, ""),
		}}, []string{"bob 1"}},
		"the Membership that resulted from an Invitation": {1, listed("ann 1"), People{
			Invitations: invitations{invited("ann", 5, "Active"), invited("bob", 0, "")}, Memberships: memberships{belonging("ann", 9, "")},
		}, []string{"ann"}},
		"the Membership, after its Invitation was deleted": {1, listed("ann 1"), People{
			Invitations: invitations{invited("bob", 0, "")}, Memberships: memberships{belonging("ann", 9, "Active")},
		}, []string{"ann"}},
		"the Membership that an Account holds, only once": {2, listed("ann 1"), People{
			Invitations: invitations{invited("ann", 5, "Pending")}, Memberships: memberships{belonging("ann", 0, "Invited")}, Accounts: accounts{holding("ann")},
		}, []string{"ann"}},
		"no Membership that no Account holds": {2, listed(), People{Memberships: memberships{belonging("ann", 0, "Invited")}}, nil},
		"no Membership that an Account of another address names": {2, listed(), People{
			Memberships: memberships{belonging("ann", 0, "Invited", func(m *accountsv1.Membership) { m.Spec.Email = "eve@example.org" })}, Accounts: accounts{holding("ann")},
		}, nil},
		"no Membership of an Account that is being deleted": {2, listed("ann"), People{
			Memberships: memberships{belonging("ann", 0, "Inactive")}, Accounts: accounts{leaving("ann")},
		}, nil},
		"a person who is invited again for a Membership": {1, listed("ann"), People{
			Invitations: invitations{invited("ann", 9, "", forMembership), invited("bob", 0, "")}, Memberships: memberships{belonging("ann", 0, "Inactive")},
		}, []string{"ann 1"}},
		"no Invitation whose Membership was deleted or is being deleted": {9, listed("ann 1", "bob 1"), People{
			Invitations: invitations{invited("ann", 0, "Pending", forMembership), invited("bob", 0, "Pending", forMembership)},
			Memberships: memberships{belonging("bob", 0, "Active", going)},
		}, nil},
		"no object that is being deleted": {9, listed("ann 1", "bob"), People{
			Invitations: invitations{invited("ann", 0, "Pending", going)}, Memberships: memberships{belonging("bob", 0, "Active", going)},
		}, nil},
		"no role that takes no seat": {9, listed("ann 1", "bob"), People{
			Invitations: invitations{invited("ann", 0, "Pending", func(inv *accountsv1.Invitation) { inv.Spec.Role = "guest" })},
			Memberships: memberships{belonging("bob", 0, "Active", func(m *accountsv1.Membership) { m.Spec.Role = "guest" })},
		}, nil},
		"by the role of the Membership, if there is one": {9, listed(), People{
			Invitations: invitations{invited("ann", 0, "Pending")},
			Memberships: memberships{belonging("ann", 0, "Invited", func(m *accountsv1.Membership) { m.Spec.Role = "guest" })},
		}, nil},
		"a member whose role was removed by mistake": {1, listed("ann"), People{
			Invitations: invitations{invited("bob", 0, "")},
			Memberships: memberships{belonging("ann", 0, "Failed", func(m *accountsv1.Membership) { m.Spec.Role = "astronaut" })}, Accounts: accounts{holding("ann")},
		}, []string{"ann"}},
		"no object of another Organization or namespace": {9, listed("ann 1", "bob"), People{
			Invitations: invitations{
				invited("ann", 0, "Pending", func(inv *accountsv1.Invitation) { inv.Namespace = "elsewhere" }),
				invited("cem", 0, "Pending", func(inv *accountsv1.Invitation) { inv.Spec.OrganizationRef.Name = "other" }),
			},
			Memberships: memberships{belonging("bob", 0, "Active", func(m *accountsv1.Membership) { m.Spec.OrganizationRef.Name = "other" })},
		}, nil},
		"all previous holders, after the limit was lowered": {1, listed("ann 1", "bob"), People{
			Invitations: invitations{invited("ann", 0, "Pending"), invited("cem", 0, "")}, Memberships: memberships{belonging("bob", 0, "Active")},
		}, []string{"ann 1", "bob"}},
		"all members and all sent Invitations, if there was no list": {1, lost, People{
			Invitations: invitations{invited("ann", 0, "Pending"), invited("cem", 0, "")},
			Memberships: memberships{belonging("bob", 0, "Active"), belonging("dan", 0, "")}, Accounts: accounts{holding("dan")},
		}, []string{"ann 1", "bob", "dan"}},
		"members first, then waiting claims, if there was no list": {2, lost, People{
			Invitations: invitations{invited("ann", 9, "Pending"), invited("bob", 1, ""), invited("cem", 0, "")},
		}, []string{"ann 1", "cem 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			org := someOrganization(c.limit)
			org.Status.Seats = c.before
			got := Assign(org, c.people)
			if diff := cmp.Diff(c.want, shown(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got.Taken == nil || int(*got.Taken) != len(got.Holders) {
				t.Errorf("it reports that %v are taken, of %v", got.Taken, got.Holders)
			}
		})
	}
}

func TestWithoutALimitThereIsNoList(t *testing.T) {
	org := someOrganization(0)
	org.Status.Seats = listed("ann 1")
	if got := Assign(org, People{Invitations: invitations{invited("ann", 0, "Pending")}}); got.Taken != nil || got.Holders != nil {
		t.Errorf("a list exists: %+v", got)
	}
}

func TestChanged(t *testing.T) {
	for name, c := range map[string]struct {
		before, after accountsv1.SeatsStatus
		want          []string
	}{
		"nothing":                            {listed("ann", "bob 1"), listed("ann", "bob 1"), nil},
		"only the order":                     {listed("ann", "bob 1"), listed("bob 1", "ann"), nil},
		"a list is created":                  {accountsv1.SeatsStatus{}, listed("bob 1", "ann"), []string{"ann", "bob"}},
		"a list is removed":                  {listed("bob 1", "ann"), accountsv1.SeatsStatus{}, []string{"ann", "bob"}},
		"one seat is assigned, one is freed": {listed("ann", "bob"), listed("bob", "cem 1"), []string{"ann", "cem"}},
		"another attempt":                    {listed("ann 1", "bob 1"), listed("ann 2", "bob 1"), []string{"ann"}},
		"an Account holds the Membership":    {listed("ann 1"), listed("ann"), []string{"ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := slices.Clone(c.before.Holders), slices.Clone(c.after.Holders)
			if diff := cmp.Diff(c.want, Changed(c.before, c.after)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if !slices.Equal(before, c.before.Holders) || !slices.Equal(after, c.after.Holders) {
				t.Error("the argument lists have changed")
			}
		})
	}
}
