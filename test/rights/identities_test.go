// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The rights that the policies require", Ordered, Label("K6", "C1", "K4", "K5"), func() {
	BeforeAll(policiesInForce)

	It("let the controller do all of its work", func(ctx SpecContext) {
		home := aHome(ctx)
		m := aMemberOf(home, "developer", overrides(accountsv1.EffectAllow, "deploy"))
		m.Finalizers = []string{accountsv1.Finalizer}
		Expect(controller.Create(ctx, m)).To(Succeed())
		m.Status.AccountRef.Name = "jane"
		Expect(controller.Status().Update(ctx, m)).To(Succeed())

		inv := anInvitationTo(home, "developer")
		inv.Name, inv.GenerateName = m.Name, ""
		inv.Annotations = map[string]string{accountsv1.CreatedForMembershipAnnotation: m.Name}
		controls := true
		inv.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: accountsv1.GroupVersion.String(), Kind: "Membership", Name: m.Name, UID: m.UID,
			Controller: &controls, BlockOwnerDeletion: &controls,
		}}
		Expect(controller.Create(ctx, inv)).To(Succeed())
		inv.Status.State = accountsv1.InvitationPending
		Expect(controller.Status().Update(ctx, inv)).To(Succeed())
		inv.Annotations[accountsv1.MailedAnnotation] = "2027-01-15T08:00:00Z"
		Expect(controller.Update(ctx, inv)).To(Succeed())
		Expect(answering(ctx, inv, accepted("jane"))).To(Succeed(), "the portal's answer")
		Expect(controller.Delete(ctx, inv)).To(Succeed())
		Expect(admin.Delete(ctx, m)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
		m.Finalizers = nil
		Expect(controller.Update(ctx, m)).To(Succeed())

		org := anOrganization()
		org.Name, org.GenerateName = "", "acme-"
		Expect(admin.Create(ctx, org)).To(Succeed())
		Expect(patchingWith(ctx, controller, org, func(o *accountsv1.Organization) {
			o.Finalizers = []string{accountsv1.Finalizer}
			o.Annotations = map[string]string{accountsv1.FoundersAnnotation: "jane"}
		})).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		org.Status.Owners = []accountsv1.OwnerStatus{{Name: "jane", Role: "owner"}}
		Expect(controller.Status().Update(ctx, org)).To(Succeed())
		Expect(admin.Delete(ctx, org)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		Expect(patchingWith(ctx, controller, org, func(o *accountsv1.Organization) { o.Finalizers = nil })).To(Succeed())
		a := anAcceptedAccount(ctx)
		a.Annotations[accountsv1.MembershipsAnnotation] = home + "/jane"
		Expect(controller.Update(ctx, a)).To(Succeed())
	})

	It("let the controller restore the labels of its RoleBindings", func(ctx SpecContext) {
		home := aHome(ctx)
		for _, clusterRole := range []string{"usher-people-viewer", "usher-people-manager", "usher-organization-owner"} {
			applied := func(account string) error {
				return controller.Apply(ctx, rbacv1ac.RoleBinding("usher:acme:jane:"+clusterRole, home).
					WithLabels(map[string]string{
						accountsv1.ManagedByLabel: accountsv1.ManagedByValue, accountsv1.MembershipNamespaceLabel: home,
						accountsv1.MembershipNameLabel: "jane", accountsv1.AccountLabel: account,
					}).
					WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(clusterRole)),
					client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
			}
			Expect(applied("jane")).To(Succeed(), clusterRole)
			Expect(applied("janet")).To(Succeed(), clusterRole)
		}
	})

	It("are not given to service accounts named usher-controller or usher-portal in another namespace", func(ctx SpecContext) {
		home := aHome(ctx)
		for _, name := range []string{"usher-controller", "usher-portal"} {
			impostor, user := aServiceAccount(ctx, home, name)
			bind(ctx, user, home, "usher-people-manager")
			allowVerbs(ctx, user, home, right("get,update,patch", "memberships/status,invitations/status"), rbacv1.PolicyRule{
				APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"get", "update", "patch"},
			})
			Expect(impostor.Create(ctx, aMemberOf(home, "developer"))).To(beForbiddenAs(notTheRole), name)
			Expect(impostor.Create(ctx, anInvitationTo(home, "developer"))).To(beForbiddenAs(notTheRole), name)
			m := theMemberOf(ctx, home, "developer")
			Expect(updating(ctx, impostor, m, suspended)).To(beForbidden(), name)
			Expect(updating(ctx, impostor, client.Object(m), finalized(accountsv1.Finalizer))).To(Or(beForbiddenAs(theFinalizer), beForbiddenAs(notTheMetadata)), name)
			Expect(impostor.Delete(ctx, m)).To(beForbiddenAs(notTheRole), name)
			m.Status.AccountRef.Name = "mallory"
			Expect(impostor.Status().Update(ctx, m)).To(beForbiddenAs(notTheRole), name)
			inv := anInvitationTo(home, "developer")
			Expect(admin.Create(ctx, inv)).To(Succeed())
			guessed(1)(&inv.Status)
			Expect(impostor.Status().Update(ctx, inv)).To(beForbiddenAs(notTheRole), name)
			binding := theBindingFor(ctx, aHome(ctx))
			bind(ctx, user, binding.Namespace, "usher-people-manager")
			allowVerbs(ctx, user, binding.Namespace, rbacv1.PolicyRule{
				APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"get", "update", "patch"},
			})
			binding.Labels = nil
			Expect(impostor.Update(ctx, binding)).To(Or(beForbiddenAs(theLabels), beForbiddenAs(notBindable)), name)
		}
	})
})
