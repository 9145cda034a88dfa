// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
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
	"github.com/usher-dev/usher/internal/organization"
)

// recheckFailures is how long to wait before a RoleBinding that could not be
// applied is tried again: what stands in its way goes without any event.
const recheckFailures = time.Minute

// MembershipReconciler invites the person of a Membership and holds their
// RoleBindings true until the Membership goes.
type MembershipReconciler struct {
	client.Client
	// Live reads past the cache, which holds no RoleBindings but Usher's own.
	Live client.Reader
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is Usher's own, which no grant ever reaches.
	Namespace string
	// Workers is how many Memberships are worked on at a time.
	Workers int
}

var _ reconcile.Reconciler = (*MembershipReconciler)(nil)

// SetupWithManager makes the manager call Reconcile when something changes
// that decides about a Membership.
func (r *MembershipReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&accountsv1.Membership{}).
		Watches(&accountsv1.Invitation{}, handler.EnqueueRequestsFromMapFunc(sameName)).
		Watches(&accountsv1.Account{}, handler.EnqueueRequestsFromMapFunc(theRecorded)).
		Watches(&accountsv1.Organization{}, whenOrganizationChanges(r, func() client.ObjectList { return &accountsv1.MembershipList{} })).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.reachingNamespace)).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(ofBinding)).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.Workers}).
		Complete(r)
}

func ofBinding(_ context.Context, binding client.Object) []reconcile.Request {
	return requestsOf(membershipOf(binding))
}

func (r *MembershipReconciler) ofOrganization(ctx context.Context, org client.Object) []reconcile.Request {
	return requests(ctx, r, &accountsv1.MembershipList{}, client.MatchingFields{byOrganization: org.GetName()})
}

// reachingNamespace asks for the members of every Organization that has a
// resource which stands for the namespace.
func (r *MembershipReconciler) reachingNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
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
func (r *MembershipReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	m, err := find(ctx, r, req.NamespacedName, &accountsv1.Membership{})
	if err != nil {
		return ctrl.Result{}, err
	}
	if m == nil {
		return ctrl.Result{}, r.withdrawStrays(ctx, req.NamespacedName)
	}
	status := track(r.Client, m)
	defer func() { result, err = status.finish(ctx, r.Clock.Now(), result, err) }()

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
	m.Status = membership.Report(facts)
	result.RequeueAfter = plan.After
	if len(facts.Failures) > 0 && (plan.After == 0 || plan.After > recheckFailures) {
		result.RequeueAfter = recheckFailures
	}
	return result, err
}

func (r *MembershipReconciler) observe(ctx context.Context, m *accountsv1.Membership) (membership.Facts, error) {
	var none membership.Facts
	key := client.ObjectKeyFromObject(m)
	org, homeTaken, err := findOrganization(ctx, r, m.Spec.OrganizationRef.Name)
	if err != nil {
		return none, err
	}
	inv, err := find(ctx, r, key, &accountsv1.Invitation{})
	if err != nil {
		return none, err
	}
	account, err := findHolder(ctx, r, key, m.Spec.Email)
	if err != nil {
		return none, err
	}
	bindings, err := r.bindings(ctx, m)
	if err != nil {
		return none, err
	}
	var namespaces corev1.NamespaceList
	if err := r.List(ctx, &namespaces); err != nil {
		return none, err
	}
	return membership.Facts{
		Now: r.Clock.Now(), Membership: m, Organization: org, HomeTaken: homeTaken != "", Invitation: inv, Account: account,
		Cluster: grant.Cluster{Namespaces: namespaces.Items, Own: r.Namespace}, Bindings: bindings,
	}, nil
}

// bindings are the RoleBindings made for a Membership. Before it goes they are
// read past the cache, which may not have the newest yet.
func (r *MembershipReconciler) bindings(ctx context.Context, m *accountsv1.Membership) ([]rbacv1.RoleBinding, error) {
	var list rbacv1.RoleBindingList
	if m.DeletionTimestamp != nil {
		err := r.Live.List(ctx, &list, client.MatchingLabels(grant.Labels(m.Namespace, m.Name)))
		return list.Items, err
	}
	err := r.List(ctx, &list, client.MatchingFields{byMembership: client.ObjectKeyFromObject(m).String()})
	return list.Items, err
}

