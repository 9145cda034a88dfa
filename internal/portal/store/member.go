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

// memberTries bounds how often a change of an Account, or of its Secret, is tried again
// after a conflict. As many failed sign-ins as it takes to lock an Account can cause
// conflicts, and hardly anything else can.
const memberTries = 120

// ErrUnchanged is returned by a change that has nothing to write.
var ErrUnchanged = errors.New("nothing to change")

// ErrGone means that the Account was deleted in the meantime, or cannot be used.
var ErrGone = errors.New("the account was deleted or cannot be used")

// Member is a person who has an Account, with their credentials, as both were at one
// moment.
type Member struct {
	Account     *accountsv1.Account
	secret      *corev1.Secret
	Credentials account.Credentials
	// Belongings are the Memberships that the Account holds, as far as they and their
	// Organizations are known.
	Belongings []account.Belonging
	// BrowserToken is the token of the browser that has just signed in, for its cookie.
	// Empty means that none has.
	BrowserToken string
	// counted is the hash of the browser in which the last password was counted. Empty
	// means that it was counted for the Account.
	counted string
}

func (m *Member) limits() account.Limits { return account.LimitsOf(m.Belongings) }

// Disabled reports whether the Account is disabled, so its owner may not sign in at all.
func (m *Member) Disabled() bool { return m.Account.Spec.State == accountsv1.AccountSwitchDisabled }

// sessionsEnd returns the time up to which sessions are ended.
func (m *Member) sessionsEnd() time.Time {
	return account.SessionsEnd(m.Account.Status.SignIn)
}

// CodesLockedUntil returns until when wrong codes lock the second factor, in full minutes,
// and reports whether they do. It uses the status as it was last read.
func (m *Member) CodesLockedUntil(now time.Time) (until time.Time, locked bool) {
	lock := account.LockOf(m.Account.Status.SignIn, account.FactorCode, m.limits())
	return lock.Until.Add(time.Minute - 1).Truncate(time.Minute), lock.Locked(now)
}

// Sessions returns the sessions that are alive.
func (m *Member) Sessions(now time.Time) []session.Session {
	return session.Living(m.Credentials.Sessions, now, m.sessionsEnd())
}

// Candidate returns the member that a user name or an address means, or nil. It reads one
// Account and one Secret in any case. The cost and the time of a sign-in therefore do not
// reveal how many Accounts an address has.
//
// An address with several Accounts means the one that the browser used before. If there is
// none, it means the first one of accountsOf that can sign in. The others need their user
// names.
func (s *Store) Candidate(ctx context.Context, typed string, usedBefore func(*accountsv1.Account) bool) (*Member, error) {
	typed = strings.TrimSpace(typed)
	if !isAddress(typed) {
		return s.member(ctx, nameOf(typed))
	}
	accounts, err := s.accountsOf(ctx, typed)
	if err != nil {
		return nil, err
	}
	name := noAccountName
	for i := range accounts {
		a := &accounts[i]
		if !isUsableAccount(a) || account.Disabled(a) {
			continue
		}
		if usedBefore(a) {
			name = a.Name
			break
		}
		if name == noAccountName {
			name = a.Name
		}
	}
	return s.member(ctx, name)
}

// MemberOfInvitation returns the member whose Account was created through the Invitation
// with that UID, or nil. A passkey identifies its owner by that UID.
func (s *Store) MemberOfInvitation(ctx context.Context, invitationUID string) (*Member, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: invitationUID}); err != nil {
		return nil, fmt.Errorf("find the account of an invitation: %w", err)
	}
	for i := range accounts.Items {
		if isUsableAccount(&accounts.Items[i]) {
			return s.member(ctx, accounts.Items[i].Name)
		}
	}
	return nil, nil
}

// Organization returns the Organization with that name from the cache, or nil.
func (s *Store) Organization(ctx context.Context, name string) (*accountsv1.Organization, error) {
	return get[accountsv1.Organization](ctx, s.Reader, client.ObjectKey{Name: name})
}

