// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// orphanPause is the delay between a change of a Membership and the check of its
// RoleBindings. Usher deletes them before the Membership, but the cache can receive the
// events in another order.
const orphanPause = time.Second

// orphanReconciler reports RoleBindings with a name of Usher's that no Membership is
// behind. It changes nothing: the membershipReconciler deletes those that carry Usher's
// labels, and the others may belong to another writer.
type orphanReconciler struct {
	client.Client
	// Live reads past the cache. It is used before something is reported.
	Live client.Reader
	// Events records the report on the RoleBinding.
	Events events.EventRecorder

	// reported holds the UIDs of the reported RoleBindings, by name.
	reported sync.Map
}

var _ reconcile.Reconciler = (*orphanReconciler)(nil)

// orphans counts the reported RoleBindings that still exist.
var orphans = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "usher_orphaned_role_bindings",
	Help: "RoleBindings whose names begin with usher: and that no Membership is behind.",
})

func init() { metrics.Registry.MustRegister(orphans) }

// SetupWithManager adds the controller to the manager and watches everything that can
// make an orphan of a RoleBinding.
func (r *orphanReconciler) SetupWithManager(mgr ctrl.Manager) error {
	orphans.Set(0)
	named := predicate.NewPredicateFuncs(func(o client.Object) bool { return strings.HasPrefix(o.GetName(), grant.NamePrefix) })
	return ctrl.NewControllerManagedBy(mgr).
		Named("orphan").
		For(&rbacv1.RoleBinding{}, builder.WithPredicates(named)).
		Watches(&accountsv1.Membership{}, onEveryChange(r.enqueueForMembership)).
		Complete(r)
}

// enqueueForMembership enqueues the RoleBindings of a Membership that was created or
// deleted.
func (r *orphanReconciler) enqueueForMembership(ctx context.Context, q queue, c watchEvent) {
	if c.initial || len(c.states()) == 2 {
		return
	}
	m := c.lastKnown().(*accountsv1.Membership)
	labelled := requests(ctx, r, &rbacv1.RoleBindingList{}, client.MatchingFields{byMembership: client.ObjectKeyFromObject(m).String()})
	named := requests(ctx, r, &rbacv1.RoleBindingList{}, client.MatchingFields{byName: bindingKey(string(m.Spec.OrganizationRef.Name), m.Name)})
	for _, req := range append(labelled, named...) {
		q.AddAfter(req, orphanPause)
	}
}

// Reconcile reports one RoleBinding, once in the life of this process.
func (r *orphanReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	b, err := find(ctx, r, req.NamespacedName, &rbacv1.RoleBinding{})
	if err != nil {
		return ctrl.Result{}, err
	}
	if b == nil {
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if isMadeForItsLabels(b) {
		return ctrl.Result{}, nil // the membershipReconciler deletes it if it is an orphan
	}
	switch managed, err := isManaged(ctx, b, r); {
	case err != nil:
		return ctrl.Result{}, err
	case managed:
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if uid, known := r.reported.Load(req.NamespacedName); known && uid == b.UID {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.report(ctx, req.NamespacedName)
}

// report reads everything past the cache before it reports a RoleBinding.
func (r *orphanReconciler) report(ctx context.Context, key types.NamespacedName) error {
	b, err := find(ctx, r.Live, key, &rbacv1.RoleBinding{})
	if err != nil || b == nil || isMadeForItsLabels(b) {
		return err
	}
	if managed, err := isManaged(ctx, b, r.Live); err != nil || managed {
		return err
	}
	if _, known := r.reported.Swap(key, b.UID); !known {
		orphans.Inc()
	}
	r.Events.Eventf(b, nil, "Warning", accountsv1.ReasonOrphanedRoleBinding, "Check",
		"No Membership is behind this RoleBinding, which is managed by %s. Usher does not delete it: delete it, or give it a name that does not begin with %s",
		fieldManagers(b), grant.NamePrefix)
	return nil
}

func (r *orphanReconciler) forget(key types.NamespacedName) {
	if _, known := r.reported.LoadAndDelete(key); known {
		orphans.Dec()
	}
}

// isManaged reports whether a Membership that exists is behind a RoleBinding: the one in
// its labels, or the one in its name.
func isManaged(ctx context.Context, b *rbacv1.RoleBinding, reader client.Reader) (bool, error) {
	candidates := requestsOf(membershipOf(b))
	if organization, name, named := grant.ParseBindingName(b.Name); named {
		org, err := find(ctx, reader, types.NamespacedName{Name: organization}, &accountsv1.Organization{})
		if err != nil {
			return false, err
		}
		if org != nil {
			candidates = append(candidates, requestsOf(types.NamespacedName{Namespace: string(org.Spec.Namespace), Name: name})...)
		}
	}
	for _, key := range candidates {
		m, err := find(ctx, reader, key.NamespacedName, &accountsv1.Membership{})
		if err != nil || m != nil && grant.IsManagedFor(b, m) {
			return err == nil, err
		}
	}
	return false, nil
}
