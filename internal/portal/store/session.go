// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/usher-dev/usher/internal/session"
)

// SignedIn is a member and the session that a request belongs to.
type SignedIn struct {
	*Member
	Session session.Session
}

// alive returns a usable session of m by its hash. An operation that was begun for a
// session calls it again within its write, because the session may have ended.
func (m *Member) alive(hash string, now time.Time) (session.Session, bool) {
	living := m.Sessions(now)
	at := slices.IndexFunc(living, func(s session.Session) bool { return s.Hash == hash })
	if at < 0 {
		return session.Session{}, false
	}
	return living[at], true
}

// Browser is what a request tells about the browser that sent it.
type Browser struct {
	// Name is what the browser calls itself. Its owner recognizes it by this name.
	Name string
	// Token is the token of its present session, which has proved nothing yet. Empty
	// means that it has none.
	Token string
	// Known is the token by which Accounts know the browser, which has proved nothing yet
	// either. Empty means that it has none.
	Known string
}

// Visitor returns the member who has a session with that token, at any stage, in the
// Account of that name. It returns nil if there is no such session. It reads past the
// cache at each request, so a session that ends at one portal ends at all of them.
func (s *Store) Visitor(ctx context.Context, accountName, token string) (*SignedIn, error) {
	m, err := s.member(ctx, accountName)
	if err != nil || m == nil || m.Disabled() {
		return nil, err
	}
	found, known := session.Find(m.Credentials.Sessions, token)
	if !known || !found.Alive(s.Clock.Now(), m.sessionsEnd()) {
		return nil, nil
	}
	return &SignedIn{Member: m, Session: found}, nil
}

// Touch records that a session is in use.
func (s *Store) Touch(ctx context.Context, at *SignedIn) error {
	return s.changeCredentials(ctx, at.Member, func(m *Member, now time.Time) error {
		used := slices.IndexFunc(m.Credentials.Sessions, func(o session.Session) bool { return o.Hash == at.Session.Hash })
		if used < 0 {
			return ErrUnchanged
		}
		m.Credentials.Sessions = slices.Clone(m.Credentials.Sessions)
		m.Credentials.Sessions[used].SeenTime = now
		return nil
	})
}

// BeginSession begins a session of m, which replaces the session of the request, and
// returns its token. change returns how the session begins. Its changes to the
// credentials, such as a code that is used up, are written together with the session.
func (s *Store) BeginSession(ctx context.Context, m *Member, from Browser, change func(m *Member, now time.Time) (session.Beginning, error)) (string, error) {
	token := ""
	err := s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		as, err := change(m, now)
		if err != nil {
			return err
		}
		token, err = m.begin(s.Random, as, from, now)
		return err
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// begin adds a new session to the credentials and returns its token. It removes the
// session that the browser came with. The sign-ins to clients that were approved in that one
// end with the new one instead. If the sign-in is complete, the Account knows the
// browser from now on.
func (m *Member) begin(random io.Reader, as session.Beginning, from Browser, now time.Time) (string, error) {
	begun, token, err := session.New(random, as.Stage, from.Name, now)
	if err != nil {
		return "", err
	}
	begun.Methods = as.Methods
	if before, found := session.Find(m.Credentials.Sessions, from.Token); found {
		m.Credentials.Sessions = session.Without(m.Credentials.Sessions, before.Hash)
		m.Credentials.Clients = session.MoveClients(m.Credentials.Clients, before.Hash, begun.Hash)
	}
	m.Credentials.Sessions = session.Put(m.Credentials.Sessions, begun, now, m.sessionsEnd())
	if as.Stage != session.StageSignedIn {
		return token, nil
	}
	return token, m.know(random, from, now)
}

// know makes the Account know a browser.
func (m *Member) know(random io.Reader, from Browser, now time.Time) (err error) {
	if m.BrowserToken = from.Known; from.Known == "" {
		if m.BrowserToken, err = session.NewToken(random); err != nil {
			return fmt.Errorf("make a token for a browser: %w", err)
		}
	}
	m.Credentials.Browsers = session.PutBrowser(m.Credentials.Browsers, m.BrowserToken, now, m.sessionsEnd())
	return nil
}

// EndSession ends the session with that hash, and the sign-ins to clients that were approved
// in it. It writes nothing if there is none.
func (s *Store) EndSession(ctx context.Context, m *Member, hash string) error {
	return s.changeCredentials(ctx, m, func(m *Member, _ time.Time) error {
		sessions, clients := session.Without(m.Credentials.Sessions, hash), session.WithoutClientsOf(m.Credentials.Clients, hash)
		if len(sessions) == len(m.Credentials.Sessions) && len(clients) == len(m.Credentials.Clients) {
			return ErrUnchanged
		}
		m.Credentials.Sessions, m.Credentials.Clients = sessions, clients
		return nil
	})
}

// EndSessionOf does the same for the session of a token. The session may have run out: the
// sign-ins to clients that were approved in it live longer.
func (s *Store) EndSessionOf(ctx context.Context, accountName, token string) error {
	m, err := s.member(ctx, accountName)
	if err != nil || m == nil {
		return err
	}
	return s.EndSession(ctx, m, session.HashOf(token))
}

// EndSessions ends every session and every sign-in to a client, and makes the Account forget every browser.
func (s *Store) EndSessions(ctx context.Context, m *Member) error {
	return s.changeCredentials(ctx, m, func(m *Member, _ time.Time) error {
		m.Credentials.EndSessions()
		m.Credentials.Browsers = nil
		return nil
	})
}

// IsIn reports whether the member is signed in completely, not only with the first
// factor.
func (s *SignedIn) IsIn() bool { return s != nil && s.Session.Stage == session.StageSignedIn }
