// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestResourceNamespaces(t *testing.T) {
	const (
		one   = "spec.resources[0].namespaces: Invalid value: exactly one of the fields in [names selector] must be set"
		empty = "spec.resources[0].namespaces: Invalid value: selector must not be empty: an empty selector would match every namespace"
	)
	labels := map[string]any{"tier": "preview"}
	expressions := []any{map[string]any{"key": "tier", "operator": "Exists"}}
	cases := map[string]struct {
		namespaces map[string]any
		refusal    string
	}{
		"names":                             {map[string]any{"names": []any{"acme-staging"}}, ""},
		"a selector by labels":              {map[string]any{"selector": map[string]any{"matchLabels": labels}}, ""},
		"a selector by expressions":         {map[string]any{"selector": map[string]any{"matchExpressions": expressions}}, ""},
		"a selector by both":                {map[string]any{"selector": map[string]any{"matchLabels": labels, "matchExpressions": expressions}}, ""},
		"both names and a selector":         {map[string]any{"names": []any{"acme-staging"}, "selector": map[string]any{"matchLabels": labels}}, one},
		"neither names nor a selector":      {map[string]any{}, one},
		"an empty selector":                 {map[string]any{"selector": map[string]any{}}, empty},
		"a selector without labels":         {map[string]any{"selector": map[string]any{"matchLabels": map[string]any{}}}, empty},
		"a selector without expressions":    {map[string]any{"selector": map[string]any{"matchExpressions": []any{}}}, empty},
		"a selector without either":         {map[string]any{"selector": map[string]any{"matchLabels": map[string]any{}, "matchExpressions": []any{}}}, empty},
		"an expression without a key":       {map[string]any{"selector": map[string]any{"matchExpressions": []any{map[string]any{"operator": "Exists"}}}}, "matchExpressions[0].key: Required value"},
		"an expression without an operator": {map[string]any{"selector": map[string]any{"matchExpressions": []any{map[string]any{"key": "tier"}}}}, "matchExpressions[0].operator: Required value"},
	}
	for name, c := range cases {
		t.Run("a resource with "+name, func(t *testing.T) {
			expect(t, submit(t, organization, set("spec.resources.0.namespaces", c.namespaces)), c.refusal)
		})
	}
}

func TestPermissionTargets(t *testing.T) {
	const target = "spec.permissions[0]: Invalid value: a permission must have exactly one target: set either clusterRole or group"
	t.Run("two targets", func(t *testing.T) {
		expect(t, submit(t, organization, set("spec.permissions.0.group", "grafana-editors")), target)
	})
	t.Run("no target", func(t *testing.T) {
		expect(t, submit(t, organization, unset("spec.permissions.0.clusterRole")), target)
	})

	clusterRoles := map[string][]string{"Organization": {"spec.permissions.0.clusterRole"}}
	acceptTexts(t, clusterRoles, map[string]string{
		"of Kubernetes":            "edit",
		"with a colon":             "acme:deployer",
		"with dots and capitals":   "Acme.example.com-Deployer",
		"that contains system:":    "acme-system:deployer",
		"that starts with systems": "systems-operator",
	})
	refuseTexts(t, clusterRoles, "clusterRole must not be one of the system's own (system:…): choose view, edit or a ClusterRole of your own", map[string]string{
		"of the system's masters":     "system:masters",
		"of the system's controllers": "system:controller:job-controller",
		"of only system:":             "system:",
	})
	refuseTexts(t, clusterRoles, "clusterRole must be the name of a ClusterRole, without spaces, / and %", map[string]string{
		"with a slash":   "clusterroles/edit",
		"with a percent": "edit%2f",
		"with a space":   "ed it",
	})

	groups := map[string][]string{"Organization": {"spec.permissions.1.group"}}
	acceptTexts(t, groups, map[string]string{
		"with every allowed symbol": "Grafana-editors.v2_x:y/z@example",
		"that contains system:":     "grafana.system:editors",
		"with two colons":           "acme:owner:old",
		"with a colon at its start": ":owner",
		"with a colon at its end":   "acme:",
	})
	refuseTexts(t, groups, "group must not be one of the system's own (system:…)", map[string]string{
		"of the system's masters":    "system:masters",
		"of all authenticated users": "system:authenticated",
	})
	refuseTexts(t, groups, "group must not have the form of a role", map[string]string{
		"of another Organization":                 "acme:owner",
		"of an Organization with a long name":     strings.Repeat("a", 63) + ":" + strings.Repeat("b", 63),
		"for a system that ignores the case":      "Acme:Owner",
		"of an Organization that could be system": "kube-system:admin",
		"of the Organization itself":              "globex:developer",
	})
	refuseTexts(t, groups, "group must be letters, digits and - . _ : / @", map[string]string{
		"with a space":      "grafana editors",
		"with a comma":      "grafana,editors",
		"with a line break": "grafana\neditors",
		"with an accent":    "éditeurs",
		"with a quote":      `grafana"editors`,
	})
}

