// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/organization"
)

// OrganizationReconciler makes an Organization's home namespace and checks its
// catalogue. It never deletes a namespace.
type OrganizationReconciler struct {
	client.Client
	// Live reads past the cache, before the last trace is said to be gone.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Workers is how many Organizations are worked on at a time.
	Workers int
}

var _ reconcile.Reconciler = (*OrganizationReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about an Organization.
func (r *OrganizationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Organization{}).
		Watches(&accountsv1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.rivals)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.atHome)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(organizationOf), whenGone()).
		Watches(clusterRole(), handler.EnqueueRequestsFromMapFunc(r.naming), builder.OnlyMetadata).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// rivals asks for the Organizations with the same home namespace.
func (r *OrganizationReconciler) rivals(ctx context.Context, o client.Object) []reconcile.Request {
	home := o.(*accountsv1.Organization).Spec.Namespace
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: string(home)})
}

// atHome asks for the Organizations whose home a namespace is.
func (r *OrganizationReconciler) atHome(ctx context.Context, namespace client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: namespace.GetName()})
}

// naming asks for the Organizations whose catalogue names a ClusterRole.
func (r *OrganizationReconciler) naming(ctx context.Context, role client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byClusterRole: role.GetName()})
}

func organizationOf(_ context.Context, binding client.Object) []reconcile.Request {
	return requestsOf(types.NamespacedName{Name: binding.GetLabels()[accountsv1.OrganizationLabel]})
}

// Reconcile brings one Organization one step further.
func (r *OrganizationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	org, err := find(ctx, r, req.NamespacedName, &accountsv1.Organization{})
	if err != nil || org == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, org)
	defer func() { result, err = status.finish(ctx, r.Clock.Now(), result, err) }()

	facts, err := r.observe(ctx, org)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := organization.Decide(facts)
	if err := r.act(ctx, org, plan); err != nil || plan.RemoveFinalizer {
		return ctrl.Result{}, err
	}
	org.Status = organization.Report(facts)
	return ctrl.Result{RequeueAfter: plan.After}, nil
}

func (r *OrganizationReconciler) observe(ctx context.Context, org *accountsv1.Organization) (organization.Facts, error) {
	facts := organization.Facts{Now: r.Clock.Now(), Organization: org, ClusterRoles: map[string]organization.ClusterRole{}}
	var err error
	if facts.HomeTaken, err = homeTakenBy(ctx, r, org); err != nil {
		return facts, err
	}
	facts.Namespace, err = find(ctx, r, types.NamespacedName{Name: string(org.Spec.Namespace)}, &corev1.Namespace{})
	if err != nil {
		return facts, err
	}
	for _, name := range organization.NamedClusterRoles(org) {
		if facts.ClusterRoles[name], err = observeClusterRole(ctx, r, name); err != nil {
			return facts, err
		}
	}
	if org.DeletionTimestamp != nil {
		facts.BindingsLeft, err = bindingsLeft(ctx, r.Live, accountsv1.OrganizationLabel, org.Name)
	}
	return facts, err
}

func (r *OrganizationReconciler) act(ctx context.Context, org *accountsv1.Organization, plan organization.Plan) error {
	if plan.AddFinalizer {
		controllerutil.AddFinalizer(org, accountsv1.Finalizer)
		if err := r.Update(ctx, org); err != nil {
			return err
		}
	}
	if plan.CreateNamespace {
		home := &corev1.Namespace{}
		home.Name = string(org.Spec.Namespace)
		if err := r.Create(ctx, home); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	if plan.RemoveFinalizer {
		controllerutil.RemoveFinalizer(org, accountsv1.Finalizer)
		return client.IgnoreNotFound(r.Update(ctx, org))
	}
	return nil
}
