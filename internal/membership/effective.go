// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"maps"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// Effective is what a person is granted: the role's grants, the default grants
// unless the person is a guest, and every Allow, without any Deny, whatever the
// order. Names need not exist in the catalogue; a Deny of something that nobody
// grants is no entry. What else a Deny takes away depends on what the names stand
// for: see Denied.
func Effective(org *accountsv1.Organization, role accountsv1.Role, overrides []accountsv1.PermissionOverride) []grant.Pair {
	pairs := map[grant.Pair]struct{}{}
	for _, g := range org.Grants(role) {
		for _, resource := range g.Resources {
			pairs[grant.Pair{Permission: g.Permission, Resource: resource}] = struct{}{}
		}
	}
	for _, o := range overrides {
		for _, resource := range o.Resources {
			if o.Effect == accountsv1.EffectAllow {
				pairs[grant.Pair{Permission: o.Permission, Resource: resource}] = struct{}{}
			}
		}
	}
	for _, pair := range Denied(overrides) {
		delete(pairs, pair)
	}
	return slices.SortedFunc(maps.Keys(pairs), func(a, b grant.Pair) int {
		return cmp.Or(cmp.Compare(a.Permission, b.Permission), cmp.Compare(a.Resource, b.Resource))
	})
}

// Denied is what the overrides deny, by name.
func Denied(overrides []accountsv1.PermissionOverride) []grant.Pair {
	var denied []grant.Pair
	for _, o := range overrides {
		for _, resource := range o.Resources {
			if o.Effect != accountsv1.EffectAllow {
				denied = append(denied, grant.Pair{Permission: o.Permission, Resource: resource})
			}
		}
	}
	return denied
}

// resolved is what a person has, as far as the catalogue and the cluster say.
func resolved(org *accountsv1.Organization, role accountsv1.Role, overrides []accountsv1.PermissionOverride, cluster grant.Cluster) []grant.Grant {
	return grant.Resolve(org, Effective(org, role, overrides), Denied(overrides), cluster)
}
