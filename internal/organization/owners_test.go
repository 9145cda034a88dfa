// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// owner returns a person with the role owner whose Membership was reconciled.
func owner(name string, changes ...func(*Person)) Person {
	generation := int64(1)
	p := Person{Membership: &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name, Generation: generation},
		Spec:       accountsv1.MembershipSpec{Role: "owner"},
		Status:     accountsv1.MembershipStatus{State: accountsv1.MembershipActive, ObservedGeneration: &generation},
	}}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func deleted(p *Person)   { p.Membership.DeletionTimestamp = &metav1.Time{Time: noon} }
func demoted(p *Person)   { p.Membership.Spec.Role = "developer" }
func suspended(p *Person) { p.Membership.Spec.State = accountsv1.MembershipSwitchSuspended }
func leaving(p *Person)   { p.Leaving = true }
func edited(p *Person)    { p.Membership.Generation++ }
func partner(p *Person)   { p.Membership.Spec.Role = "partner" }

func disabled(p *Person) { p.Disabled = true }

// denied gives the person a Deny of what owners may do.
func denied(p *Person) {
	p.Membership.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: accountsv1.EffectDeny, Permission: "own", Resources: []accountsv1.CatalogueName{"people"}}}
}

func inactive(p *Person) { p.Membership.Status.State = accountsv1.MembershipInactive }