// act carries a plan out. It goes on after a RoleBinding that cannot be
// applied, so that one does not keep back the others.
func (r *MembershipReconciler) act(ctx context.Context, m *accountsv1.Membership, plan membership.Plan) (map[string]membership.Failure, error) {
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
	failures, err := r.applyAll(ctx, plan.Apply)
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

func (r *MembershipReconciler) deleteAll(ctx context.Context, bindings []rbacv1.RoleBinding) error {
	for i := range bindings {
		b := &bindings[i]
		if err := r.Delete(ctx, b, client.Preconditions{UID: &b.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("withdrawing RoleBinding %s/%s: %w", b.Namespace, b.Name, err)
		}
	}
	return nil
}

// applyAll applies RoleBindings. What the API server refuses for good is a
// failure to report; all else is an error to try again.
func (r *MembershipReconciler) applyAll(ctx context.Context, bindings []rbacv1.RoleBinding) (map[string]membership.Failure, error) {
	failures := map[string]membership.Failure{}
	var errs []error
	for i := range bindings {
		b := &bindings[i]
		if failure, err := r.apply(ctx, b); err != nil {
			errs = append(errs, fmt.Errorf("applying RoleBinding %s/%s: %w", b.Namespace, b.Name, err))
		} else if failure.Reason != "" {
			failures[b.Namespace+"/"+b.Name] = failure
		}
	}
	return failures, errors.Join(errs...)
}

func (r *MembershipReconciler) apply(ctx context.Context, b *rbacv1.RoleBinding) (membership.Failure, error) {
	existing, err := find(ctx, r.Live, client.ObjectKeyFromObject(b), &rbacv1.RoleBinding{})
	if err != nil {
		return membership.Failure{}, err
	}
	if existing != nil && !appliedByUsher(existing) {
		return membership.Failure{
			Reason:  accountsv1.ReasonBindingConflict,
			Message: fmt.Sprintf("RoleBinding %s in namespace %s is somebody else's; remove or rename it.", b.Name, b.Namespace),
		}, nil
	}
	if role, err := observeClusterRole(ctx, r, b.RoleRef.Name); err != nil {
		return membership.Failure{}, err
	} else if failure := unbindable(b.RoleRef.Name, role); failure.Reason != "" {
		return failure, nil
	}
	err = r.Apply(ctx, applyConfiguration(b), client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), apierrors.IsInvalid(err):
		return membership.Failure{
			Reason:  accountsv1.ReasonBindingFailed,
			Message: fmt.Sprintf("The API server refuses RoleBinding %s in namespace %s.", b.Name, b.Namespace),
		}, nil
	}
	return membership.Failure{}, err
}

// unbindable says why a ClusterRole is not to be bound, if it is not.
func unbindable(name string, role organization.ClusterRole) membership.Failure {
	switch {
	case !role.Exists:
		return membership.Failure{
			Reason:  accountsv1.ReasonClusterRoleNotFound,
			Message: fmt.Sprintf("There is no ClusterRole %s; make it, or name another one in the Organization.", name),
		}
	case !role.Bindable:
		return membership.Failure{
			Reason:  accountsv1.ReasonBindForbidden,
			Message: fmt.Sprintf("Usher may not bind ClusterRole %s; name it in the ClusterRole usher-grantable.", name),
		}
	}
	return membership.Failure{}
}

// withdrawStrays deletes what is left of a Membership that went without its
// finalizer being honoured.
func (r *MembershipReconciler) withdrawStrays(ctx context.Context, key types.NamespacedName) error {
	var strays rbacv1.RoleBindingList
	if err := r.List(ctx, &strays, client.MatchingFields{byMembership: key.String()}); err != nil || len(strays.Items) == 0 {
		return err
	}
	if m, err := find(ctx, r.Live, key, &accountsv1.Membership{}); err != nil || m != nil {
		return err
	}
	return r.deleteAll(ctx, strays.Items)
}

// appliedByUsher tells whether a RoleBinding is one that Usher made: whoever
// strips its labels does not make it theirs.
func appliedByUsher(b *rbacv1.RoleBinding) bool {
	return slices.ContainsFunc(b.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == accountsv1.FieldManager && f.Operation == metav1.ManagedFieldsOperationApply
	})
}

func applyConfiguration(b *rbacv1.RoleBinding) *rbacv1ac.RoleBindingApplyConfiguration {
	config := rbacv1ac.RoleBinding(b.Name, b.Namespace).WithLabels(b.Labels).WithRoleRef(
		rbacv1ac.RoleRef().WithAPIGroup(b.RoleRef.APIGroup).WithKind(b.RoleRef.Kind).WithName(b.RoleRef.Name))
	for _, s := range b.Subjects {
		config.WithSubjects(rbacv1ac.Subject().WithAPIGroup(s.APIGroup).WithKind(s.Kind).WithName(s.Name))
	}
	return config
}
