// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// The refusals of the policy.
const (
	notTheRole        = "You cannot assign or withdraw this role: ask for the verb assign on the resource roles of accounts.usher.dev"
	notThePermission  = "You cannot allow this permission on this resource: ask for the verb assign on the resource permissions of accounts.usher.dev"
	tooManyPermission = "You cannot allow permissions on more than 16 resources at once: allow them in several steps"
	notToAsk          = "You cannot request this for a person with this role"
	notTheMetadata    = "You cannot change the labels, annotations, finalizers or owner references of a person with this role"
)

const manager = "usher:manager"

// memberChanges are changes of the spec of a Membership with an Allow of deploy and a
// Deny of delete. They change neither the role nor the allowed permissions.
var memberChanges = map[string]func(*accountsv1.Membership){
	"givenName":      func(m *accountsv1.Membership) { m.Spec.GivenName = "Janet" },
	"familyName":     func(m *accountsv1.Membership) { m.Spec.FamilyName = "Roe" },
	"invitedBy":      func(m *accountsv1.Membership) { m.Spec.InvitedBy = "Mallory" },
	"state":          func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended },
	"language":       func(m *accountsv1.Membership) { m.Spec.Language = "de" },
	"one more Deny":  overrides(accountsv1.EffectDeny, "view"),
	"no Deny":        func(m *accountsv1.Membership) { m.Spec.Permissions = m.Spec.Permissions[:1] },
	"no permissions": func(m *accountsv1.Membership) { m.Spec.Permissions = nil },
	"another order":  func(m *accountsv1.Membership) { slices.Reverse(m.Spec.Permissions) },
}

var _ = Describe("Assigning a role", Ordered, Label("K6", "C1"), func() {
	BeforeAll(policiesInForce)

	It("requires the verb assign on that role, for every way to create the object", func(ctx SpecContext) {
		home, elsewhere := aHome(ctx), aHome(ctx)
		for _, namespace := range []string{home, elsewhere} {
			bind(ctx, manager, namespace, "usher-people-manager")
		}
		allowVerbs(ctx, manager, home, right("assign", "roles", "developer"))
		allowVerbs(ctx, manager, elsewhere, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"assign"}})
		person := as(manager)
		Expect(person.Create(ctx, aMemberOf(home, "developer"))).To(Succeed())
		Expect(person.Create(ctx, anInvitationTo(home, "developer"))).To(Succeed())

		named := aMemberOf(home, "boss")
		named.Name, named.GenerateName = "developer", ""
		for name, object := range map[string]client.Object{
			"a Membership": aMemberOf(home, "boss"), "a Membership with the name of a role": named, "an Invitation": anInvitationTo(home, "boss"),
			"a Membership elsewhere": aMemberOf(elsewhere, "developer"), "an Invitation elsewhere": anInvitationTo(elsewhere, "developer"),
			"a longer name": aMemberOf(home, "developers"),
		} {
			Expect(person.Create(ctx, object)).To(beForbiddenAs(notTheRole), name)
		}
		for _, manifest := range []string{"Membership", "Invitation"} {
			applied := func(role string) error {
				_, err := kube.KubectlWith(ctx, fmt.Sprintf(`{"apiVersion": "accounts.usher.dev/v1alpha1", "kind": %q,
					"metadata": {"name": "applied", "namespace": %q},
					"spec": {"organizationRef": {"name": "acme"}, "email": "jane@example.com", "role": %q}}`, manifest, home, role),
					"--as="+manager, "--as-group=system:authenticated", "apply", "--server-side", "-f", "-")
				return err
			}
			Expect(applied("boss")).To(MatchError(ContainSubstring(notTheRole)), manifest)
			Expect(applied("developer")).To(Succeed(), manifest)
		}
	})

	It("is allowed by none of the predefined ClusterRoles, except that of an owner", func(ctx SpecContext) {
		for clusterRole, expected := range map[string]OmegaMatcher{
			"usher-people-viewer":  And(beForbidden(), Not(MatchError(ContainSubstring("usher-assign")))),
			"usher-people-manager": beForbiddenAs(notTheRole), "usher-organization-owner": Succeed(),
		} {
			home, user := aHome(ctx), "usher:"+clusterRole
			bind(ctx, user, home, clusterRole)
			Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(accountsv1.EffectAllow, "deploy")))).To(expected, clusterRole)
			Expect(as(user).List(ctx, &accountsv1.MembershipList{}, client.InNamespace(home))).To(Succeed(), clusterRole)
		}
	})

	It("requires the verb assign for every change of a member's permissions, on the old and the new role", func(ctx SpecContext) {
		home := aHome(ctx)
		for user, roles := range map[string][]string{manager: {"viewer"}, "usher:john": {"developer"}, "usher:both": {"developer", "boss"}} {
			bind(ctx, user, home, "usher-people-manager")
			allowVerbs(ctx, user, home, right("assign", "roles", roles...))
		}
		one, both, neither := as("usher:john"), as("usher:both"), as(manager)
		before := func(role string) *accountsv1.Membership {
			return theMemberOf(ctx, home, role, overrides(accountsv1.EffectAllow, "deploy"), overrides(accountsv1.EffectDeny, "delete"))
		}
		for name, change := range memberChanges {
			m := before("developer")
			Expect(updating(ctx, neither, m, change)).To(beForbiddenAs(notTheRole), name)
			changed := m.DeepCopy()
			change(changed)
			changed.Labels = map[string]string{"team": "blue"}
			Expect(neither.Patch(ctx, changed, client.MergeFrom(m))).To(beForbiddenAs(notTheRole), "%s with a label", name)
			Expect(updating(ctx, one, m, change)).To(Succeed(), name)
		}
		to := func(role string) func(*accountsv1.Membership) {
			return func(m *accountsv1.Membership) { m.Spec.Role = accountsv1.CatalogueName(role) }
		}
		for _, c := range []struct {
			person   client.Client
			from, to string
			expected OmegaMatcher
		}{
			{one, "developer", "boss", beForbiddenAs(notTheRole)},
			{one, "boss", "developer", beForbiddenAs(notTheRole)},
			{neither, "developer", "viewer", beForbiddenAs(notTheRole)},
			{neither, "viewer", "developer", beForbiddenAs(notTheRole)},
			{both, "developer", "boss", Succeed()},
			{both, "boss", "developer", Succeed()},
		} {
			Expect(updating(ctx, c.person, before(c.from), to(c.to))).To(c.expected, "from %s to %s", c.from, c.to)
		}
		m := before("developer")
		Expect(kube.KubectlWith(ctx, fmt.Sprintf(`{"apiVersion": "accounts.usher.dev/v1alpha1", "kind": "Membership",
			"metadata": {"name": %q, "namespace": %q},
			"spec": {"organizationRef": {"name": "acme"}, "email": "jane@example.com", "role": "boss"}}`, m.Name, home),
			"--as=usher:john", "--as-group=system:authenticated", "apply", "--server-side", "--force-conflicts", "--field-manager=usher", "-f", "-")).
			Error().To(MatchError(ContainSubstring(notTheRole)), "as another field manager")
	})
})

