// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// In a home namespace, a ClusterRole such as edit counts as managing: it is given only to
// a role that the catalogue gives it to, by the name of the namespace.
func TestAClusterRoleThatManagesAtHome(t *testing.T) {
	team := map[string]string{"team": "acme"}
	cluster := Cluster{
		Own:   "usher-system",
		Homes: map[string]bool{"acme": true, "globex": true},
		Namespaces: []corev1.Namespace{
			namespace("acme", map[string]string{"team": "acme", "kubernetes.io/metadata.name": "acme"}), namespace("globex", team), namespace("staging", team),
		},
		ClusterRoles: map[string]ClusterRole{
			"edit": {Exists: true, Bindable: true, ManagesAtHome: true},
			"own":  {Exists: true, Bindable: true, Manages: true, ManagesAtHome: true},
			"view": grantable,
		},
	}
	const byRole, byDefault, byAllow, asGuest = "role", "default grants", "Allow", "guest"
	for name, c := range map[string]struct {
		clusterRole string
		of          accountsv1.ResourceNamespaces
		by, want    string
	}{
		"by the role":                               {"edit", byNames("acme"), byRole, "acme"},
		"by the role, and elsewhere":                {"edit", byNames("acme", "staging"), byRole, "acme,staging"},
		"by default grants":                         {"edit", byNames("acme"), byDefault, "acme"},
		"by an Allow":                               {"edit", byNames("acme"), byAllow, "NotGrantedByRole"},
		"by an Allow, and elsewhere":                {"edit", byNames("acme", "staging"), byAllow, "staging NotGrantedByRole"},
		"by an Allow elsewhere":                     {"edit", byNames("staging"), byAllow, "staging"},
		"as a guest":                                {"edit", byNames("acme"), asGuest, "Guest"},
		"as a guest, and elsewhere":                 {"edit", byNames("acme", "staging"), asGuest, "staging Guest"},
		"as a guest, only elsewhere":                {"edit", byNames("staging"), asGuest, "staging"},
		"by a selector":                             {"edit", byLabel("team", "acme"), byRole, "staging NotGrantedByRole"},
		"by a selector and an Allow":                {"edit", byLabel("team", "acme"), byAllow, "staging NotGrantedByRole"},
		"by the label of its name":                  {"edit", byLabel("kubernetes.io/metadata.name", "acme"), byRole, "acme"},
		"by the label of its name and an Allow":     {"edit", byLabel("kubernetes.io/metadata.name", "acme"), byAllow, "NotGrantedByRole"},
		"in another home":                           {"edit", byNames("globex"), byRole, "NotHomeNamespace"},
		"in another home by an Allow":               {"edit", byNames("globex", "staging"), byAllow, "staging NotHomeNamespace"},
		"in both homes":                             {"edit", byNames("globex", "acme"), byRole, "acme NotHomeNamespace"},
		"in a namespace that does not exist":        {"edit", byNames("acme", "next"), byAllow, "NotGrantedByRole"},
		"one that manages everywhere, by the role":  {"own", byNames("acme"), byRole, "acme"},
		"one that manages everywhere, by an Allow":  {"own", byNames("acme"), byAllow, "NotGrantedByRole"},
		"one that manages everywhere, by selectors": {"own", byLabel("team", "acme"), byRole, "NotGrantedByRole"},
		"one that manages nowhere, by an Allow":     {"view", byNames("acme", "globex"), byAllow, "acme,globex"},
		"one that manages nowhere, by a selector":   {"view", byLabel("team", "acme"), asGuest, "acme,globex,staging"},
	} {
		t.Run(name, func(t *testing.T) {
			org, role := one(c.clusterRole, c.of), accountsv1.Role{Name: "r"}
			there := []accountsv1.Grant{{Permission: "do", Resources: []accountsv1.CatalogueName{"there"}}}
			switch c.by {
			case byDefault:
				org.Spec.DefaultGrants = there
			case asGuest:
				role.Standing, role.Grants = accountsv1.StandingGuest, there
			case byRole:
				role.Grants = there
			}
			pairs, at := []Pair{{"do", "there"}}, cluster
			at.Homes = map[string]bool{}
			for _, namespace := range ManagedElsewhere(org, pairs, cluster) {
				at.Homes[namespace] = cluster.Homes[namespace]
			}
			g := Resolve(org, pairs, nil, at)[0].RestrictToRole(org, role)
			if got := told(g); got != c.want {
				t.Errorf("%q, not %q: %s", got, c.want, g.Message)
			}
			if (g.Reason == "") != (g.Message == "") || strings.Contains(g.Message, "%") {
				t.Errorf("%s: %q", g.Reason, g.Message)
			}
		})
	}
}

