// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// denials holds what Denies remove, regardless of which permission and resource grant
// it.
type denials struct {
	// groups by name. A group is the same on every resource.
	groups map[string]bool
	// namespaces by ClusterRole and by name.
	namespaces map[string]map[string]bool
}

// denials resolves each Deny as if it were a grant. A Deny on a resource with an
// invalid selector applies to every namespace: it is better to remove too much than too
// little. A Deny whose names do not exist removes nothing: see UnknownDenies.
func (c Cluster) denials(org *accountsv1.Organization, denied []Pair) denials {
	all := denials{groups: map[string]bool{}, namespaces: map[string]map[string]bool{}}
	for _, pair := range denied {
		permission, resource := declared(org, pair)
		switch {
		case permission == nil || resource == nil:
			continue
		case permission.Group != "":
			all.groups[permission.Group] = true
			continue
		case all.namespaces[permission.ClusterRole] == nil:
			all.namespaces[permission.ClusterRole] = map[string]bool{}
		}
		names := all.namespaces[permission.ClusterRole]
		standsFor, err := namespaceMatcher(resource.Namespaces)
		for i := range c.Namespaces {
			if err != nil || standsFor(c.Namespaces[i].Name, c.Namespaces[i].Labels) {
				names[c.Namespaces[i].Name] = true
			}
		}
		for _, name := range resource.Namespaces.Names {
			names[string(name)] = true
		}
	}
	return all
}

// Owns reports whether a person with a role and these overrides is an owner. The role
// must have the standing Owner, and no Deny may remove any of its grants in the home
// namespace. A person who is denied some of them may be unable to act as an owner.
//
// The result depends only on the catalogue and not on the state of the cluster. So
// every reader of the same Organization and Membership gets the same answer.
func Owns(org *accountsv1.Organization, role accountsv1.CatalogueName, overrides []accountsv1.PermissionOverride) bool {
	return org.IsOwnerRole(role) && !slices.ContainsFunc(overrides, func(o accountsv1.PermissionOverride) bool {
		return o.Effect != accountsv1.EffectAllow && slices.ContainsFunc(o.Resources, func(resource accountsv1.CatalogueName) bool {
			return deniesOwnership(org, role, Pair{o.Permission, resource})
		})
	})
}

// OwnersOverrides returns the overrides without each Deny that would make a person with
// the role no longer an owner: see Owns.
func OwnersOverrides(org *accountsv1.Organization, role accountsv1.CatalogueName, overrides []accountsv1.PermissionOverride) []accountsv1.PermissionOverride {
	kept := slices.Clone(overrides)
	for i, o := range kept {
		if o.Effect != accountsv1.EffectAllow {
			kept[i].Resources = slices.DeleteFunc(slices.Clone(o.Resources), func(resource accountsv1.CatalogueName) bool {
				return deniesOwnership(org, role, Pair{o.Permission, resource})
			})
		}
	}
	return kept
}

// deniesOwnership reports whether a Deny removes something that a role grants in the home
// namespace. A Deny with a selector counts if it can do so, because labels can change.
func deniesOwnership(org *accountsv1.Organization, role accountsv1.CatalogueName, deny Pair) bool {
	home := org.Spec.Namespace
	permission, resource := declared(org, deny)
	if permission == nil || permission.ClusterRole == "" || resource == nil ||
		resource.Namespaces.Selector == nil && !slices.Contains(resource.Namespaces.Names, home) {
		return false
	}
	atHome := func(of accountsv1.ResourceNamespaces) bool {
		return matches(of, string(home), map[string]string{corev1.LabelMetadataName: string(home)})
	}
	of, _ := org.Role(role)
	return slices.ContainsFunc(of.Grants, func(g accountsv1.Grant) bool {
		return slices.ContainsFunc(g.Resources, func(name accountsv1.CatalogueName) bool {
			p, r := declared(org, Pair{g.Permission, name})
			return p != nil && p.ClusterRole == permission.ClusterRole && r != nil && atHome(r.Namespaces)
		})
	})
}

// denyMessage returns a message that says where the person is denied a ClusterRole.
func denyMessage(clusterRole string, namespaces []string) string {
	return fmt.Sprintf("ClusterRole %s is denied in namespace %s, regardless of which permission and resource grant it; change spec.permissions to restore it.",
		clusterRole, joinNames(namespaces))
}