var _ = Describe("Allowing a permission on top of a role", Ordered, Label("K6", "C1"), func() {
	const user = "usher:allowing"
	var home string
	allow, deny := accountsv1.EffectAllow, accountsv1.EffectDeny
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer", "viewer"), right("assign", "permissions", append(pairs(17), "deploy:staging", "billing", "billing:production", "billing/staging", "staging:billing")...))
	})

	It("requires the verb assign on that permission, to create a Membership with it", func(ctx SpecContext) {
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, "deploy"), overrides(deny, "any")))).To(Succeed())
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, "own")))).To(beForbiddenAs(notThePermission))
		for i := range 16 {
			permissions := numbered(16)
			Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, permissions[:i+1]...)))).To(Succeed(), "%d", i)
			permissions[i] = "own"
			Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, permissions[:i+1]...)))).To(beForbiddenAs(notThePermission), "%d", i)
			Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, permissions...)))).To(beForbiddenAs(notThePermission), "%d", i)
		}
	})

	It("requires the verb assign on the permission together with the resource", func(ctx SpecContext) {
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", overrides(allow, "billing")))).
			To(beForbiddenAs(notThePermission), "by the name of the permission alone, or with another resource")
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", onResources("billing", "production")))).To(Succeed())
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", onResources("billing", "production", "staging")))).To(beForbiddenAs(notThePermission))
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", onResources("deploy", "acme")))).
			To(beForbiddenAs(notThePermission), "on the home namespace, with the right to allow it elsewhere")
		for name, c := range map[string]struct {
			own, deploy []accountsv1.CatalogueName
			expected    OmegaMatcher
		}{
			"one resource more, which the user may allow":     {[]accountsv1.CatalogueName{"home", "staging"}, []accountsv1.CatalogueName{"home", "staging"}, Succeed()},
			"one resource less":                               {[]accountsv1.CatalogueName{"staging"}, []accountsv1.CatalogueName{"home"}, Succeed()},
			"another order":                                   {[]accountsv1.CatalogueName{"staging", "home"}, []accountsv1.CatalogueName{"home"}, Succeed()},
			"one resource more, which the user may not allow": {[]accountsv1.CatalogueName{"home", "staging"}, []accountsv1.CatalogueName{"home", "production"}, beForbiddenAs(notThePermission)},
		} {
			m := theMemberOf(ctx, home, "developer", onResources("own", "home", "staging"), onResources("deploy", "home"))
			Expect(updating(ctx, as(user), m, func(m *accountsv1.Membership) {
				m.Spec.Permissions[0].Resources, m.Spec.Permissions[1].Resources = c.own, c.deploy
			})).To(c.expected, name)
		}
	})

	It("requires the verb for new or changed overrides, and not for existing ones", func(ctx SpecContext) {
		for name, c := range map[string]struct {
			change   func(*accountsv1.Membership)
			expected OmegaMatcher
		}{
			"a permission that the user may allow":     {overrides(allow, "deploy"), Succeed()},
			"one more Deny":                            {overrides(deny, "own"), Succeed()},
			"the Allow removed":                        {func(m *accountsv1.Membership) { m.Spec.Permissions = m.Spec.Permissions[1:] }, Succeed()},
			"the Deny removed":                         {func(m *accountsv1.Membership) { m.Spec.Permissions = m.Spec.Permissions[:1] }, Succeed()},
			"another role":                             {func(m *accountsv1.Membership) { m.Spec.Role = "viewer" }, Succeed()},
			"a permission that the user may not allow": {overrides(allow, "billing"), beForbiddenAs(notThePermission)},
			"one more resource": {func(m *accountsv1.Membership) {
				m.Spec.Permissions[0].Resources = []accountsv1.CatalogueName{"staging", "production"}
			}, beForbiddenAs(notThePermission)},
			"another resource":                   {func(m *accountsv1.Membership) { m.Spec.Permissions[0].Resources[0] = "production" }, beForbiddenAs(notThePermission)},
			"a Deny that becomes an Allow":       {func(m *accountsv1.Membership) { m.Spec.Permissions[1].Effect = allow }, beForbiddenAs(notThePermission)},
			"another permission in the same one": {func(m *accountsv1.Membership) { m.Spec.Permissions[0].Permission = "billing" }, beForbiddenAs(notThePermission)},
		} {
			m := theMemberOf(ctx, home, "developer", overrides(allow, "own"), overrides(deny, "delete"))
			Expect(updating(ctx, as(user), m, c.change)).To(c.expected, name)
		}
	})

	It("is possible for sixteen at a time, or for any number if the user may allow all", func(ctx SpecContext) {
		many := overrides(allow, numbered(17)...)
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", many))).To(beForbiddenAs(tooManyPermission))
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", onResources("deploy", numbered(17)...)))).To(beForbiddenAs(tooManyPermission))
		m := theMemberOf(ctx, home, "developer", overrides(allow, "own"))
		Expect(updating(ctx, as(user), m, many)).To(beForbiddenAs(tooManyPermission))
		m = theMemberOf(ctx, home, "developer", overrides(allow, "own", "p16"))
		Expect(updating(ctx, as(user), m, overrides(allow, numbered(16)...))).To(Succeed())

		const owner = "usher:allowing-all"
		bind(ctx, owner, home, "usher-organization-owner")
		m = aMemberOf(home, "developer", largest("a"))
		Expect(as(owner).Create(ctx, m)).To(Succeed())
		Expect(updating(ctx, as(owner), m, func(m *accountsv1.Membership) {
			m.Spec.Permissions = nil
			largest("b")(m)
			m.Spec.Role = "viewer"
		})).To(Succeed(), "with the largest possible Membership")
	})
})

