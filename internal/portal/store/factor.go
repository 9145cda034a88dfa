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

// ErrStays says that a second factor is the last one, and that one is needed.
var ErrStays = errors.New("the last second factor is needed")

const (
	// appTime is how long somebody may take to set an app up.
	appTime = 10 * time.Minute
	// AppTries is how many codes they may type meanwhile.
	AppTries = 5
)

// Pending is what a session is in the middle of. It is kept with the session, so
// that no other one can finish it, at any number of portals.
type Pending struct {
	App     *PendingApp     `json:"app,omitempty"`
	Passkey *PendingPasskey `json:"passkey,omitempty"`
}

// PendingOf is what a session is in the middle of. What cannot be read is nothing.
func PendingOf(s session.Session) Pending {
	var open Pending
	if json.Unmarshal(s.Pending, &open) != nil {
		return Pending{}
	}
	return open
}

// ChangePending changes what a session is in the middle of. It fails with ErrGone where the
// session has ended.
func (s *Store) ChangePending(ctx context.Context, of *SignedIn, change func(open *Pending, now time.Time) error) error {
	return s.changeCredentials(ctx, of.Member, func(m *Member, now time.Time) error {
		current, alive := m.alive(of.Session.Hash, now)
		if !alive {
			return ErrGone
		}
		open := PendingOf(current)
		if err := change(&open, now); err != nil {
			return err
		}
		kept, err := json.Marshal(open)
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

// FactorChange changes what somebody signs in with, given what their session is
// in the middle of. It gives recovery codes that were made besides. It must leave
// the slices of c as they were, because it may be tried again.
type FactorChange func(c *account.Credentials, open Pending, now time.Time) (codes []string, err error)

// ChangeFactors makes a change in one conditional write, on condition that the
// session is still alive. Every other session ends with it, and this one goes on under
// another token, which it gives with the recovery codes. It fails with ErrGone where
// the session has ended, with ErrStays, or with what the change fails with.
func (s *Store) ChangeFactors(ctx context.Context, at *SignedIn, from Browser, change FactorChange) (token string, codes []string, err error) {
	err = s.changeCredentials(ctx, at.Member, func(m *Member, now time.Time) error {
		current, alive := m.alive(at.Session.Hash, now)
		if !alive || m.Disabled() {
			return ErrGone
		}
		var err error
		if codes, err = change(&m.Credentials, PendingOf(current), now); err != nil {
			return err
		}
		if err := m.removable(); err != nil {
			return err
		}
		m.Credentials.Sessions = nil
		token, err = m.begin(s.Random, session.StageSignedIn, from, now)
		if err != nil {
			return err
		}
		// Nobody has signed in: no session becomes younger by a change, or it
		// could be kept for good.
		m.Credentials.Sessions[0].StartTime = current.StartTime
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	return token, codes, nil
}

// removable refuses credentials without a second factor where one is needed. It
// is asked within the write, so that of two second factors that are removed at
// the same time one stays.
func (m *Member) removable() error {
	if !m.Credentials.HasSecondFactor() && (m.Credentials.ShortPassword || m.NeedsSecondFactor()) {
		return ErrStays
	}
	return nil
}

// PendingApp is an app that is being set up. It becomes a second factor with the
// first code that it makes.
type PendingApp struct {
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
	// Tries counts the codes that were looked at.
	Tries int `json:"tries,omitempty"`
}

// NewPendingApp begins with a secret of its own.
func NewPendingApp(random io.Reader, now time.Time) (*PendingApp, error) {
	secret, err := secondfactor.NewSecret(random)
	if err != nil {
		return nil, err
	}
	return &PendingApp{Secret: secret, Expires: now.Add(appTime)}, nil
}

// Open tells whether a code can still be tried.
func (a *PendingApp) Open(now time.Time) bool {
	return a != nil && now.Before(a.Expires) && a.Tries < AppTries
}

// Confirm gives the app that a code proves to be set up. That code is used up by
// it. Whoever calls it has counted the try.
func (a *PendingApp) Confirm(code string, now time.Time) (account.TOTP, bool) {
	step, right := secondfactor.Check(a.Secret, code, now, 0)
	return account.TOTP{Secret: a.Secret, LastStep: step, AddedTime: now}, right
}

// PendingPasskey is a passkey that is being made.
type PendingPasskey struct {
	Ceremony webauthn.SessionData `json:"ceremony"`
	Expires  time.Time            `json:"expires"`
}
