// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// The refusals of the policy.
const (
	theLastOwner = "This is the last owner of the Organization: make another member an owner first."
	theirOwn     = "You cannot change or delete your own Membership: ask another owner, or leave on the account page."
)

// ofAccount makes a Membership that of an Account.
func ofAccount(name accountsv1.AccountName) func(*accountsv1.Membership) {
	return func(m *accountsv1.Membership) { m.Status.AccountRef.Name = name }
}

// lastOwner makes a Membership that of the last owner, the Account jane.
func lastOwner(status ...metav1.ConditionStatus) func(*accountsv1.Membership) {
	return func(m *accountsv1.Membership) {
		ofAccount("jane")(m)
		m.Status.Conditions = []metav1.Condition{{
			Type: accountsv1.ConditionLastOwner, Status: append(status, metav1.ConditionTrue)[0],
			Reason: accountsv1.ReasonLastOwner, LastTransitionTime: at,
		}}
	}
}

// aHomeObject creates an object that can own others, and returns a reference to it.
func aHomeObject(ctx context.Context, home string) metav1.OwnerReference {
	GinkgoHelper()
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, GenerateName: "owner-"}}
	Expect(admin.Create(ctx, owner)).To(Succeed())
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
}

// Changes to the Membership of an owner.
var (
	demoted   = func(m *accountsv1.Membership) { m.Spec.Role = "developer" }
	suspended = func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended }
	denied    = func(m *accountsv1.Membership) {
		m.Spec.Permissions = []accountsv1.PermissionOverride{{
			Effect: accountsv1.EffectDeny, Permission: "own", Resources: []accountsv1.CatalogueName{"home"},
		}}
	}
	renamed  = func(m *accountsv1.Membership) { m.Spec.FamilyName = "Roe" }
	labelled = func(m *accountsv1.Membership) { m.Labels = map[string]string{"team": "blue"} }
	orphaned = func(m *accountsv1.Membership) {
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "ghost", UID: "ghost"}}
	}
)

var _ = Describe("The last owner of an Organization", Ordered, Label("D9"), func() {
	const other = "usher:other-owner"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		bind(ctx, other, home, "usher-organization-owner")
		allowVerbs(ctx, other, home, right("deletecollection", "memberships"))
	})

	It("cannot be demoted, suspended or removed by other managers", func(ctx SpecContext) {
		owner := theMemberOf(ctx, home, "owner", lastOwner())
		for name, change := range map[string]func(*accountsv1.Membership){"demoted": demoted, "suspended": suspended, "denied": denied, "orphaned": orphaned} {
			Expect(updating(ctx, as(other), owner, change)).To(beForbiddenAs(theLastOwner), name)
			changed := owner.DeepCopy()
			change(changed)
			labelled(changed)
			Expect(as(other).Patch(ctx, changed, client.MergeFrom(owner))).To(beForbiddenAs(theLastOwner), "%s with a label", name)
		}
		Expect(as(other).Delete(ctx, owner)).To(beForbiddenAs(theLastOwner))
		Expect(as(other).DeleteAllOf(ctx, owner, client.InNamespace(home))).To(beForbiddenAs(theLastOwner))
	})

	It("can be changed in every way that keeps them an owner", func(ctx SpecContext) {
		for name, change := range map[string]func(*accountsv1.Membership){
			"renamed": renamed, "labelled": labelled, "active": func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchActive },
		} {
			Expect(updating(ctx, as(other), theMemberOf(ctx, home, "owner", lastOwner()), change)).To(Succeed(), name)
		}
		retained := theMemberOf(ctx, home, "owner", lastOwner(), suspended)
		Expect(updating(ctx, as(other), retained, renamed)).To(Succeed(), "an owner who is suspended already")
		Expect(updating(ctx, as(other), theMemberOf(ctx, home, "owner", lastOwner(), denied), renamed)).To(Succeed(), "an owner who is denied it already")
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(retained), retained)).To(Succeed())
		Expect(updating(ctx, as(other), retained, func(m *accountsv1.Membership) { m.Spec.State = "" })).To(Succeed(), "an owner who is resumed")
	})

	It("is protected only while the status says that they are the last owner", func(ctx SpecContext) {
		for name, now := range map[string]func(*accountsv1.Membership){
			"no longer the last": lastOwner(metav1.ConditionFalse), "no owner": ofAccount("jane"),
			"not accepted yet": func(*accountsv1.Membership) {},
		} {
			for _, change := range []func(*accountsv1.Membership){demoted, suspended, orphaned} {
				Expect(updating(ctx, as(other), theMemberOf(ctx, home, "owner", now), change)).To(Succeed(), name)
			}
			Expect(as(other).Delete(ctx, theMemberOf(ctx, home, "owner", now))).To(Succeed(), name)
		}
	})

	It("can be removed by a user who may delete that Organization", func(ctx SpecContext) {
		for user, c := range map[string]struct {
			organization string
			expected     OmegaMatcher
		}{
			"usher:deletes-acme": {"acme", Succeed()}, "usher:deletes-globex": {"globex", beForbiddenAs(theLastOwner)},
		} {
			bind(ctx, user, home, "usher-organization-owner")
			allowVerbs(ctx, user, "", right("delete", "organizations", c.organization))
			for _, change := range []func(*accountsv1.Membership){demoted, suspended, orphaned} {
				Expect(updating(ctx, as(user), theMemberOf(ctx, home, "owner", lastOwner()), change)).To(c.expected, user)
			}
			Expect(as(user).Delete(ctx, theMemberOf(ctx, home, "owner", lastOwner()))).To(c.expected, user)
		}
		const here = "usher:deletes-here"
		bind(ctx, here, home, "usher-organization-owner")
		allowVerbs(ctx, here, home, right("delete", "organizations"))
		Expect(as(here).Delete(ctx, theMemberOf(ctx, home, "owner", lastOwner()))).To(beForbiddenAs(theLastOwner), "a right in the namespace only")
	})

	It("can be deleted with the namespace, and with the owner of the object", func(ctx SpecContext) {
		allowVerbs(ctx, controllerManager, home, right("delete,update", "memberships"), right("assign", "roles"))
		for _, part := range []string{namespaceController, garbageCollector, controllerManager} {
			Expect(as(part).Delete(ctx, theMemberOf(ctx, home, "owner", lastOwner()))).To(Succeed(), part)
		}
		Expect(updating(ctx, as(controllerManager), theMemberOf(ctx, home, "owner", lastOwner()), demoted)).To(beForbiddenAs(theLastOwner))
		m := theMemberOf(ctx, home, "owner", lastOwner())
		Expect(admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})).To(Succeed())
		Eventually(ctx, func() error { return admin.Get(ctx, client.ObjectKeyFromObject(m), m) }).WithTimeout(policyDelay).ShouldNot(Succeed())
	})
})

