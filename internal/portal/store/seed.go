// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
)

// writeTo puts credentials into the Secret of an Account, and seals the seed of the app
// first. Without the keys, a seed that the Secret has in plain form stays plain. So its
// owner can still sign in and change the password. No other plain seed is stored.
func (s *Store) writeTo(ctx context.Context, c *account.Credentials, into *corev1.Secret, of *accountsv1.Account) error {
	sealed, err := s.sealSeed(ctx, c.TOTP.Secret, of.Name)
	switch {
	case err == nil:
		c.TOTP.Secret = sealed
	case !isStored(c.TOTP.Secret, into):
		return err
	}
	return c.WriteTo(into, of)
}

// isStored reports whether the Secret of an Account has a seed in that form.
func isStored(seed string, in *corev1.Secret) bool {
	before, err := account.ReadCredentials(in)
	return err == nil && before.TOTP.Secret == seed
}

// sealSeed returns a seed in the form that is stored. A sealed seed stays as it is.
func (s *Store) sealSeed(ctx context.Context, seed, accountName string) (string, error) {
	if seed == "" || account.IsSealed(seed) {
		return seed, nil
	}
	keys, err := s.SeedKeys(ctx)
	if err != nil {
		return "", fmt.Errorf("read the keys of authenticator apps: %w", err)
	}
	return account.SealSeed(seed, accountName, keys, s.Random)
}

// openSeed returns a stored seed in plain form, and reports whether the newest key sealed
// it. It fails with account.ErrUnreadableSeed. A plain seed needs no keys.
func (s *Store) openSeed(ctx context.Context, stored, accountName string) (seed string, current bool, err error) {
	if !account.IsSealed(stored) {
		return stored, false, nil
	}
	keys, err := s.SeedKeys(ctx)
	if err != nil {
		return "", false, fmt.Errorf("read the keys of authenticator apps: %w", err)
	}
	seed, err = account.OpenSeed(stored, accountName, keys)
	return seed, account.IsSealedWith(stored, keys.Newest()), err
}

// Pending returns the unfinished setups of a session of m. An app whose seed cannot be
// opened counts as none, and the person begins again.
func (s *Store) Pending(ctx context.Context, m *Member, of session.Session) (Pending, error) {
	open := pendingOf(of)
	if open.App == nil {
		return open, nil
	}
	seed, _, err := s.openSeed(ctx, open.App.Secret, m.Account.Name)
	switch {
	case errors.Is(err, account.ErrUnreadableSeed):
		open.App = nil
	case err != nil:
		return Pending{}, err
	default:
		open.App.Secret = seed
	}
	return open, nil
}

// sealPending returns the unfinished setups of a session of m in the form that is stored.
func (s *Store) sealPending(ctx context.Context, m *Member, open Pending) (json.RawMessage, error) {
	if open.App != nil {
		sealed := *open.App
		var err error
		if sealed.Secret, err = s.sealSeed(ctx, sealed.Secret, m.Account.Name); err != nil {
			return nil, err
		}
		open.App = &sealed
	}
	return json.Marshal(open)
}
