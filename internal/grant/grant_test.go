// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func namespace(name string, labels map[string]string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func TestResolve(t *testing.T) {
	acme := map[string]string{"team": "acme"}
	going := namespace("acme-old", acme)
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)}
	roles := map[string]ClusterRole{"edit": {Exists: true, Bindable: true}}
	cluster := Cluster{Own: "usher-system", ClusterRoles: roles, Namespaces: []corev1.Namespace{
		namespace("acme-staging", acme), namespace("acme-production", acme), namespace("beta", nil), going,
		namespace("kube-system", acme), namespace("usher-system", acme),
	}}
	org := &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			Resources: []accountsv1.Resource{
				{Name: "staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme-staging"}}},
				{Name: "future", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme-staging", "acme-next"}}},
				{Name: "system", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme-staging", "acme-next", "kube-nothing"}}},
				{Name: "usher", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"usher-system"}}},
				{Name: "all", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: acme}}},
				{Name: "none", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "beta"}}}},
			},
			Permissions: []accountsv1.Permission{{Name: "deploy", ClusterRole: "edit"}, {Name: "dashboards", Group: "grafana"}},
		},
	}
	cases := map[string]struct {
		pair Pair
		want Grant
	}{
		"a namespace by name": {Pair{Permission: "deploy", Resource: "staging"}, Grant{ClusterRole: "edit", Namespaces: []string{"acme-staging"}}},
		"one that exists and one that does not": {Pair{Permission: "deploy", Resource: "future"}, Grant{
			ClusterRole: "edit", Namespaces: []string{"acme-staging"}, Missing: []string{"acme-next"}, Reason: "NamespaceNotFound",
		}},
		"a selector never reaches system namespaces, Usher's own, or those being deleted": {Pair{Permission: "deploy", Resource: "all"}, Grant{
			ClusterRole: "edit", Namespaces: []string{"acme-production", "acme-staging"},
		}},
		"a selector that matches nothing": {Pair{Permission: "deploy", Resource: "none"}, Grant{ClusterRole: "edit"}},
		"Usher's own namespace by name":   {Pair{Permission: "deploy", Resource: "usher"}, Grant{ClusterRole: "edit", Reason: "SystemNamespace"}},
		"existing, missing and system namespaces": {Pair{Permission: "deploy", Resource: "system"}, Grant{
			ClusterRole: "edit", Namespaces: []string{"acme-staging"}, Missing: []string{"acme-next"}, Reason: "SystemNamespace",
		}},
		"a group":               {Pair{Permission: "dashboards", Resource: "staging"}, Grant{Group: "grafana"}},
		"an unknown permission": {Pair{Permission: "fly", Resource: "staging"}, Grant{Reason: "PermissionNotFound"}},
		"an unknown resource":   {Pair{Permission: "deploy", Resource: "moon"}, Grant{Reason: "ResourceNotFound"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.want.Pair = c.pair
			got := Resolve(org, []Pair{c.pair}, nil, cluster)
			if diff := cmp.Diff([]Grant{c.want}, got, cmpopts.IgnoreFields(Grant{}, "Message")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if (got[0].Reason == "") != (got[0].Message == "") {
				t.Errorf("reason %q comes with the message %q", got[0].Reason, got[0].Message)
			}
		})
	}
}

func TestRoleBindings(t *testing.T) {
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane-doe"},
		Spec:       accountsv1.MembershipSpec{OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}},
	}
	got := RoleBindings(m, "jane", []Grant{
		{ClusterRole: "view", Namespaces: []string{"staging"}},
		{ClusterRole: "edit", Namespaces: []string{"staging", "production"}},
		{ClusterRole: "edit", Namespaces: []string{"staging"}},
		{Group: "grafana"},
	})
	want := func(namespace, clusterRole string) rbacv1.RoleBinding {
		return rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: "usher:acme:jane-doe:" + clusterRole,
				Labels: map[string]string{
					"app.kubernetes.io/managed-by":            "usher",
					"accounts.usher.dev/account":              "jane",
					"accounts.usher.dev/organization":         "acme",
					"accounts.usher.dev/membership":           "jane-doe",
					"accounts.usher.dev/membership-namespace": "acme",
				},
			},
			RoleRef:  rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: clusterRole},
			Subjects: []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: "usher:jane"}},
		}
	}
	if diff := cmp.Diff([]rbacv1.RoleBinding{want("production", "edit"), want("staging", "edit"), want("staging", "view")}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
