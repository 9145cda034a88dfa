// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/guard"
)

func policiesMissing(f *Facts) { f.Guard = guard.State{Missing: []string{"usher-assign"}} }

// justGuarded makes the policies come into force after the Membership was written.
func justGuarded(f *Facts) { f.Guard.Since = noon.Add(-time.Minute) }

func founded(changes ...func(*accountsv1.Founder)) func(*Facts) {
	return func(f *Facts) {
		founder := accountsv1.Founder{Name: "jane", Email: "jane@example.com", Role: "owner"}
		for _, change := range changes {
			change(&founder)
		}
		f.Organization.Spec.Founders = []accountsv1.Founder{founder}
	}
}

func overridden(effect accountsv1.Effect, permission accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		resource := map[accountsv1.CatalogueName]accountsv1.CatalogueName{"own": "people", "deploy": "staging"}[permission]
		f.Membership.Spec.Permissions = append(f.Membership.Spec.Permissions, accountsv1.PermissionOverride{
			Effect: effect, Permission: permission, Resources: []accountsv1.CatalogueName{resource},
		})
	}
}

func guest(f *Facts) {
	f.Organization.Status.Owners = nil
	for i := range f.Organization.Spec.Roles {
		f.Organization.Spec.Roles[i].Standing = accountsv1.StandingGuest
	}
}