func TestDeviceApprovalsHoldOnlyHashes(t *testing.T) {
	hashes := map[string][]string{"Account": {"status.deviceApprovals.0.codeHash", "status.deviceApprovals.0.sessionHash"}}
	acceptTexts(t, hashes, map[string]string{"in hex": strings.Repeat("0f", 32)})
	refuseTexts(t, hashes, "must be a SHA-256 hash in hex", map[string]string{
		"with capital letters": strings.Repeat("0F", 32),
		"that is no number":    strings.Repeat("xy", 32),
	})
	refuseTexts(t, hashes, "in body should be at least 64 chars long", map[string]string{"that is a code": "BCDF-GHJK-MNPQ"})
	refuseTexts(t, hashes, "may not be more than 64 bytes", map[string]string{"that is too long": strings.Repeat("0f", 33)})
}

func TestOverrides(t *testing.T) {
	deny := map[string]any{"effect": "Deny", "permission": "dashboards", "resources": []any{"staging"}}
	t.Run("Allow and Deny of the same permission", func(t *testing.T) {
		expect(t, submit(t, membership, set("spec.permissions.1", deny)), "")
	})
	t.Run("no overrides", func(t *testing.T) {
		expect(t, submit(t, membership, unset("spec.permissions")), "")
	})
}

// overrides returns that many overrides, each of that many resources, with the longest
// names.
func overrides(many, resources int) []any {
	name := func(kind string, i int) any { return fmt.Sprintf("%s-%0*d", kind, 62-len(kind), i) }
	all := make([]any, many)
	for i := range all {
		names := make([]any, resources)
		for j := range names {
			names[j] = name("resource", j)
		}
		all[i] = map[string]any{"effect": "Allow", "permission": name("permission", i), "resources": names}
	}
	return all
}

// The overrides of one person are bounded together, so the object stays small, including
// the field managers that the API server adds.
func TestOverridesTogether(t *testing.T) {
	const refusal = "permissions can name at most 256 resources in all: use a role, or fewer overrides"
	for name, tc := range map[string]struct {
		many, resources int
		refusal         string
	}{
		"one resource in each of 64":   {64, 1, ""},
		"64 resources in one":          {1, 64, ""},
		"the most":                     {64, 4, ""},
		"the most in few":              {4, 64, ""},
		"one more":                     {5, 52, refusal},
		"64 resources in each of 64":   {64, 64, refusal},
		"more overrides than possible": {65, 1, "must have at most 64 items"},
	} {
		t.Run(name, func(t *testing.T) {
			object := parse(t, membership)
			apply(t, object, set("spec.permissions", overrides(tc.many, tc.resources)))
			saved, err := resource(object).Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			expect(t, err, tc.refusal)
			if err != nil {
				return
			}
			raw, err := saved.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d kB", len(raw)/1000)
			if len(raw) > 64_000 {
				t.Errorf("%d bytes, want 64 kB at most", len(raw))
			}
		})
	}
}

// An object without its optional fields is valid.
func TestSmallestManifests(t *testing.T) {
	terms := []change{unset("spec.language"), unset("spec.addressMatch"), unset("spec.delivery"), unset("spec.phoneNumber"), unset("spec.message")}
	names := []change{unset("spec.givenName"), unset("spec.familyName")}
	cases := map[string][]change{
		"Organization": {
			unset("spec.displayName"), unset("spec.invitationValiditySeconds"), unset("spec.language"), unset("spec.addressMatch"),
			unset("spec.allowedDomains"), unset("spec.deniedDomains"), unset("spec.qualifier"), unset("spec.seats"),
			unset("spec.founders"), unset("spec.mail"), unset("spec.resources"), unset("spec.permissions"),
			unset("spec.legalEntity"), unset("spec.supportContact"), unset("spec.signIn"),
			unset("spec.roles.0.displayName"), unset("spec.roles.0.seat"), unset("spec.roles.0.standing"), unset("spec.roles.0.grants"),
		},
		"Membership": slices.Concat(names, terms, []change{unset("spec.invitedBy"), unset("spec.permissions")}),
		"Invitation": slices.Concat(names, terms, []change{unset("spec.invitedBy")}),
		"Account":    append(names, unset("spec.state")),
	}
	for kind, changes := range cases {
		t.Run(kind, func(t *testing.T) {
			expect(t, submit(t, kinds[kind], changes...), "")
			expect(t, submit(t, kinds[kind], set("status", map[string]any{"observedGeneration": 1})), "")
			expect(t, submit(t, kinds[kind], set("status", map[string]any{})), "should have at least 1 properties")
		})
	}
}

