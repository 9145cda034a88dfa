// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// saveTries bounds how often a change of a status is tried again: more often
// than all who use one link can have changed it in the meantime.
const saveTries = invitation.MostGuesses + invitation.MostCodes + 5

// change is something that the holder of a link writes into the Invitation's
// status.
type change struct {
	// obstacle tells why it cannot be made; goOn: it can. The link is open.
	obstacle func(seen sight) outcome
	// write makes it, at a time.
	write func(status *accountsv1.InvitationStatus, now metav1.Time)
	// found tells from a status as it is now whether a write of this change
	// took effect although it failed. nil: nobody can tell.
	found func(now, written accountsv1.InvitationStatus) bool
}

// save makes a change on condition that the link is open, and that nobody has
// changed the Invitation since it was seen; if somebody has, it looks again. It
// ends with done, with found where a look shows the change after a failure, or
// with what stands in the way.
func (s *store) save(ctx context.Context, seen sight, c change) (sight, outcome, error) {
	for range saveTries {
		now := s.clock.Now()
		seen = seen.at(now)
		if o := c.check(seen); o != goOn {
			return seen, o, nil
		}
		inv := seen.Invitation.DeepCopy()
		c.write(&inv.Status, second(now))
		failure := s.writer.Status().Update(ctx, inv)
		if failure == nil {
			seen.Invitation = inv
			return seen, done, nil
		}
		again, err := s.inspect(ctx, seen.link)
		if err != nil {
			return seen, goOn, err
		}
		if c.isThere(again, inv) {
			return again, found, nil
		}
		if o := c.check(again); o != goOn {
			return again, o, nil
		}
		if !changedMeanwhile(failure) {
			return again, goOn, fmt.Errorf("write the status of an invitation: %w", failure)
		}
		seen = again
	}
	return seen, goOn, errContended
}

func (c change) check(seen sight) outcome {
	if seen.standing != invitation.Open {
		return notOpen
	}
	return c.obstacle(seen)
}

func (c change) isThere(seen sight, written *accountsv1.Invitation) bool {
	return c.found != nil && seen.Invitation != nil && c.found(seen.Invitation.Status, written.Status)
}

// acceptedBy says that the Account of somebody takes the Invitation up.
func acceptedBy(m *member) change {
	account := m.account
	return change{
		obstacle: func(seen sight) outcome { return seen.refuses(m) },
		write: func(status *accountsv1.InvitationStatus, now metav1.Time) {
			status.Acceptance = accountsv1.Acceptance{
				AccountRef: accountsv1.AcceptedAccountReference{
					Name: accountsv1.AccountName(account.Name),
					UID:  string(account.UID),
				},
				AcceptedTime: &now,
			}
		},
		found: func(now, _ accountsv1.InvitationStatus) bool {
			return now.Acceptance.Given() && now.Acceptance.AccountRef.UID == string(account.UID)
		},
	}
}

// declined says that the person does not want to join.
func declined(reason string) change {
	return change{
		obstacle: func(sight) outcome { return goOn },
		write: func(status *accountsv1.InvitationStatus, now metav1.Time) {
			status.Decline = accountsv1.Decline{DeclinedTime: &now, Reason: reason}
		},
		found: func(now, written accountsv1.InvitationStatus) bool {
			return equality.Semantic.DeepEqual(now.Decline, written.Decline)
		},
	}
}

// guessed counts a code that is about to be looked at.
func guessed() change {
	return change{
		obstacle: func(seen sight) outcome {
			if seen.guessesSpent() {
				return guessesSpent
			}
			return goOn
		},
		write: func(status *accountsv1.InvitationStatus, _ metav1.Time) { status.Guesses++ },
	}
}

// askedForCode asks for a code to another address.
func askedForCode(email string) change {
	return change{
		obstacle: func(seen sight) outcome {
			status := seen.Invitation.Status
			switch {
			case seen.AddressMatch() != accountsv1.AddressMatchAnyAddress:
				return addressRefused
			case seen.guessesSpent():
				return guessesSpent
			case status.OtherAddress.Requests >= invitation.MostCodes:
				return codesSpent
			}
			return goOn
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

// changeStatus lets change write into the status of m's Account, and saves it on
// condition that the Account is as it was read; if somebody was faster, it reads
// anew and changes that. Afterwards m is as it was written. What change returns
// ends it, errUnchanged without an error.
func (s *store) changeStatus(ctx context.Context, m *member, change func(m *member, now metav1.Time) error) error {
	return s.change(ctx, m, func(m *member) error {
		written := *m
		written.account = m.account.DeepCopy()
		if err := change(&written, second(s.clock.Now())); err != nil {
			return err
		}
		if err := s.saveAccount(ctx, written.account); err != nil {
			return err
		}
		*m = written
		return nil
	})
}

// request lets note write into the status of an Account that mail is asked for, on
// the same condition, so that limits hold however many ask at once. No Secret is
// read for it.
func (s *store) request(ctx context.Context, a *accountsv1.Account, note func(status *accountsv1.AccountStatus, now metav1.Time) bool) error {
	for range memberTries {
		written := a.DeepCopy()
		if !note(&written.Status, second(s.clock.Now())) {
			return nil
		}
		failure := s.saveAccount(ctx, written)
		if !changedMeanwhile(failure) {
			return failure
		}
		again, err := get[accountsv1.Account](ctx, s.live, client.ObjectKeyFromObject(a))
		if err != nil || !isAskable(again) || again.UID != a.UID {
			return err
		}
		a = again
	}
	return errContended
}

// saveAccount saves the status of an Account, on condition that the Account is as
// it was read.
func (s *store) saveAccount(ctx context.Context, a *accountsv1.Account) error {
	return s.writer.Status().Update(ctx, a)
}

// second is a time as the API server keeps it: in UTC, cut to the second.
func second(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