// numbered returns names p0, p1 and so on.
func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	return names
}

// pairs returns the names by which a user may allow the numbered permissions on staging.
func pairs(n int) (names []string) {
	for _, permission := range numbered(n) {
		names = append(names, permission+":staging")
	}
	return names
}

// onResources allows one permission on several resources.
func onResources(permission string, resources ...string) func(*accountsv1.Membership) {
	return func(m *accountsv1.Membership) {
		override := accountsv1.PermissionOverride{Effect: accountsv1.EffectAllow, Permission: accountsv1.CatalogueName(permission)}
		for _, resource := range resources {
			override.Resources = append(override.Resources, accountsv1.CatalogueName(resource))
		}
		m.Spec.Permissions = append(m.Spec.Permissions, override)
	}
}

// largest allows the maximum number of permissions on the maximum number of
// resources, with names of maximum length.
func largest(letter string) func(*accountsv1.Membership) {
	name := func(i int) accountsv1.CatalogueName {
		return accountsv1.CatalogueName(fmt.Sprintf("%s%02d", strings.Repeat(letter, 61), i))
	}
	return func(m *accountsv1.Membership) {
		for i := range 64 {
			override := accountsv1.PermissionOverride{Effect: accountsv1.EffectAllow, Permission: name(i)}
			for j := range 4 {
				override.Resources = append(override.Resources, name(j))
			}
			m.Spec.Permissions = append(m.Spec.Permissions, override)
		}
	}
}