func TestSmallestParts(t *testing.T) {
	cases := map[string]struct {
		kind    string
		changes []change
	}{
		"a founder without given and family name": {"Organization", []change{unset("spec.founders.0.givenName"), unset("spec.founders.0.familyName")}},
		"a mail server without a key":             {"Organization", []change{unset("spec.mail.dkimSelector")}},
		"only a limit on failures":                {"Organization", []change{set("spec.signIn", map[string]any{"maxFailures": 10})}},
		"a second factor without a grace period":  {"Organization", []change{set("spec.signIn", map[string]any{"twoFactor": "Required"})}},
		"seats without holders":                   {"Organization", []change{unset("status.seats.holders")}},
		"only a lock":                             {"Account", []change{set("status.signIn", map[string]any{"locks": 1})}},
		"only the end of sessions":                {"Account", []change{set("status.signIn", map[string]any{"sessionsEndTime": "2026-01-04T07:00:00Z"})}},
		"a mail that was not claimed":             {"Account", []change{set("status.deliveries.0", map[string]any{"name": "reset", "purpose": "Reset", "medium": "Email"})}},
		"a seat that was given for a Membership":  {"Organization", []change{unset("status.seats.holders.0.invitationUID"), unset("status.seats.holders.0.attempt")}},
		"a first attempt":                         {"Invitation", []change{unset("status.attempt.earlier")}},
		"an attempt that was not requested":       {"Invitation", []change{unset("status.attempt.resendRequest"), unset("status.attempt.membershipResendRequest")}},
		"a delivery that was not claimed":         {"Invitation", []change{set("status.deliveries.0", map[string]any{"name": "chat", "purpose": "Joined", "medium": "Chat"})}},
		"a decline without a reason":              {"Invitation", []change{unset("status.decline.reason")}},
		"an Invitation that was not answered":     {"Invitation", []change{unset("status.acceptance"), unset("status.decline"), unset("status.otherAddress"), unset("status.guesses")}},
		"an Invitation that was not sent":         {"Invitation", []change{unset("status.attempt"), unset("status.deliveries"), unset("status.expirationTime")}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { expect(t, submit(t, kinds[c.kind], c.changes...), "") })
	}
}

// An empty part must be left out, so that there is only one way to say nothing.
func TestEmptyParts(t *testing.T) {
	cases := []struct{ kind, path string }{
		{"Organization", "spec.signIn"},
		{"Account", "status.signIn"},
	}
	for _, c := range cases {
		t.Run(c.kind+" with an empty "+c.path, func(t *testing.T) {
			expect(t, submit(t, kinds[c.kind], set(c.path, map[string]any{})), "in body should have at least 1 properties")
		})
	}
}

