// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/withheld"
)

// UserNameRetention is the default time for which the user name of a deleted Account is
// not given out again.
const UserNameRetention = 365 * 24 * time.Hour

const (
	// boundPause is the delay before the list of bound names is written. Many changes of
	// bindings within that time cause one write.
	boundPause = time.Second
	// boundInterval is the minimum time between two writes of the list. Every portal
	// receives the whole list after each write, and tenants can change bindings as often as
	// they like. The accountReconciler does not use the list.
	boundInterval = time.Minute
)

// userNameReconciler reconciles the ConfigMaps that withhold user names. It deletes the
// record of a retired name when its time has passed and no binding names it, and keeps
// the list of bound names up to date. The accountReconciler writes the records.
type userNameReconciler struct {
	client.Client
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Namespace is Usher's own namespace, which contains the ConfigMaps.
	Namespace string
	// Retention is how long the name of a deleted Account is withheld.
	Retention time.Duration
	// ListLimiter limits how often the list of bound names is written.
	ListLimiter *rate.Limiter
}

var _ reconcile.Reconciler = (*userNameReconciler)(nil)

// SetupWithManager adds the controller to the manager and watches everything that can
// change which names are withheld.
func (r *userNameReconciler) SetupWithManager(mgr ctrl.Manager) error {
	own := predicate.NewPredicateFuncs(func(o client.Object) bool {
		return o.GetNamespace() == r.Namespace && o.GetLabels()[accountsv1.WithheldLabel] != ""
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("username").
		For(&corev1.ConfigMap{}, builder.WithPredicates(own)).
		Watches(&rbacv1.RoleBinding{}, onEveryChange(r.enqueueForBinding)).
		Watches(&rbacv1.ClusterRoleBinding{}, onEveryChange(r.enqueueForBinding)).
		Watches(&accountsv1.Account{}, onEveryChange(r.enqueueForAccount)).
		Complete(r)
}

// enqueueForBinding enqueues the names that a binding begins or ceases to name. A binding
// to people with Accounts, as Usher creates them, changes nothing.
func (r *userNameReconciler) enqueueForBinding(ctx context.Context, q queue, c watchEvent) {
	before, after := subjectsOf(c.before), subjectsOf(c.after)
	changed := false
	for _, name := range slices.Concat(withheld.Removed(before, after), withheld.Removed(after, before)) {
		if !r.isInUse(ctx, name) {
			q.Add(r.request(withheld.RecordName(name)))
			changed = true
		}
	}
	if changed {
		q.AddAfter(r.request(withheld.BoundListName), boundPause)
	}
}

// enqueueForAccount enqueues the list if an Account begins or ceases to use a bound name.
func (r *userNameReconciler) enqueueForAccount(ctx context.Context, q queue, c watchEvent) {
	if c.initial || usesName(c.before) == usesName(c.after) {
		return
	}
	if binding, err := bindingTo(ctx, r, c.lastKnown().GetName()); err == nil && binding == nil {
		return // reading from a cache fails only while the process stops
	}
	q.AddAfter(r.request(withheld.BoundListName), boundPause)
}

func (r *userNameReconciler) request(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: r.Namespace, Name: name}}
}

// usesName reports whether an Account belongs to a person. It can be nil.
func usesName(o client.Object) bool {
	a, exists := o.(*accountsv1.Account)
	return exists && !account.IsIncomplete(a)
}

func (r *userNameReconciler) isInUse(ctx context.Context, name string) bool {
	var a accountsv1.Account
	err := r.Get(ctx, types.NamespacedName{Name: name}, &a, client.UnsafeDisableDeepCopy)
	return err == nil && usesName(&a)
}