var _ = Describe("Writing which person has accepted a role", Ordered, Label("K6", "C1"), func() {
	BeforeAll(policiesInForce)

	It("into the status of a Membership requires the verb assign on the role", func(ctx SpecContext) {
		home := aHome(ctx)
		for user, more := range map[string]rbacv1.PolicyRule{
			"usher:status": right("answer", "invitations,memberships"), "usher:status-other": right("assign", "roles", "viewer"),
			"usher:status-right": right("assign", "roles", "developer"),
		} {
			allowVerbs(ctx, user, home, right("get,update,patch", "memberships,memberships/status"), more)
			expected := beForbiddenAs(notTheRole)
			if user == "usher:status-right" {
				expected = Succeed()
			}
			m := theMemberOf(ctx, home, "developer")
			changed := m.DeepCopy()
			changed.Status.AccountRef = accountsv1.AccountReference{Name: "mallory"}
			changed.Spec.Role = "viewer" // which the API server drops
			Expect(as(user).Status().Update(ctx, changed.DeepCopy())).To(expected, user)
			changed.Status.AccountRef.Name = "mallory-too"
			Expect(as(user).Status().Patch(ctx, changed.DeepCopy(), client.MergeFrom(m))).To(expected, user)
		}
	})

	It("into the status of an Invitation requires that verb too, or the verb answer on that Invitation", func(ctx SpecContext) {
		home := aHome(ctx)
		inv, other := anInvitationTo(home, "developer"), anInvitationTo(home, "developer")
		Expect(admin.Create(ctx, inv)).To(Succeed())
		Expect(admin.Create(ctx, other)).To(Succeed())
		for user, c := range map[string]struct {
			more     rbacv1.PolicyRule
			expected OmegaMatcher
		}{
			"usher:answers":        {right("answer", "invitations", inv.Name), Succeed()},
			"usher:answers-any":    {right("answer", "invitations"), Succeed()},
			"usher:assigns":        {right("assign", "roles", "developer"), Succeed()},
			"usher:answers-other":  {right("answer", "invitations", other.Name), beForbiddenAs(notTheRole)},
			"usher:answers-status": {right("answer", "invitations/status"), beForbiddenAs(notTheRole)},
			"usher:assigns-other":  {right("assign", "roles", "viewer"), beForbiddenAs(notTheRole)},
		} {
			allowVerbs(ctx, user, home, right("get,update,patch", "invitations/status"), c.more)
			changed := inv.DeepCopy()
			changed.Status.Acceptance = accountsv1.Acceptance{
				AccountRef: accountsv1.AcceptedAccountReference{Name: "mallory", UID: "1"}, AcceptedTime: &at,
			}
			Expect(as(user).Status().Update(ctx, changed, client.DryRunAll)).To(c.expected, user)
		}
		const answering = "usher:answers-only"
		bind(ctx, answering, home, "usher-people-manager")
		allowVerbs(ctx, answering, home, right("answer", "invitations"))
		Expect(as(answering).Create(ctx, anInvitationTo(home, "developer"))).To(beForbiddenAs(notTheRole), "the verb answer does not allow inviting")
		Expect(as(answering).Delete(ctx, other)).To(beForbiddenAs(notTheRole), "the verb answer does not allow withdrawing")
	})
})

