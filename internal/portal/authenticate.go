// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// doorTimeout is how long the portal is at one try to sign in. It must be well
// below the time after which a try counts as settled (account.Settled).
const doorTimeout = 8 * time.Second

// errNotCounted says that the Account is locked: what was tried was not looked at.
var errNotCounted = errors.New("the account is locked")

// notLookedAtError says that a password was not looked at for a reason that there is
// only where there is an Account: it could not be counted, or its hash is damaged.
type notLookedAtError struct{ error }

// Unwrap gives the reason.
func (e notLookedAtError) Unwrap() error { return e.error }

// tryPassword tells whether the password is the one of m, nil for nobody. It is
// counted before it is looked at, by a conditional write, so that a limit of five
// means five, however many guess at once, and at how many portals; and not before
// there is room to look at it, so that a crowd at the door locks nobody out. A password
// takes as long to look at where there is nobody, or where it may not be tried.
func (p *portal) tryPassword(ctx context.Context, m *member, password string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTimeout)
	defer cancel()
	hadRoom, uncounted := false, error(nil)
	right, err := p.hasher.Verify(ctx, password, func() string {
		hadRoom = true
		if m == nil || m.disabled() {
			return ""
		}
		switch err := p.countTry(ctx, m, account.FactorPassword); {
		case err == nil:
			return m.credentials.Password
		case !errors.Is(err, errNotCounted) && !errors.Is(err, errGone):
			uncounted = err
		}
		return ""
	})
	if err = cmp.Or(err, uncounted); err != nil && hadRoom {
		return false, notLookedAtError{err}
	}
	return right && err == nil, err
}