// The limits of the lists are a promise: an object that reaches them all must not
// exceed the CEL cost that the API server allows for one object.
func TestLargestManifests(t *testing.T) {
	long := func(i int) any { return fmt.Sprintf("%s%d", strings.Repeat("a", 58), 10000+i) }
	names := func(n int) []any { return items(n, long) }
	title := strings.Repeat("é", 100)
	domains := items(100, func(i int) any {
		label := strings.Repeat("é", 63)
		return fmt.Sprintf("%s.%s.%s.d%d%s", label, label, label, 1000+i, strings.Repeat("a", 56))
	})
	t.Run("Organization", func(t *testing.T) {
		expect(t, submit(t, organization,
			set("spec.allowedDomains", domains), set("spec.deniedDomains", domains),
			set("spec.founders", items(8, func(i int) any {
				return map[string]any{"name": long(i), "email": longest(254), "givenName": title, "familyName": title, "role": long(i)}
			})),
			set("spec.resources", items(64, func(i int) any {
				return map[string]any{"name": long(i), "displayName": title, "namespaces": map[string]any{"names": names(64)}}
			})),
			set("spec.permissions", items(64, func(i int) any {
				return map[string]any{"name": long(i), "displayName": title, "clusterRole": long(i)}
			})),
			set("spec.roles", items(64, func(i int) any {
				return map[string]any{"name": long(i), "displayName": title, "grants": items(64, func(i int) any {
					return map[string]any{"permission": long(i), "resources": names(4)}
				})}
			})),
		), "")
		expect(t, submit(t, organization, set("status.seats.holders", items(10000, func(i int) any {
			return map[string]any{"name": long(i), "invitationUID": strings.Repeat("a", 36), "attempt": 1}
		}))), "")
	})
	t.Run("Membership", func(t *testing.T) {
		expect(t, submit(t, membership, set("spec.message", strings.Repeat("é ", 250)), set("spec.permissions", items(64, func(i int) any {
			return map[string]any{"effect": "Allow", "permission": long(i), "resources": names(4)}
		}))), "")
		expect(t, submit(t, membership, set("status.grants", items(4096, func(i int) any {
			return map[string]any{"permission": long(i / 64), "resource": long(i % 64), "state": "InForce", "namespaces": names(2)}
		}))), "")
	})
	t.Run("Invitation", func(t *testing.T) {
		expect(t, submit(t, invitation,
			set("status.attempt.earlier", items(16, func(i int) any {
				return map[string]any{"number": i + 1, "keyID": 255, "claimTime": "2026-01-02T15:04:05Z"}
			})),
			set("status.deliveries", items(32, func(i int) any {
				return map[string]any{
					"name": long(i), "purpose": "Joined", "medium": "Email", "recipient": longest(254), "holder": strings.Repeat("a", 253),
					"messageID": strings.Repeat("a", 512), "message": strings.Repeat("é", 256),
				}
			})),
			set("status.decline.reason", strings.Repeat("é ", 250)),
		), "")
	})
	t.Run("Account", func(t *testing.T) {
		expect(t, submit(t, account,
			set("status.resetTimes", items(5, moment)), set("status.userNameTimes", items(5, moment)),
			set("status.leaving", items(64, func(i int) any {
				return map[string]any{"namespace": long(i), "name": long(i)}
			})),
			set("status.deliveries", items(16, func(i int) any {
				return map[string]any{
					"name": long(i), "purpose": "SecondFactorChanged", "medium": "Email", "recipient": longest(254),
					"holder": strings.Repeat("a", 253), "messageID": strings.Repeat("a", 512), "message": strings.Repeat("é", 256),
				}
			})),
		), "")
	})
}

