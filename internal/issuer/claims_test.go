// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// belonging returns an active Membership with a role, and with grants of groups.
func belonging(organization, role string, groups ...string) account.Belonging {
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Name: "jane", Generation: 2},
		Spec:       accountsv1.MembershipSpec{Role: accountsv1.CatalogueName(role)},
		Status:     accountsv1.MembershipStatus{State: accountsv1.MembershipActive, ObservedGeneration: new(int64(2))},
	}
	for _, group := range groups {
		m.Status.Grants = append(m.Status.Grants, accountsv1.GrantStatus{State: accountsv1.GrantInForce, Group: group})
	}
	return account.Belonging{Membership: m, Organization: &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: organization}}}
}

func expectGroups(t *testing.T, name string, belongings []account.Belonging, want ...string) {
	t.Helper()
	if got, omitted := Groups(belongings); got == nil || !slices.Equal(got, want) || omitted != 0 {
		t.Errorf("%s: %q without %d, want %q", name, got, omitted, want)
	}
}

func TestGroupsAreTheRolesAndGroupsInForce(t *testing.T) {
	expectGroups(t, "nothing", nil)
	expectGroups(t, "two Organizations", []account.Belonging{
		belonging("globex", "owner", "wiki"), belonging("acme", "developer", "wiki", "grafana.editors"),
	}, "acme:developer", "globex:owner", "grafana.editors", "wiki")

	for name, change := range map[string]func(*accountsv1.Membership){
		"waits":                       func(m *accountsv1.Membership) { m.Status.State = accountsv1.MembershipInvited },
		"failed":                      func(m *accountsv1.Membership) { m.Status.State = accountsv1.MembershipFailed },
		"inactive":                    func(m *accountsv1.Membership) { m.Status.State = accountsv1.MembershipInactive },
		"suspended a moment ago":      func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended },
		"with a new role":             func(m *accountsv1.Membership) { m.Spec.Role, m.Generation = "owner", 3 },
		"never observed":              func(m *accountsv1.Membership) { m.Status.ObservedGeneration = nil },
		"is being deleted":            func(m *accountsv1.Membership) { m.DeletionTimestamp = &metav1.Time{} },
		"written before the policies": func(m *accountsv1.Membership) { m.Status.Guard.Generation = 2 },
	} {
		b := belonging("acme", "developer", "wiki")
		change(b.Membership)
		expectGroups(t, name, []account.Belonging{b})
	}
	for _, state := range []accountsv1.GrantState{accountsv1.GrantWithheld, ""} {
		b := belonging("acme", "developer", "wiki")
		b.Membership.Status.Grants[0].State = state
		expectGroups(t, "a grant that is "+string(state), []account.Belonging{b}, "acme:developer")
	}
}

// TestNoGroupIsTheRoleOfAnotherOrganization relies on rules of the API: names have no colon, no
// Organization has the name system, and no group of a permission has the form of a role.
func TestNoGroupIsTheRoleOfAnotherOrganization(t *testing.T) {
	names := []string{"a", "acme", "acme-owner", "owner", "system-masters", "masters", "usher", strings.Repeat("a", 63)}
	seen := map[string]string{}
	for _, organization := range names {
		for _, role := range names {
			groups, _ := Groups([]account.Belonging{belonging(organization, role)})
			from := organization + " and " + role
			if len(groups) != 1 || seen[groups[0]] != "" || strings.HasPrefix(groups[0], "system:") {
				t.Fatalf("%q of %s is also that of %q", groups, from, seen[groups[0]])
			}
			seen[groups[0]] = from
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	var many []string
	for i := range MostGroups + 7 {
		many = append(many, fmt.Sprintf("wiki.%03d", i))
	}
	groups, omitted := Groups([]account.Belonging{belonging("acme", "developer", many...)})
	if len(groups) != MostGroups || omitted != 8 || groups[0] != "acme:developer" || groups[MostGroups-1] != many[MostGroups-2] {
		t.Errorf("%d groups, %d omitted: %q to %q", len(groups), omitted, groups[0], groups[len(groups)-1])
	}
}
