// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/wording/language"
)

// saveTries bounds how often a change of a status is tried again. It exceeds the number
// of conflicts that all clients of one link can cause.
const saveTries = invitation.MostGuesses + invitation.MostCodes + 5

// Change is something that the holder of a link writes into the Invitation's status.
type Change struct {
	// obstacle returns why the change cannot be made, given that the link is open.
	// Continue means that it can.
	obstacle func(seen LinkView) Outcome
	// write makes the change, with the given time.
	write func(status *accountsv1.InvitationStatus, now metav1.Time)
	// found reports, from the current status, whether a write of this change took effect
	// although it failed. It is nil if that cannot be known.
	found func(now, written accountsv1.InvitationStatus) bool
}

// Save makes a change on condition that the link is open and the Invitation is unchanged
// since it was read. On a conflict it reads again. It ends with Done, with Found if a
// read after a failure shows the change, or with the obstacle.
func (s *Store) Save(ctx context.Context, seen LinkView, c Change) (LinkView, Outcome, error) {
	for range saveTries {
		now := s.Clock.Now()
		seen = seen.at(now)
		if o := c.check(seen); o != Continue {
			return seen, o, nil
		}
		inv := seen.Invitation.DeepCopy()
		c.write(&inv.Status, second(now))
		failure := s.Writer.Status().Update(ctx, inv)
		if failure == nil {
			seen.Invitation = inv
			return seen, Done, nil
		}
		again, err := s.Inspect(ctx, seen.Link)
		if err != nil {
			return seen, Continue, err
		}
		if c.isThere(again, inv) {
			return again, Found, nil
		}
		if o := c.check(again); o != Continue {
			return again, o, nil
		}
		if !isConflict(failure) {
			return again, Continue, fmt.Errorf("write the status of an invitation: %w", failure)
		}
		seen = again
	}
	return seen, Continue, ErrContended
}

func (c Change) check(seen LinkView) Outcome {
	if seen.Status != invitation.LinkOpen {
		return NotOpen
	}
	return c.obstacle(seen)
}

func (c Change) isThere(seen LinkView, written *accountsv1.Invitation) bool {
	return c.found != nil && seen.Invitation != nil && c.found(seen.Invitation.Status, written.Status)
}

// AcceptedBy returns the change that accepts the Invitation with the Account of m.
func AcceptedBy(m *Member) Change {
	made := m.Account
	return Change{
		obstacle: func(seen LinkView) Outcome { return seen.Refuses(m) },
		write: func(status *accountsv1.InvitationStatus, now metav1.Time) {
			status.Acceptance = accountsv1.Acceptance{
				AccountRef: accountsv1.AcceptedAccountReference{
					Name: accountsv1.AccountName(made.Name),
					UID:  string(made.UID),
				},
				AcceptedTime: &now,
			}
		},
		found: func(now, _ accountsv1.InvitationStatus) bool {
			return now.Acceptance.Given() && now.Acceptance.AccountRef.UID == string(made.UID)
		},
	}
}

// Declined returns the change that declines the Invitation.
func Declined(reason string) Change {
	return Change{
		obstacle: func(LinkView) Outcome { return Continue },
		write: func(status *accountsv1.InvitationStatus, now metav1.Time) {
			status.Decline = accountsv1.Decline{DeclinedTime: &now, Reason: reason}
		},
		found: func(now, written accountsv1.InvitationStatus) bool {
			return equality.Semantic.DeepEqual(now.Decline, written.Decline)
		},
	}
}

// Guessed returns the change that counts a code before it is compared.
func Guessed() Change {
	return Change{
		obstacle: func(seen LinkView) Outcome {
			if seen.GuessesSpent() {
				return GuessesSpent
			}
			return Continue
		},
		write: func(status *accountsv1.InvitationStatus, _ metav1.Time) { status.Guesses++ },
	}
}

