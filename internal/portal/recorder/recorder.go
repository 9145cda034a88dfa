// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package recorder records the requests for a link for a new password that managers and
// admins make with an annotation. It runs in the portal. The controller makes the links,
// and so it must not be able to record the requests.
package recorder

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
)

// Recorder reconciles the requests of Accounts. Several portals can run one each, because
// every write is conditional.
type Recorder struct {
	// Store reads and writes the Accounts.
	Store *store.Store
}

var _ reconcile.Reconciler = (*Recorder)(nil)

// SetupWithManager adds the recorder to a manager whose cache has the indexes of
// store.SetupIndexes. The controller reports blocked requests in the status, so a request
// that becomes unblocked also causes an event of the Account.
func (r *Recorder) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("reset-requests").
		For(&accountsv1.Account{}, builder.WithPredicates(affectsResets())).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForMembership), builder.WithPredicates(requestsReset())).
		Complete(r)
}

// affectsResets drops the updates of Accounts that cannot make a request due. Most writes of
// a status are of that kind.
func affectsResets() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return account.AffectsResets(e.ObjectOld.(*accountsv1.Account), e.ObjectNew.(*accountsv1.Account))
	}}
}

// requestsReset accepts the events of Memberships that request a reset link.
func requestsReset() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool {
		_, requests := o.GetAnnotations()[accountsv1.ResetAnnotation]
		return requests
	})
}

// enqueueForMembership enqueues the Account that holds a Membership.
func (r *Recorder) enqueueForMembership(ctx context.Context, o client.Object) []reconcile.Request {
	names, err := r.Store.Holders(ctx, client.ObjectKeyFromObject(o))
	if err != nil {
		return nil // reading from a cache fails only while the process stops
	}
	found := make([]reconcile.Request, len(names))
	for i, name := range names {
		found[i].Name = name
	}
	return found
}

// Reconcile records the requests of one Account that are due.
func (r *Recorder) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	after, err := r.Store.RecordResetRequests(ctx, req.Name)
	return ctrl.Result{RequeueAfter: after}, err
}
