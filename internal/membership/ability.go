// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"strings"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
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
// catalogue knows them.
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
	for _, pair := range Effective(o.Organization, role, overrides) {
		permission, known := permissions[pair.Permission]
		resource, knownToo := resources[pair.Resource]
		if !known || !knownToo {
			continue
		}
		if pair.Permission != last {
			list = append(list, Ability{Permission: permission})
			last = pair.Permission
		}
		current := &list[len(list)-1]
		current.Resources = append(current.Resources, resource)
	}
	return list
}
