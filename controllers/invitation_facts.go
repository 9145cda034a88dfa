// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/organization"
)

func (r *InvitationReconciler) observe(ctx context.Context, inv *accountsv1.Invitation) (invitation.Facts, error) {
	var none invitation.Facts
	key := client.ObjectKeyFromObject(inv)
	org, homeTaken, err := findOrganization(ctx, r, inv.Spec.OrganizationRef.Name)
	if err != nil {
		return none, err
	}
	m, err := find(ctx, r, key, &accountsv1.Membership{})
	if err != nil {
		return none, err
	}
	holder, err := findHolder(ctx, r, key, inv.Spec.Email)
	if err != nil {
		return none, err
	}
	accepter, err := r.accepter(ctx, inv)
	if err != nil {
		return none, err
	}
	foreign, err := r.foreign(ctx, accepter, org)
	if err != nil {
		return none, err
	}
	sender := r.Post.sender(org)
	facts := invitation.Facts{
		Offer:        invitation.Offer{Invitation: inv, Organization: org, Membership: m, TakenUp: holder != nil},
		Now:          r.Clock.Now(),
		Accepter:     accepter,
		Foreign:      foreign,
		HomeTaken:    homeTaken != "",
		Holder:       r.Post.Holder,
		SendDeadline: r.Post.Deadline,
		Sender:       sender.String(),
		MailDomain:   domainOf(sender),
	}
	if facts.Unvetted, err = r.unvetted(ctx, facts.Offer); err != nil {
		return none, err
	}
	keys, err := r.Post.Keys(ctx)
	if err != nil {
		facts.KeyFault = err.Error()
	}
	facts.NewestKey = int32(keys.Newest())
	if facts.Rival, err = r.rival(ctx, inv); err != nil {
		return none, err
	}
	if facts, err = r.withMailings(ctx, facts); err != nil {
		return none, err
	}
	return r.withAudience(ctx, facts)
}

// unvetted tells whether an Invitation that was applied by hand is for a role
// that manages people, and older than the policies that guard those.
func (r *InvitationReconciler) unvetted(ctx context.Context, o invitation.Offer) (bool, error) {
	if o.Organization == nil || o.Membership != nil || invitation.MadeForMembership(o.Invitation) {
		return false, nil
	}
	guarded, err := r.Policies.state(ctx, r.Clock.Now())
	if err != nil || guarded.VettedSince(o.Invitation.CreationTimestamp.Time) {
		return false, err
	}
	roles, err := r.ClusterRoles.of(ctx, o.Organization)
	role, _ := o.Organization.Role(o.Role())
	return grant.Manages(o.Organization, role, roles), err
}

// accepter reads the Account that accepted; nil if it is no more. The cache may
// not have it yet, so it is looked for past the cache before it is given up.
func (r *InvitationReconciler) accepter(ctx context.Context, inv *accountsv1.Invitation) (*accountsv1.Account, error) {
	by := inv.Status.Acceptance.AccountRef
	if !inv.Status.Acceptance.Given() || invitation.IsHistory(inv) {
		return nil, nil
	}
	for _, reader := range []client.Reader{r, r.Live} {
		a, err := find(ctx, reader, client.ObjectKey{Name: string(by.Name)}, &accountsv1.Account{})
		if err != nil {
			return nil, err
		}
		if a != nil && string(a.UID) == by.UID {
			return a, nil
		}
	}
	return nil, nil
}

// foreign tells whether the Account that accepted belongs to an Organization of
// another legal entity.
func (r *InvitationReconciler) foreign(ctx context.Context, accepter *accountsv1.Account, org *accountsv1.Organization) (bool, error) {
	if accepter == nil || org == nil {
		return false, nil
	}
	current, err := organizationsOf(ctx, r, r.Live, accepter)
	return !organization.MayJoin(org, current), err
}

