// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// Leave records that a member wants to leave a Membership. The controller carries it out.
func (s *Store) Leave(ctx context.Context, m *Member, b account.Belonging) error {
	wish := accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(b.Membership.Namespace), Name: accountsv1.CatalogueName(b.Membership.Name),
	}
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		if slices.Contains(m.Account.Status.Leaving, wish) {
			return ErrUnchanged
		}
		m.Account.Status.Leaving = append(m.Account.Status.Leaving, wish)
		return nil
	})
}

// OnlyOwner reports whether this Membership is the only owner of the Organization,
// according to the list that the controller keeps. The controller holds an owner back
// regardless of what the page says, so the page must not promise more. The list is empty
// for a moment after the first owner joined. Then no other owner can be counted on.
func (s *Store) OnlyOwner(ctx context.Context, b account.Belonging) (bool, error) {
	org, err := get[accountsv1.Organization](ctx, s.Live, client.ObjectKeyFromObject(b.Organization))
	if err != nil {
		return false, fmt.Errorf("read the owners of an organization: %w", err)
	}
	if org == nil || org.DeletionTimestamp != nil {
		return false, nil // it holds no owner back
	}
	if len(org.Status.Owners) == 0 {
		return account.IsOwner(account.Belonging{Membership: b.Membership, Organization: org}), nil
	}
	_, owns := org.Owner(b.Membership.Name)
	return owns && len(org.Status.Owners) == 1, nil
}