var _ = Describe("A person's own Membership", Ordered, Label("D9"), func() {
	const jane, john = "usher:jane", "usher:john"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		for _, user := range []string{jane, john} {
			bind(ctx, user, home, "usher-organization-owner")
			allowVerbs(ctx, user, home, right("deletecollection", "memberships"))
		}
		allowVerbs(ctx, jane, "", right("delete", "organizations", "acme"))
	})

	It("cannot be changed or removed by that person, even with the right to delete the Organization", func(ctx SpecContext) {
		own := theMemberOf(ctx, home, "owner", ofAccount("jane"))
		for name, change := range map[string]func(*accountsv1.Membership){
			"demoted": demoted, "suspended": suspended, "renamed": renamed, "orphaned": orphaned,
			"allowed": overrides(accountsv1.EffectAllow, "deploy"), "denied": overrides(accountsv1.EffectDeny, "deploy"),
		} {
			Expect(updating(ctx, as(jane), own, change)).To(beForbiddenAs(theirOwn), name)
			changed := own.DeepCopy()
			change(changed)
			labelled(changed)
			Expect(as(jane).Patch(ctx, changed, client.MergeFrom(own))).To(beForbiddenAs(theirOwn), "%s with a label", name)
		}
		Expect(as(jane).Delete(ctx, own)).To(beForbiddenAs(theirOwn))
		Expect(as(jane).DeleteAllOf(ctx, own, client.InNamespace(home))).To(beForbiddenAs(theirOwn))
		Expect(updating(ctx, as(jane), own, labelled)).To(Succeed(), "its metadata")
	})

	It("can be changed and removed by another owner, and one's own rights cover all other Memberships", func(ctx SpecContext) {
		Expect(updating(ctx, as(john), theMemberOf(ctx, home, "owner", ofAccount("jane")), demoted)).To(Succeed())
		Expect(as(john).Delete(ctx, theMemberOf(ctx, home, "owner", ofAccount("jane")))).To(Succeed())
		for _, account := range []accountsv1.AccountName{"john", "jane.acme", "janet"} {
			Expect(updating(ctx, as(jane), theMemberOf(ctx, home, "owner", ofAccount(account)), demoted)).To(Succeed(), account)
		}
		Expect(as(jane).Delete(ctx, theMemberOf(ctx, home, "owner"))).To(Succeed(), "a Membership that is not accepted yet")
	})
})
