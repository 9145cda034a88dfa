// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/seat"
)

func (r *organizationReconciler) observe(ctx context.Context, org *accountsv1.Organization) (organization.Facts, error) {
	facts := organization.Facts{Now: r.Clock.Now(), Organization: org, Own: r.Namespace}
	var err error
	if facts.HomeTaken, err = namespaceOwner(ctx, r, org); err != nil {
		return facts, err
	}
	facts.Namespace, err = find(ctx, r, types.NamespacedName{Name: string(org.Spec.Namespace)}, &corev1.Namespace{})
	if err != nil {
		return facts, err
	}
	if facts.Guard, err = r.Policies.state(ctx, facts.Now); err != nil {
		return facts, err
	}
	cluster, err := cluster(ctx, r, r.ClusterRoles, r.Namespace, org)
	if err != nil {
		return facts, err
	}
	facts.ClusterRoles, facts.Namespaces = cluster.ClusterRoles, cluster.Namespaces
	if facts.Mail, err = r.Settings.Fault(ctx, org); err != nil {
		return facts, err
	}
	facts.MailHeld = r.countMailHeld(ctx, org)
	facts.QuotaReached = len(requests(ctx, r, &accountsv1.InvitationList{},
		client.MatchingFields{byWaiting: waitingKey(org.Name, accountsv1.ReasonQuotaReached)})) > 0
	if facts.Seats, err = r.seats(ctx, org); err != nil {
		return facts, err
	}
	if org.DeletionTimestamp != nil {
		facts.BindingsLeft, err = bindingsLeft(ctx, r.Live, accountsv1.OrganizationLabel, org.Name)
		return facts, err
	}
	if facts.HomeTaken != "" || facts.Namespace == nil || facts.Namespace.DeletionTimestamp != nil {
		return facts, nil
	}
	if facts.FounderMemberships, err = r.founderMemberships(ctx, org); err != nil {
		return facts, err
	}
	if facts.Owners, err = r.owners(ctx, org); err != nil {
		return facts, err
	}
	facts.Rollout, err = r.rollout(ctx, org, cluster)
	return facts, err
}

// founderMemberships reads the Memberships with the names of founders without a record. It reads live:
// with the cache, a Membership could look as if it did not exist.
func (r *organizationReconciler) founderMemberships(ctx context.Context, org *accountsv1.Organization) ([]accountsv1.Membership, error) {
	var existing []accountsv1.Membership
	for _, founder := range organization.UnrecordedFounders(org) {
		key := types.NamespacedName{Namespace: string(org.Spec.Namespace), Name: string(founder.Name)}
		m, err := find(ctx, r.Live, key, &accountsv1.Membership{})
		if err != nil {
			return nil, err
		}
		if m != nil {
			existing = append(existing, *m)
		}
	}
	return existing, nil
}

// owners returns the new list of owners. It never removes an owner based on the cache
// alone, which may not show yet that the remaining owner is leaving.
func (r *organizationReconciler) owners(ctx context.Context, org *accountsv1.Organization) ([]accountsv1.OwnerStatus, error) {
	if !org.HasOwners() {
		return nil, nil
	}
	shown, err := r.ownerCandidates(ctx, r, org)
	if err != nil {
		return nil, err
	}
	if owners := organization.Owners(org, shown); slices.Equal(owners, org.Status.Owners) {
		return owners, nil
	}
	people, err := r.ownerCandidates(ctx, r.Live, org)
	return organization.Owners(org, people), err
}