// grants formats grants for readers.
func grants(list []accountsv1.GrantStatus) []string {
	var shown []string
	for _, g := range list {
		namespaces := make([]string, 0, len(g.Namespaces))
		for _, n := range g.Namespaces {
			namespaces = append(namespaces, string(n))
		}
		shown = append(shown, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", g.Permission, g.State, g.Reason, strings.Join(namespaces, ","))), " "))
	}
	return shown
}

// Guests never get a ClusterRole that manages people. New members do not get it by a spec
// that no policy checked.
func TestWhoManagesPeople(t *testing.T) {
	held := heldBy("jane", "jane@example.com")
	manager := owning("jane", "john")
	const given = "own InForce acme"
	const withheld, guests, allowed = "own Withheld PoliciesMissing", "own Withheld Guest", "own Withheld NotGrantedByRole"
	for name, c := range map[string]struct {
		facts Facts
		want  string
		plan  string
	}{
		"checked":                                              {someFacts(held, manager), given, "apply binding"},
		"checked, and bound before":                            {someFacts(held, manager, bound(toOwn)), given, ""},
		"policies missing, not bound before":                   {someFacts(held, manager, policiesMissing), withheld, ""},
		"policies missing, bound before":                       {someFacts(held, manager, bound(toOwn), policiesMissing), given, ""},
		"policies just restored, not bound before":             {someFacts(held, manager, justGuarded), withheld, ""},
		"policies just restored, bound before":                 {someFacts(held, manager, bound(toOwn), justGuarded), given, ""},
		"policies not observed yet":                            {someFacts(held, manager, func(f *Facts) { f.Guard = guard.State{} }), withheld, ""},
		"policies missing, and another person is bound":        {someFacts(held, manager, bound(toOwn), policiesMissing, subject("usher:mallory")), withheld, "delete binding"},
		"policies missing, and the binding was edited":         {someFacts(held, manager, bound(toOwn), policiesMissing, func(f *Facts) { f.Bindings[0].Subjects = nil }), withheld, "delete binding"},
		"policies missing, and the binding is to another role": {someFacts(held, manager, bound(toOwn), policiesMissing, func(f *Facts) { f.Bindings[0].RoleRef.Name = "view" }), withheld, "delete binding"},

		"policies missing, for a founder":                    {someFacts(held, manager, policiesMissing, founded()), given, "apply binding"},
		"policies missing, for a founder of another name":    {someFacts(held, manager, policiesMissing, founded(func(f *accountsv1.Founder) { f.Name = "john" })), withheld, ""},
		"policies missing, for a founder of another address": {someFacts(held, manager, policiesMissing, founded(func(f *accountsv1.Founder) { f.Email = "john@example.com" })), withheld, ""},
		"policies missing, for a founder of another role":    {someFacts(held, manager, policiesMissing, founded(func(f *accountsv1.Founder) { f.Role = "partner" })), withheld, ""},
		"policies missing, for a founder with an Allow": {
			someFacts(held, manager, policiesMissing, founded(), overridden("Allow", "deploy")), "deploy InForce staging; " + withheld, "apply binding",
		},
		"policies missing, for a founder with a Deny": {someFacts(held, manager, policiesMissing, founded(), overridden("Deny", "deploy")), withheld, ""},

		"as a guest":                                 {someFacts(held, manager, guest), guests, ""},
		"as a guest, bound before":                   {someFacts(held, manager, bound(toOwn), guest), guests, "delete binding"},
		"as a guest, by an Allow":                    {someFacts(held, manager, guest, func(f *Facts) { f.Membership.Spec.Role = "developer" }, overridden("Allow", "own")), "deploy InForce staging; " + guests, "apply binding"},
		"as a guest and a founder":                   {someFacts(held, manager, guest, founded()), guests, ""},
		"as a guest, while the policies are missing": {someFacts(held, manager, guest, policiesMissing), guests, ""},

		"a ClusterRole that does not manage people, policies missing": {someFacts(held, manager, policiesMissing, demotesFrom), "deploy InForce staging", "apply binding"},
		"by an Allow":                                              {someFacts(held, manager, demotesFrom, overridden("Allow", "own")), "deploy InForce staging; " + allowed, "apply binding"},
		"by an Allow, bound before":                                {someFacts(held, manager, bound(toOwn), demotesFrom, overridden("Allow", "own")), "deploy InForce staging; " + allowed, "apply binding, delete binding"},
		"by an Allow, policies missing":                            {someFacts(held, manager, policiesMissing, demotesFrom, overridden("Allow", "own")), "deploy InForce staging; " + allowed, "apply binding"},
		"by the role and an Allow":                                 {someFacts(held, manager, overridden("Allow", "own")), given, "apply binding"},
		"by the role, on a selector":                               {someFacts(held, manager, homeBySelector), allowed, ""},
		"by a ClusterRole that manages only at home, by the role":  {someFacts(held, manager, demotesFrom, deployingAtHome), "deploy InForce acme,staging", "apply binding, apply binding"},
		"by one that manages only at home, policies missing":       {someFacts(held, manager, demotesFrom, deployingAtHome, policiesMissing), "deploy Withheld PoliciesMissing staging", "apply binding"},
		"by one that manages only at home, by an Allow":            {someFacts(held, manager, demotesFrom, allowedToDeployAtHome), "deploy Withheld NotGrantedByRole; deploy InForce staging", "apply binding"},
		"by one that manages only at home, as a guest":             {someFacts(held, manager, demotesFrom, deployingAtHome, guest), "deploy Withheld Guest staging", "apply binding"},
		"by one that manages only at home, as a guest by an Allow": {someFacts(held, manager, demotesFrom, allowedToDeployAtHome, guest), "deploy Withheld Guest; deploy InForce staging", "apply binding"},
		"by default grants, policies missing": {someFacts(held, manager, policiesMissing, demotesFrom, func(f *Facts) {
			f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "own", Resources: []accountsv1.CatalogueName{"people"}}}
		}), "deploy InForce staging; " + withheld, "apply binding"},
		"without a second factor":                               {someFacts(held, manager, bound(toOwn), wasInvited, factorRequired), "own Withheld TwoFactorRequired", "delete binding"},
		"granted elsewhere too":                                 {someFacts(held, manager, onStagingToo), "own Withheld NotHomeNamespace acme", "apply binding"},
		"granted elsewhere too, policies missing":               {someFacts(held, manager, onStagingToo, policiesMissing), withheld, ""},
		"granted elsewhere too, policies missing, bound before": {someFacts(held, manager, onStagingToo, policiesMissing, bound(toOwn)), "own Withheld NotHomeNamespace acme", ""},
		"too powerful since": {someFacts(held, manager, bound(toOwn), func(f *Facts) {
			role := f.Cluster.ClusterRoles["owner"]
			role.Excess = "escalate on roles"
			f.Cluster.ClusterRoles["owner"] = role
		}), "own Withheld ClusterRoleTooPowerful", "delete binding"},
		"no longer grantable": {someFacts(held, manager, bound(toOwn), func(f *Facts) {
			role := f.Cluster.ClusterRoles["owner"]
			role.Bindable = false
			f.Cluster.ClusterRoles["owner"] = role
		}), "own Withheld BindForbidden", "delete binding"},
		"deleted": {someFacts(held, manager, bound(toOwn), func(f *Facts) { delete(f.Cluster.ClusterRoles, "owner") }), "own Withheld ClusterRoleNotFound", "delete binding"},
	} {
		t.Run(name, func(t *testing.T) {
			status := Report(c.facts)
			if diff := cmp.Diff(c.want, strings.Join(grants(status.Grants), "; ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if diff := cmp.Diff(c.plan, strings.Join(planned(Decide(c.facts)), ", ")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			keepsKstatus(t, status)
			if _, applied := reasonOf(status, "PermissionsApplied"); applied == strings.Contains(c.want, "Withheld") {
				t.Errorf("everything is applied: %v", applied)
			}
			for _, g := range status.Grants {
				if (g.State == accountsv1.GrantWithheld) != (g.Message != "") {
					t.Errorf("the reason of %s is %s: %q", g.Permission, g.State, g.Message)
				}
			}
		})
	}
}

// demotesFrom also removes the owner from the list.
func demotesFrom(f *Facts) {
	f.Membership.Spec.Role, f.Organization.Status.Owners = "developer", nil
}

func subject(user string) func(*Facts) {
	return func(f *Facts) {
		f.Bindings[0].Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}
	}
}

