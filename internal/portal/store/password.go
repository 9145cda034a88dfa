// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// statusTries bounds how often the status of an Account is written after a password
// change. The person has no form to submit again for that.
const statusTries = 3

// ReplacePassword writes a new password after the current one, as read into at, was
// verified. Every other session ends, and the Account forgets every other browser. This
// session continues with another token, which ReplacePassword returns. It fails with ErrTooShort, or with ErrGone if the session was
// ended.
func (s *Store) ReplacePassword(ctx context.Context, at *SignedIn, chosen ChosenPassword, from Browser) (string, error) {
	before := at.Credentials.Password
	// A request for a reset link writes the Account, and a condition on the Secret does
	// not see that.
	again, err := s.member(ctx, at.Account.Name)
	if err != nil {
		return "", err
	}
	if again == nil {
		return "", ErrGone
	}
	*at.Member = *again
	return s.BeginSession(ctx, at.Member, from, func(m *Member, now time.Time) (session.Beginning, error) {
		current, alive := m.alive(at.Session.Hash, now)
		switch m.Credentials.ShortPassword = chosen.Short; {
		case !alive || m.Disabled():
			return session.Beginning{}, ErrGone // it was ended while the password was being compared
		case m.Credentials.Password != before:
			return session.Beginning{}, ErrContended // a sign-in hashed the password again
		case m.Credentials.ShortPassword && !m.Credentials.HasSecondFactor():
			return session.Beginning{}, ErrTooShort // the second factor was removed in the meantime
		}
		m.Credentials.Password, m.Credentials.PasswordTime = chosen.Hash, m.passwordTime(now)
		m.Credentials.EndSessions()
		m.Credentials.Browsers = nil
		return session.Beginning{Stage: session.StageSignedIn, Methods: current.Methods}, nil
	})
}

// NotePassword clears the count of passwords and opens their lock, and makes the
// controller notify the person. The new password is already valid. If NotePassword fails,
// the person is notified after the next sign-in, and can open the lock with another reset
// link.
func (s *Store) NotePassword(ctx context.Context, m *Member, lang language.Tag) error {
	return s.notePassword(ctx, m, lang, func(*Member, metav1.Time) {})
}

// NoteReset is NotePassword after a reset with a link. It proves that the reader of the
// mailbox has the Account, unless there is a second factor: another person may have set
// that up, and a reset does not remove it.
func (s *Store) NoteReset(ctx context.Context, m *Member, lang language.Tag) error {
	return s.notePassword(ctx, m, lang, func(m *Member, now metav1.Time) {
		if !m.Credentials.HasSecondFactor() {
			account.VerifyEmail(m.Account, now)
		}
	})
}

func (s *Store) notePassword(ctx context.Context, m *Member, lang language.Tag, also func(m *Member, now metav1.Time)) error {
	var err error
	for range statusTries {
		err = s.changeStatus(ctx, m, func(m *Member, now metav1.Time) error {
			account.ClearPasswords(&m.Account.Status.SignIn)
			m.noteNewPassword(lang)
			also(m, now)
			return nil
		})
		if err == nil || errors.Is(err, ErrGone) {
			return nil
		}
	}
	return err
}

// passwordTime returns the time to record for a password that is chosen now. It is never
// earlier than the newest request for a reset link, because that request may come from a
// portal or a controller whose clock is ahead. So the link becomes invalid in any case.
func (m *Member) passwordTime(now time.Time) time.Time {
	if asked := m.Account.Status.ResetTimes; len(asked) > 0 && asked[0].After(now) {
		now = asked[0].Time
	}
	return now.UTC()
}
