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
	"k8s.io/apimachinery/pkg/labels"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// NamePrefix begins the name of every RoleBinding that Usher creates.
const NamePrefix = "usher:"

// RoleBindings returns the RoleBindings that give an Account the grants of a
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

// BindingName returns the name of the RoleBinding that gives a ClusterRole to the
// Account of a Membership of an Organization.
func BindingName(organization, membership, clusterRole string) string {
	return NamePrefix + strings.Join([]string{organization, membership, clusterRole}, ":")
}

// ParseBindingName parses a name that BindingName returned, except for the ClusterRole.
// found is false for any other name.
func ParseBindingName(name string) (organization, membership string, found bool) {
	rest, found := strings.CutPrefix(name, NamePrefix)
	parts := strings.SplitN(rest, ":", 3)
	if !found || len(parts) != 3 {
		return "", "", false
	}
	return parts[0], parts[1], true
}

// IsManagedFor reports whether Usher created a RoleBinding for the Membership. It checks the
// name, and either the field manager or, where a restore lost the managed fields, the
// labels. A user who removes one of these two does not take the RoleBinding over, and a
// name alone does not make it Usher's.
func IsManagedFor(b *rbacv1.RoleBinding, m *accountsv1.Membership) bool {
	organization, name, found := ParseBindingName(b.Name)
	if !found || organization != string(m.Spec.OrganizationRef.Name) || name != m.Name {
		return false
	}
	return Applied(b) || labels.SelectorFromSet(Labels(m.Namespace, m.Name)).Matches(labels.Set(b.Labels))
}

// Applied reports whether Usher applied any field of a RoleBinding.
func Applied(b *rbacv1.RoleBinding) bool {
	return slices.ContainsFunc(b.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == accountsv1.FieldManager && f.Operation == metav1.ManagedFieldsOperationApply
	})
}

// Labels returns the labels of every RoleBinding created for the Membership. No other
// RoleBinding has them.
func Labels(namespace, name string) map[string]string {
	return map[string]string{
		accountsv1.ManagedByLabel:           accountsv1.ManagedByValue,
		accountsv1.MembershipNamespaceLabel: namespace,
		accountsv1.MembershipNameLabel:      name,
	}
}

// SameBinding reports whether a RoleBinding has the wanted content.
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
	purpose := Labels(m.Namespace, m.Name)
	purpose[accountsv1.OrganizationLabel] = organization
	purpose[accountsv1.AccountLabel] = account
	return rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name:      BindingName(organization, m.Name, clusterRole),
			Namespace: namespace,
			Labels:    purpose,
		},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: accountsv1.AccountUserPrefix + account}},
	}
}
