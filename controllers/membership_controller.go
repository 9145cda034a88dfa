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

// membershipReconciler invites the person of a Membership and holds their
// RoleBindings true until the Membership goes.
type membershipReconciler struct {
	client.Client
	// Live reads past the cache, which may not have the newest yet.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is Usher's own, which no grant ever reaches.
	Namespace string
	// ClusterRoles tells what there is to bind.
	ClusterRoles *ClusterRoles
	// Policies tells whether Usher's policies are in force.
	Policies *Policies
	// Pace is how fast RoleBindings are written, so that a change of a catalogue
	// leaves the API server time for others.
	Pace *rate.Limiter
	// Prompt is how many reports of what a catalogue's change came to are saved at
	// once; the others wait, so that access of everybody comes first.
	Prompt *rate.Limiter
	// Workers is how many Memberships are worked on at a time.
	Workers int

	// begun are the RoleBindings that are made here, by their names, and deleted
	// here, by their UIDs, until the cache tells so.
	begun sync.Map
}

var _ reconcile.Reconciler = (*membershipReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about a Membership.
func (r *membershipReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Membership{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(sameName)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(theRecorded)).
		Watches(&accountsv1.Organization{}, whenOrganizationChanges(r, func() client.ObjectList { return &accountsv1.MembershipList{} })).
		Watches(&corev1.Namespace{}, whenNamespaceChanges(r.reachingNamespace)).
		Watches(&rbacv1.RoleBinding{}, afterPause(r.ofBinding, r.isOwnDoing)).
		Watches(&rbacv1.ClusterRole{}, whenClusterRoleChanges(r.ClusterRoles, r.naming, r.everybody)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// isOwnDoing tells whether an event of a RoleBinding says no more than that it was
// made, or deleted, here: there is nothing to repair. Who applied it says nothing
// of that, because anybody can call themselves Usher.
func (r *membershipReconciler) isOwnDoing(c change) (own bool) {
	switch {
	case c.before == nil:
		_, own = r.begun.LoadAndDelete(client.ObjectKeyFromObject(c.after))
	case c.after == nil:
		_, own = r.begun.LoadAndDelete(c.before.GetUID())
	}
	return own
}

// ofBinding asks for the Memberships that a RoleBinding was made for, by its
// labels and by its name: whoever strips the labels is noticed.
func (r *membershipReconciler) ofBinding(ctx context.Context, binding client.Object) []reconcile.Request {
	found := requestsOf(membershipOf(binding))
	organization, name, named := grant.ParseBindingName(binding.GetName())
	if !named {
		return found
	}
	org, err := find(ctx, r, types.NamespacedName{Name: organization}, &accountsv1.Organization{})
	if err != nil || org == nil {
		return found // no such Organization; a cache fails to read only while the process stops
	}
	return append(found, requestsOf(types.NamespacedName{Namespace: string(org.Spec.Namespace), Name: name})...)
}

func (r *membershipReconciler) ofOrganization(ctx context.Context, org client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.MembershipList{}, client.MatchingFields{byOrganization: org.GetName()})
}

func (r *membershipReconciler) everybody(ctx context.Context, _ client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.MembershipList{})
}

// naming asks for the members of the Organizations whose catalogue names a
// ClusterRole.
func (r *membershipReconciler) naming(ctx context.Context, role client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := r.List(ctx, &orgs, client.MatchingFields{byClusterRole: role.GetName()}); err != nil {
		return nil // a cache fails to list only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		found = append(found, r.ofOrganization(ctx, &orgs.Items[i])...)
	}
	return found
}

// reachingNamespace asks for the members of every Organization that has a
// resource which stands for the namespace.
func (r *membershipReconciler) reachingNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := r.List(ctx, &orgs); err != nil {
		return nil // a cache fails to list only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		if grant.Reaches(&orgs.Items[i], namespace.GetName(), namespace.GetLabels()) {
			found = append(found, r.ofOrganization(ctx, &orgs.Items[i])...)
		}
	}
	return found
}

// Reconcile brings one Membership one step further.
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
		result = r.ClusterRoles.lookAgain(result)
	}()

	facts, err := r.observe(ctx, m)
	if err != nil {
		return ctrl.Result{}, err
	}
	plan := membership.Decide(facts)
	if plan.AddFinalizer {
		// A Membership with the finalizer and without a status has lost it.
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
	if err == nil && membership.CanWait(facts, plan, report) && !r.Prompt.Allow() {
		return ctrl.Result{RequeueAfter: membership.ReportPause, Priority: new(reportPriority)}, nil
	}
	m.Status, result.RequeueAfter = report, membership.NextLook(plan, facts.Failures)
	return result, err
}

// act carries a plan out. It goes on after a RoleBinding that cannot be
// applied, so that one does not keep back the others.
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
	if plan.DeleteInvitation {
		inv := &accountsv1.Invitation{}
		inv.Namespace, inv.Name = m.Namespace, m.Name
		return nil, client.IgnoreNotFound(r.Delete(ctx, inv))
	}
	if plan.RemoveFinalizer {
		controllerutil.RemoveFinalizer(m, accountsv1.Finalizer)
		return nil, client.IgnoreNotFound(r.Update(ctx, m))
	}
	return failures, nil
}
