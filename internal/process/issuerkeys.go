// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/internal/issuer/keys"
)

// issuerKeysAge is how long the portal uses the keys of the issuer without reading them
// again. New keys do not sign before keys.Ahead.
const issuerKeysAge = time.Minute

// errNoIssuerKeys means that there are no keys of the issuer that can be used.
var errNoIssuerKeys = errors.New("there are no keys of the issuer")

// issuerKeysOf returns a function that returns the keys of the issuer. Every token needs
// them, and parsing them takes longer than signing, so it reads them once in issuerKeysAge.
// If it cannot reach them again, it returns the last ones. If an admin deleted them, it fails
// instead, because the keys may be stolen.
func issuerKeysOf(r client.Reader, namespace string, c clock.PassiveClock, log logr.Logger) func(context.Context) (keys.Ring, error) {
	var (
		mu   sync.Mutex
		ring keys.Ring
		read time.Time
	)
	return func(ctx context.Context) (keys.Ring, error) {
		mu.Lock()
		defer mu.Unlock()
		if !read.IsZero() && c.Since(read) < issuerKeysAge {
			return ring, nil
		}
		fresh, err := readIssuerKeys(ctx, r, namespace)
		switch {
		case err == nil:
			ring, read = fresh, c.Now()
			if left := fresh.Unreadable(); left != nil {
				log.Error(left, "Some keys of the issuer are not used")
			}
		case read.IsZero() || errors.Is(err, errNoIssuerKeys):
			ring, read = keys.Ring{}, time.Time{}
			return ring, err
		default:
			log.Error(err, "The keys of the issuer cannot be read again, so the last ones are used")
		}
		return ring, nil
	}
}

// readIssuerKeys reads the Secret. It fails with errNoIssuerKeys if there is no key that can
// be used.
func readIssuerKeys(ctx context.Context, r client.Reader, namespace string) (keys.Ring, error) {
	var secret corev1.Secret
	err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: keys.SecretName}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return keys.Ring{}, fmt.Errorf("%w: the controller creates Secret %s within a minute", errNoIssuerKeys, keys.SecretName)
	case err != nil:
		return keys.Ring{}, fmt.Errorf("read Secret %s: %w", keys.SecretName, err)
	}
	ring, err := keys.Parse(secret.Data)
	if err != nil {
		return keys.Ring{}, fmt.Errorf("%w: read Secret %s: %w", errNoIssuerKeys, keys.SecretName, err)
	}
	return ring, nil
}
