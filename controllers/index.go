// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/withheld"
)

// Cache indexes, named by what the value is.
const (
	byOrganization = "organization"
	byNamespace    = "namespace"
	byMembership   = "membership"
	byAccount      = "account"
	byInvitation   = "invitation"
	byClusterRole  = "clusterRole"
	byAddress      = "address"
	byInvited      = "invited"
	byRateLimit    = "rateLimit"
	byWaiting      = "waiting"
	byName         = "name"
	bySubject      = "subject"
	byUserName     = "userName"
)

// index is one way to look up objects of a kind in the cache.
type index struct {
	object client.Object
	name   string
	values func(client.Object) []string
}

// SetupIndexes registers the cache indexes that the reconcilers use.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range slices.Concat(organizationIndexes(), membershipIndexes(), invitationIndexes(), accountIndexes(), roleBindingIndexes()) {
		if err := indexer.IndexField(ctx, i.object, i.name, i.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", i.object, i.name, err)
		}
	}
	return nil
}

func organizationIndexes() []index {
	return []index{
		{&accountsv1.Organization{}, byNamespace, func(o client.Object) []string {
			return []string{string(o.(*accountsv1.Organization).Spec.Namespace)}
		}},
		{&accountsv1.Organization{}, byClusterRole, func(o client.Object) []string {
			return organization.NamedClusterRoles(o.(*accountsv1.Organization))
		}},
	}
}

func membershipIndexes() []index {
	return []index{
		{&accountsv1.Membership{}, byOrganization, func(o client.Object) []string {
			return []string{string(o.(*accountsv1.Membership).Spec.OrganizationRef.Name)}
		}},
		{&accountsv1.Membership{}, byInvited, func(o client.Object) []string {
			spec := o.(*accountsv1.Membership).Spec
			return []string{invitedKey(spec.OrganizationRef, spec.Email)}
		}},
		{&accountsv1.Membership{}, byWaiting, func(o client.Object) []string {
			return waitingKeys(o.(*accountsv1.Membership), o.(*accountsv1.Membership).Spec.OrganizationRef)
		}},
	}
}

func invitationIndexes() []index {
	return []index{
		{&accountsv1.Invitation{}, byInvited, func(o client.Object) []string {
			spec := o.(*accountsv1.Invitation).Spec
			return []string{invitedKey(spec.OrganizationRef, spec.Email)}
		}},
		{&accountsv1.Invitation{}, byAddress, func(o client.Object) []string {
			return []string{address.Key(string(o.(*accountsv1.Invitation).Spec.Email))}
		}},
		{&accountsv1.Invitation{}, byRateLimit, func(o client.Object) []string {
			return notifier.LimitKeys(o.(*accountsv1.Invitation))
		}},
		{&accountsv1.Invitation{}, byWaiting, func(o client.Object) []string {
			return waitingKeys(o.(*accountsv1.Invitation), o.(*accountsv1.Invitation).Spec.OrganizationRef)
		}},
		{&accountsv1.Invitation{}, byOrganization, func(o client.Object) []string {
			return []string{string(o.(*accountsv1.Invitation).Spec.OrganizationRef.Name)}
		}},
		{&accountsv1.Invitation{}, byAccount, func(o client.Object) []string {
			return nonEmpty(o.(*accountsv1.Invitation).Status.Acceptance.AccountRef.UID)
		}},
	}
}

func accountIndexes() []index {
	return []index{
		{&accountsv1.Account{}, byAddress, func(o client.Object) []string {
			return []string{address.Key(string(o.(*accountsv1.Account).Spec.Email))}
		}},
		{&accountsv1.Account{}, byNamespace, func(o client.Object) []string {
			var homes []string
			for _, n := range recordedMemberships(o) {
				homes = append(homes, n.Namespace)
			}
			slices.Sort(homes)
			return slices.Compact(homes)
		}},
		{&accountsv1.Account{}, byMembership, func(o client.Object) []string {
			var keys []string
			for _, n := range recordedMemberships(o) {
				keys = append(keys, n.String())
			}
			return keys
		}},
		{&accountsv1.Account{}, byInvitation, func(o client.Object) []string {
			return []string{o.(*accountsv1.Account).Spec.InvitationRef.UID}
		}},
	}
}

func roleBindingIndexes() []index {
	return []index{
		{&rbacv1.RoleBinding{}, byMembership, func(o client.Object) []string {
			return []string{membershipOf(o).String()}
		}},
		{&rbacv1.RoleBinding{}, byName, func(o client.Object) []string {
			organization, name, found := grant.ParseBindingName(o.GetName())
			if !found {
				return nil
			}
			return []string{bindingKey(organization, name)}
		}},
		{&rbacv1.RoleBinding{}, bySubject, func(o client.Object) []string {
			b := o.(*rbacv1.RoleBinding)
			if _, _, named := grant.ParseBindingName(b.Name); !named || !grant.Applied(b) {
				return nil
			}
			return subjectsOf(b)
		}},
		{&rbacv1.RoleBinding{}, byUserName, subjectsOf},
		{&rbacv1.ClusterRoleBinding{}, byUserName, subjectsOf},
	}
}

// recordedMemberships returns the Memberships in an Account's record.
func recordedMemberships(account client.Object) []types.NamespacedName {
	var names []types.NamespacedName
	for _, h := range membership.ParseRecord(account.GetAnnotations()[accountsv1.MembershipsAnnotation]) {
		names = append(names, h.NamespacedName)
	}
	return names
}

// invitedKey identifies an address in an Organization.
func invitedKey(org accountsv1.OrganizationReference, email accountsv1.EmailAddress) string {
	return string(org.Name) + "/" + address.Key(string(email))
}

// waitingKeys returns the keys of an object whose mail is held, or waits for the quota of its
// Organization. It looks at conditions that a failed reconciliation does not change.
func waitingKeys(o objectWithConditions, org accountsv1.OrganizationReference) []string {
	var keys []string
	for _, conditionType := range []string{accountsv1.ConditionPending, accountsv1.ConditionResendBlocked, accountsv1.ConditionCodeBlocked} {
		c := meta.FindStatusCondition(o.GetConditions(), conditionType)
		if c != nil && (c.Reason == accountsv1.ReasonMailHeld || c.Reason == accountsv1.ReasonQuotaReached) {
			keys = append(keys, waitingKey(string(org.Name), c.Reason))
		}
	}
	return keys
}

// waitingKey identifies the objects of an Organization that wait for one reason.
func waitingKey(org, reason string) string { return org + "/" + reason }

// membershipOf returns the Membership that a RoleBinding was made for, according to its
// labels.
func membershipOf(binding client.Object) types.NamespacedName {
	labels := binding.GetLabels()
	return types.NamespacedName{
		Namespace: labels[accountsv1.MembershipNamespaceLabel],
		Name:      labels[accountsv1.MembershipNameLabel],
	}
}

// subjectsOf returns the names of the Accounts that a RoleBinding or a ClusterRoleBinding
// grants access to. The binding can be nil.
func subjectsOf(binding client.Object) []string {
	switch b := binding.(type) {
	case *rbacv1.RoleBinding:
		return withheld.UserNames(b.Subjects)
	case *rbacv1.ClusterRoleBinding:
		return withheld.UserNames(b.Subjects)
	}
	return nil
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