var _ = Describe("Removing a role", Ordered, Label("K6", "C1"), func() {
	BeforeAll(policiesInForce)

	both := func(ctx SpecContext, home, role string) []client.Object {
		inv := anInvitationTo(home, role)
		Expect(admin.Create(ctx, inv)).To(Succeed())
		return []client.Object{theMemberOf(ctx, home, role), inv}
	}

	It("by deleting the object requires the verb assign on the role, one by one or all at once", func(ctx SpecContext) {
		home, user := aHome(ctx), "usher:deleting"
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer"), right("deletecollection", "memberships,invitations"))
		for _, object := range both(ctx, home, "boss") {
			Expect(as(user).Delete(ctx, object)).To(beForbiddenAs(notTheRole))
			Expect(as(user).Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(beForbiddenAs(notTheRole))
			Expect(as(user).DeleteAllOf(ctx, object, client.InNamespace(home))).To(beForbiddenAs(notTheRole))
		}
		for _, object := range both(ctx, home, "developer") {
			Expect(as(user).Delete(ctx, object)).To(Succeed())
		}
		home = aHome(ctx)
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer"), right("deletecollection", "memberships,invitations"))
		for _, object := range both(ctx, home, "developer") {
			Expect(as(user).DeleteAllOf(ctx, object, client.InNamespace(home))).To(Succeed())
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(object), object)).NotTo(Succeed())
		}
	})

	It("is allowed for the parts of Kubernetes that delete objects with a namespace or an owner", func(ctx SpecContext) {
		home := aHome(ctx)
		allowVerbs(ctx, controllerManager, home, right("delete", "memberships,invitations"))
		for _, part := range []string{namespaceController, garbageCollector, controllerManager} {
			for _, object := range both(ctx, home, "boss") {
				Expect(as(part).Delete(ctx, object)).To(Succeed(), part)
			}
			Expect(as(part).Create(ctx, aMemberOf(home, "boss"))).To(beForbidden(), part)
		}
		allowVerbs(ctx, controllerManager, home, right("create,update", "memberships"))
		Expect(as(controllerManager).Create(ctx, aMemberOf(home, "boss"))).To(beForbiddenAs(notTheRole))
		Expect(updating(ctx, as(controllerManager), theMemberOf(ctx, home, "boss"), memberChanges["state"])).To(beForbiddenAs(notTheRole))
		for _, name := range []string{"namespace-controller", "generic-garbage-collector"} {
			impostor, user := aServiceAccount(ctx, home, name)
			allowVerbs(ctx, user, home, right("delete", "memberships,invitations"))
			for _, object := range both(ctx, home, "boss") {
				Expect(impostor.Delete(ctx, object)).To(beForbiddenAs(notTheRole), user)
			}
		}
	})

	It("is not possible through the garbage collector with an owner that does not exist", func(ctx SpecContext) {
		home, user := aHome(ctx), "usher:orphaning"
		bind(ctx, user, home, "usher-people-manager")
		ghost := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "ghost", UID: "ghost"}
		for _, object := range both(ctx, home, "boss") {
			Expect(updating(ctx, as(user), object, func(o client.Object) {
				o.SetOwnerReferences([]metav1.OwnerReference{ghost})
			})).To(Or(beForbiddenAs(notTheRole), beForbiddenAs(notTheMetadata)))
			owner := aHomeObject(ctx, home)
			object.SetOwnerReferences([]metav1.OwnerReference{owner})
			Expect(admin.Update(ctx, object)).To(Succeed())
			for name, change := range map[string]func(*metav1.OwnerReference){
				"name": func(r *metav1.OwnerReference) { r.Name = "ghost" }, "uid": func(r *metav1.OwnerReference) { r.UID = "ghost" },
				"kind": func(r *metav1.OwnerReference) { r.Kind = "Secret" }, "apiVersion": func(r *metav1.OwnerReference) { r.APIVersion = "example.com/v1" },
			} {
				changed := owner
				change(&changed)
				Expect(updating(ctx, as(user), object, func(o client.Object) {
					o.SetOwnerReferences([]metav1.OwnerReference{changed})
				})).To(Or(beForbiddenAs(notTheRole), beForbiddenAs(notTheMetadata)), name)
			}
			Expect(updating(ctx, as(user), object, func(o client.Object) { o.SetOwnerReferences(nil) })).To(beForbiddenAs(notTheMetadata), "one owner less")
		}
	})
})
