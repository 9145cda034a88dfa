// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var grantable = ClusterRole{Exists: true, Bindable: true}

// one returns an Organization with the home namespace acme, one resource and one
// permission.
func one(clusterRole string, of accountsv1.ResourceNamespaces) *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			Namespace:   "acme",
			Resources:   []accountsv1.Resource{{Name: "there", Namespaces: of}},
			Permissions: []accountsv1.Permission{{Name: "do", ClusterRole: clusterRole}},
		},
	}
}

func byNames(names ...accountsv1.NamespaceName) accountsv1.ResourceNamespaces {
	return accountsv1.ResourceNamespaces{Names: names}
}

func byLabel(key, value string) accountsv1.ResourceNamespaces {
	return accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
}

// told formats a grant in one line: what it gives where, and why not more.
func told(g Grant) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", strings.Join(g.Namespaces, ","), g.Reason))
}

func TestAClusterRoleThatIsNotBound(t *testing.T) {
	for name, c := range map[string]struct {
		role ClusterRole
		want string
	}{
		"it does not exist": {ClusterRole{}, "ClusterRoleNotFound"},
		"it does not exist, but Usher is allowed to bind it":      {ClusterRole{Bindable: true}, "ClusterRoleNotFound"},
		"Usher is not allowed to bind it":                         {ClusterRole{Exists: true}, "BindForbidden"},
		"it is too powerful":                                      {ClusterRole{Exists: true, Bindable: true, Excess: "bind on roles"}, "ClusterRoleTooPowerful"},
		"it is too powerful, and Usher is not allowed to bind it": {ClusterRole{Exists: true, Excess: "bind on roles"}, "BindForbidden"},
		"it is too powerful, and it manages people":               {ClusterRole{Exists: true, Bindable: true, Excess: "bind on roles", Manages: true}, "ClusterRoleTooPowerful"},
		"it can be given":                                         {grantable, "acme"},
		"it manages people":                                       {ClusterRole{Exists: true, Bindable: true, Manages: true}, "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := Cluster{Own: "usher-system", Namespaces: []corev1.Namespace{namespace("acme", nil)}, ClusterRoles: map[string]ClusterRole{"r": c.role}}
			g := Resolve(one("r", byNames("acme")), []Pair{{"do", "there"}}, nil, cluster)[0]
			if got := told(g); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
			if g.ClusterRole != "r" || g.Manages != c.role.Manages {
				t.Errorf("it is about %q, managing: %v", g.ClusterRole, g.Manages)
			}
			if g.Reason != "" && (!strings.Contains(g.Message, " r") || c.role.Excess != "" && g.Reason == "ClusterRoleTooPowerful" && !strings.Contains(g.Message, c.role.Excess)) {
				t.Errorf("it says: %s", g.Message)
			}
		})
	}
}

func TestAManagingClusterRoleIsGivenAtHomeAlone(t *testing.T) {
	team := map[string]string{"team": "acme"}
	cluster := Cluster{
		Own:          "usher-system",
		Namespaces:   []corev1.Namespace{namespace("acme", team), namespace("staging", team), namespace("home", map[string]string{"home": "yes"})},
		ClusterRoles: map[string]ClusterRole{"r": {Exists: true, Bindable: true, Manages: true}},
	}
	for name, c := range map[string]struct {
		of   accountsv1.ResourceNamespaces
		want string
	}{
		"the home namespace by name":                     {byNames("acme"), "acme"},
		"the home namespace and another":                 {byNames("acme", "staging"), "acme NotHomeNamespace"},
		"the home namespace and one that does not exist": {byNames("acme", "next"), "acme NotHomeNamespace"},
		"another namespace":                              {byNames("staging"), "NotHomeNamespace"},
		"one that does not exist":                        {byNames("next"), "NotHomeNamespace"},
		"by a label that others have":                    {byLabel("team", "acme"), "acme NotHomeNamespace"},
		"by a label that only another namespace has":     {byLabel("home", "yes"), "NotHomeNamespace"},
		"by the label of its name":                       {byLabel("kubernetes.io/metadata.name", "acme"), ""},
		"by a label that no namespace has":               {byLabel("team", "beta"), ""},
		"a system namespace and the home namespace":      {byNames("acme", "kube-system"), "acme NotHomeNamespace"},
		"Usher's own":                                    {byNames("usher-system"), "NotHomeNamespace"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := told(Resolve(one("r", c.of), []Pair{{"do", "there"}}, nil, cluster)[0]); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
	homeless := Cluster{ClusterRoles: cluster.ClusterRoles}
	if got := told(Resolve(one("r", byNames("acme")), []Pair{{"do", "there"}}, nil, homeless)[0]); got != "NamespaceNotFound" {
		t.Errorf("without a home namespace: %q", got)
	}
}

func TestNamespacesOfTheSystemAreNeverReached(t *testing.T) {
	label := map[string]string{"team": "acme"}
	cluster := Cluster{Own: "usher-system", ClusterRoles: map[string]ClusterRole{"r": grantable, "m": {Exists: true, Bindable: true, Manages: true}}}
	system := []accountsv1.NamespaceName{"kube-system", "kube-public", "kube-node-lease", "kube-", "kube-anything", "usher-system", "usher-accounts"}
	for _, name := range system {
		cluster.Namespaces = append(cluster.Namespaces, namespace(string(name), label))
	}
	all := accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "nobody", Operator: "DoesNotExist"}}}}
	for _, role := range []string{"r", "m"} {
		for _, of := range []accountsv1.ResourceNamespaces{byLabel("team", "acme"), all, byNames(system...)} {
			org := one(role, of)
			for _, home := range append(system, "acme") {
				org.Spec.Namespace = home
				if g := Resolve(org, []Pair{{"do", "there"}}, nil, cluster)[0]; len(g.Namespaces) > 0 {
					t.Errorf("%s with home %s reaches %v", role, home, g.Namespaces)
				}
			}
		}
	}
}

