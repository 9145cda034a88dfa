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
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/organization"
	"github.com/usher-dev/usher/internal/wording"
)

func (r *invitationReconciler) observe(ctx context.Context, inv *accountsv1.Invitation) (invitation.Facts, error) {
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
	member, err := findMembershipOwner(ctx, r, key, inv.Spec.Email)
	if err != nil {
		return none, err
	}
	offer := invitation.Offer{Invitation: inv, Organization: org, Membership: m, Joined: member != nil}
	accepter, err := r.acceptingAccount(ctx, offer)
	if err != nil {
		return none, err
	}
	foreign, err := r.isOtherLegalEntity(ctx, accepter, org)
	if err != nil {
		return none, err
	}
	sender := r.Notifier.Sender(org)
	facts := invitation.Facts{
		Offer:        offer,
		Now:          r.Clock.Now(),
		Accepter:     accepter,
		Foreign:      foreign,
		HomeTaken:    homeTaken != "",
		Media:        notifier.Media(),
		ClaimOwner:   r.Notifier.ClaimOwner,
		SendDeadline: r.Notifier.Deadline,
		Sender:       sender.String(),
		MailDomain:   notifier.DomainOf(sender),
	}
	if facts.Unvetted, err = r.unvetted(ctx, facts.Offer); err != nil {
		return none, err
	}
	keys, err := r.Notifier.Keys(ctx)
	if err != nil {
		facts.KeyFault = err.Error()
	}
	facts.NewestKey = int32(keys.Newest())
	if facts.AddressConflict, err = r.addressConflict(ctx, inv); err != nil {
		return none, err
	}
	if facts, err = r.withMailings(ctx, facts); err != nil {
		return none, err
	}
	return r.withAudience(ctx, facts)
}

// unvetted reports whether an Invitation that was applied manually has a role that
// manages people and is older than the policies that guard such roles.
func (r *invitationReconciler) unvetted(ctx context.Context, o invitation.Offer) (bool, error) {
	if o.Organization == nil || o.Membership != nil || invitation.IsManagedByMembership(o.Invitation) {
		return false, nil
	}
	guarded, err := r.Policies.state(ctx, r.Clock.Now())
	if err != nil || guarded.VettedSince(o.Invitation.CreationTimestamp.Time) {
		return false, err
	}
	roles, err := r.ClusterRoles.inspect(ctx, o.Organization)
	role, _ := o.Organization.Role(o.Role())
	return grant.Manages(o.Organization, role, roles), err
}

// acceptingAccount reads the Account that accepted, or returns nil if it no longer exists. The
// cache may lack a new Account, or the proof of its address. So the function also reads past
// the cache before an acceptance fails.
func (r *invitationReconciler) acceptingAccount(ctx context.Context, o invitation.Offer) (*accountsv1.Account, error) {
	by := o.Invitation.Status.Acceptance.AccountRef
	if !o.Invitation.Status.Acceptance.Given() || invitation.IsHistory(o.Invitation) {
		return nil, nil
	}
	read := func(reader client.Reader) (*accountsv1.Account, error) {
		a, err := find(ctx, reader, client.ObjectKey{Name: string(by.Name)}, &accountsv1.Account{})
		if err != nil || a == nil || string(a.UID) != by.UID {
			return nil, err
		}
		return a, nil
	}
	if a, err := read(r); err != nil || a != nil && o.MayAccept(a) {
		return a, err
	}
	return read(r.Live)
}

// isOtherLegalEntity reports whether the Account that accepted belongs to an Organization of another
// legal entity.
func (r *invitationReconciler) isOtherLegalEntity(ctx context.Context, accepter *accountsv1.Account, org *accountsv1.Organization) (bool, error) {
	if accepter == nil || org == nil {
		return false, nil
	}
	current, err := organizationsOf(ctx, r, r.Live, accepter)
	return !organization.MayJoin(org, current), err
}

