// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// roleAttempts returns attempts to assign roles.
func roleAttempts() (list []attempt) {
	for role, verbs := range map[string][]verb{"owner": changing, "manager": partly, "observer": wholly, "unknown": partly} {
		list = append(list, attempt{
			name: "a developer becomes " + role, kind: memberships, verbs: verbs, pool: "member", key: atHome,
			change: set(role, "spec", "role"),
		})
	}
	for _, role := range []string{"owner", "manager", "developer", "guest", "unknown"} {
		list = append(list, attempt{
			name: "a new person is " + role, kind: memberships, verbs: making, pool: "outsider", key: freshIn(home), change: offered(role),
		})
	}
	return append(list,
		attempt{
			name: "a guest becomes developer", kind: memberships, verbs: wholly, pool: "guest", key: atHome,
			change: set("developer", "spec", "role"),
		},
		attempt{name: "a developer is removed", kind: memberships, verbs: []verb{deletes, deletesAll}, pool: "member", key: atHome, change: nothing},
		attempt{name: "a guest is removed", kind: memberships, verbs: []verb{deletes, deletesAll}, pool: "guest", key: atHome, change: nothing},
	)
}

// allowsManaging is the attempt that gives a developer a permission to manage people.
const allowsManaging = "Allow of a managing permission"

// overrideAttempts returns attempts to allow permissions on top of roles, and to
// remove Denies.
func overrideAttempts() []attempt {
	allowed := func(name string, verbs []verb, pool, permission, resource string) attempt {
		return attempt{
			name: name, kind: memberships, verbs: verbs, pool: pool, key: atHome, change: overriding("Allow", permission, resource),
		}
	}
	undenied := attempt{
		name: "a Deny is removed", kind: memberships, verbs: removing, pool: "denied", key: atHome, change: unset("spec", "permissions"),
	}
	return []attempt{
		allowed(allowsManaging, changing, "member", "own", "home"),
		allowed("Allow of a permission that assigns roles", wholly, "member", "assign-some", "home"),
		allowed("Allow of a permission that the role lacks", partly, "member", "operate", "staging"),
		allowed("Allow of a permission that the role has elsewhere", wholly, "member", "deploy", "home"),
		allowed("Allow of a managing permission to a guest", partly, "guest", "own", "home"),
		allowed("Allow of a managing permission elsewhere", wholly, "member", "own", "staging"),
		undenied,
		{
			name: "a new person with an Allow", kind: memberships, verbs: making, pool: "outsider", key: freshIn(home),
			change: changes(offered("developer"), overriding("Allow", "own", "home")),
		},
	}
}

// resourceAttempts returns attempts to allow every ClusterRole that a catalogue can name
// on every resource.
func resourceAttempts() (list []attempt) {
	for _, permission := range []string{"see", "manage", "own", "assign-some", "deploy", "administer", "look", "collected"} {
		for _, resource := range slices.Sorted(maps.Keys(namespaces)) {
			for _, pool := range []string{"member", "guest"} {
				list = append(list, attempt{
					name: fmt.Sprintf("Allow of %s on %s to a %s", permission, resource, pool), kind: memberships, verbs: []verb{merges},
					by: []*actor{clusterAdmin, owner, manager, member, clerk}, pool: pool, key: atHome, change: overriding("Allow", permission, resource),
				})
			}
		}
	}
	return list
}

// ownAttempts returns attempts on the actor's own Membership.
func ownAttempts() []attempt {
	own := func(name string, verbs []verb, change func(trier, *unstructured.Unstructured)) attempt {
		return attempt{name: name, kind: memberships, verbs: verbs, by: members, key: theirOwn, change: change}
	}
	return []attempt{
		own("their own role is owner", wholly, set("owner", "spec", "role")),
		own("their own role is manager", []verb{merges}, set("manager", "spec", "role")),
		own("their own role is developer", []verb{patches}, set("developer", "spec", "role")),
		own("they allow themselves to own", []verb{patches}, overriding("Allow", "own", "home")),
		own("they allow themselves to operate", []verb{updates}, overriding("Allow", "operate", "staging")),
		own("they deny themselves", []verb{merges}, overriding("Deny", "look", "staging")),
		own("they suspend themselves", []verb{applies}, set("Suspended", "spec", "state")),
		own("they delete themselves", []verb{deletes}, nothing),
	}
}