// ownerCandidates reads the Memberships that Accounts hold and whose members are owners, were
// owners or are about to be.
func (r *organizationReconciler) ownerCandidates(ctx context.Context, reader client.Reader, org *accountsv1.Organization) ([]organization.Person, error) {
	var memberships accountsv1.MembershipList
	if err := readList(ctx, reader, &memberships, client.InNamespace(org.Spec.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var people []organization.Person
	for i := range memberships.Items {
		m := &memberships.Items[i]
		if string(m.Spec.OrganizationRef.Name) != org.Name || !isOwner(org, m) {
			continue
		}
		member, err := findMembershipOwner(ctx, r, client.ObjectKeyFromObject(m), m.Spec.Email)
		if err == nil && member != nil {
			member, err = find(ctx, reader, client.ObjectKeyFromObject(member), &accountsv1.Account{})
		}
		if err != nil {
			return nil, err
		}
		if member == nil || member.DeletionTimestamp != nil || !membership.IsHeldBy(member, client.ObjectKeyFromObject(m), m.Spec.Email) {
			continue
		}
		leaving := slices.Contains(member.Status.Leaving, accountsv1.MembershipReference{
			Namespace: org.Spec.Namespace, Name: accountsv1.CatalogueName(m.Name),
		})
		people = append(people, organization.Person{
			Membership: m, Leaving: leaving, Disabled: member.Spec.State == accountsv1.AccountSwitchDisabled,
		})
	}
	return people, nil
}

// rollout counts the progress of a change of the catalogue. The grants of all members are
// needed, so it reads all home namespaces.
func (r *organizationReconciler) rollout(ctx context.Context, org *accountsv1.Organization, cluster grant.Cluster) (accountsv1.RolloutStatus, error) {
	var err error
	if cluster.Homes, err = allHomes(ctx, r); err != nil {
		return accountsv1.RolloutStatus{}, err
	}
	var memberships accountsv1.MembershipList
	err = readList(ctx, r, &memberships, client.MatchingFields{byOrganization: org.Name}, client.UnsafeDisableDeepCopy)
	return membership.Rollout(org, memberships.Items, cluster), err
}

// countMailHeld counts the people whose mail is held.
func (r *organizationReconciler) countMailHeld(ctx context.Context, org *accountsv1.Organization) int {
	names := map[string]struct{}{}
	for _, list := range []client.ObjectList{&accountsv1.MembershipList{}, &accountsv1.InvitationList{}} {
		for _, held := range requests(ctx, r, list, client.MatchingFields{byWaiting: waitingKey(org.Name, accountsv1.ReasonMailHeld)}) {
			names[held.Name] = struct{}{}
		}
	}
	return len(names)
}

// seats returns the new assignment of the seats. It never assigns or frees a seat based
// on the cache alone, which may not show yet that another person has one.
func (r *organizationReconciler) seats(ctx context.Context, org *accountsv1.Organization) (accountsv1.SeatsStatus, error) {
	if org.Spec.Seats == 0 {
		return accountsv1.SeatsStatus{}, nil
	}
	shown, err := r.seatCandidates(ctx, r, org, client.UnsafeDisableDeepCopy)
	if err != nil {
		return org.Status.Seats, err
	}
	if seats := seat.Assign(org, shown); equality.Semantic.DeepEqual(seats, org.Status.Seats) {
		return seats, nil
	}
	people, err := r.seatCandidates(ctx, r.Live, org)
	if err != nil {
		return org.Status.Seats, err
	}
	return seat.Assign(org, people), nil
}

// seatCandidates reads the objects that could have a seat. An accepted Invitation creates its
// Membership before it is deleted. Reading the Invitations first therefore shows at least
// one of the two.
func (r *organizationReconciler) seatCandidates(
	ctx context.Context, reader client.Reader, org *accountsv1.Organization, options ...client.ListOption,
) (seat.People, error) {
	home := string(org.Spec.Namespace)
	options = append(options, client.InNamespace(home))
	var (
		invitations accountsv1.InvitationList
		memberships accountsv1.MembershipList
		accounts    accountsv1.AccountList
	)
	err := errors.Join(
		readList(ctx, reader, &invitations, options...),
		readList(ctx, reader, &memberships, options...),
		readList(ctx, r, &accounts, client.MatchingFields{byNamespace: home}),
	)
	return seat.People{Invitations: invitations.Items, Memberships: memberships.Items, Accounts: accounts.Items}, err
}
