// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestAbilitiesAreToldInTheWordsOfTheCatalogue(t *testing.T) {
	type names = []accountsv1.CatalogueName
	org := &accountsv1.Organization{Spec: accountsv1.OrganizationSpec{
		Permissions: []accountsv1.Permission{{Name: "deploy", DisplayName: "Deploy applications", ClusterRole: "edit"}, {Name: "look", ClusterRole: "view"}},
		Resources:   []accountsv1.Resource{{Name: "production"}, {Name: "staging", DisplayName: "Staging"}},
	}}
	role := accountsv1.Role{Grants: []accountsv1.Grant{{Permission: "deploy", Resources: names{"staging", "production"}}}}
	for name, c := range map[string]struct {
		role      accountsv1.Role
		overrides []accountsv1.PermissionOverride
		want      []Ability
	}{
		"the role": {role, nil, []Ability{{"Deploy applications", []string{"production", "Staging"}}}},
		"the role, with more": {role, []accountsv1.PermissionOverride{{Effect: "Allow", Permission: "look", Resources: names{"staging"}}}, []Ability{
			{"Deploy applications", []string{"production", "Staging"}}, {"look", []string{"Staging"}},
		}},
		"the role, with less": {role, []accountsv1.PermissionOverride{{Effect: "Deny", Permission: "deploy", Resources: names{"production"}}}, []Ability{
			{"Deploy applications", []string{"Staging"}},
		}},
		"what the catalogue does not know": {
			accountsv1.Role{Grants: []accountsv1.Grant{{Permission: "fly", Resources: names{"staging"}}, {Permission: "deploy", Resources: names{"moon"}}}}, nil, nil,
		},
		"nothing": {accountsv1.Role{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Abilities(org, c.role, c.overrides)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAnInvitationIsMadeWithAllThatTheMembershipSays(t *testing.T) {
	f := someFacts()
	f.Membership.Spec.GivenName, f.Membership.Spec.FamilyName, f.Membership.Spec.InvitedBy = "Jane", "Doe", "Ada Example"
	f.Membership.Spec.InvitationTerms = accountsv1.InvitationTerms{
		Language: "it", AddressMatch: "AnyAddress", Delivery: []accountsv1.DeliveryChannel{"SMS", "Link"}, PhoneNumber: "+393331234567", Message: "Welcome",
	}
	made := Decide(f).Invite
	want := accountsv1.InvitationSpec{
		OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "jane@example.com", GivenName: "Jane", FamilyName: "Doe", InvitedBy: "Ada Example",
		Role: "developer", InvitationTerms: f.Membership.Spec.InvitationTerms,
	}
	if diff := cmp.Diff(want, made.Spec); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if made.Name != "jane" || made.Namespace != "acme" || len(made.OwnerReferences) != 1 || made.OwnerReferences[0].UID != f.Membership.UID {
		t.Errorf("it is %+v", made.ObjectMeta)
	}
	made.Spec.Delivery[0] = "Email"
	if f.Membership.Spec.Delivery[0] != "SMS" {
		t.Error("the Membership was changed with it")
	}
}
