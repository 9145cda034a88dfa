// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// kinds holds the valid manifests by kind.
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
			"spec.founders.0.name",
			"spec.founders.0.email",
			"spec.founders.0.role",
			"spec.mail.server",
			"spec.mail.sender",
			"spec.resources.0.name",
			"spec.resources.0.namespaces",
			"spec.permissions.0.name",
			"spec.roles",
			"spec.roles.0.name",
			"spec.roles.0.grants.0.permission",
			"spec.roles.0.grants.0.resources",
			"status.seats.taken",
			"status.seats.holders.0.name",
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
			"status.attempt.number",
			"status.attempt.keyID",
			"status.attempt.claimTime",
			"status.attempt.organization",
			"status.attempt.role",
			"status.attempt.language",
			"status.attempt.sender",
			"status.attempt.earlier.0.number",
			"status.attempt.earlier.0.keyID",
			"status.attempt.earlier.0.claimTime",
			"status.deliveries.0.name",
			"status.deliveries.0.purpose",
			"status.deliveries.0.medium",
			"status.acceptance.accountRef",
			"status.acceptance.accountRef.name",
			"status.acceptance.accountRef.uid",
			"status.acceptance.acceptedTime",
			"status.decline.declinedTime",
			"status.otherAddress.email",
			"status.otherAddress.requestTime",
			"status.otherAddress.requests",
		},
		"Account": {
			"status.deviceApprovals.0.codeHash",
			"status.deviceApprovals.0.sessionHash",
			"status.deviceApprovals.0.time",
			"spec",
			"spec.email",
			"spec.invitationRef",
			"spec.invitationRef.namespace",
			"spec.invitationRef.name",
			"spec.invitationRef.uid",
			"status.leaving.0.namespace",
			"status.leaving.0.name",
			"status.deliveries.0.name",
			"status.deliveries.0.purpose",
			"status.deliveries.0.medium",
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
	languages, matches := []string{"en", "it", "fr", "de", "es", "pt"}, []string{"Strict", "AnyAddress"}
	channels := []string{"Email", "SMS", "Link"}
	purposes := []string{
		"Invitation", "Confirmation", "Joined", "Declined", "Code",
		"Reset", "Locked", "CodesLocked", "Unlocked", "PasswordChanged", "SecondFactorChanged", "UserNames",
	}
	media := []string{"Email", "SMS", "Link", "Chat"}
	results := []string{"Sent", "TemporaryFailure", "Refused", "Withdrawn"}
	cases := []struct {
		kind, path string
		values     []string
	}{
		{"Organization", "spec.language", languages},
		{"Organization", "spec.addressMatch", matches},
		{"Organization", "spec.roles.0.seat", []string{"Counted", "Free"}},
		{"Organization", "spec.roles.0.standing", []string{"Owner", "Member"}},
		{"Organization", "spec.signIn.twoFactor", []string{"Required", "Optional"}},
		{"Membership", "spec.permissions.0.effect", []string{"Allow", "Deny"}},
		{"Membership", "spec.language", languages},
		{"Membership", "spec.addressMatch", matches},
		{"Membership", "spec.delivery.0", channels},
		{"Membership", "status.state", []string{"Invited", "Active", "Inactive", "Expired", "Declined", "Failed"}},
		{"Membership", "status.grants.0.state", []string{"InForce", "Withheld"}},
		{"Invitation", "spec.language", languages},
		{"Invitation", "spec.addressMatch", matches},
		{"Invitation", "spec.delivery.0", channels},
		{"Invitation", "status.state", []string{"Sending", "Pending", "Active", "Expired", "Declined", "Failed"}},
		{"Invitation", "status.attempt.language", languages},
		{"Invitation", "status.deliveries.0.language", languages},
		{"Invitation", "status.deliveries.0.purpose", purposes},
		{"Invitation", "status.deliveries.0.medium", media},
		{"Invitation", "status.deliveries.0.result", results},
		{"Account", "spec.state", []string{"Active", "Disabled"}},
		{"Account", "status.state", []string{"Pending", "Active", "Locked", "Disabled"}},
		{"Account", "status.twoFactor", []string{"Enrolled", "NotEnrolled"}},
		{"Account", "status.language", languages},
		{"Account", "status.deliveries.0.language", languages},
		{"Account", "status.deliveries.0.purpose", purposes},
		{"Account", "status.deliveries.0.medium", media},
		{"Account", "status.deliveries.0.result", results},
	}
	for _, c := range cases {
		for _, value := range c.values {
			t.Run(c.kind+" with "+c.path+" "+value, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, value)), "")
			})
		}
		for _, value := range []string{"Other", strings.ToLower(c.values[0]), strings.ToUpper(c.values[0])} {
			if slices.Contains(c.values, value) {
				continue
			}
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
		kind, path        string
		shortest, longest int
	}{
		{"Organization", "spec.namespace", 1, name},
		{"Organization", "spec.qualifier", 1, 30},
		{"Organization", "spec.founders.0.name", 1, name},
		{"Organization", "spec.founders.0.role", 1, name},
		{"Organization", "spec.mail.dkimSelector", 1, 63},
		{"Organization", "spec.resources.0.name", 1, name},
		{"Organization", "spec.resources.0.namespaces.names.0", 1, name},
		{"Organization", "spec.permissions.0.name", 1, name},
		{"Organization", "spec.permissions.0.clusterRole", 1, 253},
		{"Organization", "spec.permissions.1.group", 1, group},
		{"Organization", "spec.roles.0.name", 1, name},
		{"Organization", "spec.roles.0.grants.0.permission", 1, name},
		{"Organization", "spec.roles.0.grants.0.resources.0", 1, name},
		{"Organization", "status.seats.holders.0.name", 1, name},
		{"Organization", "status.seats.holders.0.invitationUID", 1, uid},
		{"Membership", "spec.organizationRef.name", 1, name},
		{"Membership", "spec.role", 1, name},
		{"Membership", "spec.permissions.0.permission", 1, name},
		{"Membership", "spec.permissions.0.resources.0", 1, name},
		{"Membership", "spec.message", 1, 500},
		{"Membership", "status.accountRef.name", 1, name},
		{"Membership", "status.grants.0.permission", 1, name},
		{"Membership", "status.grants.0.resource", 1, name},
		{"Membership", "status.grants.0.namespaces.0", 1, name},
		{"Membership", "status.grants.1.group", 1, group},
		{"Membership", "status.grants.1.reason", 1, 63},
		{"Membership", "status.grants.1.message", 1, 1024},
		{"Invitation", "spec.organizationRef.name", 1, name},
		{"Invitation", "spec.role", 1, name},
		{"Invitation", "spec.message", 1, 500},
		{"Invitation", "status.attempt.sender", 3, 512},
		{"Invitation", "status.attempt.resendRequest", 1, 64},
		{"Invitation", "status.attempt.membershipResendRequest", 1, 64},
		{"Invitation", "status.deliveries.0.name", 1, 127},
		{"Invitation", "status.deliveries.0.recipient", 1, 254},
		{"Invitation", "status.deliveries.0.permissions.0", 1, 512},
		{"Invitation", "status.deliveries.0.messageID", 1, 512},
		{"Invitation", "status.deliveries.0.holder", 1, 253},
		{"Invitation", "status.deliveries.0.message", 1, 256},
		{"Invitation", "status.acceptance.accountRef.name", 1, name},
		{"Invitation", "status.acceptance.accountRef.uid", 1, uid},
		{"Invitation", "status.decline.reason", 1, 500},
		{"Account", "spec.invitationRef.namespace", 1, name},
		{"Account", "spec.invitationRef.name", 1, name},
		{"Account", "spec.invitationRef.uid", 1, uid},
		{"Account", "status.leaving.0.namespace", 1, name},
		{"Account", "status.leaving.0.name", 1, name},
		{"Account", "status.deliveries.0.name", 1, 127},
		{"Account", "status.deliveries.0.recipient", 1, 254},
		{"Account", "status.deliveries.0.messageID", 1, 512},
		{"Account", "status.deliveries.0.holder", 1, 253},
		{"Account", "status.deliveries.0.message", 1, 256},
	}
	for _, c := range cases {
		try := func(what string, length int, refusal string) {
			t.Run(c.kind+" with "+c.path+" "+what, func(t *testing.T) {
				expect(t, submit(t, kinds[c.kind], set(c.path, strings.Repeat("a", length))), refusal)
			})
		}
		try("of the minimum length", c.shortest, "")
		try("of the maximum length", c.longest, "")
		try("too short", c.shortest-1, fmt.Sprintf("in body should be at least %d chars long", c.shortest))
		try("too long", c.longest+1, fmt.Sprintf("%s: Too long: may not be more than %d bytes", at(c.path), c.longest))
	}
}

