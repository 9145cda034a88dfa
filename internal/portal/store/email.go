// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/wording/language"
)

// RequestEmailCode records that m requested a code that confirms the address of the
// Account, for the controller to mail. recorded is false if it is too early for another
// request.
func (s *Store) RequestEmailCode(ctx context.Context, m *Member, lang language.Tag) (recorded bool, err error) {
	err = s.changeStatus(ctx, m, func(m *Member, now metav1.Time) error {
		recorded = !m.Disabled() && account.RequestEmailCode(m.Account, now)
		if !recorded {
			return ErrUnchanged
		}
		m.Account.Status.Language = accountsv1.Language(lang)
		return nil
	})
	return recorded, err
}

// EnterEmailCode confirms the address of m's Account with a code, or counts the wrong code.
// One conditional write does either, so a limit of five wrong codes means five, at any
// number of portals. It reports whether the code was right.
func (s *Store) EnterEmailCode(ctx context.Context, m *Member, typed string) (right bool, err error) {
	keys, err := s.ResetKeys(ctx)
	if err != nil {
		return false, fmt.Errorf("read the keys of codes: %w", err)
	}
	err = s.changeStatus(ctx, m, func(m *Member, now metav1.Time) (err error) {
		if m.Disabled() {
			return ErrGone
		}
		valid := false
		right, valid, err = account.EnterEmailCode(m.Account, keys, typed, now)
		if err == nil && !valid {
			return ErrUnchanged
		}
		return err
	})
	return right && err == nil, err
}
