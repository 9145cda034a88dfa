// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

// kinds are the valid manifests by kind.
var kinds = map[string]string{
	"Organization": organization,
	"Membership":   membership,
	"Invitation":   invitation,
	"Account":      account,
}

func TestCompleteManifests(t *testing.T) {
	for kind, manifest := range kinds {
		t.Run(kind, func(t *testing.T) {
			expect(t, submit(t, manifest), "")
			expect(t, submit(t, manifest, set("status.observedGeneration", 2)), "")
		})
	}
}

func TestRequiredFields(t *testing.T) {
	cases := map[string][]string{
		"Organization": {
			"spec",
			"spec.namespace",
			"spec.resources.0.name",
			"spec.resources.0.namespaces",
			"spec.permissions.0.name",
			"spec.roles",
			"spec.roles.0.name",
			"spec.roles.0.grants.0.permission",
			"spec.roles.0.grants.0.resources",
		},
		"Membership": {
			"spec",
			"spec.organizationRef",
			"spec.organizationRef.name",
			"spec.email",
			"spec.role",
			"spec.permissions.0.effect",
			"spec.permissions.0.permission",
			"spec.permissions.0.resources",
			"status.accountRef.name",
			"status.grants.0.permission",
			"status.grants.0.resource",
			"status.grants.0.state",
		},
		"Invitation": {
			"spec",
			"spec.organizationRef",
			"spec.organizationRef.name",
			"spec.email",
			"spec.role",
			"status.delivery.attempt",
			"status.delivery.messageID",
			"status.delivery.keyID",
			"status.delivery.claimTime",
			"status.delivery.organization",
			"status.delivery.role",
			"status.delivery.tries",
			"status.delivery.tryTime",
			"status.acceptance.accountRef",
			"status.acceptance.accountRef.name",
			"status.acceptance.accountRef.uid",
			"status.acceptance.acceptedTime",
		},
		"Account": {
			"spec",
			"spec.email",
			"spec.invitationRef",
			"spec.invitationRef.namespace",
			"spec.invitationRef.name",
			"spec.invitationRef.uid",
		},
	}
	for kind, paths := range cases {
		for _, path := range paths {
			t.Run(kind+" without "+path, func(t *testing.T) {
				expect(t, submit(t, kinds[kind], unset(path)), at(path)+": Required value")
			})
		}
	}
}

func TestEnums(t *testing.T) {
	cases := []struct {
		kind, path string
		values     []string
	}{
		{"Membership", "spec.permissions.0.effect", []string{"Allow", "Deny"}},
		{"Membership", "status.state", []string{"Invited", "Active", "Inactive", "Expired", "Failed"}},
		{"Membership", "status.grants.0.state", []string{"InForce", "Withheld"}},
		{"Invitation", "status.state", []string{"Sending", "Pending", "Active", "Expired", "Failed"}},
		{"Invitation", "status.delivery.result", []string{"Sent", "TemporaryFailure", "Refused"}},
		{"Account", "status.state", []string{"Pending", "Active"}},
	}
	for _, c := range cases {
		for _, value := range c.values {
			t.Run(c.kind+" with "+c.path+" "+value, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), "")
			})
		}
		for _, value := range []string{"Other", strings.ToLower(c.values[0])} {
			t.Run(c.kind+" with "+c.path+" "+value, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), fmt.Sprintf(
					`%s: Unsupported value: %q: supported values: "%s"`, at(c.path), value, strings.Join(c.values, `", "`)))
			})
		}
	}
}

