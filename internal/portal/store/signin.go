// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// signInTimeout is how long the portal is at one try to sign in. It must be well
// below the time after which a try counts as settled (account.Settled).
const signInTimeout = 8 * time.Second

// errNotCounted says that the Account is locked: what was tried was not looked at.
var errNotCounted = errors.New("the account is locked")

// NotLookedAtError says that a password was not looked at for a reason that there is
// only where there is an Account: it could not be counted, or its hash is damaged.
type NotLookedAtError struct{ error }

// Unwrap gives the reason.
func (e NotLookedAtError) Unwrap() error { return e.error }

// TryPassword tells whether the password is the one of m, nil for nobody. It is
// counted before it is looked at, by a conditional write, so that a limit of five
// means five, however many guess at once, and at how many portals; and not before
// there is room to look at it, so that a crowd at the door locks nobody out. A password
// takes as long to look at where there is nobody, or where it may not be tried.
func (s *Store) TryPassword(ctx context.Context, m *Member, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	hadRoom, uncounted := false, error(nil)
	right, err := s.Hasher.Verify(ctx, password, func() string {
		hadRoom = true
		if m == nil || m.Disabled() {
			return ""
		}
		switch err := s.countTry(ctx, m, account.FactorPassword); {
		case err == nil:
			return m.Credentials.Password
		case !errors.Is(err, errNotCounted) && !errors.Is(err, ErrGone):
			uncounted = err
		}
		return ""
	})
	if err = cmp.Or(err, uncounted); err != nil && hadRoom {
		return false, NotLookedAtError{err}
	}
	return right && err == nil, err
}

// tryCode tells whether the code is one of m's second factor, or one of the
// recovery codes, and uses it up: use writes what the code was for, in the same
// conditional write, so that no code works twice at any number of portals.
func (s *Store) tryCode(ctx context.Context, m *Member, code string, use func(m *Member, now time.Time) error) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	switch err := s.countTry(ctx, m, account.FactorCode); {
	case errors.Is(err, errNotCounted), errors.Is(err, ErrGone):
		return false, nil
	case err != nil:
		return false, err
	}
	err := s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		if !takeCode(&m.Credentials, code, now) {
			return errWrongCode
		}
		return use(m, now)
	})
	if errors.Is(err, errWrongCode) {
		return false, nil
	}
	return err == nil, err
}

// errWrongCode says that a code is none of the Account's, or was used.
var errWrongCode = errors.New("wrong code")

// takeCode tells whether a code is right, and marks it as used.
func takeCode(c *account.Credentials, code string, now time.Time) bool {
	if c.TOTP.Secret != "" {
		if step, right := secondfactor.Check(c.TOTP.Secret, code, now, c.TOTP.LastStep); right {
			c.TOTP.LastStep = step
			return true
		}
	}
	left, right := secondfactor.UseRecoveryCode(c.RecoveryCodes, code)
	if right {
		c.RecoveryCodes = left
	}
	return right
}

// countTry counts a password or a code that is about to be looked at. It fails with
// errNotCounted where the Account is locked.
func (s *Store) countTry(ctx context.Context, m *Member, factor account.Factor) error {
	return s.changeStatus(ctx, m, func(m *Member, now metav1.Time) error {
		if m.Disabled() || !account.Count(&m.Account.Status.SignIn, factor, m.limits(), now) {
			return errNotCounted
		}
		return nil
	})
}

// SignIn begins the session of a person whose password was right. The person is signed
// in, or only halfway where there is a second factor. SignIn gives the token of the
// session. Where only the status could not be written, the session has begun: SignIn
// gives the token and the error. rehashed is the hash that the password has from now
// on; empty: the one that it has.
func (s *Store) SignIn(ctx context.Context, m *Member, rehashed string, from Browser, lang language.Tag) (stage session.Stage, token string, err error) {
	before := m.Credentials.Password
	token, err = s.BeginSession(ctx, m, from, func(m *Member, _ time.Time) (session.Stage, error) {
		if m.Credentials.Password != before || m.Disabled() {
			return "", ErrGone // it was changed while it was being looked at
		}
		if rehashed != "" {
			m.Credentials.Password = rehashed
		}
		stage = session.StageSignedIn
		if m.Credentials.HasSecondFactor() {
			stage = session.StagePassword
		}
		return stage, nil
	})
	if err != nil {
		return "", "", err
	}
	err = s.welcomeBack(ctx, m, lang, func(status *accountsv1.SignIn, limits account.Limits) {
		if stage == session.StageSignedIn {
			account.SignedIn(status, account.FactorPassword, limits)
		} else {
			account.PasswordRight(status)
		}
	})
	return stage, unlessGone(token, err), err
}

// SignInWithCode turns the session of a person whose password was right into one that
// is signed in. The session gets another token, which SignInWithCode gives as SignIn
// does. No token and no error: the code was wrong.
func (s *Store) SignInWithCode(ctx context.Context, at *SignedIn, code string, from Browser, lang language.Tag) (string, error) {
	token := ""
	right, err := s.tryCode(ctx, at.Member, code, func(m *Member, now time.Time) (err error) {
		if !m.keeps(at.Session) || m.Disabled() {
			return ErrGone // a password change, or another code, was faster
		}
		token, err = m.begin(s.Random, session.StageSignedIn, from, now)
		return err
	})
	if err != nil || !right {
		return "", err
	}
	err = s.welcomeBack(ctx, at.Member, lang, func(status *accountsv1.SignIn, limits account.Limits) {
		account.SignedIn(status, account.FactorCode, limits)
	})
	return unlessGone(token, err), err
}

// unlessGone is the token of a session that has begun, whatever failed afterwards,
// unless the Account is gone.
func unlessGone(token string, failure error) string {
	if errors.Is(failure, ErrGone) {
		return ""
	}
	return token
}

// ForgetPasswords takes back what was counted, after a password that was right.
func (s *Store) ForgetPasswords(ctx context.Context, m *Member) error {
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		account.SignedIn(&m.Account.Status.SignIn, account.FactorPassword, m.limits())
		return nil
	})
}

// welcomeBack writes down that a try was right, and brings back what the status
// says of the credentials, which a restore may have lost.
func (s *Store) welcomeBack(ctx context.Context, m *Member, lang language.Tag, forget func(status *accountsv1.SignIn, limits account.Limits)) error {
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		if m.Disabled() {
			return ErrGone
		}
		forget(&m.Account.Status.SignIn, m.limits())
		m.note(lang)
		return nil
	})
}
