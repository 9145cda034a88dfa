// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var unreadable = accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Foo"}}}}

// varied is an Organization in which several names refer to the same thing.
func varied() *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			Namespace: "acme",
			Resources: []accountsv1.Resource{
				{Name: "all", Namespaces: byLabel("team", "acme")},
				{Name: "production", Namespaces: byNames("production")},
				{Name: "both", Namespaces: byNames("staging", "production")},
				{Name: "coming", Namespaces: byNames("production", "next")},
				{Name: "next", Namespaces: byNames("next")},
				{Name: "ours", Namespaces: byNames("usher-system", "production")},
				{Name: "broken", Namespaces: unreadable},
				{Name: "home", Namespaces: byNames("acme")},
				{Name: "metadata", Namespaces: byLabel(corev1.LabelMetadataName, "acme")},
				{Name: "tier", Namespaces: byLabel("tier", "gold")},
			},
			Permissions: []accountsv1.Permission{
				{Name: "deploy", ClusterRole: "edit"},
				{Name: "release", ClusterRole: "edit"},
				{Name: "look", ClusterRole: "view"},
				{Name: "manage", ClusterRole: "manager"},
				{Name: "own", ClusterRole: "owner"},
				{Name: "dashboards", Group: "grafana"},
				{Name: "graphs", Group: "grafana"},
				{Name: "edit", Group: "edit"},
			},
			Roles: []accountsv1.Role{
				{Name: "owner", Standing: accountsv1.StandingOwner, Grants: []accountsv1.Grant{
					{Permission: "own", Resources: []accountsv1.CatalogueName{"home"}},
					{Permission: "look", Resources: []accountsv1.CatalogueName{"metadata"}},
					{Permission: "deploy", Resources: []accountsv1.CatalogueName{"all", "both"}},
				}},
				{Name: "member", Grants: []accountsv1.Grant{{Permission: "own", Resources: []accountsv1.CatalogueName{"home"}}}},
			},
		},
	}
}

func TestDenyRemovesByEffect(t *testing.T) {
	team := map[string]string{"team": "acme"}
	cluster := Cluster{
		Own:        "usher-system",
		Namespaces: []corev1.Namespace{namespace("staging", team), namespace("production", team), namespace("acme", nil)},
		ClusterRoles: map[string]ClusterRole{
			"edit": grantable, "view": grantable, "manager": {Exists: true, Bindable: true, Manages: true},
		},
	}
	absent := cluster
	absent.ClusterRoles = nil
	for name, c := range map[string]struct {
		granted, denied Pair
		cluster         Cluster
		want            string
	}{
		"from a selector, by a name":                      {Pair{"deploy", "all"}, Pair{"deploy", "production"}, cluster, "staging Denied"},
		"from a name, by a selector":                      {Pair{"deploy", "production"}, Pair{"deploy", "all"}, cluster, "Denied"},
		"from names, by another one":                      {Pair{"deploy", "both"}, Pair{"deploy", "production"}, cluster, "staging Denied"},
		"by another permission with the same ClusterRole": {Pair{"deploy", "production"}, Pair{"release", "production"}, cluster, "Denied"},
		"not by another ClusterRole":                      {Pair{"deploy", "production"}, Pair{"look", "production"}, cluster, "production"},
		"not by a group with the ClusterRole's name":      {Pair{"deploy", "production"}, Pair{"edit", "production"}, cluster, "production"},
		"not in other namespaces":                         {Pair{"deploy", "production"}, Pair{"deploy", "next"}, cluster, "production"},
		"by a selector that matches nothing":              {Pair{"deploy", "production"}, Pair{"deploy", "tier"}, cluster, "production"},
		"by an invalid selector":                          {Pair{"deploy", "both"}, Pair{"release", "broken"}, cluster, "Denied"},
		"not by an unknown name":                          {Pair{"deploy", "production"}, Pair{"deploy", "moon"}, cluster, "production"},

		"before the namespace exists":                           {Pair{"deploy", "next"}, Pair{"release", "coming"}, cluster, "Denied"},
		"while another namespace is awaited":                    {Pair{"deploy", "coming"}, Pair{"deploy", "production"}, cluster, "NamespaceNotFound"},
		"while Usher's own namespace is named":                  {Pair{"deploy", "ours"}, Pair{"deploy", "production"}, cluster, "SystemNamespace"},
		"of a managing ClusterRole, outside the home namespace": {Pair{"manage", "both"}, Pair{"manage", "both"}, cluster, "Denied"},
		"of a ClusterRole that does not exist":                  {Pair{"deploy", "production"}, Pair{"release", "production"}, absent, "Denied"},
		"of one of two namespaces, of a missing ClusterRole":    {Pair{"deploy", "both"}, Pair{"release", "production"}, absent, "ClusterRoleNotFound"},

		"a group, by another permission": {Pair{"dashboards", "all"}, Pair{"graphs", "all"}, cluster, "Denied"},
		"a group, on another resource":   {Pair{"dashboards", "all"}, Pair{"dashboards", "next"}, cluster, "Denied"},
		"not another group":              {Pair{"edit", "all"}, Pair{"dashboards", "all"}, cluster, ""},
		"not a group, by a ClusterRole":  {Pair{"edit", "all"}, Pair{"deploy", "all"}, cluster, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := Resolve(varied(), []Pair{c.granted}, []Pair{c.denied}, c.cluster)[0]
			if got := told(g); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
			if (g.Reason == "") != (g.Message == "") {
				t.Errorf("reason %q comes with the message %q", g.Reason, g.Message)
			}
		})
	}
}

