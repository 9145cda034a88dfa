// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("The controller", Ordered, func() {
	BeforeAll(policiesInForce)

	It("may bind the grantable ClusterRoles, and nothing else", func(ctx SpecContext) {
		for _, clusterRole := range []string{"view", "edit"} {
			Expect(controller.Create(ctx, aBinding(clusterRole))).To(Succeed(), clusterRole)
		}
		for _, clusterRole := range []string{"cluster-admin", "admin", "system:node", "system:controller:namespace-controller"} {
			Expect(controller.Create(ctx, aBinding(clusterRole))).To(beForbidden(), clusterRole)
		}
		everywhere := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "usher"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		}
		Expect(controller.Create(ctx, everywhere)).To(beForbidden())
	})

	It("may not extend its own rights", func(ctx SpecContext) {
		grantable := &rbacv1.ClusterRole{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: "usher-grantable"}, grantable)).To(Succeed())
		Expect(controller.Update(ctx, grantable)).To(beForbidden())
		Expect(controller.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mine"}})).To(beForbidden())
	})

	It("may create neither an Organization nor an Account, and may delete no Membership", func(ctx SpecContext) {
		Expect(controller.Create(ctx, anOrganization())).To(beForbidden())
		Expect(controller.Create(ctx, anAccount("ghost"))).To(beForbidden())
		Expect(controller.Delete(ctx, aMembership())).To(beForbidden())
	})

	It("may start a new attempt, which resets what the portal counted", func(ctx SpecContext) {
		inv := anInvitation(ctx, requested(2), guessed(3))
		inv.Status.Attempt.Number = 2
		requested(0)(&inv.Status)
		guessed(0)(&inv.Status)
		Expect(controller.Status().Update(ctx, inv)).To(Succeed())
	})

	It("may process, on an Account, what the portal wrote and what was requested", func(ctx SpecContext) {
		a := anAcceptedAccount(ctx)
		a.Status.SignIn = accountsv1.SignIn{SessionsEndTime: after(1)}
		a.Status.Leaving = nil
		a.Status.Deliveries = nil
		a.Status.State = accountsv1.AccountLocked
		Expect(controller.Status().Update(ctx, a)).To(Succeed())
		a.Annotations[accountsv1.TwoFactorAnnotation] = string(a.Status.TwoFactor)
		a.Annotations[accountsv1.MembershipsAnnotation] = ""
		a.Annotations[accountsv1.EmailVerifiedAnnotation] = "2027-01-15T08:00:00Z"
		Expect(controller.Update(ctx, a)).To(Succeed())
		a.Status.TwoFactor = ""
		Expect(admin.Status().Update(ctx, a)).To(Succeed())
		a.Status.TwoFactor = accountsv1.TwoFactorNotEnrolled
		Expect(controller.Status().Update(ctx, a)).To(Succeed(), "after a restore")
		Expect(admin.Delete(ctx, a)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		a.Finalizers = nil
		Expect(controller.Update(ctx, a)).To(Succeed())
	})

	It("may record on an Invitation that it was mailed, and change nothing else outside the status", func(ctx SpecContext) {
		inv := anInvitation(ctx)
		inv.Annotations[accountsv1.MailedAnnotation] = "2027-01-15T08:00:00Z"
		Expect(controller.Update(ctx, inv)).To(Succeed())
		bare := anInvitation(ctx)
		bare.Annotations, bare.Labels = nil, nil
		Expect(admin.Update(ctx, bare)).To(Succeed())
		bare.Annotations = map[string]string{accountsv1.MailedAnnotation: "2027-01-15T08:00:00Z"}
		Expect(controller.Update(ctx, bare)).To(Succeed(), "as the first annotation")

		owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
		changes := map[string]func(*accountsv1.Invitation){
			"one more label":          func(i *accountsv1.Invitation) { i.Labels["more"] = "x" },
			"another label":           func(i *accountsv1.Invitation) { i.Labels["team"] = "red" },
			"no labels":               func(i *accountsv1.Invitation) { i.Labels = nil },
			"a finalizer":             func(i *accountsv1.Invitation) { i.Finalizers = []string{"example.com/keep"} },
			"an owner":                func(i *accountsv1.Invitation) { i.OwnerReferences = []metav1.OwnerReference{owner} },
			"one more annotation":     func(i *accountsv1.Invitation) { i.Annotations["example.com/more"] = "x" },
			"another request to mail": func(i *accountsv1.Invitation) { i.Annotations[accountsv1.ResendAnnotation] = "2028-01-01T00:00:00Z" },
			"no request to mail":      func(i *accountsv1.Invitation) { delete(i.Annotations, accountsv1.ResendAnnotation) },
			"no annotations":          func(i *accountsv1.Invitation) { i.Annotations = nil },
		}
		for name, change := range changes {
			changed := inv.DeepCopy()
			change(changed)
			Expect(controller.Update(ctx, changed)).To(beForbiddenAs("usher-controller-metadata"), name)
		}
		changed := inv.DeepCopy()
		changed.Spec.Role = "boss"
		Expect(apierrors.IsInvalid(controller.Update(ctx, changed))).To(BeTrue())
		Expect(controller.Patch(ctx, changed, client.MergeFrom(inv))).To(beForbidden())
	})
})
