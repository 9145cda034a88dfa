// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/withheld"
)

func (r *accountReconciler) observe(ctx context.Context, a *accountsv1.Account) (account.Facts, error) {
	facts := account.Facts{
		Now: r.Clock.Now(), Account: a,
		ClaimOwner: r.Notifier.ClaimOwner, SendDeadline: r.Notifier.Deadline, MailDomain: notifier.DomainOf(r.Notifier.From),
		PlatformSender: r.Notifier.From.String(),
	}
	var err error
	if a.DeletionTimestamp != nil {
		facts.BindingsLeft, err = r.bindingsLeft(ctx, a)
		return facts, err
	}
	if account.IsIncomplete(a) {
		if facts.Origin, err = r.origin(ctx, a); err != nil {
			return facts, err
		}
	}
	if err := r.belongings(ctx, &facts); err != nil {
		return facts, err
	}
	if len(a.Status.UserNameTimes) > 0 {
		if facts.UserNames, err = r.userNames(ctx, a); err != nil {
			return facts, err
		}
	}
	if facts.Accepted, err = r.accepted(ctx, a); err != nil {
		return facts, err
	}
	if account.IsIncomplete(a) && len(facts.Accepted) > 0 {
		if facts.NameWithheld, err = r.nameWithheld(ctx, a); err != nil {
			return facts, err
		}
	}
	if slices.ContainsFunc(facts.Accepted, func(a account.Acceptance) bool { return !invitation.IsHistory(a.Invitation) }) {
		facts.Organizations, err = organizationsOf(ctx, r, r.Live, a)
	}
	return facts, err
}

// nameWithheld returns the object because of which no new Account may have the user name
// of an Account, or "". It reads the record of a retired name past the cache: the record
// was written before the earlier Account was removed. So a new Account never gets its
// first Membership without the record being seen.
func (r *accountReconciler) nameWithheld(ctx context.Context, a *accountsv1.Account) (string, error) {
	key := types.NamespacedName{Namespace: r.Namespace, Name: withheld.RecordName(a.Name)}
	record, err := find(ctx, r.Live, key, &corev1.ConfigMap{})
	if err != nil {
		return "", err
	}
	if record != nil {
		return nameOf(record), nil
	}
	binding, err := bindingTo(ctx, r, a.Name)
	if err != nil || binding == nil {
		return "", err
	}
	// Usher's own RoleBindings can be in the cache before the record that they follow from.
	newest, err := find(ctx, r.Live, client.ObjectKeyFromObject(a), &accountsv1.Account{})
	if err != nil || newest != nil && !account.IsIncomplete(newest) {
		return "", err
	}
	return nameOf(binding), nil
}

// nameOf returns kind, name and namespace of an object for messages.
func nameOf(o client.Object) string {
	name := kindOf(o) + " " + o.GetName()
	if o.GetNamespace() != "" {
		name += " in namespace " + o.GetNamespace()
	}
	return name
}

// bindingsLeft reports whether RoleBindings of Usher still grant anything to an Account.
// The next Account of that name would inherit the access. Labelled RoleBindings are read
// past the cache. Those whose labels were removed are found through the cache.
func (r *accountReconciler) bindingsLeft(ctx context.Context, a *accountsv1.Account) (bool, error) {
	left, err := bindingsLeft(ctx, r.Live, accountsv1.AccountLabel, a.Name)
	if err != nil || left {
		return left, err
	}
	var stripped rbacv1.RoleBindingList
	err = readList(ctx, r, &stripped, client.MatchingFields{bySubject: a.Name}, client.UnsafeDisableDeepCopy)
	return len(stripped.Items) > 0, err
}

// belongings reads the Memberships in the record: those that are being deleted, and those
// that the Account holds, with their Organizations.
func (r *accountReconciler) belongings(ctx context.Context, f *account.Facts) error {
	for _, key := range recordedMemberships(f.Account) {
		m, err := find(ctx, r, key, &accountsv1.Membership{})
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		org, err := r.organization(ctx, f.Account, m)
		if err != nil {
			return err
		}
		atHome := org != nil && string(org.Spec.Namespace) == m.Namespace
		retained := false
		if atHome && org.DeletionTimestamp == nil {
			_, retained = org.Owner(m.Name)
		}
		switch {
		case m.DeletionTimestamp != nil && !retained:
			f.Leaving = append(f.Leaving, key)
			continue
		case !membership.IsHeldBy(f.Account, key, m.Spec.Email):
			continue
		case retained:
			f.Retained = append(f.Retained, key)
		}
		if atHome {
			f.Belongings = append(f.Belongings, account.Belonging{Membership: m, Organization: org})
		}
	}
	return nil
}

// organization reads the Organization of a Membership. It reads past the cache if the
// Membership is being deleted or the person is leaving it, because an owner must not be
// released on stale data.
func (r *accountReconciler) organization(ctx context.Context, a *accountsv1.Account, m *accountsv1.Membership) (*accountsv1.Organization, error) {
	var reader client.Reader = r
	if m.DeletionTimestamp != nil || slices.Contains(a.Status.Leaving, accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(m.Namespace), Name: accountsv1.CatalogueName(m.Name),
	}) {
		reader = r.Live
	}
	return find(ctx, reader, types.NamespacedName{Name: string(m.Spec.OrganizationRef.Name)}, &accountsv1.Organization{})
}

// userNames returns the user names of all Accounts with the address, as people type them.
func (r *accountReconciler) userNames(ctx context.Context, a *accountsv1.Account) ([]string, error) {
	var same accountsv1.AccountList
	if err := readList(ctx, r, &same, client.MatchingFields{byAddress: address.Key(string(a.Spec.Email))}); err != nil {
		return nil, err
	}
	var names []string
	for i := range same.Items {
		if other := &same.Items[i]; !account.IsIncomplete(other) && other.DeletionTimestamp == nil {
			names = append(names, username.Show(other.Name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// origin reads, past the cache, the exact Invitation that an Account was created through.
// An Account must not be discarded on stale data.
func (r *accountReconciler) origin(ctx context.Context, a *accountsv1.Account) (*accountsv1.Invitation, error) {
	ref := a.Spec.InvitationRef
	key := types.NamespacedName{Namespace: string(ref.Namespace), Name: string(ref.Name)}
	inv, err := find(ctx, r.Live, key, &accountsv1.Invitation{})
	if err != nil || inv == nil || string(inv.UID) != ref.UID {
		return nil, err
	}
	return inv, nil
}

func (r *accountReconciler) accepted(ctx context.Context, a *accountsv1.Account) ([]account.Acceptance, error) {
	var invs accountsv1.InvitationList
	if err := readList(ctx, r, &invs, client.MatchingFields{byAccount: string(a.UID)}); err != nil {
		return nil, err
	}
	found := make([]account.Acceptance, 0, len(invs.Items))
	for i := range invs.Items {
		inv := &invs.Items[i]
		m, err := find(ctx, r, client.ObjectKeyFromObject(inv), &accountsv1.Membership{})
		if err != nil {
			return nil, err
		}
		org, err := find(ctx, r, types.NamespacedName{Name: string(inv.Spec.OrganizationRef.Name)}, &accountsv1.Organization{})
		if err != nil {
			return nil, err
		}
		found = append(found, account.Acceptance{Invitation: inv, Membership: m, Organization: org})
	}
	return found, nil
}