// Usher looks up only these namespaces, so they must be few.
func TestOnlyPairsThatManageAtHomeNeedTheHomesOfOthers(t *testing.T) {
	cluster := Cluster{
		Namespaces: []corev1.Namespace{namespace("acme", nil), namespace("globex", nil), namespace("staging", nil)},
		ClusterRoles: map[string]ClusterRole{
			"edit": {Exists: true, Bindable: true, ManagesAtHome: true}, "view": grantable,
		},
	}
	for name, c := range map[string]struct {
		clusterRole, resource, want string
		of                          accountsv1.ResourceNamespaces
	}{
		"in the home namespace":              {"edit", "there", "", byNames("acme")},
		"elsewhere":                          {"edit", "there", "globex staging", byNames("acme", "staging", "globex", "next")},
		"with a ClusterRole of another kind": {"view", "there", "", byNames("acme", "globex", "staging")},
		"with an unknown ClusterRole":        {"admin", "there", "", byNames("globex")},
		"on an unknown resource":             {"edit", "nowhere", "", byNames("globex")},
	} {
		t.Run(name, func(t *testing.T) {
			pairs := []Pair{{"do", accountsv1.CatalogueName(c.resource)}}
			if got := strings.Join(ManagedElsewhere(one(c.clusterRole, c.of), pairs, cluster), " "); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

func TestAnExcludedNamespaceIsNeverReached(t *testing.T) {
	excluded := func(value string) map[string]string {
		return map[string]string{"team": "acme", "accounts.usher.dev/grants": value}
	}
	cluster := Cluster{
		Own: "usher-system",
		Namespaces: []corev1.Namespace{
			namespace("acme", excluded("Never")), namespace("flux-system", excluded("never")), namespace("default", excluded("")),
			namespace("staging", map[string]string{"team": "acme"}),
		},
		ClusterRoles: map[string]ClusterRole{"view": grantable, "own": {Exists: true, Bindable: true, Manages: true, ManagesAtHome: true}},
	}
	absent := accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "none", Operator: "DoesNotExist"}}}}
	for name, c := range map[string]struct {
		clusterRole string
		of          accountsv1.ResourceNamespaces
		deny, want  string
	}{
		"by a label":                               {"view", byLabel("team", "acme"), "", "staging"},
		"by the label itself":                      {"view", byLabel("accounts.usher.dev/grants", "Never"), "", ""},
		"by the absence of a label":                {"view", absent, "", "staging"},
		"by name":                                  {"view", byNames("flux-system"), "", "NamespaceExcluded"},
		"by name, with another":                    {"view", byNames("default", "staging"), "", "staging NamespaceExcluded"},
		"by name, with a system namespace":         {"view", byNames("default", "kube-system"), "", "NamespaceExcluded"},
		"by name, with a missing one":              {"view", byNames("default", "next"), "", "NamespaceExcluded"},
		"the home namespace":                       {"own", byNames("acme"), "", "NamespaceExcluded"},
		"the home namespace, with an ordinary one": {"view", byNames("acme", "staging"), "", "staging NamespaceExcluded"},
		"by name, with a denied one":               {"view", byNames("default", "staging"), "do", "NamespaceExcluded"},
	} {
		t.Run(name, func(t *testing.T) {
			org := one(c.clusterRole, c.of)
			var denied []Pair
			if c.deny != "" {
				org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{Name: "denied", Namespaces: byNames("staging")})
				denied = []Pair{{"do", "denied"}}
			}
			g := Resolve(org, []Pair{{"do", "there"}}, denied, cluster)[0]
			if got := told(g); got != c.want {
				t.Errorf("%q, not %q: %s", got, c.want, g.Message)
			}
			if g.Reason == "NamespaceExcluded" && !strings.Contains(g.Message, "accounts.usher.dev/grants") {
				t.Errorf("it says: %s", g.Message)
			}
			if covered := cluster.Covered(c.of); slices.ContainsFunc(covered, func(n string) bool { return n != "staging" }) {
				t.Errorf("it covers %v", covered)
			}
		})
	}
}
