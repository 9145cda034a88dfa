// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/withheld"
)

// bindings returns the RoleBindings made for a Membership, even if their labels were
// removed. It also returns those made for another Organization whose labels name the
// Membership: no other Membership can delete them. If the Membership is being deleted and the cache has none left, bindings reads
// past the cache, which may lack the newest ones.
func (r *membershipReconciler) bindings(ctx context.Context, m *accountsv1.Membership, org *accountsv1.Organization) ([]rbacv1.RoleBinding, error) {
	var labelled, named rbacv1.RoleBindingList
	if err := readList(ctx, r, &labelled, client.MatchingFields{byMembership: client.ObjectKeyFromObject(m).String()}); err != nil {
		return nil, err
	}
	if org == nil || string(org.Spec.Namespace) == m.Namespace { // the name does not tell the namespace
		key := bindingKey(string(m.Spec.OrganizationRef.Name), m.Name)
		if err := readList(ctx, r, &named, client.MatchingFields{byName: key}); err != nil {
			return nil, err
		}
	}
	foreign := func(b rbacv1.RoleBinding) bool {
		return !grant.IsManagedFor(&b, m) && (membershipOf(&b) != client.ObjectKeyFromObject(m) || !isMadeForItsLabels(&b))
	}
	all := slices.DeleteFunc(append(labelled.Items, named.Items...), foreign)
	if m.DeletionTimestamp != nil && len(all) == 0 {
		var newest rbacv1.RoleBindingList
		if err := readList(ctx, r.Live, &newest, client.MatchingLabels(grant.Labels(m.Namespace, m.Name))); err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(newest.Items, foreign)
	}
	slices.SortStableFunc(all, func(a, b rbacv1.RoleBinding) int { return cmp.Compare(a.UID, b.UID) })
	return slices.CompactFunc(all, func(a, b rbacv1.RoleBinding) bool { return a.UID == b.UID }), nil
}

// bindingKey identifies the holder of a Membership of an Organization in the names of
// RoleBindings.
func bindingKey(organization, name string) string { return organization + ":" + name }

// trimBinding reduces a RoleBinding to what Usher needs in the cache. Of a RoleBinding
// that Usher did not make, it keeps only the identity and the people among its subjects.
func trimBinding(o any) (any, error) {
	b, isBinding := o.(*rbacv1.RoleBinding)
	if !isBinding {
		return o, nil
	}
	_, _, named := grant.ParseBindingName(b.Name)
	if named || b.Labels[accountsv1.ManagedByLabel] == accountsv1.ManagedByValue {
		for i := range b.ManagedFields {
			b.ManagedFields[i].FieldsV1 = nil
		}
		return b, nil
	}
	return &rbacv1.RoleBinding{ObjectMeta: identityOf(b), Subjects: withheld.People(b.Subjects)}, nil
}

// trimClusterBinding reduces a ClusterRoleBinding to its identity and the people among
// its subjects.
func trimClusterBinding(o any) (any, error) {
	b, isBinding := o.(*rbacv1.ClusterRoleBinding)
	if !isBinding {
		return o, nil
	}
	return &rbacv1.ClusterRoleBinding{ObjectMeta: identityOf(b), Subjects: withheld.People(b.Subjects)}, nil
}

func identityOf(o client.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}