func TestASelectorThatCannotBeReadReachesNothing(t *testing.T) {
	of := accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Foo"}}}}
	cluster := Cluster{Namespaces: []corev1.Namespace{namespace("staging", nil)}, ClusterRoles: map[string]ClusterRole{"r": grantable}}
	if got := told(Resolve(one("r", of), []Pair{{"do", "there"}}, nil, cluster)[0]); got != "" {
		t.Errorf("%q", got)
	}
}

func TestMisnamed(t *testing.T) {
	deny := func(effect accountsv1.Effect, permission accountsv1.CatalogueName, resources ...accountsv1.CatalogueName) accountsv1.PermissionOverride {
		return accountsv1.PermissionOverride{Effect: effect, Permission: permission, Resources: resources}
	}
	got := UnknownDenies(one("gone", byNames("acme")), []accountsv1.PermissionOverride{
		deny("Deny", "do", "there", "nowhere"), deny("Deny", "fly", "there"), deny("Allow", "run", "there"),
	})
	var names []string
	for _, g := range got {
		names = append(names, fmt.Sprintf("%s on %s: %s", g.Permission, g.Resource, g.Reason))
	}
	if diff := cmp.Diff([]string{"do on nowhere: ResourceNotFound", "fly on there: PermissionNotFound"}, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAMessageNamesAFewNamespacesAndCountsTheRest(t *testing.T) {
	var names []accountsv1.NamespaceName
	for i := range 64 {
		names = append(names, accountsv1.NamespaceName(fmt.Sprintf("n%02d", i)))
	}
	g := Resolve(one("r", byNames(names...)), []Pair{{"do", "there"}}, nil, Cluster{ClusterRoles: map[string]ClusterRole{"r": grantable}})[0]
	if !strings.Contains(g.Message, "n08, n09 and 54 more") || len(g.Missing) != 64 {
		t.Errorf("with %d namespaces, the message is: %s", len(g.Missing), g.Message)
	}
}

func TestWhoseRoleManagesPeople(t *testing.T) {
	org := one("manager", byNames("acme"))
	there := []accountsv1.Grant{{Permission: "do", Resources: []accountsv1.CatalogueName{"there"}}}
	managing := map[string]ClusterRole{"manager": {Exists: true, Bindable: true, Manages: true}}
	byDefault := org.DeepCopy()
	byDefault.Spec.DefaultGrants = there
	atHome := map[string]ClusterRole{"manager": {Exists: true, Bindable: true, ManagesAtHome: true}}
	elsewhere := one("manager", byNames("staging"))
	group := org.DeepCopy()
	group.Spec.Permissions[0] = accountsv1.Permission{Name: "do", Group: "manager"}
	for name, c := range map[string]struct {
		org   *accountsv1.Organization
		role  accountsv1.Role
		roles map[string]ClusterRole
		want  bool
	}{
		"by what the role grants":                {org, accountsv1.Role{Grants: there}, managing, true},
		"by default grants":                      {byDefault, accountsv1.Role{}, managing, true},
		"by default grants, as a guest":          {byDefault, accountsv1.Role{Standing: "Guest"}, managing, false},
		"without any grant":                      {org, accountsv1.Role{}, managing, false},
		"by a ClusterRole that does not manage":  {org, accountsv1.Role{Grants: there}, map[string]ClusterRole{"manager": grantable}, false},
		"by a missing ClusterRole":               {org, accountsv1.Role{Grants: there}, nil, false},
		"by one that manages at home":            {org, accountsv1.Role{Grants: there}, atHome, true},
		"by one that manages at home, elsewhere": {elsewhere, accountsv1.Role{Grants: there}, atHome, false},
		"by a group of the ClusterRole's name":   {group, accountsv1.Role{Grants: there}, managing, false},
		"by an unknown permission":               {org, accountsv1.Role{Grants: []accountsv1.Grant{{Permission: "fly"}}}, managing, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Manages(c.org, c.role, c.roles); got != c.want {
				t.Errorf("manages people: %v", got)
			}
		})
	}
}
