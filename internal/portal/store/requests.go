// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/membership"
)

// Holders returns the names of the Accounts that hold a Membership, from the cache.
func (s *Store) Holders(ctx context.Context, m types.NamespacedName) ([]string, error) {
	var accounts accountsv1.AccountList
	if err := s.Reader.List(ctx, &accounts, client.MatchingFields{IndexAccountMembership: m.String()}); err != nil {
		return nil, fmt.Errorf("find the accounts that hold a membership: %w", err)
	}
	names := make([]string, len(accounts.Items))
	for i := range accounts.Items {
		names[i] = accounts.Items[i].Name
	}
	return names, nil
}

// requestsReset reports whether an Account or a Membership in its record has the annotation
// that requests a reset link. Almost none has. So an Account costs no read of an
// Organization.
func (s *Store) requestsReset(ctx context.Context, a *accountsv1.Account) (bool, error) {
	if _, requests := a.Annotations[accountsv1.ResetAnnotation]; requests {
		return true, nil
	}
	for _, held := range membership.ParseRecord(a.Annotations[accountsv1.MembershipsAnnotation]) {
		m, err := get[accountsv1.Membership](ctx, s.Reader, held.NamespacedName)
		if err != nil {
			return false, err
		}
		if m == nil {
			continue
		}
		if _, requests := m.Annotations[accountsv1.ResetAnnotation]; requests {
			return true, nil
		}
	}
	return false, nil
}

// RecordResetRequests records, in the status of an Account, the requests for a reset link
// that annotations make. It returns after which time another request can become due. 0
// means that only a change of an object can make one due. It writes only if the Account is
// unchanged since it was read, so that several portals record a request once.
func (s *Store) RecordResetRequests(ctx context.Context, name string) (after time.Duration, err error) {
	reader := s.Reader // good enough if nothing is due, which is the usual case
	for try := range memberTries {
		a, err := get[accountsv1.Account](ctx, reader, client.ObjectKey{Name: name})
		if err != nil || a == nil {
			return 0, err
		}
		if requested, err := s.requestsReset(ctx, a); err != nil || !requested {
			return 0, err
		}
		facts := account.Facts{Now: s.Clock.Now(), Account: a}
		if facts.Belongings, err = s.allBelongings(ctx, a); err != nil {
			return 0, err
		}
		due, next := account.DueReset(facts)
		switch {
		case !due && next.IsZero():
			return 0, nil
		case !due:
			return next.Sub(facts.Now), nil
		case try > 0:
			a.Status.ResetTimes = account.Requested(a.Status.ResetTimes, second(facts.Now))
			if err := s.saveAccount(ctx, a); !isConflict(err) {
				return 0, err
			}
		}
		reader = s.Live
	}
	return 0, ErrContended
}
