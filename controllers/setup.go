// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/notifier"
)

// Options holds what the reconcilers need in addition to a manager.
type Options struct {
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Notifier sends messages.
	Notifier *notifier.Notifier
	// Namespace is Usher's own namespace.
	Namespace string
	// Workers is how many objects of each kind are reconciled at a time.
	Workers int
	// BindingsPerSecond limits how many RoleBindings are written or deleted per second,
	// so that a change of a catalogue leaves the API server time for other clients. 0
	// means 500.
	BindingsPerSecond int
	// UserNameRetention is how long the user name of a deleted Account is not given out
	// again. 0 means UserNameRetention.
	UserNameRetention time.Duration
}

// Setup adds all reconcilers to a manager whose cache is configured with CachedObjects.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if o.Clock == nil || o.Namespace == "" || o.Workers < 1 {
		return errors.New("the controllers need a clock, a namespace and at least one worker")
	}
	if err := o.Notifier.Check(); err != nil {
		return err
	}
	if err := SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	c, live, recorder := mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("usher")
	policies, err := NewPolicies(c)
	if err != nil {
		return err
	}
	roles := &ClusterRoles{Client: c, Clock: o.Clock}
	pace := rate.Limit(cmp.Or(o.BindingsPerSecond, 500))
	return errors.Join(
		(&organizationReconciler{
			Client: c, Live: live, Clock: o.Clock, Events: recorder, Settings: o.Notifier.Settings,
			ClusterRoles: roles, Policies: policies, Namespace: o.Namespace, Workers: o.Workers,
		}).SetupWithManager(mgr),
		(&membershipReconciler{
			Client: c, Live: live, Clock: o.Clock, Namespace: o.Namespace,
			ClusterRoles: roles, Policies: policies, Workers: o.Workers,
			BindingLimiter: rate.NewLimiter(pace, o.Workers), ReportLimiter: rate.NewLimiter(membership.PromptReports, membership.PromptReports),
		}).SetupWithManager(mgr),
		(&invitationReconciler{
			Client: c, Live: live, Clock: o.Clock, Events: recorder, Notifier: o.Notifier,
			ClusterRoles: roles, Policies: policies, Workers: o.Workers,
		}).SetupWithManager(mgr),
		(&accountReconciler{
			Client: c, Live: live, Clock: o.Clock, Events: recorder, Notifier: o.Notifier, Namespace: o.Namespace,
			Workers: o.Workers,
		}).SetupWithManager(mgr),
		(&orphanReconciler{Client: c, Live: live, Events: recorder}).SetupWithManager(mgr),
		(&userNameReconciler{
			Client: c, Clock: o.Clock, Namespace: o.Namespace, Retention: cmp.Or(o.UserNameRetention, UserNameRetention),
			ListLimiter: rate.NewLimiter(rate.Every(boundInterval), 1),
		}).SetupWithManager(mgr),
		(&issuerKeysReconciler{Client: c, Live: live, Clock: o.Clock, Namespace: o.Namespace}).SetupWithManager(mgr),
	)
}

// CachedObjects returns the cache options for the objects of which the cache keeps only
// some, or only a part:
//
//   - Of RoleBindings, it keeps Usher's own in full. Of all others, and of
//     ClusterRoleBindings, it keeps only the identity and the people among the subjects.
//     A RoleBinding whose labels are removed therefore stays visible.
//   - Of ConfigMaps and Secrets, it keeps only those with the settings of Organizations,
//     and of Usher's own namespace only the ConfigMaps that withhold user names.
//
// A process adds the Secrets that it needs from its own namespace.
func CachedObjects(own string) map[client.Object]cache.ByObject {
	named := func(name string) cache.ByObject {
		return cache.ByObject{Namespaces: map[string]cache.Config{
			cache.AllNamespaces: {FieldSelector: fields.OneTermEqualSelector("metadata.name", name)},
		}}
	}
	configMaps := named(accountsv1.MailTemplatesName)
	configMaps.Namespaces[own] = cache.Config{LabelSelector: labels.SelectorFromSet(labels.Set{accountsv1.WithheldLabel: "true"})}
	return map[client.Object]cache.ByObject{
		&rbacv1.RoleBinding{}:        {Transform: trimBinding},
		&rbacv1.ClusterRoleBinding{}: {Transform: trimClusterBinding},
		&corev1.ConfigMap{}:          configMaps,
		&corev1.Secret{}:             named(accountsv1.CredentialsName),
	}
}
