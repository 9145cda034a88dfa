// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("Requesting a mail or an unlock", Ordered, Label("K6", "C1"), func() {
	const user = "usher:asking"
	var home string
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		bind(ctx, user, home, "usher-people-manager")
		allowVerbs(ctx, user, home, right("assign", "roles", "developer"))
	})

	requests := []string{accountsv1.ResendAnnotation, accountsv1.ResetAnnotation, accountsv1.UnlockAnnotation}
	objects := func(ctx context.Context, role string) []client.Object {
		GinkgoHelper()
		inv := anInvitationTo(home, role)
		Expect(admin.Create(ctx, inv)).To(Succeed())
		asked := theMemberOf(ctx, home, role)
		for _, key := range requests {
			annotated(key, "2027-01-15T07:00:00Z")(asked)
		}
		Expect(admin.Update(ctx, asked)).To(Succeed())
		return []client.Object{theMemberOf(ctx, home, role), inv, asked}
	}

	It("requires the verb assign on the person's role", func(ctx SpecContext) {
		for role, expected := range map[string]OmegaMatcher{"boss": beForbiddenAs(notToAsk), "developer": Succeed()} {
			for _, object := range objects(ctx, role) {
				for _, key := range requests {
					expectEachWay(ctx, user, object, annotated(key, "2027-01-15T08:00:00Z"), expected, role+": "+key)
				}
			}
		}
		asked := objects(ctx, "boss")[2]
		expectEachWay(ctx, user, asked, annotated(accountsv1.ResetAnnotation, ""), beForbiddenAs(notToAsk), "withdrawn")
		_, err := kube.KubectlWith(ctx, "", "annotate", "membership", asked.GetName(), "-n", home, "--overwrite",
			accountsv1.ResetAnnotation+"=2027-01-15T08:00:00Z", "--as="+user, "--as-group=system:authenticated")
		Expect(err).To(MatchError(ContainSubstring(notToAsk)))
		Expect(as(user).Create(ctx, aMemberOf(home, "developer", func(m *accountsv1.Membership) {
			annotated(accountsv1.ResetAnnotation, "2027-01-15T08:00:00Z")(m)
		}))).To(Succeed(), "with the Membership")
	})

	It("is allowed for an owner, but not with rights to assign elsewhere", func(ctx SpecContext) {
		const owner, elsewhere = "usher:asking-owner", "usher:asking-elsewhere"
		bind(ctx, owner, home, "usher-organization-owner")
		bind(ctx, elsewhere, home, "usher-people-manager")
		bind(ctx, elsewhere, aHome(ctx), "usher-organization-owner")
		allowVerbs(ctx, elsewhere, home, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"assign"}},
			right("assign", "permissions"), right("assign", "roles", "bosses"))
		for _, object := range objects(ctx, "boss") {
			for _, key := range requests {
				expectEachWay(ctx, owner, object, annotated(key, "2027-01-15T08:00:00Z"), Succeed(), key)
				expectEachWay(ctx, elsewhere, object, annotated(key, "2027-01-15T08:00:00Z"), beForbiddenAs(notToAsk), key)
			}
		}
	})
})
