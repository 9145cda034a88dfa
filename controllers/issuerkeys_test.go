// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
)

// issuerSecret returns the Secret with the keys of the issuer, as a spec creates it.
func issuerSecret(kind corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: usherNamespace, Name: issuerkeys.SecretName}, Type: kind, Data: data}
}

// issuerData returns the entries of the Secret. It has none if there is no Secret.
func issuerData(ctx context.Context) map[string][]byte {
	GinkgoHelper()
	secret := issuerSecret("", nil)
	Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret))).To(Succeed())
	return secret.Data
}

func issuerRing(ctx context.Context) issuerkeys.Ring {
	GinkgoHelper()
	ring, err := issuerkeys.Parse(issuerData(ctx))
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// issuerRequests counts the reads of the Secret, and records the answers to its writes. It
// holds the first writes back until all controllers have sent one.
type issuerRequests struct {
	controllers int
	ready       chan struct{}

	mu            sync.Mutex
	reads, writes int
	statuses      []int
}

func (i *issuerRequests) through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		switch {
		case !strings.Contains(r.URL.Path, "/namespaces/"+usherNamespace+"/secrets"):
			return next.RoundTrip(r)
		case r.Method == http.MethodGet:
			answer, err := next.RoundTrip(r)
			i.record(func() { i.reads++ })
			return answer, err
		}
		i.record(func() {
			if i.writes++; i.writes == i.controllers {
				close(i.ready)
			}
		})
		select {
		case <-i.ready:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		answer, err := next.RoundTrip(r)
		if err == nil {
			i.record(func() { i.statuses = append(i.statuses, answer.StatusCode) })
		}
		return answer, err
	})
}

func (i *issuerRequests) record(what func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	what()
}

// looked returns the number of reads.
func (i *issuerRequests) looked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.reads
}

// atIssuerKeys starts Usher a number of times at once, waits until each has read the Secret and
// it has that many entries, and stops them. It returns the answers to the writes of the Secret.
func atIssuerKeys(ctx context.Context, instances, entries int) []int {
	GinkgoHelper()
	seen := &issuerRequests{controllers: instances, ready: make(chan struct{})}
	api := rest.CopyConfig(usherAPI)
	api.Wrap(seen.through)
	for range instances {
		stop := startUsher(context.WithoutCancel(ctx), api, testNotifier(), 1)
		defer stop()
	}
	names := func() []string { return slices.Sorted(maps.Keys(issuerData(ctx))) }
	Eventually(seen.looked).Should(BeNumerically(">=", instances))
	Eventually(names).Should(HaveLen(entries))
	quiet(ctx)
	Expect(names()).To(HaveLen(entries))
	seen.mu.Lock()
	defer seen.mu.Unlock()
	return slices.Clone(seen.statuses)
}