// member reads an Account and its credentials, both live. It always reads both, so it
// takes as long if there is no Account. The Secret may hold another UID, because a
// restore gives Accounts new ones. In that case the sessions have ended, and no browser is
// known. But the
// credentials must be final: otherwise they belong to an unfinished acceptance.
func (s *Store) member(ctx context.Context, name string) (*Member, error) {
	found, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKey{Name: name})
	if err != nil {
		return nil, err
	}
	secret, err := get[corev1.Secret](ctx, s.Live, client.ObjectKey{Namespace: s.Namespace, Name: account.SecretName(name)})
	if err != nil || found == nil || !isUsableAccount(found) || secret == nil {
		return nil, err
	}
	credentials, err := account.ReadCredentials(secret)
	if errors.Is(err, account.ErrUnreadableCredentials) {
		// Answer as for a missing Account. Any other answer would reveal that the Account
		// exists. Opening a reset link puts the problem in the log.
		return nil, nil
	}
	if err != nil || credentials.FinalInvitation == "" {
		return nil, err
	}
	if credentials.UID != string(found.UID) {
		credentials.EndSessions()
		credentials.Browsers = nil
	}
	m := &Member{Account: found, secret: secret, Credentials: credentials}
	m.Belongings, err = s.belongings(ctx, found)
	return m, err
}

// belongings reads, from the cache, the Memberships that an Account holds and their
// Organizations, without those that are being deleted.
func (s *Store) belongings(ctx context.Context, a *accountsv1.Account) ([]account.Belonging, error) {
	all, err := s.allBelongings(ctx, a)
	return slices.DeleteFunc(all, func(b account.Belonging) bool { return b.Membership.DeletionTimestamp != nil }), err
}

// allBelongings is belongings with the Memberships that are being deleted although their
// Organizations still list them as owners.
func (s *Store) allBelongings(ctx context.Context, a *accountsv1.Account) ([]account.Belonging, error) {
	var all []account.Belonging
	for _, held := range membership.ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]) {
		m, err := get[accountsv1.Membership](ctx, s.Reader, held.NamespacedName)
		if err != nil {
			return nil, err
		}
		if m == nil || !membership.IsHeldBy(a, held.NamespacedName, m.Spec.Email) {
			continue
		}
		org, err := get[accountsv1.Organization](ctx, s.Reader, client.ObjectKey{Name: string(m.Spec.OrganizationRef.Name)})
		if err != nil {
			return nil, err
		}
		if org == nil || string(org.Spec.Namespace) != m.Namespace {
			continue
		}
		if _, owner := org.Owner(m.Name); owner || m.DeletionTimestamp == nil {
			all = append(all, account.Belonging{Membership: m, Organization: org})
		}
	}
	return all, nil
}

// changeCredentials is changeStatus for the Secret of m's Account.
func (s *Store) changeCredentials(ctx context.Context, m *Member, change func(m *Member, now time.Time) error) error {
	return s.change(ctx, m, func(m *Member) error {
		written := *m
		written.secret = m.secret.DeepCopy()
		if err := change(&written, s.Clock.Now().UTC()); err != nil {
			return err
		}
		if err := s.writeTo(ctx, &written.Credentials, written.secret, written.Account); err != nil {
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
		case !isConflict(err):
			return err
		}
		again, err := s.member(ctx, m.Account.Name)
		if err != nil {
			return err
		}
		if again == nil || again.Account.UID != m.Account.UID {
			return ErrGone
		}
		again.BrowserToken = m.BrowserToken // an earlier write made the Account know it
		*m = *again
	}
	return ErrContended
}

// Organizations returns the Organizations that a member belongs to.
func (m *Member) Organizations() []*accountsv1.Organization { return organizationsOf(m.Belongings) }

func organizationsOf(belongings []account.Belonging) []*accountsv1.Organization {
	var all []*accountsv1.Organization
	for _, b := range belongings {
		all = append(all, b.Organization)
	}
	return all
}

// CanBeAccountName reports whether a text can be the name of an Account at all. The text
// comes from a cookie, a token or a query and must not change a path of the API server.
func CanBeAccountName(name string) bool {
	return name != "" && len(name) <= 63 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) && name[0] != '.' && name[len(name)-1] != '.'
}

// NeedsSecondFactor reports whether an Organization of m requires a second factor that m
// does not have.
func (m *Member) NeedsSecondFactor() bool {
	return !m.Credentials.HasSecondFactor() && slices.ContainsFunc(m.Belongings, func(b account.Belonging) bool {
		return b.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
	})
}

// Person returns what is known about a member. Their password should not be built from
// it.
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
