// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"strings"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/invitation"
)

// Ability is a permission and what it is for, as people read them.
type Ability struct {
	Permission string
	Resources  []string
}

// Places are what the permission is for, in one line.
func (a Ability) Places() string { return strings.Join(a.Resources, ", ") }

// Abilities are what whoever accepts an Offer will be able to do: the grants of
// the role and the overrides of the Membership, as far as the Organization's
// catalogue knows them. What a Deny takes away altogether is not among them, as
// far as the catalogue or, of a member, the status tells; a resource of which
// something is left is.
func Abilities(o invitation.Offer) []Ability {
	permissions, resources := map[accountsv1.CatalogueName]string{}, map[accountsv1.CatalogueName]string{}
	for _, p := range o.Organization.Spec.Permissions {
		permissions[p.Name] = string(cmp.Or(p.DisplayName, accountsv1.DisplayText(p.Name)))
	}
	for _, r := range o.Organization.Spec.Resources {
		resources[r.Name] = string(cmp.Or(r.DisplayName, accountsv1.DisplayText(r.Name)))
	}
	var overrides []accountsv1.PermissionOverride
	if o.Membership != nil {
		overrides = o.Membership.Spec.Permissions
	}
	role, _ := o.Organization.Role(o.Role())
	var list []Ability
	var last accountsv1.CatalogueName
	for _, g := range resolved(o.Organization, role, overrides, grant.Cluster{}) {
		permission, known := permissions[g.Permission]
		resource, knownToo := resources[g.Resource]
		if !known || !knownToo || g.Reason == accountsv1.ReasonDenied || isDenied(o.Membership, g.Pair) {
			continue
		}
		if g.Permission != last {
			list = append(list, Ability{Permission: permission})
			last = g.Permission
		}
		current := &list[len(list)-1]
		current.Resources = append(current.Resources, resource)
	}
	return list
}

// isDenied tells whether the status of a Membership says that nothing of a grant is left.
func isDenied(m *accountsv1.Membership, pair grant.Pair) bool {
	return m != nil && slices.ContainsFunc(m.Status.Grants, func(g accountsv1.GrantStatus) bool {
		return g.Reason == accountsv1.ReasonDenied && len(g.Namespaces) == 0 && pair == grant.Pair{Permission: g.Permission, Resource: g.Resource}
	})
}