// tenantAttempts returns attempts that name acme in namespaces other than its home
// namespace.
func tenantAttempts() (list []attempt) {
	for _, namespace := range []string{otherHome, staging, "kube-system"} {
		list = append(list, attempt{
			name: "a Membership of acme elsewhere", kind: memberships, verbs: making, pool: "outsider", key: freshIn(namespace), change: offered("owner"),
		})
	}
	return append(list,
		attempt{
			name: "an Invitation to acme elsewhere", kind: invitations, verbs: making, pool: "outsider", key: freshIn(otherHome), change: offered("owner"),
		},
		attempt{
			name: "a Membership of another tenant in acme's home namespace", kind: memberships, verbs: making, pool: "outsider", key: freshIn(home),
			change: changes(offered("owner"), set(otherHome, "spec", "organizationRef", "name")), empty: true,
		},
		attempt{
			name: "the outsider makes themselves an owner", kind: memberships, verbs: making, by: []*actor{outsider, clerk, impostor}, key: freshIn(home),
			change: func(_ trier, o *unstructured.Unstructured) { offer(o, "owner", "oscar") },
		},
	)
}

// invitationAttempts returns attempts to invite people directly, without a
// Membership.
func invitationAttempts() (list []attempt) {
	for _, role := range []string{"owner", "manager", "developer", "guest", "unknown"} {
		list = append(list, attempt{
			name: "an Invitation to be " + role, kind: invitations, verbs: making, pool: "outsider", key: freshIn(home), change: offered(role),
		})
	}
	for _, role := range []string{"owner", "developer"} {
		list = append(list, attempt{
			name: "an Invitation for the sender to be " + role, kind: invitations, verbs: making, by: members, key: freshIn(home),
			change: offeredThemselves(role), empty: true,
		})
	}
	return append(list,
		attempt{
			name: "an Invitation with the name of a member", kind: invitations, verbs: making, pool: "member", key: atHome,
			change: offered("owner"), empty: true,
		},
		attempt{
			name: "an Invitation is deleted", kind: invitations, verbs: []verb{deletes, deletesAll}, pool: "invited", key: atHome, change: nothing,
		},
	)
}

// recordAttempts returns attempts to change Usher's records in metadata.
func recordAttempts() []attempt {
	annotated := func(key, value string) func(trier, *unstructured.Unstructured) {
		return func(_ trier, o *unstructured.Unstructured) { annotate(o, key, value) }
	}
	owned := func(ref map[string]any) func(trier, *unstructured.Unstructured) {
		return set([]any{ref}, "metadata", "ownerReferences")
	}
	ghost := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "ghost"}
	boss := map[string]any{"apiVersion": accountsGroup + "/v1alpha1", "kind": "Membership", "name": "ada", "uid": "ghost"}
	onMember := func(name string, verbs []verb, change func(trier, *unstructured.Unstructured)) attempt {
		return attempt{name: name, kind: memberships, verbs: verbs, pool: "member", key: atHome, change: change}
	}
	onInvitation := func(name string, verbs []verb, change func(trier, *unstructured.Unstructured)) attempt {
		return attempt{name: name, kind: invitations, verbs: verbs, pool: "invited", key: atHome, change: change}
	}
	return []attempt{
		onMember("the finalizer is removed", removing, unset("metadata", "finalizers")),
		onMember("a record is forged", partly, annotated("founders", "moe-1")),
		onMember("an owner that does not exist", wholly, owned(ghost)),
		onMember("a foreign finalizer", partly, set([]any{"accounts.usher.dev/withdraw", "example.com/hold"}, "metadata", "finalizers")),
		onMember("Usher's labels", partly, set("usher", "metadata", "labels", "app.kubernetes.io/managed-by")),
		onInvitation("a claim to be made for a Membership", wholly, annotated("made-for-membership", "ada")),
		onInvitation("a claim to be mailed already", partly, annotated("mailed", "2027-01-15T08:00:00Z")),
		onInvitation("owned by a Membership", partly, owned(boss)),
		{
			name: "a new person with a record", kind: memberships, verbs: making, pool: "outsider", key: freshIn(home),
			change: changes(offered("guest"), annotated("founders", "x")),
		},
		{
			name: "a forged record of a Membership on an Account", kind: accounts, verbs: partly, pool: "outsider", key: clusterWide,
			change: annotated("memberships", home+"/gil-4=gil-4@example.com"), role: "guest",
		},
		{
			name: "the record of the founders is removed", kind: organizations, verbs: []verb{updates, merges}, once: true, key: named(home),
			change: unset("metadata", "annotations"),
		},
	}
}