// Reconcile brings one ConfigMap up to date.
func (r *userNameReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if req.Name == withheld.BoundListName {
		after, err := r.list(ctx)
		return ctrl.Result{RequeueAfter: after}, err
	}
	name, found := withheld.UserName(req.Name)
	if !found {
		return ctrl.Result{}, nil
	}
	record, err := find(ctx, r, req.NamespacedName, &corev1.ConfigMap{})
	if err != nil || record == nil || record.DeletionTimestamp != nil {
		return ctrl.Result{}, err
	}
	if left := withheld.End(record, r.Retention).Sub(r.Clock.Now()); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	if binding, err := bindingTo(ctx, r, name); err != nil || binding != nil {
		return ctrl.Result{}, err
	}
	// If another Account of that name is deleted now, its record is newer than this one.
	return ctrl.Result{}, client.IgnoreNotFound(r.Delete(ctx, record, client.Preconditions{UID: &record.UID, ResourceVersion: &record.ResourceVersion}))
}

// list writes the list of bound names if it has changed. If it was written not long ago,
// list only returns after which time it may be written again.
func (r *userNameReconciler) list(ctx context.Context) (after time.Duration, err error) {
	now := r.Clock.Now()
	turn := r.ListLimiter.ReserveN(now, 1)
	if after := turn.DelayFrom(now); after > 0 {
		turn.CancelAt(now)
		return after, nil
	}
	written, err := r.writeList(ctx)
	if !written {
		turn.CancelAt(now)
	}
	return 0, err
}

// writeList writes the list of bound names, and reports whether it did. It writes nothing
// if the list has not changed.
func (r *userNameReconciler) writeList(ctx context.Context) (written bool, err error) {
	var accounts accountsv1.AccountList
	if err := readList(ctx, r, &accounts, client.UnsafeDisableDeepCopy); err != nil {
		return false, err
	}
	inUse := map[string]bool{}
	for i := range accounts.Items {
		inUse[accounts.Items[i].Name] = usesName(&accounts.Items[i])
	}
	named, err := r.namedByBindings(ctx)
	if err != nil {
		return false, err
	}
	wanted := withheld.BoundList(r.Namespace, named, func(name string) bool { return inUse[name] })
	existing, err := find(ctx, r, client.ObjectKeyFromObject(wanted), &corev1.ConfigMap{})
	switch {
	case err != nil:
		return false, err
	case existing == nil && len(wanted.Data) == 0, existing != nil && maps.Equal(existing.Data, wanted.Data):
		return false, nil
	}
	err = applyConfigMap(ctx, r, wanted)
	return err == nil, err
}

// namedByBindings returns the user names in all RoleBindings by their namespace, and those
// in all ClusterRoleBindings under "".
func (r *userNameReconciler) namedByBindings(ctx context.Context) (map[string][]string, error) {
	var (
		bindings        rbacv1.RoleBindingList
		clusterBindings rbacv1.ClusterRoleBindingList
	)
	named := map[string][]string{}
	if err := readList(ctx, r, &bindings, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range bindings.Items {
		of := bindings.Items[i].Namespace
		named[of] = append(named[of], subjectsOf(&bindings.Items[i])...)
	}
	if err := readList(ctx, r, &clusterBindings, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range clusterBindings.Items {
		named[""] = append(named[""], subjectsOf(&clusterBindings.Items[i])...)
	}
	return named, nil
}

// bindingTo returns a RoleBinding or a ClusterRoleBinding in the cache that names a user,
// or nil.
func bindingTo(ctx context.Context, r client.Reader, userName string) (client.Object, error) {
	named := client.MatchingFields{byUserName: userName}
	var everywhere rbacv1.ClusterRoleBindingList
	if err := readList(ctx, r, &everywhere, named, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	if len(everywhere.Items) > 0 {
		return &everywhere.Items[0], nil
	}
	var inNamespaces rbacv1.RoleBindingList
	if err := readList(ctx, r, &inNamespaces, named, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	if len(inNamespaces.Items) > 0 {
		return &inNamespaces.Items[0], nil
	}
	return nil, nil
}

func applyConfigMap(ctx context.Context, c client.Client, wanted *corev1.ConfigMap) error {
	config := corev1ac.ConfigMap(wanted.Name, wanted.Namespace).WithLabels(wanted.Labels).WithData(wanted.Data)
	if err := c.Apply(ctx, config, client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply ConfigMap %s/%s: %w", wanted.Namespace, wanted.Name, err)
	}
	return nil
}
