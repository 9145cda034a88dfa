// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/usher-dev/usher/internal/issuer/keys"
)

// keysWorld is an API server with the keys of the issuer, and what a portal does with them.
type keysWorld struct {
	*testing.T
	kube  client.WithWatch
	clock *clocktesting.FakeClock
	ring  func(context.Context) (keys.Ring, error)
	// reads counts the reads of the Secret, which fail with failure if it is set.
	reads   int
	failure error
	log     strings.Builder
}

const ownNamespace = "usher-system"

func aKeysWorld(t *testing.T) *keysWorld {
	t.Helper()
	w := &keysWorld{T: t, clock: clocktesting.NewFakeClock(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))}
	w.kube = interceptor.NewClient(fake.NewClientBuilder().WithScheme(newScheme()).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			if w.reads++; w.failure != nil {
				return w.failure
			}
			return c.Get(ctx, key, o, options...)
		},
	})
	log := funcr.New(func(_, args string) { w.log.WriteString(args + "\n") }, funcr.Options{})
	w.ring = issuerKeysOf(w.kube, ownNamespace, w.clock, log)
	return w
}

// rotate returns keys as they are at the time of the world.
func (w *keysWorld) rotate(data map[string][]byte) map[string][]byte {
	w.Helper()
	next, _, err := keys.Rotate(data, w.clock.Now(), rand.Reader)
	if err != nil {
		w.Fatal(err)
	}
	return next
}

// keep makes the Secret hold these keys.
func (w *keysWorld) keep(data map[string][]byte) {
	w.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: keys.SecretName}, Type: keys.SecretType, Data: data}
	err := w.kube.Update(context.Background(), secret)
	if err != nil {
		err = w.kube.Create(context.Background(), secret)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// ids returns the IDs of the keys that the portal publishes.
func (w *keysWorld) ids() []string {
	w.Helper()
	ring, err := w.ring(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return idsOf(ring)
}

func idsOf(ring keys.Ring) []string {
	var ids []string
	for _, key := range ring.Public().Keys {
		ids = append(ids, key.KeyID)
	}
	return ids
}

func (w *keysWorld) parse(data map[string][]byte) keys.Ring {
	w.Helper()
	ring, err := keys.Parse(data)
	if err != nil {
		w.Fatal(err)
	}
	return ring
}

func TestAPortalReadsTheKeysOfTheIssuerOnceAMinute(t *testing.T) {
	w := aKeysWorld(t)
	first := w.rotate(nil)
	w.keep(first)
	for range 10 {
		if !slices.Equal(w.ids(), idsOf(w.parse(first))) {
			t.Fatal("other keys")
		}
		w.clock.Step(5 * time.Second)
	}
	if w.reads != 1 {
		t.Errorf("%d reads in less than a minute", w.reads)
	}
	w.clock.Step(keys.Period)
	second := w.rotate(first)
	w.keep(second)
	if ids := w.ids(); !slices.Equal(ids, idsOf(w.parse(second))) || w.reads != 2 {
		t.Errorf("publishes %v after %d reads", ids, w.reads)
	}
}

func TestADeletedGenerationIsWorthlessWithinAMinute(t *testing.T) {
	w := aKeysWorld(t)
	stolen := w.rotate(nil)
	w.clock.Step(keys.Period)
	both := w.rotate(stolen)
	w.keep(both)
	sealed, err := w.parse(stolen).Seal("purpose", []byte("text"), w.clock.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := w.ring(context.Background())
	if _, unsealable := ring.Open("purpose", sealed); err != nil || unsealable != nil {
		t.Fatal(err, unsealable)
	}

	left := maps.Clone(both)
	for name := range stolen {
		delete(left, name)
	}
	w.keep(left)
	w.clock.Step(time.Minute)
	if ring, err = w.ring(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open("purpose", sealed); !errors.Is(err, keys.ErrUnsealable) {
		t.Errorf("opens what a deleted key sealed: %v", err)
	}
	signer, err := ring.Signer(jose.RS256, w.clock.Now())
	if err != nil || !slices.Contains(idsOf(w.parse(left)), signer.Key.(jose.JSONWebKey).KeyID) {
		t.Errorf("signs with another key: %v", err)
	}
	if slices.ContainsFunc(idsOf(ring), func(id string) bool { return slices.Contains(idsOf(w.parse(stolen)), id) }) {
		t.Error("publishes the deleted key")
	}
}

func TestKeysThatAnAdminDeletedAreNotUsedAgain(t *testing.T) {
	for name, end := range map[string]func(w *keysWorld){
		"the Secret is deleted": func(w *keysWorld) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: keys.SecretName}}
			if err := w.kube.Delete(context.Background(), secret); err != nil {
				w.Fatal(err)
			}
		},
		"every entry is deleted":    func(w *keysWorld) { w.keep(nil) },
		"every entry is unreadable": func(w *keysWorld) { w.keep(map[string][]byte{"20261130T120000Z": []byte("secret-material")}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := aKeysWorld(t)
			w.keep(w.rotate(nil))
			w.ids()
			end(w)
			w.clock.Step(time.Minute)
			for range 2 {
				ring, err := w.ring(context.Background())
				if !errors.Is(err, errNoIssuerKeys) || !strings.Contains(err.Error(), keys.SecretName) || strings.Contains(err.Error(), "secret-material") {
					t.Errorf("error: %v", err)
				}
				if len(idsOf(ring)) != 0 {
					t.Error("the keys are still used")
				}
			}
			next := w.rotate(nil)
			w.keep(next)
			if !slices.Equal(w.ids(), idsOf(w.parse(next))) {
				t.Error("new keys are not used at once")
			}
		})
	}
}

func TestAPortalContinuesWithItsKeysIfTheAPIServerFails(t *testing.T) {
	w := aKeysWorld(t)
	w.failure = errors.New("the API server is down")
	if _, err := w.ring(context.Background()); !errors.Is(err, w.failure) {
		t.Fatalf("a portal without keys: %v", err)
	}
	w.failure = nil
	first := w.rotate(nil)
	w.keep(first)
	w.ids()
	w.failure = errors.New("the API server is down")
	w.clock.Step(time.Hour)
	if !slices.Equal(w.ids(), idsOf(w.parse(first))) || !strings.Contains(w.log.String(), "the API server is down") {
		t.Errorf("log: %s", &w.log)
	}
	w.failure = nil
	second := w.rotate(nil)
	w.keep(second)
	if !slices.Equal(w.ids(), idsOf(w.parse(second))) {
		t.Error("the portal does not read the keys as soon as it can")
	}
}

func TestAPortalReportsKeysThatItCannotUse(t *testing.T) {
	w := aKeysWorld(t)
	first := w.rotate(nil)
	mixed := maps.Clone(first)
	mixed["notes"] = []byte("secret-material")
	w.keep(mixed)
	if !slices.Equal(w.ids(), idsOf(w.parse(first))) {
		t.Error("one unreadable entry stops the others")
	}
	if log := w.log.String(); !strings.Contains(log, `\"notes\" of the issuer keys is unreadable, so delete it`) || strings.Contains(log, "secret-material") {
		t.Errorf("log: %s", log)
	}
}
