// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// personalReasons are the reasons for which Usher withholds a grant from one person
// although it can be given, at least in some namespace.
var personalReasons = []string{
	accountsv1.ReasonBindingConflict, accountsv1.ReasonBindingFailed, accountsv1.ReasonPoliciesMissing,
}

// Rollout counts the members of an Organization whose status lists the grants of the
// present catalogue. It is zero if the status of every member does. A member whose own
// manifest is not reconciled yet counts as updated, because that member is not waiting for
// the catalogue.
func Rollout(org *accountsv1.Organization, members []accountsv1.Membership, cluster grant.Cluster) accountsv1.RolloutStatus {
	wanted := map[accountsv1.CatalogueName][]grant.Grant{} // of those without overrides, by role
	var all, updated int32
	for i := range members {
		m := &members[i]
		if m.Status.State != accountsv1.MembershipActive || m.DeletionTimestamp != nil || string(org.Spec.Namespace) != m.Namespace {
			continue
		}
		all++
		role, found := org.Role(m.Spec.Role)
		seen := m.Status.ObservedGeneration
		if _, owner := org.Owner(m.Name); !found || owner && !grant.Owns(org, role.Name, m.Spec.Permissions) || seen == nil || *seen != m.Generation {
			updated++
			continue
		}
		grants, known := wanted[role.Name]
		if len(m.Spec.Permissions) > 0 || !known {
			grants = resolved(org, role, m.Spec.Permissions, cluster)
		}
		if len(m.Spec.Permissions) == 0 {
			wanted[role.Name] = grants
		}
		if listsExactly(m.Status.Grants, grants) {
			updated++
		}
	}
	if updated == all {
		return accountsv1.RolloutStatus{}
	}
	return accountsv1.RolloutStatus{Members: all, Updated: &updated}
}

// listsExactly reports whether a status lists what is wanted, and gives nothing else.
func listsExactly(have []accountsv1.GrantStatus, wanted []grant.Grant) bool {
	for _, h := range have {
		w := slices.IndexFunc(wanted, func(w grant.Grant) bool { return w.Pair == grant.Pair{Permission: h.Permission, Resource: h.Resource} })
		if w < 0 && h.State == accountsv1.GrantInForce || w >= 0 && !fulfils(h, wanted[w]) {
			return false
		}
	}
	return !slices.ContainsFunc(wanted, func(w grant.Grant) bool {
		return !slices.ContainsFunc(have, func(h accountsv1.GrantStatus) bool {
			return w.Pair == grant.Pair{Permission: h.Permission, Resource: h.Resource}
		})
	})
}

func fulfils(have accountsv1.GrantStatus, wanted grant.Grant) bool {
	if have.ClusterRole != wanted.ClusterRole || have.Group != wanted.Group {
		return false
	}
	same := slices.EqualFunc(have.Namespaces, wanted.Namespaces[:min(len(wanted.Namespaces), mostNamespaces)],
		func(h accountsv1.NamespaceName, w string) bool { return string(h) == w })
	return same && have.Reason == wanted.Reason || len(wanted.Namespaces) > 0 && slices.Contains(personalReasons, have.Reason)
}
