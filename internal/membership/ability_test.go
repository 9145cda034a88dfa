// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

func TestAbilities(t *testing.T) {
	names := func(names ...accountsv1.CatalogueName) []accountsv1.CatalogueName { return names }
	org := &accountsv1.Organization{Spec: accountsv1.OrganizationSpec{
		Resources:   []accountsv1.Resource{{Name: "production", DisplayName: "Production"}, {Name: "staging"}},
		Permissions: []accountsv1.Permission{{Name: "deploy", DisplayName: "Deploy applications"}, {Name: "look"}},
		Roles: []accountsv1.Role{{Name: "developer", Grants: []accountsv1.Grant{
			{Permission: "deploy", Resources: names("production", "staging", "moon")}, {Permission: "fly", Resources: names("staging")},
		}}},
	}}
	inv := &accountsv1.Invitation{Spec: accountsv1.InvitationSpec{Role: "developer"}}
	m := &accountsv1.Membership{Spec: accountsv1.MembershipSpec{Role: "developer", Permissions: []accountsv1.PermissionOverride{
		{Effect: accountsv1.EffectAllow, Permission: "look", Resources: names("staging")},
		{Effect: accountsv1.EffectDeny, Permission: "deploy", Resources: names("production")},
	}}}
	// Each namespace, ClusterRole and group has two names.
	manifold := org.DeepCopy()
	manifold.Spec.Resources[0].Namespaces.Names = []accountsv1.NamespaceName{"production"}
	manifold.Spec.Resources[1].Namespaces.Names = []accountsv1.NamespaceName{"production", "staging"}
	manifold.Spec.Permissions[0].ClusterRole, manifold.Spec.Permissions[1].Group = "edit", "chat"
	manifold.Spec.Permissions = append(manifold.Spec.Permissions, accountsv1.Permission{Name: "release", ClusterRole: "edit"}, accountsv1.Permission{Name: "talk", Group: "chat"})
	denied := func(permission, resource accountsv1.CatalogueName, withheld ...accountsv1.GrantStatus) *accountsv1.Membership {
		return &accountsv1.Membership{
			Spec: accountsv1.MembershipSpec{Role: "developer", Permissions: []accountsv1.PermissionOverride{
				{Effect: accountsv1.EffectAllow, Permission: "look", Resources: names("staging")},
				{Effect: accountsv1.EffectDeny, Permission: permission, Resources: names(resource)},
			}},
			Status: accountsv1.MembershipStatus{Grants: withheld},
		}
	}
	withheld := accountsv1.GrantStatus{Permission: "deploy", Resource: "staging", State: "Withheld", Reason: "Denied"}
	partly := withheld
	partly.Namespaces = []accountsv1.NamespaceName{"staging"}
	for name, c := range map[string]struct {
		offer invitation.Offer
		want  []Ability
	}{
		"the role's grants, by their display names": {
			invitation.Offer{Invitation: inv, Organization: org}, []Ability{{"Deploy applications", []string{"Production", "staging"}}},
		},
		"with the overrides of the Membership": {
			invitation.Offer{Invitation: inv, Organization: org, Membership: m},
			[]Ability{{"Deploy applications", []string{"staging"}}, {"look", []string{"staging"}}},
		},
		"without what is denied by other names": {
			invitation.Offer{Invitation: inv, Organization: manifold, Membership: denied("release", "production")},
			[]Ability{{"Deploy applications", []string{"staging"}}, {"look", []string{"staging"}}},
		},
		"without a group that is denied by another permission": {
			invitation.Offer{Invitation: inv, Organization: manifold, Membership: denied("talk", "production")},
			[]Ability{{"Deploy applications", []string{"Production", "staging"}}},
		},
		"without what the status reports as denied": {
			invitation.Offer{Invitation: inv, Organization: org, Membership: denied("deploy", "production", withheld)},
			[]Ability{{"look", []string{"staging"}}},
		},
		"with the rest of a partly denied grant": {
			invitation.Offer{Invitation: inv, Organization: org, Membership: denied("deploy", "production", partly)},
			[]Ability{{"Deploy applications", []string{"staging"}}, {"look", []string{"staging"}}},
		},
		"none for an unknown role": {
			invitation.Offer{Invitation: &accountsv1.Invitation{}, Organization: org}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Abilities(c.offer)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
