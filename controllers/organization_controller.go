// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
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

// organizationReconciler reconciles Organizations. It creates the home namespace and the
// Memberships of the founders, assigns the seats, and checks the catalogue and the mail
// settings. It never deletes a namespace.
type organizationReconciler struct {
	client.Client
	// Live reads past the cache. It is used before Usher reports that a deletion is complete.
	Live client.Reader
	// Clock returns the current time.
	Clock clock.PassiveClock
	// Events records what happened to an Organization.
	Events events.EventRecorder
	// Settings reads the Organizations' own settings, such as their mail servers.
	Settings *notifier.Settings
	// ClusterRoles inspects the ClusterRoles of the catalogue.
	ClusterRoles *ClusterRoles
	// Policies checks whether Usher's policies are in force.
	Policies *Policies
	// Namespace is Usher's own namespace, which no grant can reach.
	Namespace string
	// Workers is how many Organizations are reconciled at a time.
	Workers int
}

var _ reconcile.Reconciler = (*organizationReconciler)(nil)

// SetupWithManager adds the controller to the manager and watches everything that can
// change the outcome for an Organization.
func (r *organizationReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Organization{}, ignoreRolloutProgress()).
		Watches(&accountsv1.Organization{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForSharedNamespace)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForNamespace)).
		Watches(&corev1.Namespace{}, enqueueForNamespace(r.enqueueForCoverage)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForDeletedBinding), onlyDeletions()).
		Watches(&accountsv1.Membership{}, r.enqueueForSeatsAndOwners()).
		Watches(&accountsv1.Membership{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForFounder)).
		Watches(&accountsv1.Invitation{}, r.enqueueForSeatsAndOwners()).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForSettings)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForSettings)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(r.enqueueForLeavingAccount)).
		Watches(&rbacv1.ClusterRole{}, enqueueForClusterRole(r.ClusterRoles, r.enqueueForClusterRole, r.enqueueAll)).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicy{}, enqueueAtLowPriority(r.enqueueAll), r.Policies.onlyInstalledPolicies()).
		Watches(&admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, enqueueAtLowPriority(r.enqueueAll), r.Policies.onlyInstalledPolicies()).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

// enqueueForSharedNamespace enqueues the other Organizations with the same home namespace.
func (r *organizationReconciler) enqueueForSharedNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	home := o.(*accountsv1.Organization).Spec.Namespace
	all := requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: string(home)})
	return slices.DeleteFunc(all, func(req reconcile.Request) bool { return req.Name == o.GetName() })
}

// enqueueForNamespace enqueues the Organizations whose home namespace this is.
func (r *organizationReconciler) enqueueForNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: namespace.GetName()})
}

// enqueueForCoverage enqueues the Organizations with a resource that includes the
// namespace.
func (r *organizationReconciler) enqueueForCoverage(ctx context.Context, namespace client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := r.List(ctx, &orgs, client.UnsafeDisableDeepCopy); err != nil {
		return nil // listing from a cache fails only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		if grant.Reaches(&orgs.Items[i], namespace.GetName(), namespace.GetLabels()) {
			found = append(found, requestsOf(client.ObjectKeyFromObject(&orgs.Items[i]))...)
		}
	}
	return found
}

// enqueueForClusterRole enqueues the Organizations whose catalogue names a ClusterRole.
func (r *organizationReconciler) enqueueForClusterRole(ctx context.Context, role client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byClusterRole: role.GetName()})
}

func (r *organizationReconciler) enqueueAll(ctx context.Context, _ client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.OrganizationList{})
}

// enqueueForLeavingAccount enqueues the Organizations that the owner of an Account asks to leave. The
// Organization has to release an owner first.
func (r *organizationReconciler) enqueueForLeavingAccount(ctx context.Context, o client.Object) []reconcile.Request {
	var found []reconcile.Request
	for _, m := range o.(*accountsv1.Account).Status.Leaving {
		found = append(found, requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: string(m.Namespace)})...)
	}
	return found
}

// enqueueForDeletedBinding enqueues the Organization that a RoleBinding was made for if the Organization is
// being deleted. The deletion waits for the last RoleBinding.
func (r *organizationReconciler) enqueueForDeletedBinding(ctx context.Context, binding client.Object) []reconcile.Request {
	name, _, _ := grant.ParseBindingName(binding.GetName())
	org, err := find(ctx, r, types.NamespacedName{Name: name}, &accountsv1.Organization{})
	if err != nil || org == nil || org.DeletionTimestamp == nil {
		return nil // nothing waits for it; reading from a cache fails only while the process stops
	}
	return requestsOf(types.NamespacedName{Name: name})
}

