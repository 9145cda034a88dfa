// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// Ability is a permission and what it is for, as people read them.
type Ability struct {
	Permission string
	Resources  []string
}

// Abilities are what somebody with a role can do, with the overrides of their
// Membership, as far as the Organization's catalogue knows it.
func Abilities(org *accountsv1.Organization, role accountsv1.Role, overrides []accountsv1.PermissionOverride) []Ability {
	permissions, resources := map[accountsv1.CatalogueName]string{}, map[accountsv1.CatalogueName]string{}
	for _, p := range org.Spec.Permissions {
		permissions[p.Name] = string(cmp.Or(p.DisplayName, accountsv1.DisplayText(p.Name)))
	}
	for _, r := range org.Spec.Resources {
		resources[r.Name] = string(cmp.Or(r.DisplayName, accountsv1.DisplayText(r.Name)))
	}
	var list []Ability
	var last accountsv1.CatalogueName
	for _, pair := range Effective(role, overrides) {
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
