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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/membership"
)

// ResetView is an Account as the holder of a reset link sees it at one moment.
type ResetView struct {
	// Member is nil if the link is unknown. The member may have no final password: if the
	// portal died after the acceptance and before it made the password final, the owner can
	// still sign in after a reset. A member without a second factor may have no Secret.
	Member *Member
	Status account.ResetLinkStatus
	// at is the moment.
	at time.Time
}

// ChosenPassword is a new password that has been hashed.
type ChosenPassword struct {
	Hash string
	// Short means that it is too short to be the only factor.
	Short bool
}

// ErrTooShort means that the second factor was removed after the password was typed, and
// that the password is too short without one.
var ErrTooShort = errors.New("the password is too short to be the only factor")

// ErrSecretMissing means that an Account has a second factor, but the Secret that held it
// is missing. A new Secret would have no second factor.
var ErrSecretMissing = errors.New("the Secret of an account with a second factor is missing: restore it, or delete the Account and invite the person again")

// MailRecipients returns the Accounts that a user name or an address may mean and for
// which mail can be requested, in the order of accountsOf. It makes the same number of
// live reads if there are none. It reads no Secret, because every client can make such a
// request.
func (s *Store) MailRecipients(ctx context.Context, typed string) ([]*accountsv1.Account, error) {
	names, err := s.mailNames(ctx, strings.TrimSpace(typed))
	if err != nil {
		return nil, err
	}
	var all []*accountsv1.Account
	for _, name := range names {
		found, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKey{Name: name})
		if err != nil {
			return nil, err
		}
		if canReceiveMail(found) {
			all = append(all, found)
		}
	}
	return all, nil
}

// mailNames returns the names of the Accounts that a user name or an address may mean. For
// an address, it pads them to MailsPerAddress with a name that no Account has.
func (s *Store) mailNames(ctx context.Context, typed string) ([]string, error) {
	if !isAddress(typed) {
		return []string{nameOf(typed)}, nil
	}
	accounts, err := s.accountsOf(ctx, typed)
	if err != nil {
		return nil, err
	}
	names := slices.Repeat([]string{noAccountName}, MailsPerAddress)
	for i := range min(len(accounts), MailsPerAddress) {
		names[i] = accounts[i].Name
	}
	return names, nil
}

// canReceiveMail reports whether mail can be requested for the Account. A locked Account
// qualifies, because mail is how its owner unlocks it.
func canReceiveMail(a *accountsv1.Account) bool {
	return a != nil && isUsableAccount(a) && !account.Disabled(a)
}

// InspectReset finds the Account of a link in the cache; every read after that is live.
// Unless the link is genuine, it reads no Secret and reveals nothing. If it fails with
// ErrSecretMissing, the view has the Member without credentials.
func (s *Store) InspectReset(ctx context.Context, link account.ResetLink) (ResetView, error) {
	var cached accountsv1.AccountList
	if err := s.Reader.List(ctx, &cached, client.MatchingFields{IndexAccountUID: link.UID()}); err != nil {
		return ResetView{}, fmt.Errorf("find an account by its UID: %w", err)
	}
	if len(cached.Items) != 1 {
		return ResetView{}, nil
	}
	found, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKeyFromObject(&cached.Items[0]))
	if err != nil {
		return ResetView{}, err
	}
	keys, err := s.ResetKeys(ctx)
	if err != nil {
		return ResetView{}, fmt.Errorf("read the keys of reset links: %w", err)
	}
	now := s.Clock.Now()
	if account.CheckReset(link, found, time.Time{}, keys, now) == account.ResetLinkUnknown {
		return ResetView{}, nil
	}
	m, err := s.resetting(ctx, found)
	switch {
	case errors.Is(err, ErrSecretMissing):
		return ResetView{Member: m, at: now}, err
	case err != nil:
		return ResetView{}, err
	}
	return ResetView{m, account.CheckReset(link, found, m.Credentials.PasswordTime, keys, now), now}, nil
}

