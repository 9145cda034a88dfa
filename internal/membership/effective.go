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

// Effective returns what a person is granted: the role's grants, the default grants
// unless the person is a guest, and every Allow, minus every Deny in any order. The
// names need not exist in the catalogue. A Deny of something that is not granted adds
// no entry. What else a Deny removes depends on what the names refer to: see grant.Resolve.
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

// ManagedElsewhere returns the namespaces that Cluster.Homes must hold if they are home
// namespaces: see grant.ManagedElsewhere. It needs the Organization and the Cluster
// without Homes.
func (f Facts) ManagedElsewhere() []string {
	role, _ := f.Organization.Role(f.role())
	return grant.ManagedElsewhere(f.Organization, Effective(f.Organization, role, f.overrides()), f.Cluster)
}

// Denied returns what the overrides deny, by name.
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

// resolved returns what a person has, according to the catalogue and the cluster.
func resolved(org *accountsv1.Organization, role accountsv1.Role, overrides []accountsv1.PermissionOverride, cluster grant.Cluster) []grant.Grant {
	grants := grant.Resolve(org, Effective(org, role, overrides), Denied(overrides), cluster)
	for i := range grants {
		grants[i] = grants[i].RestrictToRole(org, role)
	}
	return grants
}
