// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/session"
)

// members is what the pages of those who have an account need of the store.
type members interface {
	// named are those whom a user name or an address may mean, the oldest
	// Account first, and as many as depend on what was typed alone: nil stands
	// for nobody.
	named(ctx context.Context, typed string) ([]*member, error)
	// member is whoever has the Account of that name now, or nil.
	member(ctx context.Context, name string) (*member, error)
	// handled is whoever has the Account that was made through the Invitation
	// of that UID, or nil: passkeys know their person by it.
	handled(ctx context.Context, invitationUID string) (*member, error)
	// organization is the Organization of that name, or nil.
	organization(ctx context.Context, name string) (*accountsv1.Organization, error)
	// onlyOwner tells whether nobody else could manage the Organization.
	onlyOwner(ctx context.Context, b account.Belonging) (bool, error)
	// changeStatus and changeCredentials change what a member has, on condition
	// that nobody else has changed it since.
	changeStatus(ctx context.Context, m *member, change func(m *member, now metav1.Time) error) error
	changeCredentials(ctx context.Context, m *member, change func(m *member, now time.Time) error) error
	resets
}

// memberTries bounds how often a change of an Account, or of its Secret, is
// tried again after somebody else was faster. As many guesses as lock an Account
// can be faster, and hardly anything else is.
const memberTries = 120

// errUnchanged, from a change, says that there is nothing to write.
var errUnchanged = errors.New("nothing to change")

// errGone says that the Account was deleted in the meantime, or cannot be used.
var errGone = errors.New("the account is gone")

// member is somebody who has an Account, with what they sign in with, as both
// were at one moment.
type member struct {
	account     *accountsv1.Account
	secret      *corev1.Secret
	credentials account.Credentials
	// belongings are the Memberships that the Account holds, as far as they and
	// their Organizations are known.
	belongings []account.Belonging
}

func (m *member) limits() account.Limits { return account.LimitsOf(m.belongings) }

// disabled tells whether nobody may sign in at all.
func (m *member) disabled() bool { return m.account.Spec.State == accountsv1.AccountSwitchDisabled }

// sessionsEnd is the time up to which sessions are ended.
func (m *member) sessionsEnd() time.Time {
	return account.SessionsEnd(m.account.Status.SignIn, m.limits())
}

// sessions are those that are alive.
func (m *member) sessions(now time.Time) []session.Session {
	return session.Living(m.credentials.Sessions, now, m.sessionsEnd())
}

// named finds those whom a user name or an address may mean.
func (s *store) named(ctx context.Context, typed string) ([]*member, error) {
	names, err := s.meant(ctx, strings.TrimSpace(typed))
	if err != nil {
		return nil, err
	}
	all := make([]*member, len(names))
	for i, name := range names {
		if all[i], err = s.member(ctx, name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// handled finds the Account that was made through an Invitation.
func (s *store) handled(ctx context.Context, invitationUID string) (*member, error) {
	var accounts accountsv1.AccountList
	if err := s.reader.List(ctx, &accounts, client.MatchingFields{IndexAccountInvitation: invitationUID}); err != nil {
		return nil, fmt.Errorf("find the account of an invitation: %w", err)
	}
	for i := range accounts.Items {
		if settledAccount(&accounts.Items[i]) {
			return s.member(ctx, accounts.Items[i].Name)
		}
	}
	return nil, nil
}

// organization finds an Organization, in the cache.
func (s *store) organization(ctx context.Context, name string) (*accountsv1.Organization, error) {
	return get[accountsv1.Organization](ctx, s.reader, client.ObjectKey{Name: name})
}

// member reads an Account and its credentials, live: both always, so that it
// takes as long where there is none. The Secret may say another UID, because a
// restore gives Accounts new ones, and then its sessions are over; but it must be
// settled, or its password is one that somebody began with.
func (s *store) member(ctx context.Context, name string) (*member, error) {
	found, err := get[accountsv1.Account](ctx, s.live, client.ObjectKey{Name: name})
	if err != nil {
		return nil, err
	}
	secret, err := get[corev1.Secret](ctx, s.live, client.ObjectKey{Namespace: s.namespace, Name: account.SecretName(name)})
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
	m := &member{account: found, secret: secret, credentials: credentials}
	m.belongings, err = s.belongings(ctx, found)
	return m, err
}

// belongings reads, from the cache, the Memberships that an Account holds and
// their Organizations.
func (s *store) belongings(ctx context.Context, a *accountsv1.Account) ([]account.Belonging, error) {
	var all []account.Belonging
	for _, held := range membership.ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]) {
		m, err := get[accountsv1.Membership](ctx, s.reader, held.NamespacedName)
		if err != nil {
			return nil, err
		}
		if m == nil || m.DeletionTimestamp != nil || !membership.Holds(a, held.NamespacedName, m.Spec.Email) {
			continue
		}
		org, err := get[accountsv1.Organization](ctx, s.reader, client.ObjectKey{Name: string(m.Spec.OrganizationRef.Name)})
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
func (s *store) changeCredentials(ctx context.Context, m *member, change func(m *member, now time.Time) error) error {
	return s.change(ctx, m, func(m *member) error {
		written := *m
		written.secret = m.secret.DeepCopy()
		if err := change(&written, s.clock.Now().UTC()); err != nil {
			return err
		}
		if err := written.credentials.WriteTo(written.secret, written.account); err != nil {
			return err
		}
		if err := s.writer.Update(ctx, written.secret); err != nil {
			return err
		}
		*m = written
		return nil
	})
}

func (s *store) change(ctx context.Context, m *member, write func(m *member) error) error {
	for range memberTries {
		err := write(m)
		switch {
		case errors.Is(err, errUnchanged):
			return nil
		case !changedMeanwhile(err):
			return err
		}
		again, err := s.member(ctx, m.account.Name)
		if err != nil {
			return err
		}
		if again == nil || again.account.UID != m.account.UID {
			return errGone
		}
		*m = *again
	}
	return errContended
}
