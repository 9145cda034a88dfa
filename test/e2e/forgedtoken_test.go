// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
)

// issuerKey returns the key that signs by an algorithm now.
func issuerKey(ctx context.Context, alg jose.SignatureAlgorithm) jose.SigningKey {
	GinkgoHelper()
	var secret corev1.Secret
	Eventually(admin.Get).WithArguments(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: keys.SecretName}, &secret).Should(Succeed())
	ring, err := keys.Parse(secret.Data)
	Expect(err).NotTo(HaveOccurred())
	key, err := ring.Signer(alg, time.Now())
	Expect(err).NotTo(HaveOccurred())
	return key
}

// forged returns an ID token for kubectl, with these changes of its claims. nil
// removes a claim.
func forged(key jose.SigningKey, changes map[string]any) string {
	GinkgoHelper()
	claims := map[string]any{
		"iss": front.url, "aud": issuer.KubectlID, "sub": "forged", "preferred_username": "mallory", "groups": []string{},
		"iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	signer, err := jose.NewSigner(key, nil)
	Expect(err).NotTo(HaveOccurred())
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	Expect(err).NotTo(HaveOccurred())
	keepSecret(token)
	return token
}

// bearer returns a client with a token.
func bearer(token string) client.Client {
	GinkgoHelper()
	config := rest.AnonymousClientConfig(kube.Admin())
	config.BearerToken = token
	c, err := client.New(config, client.Options{Scheme: admin.Scheme(), Mapper: admin.RESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

var _ = Describe("A thief of the keys of the issuer", Label("K6", "S9"), func() {
	It("can be a person of Usher at the API server, and no part of Kubernetes", func(ctx SpecContext) {
		for _, alg := range keys.Algorithms() {
			thief := bearer(forged(issuerKey(ctx, alg), map[string]any{
				"preferred_username": "system:admin", "groups": []string{"system:masters", "system:nodes"},
			}))
			who := &authenticationv1.SelfSubjectReview{}
			Eventually(thief.Create).WithArguments(ctx, who).Should(Succeed(), "the API server knows the keys")
			Expect(who.Status.UserInfo.Username).To(Equal("usher:system:admin"), string(alg))
			Expect(who.Status.UserInfo.Groups).To(ConsistOf("usher:system:masters", "usher:system:nodes", "system:authenticated"), string(alg))
			Expect(apierrors.IsForbidden(thief.List(ctx, &corev1.SecretList{}))).To(BeTrue(), string(alg))
			Expect(apierrors.IsForbidden(thief.List(ctx, &corev1.NodeList{}))).To(BeTrue(), string(alg))
		}
	})

	It("cannot use a token of another client, another issuer or another time, and needs the keys", func(ctx SpecContext) {
		key := issuerKey(ctx, jose.ES256)
		Eventually(bearer(forged(key, nil)).Create).WithArguments(ctx, &authenticationv1.SelfSubjectReview{}).Should(Succeed(), "the API server knows the keys")
		another, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		Expect(err).NotTo(HaveOccurred())
		own, ok := key.Key.(jose.JSONWebKey)
		Expect(ok).To(BeTrue())
		public, err := own.Public().MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		for name, token := range map[string]string{
			"for another client":          forged(key, map[string]any{"aud": "wiki"}),
			"of another issuer":           forged(key, map[string]any{"iss": front.url + "/other"}),
			"that has expired":            forged(key, map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
			"of no user":                  forged(key, map[string]any{"preferred_username": nil}),
			"with another key":            forged(jose.SigningKey{Algorithm: jose.ES256, Key: another}, nil),
			"with another key of its ID":  forged(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: another, KeyID: own.KeyID}}, nil),
			"with the public key as HMAC": forged(jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: public, KeyID: own.KeyID}}, nil),
		} {
			err := bearer(token).Create(ctx, &authenticationv1.SelfSubjectReview{})
			Expect(apierrors.IsUnauthorized(err)).To(BeTrue(), "%s: %v", name, err)
		}
	})
})
