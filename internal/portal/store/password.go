// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// statusTries bounds how often the status of an Account is written after its password
// was changed. There is no form to send again for that.
const statusTries = 3

// ReplacePassword writes a new password after the current one, which at holds, was
// right. Every other session ends, and this one goes on with another token, which it
// gives. It fails with ErrTooShort, or with ErrGone where the session was ended.
func (s *Store) ReplacePassword(ctx context.Context, at *SignedIn, chosen ChosenPassword, from Browser) (string, error) {
	before := at.Credentials.Password
	// Who asks for a link writes the Account, which no condition on the Secret sees.
	again, err := s.member(ctx, at.Account.Name)
	if err != nil {
		return "", err
	}
	if again == nil {
		return "", ErrGone
	}
	*at.Member = *again
	return s.BeginSession(ctx, at.Member, from, func(m *Member, now time.Time) (session.Stage, error) {
		switch m.Credentials.ShortPassword = chosen.Short; {
		case !m.keeps(at.Session) || m.Disabled():
			return "", ErrGone // it was ended while the password was being looked at
		case m.Credentials.Password != before:
			return "", ErrContended // a sign-in hashed the password again
		case m.Credentials.ShortPassword && !m.Credentials.HasSecondFactor():
			return "", ErrTooShort // the second factor was removed meanwhile
		}
		m.Credentials.Password, m.Credentials.PasswordTime = chosen.Hash, m.passwordTime(now)
		m.Credentials.Sessions = nil
		return session.StageSignedIn, nil
	})
}

// NotePassword forgets what was counted, opens a lock, and lets the controller tell
// the person. The new password counts by now: where this fails, signing in makes up
// for the mail, and another link for the lock.
func (s *Store) NotePassword(ctx context.Context, m *Member, lang language.Tag, forget func(status *accountsv1.SignIn, limits account.Limits)) error {
	var err error
	for range statusTries {
		err = s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
			forget(&m.Account.Status.SignIn, m.limits())
			m.noteNewPassword(lang)
			return nil
		})
		if err == nil || errors.Is(err, ErrGone) {
			return nil
		}
	}
	return err
}

// passwordTime is when a password counts as chosen that is chosen now: no earlier
// than the newest request for a link, which may come from a portal, or a controller,
// whose clock is ahead of this one's. The link is dead all the same.
func (m *Member) passwordTime(now time.Time) time.Time {
	if asked := m.Account.Status.ResetTimes; len(asked) > 0 && asked[0].After(now) {
		now = asked[0].Time
	}
	return now.UTC()
}
