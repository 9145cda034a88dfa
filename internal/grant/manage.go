// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// RestrictToRole removes the home namespace from a grant that lets its subject manage
// people there, unless the catalogue grants it to the member's role. An Allow in a
// Membership never gives it, because managers write Memberships. Guests never get it.
func (g Grant) RestrictToRole(org *accountsv1.Organization, role accountsv1.Role) Grant {
	home := string(org.Spec.Namespace)
	if !g.Manages || !slices.Contains(g.Namespaces, home) {
		return g
	}
	withheld := g.Message
	switch {
	case role.Standing == accountsv1.StandingGuest:
		g.Reason = accountsv1.ReasonGuest
		g.Message = fmt.Sprintf("ClusterRole %s manages people in namespace %s, which guests must not do; remove the grant from role %s and from the overrides.",
			g.ClusterRole, home, role.Name)
	case !grantsAtHome(org, role, g.Pair):
		g.Reason = accountsv1.ReasonNotGrantedByRole
		g.Message = fmt.Sprintf("ClusterRole %s manages people in namespace %s, so an Allow or a selector does not give it there; "+
			"use other namespaces, or grant it to role %s in the Organization, on a resource that names %s.", g.ClusterRole, home, role.Name, home)
	default:
		return g
	}
	if withheld != "" {
		g.Message += " " + withheld
	}
	g.Namespaces = slices.DeleteFunc(slices.Clone(g.Namespaces), func(namespace string) bool { return namespace == home })
	return g
}

// Manages reports whether a role of the Organization lets its members manage people.
// Guests never do.
func Manages(org *accountsv1.Organization, role accountsv1.Role, roles map[string]ClusterRole) bool {
	return role.Standing != accountsv1.StandingGuest && slices.ContainsFunc(org.Grants(role), func(g accountsv1.Grant) bool {
		return slices.ContainsFunc(g.Resources, func(name accountsv1.CatalogueName) bool {
			permission, resource := declared(org, Pair{g.Permission, name})
			if permission == nil || permission.ClusterRole == "" {
				return false
			}
			of := roles[permission.ClusterRole]
			return of.Manages || of.ManagesAtHome && resource != nil && namesNamespace(resource.Namespaces, org.Spec.Namespace)
		})
	})
}

// ManagedElsewhere returns the namespaces, except the home namespace, that pairs reach with a
// ClusterRole that manages people in home namespaces, sorted. Resolve looks up only these
// in cluster.Homes.
func ManagedElsewhere(org *accountsv1.Organization, pairs []Pair, cluster Cluster) []string {
	var reached []string
	for _, pair := range pairs {
		permission, resource := declared(org, pair)
		if permission != nil && resource != nil && cluster.ClusterRoles[permission.ClusterRole].ManagesAtHome {
			reached = append(reached, cluster.Covered(resource.Namespaces)...)
		}
	}
	reached = slices.DeleteFunc(reached, func(namespace string) bool { return namespace == string(org.Spec.Namespace) })
	slices.Sort(reached)
	return slices.Compact(reached)
}

// grantsAtHome reports whether the catalogue gives a pair to members with a role, on a
// resource that names the home namespace.
func grantsAtHome(org *accountsv1.Organization, role accountsv1.Role, pair Pair) bool {
	_, resource := declared(org, pair)
	return resource != nil && namesNamespace(resource.Namespaces, org.Spec.Namespace) &&
		slices.ContainsFunc(org.Grants(role), func(g accountsv1.Grant) bool {
			return g.Permission == pair.Permission && slices.Contains(g.Resources, pair.Resource)
		})
}

// namesNamespace reports whether a resource names a namespace: directly, or by the label that the
// API server sets to the name. Other labels do not count, because users who can label
// namespaces decide what they cover.
func namesNamespace(of accountsv1.ResourceNamespaces, namespace accountsv1.NamespaceName) bool {
	return slices.Contains(of.Names, namespace) ||
		of.Selector != nil && of.Selector.MatchLabels[corev1.LabelMetadataName] == string(namespace)
}
