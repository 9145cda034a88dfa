// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
)

func (r *membershipReconciler) observe(ctx context.Context, m *accountsv1.Membership) (membership.Facts, error) {
	facts := membership.Facts{Now: r.Clock.Now(), Membership: m, Cluster: grant.Cluster{Own: r.Namespace}}
	key := client.ObjectKeyFromObject(m)
	org, homeTaken, err := findOrganization(ctx, r, m.Spec.OrganizationRef.Name)
	if err != nil {
		return facts, err
	}
	facts.Organization, facts.HomeTaken = org, homeTaken != ""
	if facts.Invitation, err = find(ctx, r, key, &accountsv1.Invitation{}); err != nil {
		return facts, err
	}
	if facts.Account, err = findMembershipOwner(ctx, r, key, m.Spec.Email); err != nil {
		return facts, err
	}
	if facts.Bindings, err = r.bindings(ctx, m, org); err != nil {
		return facts, err
	}
	if facts.Guard, err = r.Policies.state(ctx, facts.Now); err != nil || org == nil {
		return facts, err
	}
	if err := r.freshOwners(ctx, m, org); err != nil {
		return facts, err
	}
	if facts.Cluster, err = cluster(ctx, r, r.ClusterRoles, r.Namespace, org); err != nil {
		return facts, err
	}
	facts.Cluster.Homes, err = homesAmong(ctx, r, facts.ManagedElsewhere())
	return facts, err
}

// freshOwners reads the owners past the cache if a manifest may ask for less than before,
// or if an owner is retained. An owner must not lose access on stale data.
func (r *membershipReconciler) freshOwners(ctx context.Context, m *accountsv1.Membership, org *accountsv1.Organization) error {
	seen := m.Status.ObservedGeneration
	changed := m.DeletionTimestamp != nil || seen == nil || *seen != m.Generation
	if !org.HasOwners() || !changed && !membership.IsRetained(m) {
		return nil
	}
	fresh, err := find(ctx, r.Live, client.ObjectKeyFromObject(org), &accountsv1.Organization{})
	if err != nil || fresh == nil {
		return err
	}
	org.Status.Owners = fresh.Status.Owners
	return nil
}
