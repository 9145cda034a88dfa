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
)

// resets is what the pages for those who have forgotten something need of the store.
type resets interface {
	// askable are the Accounts that a user name or an address may mean and that
	// mail can be asked for, the oldest first. It reads as much where there are none.
	askable(ctx context.Context, typed string) ([]*accountsv1.Account, error)
	// request lets note write a request into the status of an Account that is
	// askable. Where note gives false, or it is askable no more, nothing is written.
	request(ctx context.Context, a *accountsv1.Account, note func(status *accountsv1.AccountStatus, now metav1.Time) bool) error
	// seeReset sees what a link for a new password is for, as it is now.
	seeReset(ctx context.Context, link account.ResetLink) (resetSight, error)
	// resetPassword writes a new password with the link, and tells whether it is
	// the one that counts now; otherwise the standing says why not. It fails with
	// errTooShort. After any other error nobody knows.
	resetPassword(ctx context.Context, link account.ResetLink, chosen chosenPassword) (resetSight, bool, error)
}

// resetSight is an Account as the holder of a link for a new password sees it at
// one moment.
type resetSight struct {
	// member is nil where the link is unknown. They may have no password that is
	// final, nor a Secret: whoever took up an Account, while the portal died
	// before it had settled the password, comes back by a reset.
	member   *member
	standing account.ResetStanding
	// at is the moment.
	at time.Time
}

// chosenPassword is a new password that has been hashed.
type chosenPassword struct {
	hash string
	// short: it is too short to be the only factor.
	short bool
}

// errTooShort says that a password was long enough when it was typed, and that
// the second factor has been removed since.
var errTooShort = errors.New("the password is too short to be the only factor")

// askable reads each Account live. No Secret is read for what a stranger asks.
func (s *store) askable(ctx context.Context, typed string) ([]*accountsv1.Account, error) {
	names, err := s.meant(ctx, strings.TrimSpace(typed))
	if err != nil {
		return nil, err
	}
	var all []*accountsv1.Account
	for _, name := range names {
		found, err := get[accountsv1.Account](ctx, s.live, client.ObjectKey{Name: name})
		if err != nil {
			return nil, err
		}
		if isAskable(found) {
			all = append(all, found)
		}
	}
	return all, nil
}

// isAskable tells whether mail can be asked for: also while the Account is
// locked, because that is how people open it.
func isAskable(a *accountsv1.Account) bool {
	return a != nil && settledAccount(a) && !account.Disabled(a)
}

// seeReset finds the Account of a link in the cache; from there on every read is
// live. Unless the link is genuine, no Secret is read and nothing is told.
func (s *store) seeReset(ctx context.Context, link account.ResetLink) (resetSight, error) {
	var cached accountsv1.AccountList
	if err := s.reader.List(ctx, &cached, client.MatchingFields{IndexAccountUID: link.UID()}); err != nil {
		return resetSight{}, fmt.Errorf("find an account by its UID: %w", err)
	}
	if len(cached.Items) != 1 {
		return resetSight{}, nil
	}
	found, err := get[accountsv1.Account](ctx, s.live, client.ObjectKeyFromObject(&cached.Items[0]))
	if err != nil {
		return resetSight{}, err
	}
	keys, err := s.keys(ctx)
	if err != nil {
		return resetSight{}, fmt.Errorf("read the link keys: %w", err)
	}
	now := s.clock.Now()
	if account.CheckReset(link, found, time.Time{}, keys, now) == account.ResetUnknown {
		return resetSight{}, nil
	}
	m, err := s.resetting(ctx, found)
	if err != nil {
		return resetSight{}, err
	}
	return resetSight{m, account.CheckReset(link, found, m.credentials.PasswordTime, keys, now), now}, nil
}

// resetting is whoever has the Account, settled or not.
func (s *store) resetting(ctx context.Context, a *accountsv1.Account) (*member, error) {
	m := &member{account: a}
	var err error
	m.secret, err = get[corev1.Secret](ctx, s.live, client.ObjectKey{Namespace: s.namespace, Name: account.SecretName(a.Name)})
	if err != nil {
		return nil, err
	}
	if m.secret != nil {
		if m.credentials, err = account.ReadCredentials(m.secret); err != nil {
			return nil, err
		}
	}
	m.belongings, err = s.belongings(ctx, a)
	return m, err
}

// resetPassword asks whether the link is open on the very state that it writes, so
// that one link gives one password, however many post it, and at however many
// portals. A write that took effect although its answer was lost is found by the
// look that follows: no other write has that hash, because each has its own salt.
func (s *store) resetPassword(ctx context.Context, link account.ResetLink, chosen chosenPassword) (resetSight, bool, error) {
	var failure error
	for range memberTries {
		seen, err := s.seeReset(ctx, link)
		switch {
		case err != nil:
			return seen, false, err
		case failure != nil && seen.member != nil && seen.member.credentials.Password == chosen.hash:
			return seen, true, nil
		case seen.standing != account.ResetOpen:
			return seen, false, nil
		case failure != nil && !changedMeanwhile(failure):
			return seen, false, fmt.Errorf("write the account's secret: %w", failure)
		case chosen.short && !seen.member.credentials.HasSecondFactor():
			return seen, false, errTooShort
		}
		seen.member.take(chosen, seen.at)
		if failure = s.writeCredentials(ctx, seen.member); failure == nil {
			return seen, true, nil
		}
	}
	return resetSight{}, false, errContended
}

// take puts a new password into the credentials, and ends every session. It also
// makes final what nobody had settled: whoever has the link has the mailbox that
// the invitation went to. A second factor stays as it is, settled or not, because
// no reset gets around one.
func (m *member) take(chosen chosenPassword, now time.Time) {
	c := &m.credentials
	c.Password, c.ShortPassword = chosen.hash, chosen.short
	c.Sessions = nil
	if c.Settled == "" {
		c.Settled = m.account.Spec.InvitationRef.UID
	}
	c.PasswordTime = m.passwordTime(now)
}

// writeCredentials writes those of m on condition that the Secret is as it was
// read, or that there is still none.
func (s *store) writeCredentials(ctx context.Context, m *member) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: account.SecretName(m.account.Name)}}
	if m.secret != nil {
		secret = m.secret.DeepCopy()
	}
	if err := m.credentials.WriteTo(secret, m.account); err != nil {
		return err
	}
	write := func() error { return s.writer.Update(ctx, secret) }
	if m.secret == nil {
		write = func() error { return s.writer.Create(ctx, secret) }
	}
	if err := write(); err != nil {
		return err
	}
	m.secret = secret
	return nil
}
