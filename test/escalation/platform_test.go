// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// few are two ways to send requests that only a cluster admin may make.
var few = []verb{merges, applies}

// clusterRoleAttempts returns attempts to get ClusterRoles that no user should have,
// or not in that namespace.
func clusterRoleAttempts() (list []attempt) {
	for _, permission := range neverGiven {
		list = append(list, attempt{
			name: "Allow of " + permission, kind: memberships, verbs: []verb{updates, applies}, pool: "member", key: atHome,
			change: overriding("Allow", permission, "home"),
		})
	}
	grants := func(permission, resource string) []any {
		return []any{map[string]any{"permission": permission, "resources": []any{resource}}}
	}
	return append(list,
		onCatalogue("deploy is cluster-admin", entry("deploy", "clusterRole", "cluster-admin", "spec", "permissions")),
		onCatalogue("deploy is a ClusterRole that escalates", entry("deploy", "clusterRole", "acme-escalating", "spec", "permissions")),
		onCatalogue("guests own", entry("guest", "grants", grants("own", "home"), "spec", "roles")),
		onCatalogue("developers own elsewhere", entry("developer", "grants", grants("own", "staging"), "spec", "roles")),
		onCatalogue("all members own elsewhere", set(grants("own", "staging"), "spec", "defaultGrants")),
	)
}

func onCatalogue(name string, change func(trier, *unstructured.Unstructured)) attempt {
	return attempt{name: name, kind: organizations, verbs: few, once: true, key: named(home), change: change}
}

// systemAttempts returns attempts on objects of the system.
func systemAttempts() []attempt {
	const system, own, credentials = "kube-system", "usher-system", "usher-accounts"
	invalid := func(a attempt) attempt {
		a.invalid = true
		return a
	}
	resource := func(namespaces map[string]any) func(trier, *unstructured.Unstructured) {
		return entry("staging", "namespaces", namespaces, "spec", "resources")
	}
	selector := map[string]any{"matchExpressions": []any{map[string]any{
		"key": "kubernetes.io/metadata.name", "operator": "In", "values": []any{system, own, credentials, "kube-public"},
	}}}
	return []attempt{
		invalid(onCatalogue("a system namespace by name", resource(map[string]any{"names": []any{system}}))),
		onCatalogue("Usher's namespace by name", resource(map[string]any{"names": []any{own}})),
		onCatalogue("the namespace with the credentials by name", resource(map[string]any{"names": []any{credentials}})),
		{
			// An apply would keep the existing names.
			name: "system namespaces by a label", kind: organizations, verbs: []verb{merges, updates}, once: true, key: named(home),
			change: resource(map[string]any{"selector": selector}),
		},
		invalid(onCatalogue("a group of the system", entry("deploy", "group", "system:masters", "spec", "permissions"))),
		invalid(onCatalogue("a group that is the role of another tenant", entry("deploy", "group", otherHome+":owner", "spec", "permissions"))),
		invalid(onCatalogue("a ClusterRole of the system", entry("deploy", "clusterRole", "system:masters", "spec", "permissions"))),
		onCatalogue("another name", set("Acme", "spec", "displayName")),
		{
			name: "a tenant with its home in the system", kind: organizations, verbs: making, key: freshIn(""), invalid: true,
			change: changes(set(system, "spec", "namespace"), set([]any{map[string]any{"name": "owner"}}, "spec", "roles")),
		},
		{
			name: "a tenant with the name of the system", kind: organizations, verbs: making, once: true, key: named("system"), invalid: true,
			change: changes(set("masters", "spec", "namespace"), set([]any{map[string]any{"name": "masters"}}, "spec", "roles")),
		},
		{
			name: "a second tenant with its home in acme", kind: organizations, verbs: making, key: freshIn(""),
			change: changes(set(home, "spec", "namespace"), set([]any{map[string]any{"name": "owner"}}, "spec", "roles")),
		},
	}
}

// excesses are rules that no ClusterRole granted on staging has.
var excesses = map[string]map[string]any{
	"escalates":       rule(rbacGroup, "clusterroles,roles", "bind,escalate"),
	"does everything": rule("*", "*", "*"),
	"manages people":  rule(accountsGroup, "memberships,roles", "create,assign"),
	"writes statuses": rule(accountsGroup, "memberships/status,accounts/status", "update"),
}

