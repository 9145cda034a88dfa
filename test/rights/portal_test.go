// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
)

var _ = Describe("The portal", Ordered, func() {
	BeforeAll(policiesInForce)

	It("may create an Account, but not with a record, without the finalizer, or in place of an existing one", func(ctx SpecContext) {
		Expect(portal.Create(ctx, anAccount("jane"))).To(Succeed())
		Expect(portal.Create(ctx, anAccount("jane.acme"))).To(Succeed())
		for annotation, value := range map[string]string{
			accountsv1.MembershipsAnnotation: "acme/boss", accountsv1.TwoFactorAnnotation: "Enrolled",
			accountsv1.EmailVerifiedAnnotation: "2027-01-15T08:00:00Z",
			accountsv1.ResetAnnotation:         "2027-01-15T08:00:00Z", accountsv1.UnlockAnnotation: "2027-01-15T08:00:00Z",
		} {
			forged := anAccount("mallory")
			forged.Annotations = map[string]string{"example.com/note": "x", annotation: value}
			Expect(portal.Create(ctx, forged)).To(
				Or(beForbiddenAs("may not set any of Usher's own annotations on an Account"), beForbiddenAs(theRecords)), annotation)
		}
		noted := anAccount("noted")
		noted.Annotations = map[string]string{"example.com/note": "x"}
		Expect(portal.Create(ctx, noted)).To(Succeed())
		loose := anAccount("loose")
		loose.Finalizers = nil
		Expect(portal.Create(ctx, loose)).To(beForbidden())
		made := &accountsv1.Account{}
		Expect(portal.Get(ctx, client.ObjectKey{Name: "jane"}, made)).To(Succeed())
		made.Annotations = map[string]string{accountsv1.MembershipsAnnotation: "acme/boss"}
		Expect(portal.Update(ctx, made)).To(beForbidden())
		Expect(portal.Delete(ctx, made)).To(beForbidden())
		Expect(portal.Status().Update(ctx, made)).To(beForbidden())
	})

	It("may write credentials and no other Secret", Label("K7"), func(ctx SpecContext) {
		const credentials = accountsv1.CredentialsNamespace
		Expect(portal.Create(ctx, aSecret(credentials, "account-jane", "accounts.usher.dev/password"))).To(Succeed())
		Expect(portal.Create(ctx, aSecret(credentials, "account-jane.acme", "accounts.usher.dev/password"))).To(Succeed())
		Expect(portal.Create(ctx, aSecret(credentials, "account-jane-too", "Opaque"))).To(beForbidden())
		robot := aSecret(credentials, "account-robot", string(corev1.SecretTypeServiceAccountToken))
		robot.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
		Expect(portal.Create(ctx, robot)).To(beForbidden())
		Expect(portal.Create(ctx, aSecret(credentials, "usher-seed-keys", "accounts.usher.dev/seed-keys"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret(cluster.Namespace, "account-jane", "accounts.usher.dev/password"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret(cluster.Namespace, "usher-link-keys", "accounts.usher.dev/password"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret("default", "account-jane", "accounts.usher.dev/password"))).To(beForbidden())
		Expect(portal.Create(ctx, aSecret("default", "jane-link", "accounts.usher.dev/link"))).To(beForbidden())
		Expect(portal.Delete(ctx, aSecret(credentials, "account-jane", ""))).To(beForbidden())
		Expect(portal.List(ctx, &corev1.SecretList{}, client.InNamespace(credentials))).To(beForbidden())
		Expect(portal.Get(ctx, client.ObjectKey{Namespace: "default", Name: "any"}, &corev1.Secret{})).To(beForbidden())
	})

	// RBAC alone decides about reads. So this holds even if every policy is missing.
	It("cannot read a token of the controller, even if it could create one", func(ctx SpecContext) {
		for _, name := range []string{"controller-token", "usher-smtp", "account-jane", "usher-controller-token-x2x2x"} {
			token := aSecret(cluster.Namespace, name, "Opaque")
			Expect(admin.Create(ctx, token.DeepCopy())).To(Succeed())
			DeferCleanup(admin.Delete, token.DeepCopy())
			Expect(portal.Get(ctx, client.ObjectKeyFromObject(token), token)).To(beForbidden(), name)
			Expect(portal.Update(ctx, token)).To(beForbidden(), name)
		}
		Expect(portal.List(ctx, &corev1.SecretList{}, client.InNamespace(cluster.Namespace))).To(beForbidden())
		var accounts corev1.ServiceAccountList
		Expect(admin.List(ctx, &accounts, client.InNamespace(accountsv1.CredentialsNamespace))).To(Succeed())
		for _, account := range accounts.Items {
			Expect(account.Name).To(Equal("default"), "a service account of Usher among the credentials")
		}
	})

	It("may create the keys of authenticator apps once, and may not change them", func(ctx SpecContext) {
		const name, kind = "usher-seed-keys", "accounts.usher.dev/seed-keys"
		for _, other := range []*corev1.Secret{
			aSecret(cluster.Namespace, name, "Opaque"),
			aSecret(cluster.Namespace, name, "accounts.usher.dev/password"),
			aSecret(cluster.Namespace, name+"-2", kind),
			aSecret(cluster.Namespace, "usher-link-keys", kind),
			aSecret(cluster.Namespace, "account-jane", kind),
			aSecret("default", name, kind),
		} {
			Expect(portal.Create(ctx, other, client.DryRunAll)).To(beForbidden(), "%s/%s of type %s", other.Namespace, other.Name, other.Type)
		}
		keys := aSecret(cluster.Namespace, name, kind)
		Expect(portal.Create(ctx, keys)).To(Succeed())
		DeferCleanup(admin.Delete, keys)
		Expect(portal.Get(ctx, client.ObjectKeyFromObject(keys), keys)).To(Succeed())
		keys.Data = map[string][]byte{"key-1": []byte("another")}
		Expect(portal.Update(ctx, keys)).To(beForbidden())
		Expect(portal.Delete(ctx, keys)).To(beForbidden())
	})

	It("may read the keys of the issuer, and may not write them", Label("S9"), func(ctx SpecContext) {
		keys := aSecret(cluster.Namespace, issuerkeys.SecretName, issuerkeys.SecretType)
		Expect(portal.Create(ctx, keys.DeepCopy())).To(beForbidden())
		Expect(admin.Create(ctx, keys)).To(Succeed())
		DeferCleanup(admin.Delete, keys.DeepCopy())
		Expect(portal.Get(ctx, client.ObjectKeyFromObject(keys), keys)).To(Succeed())
		Expect(updating(ctx, portal, keys, changedData)).To(beForbidden())
		Expect(patchingWith(ctx, portal, keys, changedData)).To(beForbidden())
		Expect(portal.Delete(ctx, keys)).To(beForbidden())
	})

	It("may neither create a Membership or an Organization, nor bind anything", func(ctx SpecContext) {
		Expect(portal.Create(ctx, aMembership())).To(beForbidden())
		Expect(portal.Create(ctx, anOrganization())).To(beForbidden())
		Expect(portal.Create(ctx, aBinding("view"))).To(beForbidden())
	})
})