// AskedForCode returns the change that requests a code for another address.
func AskedForCode(email string) Change {
	return Change{
		obstacle: func(seen LinkView) Outcome {
			status := seen.Invitation.Status
			switch {
			case seen.AddressMatch() != accountsv1.AddressMatchAnyAddress:
				return AddressRefused
			case seen.GuessesSpent():
				return GuessesSpent
			case status.OtherAddress.Requests >= invitation.MostCodes:
				return CodesSpent
			}
			return Continue
		},
		write: func(status *accountsv1.InvitationStatus, now metav1.Time) {
			status.OtherAddress = accountsv1.OtherAddress{
				Email: accountsv1.EmailAddress(email), RequestTime: &now, Requests: status.OtherAddress.Requests + 1,
			}
		},
		found: func(now, written accountsv1.InvitationStatus) bool {
			return equality.Semantic.DeepEqual(now.OtherAddress, written.OtherAddress)
		},
	}
}

// changeStatus calls change on the status of m's Account and saves it, on condition that
// the Account is unchanged since it was read. On a conflict it reads the Account again
// and calls change again. Afterwards m is as it was written. An error of change ends it,
// but ErrUnchanged ends it without an error.
func (s *Store) changeStatus(ctx context.Context, m *Member, change func(m *Member, now metav1.Time) error) error {
	return s.change(ctx, m, func(m *Member) error {
		written := *m
		written.Account = m.Account.DeepCopy()
		if err := change(&written, second(s.Clock.Now())); err != nil {
			return err
		}
		if err := s.saveAccount(ctx, written.Account); err != nil {
			return err
		}
		*m = written
		return nil
	})
}

// RequestMail calls note to record a request for mail in the status of an Account, and
// saves it under the same condition as changeStatus. So limits hold, however many
// requests come at once. If note returns false, or mail cannot be requested any more,
// nothing is written. No Secret is read for it.
func (s *Store) RequestMail(ctx context.Context, a *accountsv1.Account, note func(status *accountsv1.AccountStatus, now metav1.Time) bool) error {
	for range memberTries {
		written := a.DeepCopy()
		if !note(&written.Status, second(s.Clock.Now())) {
			return nil
		}
		failure := s.saveAccount(ctx, written)
		if !isConflict(failure) {
			return failure
		}
		again, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKeyFromObject(a))
		if err != nil || !canReceiveMail(again) || again.UID != a.UID {
			return err
		}
		a = again
	}
	return ErrContended
}

// saveAccount saves the status of an Account, on condition that the Account is unchanged
// since it was read.
func (s *Store) saveAccount(ctx context.Context, a *accountsv1.Account) error {
	return s.Writer.Status().Update(ctx, a)
}

// second returns a time as the API server keeps it: in UTC, truncated to the second.
func second(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

// syncStatus brings the status up to date with the credentials.
func (m *Member) syncStatus(lang language.Tag) {
	status := &m.Account.Status
	status.Language = accountsv1.Language(lang)
	status.TwoFactor = m.Credentials.TwoFactor()
	if made := m.Account.CreationTimestamp.Add(account.AcceptanceTimeout); m.Credentials.PasswordTime.After(made) {
		changed := second(m.Credentials.PasswordTime)
		status.PasswordTime = &changed
	}
	if !m.Credentials.SecondFactorTime.IsZero() {
		changed := second(m.Credentials.SecondFactorTime)
		status.SecondFactorTime = &changed
	}
}

// noteNewPassword is syncStatus after a password change. It also records the time of the
// new password for an Account that was just created, because its owner gets a mail about
// the change.
func (m *Member) noteNewPassword(lang language.Tag) {
	m.syncStatus(lang)
	changed := second(m.Credentials.PasswordTime)
	m.Account.Status.PasswordTime = &changed
}

// SyncStatus brings the status up to date with the credentials. It writes nothing if they
// agree.
func (s *Store) SyncStatus(ctx context.Context, m *Member, lang language.Tag) error {
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		before := m.Account.Status.DeepCopy()
		m.syncStatus(lang)
		if equality.Semantic.DeepEqual(*before, m.Account.Status) {
			return ErrUnchanged
		}
		return nil
	})
}
