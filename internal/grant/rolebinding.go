// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// RoleBindings renders the RoleBindings that give an Account the grants of a
// Membership: one for each ClusterRole and namespace, sorted.
func RoleBindings(m *accountsv1.Membership, account string, grants []Grant) []rbacv1.RoleBinding {
	byName := map[[2]string]rbacv1.RoleBinding{}
	for _, g := range grants {
		for _, namespace := range g.Namespaces {
			b := roleBinding(m, account, g.ClusterRole, namespace)
			byName[[2]string{namespace, b.Name}] = b
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b rbacv1.RoleBinding) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

// Labels are on every RoleBinding made for the Membership, and on no other.
func Labels(namespace, name string) map[string]string {
	return map[string]string{
		accountsv1.ManagedByLabel:           accountsv1.ManagedByValue,
		accountsv1.MembershipNamespaceLabel: namespace,
		accountsv1.MembershipNameLabel:      name,
	}
}

// SameBinding tells whether a RoleBinding holds what it should.
func SameBinding(have, want *rbacv1.RoleBinding) bool {
	for key, value := range want.Labels {
		if have.Labels[key] != value {
			return false
		}
	}
	return have.RoleRef == want.RoleRef && equality.Semantic.DeepEqual(have.Subjects, want.Subjects)
}

func roleBinding(m *accountsv1.Membership, account, clusterRole, namespace string) rbacv1.RoleBinding {
	organization := string(m.Spec.OrganizationRef.Name)
	labels := Labels(m.Namespace, m.Name)
	labels[accountsv1.OrganizationLabel] = organization
	labels[accountsv1.AccountLabel] = account
	return rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name:      strings.Join([]string{"usher", organization, m.Name, clusterRole}, ":"),
			Namespace: namespace,
			Labels:    labels,
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: accountsv1.AccountUserPrefix + account}},
	}
}
