// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
)

// membershipReconciler invites the person of a Membership and keeps their RoleBindings
// correct until the Membership is deleted.
type membershipReconciler struct {
	client.Client
	// Live reads past the cache, which may lack the newest objects.
	Live client.Reader
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Namespace is Usher's own namespace, which no grant can reach.
	Namespace string
	// ClusterRoles inspects the ClusterRoles of the catalogue.
	ClusterRoles *ClusterRoles
	// Policies checks whether Usher's policies are in force.
	Policies *Policies
	// BindingLimiter limits how fast RoleBindings are written, so that a change of a catalogue
	// leaves the API server time for other clients.
	BindingLimiter *rate.Limiter
	// ReportLimiter limits how many reports about a catalogue change are saved immediately. The
	// others wait, so that all members get their access before the reports are written.
	ReportLimiter *rate.Limiter
	// Workers is how many Memberships are reconciled at a time.
	Workers int

	// ownWrites holds the RoleBindings that this process creates, by name, and deletes, by
	// UID, until their watch events arrive.
	ownWrites sync.Map
}

var _ reconcile.Reconciler = (*membershipReconciler)(nil)

// SetupWithManager adds the controller to the manager and watches everything that can
// change the outcome for a Membership.
func (r *membershipReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Membership{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(enqueueForSameName)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(enqueueForAccountRecord)).
		Watches(&accountsv1.Organization{}, enqueueForOrganization(r, func() client.ObjectList { return &accountsv1.MembershipList{} })).
		Watches(&accountsv1.Organization{}, enqueueForHome(r.enqueueForHome)).
		Watches(&corev1.Namespace{}, enqueueForNamespace(r.enqueueForNamespace)).
		Watches(&rbacv1.RoleBinding{}, enqueueForBinding(r.enqueueForBinding, r.isOwnWrite)).
		Watches(&rbacv1.ClusterRole{}, enqueueForClusterRole(r.ClusterRoles, r.enqueueForClusterRole, r.enqueueAll)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// isOwnWrite reports whether an event of a RoleBinding shows only that this process
// created or deleted it, so there is nothing to repair. The field manager is no evidence,
// because any client can use Usher's name.
func (r *membershipReconciler) isOwnWrite(c watchEvent) (own bool) {
	switch {
	case c.before == nil:
		_, own = r.ownWrites.LoadAndDelete(client.ObjectKeyFromObject(c.after))
	case c.after == nil:
		_, own = r.ownWrites.LoadAndDelete(c.before.GetUID())
	}
	return own
}

// enqueueForBinding enqueues the Memberships that a RoleBinding was made for, by its labels and
// by its name. The name reveals the removal of the labels.
func (r *membershipReconciler) enqueueForBinding(ctx context.Context, binding client.Object) []reconcile.Request {
	found := requestsOf(membershipOf(binding))
	organization, name, named := grant.ParseBindingName(binding.GetName())
	if !named {
		return found
	}
	org, err := find(ctx, r, types.NamespacedName{Name: organization}, &accountsv1.Organization{})
	if err != nil || org == nil {
		return found // no such Organization; reading from a cache fails only while the process stops
	}
	return append(found, requestsOf(types.NamespacedName{Namespace: string(org.Spec.Namespace), Name: name})...)
}

func (r *membershipReconciler) enqueueForOrganization(ctx context.Context, org client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.MembershipList{}, client.MatchingFields{byOrganization: org.GetName()})
}

func (r *membershipReconciler) enqueueAll(ctx context.Context, _ client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.MembershipList{})
}

// enqueueForClusterRole enqueues the members of the Organizations whose catalogue names a ClusterRole.
func (r *membershipReconciler) enqueueForClusterRole(ctx context.Context, role client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := r.List(ctx, &orgs, client.MatchingFields{byClusterRole: role.GetName()}); err != nil {
		return nil // listing from a cache fails only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		found = append(found, r.enqueueForOrganization(ctx, &orgs.Items[i])...)
	}
	return found
}

// enqueueForNamespace enqueues the members of every Organization with a resource that
// includes the namespace.
func (r *membershipReconciler) enqueueForNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := r.List(ctx, &orgs); err != nil {
		return nil // listing from a cache fails only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		if grant.Reaches(&orgs.Items[i], namespace.GetName(), namespace.GetLabels()) {
			found = append(found, r.enqueueForOrganization(ctx, &orgs.Items[i])...)
		}
	}
	return found
}

// enqueueForHome enqueues the members of every other Organization with a resource that
// includes the home namespace of an Organization.
func (r *membershipReconciler) enqueueForHome(ctx context.Context, org client.Object) []reconcile.Request {
	name := types.NamespacedName{Name: string(org.(*accountsv1.Organization).Spec.Namespace)}
	namespace, err := find(ctx, r, name, &corev1.Namespace{})
	if err != nil || namespace == nil {
		return nil // the creation of the namespace causes an event
	}
	return r.enqueueForNamespace(ctx, namespace)
}

// Reconcile moves one Membership one step towards its desired state.
func (r *membershipReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	m, err := find(ctx, r, req.NamespacedName, &accountsv1.Membership{})
	if err != nil {
		return ctrl.Result{}, err
	}
	if m == nil {
		return ctrl.Result{}, r.withdrawStrays(ctx, req.NamespacedName)
	}
	status := track(r.Client, m)
	defer func() {
		result, err = status.finish(ctx, r.Clock.Now(), result, err)
		result = r.ClusterRoles.requeueIfRightsChanged(result)
	}()

	facts, err := r.observe(ctx, m)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := membership.Decide(facts)
	if plan.AddFinalizer {
		// A Membership that has the finalizer but no status has lost its status.
		m.Status = membership.Report(facts)
		if err := status.save(ctx); err != nil {
			return ctrl.Result{}, err
		}
	}
	facts.Failures, err = r.act(ctx, m, plan)
	if plan.RemoveFinalizer {
		return ctrl.Result{}, err
	}
	report := membership.Report(facts)
	if err == nil && membership.CanWait(facts, plan, report) && !r.ReportLimiter.Allow() {
		return ctrl.Result{RequeueAfter: membership.ReportPause, Priority: new(reportPriority)}, nil
	}
	m.Status, result.RequeueAfter = report, membership.RequeueAfter(plan, facts.Failures)
	return result, err
}

// act carries out a plan. It continues after a RoleBinding that cannot be applied, so
// that one failure does not hold up the others.
func (r *membershipReconciler) act(ctx context.Context, m *accountsv1.Membership, plan membership.Plan) (map[string]membership.Failure, error) {
	if plan.AddFinalizer {
		controllerutil.AddFinalizer(m, accountsv1.Finalizer)
		if err := r.Update(ctx, m); err != nil {
			return nil, err
		}
	}
	if plan.Invite != nil {
		if err := r.Create(ctx, plan.Invite); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, err
		}
	}
	if err := r.deleteAll(ctx, plan.Delete); err != nil {
		return nil, err
	}
	failures, err := r.applyAll(ctx, m, plan.Apply)
	if err != nil {
		return failures, err
	}
	if inv := plan.DeleteInvitation; inv != nil {
		// The next Membership of that name may have an Invitation already.
		return nil, client.IgnoreNotFound(r.Delete(ctx, inv, client.Preconditions{UID: &inv.UID}))
	}
	if plan.RemoveFinalizer {
		controllerutil.RemoveFinalizer(m, accountsv1.Finalizer)
		return nil, client.IgnoreNotFound(r.Update(ctx, m))
	}
	return failures, nil
}
