// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/guard"
)

// settled returns a member who has, and whose status lists, what the catalogue grants.
func settled(t *testing.T, changes ...func(*Facts)) accountsv1.Membership {
	t.Helper()
	f := someFacts(append([]func(*Facts){heldBy("jane", "jane@example.com"), owning(), func(f *Facts) { f.Membership.Spec.Role = "developer" }}, changes...)...)
	m := *f.Membership.DeepCopy()
	m.Status = Report(f)
	return m
}

// afterwards returns the Organization and the cluster for which Rollout is called.
func afterwards(changes ...func(*Facts)) Facts {
	return someFacts(append([]func(*Facts){owning()}, changes...)...)
}

func addsView(f *Facts) {
	f.Organization.Spec.Permissions = append(f.Organization.Spec.Permissions, accountsv1.Permission{Name: "look", ClusterRole: "view"})
	f.Cluster.ClusterRoles["view"] = grant.ClusterRole{Exists: true, Bindable: true}
	f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "look", Resources: []accountsv1.CatalogueName{"staging"}}}
}

func asOwner(f *Facts) { f.Membership.Spec.Role = "owner" }

func rollout(members, updated int32) accountsv1.RolloutStatus {
	return accountsv1.RolloutStatus{Members: members, Updated: &updated}
}

