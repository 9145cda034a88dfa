// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An override that was allowed while the policies were not in force", Ordered, Label("K6", "C1"), func() {
	const user, owner = "usher:renaming", "usher:renaming-owner"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		bind(ctx, owner, home, "usher-organization-owner")
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer"), right("assign", "permissions", "deploy:staging"), right("update,patch", "memberships/status"))
	})

	// written returns a Membership with the status that the controller gave it when
	// the policies came into force. If it is covered, that status records its newest
	// generation, otherwise an earlier one.
	written := func(ctx context.Context, covered bool, permissions ...string) *accountsv1.Membership {
		GinkgoHelper()
		m := theMemberOf(ctx, home, "developer")
		overrides(accountsv1.EffectAllow, permissions...)(m)
		Expect(admin.Update(ctx, m)).To(Succeed())
		Expect(m.Generation).To(BeEquivalentTo(2))
		m.Status.Guard = accountsv1.GuardStatus{Since: &at, Generation: 1}
		if covered {
			m.Status.Guard.Generation = m.Generation
		}
		Expect(admin.Status().Update(ctx, m)).To(Succeed())
		return m
	}

	It("is checked with the next change, of any kind", func(ctx SpecContext) {
		for name, change := range memberChanges {
			m := written(ctx, true, "deploy", "own")
			if name == "no permissions" || name == "no Deny" { // the rest may be allowed
				Expect(updating(ctx, as(user), m, change)).To(Succeed(), name)
				continue
			}
			Expect(updating(ctx, as(user), m, change)).To(beForbiddenAs(notThePermission), name)
			changed := m.DeepCopy()
			change(changed)
			Expect(as(user).Patch(ctx, changed, client.MergeFrom(m))).To(beForbiddenAs(notThePermission), "%s by a patch", name)
			Expect(updating(ctx, as(owner), m, change)).To(Succeed(), "%s by an owner", name)
		}
		Expect(updating(ctx, as(user), written(ctx, true, "deploy"), renamed)).To(Succeed(), "if each may be allowed")
		many := written(ctx, true, numbered(17)...)
		Expect(updating(ctx, as(user), many, renamed)).To(beForbiddenAs(tooManyPermission))
		Expect(updating(ctx, as(owner), many, renamed)).To(Succeed())
	})

	It("is not checked again after an allowed change", func(ctx SpecContext) {
		m := written(ctx, false, "own")
		Expect(updating(ctx, as(user), m, renamed)).To(Succeed(), "one generation after the recorded one")
		m = written(ctx, true, "own")
		Expect(updating(ctx, as(owner), m, renamed)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
		Expect(updating(ctx, as(user), m, suspended)).To(Succeed())
	})

	It("is still checked after a deletion, and its record in the status cannot be changed to avoid that", func(ctx SpecContext) {
		m := written(ctx, true, "own")
		m.Finalizers = []string{"example.com/keep"}
		Expect(admin.Update(ctx, m)).To(Succeed())
		Expect(as(user).Delete(ctx, m)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
		Expect(m.Generation).To(BeNumerically(">", m.Status.Guard.Generation))
		Expect(updating(ctx, as(user), m, renamed)).To(beForbiddenAs(notThePermission))
		Expect(updating(ctx, as(owner), m, renamed)).To(Succeed())

		for name, covered := range map[string]bool{"noted": true, "not recorded yet": false} {
			m := written(ctx, covered, "own")
			for _, guard := range []accountsv1.GuardStatus{{}, {Since: &at, Generation: 1}, {Since: after(9), Generation: 1}} {
				changed := m.DeepCopy()
				changed.Status.Guard = guard
				Expect(as(user).Status().Update(ctx, changed)).To(beForbiddenAs(notThePermission), name)
			}
		}
		Expect(as(user).Status().Update(ctx, theMemberOf(ctx, home, "developer"))).To(Succeed(), "if no permission is allowed on top")
	})

	It("does not stop the controller's work", func(ctx SpecContext) {
		m := written(ctx, true, "own")
		m.Finalizers = []string{accountsv1.Finalizer}
		Expect(controller.Update(ctx, m)).To(Succeed())
		m.Status.Guard.Generation++
		Expect(controller.Status().Update(ctx, m)).To(Succeed())
		Expect(as(user).Delete(ctx, m)).To(Succeed())
	})
})
