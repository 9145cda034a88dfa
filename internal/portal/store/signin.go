// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// signInTimeout bounds how long the portal works on one attempt to sign in. It must be
// well below the time after which an attempt counts as ended (account.Lock.CertainFrom).
const signInTimeout = 8 * time.Second

// errNotCounted means that the factor is locked, so the attempt was not compared.
var errNotCounted = errors.New("the account is locked")

// NotComparedError means that a password was not compared, for a reason that exists only
// if there is an Account: the attempt could not be counted, or the hash is damaged.
type NotComparedError struct{ error }

// Unwrap returns the reason.
func (e NotComparedError) Unwrap() error { return e.error }

// TryPassword reports whether the password is the one of m. m is nil if there is no such
// Account.
//
// The attempt is counted by a conditional write before the password is compared. So a
// limit of five means five, however many clients guess at once and at however many
// portals. The attempt is not counted before a hashing slot is free, so a flood of
// requests locks no Account. The comparison takes the same time if there is no Account or
// the attempt is not allowed.
//
// If the Account knows the browser, the attempt is counted in the browser alone, in the
// Account's Secret. So wrong passwords from elsewhere do not lock it.
func (s *Store) TryPassword(ctx context.Context, m *Member, from Browser, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	hadRoom, uncounted := false, error(nil)
	right, err := s.Hasher.Verify(ctx, password, func() string {
		hadRoom = true
		if m == nil || m.Disabled() {
			return ""
		}
		switch err := s.countPassword(ctx, m, from); {
		case err == nil:
			return m.Credentials.Password
		case !errors.Is(err, errNotCounted) && !errors.Is(err, ErrGone):
			uncounted = err
		}
		return ""
	})
	if err = cmp.Or(err, uncounted); err != nil && hadRoom {
		return false, NotComparedError{err}
	}
	return right && err == nil, err
}

// tryCode reports whether the code is a valid code of m's second factor, or a recovery
// code, and uses it up. use writes what the code was for in the same conditional write,
// so no code works twice at any number of portals.
func (s *Store) tryCode(ctx context.Context, m *Member, code string, use func(m *Member, now time.Time) error) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	if err := s.canCompare(ctx, m, code); err != nil {
		return false, err
	}
	switch err := s.countTry(ctx, m, account.FactorCode); {
	case errors.Is(err, errNotCounted), errors.Is(err, ErrGone):
		return false, nil
	case err != nil:
		return false, err
	}
	err := s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		if err := s.takeCode(ctx, m, code, now); err != nil {
			return err
		}
		return use(m, now)
	})
	if errors.Is(err, errWrongCode) {
		return false, nil
	}
	return err == nil, err
}

// errWrongCode means that a code is not one of the Account's, or was used already.
var errWrongCode = errors.New("wrong code")

// canCompare fails if a code has to be compared with the seed of the app, and that cannot
// be opened. Such a code is not counted: otherwise, right codes would lock the recovery
// codes too.
func (s *Store) canCompare(ctx context.Context, m *Member, code string) error {
	if stored := m.Credentials.TOTP.Secret; stored != "" && !secondfactor.IsRecoveryCode(code) {
		_, _, err := s.openSeed(ctx, stored, m.Account.Name)
		return err
	}
	return nil
}

// takeCode marks a right code as used. It fails with errWrongCode. Recovery codes also
// work if the seed of the app cannot be opened. For any other code, it returns that error.
func (s *Store) takeCode(ctx context.Context, m *Member, code string, now time.Time) error {
	c := &m.Credentials
	if left, right := secondfactor.UseRecoveryCode(c.RecoveryCodes, code); right {
		c.RecoveryCodes = left
		return nil
	}
	if c.TOTP.Secret == "" || secondfactor.IsRecoveryCode(code) {
		return errWrongCode
	}
	seed, current, err := s.openSeed(ctx, c.TOTP.Secret, m.Account.Name)
	if err != nil {
		return err
	}
	step, right := secondfactor.Check(seed, code, now, c.TOTP.LastStep)
	if !right {
		return errWrongCode
	}
	c.TOTP.LastStep = step
	if !current {
		c.TOTP.Secret = seed // the write seals it with the newest key
	}
	return nil
}

// errUnknownBrowser means that the Account does not know a browser, or that the browser has
// used up its attempts.
var errUnknownBrowser = errors.New("the account does not know the browser")

// countPassword counts a password before it is compared. It fails with errNotCounted like
// countTry.
func (s *Store) countPassword(ctx context.Context, m *Member, from Browser) error {
	err := s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		at := session.FindBrowser(m.Credentials.Browsers, from.Known, now, m.sessionsEnd())
		if at < 0 {
			return errUnknownBrowser
		}
		m.Credentials.Browsers = slices.Clone(m.Credentials.Browsers)
		if m.Disabled() || !account.CountInBrowser(&m.Credentials.Browsers[at], m.limits()) {
			return errUnknownBrowser
		}
		m.counted = m.Credentials.Browsers[at].Hash
		return nil
	})
	if !errors.Is(err, errUnknownBrowser) {
		return err
	}
	return s.countTry(ctx, m, account.FactorPassword)
}

