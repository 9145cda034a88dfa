// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// attempt is something that must give nobody more than its sender was free to
// give, in each of the ways in which it can be sent.
type attempt struct {
	name  string
	kind  kind
	sub   string
	verbs []verb
	// by are those who try it; none: everybody.
	by []*actor
	// pool is where what is picked comes from; empty: nothing is picked.
	pool string
	// key is the object that it is about.
	key func(trier) types.NamespacedName
	// change is made to the object, or makes it.
	change func(trier, *unstructured.Unstructured)
	// invalid says that the API server refuses it, whoever asks.
	invalid bool
	// once says that the cluster administrator does it in the first way alone,
	// because there is one object for all.
	once bool
	// role is what the person who was picked gets where the cluster
	// administrator does it; empty: nothing.
	role string
	// empty says that nobody has anything of it, though the object names a role.
	empty bool
}

// trier is one actor who tries something with what was picked.
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

// picking makes the trial ready for what was picked.
func (t trial) picking(picked string) trial {
	t.picked, t.fresh = picked, fmt.Sprintf("case-%d", serial.Add(1))
	t.key = t.attempt.key(t.trier)
	return t
}

// trials are all cases of what is tried. The impostor has the rights of the
// clerk, and does in one way what the clerk does in all.
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

// Which object an attempt is about.
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

// changes makes several changes into one.
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

// offered makes a Membership of acme, or an Invitation to it, for whom was picked.
func offered(role string) func(trier, *unstructured.Unstructured) {
	return func(t trier, o *unstructured.Unstructured) { offer(o, role, t.picked) }
}

// offeredThemselves is the same for the actor.
func offeredThemselves(role string) func(trier, *unstructured.Unstructured) {
	return func(t trier, o *unstructured.Unstructured) { offer(o, role, t.who.member) }
}

func offer(o *unstructured.Unstructured, role, person string) {
	put(o, map[string]any{"name": home}, "spec", "organizationRef")
	put(o, emailOf(person), "spec", "email")
	put(o, role, "spec", "role")
}

// overriding adds an override to a Membership, or changes the one that there is.
func overriding(effect, permission, resource string) func(trier, *unstructured.Unstructured) {
	return func(_ trier, o *unstructured.Unstructured) {
		list, _, _ := unstructured.NestedSlice(o.Object, "spec", "permissions")
		put(o, append(list, map[string]any{
			"effect": effect, "permission": permission, "resources": []any{resource},
		}), "spec", "permissions")
	}
}

// entry changes the entry of a list that has this name.
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

// rule is one of a ClusterRole.
func rule(group, resources, verbs string) map[string]any {
	listOf := func(words string) (list []any) {
		for _, word := range split(words) {
			list = append(list, word)
		}
		return list
	}
	return map[string]any{"apiGroups": []any{group}, "resources": listOf(resources), "verbs": listOf(verbs)}
}