func TestImmutableFields(t *testing.T) {
	const invitationRefusal = "spec: Invalid value: an invitation cannot be changed: delete it and create a new one"
	cases := []struct {
		kind, name string
		change     change
		refusal    string
	}{
		{"Organization", "another namespace", set("spec.namespace", "other"), "spec.namespace: Invalid value: \"other\": namespace cannot be changed: create a new Organization with the other namespace and move the Memberships there"},
		{"Organization", "another display name", set("spec.displayName", "Other"), ""},
		{"Organization", "no display name", unset("spec.displayName"), ""},
		{"Organization", "another validity", set("spec.invitationValiditySeconds", 60), ""},
		{"Organization", "another language", set("spec.language", "de"), ""},
		{"Organization", "another rule for addresses", set("spec.addressMatch", "Strict"), ""},
		{"Organization", "other allowed domains", set("spec.allowedDomains", []any{"example.org"}), ""},
		{"Organization", "no denied domains", unset("spec.deniedDomains"), ""},
		{"Organization", "another qualifier", set("spec.qualifier", "other"), ""},
		{"Organization", "no qualifier", unset("spec.qualifier"), ""},
		{"Organization", "fewer seats", set("spec.seats", 1), ""},
		{"Organization", "another founder", set("spec.founders.0.name", "bob-example"), ""},
		{"Organization", "no founders", unset("spec.founders"), ""},
		{"Organization", "another mail server", set("spec.mail.server", "smtps://mail.example.com"), ""},
		{"Organization", "no mail server", unset("spec.mail"), ""},
		{"Organization", "another legal entity", set("spec.legalEntity", "Globex S.p.A."), ""},
		{"Organization", "no legal entity", unset("spec.legalEntity"), ""},
		{"Organization", "another support contact", set("spec.supportContact", "+39 02 1234567"), ""},
		{"Organization", "no support contact", unset("spec.supportContact"), ""},
		{"Organization", "another limit on failures", set("spec.signIn.maxFailures", 10), ""},
		{"Organization", "an optional second factor", set("spec.signIn.twoFactor", "Optional"), ""},
		{"Organization", "no sign-in rules", unset("spec.signIn"), ""},
		{"Organization", "a role that takes no seat", set("spec.roles.0.seat", "Free"), ""},
		{"Organization", "a role of owners", set("spec.roles.0.standing", "Owner"), ""},
		{"Organization", "no resources", unset("spec.resources"), ""},
		{"Organization", "another resource", set("spec.resources.0.name", "production"), ""},
		{"Organization", "other namespaces of a resource", set("spec.resources.0.namespaces.names", []any{"other"}), ""},
		{"Organization", "another permission", set("spec.permissions.0.name", "look"), ""},
		{"Organization", "another ClusterRole", set("spec.permissions.0.clusterRole", "view"), ""},
		{"Organization", "another group", set("spec.permissions.1.group", "grafana-viewers"), ""},
		{"Organization", "another role", set("spec.roles.0.name", "observer"), ""},
		{"Organization", "no grants", unset("spec.roles.0.grants"), ""},

		{"Membership", "another Organization", set("spec.organizationRef.name", "other"), "organizationRef cannot be changed: delete this Membership and create one in the other Organization"},
		{"Membership", "another address", set("spec.email", "jane@example.org"), "spec.email: Invalid value: \"jane@example.org\": email cannot be changed: create a Membership with the new address and delete this one"},
		{"Membership", "an address in capital letters", set("spec.email", "Jane.Doe@example.com"), "email cannot be changed"},
		{"Membership", "another given name", set("spec.givenName", "Janet"), ""},
		{"Membership", "no given name", unset("spec.givenName"), ""},
		{"Membership", "another family name", set("spec.familyName", "Roe"), ""},
		{"Membership", "another inviter", set("spec.invitedBy", "Bob Example"), ""},
		{"Membership", "another role", set("spec.role", "observer"), ""},
		{"Membership", "another effect", set("spec.permissions.0.effect", "Deny"), ""},
		{"Membership", "no overrides", unset("spec.permissions"), ""},
		{"Membership", "another language", set("spec.language", "de"), ""},
		{"Membership", "another rule for addresses", set("spec.addressMatch", "AnyAddress"), ""},
		{"Membership", "other channels", set("spec.delivery", []any{"SMS"}), ""},
		{"Membership", "another number", set("spec.phoneNumber", "+4915123456789"), ""},
		{"Membership", "another message", set("spec.message", "Hello."), ""},
		{"Membership", "no message", unset("spec.message"), ""},

		{"Invitation", "another Organization", set("spec.organizationRef.name", "other"), invitationRefusal},
		{"Invitation", "another address", set("spec.email", "jane@example.org"), invitationRefusal},
		{"Invitation", "another given name", set("spec.givenName", "Janet"), invitationRefusal},
		{"Invitation", "no given name", unset("spec.givenName"), invitationRefusal},
		{"Invitation", "another family name", set("spec.familyName", "Roe"), invitationRefusal},
		{"Invitation", "another inviter", set("spec.invitedBy", "Bob Example"), invitationRefusal},
		{"Invitation", "another role", set("spec.role", "observer"), invitationRefusal},
		{"Invitation", "another language", set("spec.language", "de"), invitationRefusal},
		{"Invitation", "another rule for addresses", set("spec.addressMatch", "AnyAddress"), invitationRefusal},
		{"Invitation", "other channels", set("spec.delivery", []any{"SMS"}), invitationRefusal},
		{"Invitation", "another number", set("spec.phoneNumber", "+4915123456789"), invitationRefusal},
		{"Invitation", "another message", set("spec.message", "Hello."), invitationRefusal},
		{"Invitation", "no message", unset("spec.message"), invitationRefusal},

		{"Account", "another address", set("spec.email", "jane@example.org"), "spec.email: Invalid value: \"jane@example.org\": email cannot be changed: invite the new address and delete this Account"},
		{"Account", "an Invitation in another namespace", set("spec.invitationRef.namespace", "other"), "invitationRef cannot be changed"},
		{"Account", "another Invitation", set("spec.invitationRef.name", "other"), "invitationRef cannot be changed"},
		{"Account", "a later Invitation of the same name", set("spec.invitationRef.uid", "other"), "invitationRef cannot be changed"},
		{"Account", "another given name", set("spec.givenName", "Janet"), ""},
		{"Account", "another family name", set("spec.familyName", "Roe"), ""},
		{"Account", "no family name", unset("spec.familyName"), ""},
		{"Account", "a disabled state", set("spec.state", "Disabled"), ""},
		{"Account", "no state", unset("spec.state"), ""},
	}
	for kind := range kinds {
		cases = append(cases, struct {
			kind, name string
			change     change
			refusal    string
		}{kind, "a label", set("metadata.labels", map[string]any{"team": "blue"}), ""})
	}
	for _, c := range cases {
		t.Run(c.kind+" that gets "+c.name, func(t *testing.T) {
			object := made(t, kinds[c.kind])
			apply(t, object, c.change)
			expect(t, update(t, object), c.refusal)
		})
	}
}
