// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// AccountReconciler records which Memberships an Account took up, discards
// half-made Accounts, and takes an Account's credentials away with it.
type AccountReconciler struct {
	client.Client
	// Live reads past the cache, before something is deleted.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is Usher's own, where credentials are.
	Namespace string
	// Workers is how many Accounts are worked on at a time.
	Workers int
}

var _ reconcile.Reconciler = (*AccountReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about an Account.
func (r *AccountReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Account{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(r.ofInvitation)).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.ofMembership)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(subjectOf), whenGone()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// ofInvitation asks for the Account that accepted an Invitation, and for those
// that were made through it.
func (r *AccountReconciler) ofInvitation(ctx context.Context, o client.Object) []reconcile.Request {
	inv := o.(*accountsv1.Invitation)
	found := requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byInvitation: string(inv.UID)})
	if inv.Status.Acceptance.Given() {
		found = append(found, requestsOf(types.NamespacedName{Name: string(inv.Status.Acceptance.AccountRef.Name)})...)
	}
	return found
}

// ofMembership asks for the Account that took a Membership up, or is about to.
func (r *AccountReconciler) ofMembership(ctx context.Context, m client.Object) []reconcile.Request {
	key := client.ObjectKeyFromObject(m)
	found := requests(ctx, r, &accountsv1.AccountList{}, client.MatchingFields{byMembership: key.String()})
	if inv, err := find(ctx, r, key, &accountsv1.Invitation{}); err == nil && inv != nil {
		found = append(found, r.ofInvitation(ctx, inv)...)
	}
	return found
}

func subjectOf(_ context.Context, binding client.Object) []reconcile.Request {
	return requestsOf(types.NamespacedName{Name: binding.GetLabels()[accountsv1.AccountLabel]})
}

// Reconcile brings one Account one step further.
func (r *AccountReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	a, err := find(ctx, r, req.NamespacedName, &accountsv1.Account{})
	if err != nil || a == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, a)
	defer func() { result, err = status.finish(ctx, r.Clock.Now(), result, err) }()

	facts, err := r.observe(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := account.Decide(facts)
	if err := r.act(ctx, a, plan); err != nil || plan.Discard || plan.RemoveFinalizer {
		return ctrl.Result{}, err
	}
	a.Status = account.Report(facts)
	return ctrl.Result{RequeueAfter: plan.After}, nil
}

func (r *AccountReconciler) observe(ctx context.Context, a *accountsv1.Account) (account.Facts, error) {
	facts := account.Facts{Now: r.Clock.Now(), Account: a}
	var err error
	if a.DeletionTimestamp != nil {
		facts.BindingsLeft, err = bindingsLeft(ctx, r.Live, accountsv1.AccountLabel, a.Name)
		return facts, err
	}
	if account.HalfMade(a) {
		if facts.Origin, err = r.origin(ctx, a); err != nil {
			return facts, err
		}
	}
	for _, key := range recorded(a) {
		m, err := find(ctx, r, key, &accountsv1.Membership{})
		if err != nil {
			return facts, err
		}
		if m != nil && m.DeletionTimestamp != nil {
			facts.Going = append(facts.Going, key)
		}
	}
	facts.Accepted, err = r.accepted(ctx, a)
	return facts, err
}

// origin reads, past the cache, the very Invitation that an Account was made
// through: an Account must not be discarded on old news.
func (r *AccountReconciler) origin(ctx context.Context, a *accountsv1.Account) (*accountsv1.Invitation, error) {
	ref := a.Spec.InvitationRef
	key := types.NamespacedName{Namespace: string(ref.Namespace), Name: string(ref.Name)}
	inv, err := find(ctx, r.Live, key, &accountsv1.Invitation{})
	if err != nil || inv == nil || string(inv.UID) != ref.UID {
		return nil, err
	}
	return inv, nil
}

func (r *AccountReconciler) accepted(ctx context.Context, a *accountsv1.Account) ([]account.Acceptance, error) {
	var invs accountsv1.InvitationList
	if err := r.List(ctx, &invs, client.MatchingFields{byAccount: string(a.UID)}); err != nil {
		return nil, err
	}
	found := make([]account.Acceptance, 0, len(invs.Items))
	for i := range invs.Items {
		inv := &invs.Items[i]
		m, err := find(ctx, r, client.ObjectKeyFromObject(inv), &accountsv1.Membership{})
		if err != nil {
			return nil, err
		}
		org, err := find(ctx, r, types.NamespacedName{Name: string(inv.Spec.OrganizationRef.Name)}, &accountsv1.Organization{})
		if err != nil {
			return nil, err
		}
		found = append(found, account.Acceptance{Invitation: inv, Membership: m, Organization: org})
	}
	return found, nil
}

func (r *AccountReconciler) act(ctx context.Context, a *accountsv1.Account, plan account.Plan) error {
	switch {
	case plan.Record != nil:
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		a.Annotations[accountsv1.MembershipsAnnotation] = *plan.Record
		return r.Update(ctx, a)
	case plan.Discard:
		return client.IgnoreNotFound(r.Delete(ctx, a, client.Preconditions{UID: &a.UID, ResourceVersion: &a.ResourceVersion}))
	case plan.RemoveFinalizer:
		credentials := &corev1.Secret{}
		credentials.Namespace, credentials.Name = r.Namespace, account.SecretName(a.Name)
		if err := r.Delete(ctx, credentials); client.IgnoreNotFound(err) != nil {
			return err
		}
		controllerutil.RemoveFinalizer(a, accountsv1.Finalizer)
		return client.IgnoreNotFound(r.Update(ctx, a))
	}
	return nil
}