// widenedAttempts returns attempts to add rules to ClusterRoles that were granted
// before.
func widenedAttempts() (list []attempt) {
	for name, excess := range excesses {
		list = append(list, attempt{
			name: "a granted ClusterRole " + name, kind: clusterroles, verbs: changing, pool: "widened", key: clusterWide,
			change: set([]any{rule(widgetsGroup, "widgets", "get"), excess}, "rules"),
		})
	}
	return list
}

// aggregatedAttempts returns attempts to add rules to them with an aggregation label.
func aggregatedAttempts() (list []attempt) {
	label := func(_ trier, o *unstructured.Unstructured) { o.SetLabels(map[string]string{aggregating: "true"}) }
	for name, excess := range excesses {
		list = append(list, attempt{
			name: "a part of a granted ClusterRole " + name, kind: clusterroles, verbs: making, key: freshIn(""),
			change: changes(label, set([]any{excess}, "rules")),
		})
	}
	everything := map[string]any{"clusterRoleSelectors": []any{map[string]any{
		"matchLabels": map[string]any{"kubernetes.io/bootstrapping": "rbac-defaults"},
	}}}
	return append(list,
		attempt{name: "a ClusterRole that escalates becomes a part", kind: clusterroles, verbs: changing, once: true, key: named("acme-escalating"), change: label},
		attempt{name: "cluster-admin becomes a part", kind: clusterroles, verbs: changing, once: true, key: named("cluster-admin"), change: label},
		attempt{
			name: "a granted ClusterRole aggregates all", kind: clusterroles, verbs: changing, pool: "widened", key: clusterWide,
			change: set(everything, "aggregationRule"),
		},
	)
}

// bindingAttempts returns attempts to change Usher's RoleBindings, and to plant new
// ones.
func bindingAttempts() []attempt {
	ofMember := func(t trier) types.NamespacedName {
		return types.NamespacedName{Namespace: staging, Name: "usher:acme:" + t.picked + ":edit"}
	}
	subject := func(t trier, o *unstructured.Unstructured) {
		put(o, []any{map[string]any{"apiGroup": rbacGroup, "kind": "User", "name": userOf(or(t.who.member, "olive-1"))}}, "subjects")
	}
	onBinding := func(name string, verbs []verb, change func(trier, *unstructured.Unstructured)) attempt {
		return attempt{name: name, kind: rolebindings, verbs: verbs, pool: "member", key: ofMember, change: change}
	}
	planted := func(name, pool, namespace string) attempt {
		return attempt{
			name: name, kind: rolebindings, verbs: making, pool: pool,
			key: func(t trier) types.NamespacedName {
				return types.NamespacedName{Namespace: namespace, Name: "usher:acme:" + t.picked + ":usher-organization-owner"}
			},
			change: func(t trier, o *unstructured.Unstructured) {
				o.SetLabels(map[string]string{
					"app.kubernetes.io/managed-by": "usher", accountsGroup + "/organization": home, accountsGroup + "/account": t.picked,
					accountsGroup + "/membership-namespace": home, accountsGroup + "/membership": t.picked,
				})
				put(o, map[string]any{"apiGroup": rbacGroup, "kind": "ClusterRole", "name": "usher-organization-owner"}, "roleRef")
				put(o, []any{map[string]any{"apiGroup": rbacGroup, "kind": "User", "name": userOf(t.picked)}}, "subjects")
			},
		}
	}
	other := onBinding("another ClusterRole", []verb{merges, patches}, set("admin", "roleRef", "name"))
	other.invalid = true
	return []attempt{
		onBinding("another subject", changing, subject),
		onBinding("no labels", removing, unset("metadata", "labels")),
		onBinding("another subject and no labels", removing, changes(subject, unset("metadata", "labels"))),
		onBinding("a finalizer holds it", partly, func(_ trier, o *unstructured.Unstructured) {
			o.SetFinalizers([]string{"example.com/hold"})
		}),
		onBinding("it is deleted", []verb{deletes, deletesAll}, nothing),
		other,
		planted("planted for a member", "member", home),
		planted("planted for a person without a Membership", "outsider", home),
		planted("planted in the system", "member", "kube-system"),
		planted("planted in another tenant's home", "member", otherHome),
	}
}
