// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/usher-dev/usher/internal/issuer/keys"
)

// issuerKeysInterval is the maximum time between two checks of the keys. An admin who deletes
// a key gets a new one within that time.
const issuerKeysInterval = time.Minute

// issuerKeysReconciler creates the Secret with the keys of the issuer, and rotates them. It
// watches nothing: the keys change with time, and only this controller writes them.
type issuerKeysReconciler struct {
	client.Client
	// Live reads past the cache.
	Live client.Reader
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Namespace is Usher's own namespace.
	Namespace string
}

var _ reconcile.Reconciler = (*issuerKeysReconciler)(nil)

// SetupWithManager adds the controller to the manager.
func (r *issuerKeysReconciler) SetupWithManager(mgr ctrl.Manager) error {
	secret := types.NamespacedName{Namespace: r.Namespace, Name: keys.SecretName}
	return ctrl.NewControllerManagedBy(mgr).
		Named("issuer-keys").
		WatchesRawSource(source.Func(func(_ context.Context, q queue) error {
			q.Add(reconcile.Request{NamespacedName: secret})
			return nil
		})).
		Complete(r)
}

// Reconcile brings the keys up to date. It reports entries that it cannot read, and leaves
// them to an admin.
func (r *issuerKeysReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	secret, err := find(ctx, r.Live, req.NamespacedName, &corev1.Secret{})
	if err != nil {
		return ctrl.Result{}, err
	}
	write := func() error { return r.Update(ctx, secret) }
	if secret == nil {
		secret = &corev1.Secret{Type: keys.SecretType}
		secret.Namespace, secret.Name = req.Namespace, req.Name
		write = func() error { return r.Create(ctx, secret) }
	} else if secret.Type != keys.SecretType {
		return ctrl.Result{}, fmt.Errorf("secret %s has the type %s instead of %s: delete it, and Usher creates it again", req.Name, secret.Type, keys.SecretType)
	}
	next, after, err := keys.Rotate(secret.Data, r.Clock.Now(), rand.Reader)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !slices.Equal(slices.Sorted(maps.Keys(next)), slices.Sorted(maps.Keys(secret.Data))) {
		secret.Data = next
		if err := write(); err != nil {
			return ctrl.Result{}, fmt.Errorf("write Secret %s: %w", req.Name, err)
		}
	}
	ring, err := keys.Parse(secret.Data)
	if err == nil {
		err = ring.Unreadable()
	}
	if err != nil {
		// Returned, it would delay the next check more and more.
		logf.FromContext(ctx).Error(fmt.Errorf("read Secret %s: %w", req.Name, err), "Some keys of the issuer cannot be used")
	}
	return ctrl.Result{RequeueAfter: min(after, issuerKeysInterval)}, nil
}