func TestLengths(t *testing.T) {
	const name, group, uid = 63, 253, 63
	cases := []struct {
		kind, path string
		longest    int
	}{
		{"Organization", "spec.namespace", name},
		{"Organization", "spec.resources.0.name", name},
		{"Organization", "spec.resources.0.namespaces.names.0", name},
		{"Organization", "spec.permissions.0.name", name},
		{"Organization", "spec.permissions.0.clusterRole", 253},
		{"Organization", "spec.permissions.1.group", group},
		{"Organization", "spec.roles.0.name", name},
		{"Organization", "spec.roles.0.grants.0.permission", name},
		{"Organization", "spec.roles.0.grants.0.resources.0", name},
		{"Membership", "spec.organizationRef.name", name},
		{"Membership", "spec.role", name},
		{"Membership", "spec.permissions.0.permission", name},
		{"Membership", "spec.permissions.0.resources.0", name},
		{"Membership", "status.accountRef.name", name},
		{"Membership", "status.grants.0.permission", name},
		{"Membership", "status.grants.0.resource", name},
		{"Membership", "status.grants.0.namespaces.0", name},
		{"Membership", "status.grants.1.group", group},
		{"Membership", "status.grants.1.reason", 63},
		{"Membership", "status.grants.1.message", 1024},
		{"Invitation", "spec.organizationRef.name", name},
		{"Invitation", "spec.role", name},
		{"Invitation", "status.delivery.messageID", 512},
		{"Invitation", "status.delivery.holder", 253},
		{"Invitation", "status.delivery.message", 256},
		{"Invitation", "status.acceptance.accountRef.name", name},
		{"Invitation", "status.acceptance.accountRef.uid", uid},
		{"Account", "spec.invitationRef.namespace", name},
		{"Account", "spec.invitationRef.name", name},
		{"Account", "spec.invitationRef.uid", uid},
	}
	for _, c := range cases {
		try := func(what, value, refusal string) {
			t.Run(c.kind+" with "+c.path+" "+what, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), refusal)
			})
		}
		try("of one character", "a", "")
		try("as long as may be", strings.Repeat("a", c.longest), "")
		try("empty", "", "in body should be at least 1 chars long")
		try("too long", strings.Repeat("a", c.longest+1), fmt.Sprintf("%s: Too long: may not be more than %d bytes", at(c.path), c.longest))
	}
}

func TestTimes(t *testing.T) {
	cases := map[string][]string{
		"Organization": {"status.conditions.0.lastTransitionTime"},
		"Membership":   {"status.conditions.0.lastTransitionTime"},
		"Invitation": {
			"status.conditions.0.lastTransitionTime",
			"status.expirationTime",
			"status.delivery.claimTime",
			"status.delivery.tryTime",
			"status.delivery.sentTime",
			"status.acceptance.acceptedTime",
		},
		"Account": {"status.conditions.0.lastTransitionTime"},
	}
	for kind, paths := range cases {
		for _, path := range paths {
			t.Run(kind+" with "+path, func(t *testing.T) {
				expect(t, submit(t, kinds[kind], set(path, "2027-01-02T15:04:05+01:00")), "")
				expect(t, submit(t, kinds[kind], set(path, "tomorrow")), "must be of type date-time")
			})
		}
	}
}

func TestNumbers(t *testing.T) {
	const open = 1<<31 - 1
	cases := []struct {
		kind, path  string
		least, most int
	}{
		{"Organization", "spec.invitationValiditySeconds", 60, 2592000},
		{"Organization", "status.observedGeneration", -1, open},
		{"Membership", "status.observedGeneration", -1, open},
		{"Invitation", "status.observedGeneration", -1, open},
		{"Invitation", "status.delivery.attempt", 1, open},
		{"Invitation", "status.delivery.keyID", 1, 255},
		{"Invitation", "status.delivery.tries", 1, open},
		{"Account", "status.observedGeneration", -1, open},
	}
	for _, c := range cases {
		try := func(value int, refusal string) {
			t.Run(fmt.Sprintf("%s with %s %d", c.kind, c.path, value), func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), refusal)
			})
		}
		try(c.least, "")
		try(c.least-1, fmt.Sprintf("in body should be greater than or equal to %d", c.least))
		try(c.most, "")
		if c.most != open {
			try(c.most+1, fmt.Sprintf("in body should be less than or equal to %d", c.most))
		}
	}
}

// conditions makes as many conditions as are asked for.
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

// numbered makes a name for an item.
func numbered(i int) any { return fmt.Sprintf("n%d", i) }

func TestLists(t *testing.T) {
	cases := []struct {
		kind, path string
		most       int
		item       func(int) any
		duplicate  string
	}{
		{"Organization", "spec.resources", 64, func(i int) any {
			return map[string]any{"name": numbered(i), "namespaces": map[string]any{"names": []any{"acme"}}}
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
		{"Membership", "status.grants", 4096, func(i int) any {
			return map[string]any{"permission": numbered(i / 64), "resource": numbered(i % 64), "state": "InForce"}
		}, `{"permission":"n0","resource":"n0"}`},
		{"Membership", "status.grants.0.namespaces", 100, numbered, `"n0"`},
		{"Organization", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Membership", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Invitation", "status.conditions", 16, nil, `{"type":"Type0"}`},
		{"Account", "status.conditions", 16, nil, `{"type":"Type0"}`},
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
		try("as long as may be", list(c.most), "")
		try("empty", list(0), "in body should have at least 1 items")
		try("too long", list(c.most+1), fmt.Sprintf("%s: Too many: %d: must have at most %d items", at(c.path), c.most+1, c.most))
		try("that says the same twice", append(list(2), list(1)...), at(c.path)+"[2]: Duplicate value: "+c.duplicate)
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