// addressConflict finds another object that already has the address in the Organization.
func (r *invitationReconciler) addressConflict(ctx context.Context, inv *accountsv1.Invitation) (invitation.AddressConflict, error) {
	var (
		none        invitation.AddressConflict
		invitations accountsv1.InvitationList
		memberships accountsv1.MembershipList
		accounts    accountsv1.AccountList
	)
	same := client.MatchingFields{byInvited: invitedKey(inv.Spec.OrganizationRef, inv.Spec.Email)}
	if err := readList(ctx, r, &invitations, same, client.InNamespace(inv.Namespace)); err != nil {
		return none, err
	}
	if err := readList(ctx, r, &memberships, same, client.InNamespace(inv.Namespace)); err != nil {
		return none, err
	}
	if err := readList(ctx, r, &accounts, client.MatchingFields{byAddress: address.Key(string(inv.Spec.Email))}); err != nil {
		return none, err
	}
	others := invitation.AddressUses{Invitations: invitations.Items, Memberships: memberships.Items}
	for _, a := range accounts.Items {
		for _, held := range recordedMemberships(&a) {
			if held.Namespace == inv.Namespace && held.Name != inv.Name && a.DeletionTimestamp == nil {
				others.Accounts = append(others.Accounts, a)
				break
			}
		}
	}
	return invitation.FindAddressConflict(inv, others), nil
}

// withMailings adds when the recipients were last sent invitations, across all
// Organizations, and whether the quota of the Organization is used up.
func (r *invitationReconciler) withMailings(ctx context.Context, f invitation.Facts) (invitation.Facts, error) {
	inv := f.Invitation
	r.Notifier.NoteMailings(inv, f.Now)
	for _, limit := range f.Media.RateLimits(inv) {
		counted, err := r.countMailings(ctx, inv, limit)
		if err != nil {
			return f, err
		}
		f.Mailings = append(f.Mailings, counted)
	}
	if requested, is := f.RequestedCode(); is {
		for _, limit := range notifier.CodeLimits(requested) {
			var err error
			if f.CodeMailings, err = r.countMailings(ctx, inv, limit); err != nil {
				return f, err
			}
		}
	}
	if f.Organization == nil {
		return f, nil
	}
	if name := f.Organization.Name; !r.Notifier.Counts(name) {
		var all accountsv1.InvitationList
		if err := readList(ctx, r, &all, client.MatchingFields{byOrganization: name}, client.UnsafeDisableDeepCopy); err != nil {
			return f, err
		}
		r.Notifier.CountExisting(name, all.Items, f.Now)
	}
	f.QuotaFreeAt = r.Notifier.QuotaFreeAt(f.Organization, f.Now)
	return f, nil
}

// countMailings returns when the recipient of a limit was sent invitations and codes.
func (r *invitationReconciler) countMailings(ctx context.Context, inv *accountsv1.Invitation, limit delivery.RateLimit) (invitation.Mailings, error) {
	var sharing accountsv1.InvitationList
	err := readList(ctx, r, &sharing, client.MatchingFields{byRateLimit: limit.Key})
	return r.Notifier.CountMailings(inv, limit, sharing.Items), err
}

// withAudience adds the people to notify about an answer, if there is a new one.
func (r *invitationReconciler) withAudience(ctx context.Context, f invitation.Facts) (invitation.Facts, error) {
	status := f.Invitation.Status
	yes := status.Acceptance.Given() && status.State != accountsv1.InvitationActive
	no := status.Decline.Given() && status.State != accountsv1.InvitationDeclined
	if f.Organization == nil || !yes && !no {
		return f, nil
	}
	var members accountsv1.MembershipList
	if err := readList(ctx, r, &members, client.InNamespace(f.Invitation.Namespace), client.MatchingFields{byOrganization: f.Organization.Name}); err != nil {
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
	f.Permissions = wording.PermissionLines(f.Offer)
	chatURL, err := r.Notifier.Settings.ChatURL(ctx, f.Invitation.Namespace)
	f.Chat = chatURL != "" && chat.Check(chatURL) == nil
	return f, err
}
