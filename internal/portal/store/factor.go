// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
)

// ErrLastFactor means that the second factor is the last one and that one is required.
var ErrLastFactor = errors.New("the last second factor cannot be removed: one is required")

const (
	// appTime is how long a member may take to set up an authenticator app.
	appTime = 10 * time.Minute
	// AppTries is how many codes they may try in that time.
	AppTries = 5
)

// Pending holds the setups that a session has started and not finished. It is kept with
// the session, so no other session can finish them, at any number of portals.
type Pending struct {
	App     *PendingApp     `json:"app,omitempty"`
	Passkey *PendingPasskey `json:"passkey,omitempty"`
}

// pendingOf returns the unfinished setups of a session, with a sealed seed. Unreadable
// data counts as none.
func pendingOf(s session.Session) Pending {
	var open Pending
	if json.Unmarshal(s.Pending, &open) != nil {
		return Pending{}
	}
	return open
}

// ChangePending changes the unfinished setups of a session. It fails with ErrGone if the
// session has ended.
func (s *Store) ChangePending(ctx context.Context, of *SignedIn, change func(open *Pending, now time.Time) error) error {
	return s.changeCredentials(ctx, of.Member, func(m *Member, now time.Time) error {
		current, alive := m.alive(of.Session.Hash, now)
		if !alive {
			return ErrGone
		}
		open, err := s.Pending(ctx, m, current)
		if err != nil {
			return err
		}
		if err := change(&open, now); err != nil {
			return err
		}
		kept, err := s.sealPending(ctx, m, open)
		if err != nil {
			return err
		}
		current.Pending = kept
		m.Credentials.Sessions = slices.Clone(m.Credentials.Sessions)
		at := slices.IndexFunc(m.Credentials.Sessions, func(o session.Session) bool { return o.Hash == current.Hash })
		m.Credentials.Sessions[at] = current
		return nil
	})
}

// FactorChange changes a member's credentials, given the unfinished setups of the
// session. It returns recovery codes if it creates any. It must not modify the slices of
// c in place, because it may be called again after a conflict.
type FactorChange func(c *account.Credentials, open Pending, now time.Time) (codes []string, err error)

// ChangeFactors makes a change in one conditional write, on condition that the session is
// still alive. Every other session ends. This session continues under another token,
// which ChangeFactors returns with the recovery codes. It fails with ErrGone if the
// session has ended, with ErrLastFactor, or with the error of change.
func (s *Store) ChangeFactors(ctx context.Context, at *SignedIn, from Browser, change FactorChange) (token string, codes []string, err error) {
	err = s.changeCredentials(ctx, at.Member, func(m *Member, now time.Time) error {
		current, alive := m.alive(at.Session.Hash, now)
		if !alive || m.Disabled() {
			return ErrGone
		}
		open, err := s.Pending(ctx, m, current)
		if err != nil {
			return err
		}
		if codes, err = change(&m.Credentials, open, now); err != nil {
			return err
		}
		if err := m.checkLastFactor(); err != nil {
			return err
		}
		m.Credentials.EndSessions()
		token, err = m.begin(s.Random, session.Beginning{Stage: session.StageSignedIn, Methods: current.Methods}, from, now)
		if err != nil {
			return err
		}
		// This is not a sign-in. If a change restarted the clock of a session, a browser
		// could keep the session alive forever.
		m.Credentials.Sessions[0].StartTime = current.StartTime
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	return token, codes, nil
}

// checkLastFactor refuses credentials without a second factor where one is required.
// ChangeFactors calls it within the write. So if two second factors are removed at the
// same time, one stays.
func (m *Member) checkLastFactor() error {
	if !m.Credentials.HasSecondFactor() && (m.Credentials.ShortPassword || m.NeedsSecondFactor()) {
		return ErrLastFactor
	}
	return nil
}

// PendingApp is an authenticator app that is being set up. It becomes a second factor
// with the first right code.
type PendingApp struct {
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
	// Tries counts the codes that were compared.
	Tries int `json:"tries,omitempty"`
}

// NewPendingApp returns an app with a new secret.
func NewPendingApp(random io.Reader, now time.Time) (*PendingApp, error) {
	secret, err := secondfactor.NewSecret(random)
	if err != nil {
		return nil, err
	}
	return &PendingApp{Secret: secret, Expires: now.Add(appTime)}, nil
}

// Open reports whether another code can be tried.
func (a *PendingApp) Open(now time.Time) bool {
	return a != nil && now.Before(a.Expires) && a.Tries < AppTries
}

// Confirm returns the app, and reports whether the code proves that it is set up. A right
// code is used up. The caller must count the attempt first.
func (a *PendingApp) Confirm(code string, now time.Time) (account.TOTP, bool) {
	step, right := secondfactor.Check(a.Secret, code, now, 0)
	return account.TOTP{Secret: a.Secret, LastStep: step, AddedTime: now}, right
}

// PendingPasskey is a passkey that is being created.
type PendingPasskey struct {
	Ceremony webauthn.SessionData `json:"ceremony"`
	Expires  time.Time            `json:"expires"`
}
