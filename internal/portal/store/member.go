// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/username"
)

// memberTries bounds how often a change of an Account, or of its Secret, is
// tried again after somebody else was faster. As many guesses as lock an Account
// can be faster, and hardly anything else is.
const memberTries = 120

// ErrUnchanged says, from a change, that there is nothing to write.
var ErrUnchanged = errors.New("nothing to change")

// ErrGone says that the Account was deleted in the meantime, or cannot be used.
var ErrGone = errors.New("the account is gone")

// Member is a person who has an Account, with what they sign in with, as both
// were at one moment.
type Member struct {
	Account     *accountsv1.Account
	secret      *corev1.Secret
	Credentials account.Credentials
	// Belongings are the Memberships that the Account holds, as far as they and
	// their Organizations are known.
	Belongings []account.Belonging
}

func (m *Member) limits() account.Limits { return account.LimitsOf(m.Belongings) }

// Disabled tells whether the Account is disabled: its person may not sign in at all.
func (m *Member) Disabled() bool { return m.Account.Spec.State == accountsv1.AccountSwitchDisabled }

// sessionsEnd is the time up to which sessions are ended.
func (m *Member) sessionsEnd() time.Time {
	return account.SessionsEnd(m.Account.Status.SignIn, m.limits())
}

// Sessions are those that are alive.
func (m *Member) Sessions(now time.Time) []session.Session {
	return session.Living(m.Credentials.Sessions, now, m.sessionsEnd())
}

// Candidates are those whom a user name or an address may mean, the oldest Account
// first. Their number depends on what was typed alone: where there is no such Account,
// a nil stands in its place.
func (s *Store) Candidates(ctx context.Context, typed string) ([]*Member, error) {
	names, err := s.meant(ctx, strings.TrimSpace(typed))
	if err != nil {
		return nil, err
	}
	all := make([]*Member, len(names))
	for i, name := range names {
		if all[i], err = s.member(ctx, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// MemberOfInvitation is the person whose Account was made through the Invitation of
// that UID, or nil. Passkeys know their person by it.
func (s *Store) MemberOfInvitation(ctx context.Context, invitationUID string) (*Member, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: invitationUID}); err != nil {
		return nil, fmt.Errorf("find the account of an invitation: %w", err)
	}
	for i := range accounts.Items {
		if settledAccount(&accounts.Items[i]) {
			return s.member(ctx, accounts.Items[i].Name)
		}
	}
	return nil, nil
}

// Organization is the Organization of that name in the cache, or nil.
func (s *Store) Organization(ctx context.Context, name string) (*accountsv1.Organization, error) {
	return get[accountsv1.Organization](ctx, s.Reader, client.ObjectKey{Name: name})
}

// member reads an Account and its credentials, live: both always, so that it
// takes as long where there is none. The Secret may say another UID, because a
// restore gives Accounts new ones, and then its sessions are over; but it must be
// settled, or its password is one that somebody began with.
func (s *Store) member(ctx context.Context, name string) (*Member, error) {
	found, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKey{Name: name})
	if err != nil {
		return nil, err
	}
	secret, err := get[corev1.Secret](ctx, s.Live, client.ObjectKey{Namespace: s.Namespace, Name: account.SecretName(name)})
	if err != nil || found == nil || !settledAccount(found) || secret == nil {
		return nil, err
	}
	credentials, err := account.ReadCredentials(secret)
	if errors.Is(err, account.ErrUnreadableCredentials) {
		// Any other answer than to nobody would tell that the Account exists. A
		// link for a new password says in the log what is wrong.
		return nil, nil
	}
	if err != nil || credentials.Settled == "" {
		return nil, err
	}
	if credentials.UID != string(found.UID) {
		credentials.Sessions = nil
	}
	m := &Member{Account: found, secret: secret, Credentials: credentials}
	m.Belongings, err = s.belongings(ctx, found)
	return m, err
}

// belongings reads, from the cache, the Memberships that an Account holds and
// their Organizations.
func (s *Store) belongings(ctx context.Context, a *accountsv1.Account) ([]account.Belonging, error) {
	var all []account.Belonging
	for _, held := range membership.ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]) {
		m, err := get[accountsv1.Membership](ctx, s.Reader, held.NamespacedName)
		if err != nil {
			return nil, err
		}
		if m == nil || m.DeletionTimestamp != nil || !membership.Holds(a, held.NamespacedName, m.Spec.Email) {
			continue
		}
		org, err := get[accountsv1.Organization](ctx, s.Reader, client.ObjectKey{Name: string(m.Spec.OrganizationRef.Name)})
		if err != nil {
			return nil, err
		}
		if org != nil && string(org.Spec.Namespace) == m.Namespace {
			all = append(all, account.Belonging{Membership: m, Organization: org})
		}
	}
	return all, nil
}

// changeCredentials does with the Secret of m's Account what changeStatus does
// with its status.
func (s *Store) changeCredentials(ctx context.Context, m *Member, change func(m *Member, now time.Time) error) error {
	return s.change(ctx, m, func(m *Member) error {
		written := *m
		written.secret = m.secret.DeepCopy()
		if err := change(&written, s.Clock.Now().UTC()); err != nil {
			return err
		}
		if err := written.Credentials.WriteTo(written.secret, written.Account); err != nil {
			return err
		}
		if err := s.Writer.Update(ctx, written.secret); err != nil {
			return err
		}
		*m = written
		return nil
	})
}

func (s *Store) change(ctx context.Context, m *Member, write func(m *Member) error) error {
	for range memberTries {
		err := write(m)
		switch {
		case errors.Is(err, ErrUnchanged):
			return nil
		case !changedMeanwhile(err):
			return err
		}
		again, err := s.member(ctx, m.Account.Name)
		if err != nil {
			return err
		}
		if again == nil || again.Account.UID != m.Account.UID {
			return ErrGone
		}
		*m = *again
	}
	return ErrContended
}

// Organizations are those that a member belongs to.
func (m *Member) Organizations() []*accountsv1.Organization { return organizationsOf(m.Belongings) }

func organizationsOf(belongings []account.Belonging) []*accountsv1.Organization {
	var all []*accountsv1.Organization
	for _, b := range belongings {
		all = append(all, b.Organization)
	}
	return all
}

// NeedsSecondFactor tells whether an Organization of m wants a second factor
// that m does not have.
func (m *Member) NeedsSecondFactor() bool {
	return !m.Credentials.HasSecondFactor() && slices.ContainsFunc(m.Belongings, func(b account.Belonging) bool {
		return b.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
	})
}

// Person is what is known about a member, and what their password should not be
// built from.
func (m *Member) Person() account.Person {
	spec := m.Account.Spec
	about := account.Person{
		UserName: username.Show(m.Account.Name), Email: string(spec.Email),
		GivenName: string(spec.GivenName), FamilyName: string(spec.FamilyName),
	}
	for _, b := range m.Belongings {
		about.Organization = append(about.Organization, b.Organization.Name, string(b.Organization.Title()))
	}
	return about
}