// resetting returns the Account as a Member, whether or not its password is final. It fails
// with ErrSecretMissing, together with the Member, because the controller can delete Secrets,
// and must not remove a second factor in that way.
func (s *Store) resetting(ctx context.Context, a *accountsv1.Account) (*Member, error) {
	belongings, err := s.belongings(ctx, a)
	if err != nil {
		return nil, err
	}
	m := &Member{Account: a, Belongings: belongings}
	m.secret, err = get[corev1.Secret](ctx, s.Live, client.ObjectKey{Namespace: s.Namespace, Name: account.SecretName(a.Name)})
	if err != nil {
		return nil, err
	}
	switch {
	case m.secret != nil:
		m.Credentials, err = account.ReadCredentials(m.secret)
	case membership.Enrolled(a):
		err = ErrSecretMissing
	}
	return m, err
}

// ResetPassword writes a new password with the link, and reports whether it is the one
// that is now valid. If it is not, the status in the view has the reason. It fails with
// ErrTooShort if there is no second factor and the password is too short without one.
// It fails with ErrSecretMissing if the second factor was deleted with the Secret. After
// any other error the password may or may not have changed.
//
// It checks the link on the version of the Secret that the write replaces. So one link
// sets one password, however many clients submit it and at however many portals. A write
// can take effect although its answer is lost. The next read finds it, because no other
// write has that hash: each has its own salt.
//
// The Account forgets every browser except this one, which it knows from now on: its user
// has the mailbox. Otherwise, strangers could lock passwords again before the member signs
// in.
func (s *Store) ResetPassword(ctx context.Context, link account.ResetLink, chosen ChosenPassword, from Browser) (ResetView, bool, error) {
	var failure error
	for range memberTries {
		seen, err := s.InspectReset(ctx, link)
		switch {
		case err != nil:
			return seen, false, err
		case failure != nil && seen.Member != nil && seen.Member.Credentials.Password == chosen.Hash:
			return seen, true, nil
		case seen.Status != account.ResetLinkOpen:
			return seen, false, nil
		case failure != nil && !isConflict(failure):
			return seen, false, fmt.Errorf("write the account's secret: %w", failure)
		case chosen.Short && !seen.Member.Credentials.HasSecondFactor():
			return seen, false, ErrTooShort
		}
		seen.Member.setPassword(chosen, seen.at)
		if err := seen.Member.know(s.Random, from, seen.at); err != nil {
			return seen, false, err
		}
		if failure = s.writeCredentials(ctx, seen.Member); failure == nil {
			return seen, true, nil
		}
	}
	return ResetView{}, false, ErrContended
}

// setPassword puts a new password into the credentials, ends every session and forgets every browser. It also
// makes the credentials final if no request did, because the holder of the link has the
// mailbox that the invitation went to. A second factor stays as it is, whether or not it
// was final, because no reset bypasses one.
func (m *Member) setPassword(chosen ChosenPassword, now time.Time) {
	c := &m.Credentials
	c.Password, c.ShortPassword = chosen.Hash, chosen.Short
	c.EndSessions()
	c.Browsers = nil
	if c.FinalInvitation == "" {
		c.FinalInvitation = m.Account.Spec.InvitationRef.UID
	}
	c.PasswordTime = m.passwordTime(now)
}

// writeCredentials writes the credentials of m, on condition that the Secret is unchanged
// since it was read, or still does not exist.
func (s *Store) writeCredentials(ctx context.Context, m *Member) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: account.SecretName(m.Account.Name)}}
	if m.secret != nil {
		secret = m.secret.DeepCopy()
	}
	if err := s.writeTo(ctx, &m.Credentials, secret, m.Account); err != nil {
		return err
	}
	write := func() error { return s.Writer.Update(ctx, secret) }
	if m.secret == nil {
		write = func() error { return s.Writer.Create(ctx, secret) }
	}
	if err := write(); err != nil {
		return err
	}
	m.secret = secret
	return nil
}