// enqueueForSettings enqueues the Organizations whose own settings an object contains.
func (r *organizationReconciler) enqueueForSettings(ctx context.Context, o client.Object) []reconcile.Request {
	if name := o.GetName(); name != accountsv1.MailTemplatesName && name != accountsv1.CredentialsName {
		return nil
	}
	return requests(ctx, r, &accountsv1.OrganizationList{}, client.MatchingFields{byNamespace: o.GetNamespace()})
}

// enqueueForSeatsAndOwners enqueues the Organization of a Membership or an Invitation if the
// change affects its seats, its owners, or mail that is held or waits for the quota.
func (r *organizationReconciler) enqueueForSeatsAndOwners() handler.EventHandler {
	return onEveryChange(func(ctx context.Context, q queue, c watchEvent) {
		key := types.NamespacedName{Name: organizationNamedBy(c.lastKnown())}
		org, err := find(ctx, r, key, &accountsv1.Organization{})
		if err != nil || org == nil {
			return // no such Organization; reading from a cache fails only while the process stops
		}
		counts := func(o client.Object) bool {
			return isOwner(org, o) || len(waitingKeys(o.(objectWithConditions), accountsv1.OrganizationReference{Name: "any"})) > 0
		}
		if org.Spec.Seats != 0 || slices.ContainsFunc(c.states(), counts) {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	})
}

// enqueueForFounder enqueues the Organizations in whose home namespace a Membership has the name of a
// founder without a record.
func (r *organizationReconciler) enqueueForFounder(ctx context.Context, m client.Object) []reconcile.Request {
	var orgs accountsv1.OrganizationList
	if err := readList(ctx, r, &orgs, client.MatchingFields{byNamespace: m.GetNamespace()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // listing from a cache fails only while the process stops
	}
	var found []reconcile.Request
	for i := range orgs.Items {
		if slices.ContainsFunc(organization.UnrecordedFounders(&orgs.Items[i]), func(f accountsv1.Founder) bool { return string(f.Name) == m.GetName() }) {
			found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&orgs.Items[i])})
		}
	}
	return found
}

// organizationNamedBy returns the Organization of a Membership or an Invitation.
func organizationNamedBy(o client.Object) string {
	switch o := o.(type) {
	case *accountsv1.Membership:
		return string(o.Spec.OrganizationRef.Name)
	case *accountsv1.Invitation:
		return string(o.Spec.OrganizationRef.Name)
	}
	return ""
}

// isOwner reports whether an object is the Membership of an owner or of a future owner.
func isOwner(org *accountsv1.Organization, o client.Object) bool {
	m, isMembership := o.(*accountsv1.Membership)
	if !isMembership {
		return false
	}
	_, listed := org.Owner(m.Name)
	return listed || org.IsOwnerRole(m.Spec.Role)
}

// Reconcile moves one Organization one step towards its desired state.
func (r *organizationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	org, err := find(ctx, r, req.NamespacedName, &accountsv1.Organization{})
	if err != nil || org == nil {
		return ctrl.Result{}, err
	}
	status := track(r.Client, org)
	heldBefore := meta.IsStatusConditionTrue(org.Status.Conditions, accountsv1.ConditionMailHeld)
	defer func() {
		result, err = status.finish(ctx, r.Clock.Now(), result, err)
		result = r.ClusterRoles.requeueIfRightsChanged(result)
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
		before := org.DeepCopy()
		controllerutil.AddFinalizer(org, accountsv1.Finalizer)
		if err := r.saveMetadata(ctx, before, org); err != nil {
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
		before := org.DeepCopy()
		controllerutil.RemoveFinalizer(org, accountsv1.Finalizer)
		return client.IgnoreNotFound(r.saveMetadata(ctx, before, org))
	}
	if org.DeletionTimestamp != nil {
		return nil
	}
	return r.found(ctx, org, plan)
}

// found creates the Memberships of founders and records them. If one cannot be created, the others are
// recorded all the same. Otherwise one of them could be deleted in the meantime, and come back.
func (r *organizationReconciler) found(ctx context.Context, org *accountsv1.Organization, plan organization.Plan) error {
	var failed []error
	created := plan.RecordFounders
	for i := range plan.CreateFounders {
		if err := r.Create(ctx, &plan.CreateFounders[i]); err != nil {
			failed = append(failed, err)
			continue
		}
		created = append(created, accountsv1.CatalogueName(plan.CreateFounders[i].Name))
	}
	before := org.DeepCopy()
	if organization.RecordFounders(org, created) {
		failed = append(failed, r.saveMetadata(ctx, before, org))
	}
	return errors.Join(failed...)
}

// saveMetadata writes what differs from before. An update would write the whole spec, without the
// empty fields of a selector that Go's types omit, and a policy refuses every change of a spec.
func (r *organizationReconciler) saveMetadata(ctx context.Context, before, org *accountsv1.Organization) error {
	return r.Patch(ctx, org, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
