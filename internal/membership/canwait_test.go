// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func TestCanWait(t *testing.T) {
	held := heldBy("jane", "jane@example.com")
	known := func(f *Facts) { f.Membership.Status = Report(*f) }
	less := func(f *Facts) { f.Organization.Spec.Roles[0].Grants = nil }
	for name, c := range map[string]struct {
		facts Facts
		want  bool
	}{
		"the catalogue grants less":                    {someFacts(held, bound(asItShould), known, less), true},
		"a RoleBinding was deleted":                    {someFacts(held, bound(asItShould), known, func(f *Facts) { f.Bindings = nil }), true},
		"nothing changes":                              {someFacts(held, bound(asItShould), known), false},
		"the person has just joined":                   {someFacts(invitedAs("Pending", "True", "AwaitingAcceptance"), known, held), false},
		"the manifest was changed":                     {someFacts(held, bound(asItShould), known, less, func(f *Facts) { f.Membership.Generation++ }), false},
		"the Membership was never reconciled":          {someFacts(held, bound(asItShould), less), false},
		"a RoleBinding of another writer conflicts":    {someFacts(held, known, failing), false},
		"the Account was disabled, and access is lost": {someFacts(held, bound(asItShould), known, switchedOff), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CanWait(c.facts, Decide(c.facts), Report(c.facts)); got != c.want {
				t.Errorf("the report can wait: %t", got)
			}
		})
	}
}

// failing makes each RoleBinding conflict with one of another writer.
func failing(f *Facts) {
	f.Failures = map[string]Failure{}
	for _, b := range Decide(*f).Apply {
		f.Failures[key(b)] = Failure{Reason: accountsv1.ReasonBindingConflict, Message: "Another writer holds it."}
	}
}

func key(b rbacv1.RoleBinding) string { return b.Namespace + "/" + b.Name }