// clearBrowser clears what was counted in a browser.
func (m *Member) clearBrowser(hash string) {
	m.Credentials.Browsers = slices.Clone(m.Credentials.Browsers)
	for i := range m.Credentials.Browsers {
		if m.Credentials.Browsers[i].Hash == hash {
			m.Credentials.Browsers[i].Failures = 0
		}
	}
}

// countTry counts a password or a code before it is compared. It fails with errNotCounted
// if the factor is locked or the Account is disabled.
func (s *Store) countTry(ctx context.Context, m *Member, factor account.Factor) error {
	return s.changeStatus(ctx, m, func(m *Member, now metav1.Time) error {
		if m.Disabled() || !account.Count(&m.Account.Status.SignIn, factor, m.limits(), now) {
			return errNotCounted
		}
		return nil
	})
}

// SignIn begins the session of a member whose password was right, and returns its token.
// If there is a second factor, the session is only halfway. If only the status could not
// be written, the session has begun, so SignIn returns both the token and the error.
// rehashed replaces the hash of the password. Empty means that the hash stays.
func (s *Store) SignIn(ctx context.Context, m *Member, rehashed string, from Browser, lang language.Tag) (stage session.Stage, token string, err error) {
	before, counted := m.Credentials.Password, m.counted
	token, err = s.BeginSession(ctx, m, from, func(m *Member, _ time.Time) (session.Beginning, error) {
		if m.Credentials.Password != before || m.Disabled() {
			return session.Beginning{}, ErrGone // it was changed while it was being compared
		}
		if rehashed != "" {
			m.Credentials.Password = rehashed
		}
		m.clearBrowser(counted)
		stage = session.StageSignedIn
		if m.Credentials.HasSecondFactor() {
			stage = session.StagePassword
		}
		return session.Beginning{Stage: stage, Methods: session.ByPassword}, nil
	})
	if err != nil {
		return "", "", err
	}
	if counted != "" {
		// Nothing of the Account was written, so it may have changed since it was read.
		err = s.readAccount(ctx, m)
	}
	if err == nil {
		err = s.recordSignIn(ctx, m, lang, func(status *accountsv1.SignIn) {
			if counted == "" {
				account.ClearPasswords(status)
			}
		})
	}
	return stage, tokenUnlessDeleted(token, err), err
}

// readAccount reads the Account of m again, live. It fails with ErrGone if that is
// another one now. Credentials and Memberships stay as they were read.
func (s *Store) readAccount(ctx context.Context, m *Member) error {
	again, err := get[accountsv1.Account](ctx, s.Live, client.ObjectKeyFromObject(m.Account))
	if err != nil {
		return err
	}
	if again == nil || !isUsableAccount(again) || again.UID != m.Account.UID {
		return ErrGone
	}
	m.Account = again
	return nil
}

// SignInWithCode turns the session of a member whose password was right into a signed-in
// session. The session gets another token, which SignInWithCode returns in the same way
// as SignIn. If it returns neither a token nor an error, the code was wrong.
func (s *Store) SignInWithCode(ctx context.Context, at *SignedIn, code string, from Browser, lang language.Tag) (string, error) {
	token := ""
	right, err := s.tryCode(ctx, at.Member, code, func(m *Member, now time.Time) (err error) {
		if _, alive := m.alive(at.Session.Hash, now); !alive || m.Disabled() {
			return ErrGone // a password change, or another code, was faster
		}
		token, err = m.begin(s.Random, session.Beginning{Stage: session.StageSignedIn, Methods: session.ByPasswordAndCode}, from, now)
		return err
	})
	if err != nil || !right {
		return "", err
	}
	err = s.recordSignIn(ctx, at.Member, lang, account.CodeRight)
	return tokenUnlessDeleted(token, err), err
}

// tokenUnlessDeleted returns the token of a session that has begun, despite a later failure,
// unless the Account was deleted or disabled.
func tokenUnlessDeleted(token string, failure error) string {
	if errors.Is(failure, ErrGone) {
		return ""
	}
	return token
}

// ForgetPasswords clears what was counted for passwords where the last one was counted,
// because it was right.
func (s *Store) ForgetPasswords(ctx context.Context, m *Member) error {
	if counted := m.counted; counted != "" {
		return s.changeCredentials(ctx, m, func(m *Member, _ time.Time) error {
			m.clearBrowser(counted)
			return nil
		})
	}
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		account.ClearPasswords(&m.Account.Status.SignIn)
		return nil
	})
}

// recordSignIn records a right attempt. It also restores what the status reports about the
// credentials, which a restore may have lost.
func (s *Store) recordSignIn(ctx context.Context, m *Member, lang language.Tag, forget func(status *accountsv1.SignIn)) error {
	return s.changeStatus(ctx, m, func(m *Member, _ metav1.Time) error {
		if m.Disabled() {
			return ErrGone
		}
		before := m.Account.Status.DeepCopy()
		forget(&m.Account.Status.SignIn)
		m.syncStatus(lang)
		if equality.Semantic.DeepEqual(*before, m.Account.Status) {
			return ErrUnchanged
		}
		return nil
	})
}