// deleteAll deletes RoleBindings. It continues after a failure, so that one RoleBinding
// that cannot be deleted does not keep the others in force.
func (r *membershipReconciler) deleteAll(ctx context.Context, bindings []rbacv1.RoleBinding) error {
	var errs []error
	for i := range bindings {
		b := &bindings[i]
		if err := r.BindingLimiter.Wait(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		r.ownWrites.Store(b.UID, nil)
		if err := r.withdraw(ctx, b); err != nil {
			r.ownWrites.Delete(b.UID)
			if client.IgnoreNotFound(err) != nil {
				errs = append(errs, fmt.Errorf("delete RoleBinding %s/%s: %w", b.Namespace, b.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// withdraw deletes a RoleBinding. The API server honours a RoleBinding as long as it
// exists, even while it is being deleted. If a foreign finalizer blocks the deletion,
// withdraw removes the subjects instead.
func (r *membershipReconciler) withdraw(ctx context.Context, b *rbacv1.RoleBinding) error {
	switch {
	case b.DeletionTimestamp == nil:
		return r.Delete(ctx, b, client.Preconditions{UID: &b.UID})
	case len(b.Subjects) == 0:
		return nil // the owner of the finalizer has to remove it
	}
	emptied := b.DeepCopy()
	emptied.Subjects = nil
	return r.Patch(ctx, emptied, client.MergeFromWithOptions(b, client.MergeFromWithOptimisticLock{}), client.FieldOwner(accountsv1.FieldManager))
}

// applyAll applies RoleBindings. It returns permanent refusals by the API server as
// failures to report, and everything else as an error to retry.
func (r *membershipReconciler) applyAll(ctx context.Context, m *accountsv1.Membership, bindings []rbacv1.RoleBinding) (map[string]membership.Failure, error) {
	failures := map[string]membership.Failure{}
	var errs []error
	for i := range bindings {
		b := &bindings[i]
		if failure, err := r.apply(ctx, m, b); err != nil {
			errs = append(errs, fmt.Errorf("apply RoleBinding %s/%s: %w", b.Namespace, b.Name, err))
		} else if failure.Reason != "" {
			failures[b.Namespace+"/"+b.Name] = failure
		}
	}
	return failures, errors.Join(errs...)
}

func (r *membershipReconciler) apply(ctx context.Context, m *accountsv1.Membership, b *rbacv1.RoleBinding) (membership.Failure, error) {
	existing, err := find(ctx, r.Live, client.ObjectKeyFromObject(b), &rbacv1.RoleBinding{})
	if err != nil {
		return membership.Failure{}, err
	}
	if existing != nil && !grant.IsManagedFor(existing, m) {
		return membership.Failure{
			Reason: accountsv1.ReasonBindingConflict,
			Message: fmt.Sprintf("RoleBinding %s in namespace %s is managed by %s. Usher does not take it over: delete or rename it.",
				b.Name, b.Namespace, fieldManagers(existing)),
		}, nil
	}
	if existing != nil && grant.SameBinding(existing, b) {
		return membership.Failure{}, nil // the cache does not have it yet
	}
	if err := r.BindingLimiter.Wait(ctx); err != nil {
		return membership.Failure{}, err
	}
	// Another client may create a RoleBinding of this name in the meantime. Usher does
	// not take it over: the UID restricts the forced apply to the object that was just
	// read. If none existed, the apply is not forced.
	config, options := applyConfiguration(b), []client.ApplyOption{client.FieldOwner(accountsv1.FieldManager)}
	if existing != nil {
		config.WithUID(existing.UID)
		options = append(options, client.ForceOwnership)
	} else {
		r.ownWrites.Store(client.ObjectKeyFromObject(b), nil)
	}
	err = r.Apply(ctx, config, options...)
	if err != nil {
		r.ownWrites.Delete(client.ObjectKeyFromObject(b))
	}
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err), apierrors.IsInvalid(err):
		return membership.Failure{
			Reason:  accountsv1.ReasonBindingFailed,
			Message: fmt.Sprintf("The API server refuses RoleBinding %s in namespace %s.", b.Name, b.Namespace),
		}, nil
	}
	return membership.Failure{}, err
}

// fieldManagers returns the field managers that wrote an object, as they named themselves.
func fieldManagers(o client.Object) string {
	var names []string
	for _, f := range o.GetManagedFields() {
		names = append(names, strconv.Quote(f.Manager))
	}
	if len(names) == 0 {
		return "another client"
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// withdrawStrays deletes the RoleBindings that remain if a Membership was deleted without
// running its finalizer.
func (r *membershipReconciler) withdrawStrays(ctx context.Context, key types.NamespacedName) error {
	var strays rbacv1.RoleBindingList
	if err := readList(ctx, r, &strays, client.MatchingFields{byMembership: key.String()}); err != nil || len(strays.Items) == 0 {
		return err
	}
	if m, err := find(ctx, r.Live, key, &accountsv1.Membership{}); err != nil || m != nil {
		return err
	}
	return r.deleteAll(ctx, slices.DeleteFunc(strays.Items, func(b rbacv1.RoleBinding) bool { return !isMadeForItsLabels(&b) }))
}

// isMadeForItsLabels reports whether Usher made a RoleBinding for the Membership that its
// labels name. A RoleBinding that another client created under such labels has another
// name.
func isMadeForItsLabels(b *rbacv1.RoleBinding) bool {
	said, m := membershipOf(b), &accountsv1.Membership{}
	m.Namespace, m.Name = said.Namespace, said.Name
	m.Spec.OrganizationRef.Name = accountsv1.CatalogueName(b.Labels[accountsv1.OrganizationLabel])
	return grant.IsManagedFor(b, m)
}

func applyConfiguration(b *rbacv1.RoleBinding) *rbacv1ac.RoleBindingApplyConfiguration {
	config := rbacv1ac.RoleBinding(b.Name, b.Namespace).WithLabels(b.Labels).WithRoleRef(
		rbacv1ac.RoleRef().WithAPIGroup(b.RoleRef.APIGroup).WithKind(b.RoleRef.Kind).WithName(b.RoleRef.Name))
	for _, s := range b.Subjects {
		config.WithSubjects(rbacv1ac.Subject().WithAPIGroup(s.APIGroup).WithKind(s.Kind).WithName(s.Name))
	}
	return config
}
