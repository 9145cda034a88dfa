// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// attempt is a request that must give no user more than its sender was free to give.
// It is sent in every possible way.
type attempt struct {
	name  string
	kind  kind
	sub   string
	verbs []verb
	// by are the actors who try it; none means all.
	by []*actor
	// pool is the source of the picked object or person; empty means that none is
	// picked.
	pool string
	// key returns the key of the object that the attempt is about.
	key func(trier) types.NamespacedName
	// change is made to the object, or fills in a new one.
	change func(trier, *unstructured.Unstructured)
	// invalid means that the API server refuses the request from every user.
	invalid bool
	// once means that the cluster admin tries only the first way, because there is
	// only one object for all trials.
	once bool
	// role is the role that the picked person gets if the cluster admin makes the
	// request; empty means none.
	role string
	// empty means that no user gets anything from the object, although it names a
	// role.
	empty bool
}

// trier is one actor who tries something with the picked object or person.
type trier struct {
	who    *actor
	picked string
	fresh  string
}

// trial is one case of the matrix.
type trial struct {
	attempt
	trier
	what string
	verb verb
	key  types.NamespacedName
}

func (t trial) String() string {
	about := t.kind.kind
	if t.sub != "" {
		about += "/" + t.sub
	}
	return fmt.Sprintf("%s: %s, by the %s, %s of %s %s", t.what, t.name, t.who.name, t.verb, about, t.key)
}

var serial atomic.Int64

// picking returns the trial for the picked object or person.
func (t trial) picking(picked string) trial {
	t.picked, t.fresh = picked, fmt.Sprintf("case-%d", serial.Add(1))
	t.key = t.attempt.key(t.trier)
	return t
}

// trials returns all cases of the attempts. The impostor has the rights of the clerk,
// and tries only the first way where the clerk tries all.
func trials(what string, attempts []attempt) []trial {
	var all []trial
	for _, a := range attempts {
		by := a.by
		if len(by) == 0 {
			by = actors
		}
		for i, v := range a.verbs {
			for _, who := range by {
				if i > 0 && (a.once && who == clusterAdmin || who == impostor) {
					continue
				}
				all = append(all, trial{attempt: a, trier: trier{who: who}, what: what, verb: v})
			}
		}
	}
	return all
}

// The keys of the object that an attempt is about.
func atHome(t trier) types.NamespacedName {
	return types.NamespacedName{Namespace: home, Name: t.picked}
}

func theirOwn(t trier) types.NamespacedName {
	return types.NamespacedName{Namespace: home, Name: t.who.member}
}

func freshIn(namespace string) func(trier) types.NamespacedName {
	return func(t trier) types.NamespacedName { return types.NamespacedName{Namespace: namespace, Name: t.fresh} }
}

func clusterWide(t trier) types.NamespacedName { return types.NamespacedName{Name: t.picked} }

func named(name string) func(trier) types.NamespacedName {
	return func(trier) types.NamespacedName { return types.NamespacedName{Name: name} }
}

// changes joins several changes into one.
func changes(list ...func(trier, *unstructured.Unstructured)) func(trier, *unstructured.Unstructured) {
	return func(t trier, o *unstructured.Unstructured) {
		for _, change := range list {
			change(t, o)
		}
	}
}

func nothing(trier, *unstructured.Unstructured) {}

// set sets a field of an object.
func set(value any, path ...string) func(trier, *unstructured.Unstructured) {
	return func(_ trier, o *unstructured.Unstructured) { put(o, value, path...) }
}

func put(o *unstructured.Unstructured, value any, path ...string) {
	if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
		panic(err)
	}
}

func unset(path ...string) func(trier, *unstructured.Unstructured) {
	return func(_ trier, o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, path...) }
}

// offered makes the object a Membership of acme, or an Invitation to it, for the
// picked person.
func offered(role string) func(trier, *unstructured.Unstructured) {
	return func(t trier, o *unstructured.Unstructured) { offer(o, role, t.picked) }
}

// offeredThemselves does the same for the actor.
func offeredThemselves(role string) func(trier, *unstructured.Unstructured) {
	return func(t trier, o *unstructured.Unstructured) { offer(o, role, t.who.member) }
}

func offer(o *unstructured.Unstructured, role, person string) {
	put(o, map[string]any{"name": home}, "spec", "organizationRef")
	put(o, emailOf(person), "spec", "email")
	put(o, role, "spec", "role")
}

// overriding adds an override to a Membership.
func overriding(effect, permission, resource string) func(trier, *unstructured.Unstructured) {
	return func(_ trier, o *unstructured.Unstructured) {
		list, _, _ := unstructured.NestedSlice(o.Object, "spec", "permissions")
		put(o, append(list, map[string]any{
			"effect": effect, "permission": permission, "resources": []any{resource},
		}), "spec", "permissions")
	}
}

// entry changes a field of the list entry with this name.
func entry(name, key string, value any, path ...string) func(trier, *unstructured.Unstructured) {
	return func(_ trier, o *unstructured.Unstructured) {
		list, _, _ := unstructured.NestedSlice(o.Object, path...)
		for _, item := range list {
			if fields, isObject := item.(map[string]any); isObject && fields["name"] == name {
				fields[key] = value
			}
		}
		put(o, list, path...)
	}
}

// rule returns a rule of a ClusterRole.
func rule(group, resources, verbs string) map[string]any {
	listOf := func(words string) (list []any) {
		for _, word := range split(words) {
			list = append(list, word)
		}
		return list
	}
	return map[string]any{"apiGroups": []any{group}, "resources": listOf(resources), "verbs": listOf(verbs)}
}