// tryCode tells whether the code is one of m's second factor, or one of the
// recovery codes, and uses it up: use writes what the code was for, in the same
// conditional write, so that no code works twice at any number of portals.
func (p *portal) tryCode(ctx context.Context, m *member, code string, use func(m *member, now time.Time) error) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, doorTimeout)
	defer cancel()
	switch err := p.countTry(ctx, m, account.FactorCode); {
	case errors.Is(err, errNotCounted), errors.Is(err, errGone):
		return false, nil
	case err != nil:
		return false, err
	}
	err := p.members.changeCredentials(ctx, m, func(m *member, now time.Time) error {
		if !takeCode(&m.credentials, code, now) {
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
func (p *portal) countTry(ctx context.Context, m *member, factor account.Factor) error {
	return p.members.changeStatus(ctx, m, func(m *member, now metav1.Time) error {
		if m.disabled() || !account.Count(&m.account.Status.SignIn, factor, m.limits(), now) {
			return errNotCounted
		}
		return nil
	})
}

// signInWith begins the session of somebody whose password was right: signed in, or
// only halfway where there is a second factor. It gives the browser its cookie.
func (p *portal) signInWith(w http.ResponseWriter, r *http.Request, m *member, password string, lang language.Tag) (session.Stage, error) {
	renewed := p.renewed(r.Context(), m, password)
	before, stage, token := m.credentials.Password, session.StageSignedIn, ""
	err := p.members.changeCredentials(r.Context(), m, func(m *member, now time.Time) (err error) {
		if m.credentials.Password != before || m.disabled() {
			return errGone // it was changed while it was being looked at
		}
		if renewed != "" {
			m.credentials.Password = renewed
		}
		stage = session.StageSignedIn
		if m.credentials.HasSecondFactor() {
			stage = session.StagePassword
		}
		token, err = p.begin(r, m, stage, now)
		return err
	})
	if err != nil {
		return "", err
	}
	err = p.welcomeBack(r.Context(), m, lang, func(s *accountsv1.SignIn, limits account.Limits) {
		if stage == session.StageSignedIn {
			account.SignedIn(s, account.FactorPassword, limits)
		} else {
			account.PasswordRight(s)
		}
	})
	// Where only the status could not be written, the session has begun.
	if !errors.Is(err, errGone) {
		p.keep(w, m.account.Name, token)
	}
	return stage, err
}

// renewed is the hash that a password that was right should have from now on; empty:
// the one that it has. Where there is no room for it now, there is another time.
func (p *portal) renewed(ctx context.Context, m *member, password string) string {
	if !account.Outdated(m.credentials.Password) {
		return ""
	}
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		p.log.Error(errKind(err), "Failed to hash a password anew")
		return ""
	}
	return hash
}

// signInWithCode turns the session of somebody whose password was right into one
// that is signed in, with another token.
func (p *portal) signInWithCode(w http.ResponseWriter, r *http.Request, at *signedIn, code string, lang language.Tag) (bool, error) {
	token := ""
	right, err := p.tryCode(r.Context(), at.member, code, func(m *member, now time.Time) (err error) {
		if !m.keeps(at.session) || m.disabled() {
			return errGone // a password change, or another code, was faster
		}
		token, err = p.begin(r, m, session.StageSignedIn, now)
		return err
	})
	if err != nil || !right {
		return false, err
	}
	err = p.welcomeBack(r.Context(), at.member, lang, func(s *accountsv1.SignIn, limits account.Limits) {
		account.SignedIn(s, account.FactorCode, limits)
	})
	if !errors.Is(err, errGone) {
		p.keep(w, at.account.Name, token)
	}
	return true, err
}

// welcomeBack writes down that a try was right, and brings back what the status
// says of the credentials, which a restore may have lost.
func (p *portal) welcomeBack(ctx context.Context, m *member, lang language.Tag, forget func(s *accountsv1.SignIn, limits account.Limits)) error {
	return p.members.changeStatus(ctx, m, func(m *member, _ metav1.Time) error {
		if m.disabled() {
			return errGone
		}
		forget(&m.account.Status.SignIn, m.limits())
		m.note(lang)
		return nil
	})
}

// note brings the status up to date with the credentials.
func (m *member) note(lang language.Tag) {
	status := &m.account.Status
	status.Language = accountsv1.Language(lang)
	status.TwoFactor = m.credentials.TwoFactor()
	if made := m.account.CreationTimestamp.Add(account.AcceptanceTimeout); m.credentials.PasswordTime.After(made) {
		changed := second(m.credentials.PasswordTime)
		status.PasswordTime = &changed
	}
	if !m.credentials.SecondFactorTime.IsZero() {
		changed := second(m.credentials.SecondFactorTime)
		status.SecondFactorTime = &changed
	}
}

// noteNewPassword does the same after a password was changed, however young the
// Account is: its person is told by mail.
func (m *member) noteNewPassword(lang language.Tag) {
	m.note(lang)
	changed := second(m.credentials.PasswordTime)
	m.account.Status.PasswordTime = &changed
}

// needsSecondFactor tells whether an Organization of m wants a second factor
// that m does not have.
func (m *member) needsSecondFactor() bool {
	return !m.credentials.HasSecondFactor() && slices.ContainsFunc(m.belongings, func(b account.Belonging) bool {
		return b.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
	})
}

// membersVisit is a request of somebody who is signed in.
type membersVisit struct {
	w http.ResponseWriter
	r *http.Request
	*signedIn
	lang language.Tag
}

// forMembers lets nobody in who is not signed in: they are sent to sign in.
func (p *portal) forMembers(handle func(v membersVisit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lang := languageOf(r, sight{})
		at, err := p.visitor(r)
		switch {
		case err != nil:
			p.failed(w, r, lang, "find a session", err, unavailable)
		case at == nil:
			p.redirect(w, r, "/sign-in?lang="+lang.String())
		case at.session.Stage != session.StageSignedIn:
			p.redirect(w, r, "/sign-in/code?lang="+lang.String())
		default:
			handle(membersVisit{w, r, at, lang})
		}
	}
}

// render answers with a page that says who is signed in.
func (v membersVisit) render(p *portal, status int, name, title string, content any) {
	p.renderFor(v.w, v.r, v.lang, status, name, title, v.account.Name, content)
}