func TestRollout(t *testing.T) {
	none := accountsv1.RolloutStatus{}
	as := func(change func(m *accountsv1.Membership)) accountsv1.Membership {
		m := settled(t)
		change(&m)
		return m
	}
	current := settled(t, addsView)
	for name, c := range map[string]struct {
		now     Facts
		members []accountsv1.Membership
		want    accountsv1.RolloutStatus
	}{
		"no members":                  {afterwards(), nil, none},
		"every member has it":         {afterwards(), []accountsv1.Membership{settled(t), settled(t)}, none},
		"no member has it yet":        {afterwards(addsView), []accountsv1.Membership{settled(t), settled(t)}, rollout(2, 0)},
		"one of three members has it": {afterwards(addsView), []accountsv1.Membership{settled(t), current, settled(t)}, rollout(3, 1)},
		"all members have it now":     {afterwards(addsView), []accountsv1.Membership{current, current}, none},
		"a removed grant":             {afterwards(), []accountsv1.Membership{current}, rollout(1, 0)},
		"another ClusterRole": {
			afterwards(func(f *Facts) { f.Organization.Spec.Permissions[0].ClusterRole = "owner" }), []accountsv1.Membership{settled(t)}, rollout(1, 0),
		},
		"a group instead": {
			afterwards(func(f *Facts) { f.Organization.Spec.Permissions[0] = accountsv1.Permission{Name: "deploy", Group: "g"} }),
			[]accountsv1.Membership{settled(t)},
			rollout(1, 0),
		},
		"a ClusterRole that is no longer bindable": {
			afterwards(func(f *Facts) { f.Cluster.ClusterRoles["edit"] = grant.ClusterRole{Exists: true} }), []accountsv1.Membership{settled(t)}, rollout(1, 0),
		},
		"a ClusterRole that became bindable": {
			afterwards(),
			[]accountsv1.Membership{settled(t, func(f *Facts) { f.Cluster.ClusterRoles["edit"] = grant.ClusterRole{Exists: true} })},
			rollout(1, 0),
		},
		"a ClusterRole that is still not bindable": {
			afterwards(func(f *Facts) { f.Cluster.ClusterRoles["edit"] = grant.ClusterRole{Exists: true} }),
			[]accountsv1.Membership{settled(t, func(f *Facts) { f.Cluster.ClusterRoles["edit"] = grant.ClusterRole{Exists: true} })},
			none,
		},
		"a deleted namespace": {afterwards(func(f *Facts) { f.Cluster.Namespaces = nil }), []accountsv1.Membership{settled(t)}, rollout(1, 0)},

		"an invited person":             {afterwards(addsView), []accountsv1.Membership{as(func(m *accountsv1.Membership) { m.Status.State = "Invited" })}, none},
		"a suspended member":            {afterwards(addsView), []accountsv1.Membership{settled(t, suspends)}, none},
		"a disabled member":             {afterwards(addsView), []accountsv1.Membership{settled(t, switchedOff)}, none},
		"a member who is being deleted": {afterwards(addsView), []accountsv1.Membership{as(func(m *accountsv1.Membership) { m.DeletionTimestamp = &metav1.Time{Time: noon} })}, none},
		"a member in another namespace": {afterwards(addsView), []accountsv1.Membership{as(func(m *accountsv1.Membership) { m.Namespace = "other" })}, none},
		"a member whose manifest was changed": {
			afterwards(addsView), []accountsv1.Membership{settled(t), as(func(m *accountsv1.Membership) { m.Generation++ })}, rollout(2, 1),
		},
		"a member without a status":       {afterwards(addsView), []accountsv1.Membership{as(func(m *accountsv1.Membership) { m.Status = accountsv1.MembershipStatus{} })}, none},
		"a member whose role was deleted": {afterwards(addsView), []accountsv1.Membership{settled(t), as(func(m *accountsv1.Membership) { m.Spec.Role = "pilot" })}, rollout(2, 1)},
		"a retained owner who was demoted": {
			afterwards(addsView, owning("jane")), []accountsv1.Membership{settled(t, owning("jane"), demotes)}, none,
		},
		"a retained owner who is denied what makes an owner": {
			afterwards(addsView, owning("jane")), []accountsv1.Membership{settled(t, owning("jane"), asOwner, disowns)}, none,
		},

		"overrides that were applied": {
			afterwards(addsView), []accountsv1.Membership{settled(t, addsView, overridden("Deny", "deploy")), settled(t, addsView, overridden("Allow", "own"))}, none,
		},
		"overrides that were not applied": {
			afterwards(addsView),
			[]accountsv1.Membership{settled(t, overridden("Deny", "deploy")), current, settled(t, overridden("Allow", "own"))},
			rollout(3, 1),
		},
		"a Deny of an unknown permission": {
			afterwards(), []accountsv1.Membership{settled(t, func(f *Facts) {
				f.Membership.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: "Deny", Permission: "fly", Resources: []accountsv1.CatalogueName{"staging"}}}
			})}, none,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Rollout(c.now.Organization, c.members, c.now.Cluster)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// If a grant is withheld from one person, the rollout does not wait for that grant: a
// change of the catalogue does not bring it into force.
func TestARolloutEndsWhereAGrantIsWithheldFromThePerson(t *testing.T) {
	failed := func(f *Facts) {
		f.Failures = map[string]Failure{"staging/usher:acme:jane:edit": {Reason: "BindingFailed", Message: "Refused."}}
	}
	conflicting := func(f *Facts) {
		f.Failures = map[string]Failure{"staging/usher:acme:jane:edit": {Reason: "BindingConflict", Message: "Held by another."}}
	}
	unguarded := func(f *Facts) { f.Guard = guard.State{Missing: []string{"usher-assign"}} }
	halfThere := func(f *Facts) {
		names := &f.Organization.Spec.Resources[0].Namespaces.Names
		*names = append(*names, "next")
	}
	nothing := func(*Facts) {}
	for name, c := range map[string]struct{ catalogue, person func(*Facts) }{
		"refused": {nothing, failed},
		"conflict with a binding of another writer":          {nothing, conflicting},
		"refused, and a namespace is missing":                {halfThere, failed},
		"not checked by a policy":                            {nothing, func(f *Facts) { asOwner(f); unguarded(f) }},
		"not checked by a policy, and granted elsewhere too": {onStagingToo, func(f *Facts) { asOwner(f); unguarded(f) }},
		"a guest":                            {asGuests, asOwner},
		"a guest, and granted elsewhere too": {func(f *Facts) { asGuests(f); onStagingToo(f) }, asOwner},
	} {
		t.Run(name, func(t *testing.T) {
			m := settled(t, c.catalogue, c.person)
			if m.Status.Grants[0].State != accountsv1.GrantWithheld {
				t.Fatalf("it is in force: %+v", m.Status.Grants)
			}
			now := afterwards(c.catalogue)
			if got := Rollout(now.Organization, []accountsv1.Membership{m}, now.Cluster); got.Members != 0 {
				t.Errorf("it never ends: %d of %d", *got.Updated, got.Members)
			}
			now.Cluster.ClusterRoles = nil
			if got := Rollout(now.Organization, []accountsv1.Membership{m}, now.Cluster); got.Members != 1 {
				t.Error("a change for all members does not count")
			}
		})
	}
}

func asGuests(f *Facts) {
	for i := range f.Organization.Spec.Roles {
		f.Organization.Spec.Roles[i].Standing = accountsv1.StandingGuest
	}
}

func TestARolloutComparesTheFirstHundredNamespaces(t *testing.T) {
	selected := func(count int) func(*Facts) {
		return func(f *Facts) {
			labels := map[string]string{"team": "acme"}
			f.Organization.Spec.Resources[0].Namespaces = accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: labels}}
			for i := range count {
				f.Cluster.Namespaces = append(f.Cluster.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n-%03d", i), Labels: labels}})
			}
		}
	}
	for _, c := range []struct {
		before, now int
		want        accountsv1.RolloutStatus
	}{
		{99, 100, rollout(1, 0)},
		{100, 99, rollout(1, 0)},
		{100, 100, accountsv1.RolloutStatus{}},
		{100, 101, accountsv1.RolloutStatus{}},
		{150, 150, accountsv1.RolloutStatus{}},
	} {
		m, now := settled(t, selected(c.before)), afterwards(selected(c.now))
		if got := len(m.Status.Grants[0].Namespaces); got != min(c.before, 100) {
			t.Errorf("of %d, %d are listed", c.before, got)
		}
		if diff := cmp.Diff(c.want, Rollout(now.Organization, []accountsv1.Membership{m}, now.Cluster)); diff != "" {
			t.Errorf("from %d to %d: -want +got\n%s", c.before, c.now, diff)
		}
	}
}