var _ = Describe("The keys of the issuer", Label("S9"), func() {
	BeforeEach(func(ctx SpecContext) {
		discard := func(ctx context.Context) {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, issuerSecret("", nil)))).To(Succeed())
		}
		stopUsher()
		discard(ctx)
		DeferCleanup(func(ctx SpecContext) {
			discard(ctx)
			stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		})
	})

	It("exist as soon as Usher runs, and do not change when it starts again", func(ctx SpecContext) {
		Expect(atIssuerKeys(ctx, 1, 1)).To(Equal([]int{http.StatusCreated}))
		secret := issuerSecret("", nil)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		Expect(secret.Type).To(BeEquivalentTo("accounts.usher.dev/issuer-keys"))
		Expect(issuerRing(ctx).Public().Keys).To(HaveLen(len(issuerkeys.Algorithms())))
		Expect(atIssuerKeys(ctx, 1, 1)).To(BeEmpty())
		Expect(issuerData(ctx)).To(Equal(secret.Data))
	})

	It("rotate, and each token verifies with the keys of that time and with those of the day before", func(ctx SpecContext) {
		var (
			before *jose.JSONWebKeySet
			token  *jose.JSONWebSignature
			names  []string
		)
		for _, step := range []struct {
			later   time.Duration
			entries int
		}{
			{0, 1},
			{issuerkeys.Period - issuerkeys.Ahead, 1},
			{issuerkeys.Ahead, 2},
			{issuerkeys.Ahead, 2},
			{issuerkeys.Kept, 1},
		} {
			now.PutForward(step.later)
			atIssuerKeys(ctx, 1, step.entries)
			ring := issuerRing(ctx)
			published := ring.Public()
			if token != nil && step.later <= issuerkeys.Kept {
				Expect(token.Verify(published)).To(Equal([]byte("text")), "a token of the day before")
			}
			token = signedBy(ring)
			if before != nil && step.later <= issuerkeys.Ahead {
				Expect(token.Verify(*before)).To(Equal([]byte("text")), "the keys of the day before")
			}
			Expect(token.Verify(published)).To(Equal([]byte("text")))
			before = &published
			names = append(names, slices.Sorted(maps.Keys(issuerData(ctx)))...)
		}
		first, next := names[0], names[len(names)-1]
		Expect(names).To(Equal([]string{first, first, first, next, first, next, next}))
	})

	It("are created again after an admin deleted the Secret, or an entry", func(ctx SpecContext) {
		atIssuerKeys(ctx, 1, 1)
		stolen := issuerRing(ctx)
		Expect(k8s.Delete(ctx, issuerSecret("", nil))).To(Succeed())
		Expect(atIssuerKeys(ctx, 1, 1)).To(Equal([]int{http.StatusCreated}))
		Expect(signedBy(stolen).Verify(issuerRing(ctx).Public())).Error().To(HaveOccurred())

		stolen = issuerRing(ctx)
		change(ctx, issuerSecret("", nil), func(s *corev1.Secret) { s.Data = nil })
		Expect(atIssuerKeys(ctx, 1, 1)).To(Equal([]int{http.StatusOK}))
		Expect(signedBy(stolen).Verify(issuerRing(ctx).Public())).Error().To(HaveOccurred())
	})

	It("are created once and rotated once by two controllers at the same moment", func(ctx SpecContext) {
		Expect(atIssuerKeys(ctx, 2, 1)).To(ConsistOf(http.StatusCreated, http.StatusConflict))
		now.PutForward(issuerkeys.Period)
		Expect(atIssuerKeys(ctx, 2, 2)).To(ConsistOf(http.StatusOK, http.StatusConflict))
	})

	It("work beside an entry that Usher cannot read, which it reports and keeps", func(ctx SpecContext) {
		var logged journal
		GinkgoWriter.TeeTo(&logged)
		DeferCleanup(GinkgoWriter.ClearTeeWriters)
		create(ctx, issuerSecret(issuerkeys.SecretType, map[string][]byte{"notes": []byte("secret-material")}))
		atIssuerKeys(ctx, 1, 2)
		Expect(issuerData(ctx)).To(HaveKeyWithValue("notes", []byte("secret-material")))
		Expect(issuerRing(ctx).Public().Keys).To(HaveLen(len(issuerkeys.Algorithms())))
		Expect(logged.String()).To(And(
			ContainSubstring("read Secret usher-issuer-keys: entry \\\"notes\\\" of the issuer keys is unreadable, so delete it"),
			Not(ContainSubstring("secret-material"))))
	})

	It("do not replace a Secret of another type, which Usher reports", func(ctx SpecContext) {
		var logged journal
		GinkgoWriter.TeeTo(&logged)
		DeferCleanup(GinkgoWriter.ClearTeeWriters)
		create(ctx, issuerSecret(corev1.SecretTypeOpaque, map[string][]byte{"password": []byte("secret-material")}))
		Expect(atIssuerKeys(ctx, 1, 1)).To(BeEmpty())
		Expect(issuerData(ctx)).To(HaveKeyWithValue("password", []byte("secret-material")))
		Expect(logged.String()).To(And(
			ContainSubstring("secret usher-issuer-keys has the type Opaque instead of accounts.usher.dev/issuer-keys: delete it, and Usher creates it again"),
			Not(ContainSubstring("secret-material"))))
	})
})

// signedBy returns a token that the keys sign now.
func signedBy(ring issuerkeys.Ring) *jose.JSONWebSignature {
	GinkgoHelper()
	key, err := ring.Signer(jose.ES256, now.Now())
	Expect(err).NotTo(HaveOccurred())
	signer, err := jose.NewSigner(key, nil)
	Expect(err).NotTo(HaveOccurred())
	signed, err := signer.Sign([]byte("text"))
	Expect(err).NotTo(HaveOccurred())
	text, err := signed.CompactSerialize()
	Expect(err).NotTo(HaveOccurred())
	token, err := jose.ParseSignedCompact(text, issuerkeys.Algorithms())
	Expect(err).NotTo(HaveOccurred())
	return token
}
