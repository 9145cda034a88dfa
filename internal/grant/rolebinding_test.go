// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func jane() *accountsv1.Membership {
	return &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "jane"},
		Spec:       accountsv1.MembershipSpec{OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}},
	}
}

// applied is a RoleBinding of jane's as Usher created it.
func applied(changes ...func(*rbacv1.RoleBinding)) *rbacv1.RoleBinding {
	b := RoleBindings(jane(), "jane", []Grant{{ClusterRole: "edit", Namespaces: []string{"staging"}}})[0]
	b.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate},
		{Manager: accountsv1.FieldManager, Operation: metav1.ManagedFieldsOperationApply},
	}
	for _, change := range changes {
		change(&b)
	}
	return &b
}

func withoutLabels(b *rbacv1.RoleBinding)   { b.Labels = nil }
func withoutFields(b *rbacv1.RoleBinding)   { b.ManagedFields = nil }
func withoutOneLabel(b *rbacv1.RoleBinding) { delete(b.Labels, accountsv1.MembershipNameLabel) }

func named(name string) func(*rbacv1.RoleBinding) {
	return func(b *rbacv1.RoleBinding) { b.Name = name }
}

func managedBy(manager string, operation metav1.ManagedFieldsOperationType) func(*rbacv1.RoleBinding) {
	return func(b *rbacv1.RoleBinding) {
		b.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: manager, Operation: operation}}
	}
}

func TestMade(t *testing.T) {
	for name, c := range map[string]struct {
		binding *rbacv1.RoleBinding
		want    bool
	}{
		"as created":                                                    {applied(), true},
		"its labels removed":                                            {applied(withoutLabels), true},
		"one label removed":                                             {applied(withoutOneLabel), true},
		"its labels changed to those of another":                        {applied(func(b *rbacv1.RoleBinding) { b.Labels[accountsv1.MembershipNameLabel] = "john" }), true},
		"its managed fields removed":                                    {applied(withoutFields), true},
		"taken over by another manager":                                 {applied(managedBy("argocd", metav1.ManagedFieldsOperationApply)), true},
		"labels and managed fields removed":                             {applied(withoutLabels, withoutFields), false},
		"one label and the managed fields":                              {applied(withoutOneLabel, withoutFields), false},
		"written with that field manager, but not applied":              {applied(withoutLabels, managedBy(accountsv1.FieldManager, metav1.ManagedFieldsOperationUpdate)), false},
		"applied by another manager":                                    {applied(withoutLabels, managedBy("argocd", metav1.ManagedFieldsOperationApply)), false},
		"its subjects and its ClusterRole changed":                      {applied(func(b *rbacv1.RoleBinding) { b.Subjects, b.RoleRef.Name = nil, "admin" }), true},
		"a RoleBinding of another Membership":                           {applied(named("usher:acme:john:edit")), false},
		"a RoleBinding of another Organization":                         {applied(named("usher:beta:jane:edit")), false},
		"a RoleBinding of a Membership whose name starts with this one": {applied(named("usher:acme:jane-2:edit")), false},
		"forged labels under another name":                              {applied(named("mine"), withoutFields), false},
		"forged labels under a similar name":                            {applied(named("usher:acme:jane"), withoutFields), false},
		"forged labels under another prefix":                            {applied(named("usher2:acme:jane:edit"), withoutFields), false},
		"forged labels of another home namespace":                       {applied(withoutFields, func(b *rbacv1.RoleBinding) { b.Labels[accountsv1.MembershipNamespaceLabel] = "beta" }), false},
		"only the name":                                                 {&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "usher:acme:jane:edit"}}, false},
		"the name, and the label managed-by":                            {&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "usher:acme:jane:edit", Labels: map[string]string{accountsv1.ManagedByLabel: accountsv1.ManagedByValue}}}, false},
		"to a ClusterRole with colons in its name":                      {applied(named("usher:acme:jane:team:a:b")), true},
		"a name with an empty Membership":                               {applied(named("usher:acme::edit")), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := IsManagedFor(c.binding, jane()); got != c.want {
				t.Errorf("created by Usher for jane: %v", got)
			}
		})
	}
}

func TestABindingIsAsItShouldBe(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rbacv1.RoleBinding)
		want   bool
	}{
		"as created":                      {func(*rbacv1.RoleBinding) {}, true},
		"with an additional label":        {func(b *rbacv1.RoleBinding) { b.Labels["team"] = "a" }, true},
		"without managed fields":          {withoutFields, true},
		"without its labels":              {withoutLabels, false},
		"without one label":               {withoutOneLabel, false},
		"with another Membership's label": {func(b *rbacv1.RoleBinding) { b.Labels[accountsv1.AccountLabel] = "john" }, false},
		"to another ClusterRole":          {func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "admin" }, false},
		"to a Role":                       {func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" }, false},
		"without a subject":               {func(b *rbacv1.RoleBinding) { b.Subjects = nil }, false},
		"with an additional subject":      {func(b *rbacv1.RoleBinding) { b.Subjects = append(b.Subjects, b.Subjects[0]) }, false},
		"with another subject":            {func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "usher:john" }, false},
		"with a group":                    {func(b *rbacv1.RoleBinding) { b.Subjects[0].Kind = "Group" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SameBinding(applied(c.change), applied()); got != c.want {
				t.Errorf("the same: %v", got)
			}
		})
	}
}

// Usher binds only users, and none of them is a system user.
func TestOnlyUsersOfUsherAreBound(t *testing.T) {
	for _, account := range []string{"jane", "system:admin", "system:masters"} {
		b := RoleBindings(jane(), account, []Grant{{ClusterRole: "edit", Namespaces: []string{"staging"}}})[0]
		for _, s := range b.Subjects {
			if s.Kind != "User" || s.Namespace != "" || !strings.HasPrefix(s.Name, "usher:") {
				t.Errorf("%+v is bound", s)
			}
		}
	}
}

func FuzzBindingName(f *testing.F) {
	f.Add("acme", "jane", "edit")
	f.Add("acme", "jane-doe", "team:a:view")
	f.Add("a", "b", "")
	f.Fuzz(func(t *testing.T, organization, membership, clusterRole string) {
		if strings.Contains(organization+membership, ":") {
			return // neither Organization nor Membership names contain a colon
		}
		gotOrganization, gotMembership, found := ParseBindingName(BindingName(organization, membership, clusterRole))
		if !found || gotOrganization != organization || gotMembership != membership {
			t.Errorf("%q, %q, %v", gotOrganization, gotMembership, found)
		}
	})
}

func FuzzParseBindingName(f *testing.F) {
	for _, name := range []string{"", "usher", "usher:", "usher:acme", "usher:acme:jane", "usher:acme:jane:", "usher:acme:jane:edit", "usher:::", "xusher:a:b:c", "usher:a:b:c:d"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		organization, membership, found := ParseBindingName(name)
		if want := strings.HasPrefix(name, "usher:") && strings.Count(name, ":") > 2; found != want {
			t.Errorf("%q is a binding name: %v", name, found)
		}
		if found && !strings.HasPrefix(name, BindingName(organization, membership, "")) {
			t.Errorf("%q belongs to %q of %q", name, membership, organization)
		}
		if !found && organization+membership != "" {
			t.Errorf("%q is not a binding name, but was parsed as %q, %q", name, organization, membership)
		}
	})
}