func annotate(o *unstructured.Unstructured, key, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[accountsGroup+"/"+key] = value
	o.SetAnnotations(annotations)
}

// accountUIDs are the UIDs of all Accounts, by name.
var accountUIDs = map[string]types.UID{}

// statusAttempts returns attempts to forge Usher's status, and people's answers.
func statusAttempts() []attempt {
	onMember := func(name string, verbs []verb, change func(trier, *unstructured.Unstructured)) attempt {
		return attempt{name: name, kind: memberships, sub: "status", verbs: verbs, pool: "member", key: atHome, change: change}
	}
	acceptance := func(account string) map[string]any {
		return map[string]any{
			"accountRef": map[string]any{"name": account, "uid": string(accountUIDs[account])}, "acceptedTime": "2026-01-01T00:00:00Z",
		}
	}
	condition := map[string]any{
		"type": "LastOwner", "status": "True", "reason": "LastOwner", "message": "Forged.", "lastTransitionTime": "2026-01-01T00:00:00Z",
	}
	hash := strings.Repeat("0", 64)
	approval := map[string]any{"codeHash": hash, "sessionHash": hash, "time": "2026-01-01T00:00:00Z"}
	inForce := map[string]any{
		"permission": "own", "resource": "home", "state": "InForce", "clusterRole": "usher-organization-owner", "namespaces": []any{home},
	}
	return []attempt{
		onMember("accountRef is the sender's", changing, func(t trier, o *unstructured.Unstructured) {
			put(o, map[string]any{"name": or(t.who.member, "olive-1")}, "status", "accountRef")
		}),
		onMember("guard is old", wholly, set(map[string]any{"since": "2026-01-01T00:00:00Z", "generation": int64(1)}, "status", "guard")),
		onMember("LastOwner is True", partly, set([]any{condition}, "status", "conditions")),
		onMember("grants are in force", wholly, set([]any{inForce}, "status", "grants")),
		{
			name: "an Invitation is accepted", kind: invitations, sub: "status", verbs: changing, pool: "invited", key: atHome, role: "owner",
			change: func(t trier, o *unstructured.Unstructured) { put(o, acceptance(t.picked), "status", "acceptance") },
		},
		{
			name: "an Invitation is accepted by another person", kind: invitations, sub: "status", verbs: wholly, pool: "invited", key: atHome,
			change: func(t trier, o *unstructured.Unstructured) {
				put(o, acceptance(or(t.who.member, "olive-1")), "status", "acceptance")
			},
		},
		{
			name: "a guest is among the owners", kind: organizations, sub: "status", verbs: changing, once: true, pool: "guest", key: named(home),
			change: func(t trier, o *unstructured.Unstructured) {
				list, _, _ := unstructured.NestedSlice(o.Object, "status", "owners")
				put(o, append(list, map[string]any{"name": t.picked, "role": "owner"}), "status", "owners")
			},
		},
		{
			name: "an Account has a second factor", kind: accounts, sub: "status", verbs: partly, pool: "outsider", key: clusterWide,
			change: set("Enrolled", "status", "twoFactor"),
		},
		{
			name: "an Account approved a device", kind: accounts, sub: "status", verbs: wholly, pool: "outsider", key: clusterWide,
			change: set([]any{approval}, "status", "deviceApprovals"),
		},
	}
}

// or returns name, or otherwise if name is empty.
func or(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}
