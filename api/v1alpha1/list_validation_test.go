// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

// conditions returns n conditions.
func conditions(n int) []any {
	return items(n, func(i int) any {
		return map[string]any{
			"type": fmt.Sprintf("Type%d", i), "status": "True", "reason": "Reason", "message": "",
			"lastTransitionTime": "2026-01-02T15:04:05Z",
		}
	})
}

func items(n int, item func(int) any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = item(i)
	}
	return list
}

// numbered returns a name for an item.
func numbered(i int) any { return fmt.Sprintf("n%d", i) }

// domain returns a domain for an item.
func domain(i int) any { return fmt.Sprintf("n%d.example", i) }

// moment returns a time for an item.
func moment(i int) any { return fmt.Sprintf("2026-01-02T15:04:%02dZ", i) }

// channel returns a delivery channel for an item. There are three channels.
func channel(i int) any { return []string{"Email", "SMS", "Link"}[i%3] }

func TestLists(t *testing.T) {
	cases := []struct {
		kind, path string
		most       int
		item       func(int) any
		duplicate  string // empty: duplicates are allowed
	}{
		{"Organization", "spec.resources", 64, func(i int) any {
			return map[string]any{"name": numbered(i), "namespaces": map[string]any{"names": []any{"acme"}}}
		}, `{"name":"n0"}`},
		{"Organization", "spec.allowedDomains", 100, domain, `"n0.example"`},
		{"Organization", "spec.deniedDomains", 100, domain, `"n0.example"`},
		{"Organization", "spec.founders", 8, func(i int) any {
			return map[string]any{"name": numbered(i), "email": "ada@example.com", "role": "owner"}
		}, `{"name":"n0"}`},
		{"Organization", "spec.resources.0.namespaces.names", 64, numbered, `"n0"`},
		{"Organization", "spec.permissions", 64, func(i int) any {
			return map[string]any{"name": numbered(i), "clusterRole": "view"}
		}, `{"name":"n0"}`},
		{"Organization", "spec.roles", 64, func(i int) any {
			return map[string]any{"name": numbered(i)}
		}, `{"name":"n0"}`},
		{"Organization", "spec.roles.0.grants", 64, func(i int) any {
			return map[string]any{"permission": numbered(i), "resources": []any{"staging"}}
		}, `{"permission":"n0"}`},
		{"Organization", "spec.roles.0.grants.0.resources", 64, numbered, `"n0"`},
		{"Membership", "spec.permissions", 64, func(i int) any {
			return map[string]any{"effect": "Deny", "permission": numbered(i), "resources": []any{"staging"}}
		}, `{"effect":"Deny","permission":"n0"}`},
		{"Membership", "spec.permissions.0.resources", 64, numbered, `"n0"`},
		{"Membership", "spec.delivery", 3, channel, `"Email"`},
		{"Membership", "status.grants", 4096, func(i int) any {
			return map[string]any{"permission": numbered(i / 64), "resource": numbered(i % 64), "state": "InForce"}
		}, `{"permission":"n0","resource":"n0"}`},
		{"Membership", "status.grants.0.namespaces", 100, numbered, `"n0"`},
		{"Invitation", "spec.delivery", 3, channel, `"Email"`},
		{"Invitation", "status.deliveries", 64, func(i int) any {
			return map[string]any{"name": numbered(i), "purpose": "Joined", "medium": "Email"}
		}, `{"name":"n0"}`},
		{"Invitation", "status.deliveries.0.permissions", 64, numbered, ""},
		{"Invitation", "status.attempt.earlier", 16, func(i int) any {
			return map[string]any{"number": i + 1, "keyID": 1, "claimTime": "2026-01-02T15:04:05Z"}
		}, ""},
		{"Organization", "status.seats.holders", 10000, func(i int) any {
			return map[string]any{"name": numbered(i)}
		}, ""},
		{"Organization", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Membership", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Invitation", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Account", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Account", "status.resetTimes", 5, moment, ""},
		{"Account", "status.userNameTimes", 5, moment, ""},
		{"Account", "status.unlockTimes", 5, moment, ""},
		{"Account", "status.deviceApprovals", 5, func(i int) any {
			hash := fmt.Sprintf("%064x", i)
			return map[string]any{"codeHash": hash, "sessionHash": hash, "time": moment(i)}
		}, ""},
		{"Account", "status.leaving", 64, func(i int) any {
			return map[string]any{"namespace": numbered(i / 8), "name": numbered(i % 8)}
		}, `{"name":"n0","namespace":"n0"}`},
		{"Account", "status.deliveries", 20, func(i int) any {
			return map[string]any{"name": numbered(i), "purpose": "Reset", "medium": "Email"}
		}, `{"name":"n0"}`},
	}
	for _, c := range cases {
		try := func(what string, value []any, refusal string) {
			t.Run(c.kind+" with "+c.path+" "+what, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), refusal)
			})
		}
		list := conditions
		if c.item != nil {
			list = func(n int) []any { return items(n, c.item) }
		}
		try("of one item", list(1), "")
		try("of the maximum length", list(c.most), "")
		try("empty", list(0), "in body should have at least 1 items")
		try("too long", list(c.most+1), fmt.Sprintf("%s: Too many: %d: must have at most %d items", at(c.path), c.most+1, c.most))
		duplicate := ""
		if c.duplicate != "" {
			duplicate = at(c.path) + "[2]: Duplicate value: " + c.duplicate
		}
		try("with a duplicate item", append(list(2), list(1)...), duplicate)
	}
}

func TestConditions(t *testing.T) {
	cases := map[string]struct {
		change  change
		refusal string
	}{
		"status Unknown":        {set("status.conditions.0.status", "Unknown"), ""},
		"status False":          {set("status.conditions.0.status", "False"), ""},
		"another status":        {set("status.conditions.0.status", "Maybe"), `supported values: "True", "False", "Unknown"`},
		"no status":             {unset("status.conditions.0.status"), "status.conditions[0].status: Required value"},
		"no type":               {unset("status.conditions.0.type"), "status.conditions[0].type: Required value"},
		"a type with a space":   {set("status.conditions.0.type", "Not Ready"), "status.conditions[0].type: Invalid value"},
		"a type too long":       {set("status.conditions.0.type", strings.Repeat("a", 317)), "status.conditions[0].type: Too long"},
		"no reason":             {unset("status.conditions.0.reason"), "status.conditions[0].reason: Required value"},
		"an empty reason":       {set("status.conditions.0.reason", ""), "should be at least 1 chars long"},
		"a reason with a space": {set("status.conditions.0.reason", "Not yet"), "status.conditions[0].reason: Invalid value"},
		"a reason too long":     {set("status.conditions.0.reason", strings.Repeat("a", 1025)), "status.conditions[0].reason: Too long"},
		"an empty message":      {set("status.conditions.0.message", ""), ""},
		"no message":            {unset("status.conditions.0.message"), "status.conditions[0].message: Required value"},
		"a message too long":    {set("status.conditions.0.message", strings.Repeat("a", 32769)), "status.conditions[0].message: Too long"},
		"no time":               {unset("status.conditions.0.lastTransitionTime"), "status.conditions[0].lastTransitionTime: Required value"},
		"no generation":         {unset("status.conditions.0.observedGeneration"), ""},
		"a negative generation": {set("status.conditions.0.observedGeneration", -1), "should be greater than or equal to 0"},
	}
	for kind, manifest := range kinds {
		for name, c := range cases {
			t.Run(kind+" with "+name, func(t *testing.T) { expect(t, submit(t, manifest, c.change), c.refusal) })
		}
	}
}