func TestTimes(t *testing.T) {
	cases := map[string][]string{
		"Organization": {"status.conditions.0.lastTransitionTime"},
		"Membership":   {"status.conditions.0.lastTransitionTime"},
		"Invitation": {
			"status.conditions.0.lastTransitionTime",
			"status.expirationTime",
			"status.attempt.claimTime",
			"status.attempt.earlier.0.claimTime",
			"status.deliveries.0.claimTime",
			"status.deliveries.0.tryTime",
			"status.deliveries.0.sentTime",
			"status.acceptance.acceptedTime",
			"status.decline.declinedTime",
			"status.otherAddress.requestTime",
		},
		"Account": {
			"status.conditions.0.lastTransitionTime",
			"status.signIn.failureTime",
			"status.signIn.sessionsEndTime",
			"status.passwordTime",
			"status.secondFactorTime",
			"status.resetTimes.0",
			"status.userNameTimes.0",
			"status.unlockTimes.0",
			"status.deviceApprovals.0.time",
			"status.deliveries.0.claimTime",
			"status.deliveries.0.tryTime",
			"status.deliveries.0.sentTime",
		},
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
		{"Organization", "spec.seats", 1, 5000},
		{"Organization", "spec.signIn.maxFailures", 3, 100},
		{"Organization", "spec.signIn.twoFactorGraceSeconds", 60, 7776000},
		{"Organization", "status.observedGeneration", -1, open},
		{"Organization", "status.seats.taken", 0, open},
		{"Organization", "status.seats.holders.0.attempt", 1, open},
		{"Membership", "status.observedGeneration", -1, open},
		{"Invitation", "status.observedGeneration", -1, open},
		{"Invitation", "status.attempt.number", 1, open},
		{"Invitation", "status.attempt.keyID", 1, 255},
		{"Invitation", "status.attempt.earlier.0.number", 1, open},
		{"Invitation", "status.attempt.earlier.0.keyID", 1, 255},
		{"Invitation", "status.deliveries.0.tries", 1, open},
		{"Invitation", "status.otherAddress.requests", 1, 5},
		{"Invitation", "status.guesses", 1, 100},
		{"Account", "status.observedGeneration", -1, open},
		{"Account", "status.signIn.failures", 1, 100},
		{"Account", "status.signIn.codeFailures", 1, 100},
		{"Account", "status.signIn.codeLocks", 1, 100},
		{"Account", "status.signIn.locks", 1, 100},
		{"Account", "status.deliveries.0.tries", 1, open},
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