func TestDenyMessages(t *testing.T) {
	cluster := Cluster{ClusterRoles: map[string]ClusterRole{"edit": grantable}, Namespaces: []corev1.Namespace{namespace("staging", nil), namespace("production", nil)}}
	for _, c := range []struct {
		granted, denied Pair
		want            []string
	}{
		{Pair{"deploy", "both"}, Pair{"release", "production"}, []string{"ClusterRole edit is denied in namespace production,", "spec.permissions"}},
		{Pair{"deploy", "coming"}, Pair{"release", "production"}, []string{"Namespace next does not exist", "ClusterRole edit is denied in namespace production,"}},
		{Pair{"graphs", "both"}, Pair{"dashboards", "production"}, []string{"Group grafana is denied,", "spec.permissions"}},
	} {
		g := Resolve(varied(), []Pair{c.granted}, []Pair{c.denied}, cluster)[0]
		for _, part := range c.want {
			if !strings.Contains(g.Message, part) {
				t.Errorf("%v without %v says %q, and not %q", c.granted, c.denied, g.Message, part)
			}
		}
	}
}

func TestSystemNamespaceMessage(t *testing.T) {
	cluster := Cluster{Own: "usher-system", ClusterRoles: map[string]ClusterRole{"edit": grantable}}
	g := Resolve(varied(), []Pair{{"deploy", "ours"}}, nil, cluster)[0]
	if !strings.Contains(g.Message, "usher-system") || !strings.Contains(g.Message, "remove it from resource ours") || strings.Contains(g.Message, "once it exists") {
		t.Errorf("the message is: %s", g.Message)
	}
}

func TestWhoIsAnOwner(t *testing.T) {
	override := func(effect accountsv1.Effect, permission accountsv1.CatalogueName, resources ...accountsv1.CatalogueName) accountsv1.PermissionOverride {
		return accountsv1.PermissionOverride{Effect: effect, Permission: permission, Resources: resources}
	}
	for name, c := range map[string]struct {
		role     accountsv1.CatalogueName
		override accountsv1.PermissionOverride
		want     bool
		kept     []accountsv1.CatalogueName
	}{
		"with the role's grants":                                   {"owner", override("Allow", "own", "home"), true, []accountsv1.CatalogueName{"home"}},
		"not with another role":                                    {"member", override("Allow", "own", "home"), false, []accountsv1.CatalogueName{"home"}},
		"not with an unknown role":                                 {"pilot", override("Allow", "own", "home"), false, []accountsv1.CatalogueName{"home"}},
		"not without the role's grants in the home namespace":      {"owner", override("Deny", "own", "home"), false, nil},
		"not without some of these grants":                         {"owner", override("Deny", "look", "home"), false, nil},
		"not if denied by another name of the home namespace":      {"owner", override("Deny", "own", "production", "metadata"), false, []accountsv1.CatalogueName{"production"}},
		"not if denied by labels that the home namespace can have": {"owner", override("Deny", "own", "tier"), false, nil},
		"not if denied by an invalid selector":                     {"owner", override("Deny", "own", "broken"), false, nil},
		"without grants elsewhere":                                 {"owner", override("Deny", "deploy", "all", "both"), true, []accountsv1.CatalogueName{"all", "both"}},
		"without a grant at home that the role does not have":      {"owner", override("Deny", "deploy", "home"), true, []accountsv1.CatalogueName{"home"}},
		"without a grant elsewhere that the role has at home":      {"owner", override("Deny", "own", "both"), true, []accountsv1.CatalogueName{"both"}},
		"without a group":                                          {"owner", override("Deny", "dashboards", "home"), true, []accountsv1.CatalogueName{"home"}},
		"without an unknown permission":                            {"owner", override("Deny", "fly", "home"), true, []accountsv1.CatalogueName{"home"}},
		"without a grant on an unknown resource":                   {"owner", override("Deny", "own", "moon"), true, []accountsv1.CatalogueName{"moon"}},
	} {
		t.Run(name, func(t *testing.T) {
			org, overrides := varied(), []accountsv1.PermissionOverride{c.override}
			if got := Owns(org, c.role, overrides); got != c.want {
				t.Errorf("is an owner: %v", got)
			}
			kept := OwnersOverrides(org, c.role, overrides)
			if got := kept[0].Resources; strings.Join(names(got), " ") != strings.Join(names(c.kept), " ") {
				t.Errorf("the retained overrides are on %v, not %v", got, c.kept)
			}
			if org.IsOwnerRole(c.role) && !Owns(org, c.role, kept) {
				t.Error("with the retained overrides, the person is not an owner")
			}
			if c.override.Resources[0] != overrides[0].Resources[0] {
				t.Error("the manifest was changed")
			}
		})
	}
}

func names(list []accountsv1.CatalogueName) (all []string) {
	for _, name := range list {
		all = append(all, string(name))
	}
	return all
}
