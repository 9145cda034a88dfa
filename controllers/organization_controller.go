// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/organization"
)

// organizationReconciler makes an Organization's home namespace and the
// Memberships of its founders, gives out its seats, and checks its catalogue
// and its mail. It never deletes a namespace.
type organizationReconciler struct {
	client.Client
	// Live reads past the cache, before the last trace is said to be gone.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Events records what happened to an Organization.
	Events events.EventRecorder
	// Settings reads what Organizations bring of their own.
	Settings *notifier.Settings
	// ClusterRoles tells what there is to bind.
	ClusterRoles *ClusterRoles
	// Policies tells whether Usher's policies are in force.
	Policies *Policies
	// Namespace is Usher's own, which no grant ever reaches.
	Namespace string
	// Workers is how many Organizations are worked on at a time.
	Workers int
}

var _ reconcile.Reconciler = (*organizationReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about an Organization.
func (r *organizationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Organization{}, unlessProgress()).
		Watches(&accountsv1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.rivals)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.atHome)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(r.going), whenGone()).
		Watches(&accountsv1.Membership{}, r.whenSomebodyCounts()).
		Watches(&accountsv1.Invitation{}, r.whenSomebodyCounts()).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.bringing)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.bringing)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(r.left)).
		Watches(&rbacv1.ClusterRole{}, whenClusterRoleChanges(r.ClusterRoles, r.naming, r.everything)).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, unhurried(r.everything), r.Policies.concern()).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, unhurried(r.everything), r.Policies.concern()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// rivals asks for the other Organizations with the same home namespace.
func (r *organizationReconciler) rivals(ctx context.Context, o client.Object) []reconcile.Request {
	home := o.(*accountsv1.Organization).Spec.Namespace
	all := requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: string(home)})
	return slices.DeleteFunc(all, func(req reconcile.Request) bool { return req.Name == o.GetName() })
}

// atHome asks for the Organizations whose home a namespace is.
func (r *organizationReconciler) atHome(ctx context.Context, namespace client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: namespace.GetName()})
}

// naming asks for the Organizations whose catalogue names a ClusterRole.
func (r *organizationReconciler) naming(ctx context.Context, role client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byClusterRole: role.GetName()})
}

func (r *organizationReconciler) everything(ctx context.Context, _ client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{})
}

// left asks for the Organizations that the person of an Account asks to leave:
// an owner is let go by them.
func (r *organizationReconciler) left(ctx context.Context, o client.Object) []reconcile.Request {
	var found []reconcile.Request
	for _, m := range o.(*accountsv1.Account).Status.Leaving {
		found = append(found, requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: string(m.Namespace)})...)
	}
	return found
}

// going asks for the Organization that a RoleBinding was made for where it is
// being deleted, which waits for the last of them.
func (r *organizationReconciler) going(ctx context.Context, binding client.Object) []reconcile.Request {
	name, _, _ := grant.ParseBindingName(binding.GetName())
	org, err := find(ctx, r, types.NamespacedName{Name: name}, &accountsv1.Organization{})
	if err != nil || org == nil || org.DeletionTimestamp == nil {
		return nil // nothing waits for it; a cache fails to read only while the process stops
	}
	return requestsOf(types.NamespacedName{Name: name})
}

// bringing asks for the Organizations whose own settings an object holds.
func (r *organizationReconciler) bringing(ctx context.Context, o client.Object) []reconcile.Request {
	if name := o.GetName(); name != accountsv1.MailTemplatesName && name != accountsv1.CredentialsName {
		return nil
	}
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: o.GetNamespace()})
}

// whenSomebodyCounts asks for the Organization of a Membership or an
// Invitation when that is about its seats, or about mail that is held.
func (r *organizationReconciler) whenSomebodyCounts() handler.EventHandler {
	return upon(func(ctx context.Context, q queue, c change) {
		key := types.NamespacedName{Name: organizationNamedBy(c.newest())}
		org, err := find(ctx, r, key, &accountsv1.Organization{})
		if err != nil || org == nil {
			return // no such Organization; a cache fails to read only while the process stops
		}
		counts := func(o client.Object) bool {
			return isOwner(org, o) || len(heldOf(o.(reported), accountsv1.OrganizationReference{Name: "any"})) > 0
		}
		if org.Spec.Seats != 0 || slices.ContainsFunc(c.seen(), counts) {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	})
}

// organizationNamedBy is the Organization of a Membership or an Invitation.
func organizationNamedBy(o client.Object) string {
	switch o := o.(type) {
	case *accountsv1.Membership:
		return string(o.Spec.OrganizationRef.Name)
	case *accountsv1.Invitation:
		return string(o.Spec.OrganizationRef.Name)
	}
	return ""
}

// isOwner tells whether an object is the Membership of an owner, or of somebody
// who is to be one.
func isOwner(org *accountsv1.Organization, o client.Object) bool {
	m, isMembership := o.(*accountsv1.Membership)
	if !isMembership {
		return false
	}
	_, listed := org.Owner(m.Name)
	return listed || org.Owns(m.Spec.Role)
}

// Reconcile brings one Organization one step further.
func (r *organizationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	org, err := find(ctx, r, req.NamespacedName, &accountsv1.Organization{})
	if err != nil || org == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, org)
	heldBefore := meta.IsStatusConditionTrue(org.Status.Conditions, accountsv1.ConditionMailHeld)
	defer func() {
		result, err = status.finish(ctx, r.Clock.Now(), result, err)
		result = r.ClusterRoles.lookAgain(result)
		held := meta.FindStatusCondition(org.Status.Conditions, accountsv1.ConditionMailHeld)
		if held != nil && !heldBefore && status.isSaved() {
			r.Events.Eventf(org, nil, "Warning", accountsv1.ReasonMailHeld, "Mail", "%s", held.Message)
		}
	}()

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

func (r *organizationReconciler) act(ctx context.Context, org *accountsv1.Organization, plan organization.Plan) error {
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
	for i := range plan.Found {
		if err := r.Create(ctx, &plan.Found[i]); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	if plan.RecordFounders != "" {
		if org.Annotations == nil {
			org.Annotations = map[string]string{}
		}
		org.Annotations[accountsv1.FoundersAnnotation] = plan.RecordFounders
		if err := r.Update(ctx, org); err != nil {
			return err
		}
	}
	if plan.RemoveFinalizer {
		controllerutil.RemoveFinalizer(org, accountsv1.Finalizer)
		return client.IgnoreNotFound(r.Update(ctx, org))
	}
	return nil
}
