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

// Ability is a permission and its resources, with the names that people read.
type Ability struct {
	Permission string
	Resources  []string
}

// Places returns the resources of the permission in one line.
func (a Ability) Places() string { return strings.Join(a.Resources, ", ") }

// Abilities returns what a person will be able to do after accepting an Offer. These are
// the grants of the role and the overrides of the Membership, as far as the
// Organization's catalogue knows them. Abilities omits what a Deny removes entirely, as
// far as the catalogue shows it or, for a member, the status. It includes a resource of
// which a Deny leaves something.
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

// isDenied reports whether the status of a Membership shows that nothing of a grant is
// left.
func isDenied(m *accountsv1.Membership, pair grant.Pair) bool {
	return m != nil && slices.ContainsFunc(m.Status.Grants, func(g accountsv1.GrantStatus) bool {
		return g.Reason == accountsv1.ReasonDenied && len(g.Namespaces) == 0 && pair == grant.Pair{Permission: g.Permission, Resource: g.Resource}
	})
}
