// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
)

// The refusals of the policy.
const (
	noLink         = "may only write Secrets with the links of Invitations"
	notAtHome      = "In Usher's own namespace the controller may only create the keys of links"
	notCredentials = "In the namespace usher-accounts the controller may only delete the credentials of Accounts"
)

// applying applies a Secret as the controller does.
func applying(ctx context.Context, namespace, name, secretType string) error {
	secret := corev1ac.Secret(name, namespace).WithType(corev1.SecretType(secretType)).WithStringData(map[string]string{"link": "x"})
	return controller.Apply(ctx, secret, client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
}

// patching reads a Secret through the response to a patch that changes nothing.
func patching(ctx context.Context, secret *corev1.Secret) error {
	return controller.Patch(ctx, secret.DeepCopy(), client.RawPatch(types.MergePatchType, []byte("{}")))
}

var _ = Describe("The controller's access to Secrets", Ordered, Label("K7"), func() {
	BeforeAll(policiesInForce)

	It("lets it deliver a link, replace it and delete it", func(ctx SpecContext) {
		link := aSecret("default", "jane-link", accountsv1.LinkSecretType)
		Expect(applying(ctx, "default", link.Name, accountsv1.LinkSecretType)).To(Succeed())
		Expect(applying(ctx, "default", link.Name, accountsv1.LinkSecretType)).To(Succeed())
		Expect(patching(ctx, link)).To(Succeed())
		Expect(controller.Delete(ctx, link)).To(Succeed())
	})

	It("lets it touch no other Secret of a tenant, not even with a patch that changes nothing", func(ctx SpecContext) {
		token := aSecret("default", "robot-link", string(corev1.SecretTypeServiceAccountToken))
		token.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
		others := []*corev1.Secret{
			token,
			aSecret("default", "database", "Opaque"),
			aSecret("default", "database-link", "Opaque"),
			aSecret("default", "link", accountsv1.LinkSecretType),
			aSecret("default", "jane-link.old", accountsv1.LinkSecretType),
			aSecret("default", "account-jane", "accounts.usher.dev/password"),
			aSecret("default", "usher-link-keys", "accounts.usher.dev/link-keys"),
			aSecret("kube-system", "database-link", "Opaque"),
		}
		for _, secret := range others {
			Expect(controller.Create(ctx, secret.DeepCopy())).To(beForbiddenAs(noLink), secret.Name)
			Expect(applying(ctx, secret.Namespace, secret.Name, string(secret.Type))).NotTo(Succeed(), secret.Name)
			Expect(admin.Create(ctx, secret)).To(Succeed())
			Expect(patching(ctx, secret)).To(beForbiddenAs(noLink), secret.Name)
			Expect(applying(ctx, secret.Namespace, secret.Name, string(secret.Type))).NotTo(Succeed(), secret.Name)
			Expect(applying(ctx, secret.Namespace, secret.Name, accountsv1.LinkSecretType)).NotTo(Succeed(), secret.Name)
			Expect(controller.Update(ctx, secret.DeepCopy())).To(beForbidden(), secret.Name)
			Expect(controller.Delete(ctx, secret)).To(beForbiddenAs(noLink), secret.Name)
		}
		nameless := aSecret("default", "", accountsv1.LinkSecretType)
		nameless.GenerateName = "jane-"
		Expect(controller.Create(ctx, nameless)).NotTo(Succeed())
		Expect(controller.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace("default"))).To(beForbidden())
	})

	It("lets it create the link keys in Usher's own namespace, and nothing else", func(ctx SpecContext) {
		home := cluster.Namespace
		for _, name := range []string{"usher-link-keys", "usher-reset-keys"} {
			Expect(controller.Create(ctx, aSecret(home, name, "Opaque"))).To(beForbiddenAs(notAtHome), name)
			keys := aSecret(home, name, "accounts.usher.dev/link-keys")
			Expect(controller.Create(ctx, keys.DeepCopy())).To(Succeed(), name)
			Expect(patching(ctx, keys)).To(beForbiddenAs(notAtHome), name)
			Expect(controller.Delete(ctx, keys)).To(beForbiddenAs(notAtHome), name)
		}

		for _, other := range []*corev1.Secret{
			aSecret(home, "usher-smtp", "Opaque"),
			aSecret(home, "usher-seed-keys", "accounts.usher.dev/seed-keys"),
			aSecret(home, "account-john", "accounts.usher.dev/password"),
			aSecret(home, "other-keys", "accounts.usher.dev/link-keys"),
			aSecret(home, "jane-link", accountsv1.LinkSecretType),
		} {
			Expect(controller.Create(ctx, other.DeepCopy())).To(beForbiddenAs(notAtHome), other.Name)
			Expect(admin.Create(ctx, other)).To(Succeed())
			DeferCleanup(admin.Delete, other)
			Expect(patching(ctx, other)).To(beForbiddenAs(notAtHome), other.Name)
			Expect(controller.Delete(ctx, other)).To(beForbiddenAs(notAtHome), other.Name)
		}
	})

	It("lets it create and change the keys of the issuer, and nothing else with their name or type", Label("S9"), func(ctx SpecContext) {
		const home, name, kind = cluster.Namespace, issuerkeys.SecretName, issuerkeys.SecretType
		for _, other := range []*corev1.Secret{
			aSecret(home, name, "Opaque"),
			aSecret(home, name, "accounts.usher.dev/link-keys"),
			aSecret(home, name+"-2", kind),
			aSecret(home, "usher-seed-keys", kind),
		} {
			Expect(controller.Create(ctx, other)).To(beForbiddenAs(notAtHome), "%s of type %s", other.Name, other.Type)
		}
		Expect(controller.Create(ctx, aSecret("default", name, kind))).To(beForbiddenAs(noLink))
		Expect(controller.Create(ctx, aSecret(accountsv1.CredentialsNamespace, name, kind))).To(beForbiddenAs(notCredentials))

		planted := aSecret(home, name, "Opaque")
		Expect(admin.Create(ctx, planted)).To(Succeed())
		Expect(updating(ctx, controller, planted, changedData)).To(beForbiddenAs(notAtHome), "a Secret of another type with that name")
		Expect(patching(ctx, planted)).To(beForbiddenAs(notAtHome))
		Expect(admin.Delete(ctx, planted)).To(Succeed())

		keys := aSecret(home, name, kind)
		Expect(controller.Create(ctx, keys)).To(Succeed())
		DeferCleanup(admin.Delete, aSecret(home, name, kind))
		Expect(controller.Get(ctx, client.ObjectKeyFromObject(keys), keys)).To(Succeed())
		stale := keys.DeepCopy()
		Expect(updating(ctx, controller, keys, changedData)).To(Succeed())
		Expect(controller.Update(ctx, stale)).To(MatchError(ContainSubstring("the object has been modified")))
		Expect(controller.Delete(ctx, keys)).To(beForbiddenAs(notAtHome))
		Expect(controller.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(home))).To(beForbidden())
	})

	It("lets it delete credentials among the credentials, and nothing else", func(ctx SpecContext) {
		const there = accountsv1.CredentialsNamespace
		credentials := aSecret(there, "account-john", "accounts.usher.dev/password")
		Expect(controller.Create(ctx, credentials.DeepCopy())).To(beForbiddenAs(notCredentials))
		Expect(admin.Create(ctx, credentials)).To(Succeed())
		Expect(patching(ctx, credentials)).To(beForbiddenAs(notCredentials))
		Expect(controller.Delete(ctx, credentials)).To(Succeed())

		for _, other := range []*corev1.Secret{
			aSecret(there, "account-smtp", "Opaque"),
			aSecret(there, "password", "accounts.usher.dev/password"),
			aSecret(there, "usher-link-keys", "accounts.usher.dev/link-keys"),
			aSecret(there, "jane-link", accountsv1.LinkSecretType),
		} {
			Expect(controller.Create(ctx, other.DeepCopy())).To(beForbiddenAs(notCredentials), other.Name)
			Expect(admin.Create(ctx, other)).To(Succeed())
			DeferCleanup(admin.Delete, other)
			Expect(patching(ctx, other)).To(beForbiddenAs(notCredentials), other.Name)
			Expect(controller.Delete(ctx, other)).To(beForbiddenAs(notCredentials), other.Name)
		}
	})

	It("lets it read the link keys and a tenant's credentials for mail, but no password or other Secret", func(ctx SpecContext) {
		for _, readable := range []client.ObjectKey{
			{Namespace: cluster.Namespace, Name: "usher-link-keys"},
			{Namespace: cluster.Namespace, Name: "usher-reset-keys"},
			{Namespace: "default", Name: accountsv1.CredentialsName},
		} {
			Expect(reading(ctx, readable)).To(HaveEach(Not(beForbidden())), readable.String())
		}
		for _, secret := range []client.ObjectKey{
			{Namespace: accountsv1.CredentialsNamespace, Name: "account-jane"},
			{Namespace: accountsv1.CredentialsNamespace},
			{Namespace: cluster.Namespace, Name: "account-jane"},
			{Namespace: cluster.Namespace, Name: "usher-smtp"},
			{Namespace: cluster.Namespace, Name: "usher-seed-keys"},
			{Namespace: "default", Name: issuerkeys.SecretName},
			{Namespace: "default", Name: "account-jane"},
			{Namespace: "default", Name: "usher-link-keys"},
			{Namespace: "default", Name: "database"},
			{Namespace: "default", Name: "robot-link"},
			{Namespace: "default", Name: "jane-link"},
			{Namespace: "default"},
			{Namespace: cluster.Namespace},
			{},
		} {
			Expect(reading(ctx, secret)).To(HaveEach(beForbidden()), secret.String())
		}
	})

	It("lets it read a tenant's mail templates, but no other ConfigMap", func(ctx SpecContext) {
		key := client.ObjectKey{Namespace: "default", Name: accountsv1.MailTemplatesName}
		Expect(controller.Get(ctx, key, &corev1.ConfigMap{})).NotTo(beForbidden())
		Expect(controller.List(ctx, &corev1.ConfigMapList{}, client.MatchingFields{metav1.ObjectNameField: key.Name})).To(Succeed())
		Expect(controller.Get(ctx, client.ObjectKey{Namespace: "default", Name: "kube-root-ca.crt"}, &corev1.ConfigMap{})).To(beForbidden())
		Expect(controller.List(ctx, &corev1.ConfigMapList{})).To(beForbidden())
		Expect(controller.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: key.Name}})).To(beForbidden())
	})

	It("lets it write the ConfigMaps that withhold user names, but not the settings next to them", Label("K6"), func(ctx SpecContext) {
		const onlyNames = "The controller may only write ConfigMaps that withhold user names"
		own := func(name string) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: cluster.Namespace, Name: name}}
		}
		change := client.RawPatch(types.MergePatchType, []byte(`{"data":{"PORTAL_URL":"https://evil.example"}}`))
		for _, name := range []string{"user-name-jane-doe.acme", "user-names-bound"} {
			Expect(controller.Create(ctx, own(name))).To(Succeed())
			Expect(controller.Patch(ctx, own(name), change)).To(Succeed())
			Expect(controller.Delete(ctx, own(name))).To(Succeed())
		}
		for _, name := range []string{"usher-settings", "user-names", "user-names-bound-too", "xuser-name-jane"} {
			other := own(name)
			Expect(controller.Create(ctx, other.DeepCopy())).To(beForbiddenAs(onlyNames), name)
			Expect(client.IgnoreAlreadyExists(admin.Create(ctx, other))).To(Succeed())
			Expect(controller.Patch(ctx, own(name), change)).To(beForbiddenAs(onlyNames), name)
			Expect(controller.Delete(ctx, own(name))).To(beForbiddenAs(onlyNames), name)
		}
	})
})

// reading gets, lists and watches one Secret or, without a name, all Secrets. It
// returns the error of each request.
func reading(ctx context.Context, secret client.ObjectKey) []error {
	options := []client.ListOption{client.InNamespace(secret.Namespace)}
	var outcomes []error
	if secret.Name != "" {
		options = append(options, client.MatchingFields{metav1.ObjectNameField: secret.Name})
		outcomes = append(outcomes, controller.Get(ctx, secret, &corev1.Secret{}))
	}
	outcomes = append(outcomes, controller.List(ctx, &corev1.SecretList{}, options...))
	watch, err := controller.Watch(ctx, &corev1.SecretList{}, options...)
	if err == nil {
		watch.Stop()
	}
	return append(outcomes, err)
}