// rival finds who has the address in the Organization already.
func (r *InvitationReconciler) rival(ctx context.Context, inv *accountsv1.Invitation) (invitation.Rival, error) {
	var (
		none        invitation.Rival
		invitations accountsv1.InvitationList
		memberships accountsv1.MembershipList
		accounts    accountsv1.AccountList
	)
	same := client.MatchingFields{byInvited: invitedKey(inv.Spec.OrganizationRef, inv.Spec.Email)}
	if err := r.List(ctx, &invitations, same, client.InNamespace(inv.Namespace)); err != nil {
		return none, err
	}
	if err := r.List(ctx, &memberships, same, client.InNamespace(inv.Namespace)); err != nil {
		return none, err
	}
	if err := r.List(ctx, &accounts, client.MatchingFields{byAddress: address.Key(string(inv.Spec.Email))}); err != nil {
		return none, err
	}
	others := invitation.Others{Invitations: invitations.Items, Memberships: memberships.Items}
	for _, a := range accounts.Items {
		for _, held := range recorded(&a) {
			if held.Namespace == inv.Namespace && held.Name != inv.Name && a.DeletionTimestamp == nil {
				others.Accounts = append(others.Accounts, a)
				break
			}
		}
	}
	return invitation.FindRival(inv, others), nil
}

// withMailings adds when the address was mailed, and the telephone texted, by all
// Organizations.
func (r *InvitationReconciler) withMailings(ctx context.Context, f invitation.Facts) (invitation.Facts, error) {
	inv := f.Invitation
	r.Post.mailed.note(inv, f.Now)
	var err error
	if f.Mailings, err = r.mailings(ctx, inv, byAddress, address.Key(string(inv.Spec.Email))); err != nil {
		return f, err
	}
	if number := invitation.Telephone(inv); number != "" {
		f.Texts, err = r.mailings(ctx, inv, byTelephone, number)
	}
	return f, err
}

// mailings are when invitations were sent to an address, or to a number, as an
// index knows it.
func (r *InvitationReconciler) mailings(ctx context.Context, inv *accountsv1.Invitation, index, recipient string) (invitation.Mailings, error) {
	var same accountsv1.InvitationList
	if err := r.List(ctx, &same, client.MatchingFields{index: recipient}); err != nil {
		return invitation.Mailings{}, err
	}
	known, all := mailingsOf(inv), invitation.Mailings{All: invitation.MailingsOf(inv)}
	for i := range same.Items {
		other := &same.Items[i]
		if other.UID == inv.UID {
			continue // the cache can be behind
		}
		known = append(known, mailingsOf(other)...)
		all.All = append(all.All, invitation.MailingsOf(other)...)
		if other.Spec.OrganizationRef == inv.Spec.OrganizationRef {
			all.Near = append(all.Near, invitation.MailingsOf(other)...)
		}
	}
	gone := r.Post.mailed.without(recipientKey(inv, recipient), known)
	all.All, all.Near = append(all.All, gone...), append(all.Near, gone...)
	return all, nil
}

// withAudience adds who is told about an answer, when there is a new one.
func (r *InvitationReconciler) withAudience(ctx context.Context, f invitation.Facts) (invitation.Facts, error) {
	status := f.Invitation.Status
	yes := status.Acceptance.Given() && status.State != accountsv1.InvitationActive
	no := status.Decline.Given() && status.State != accountsv1.InvitationDeclined
	if f.Organization == nil || !yes && !no {
		return f, nil
	}
	var members accountsv1.MembershipList
	if err := r.List(ctx, &members, client.InNamespace(f.Invitation.Namespace), client.MatchingFields{byOrganization: f.Organization.Name}); err != nil {
		return f, err
	}
	for _, m := range members.Items {
		role, _ := f.Organization.Role(m.Spec.Role)
		if role.Standing != accountsv1.StandingOwner || m.Status.State != accountsv1.MembershipActive {
			continue
		}
		a, err := find(ctx, r, types.NamespacedName{Name: string(m.Status.AccountRef.Name)}, &accountsv1.Account{})
		if err != nil {
			return f, err
		}
		if a != nil {
			f.Owners = append(f.Owners, invitation.Owner{Name: m.Name, Email: string(a.Spec.Email)})
		}
	}
	slices.SortFunc(f.Owners, func(a, b invitation.Owner) int { return strings.Compare(a.Name, b.Name) })
	f.Permissions = permissionLines(f.Offer)
	chatURL, err := r.Post.Settings.chatURL(ctx, f.Invitation.Namespace)
	f.Chat = chatURL != "" && chat.Check(chatURL) == nil
	return f, err
}