// homeBySelector makes the resource people one that selects the home namespace.
func homeBySelector(f *Facts) {
	label := map[string]string{"team": "acme"}
	f.Organization.Spec.Resources[1].Namespaces = accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: label}}
	for i := range f.Cluster.Namespaces {
		if f.Cluster.Namespaces[i].Name == "acme" {
			f.Cluster.Namespaces[i].Labels = label
		}
	}
}

// managesAtHome makes the ClusterRole edit one that manages people in a home namespace.
func managesAtHome(f *Facts) {
	edit := f.Cluster.ClusterRoles["edit"]
	edit.ManagesAtHome = true
	f.Cluster.ClusterRoles["edit"] = edit
}

// deployingAtHome makes the role of a developer grant edit on staging and in the home
// namespace.
func deployingAtHome(f *Facts) {
	managesAtHome(f)
	f.Organization.Spec.Resources[0].Namespaces.Names = []accountsv1.NamespaceName{"staging", "acme"}
}

// allowedToDeployAtHome allows edit in the home namespace on top of the role.
func allowedToDeployAtHome(f *Facts) {
	managesAtHome(f)
	f.Membership.Spec.Permissions = []accountsv1.PermissionOverride{{
		Effect: accountsv1.EffectAllow, Permission: "deploy", Resources: []accountsv1.CatalogueName{"people"},
	}}
}

func onStagingToo(f *Facts) {
	people := &f.Organization.Spec.Resources[1].Namespaces
	people.Names = append(people.Names, "staging")
}

func reasonOf(status accountsv1.MembershipStatus, condition string) (reason string, holds bool) {
	c := meta.FindStatusCondition(status.Conditions, condition)
	return c.Reason, c.Status == metav1.ConditionTrue
}

func TestUncheckedGrantsSayWhatToDo(t *testing.T) {
	held, manager := heldBy("jane", "jane@example.com"), owning("jane", "john")
	for name, c := range map[string]struct {
		facts Facts
		want  string
	}{
		"while the policies are missing": {someFacts(held, manager, policiesMissing), "apply config/policy"},
		"once they are back":             {someFacts(held, manager, justGuarded), "set spec.state to Suspended and then to Active"},
		"to a guest":                     {someFacts(held, manager, guest), "remove the grant from role owner"},
	} {
		t.Run(name, func(t *testing.T) {
			ready := meta.FindStatusCondition(Report(c.facts).Conditions, "Ready")
			if ready.Reason != "GrantsWithheld" || !strings.Contains(ready.Message, c.want) {
				t.Errorf("%s: %s", ready.Reason, ready.Message)
			}
		})
	}
}

// The guard is written once. Later checks depend on it.
func TestCheckedChangeReleasesWithheldGrants(t *testing.T) {
	f := someFacts(heldBy("jane", "jane@example.com"), owning("jane", "john"), justGuarded)
	f.Membership.Status = Report(f)
	if got := f.Membership.Status.Guard; got.Generation != 1 || got.Since == nil {
		t.Fatalf("the guard is %+v", got)
	}
	f.Membership.Generation = 2
	if got := grants(Report(f).Grants); !cmp.Equal(got, []string{"own InForce acme"}) {
		t.Errorf("%v", got)
	}
	f.Membership.Generation, f.Membership.DeletionTimestamp = 2, &metav1.Time{Time: noon}
	if got := grants(Report(f).Grants); !cmp.Equal(got, []string{"own Withheld PoliciesMissing"}) {
		t.Errorf("deleting counts as checked: %v", got)
	}
}

// The API server permanently refuses a status with a longer message.
func TestNoMessageOfAGrantIsLongerThanTheAPITakes(t *testing.T) {
	const most = 1024
	many := someFacts(heldBy("jane", "jane@example.com"), func(f *Facts) {
		names := &f.Organization.Spec.Resources[0].Namespaces.Names
		for i := range 63 {
			*names = append(*names, accountsv1.NamespaceName(fmt.Sprintf("%s-%02d", strings.Repeat("n", 60), i)))
		}
	})
	conflict := someFacts(heldBy("jane", "jane@example.com"), func(f *Facts) {
		f.Failures = map[string]Failure{"staging/usher:acme:jane:edit": {Reason: "BindingConflict", Message: strings.Repeat("é", most+1)}}
	})
	for name, f := range map[string]Facts{"many missing namespaces": many, "many conflicting field managers": conflict} {
		t.Run(name, func(t *testing.T) {
			got := Report(f).Grants[0].Message
			if length := utf8.RuneCountInString(got); length == 0 || length > most || !utf8.ValidString(got) {
				t.Errorf("it has %d characters: %s", length, got)
			}
		})
	}
}