// owned returns an Organization that lists these owners, with changes.
func owned(listed string, changes ...func(*accountsv1.Organization)) *accountsv1.Organization {
	org := someFacts().Organization
	org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{Name: "people", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme"}}})
	org.Spec.Permissions = append(org.Spec.Permissions, accountsv1.Permission{Name: "own", ClusterRole: "owner"})
	own := []accountsv1.Grant{{Permission: "own", Resources: []accountsv1.CatalogueName{"people"}}}
	org.Spec.Roles = append(org.Spec.Roles,
		accountsv1.Role{Name: "owner", Standing: "Owner", Grants: own}, accountsv1.Role{Name: "partner", Standing: "Owner"})
	for name := range strings.FieldsSeq(listed) {
		org.Status.Owners = append(org.Status.Owners, accountsv1.OwnerStatus{Name: accountsv1.CatalogueName(name), Role: "owner"})
	}
	for _, change := range changes {
		change(org)
	}
	return org
}

func TestOwners(t *testing.T) {
	for name, c := range map[string]struct {
		org    *accountsv1.Organization
		people []Person
		want   string
	}{
		"no owner yet":                                         {owned(""), nil, ""},
		"the first owner":                                      {owned(""), []Person{owner("ada")}, "ada=owner"},
		"several at once, by name":                             {owned(""), []Person{owner("bob"), owner("ada")}, "ada=owner bob=owner"},
		"not a person with another role":                       {owned(""), []Person{owner("ada", demoted)}, ""},
		"not a person who is no member yet":                    {owned(""), []Person{owner("ada", inactive)}, ""},
		"not a member who is being deleted":                    {owned(""), []Person{owner("ada", deleted)}, ""},
		"not a suspended member":                               {owned(""), []Person{owner("ada", suspended)}, ""},
		"not a member who is denied to act as owner":           {owned(""), []Person{owner("ada", denied)}, ""},
		"not a member who is leaving":                          {owned(""), []Person{owner("ada", leaving)}, ""},
		"not a member whose Membership was not reconciled yet": {owned(""), []Person{owner("ada", edited)}, ""},

		"not a member whose Account is disabled":                                           {owned(""), []Person{owner("ada", disabled)}, ""},
		"one Account is disabled, before the Membership shows it, and another owner stays": {owned("ada bob"), []Person{owner("ada", disabled), owner("bob")}, "bob=owner"},
		"one Account is disabled, and another owner leaves at the same time":               {owned("ada bob"), []Person{owner("ada", disabled), owner("bob", deleted)}, "bob=owner"},
		"the Account of the last owner is disabled":                                        {owned("ada"), []Person{owner("ada", disabled)}, "ada=owner"},

		"unchanged":                                                               {owned("ada bob"), []Person{owner("ada"), owner("bob")}, "ada=owner bob=owner"},
		"unchanged, not sorted by name":                                           {owned("bob ada"), []Person{owner("ada"), owner("bob")}, "bob=owner ada=owner"},
		"another role with the standing Owner":                                    {owned("ada"), []Person{owner("ada", partner)}, "ada=partner"},
		"one is deleted, and another stays":                                       {owned("ada bob"), []Person{owner("ada", deleted), owner("bob")}, "bob=owner"},
		"one is demoted, and another stays":                                       {owned("ada bob"), []Person{owner("ada", demoted), owner("bob")}, "bob=owner"},
		"one is suspended, and another stays":                                     {owned("ada bob"), []Person{owner("ada", suspended), owner("bob")}, "bob=owner"},
		"one is denied to act, and another stays":                                 {owned("ada bob"), []Person{owner("ada", denied), owner("bob")}, "bob=owner"},
		"one is denied to act by a role that lacks the grants, and another stays": {owned("ada bob"), []Person{owner("ada", denied, partner), owner("bob")}, "ada=partner bob=owner"},
		"one leaves, and another stays":                                           {owned("ada bob"), []Person{owner("ada", leaving), owner("bob")}, "bob=owner"},
		"one has no access, and another stays":                                    {owned("ada bob"), []Person{owner("ada", inactive), owner("bob")}, "bob=owner"},
		"one Account is deleted":                                                  {owned("ada bob"), []Person{owner("bob")}, "bob=owner"},
		"all Accounts are deleted":                                                {owned("ada bob"), nil, ""},
		"the last owner is deleted":                                               {owned("ada"), []Person{owner("ada", deleted)}, "ada=owner"},
		"the last owner is demoted":                                               {owned("ada"), []Person{owner("ada", demoted)}, "ada=owner"},
		"the last owner is suspended":                                             {owned("ada"), []Person{owner("ada", suspended)}, "ada=owner"},
		"the last owner is denied to act":                                         {owned("ada"), []Person{owner("ada", denied)}, "ada=owner"},
		"the last owner leaves":                                                   {owned("ada"), []Person{owner("ada", leaving)}, "ada=owner"},
		"the last owner has no access":                                            {owned("ada"), []Person{owner("ada", inactive)}, "ada=owner"},
		"two at the same time":                                                    {owned("bob ada"), []Person{owner("ada", deleted), owner("bob", deleted)}, "bob=owner"},
		"two at the same time, one of them without access":                        {owned("ada bob"), []Person{owner("ada", demoted, inactive), owner("bob", deleted)}, "bob=owner"},

		"the last owner is deleted when another joins":                         {owned("ada"), []Person{owner("ada", deleted), owner("bob")}, "ada=owner bob=owner"},
		"and is released in the next step":                                     {owned("ada bob"), []Person{owner("ada", deleted), owner("bob")}, "bob=owner"},
		"one whose Membership is not reconciled yet stays":                     {owned("ada bob"), []Person{owner("ada", edited), owner("bob")}, "bob=owner ada=owner"},
		"one whose Membership is not reconciled yet releases no other owner":   {owned("ada bob"), []Person{owner("ada", deleted), owner("bob", edited)}, "ada=owner bob=owner"},
		"one whose Membership is not reconciled yet releases one listed later": {owned("bob ada"), []Person{owner("ada", deleted), owner("bob", edited)}, "bob=owner"},
		"the role of the last owner is deleted":                                {owned("ada", without("owner")), []Person{owner("ada")}, ""},
		"the role of the last owner is no longer an owner's":                   {owned("ada", func(o *accountsv1.Organization) { o.Spec.Roles[1].Standing = "Member" }), []Person{owner("ada")}, ""},
		"the Organization is being deleted": {
			owned("ada", func(o *accountsv1.Organization) { o.DeletionTimestamp = &metav1.Time{Time: noon} }), []Person{owner("ada")}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := listed(Owners(c.org, c.people)); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

func without(role accountsv1.CatalogueName) func(*accountsv1.Organization) {
	return func(o *accountsv1.Organization) {
		for i := range o.Spec.Roles {
			if o.Spec.Roles[i].Name == role {
				o.Spec.Roles[i].Name = "gone"
			}
		}
	}
}

func listed(owners []accountsv1.OwnerStatus) string {
	var list []string
	for _, o := range owners {
		list = append(list, fmt.Sprintf("%s=%s", o.Name, o.Role))
	}
	return strings.Join(list, " ")
}

func TestAHundredOwnersAreListedAndStay(t *testing.T) {
	org, people := owned(""), []Person{}
	for i := range 120 {
		people = append(people, owner(fmt.Sprintf("owner-%03d", 200-i)))
	}
	org.Status.Owners = Owners(org, people)
	if got := len(org.Status.Owners); got != mostOwners {
		t.Fatalf("%d are listed", got)
	}
	before := listed(org.Status.Owners)
	people = append(people, owner("ada"))
	if got := listed(Owners(org, people)); got != before {
		t.Errorf("a later owner takes a place: %s", got)
	}
}
