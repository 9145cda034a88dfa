// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
)

// SignedInTo is a member and one of their sign-ins to clients.
type SignedInTo struct {
	*Member
	Client session.Client
}

// ErrLocked means that the Account is locked for a while, so no client gets a token. The
// sign-ins to clients continue afterwards.
var ErrLocked = errors.New("the account is locked for a while")

// ClientsRefused returns why a member may not be signed in to clients now, or nil. It is
// session.ErrNoSignIn if the Account is disabled, or has no Membership that is not suspended.
// It is ErrLocked if the Account is locked: anyone can cause that with wrong passwords, so it
// must end nothing.
func (m *Member) ClientsRefused(now time.Time) error {
	if m.Disabled() || !slices.ContainsFunc(m.Belongings, func(b account.Belonging) bool {
		return b.Membership.Spec.State != accountsv1.MembershipSwitchSuspended
	}) {
		return session.ErrNoSignIn
	}
	for _, factor := range []account.Factor{account.FactorPassword, account.FactorCode} {
		if account.LockOf(m.Account.Status.SignIn, factor, m.limits()).Locked(now) {
			return ErrLocked
		}
	}
	return nil
}

// SignInToClient begins a sign-in to a client that the person approved in their session,
// and returns its code. It fails with ErrGone if the session has ended in the meantime or
// the Account cannot be used.
func (s *Store) SignInToClient(ctx context.Context, at *SignedIn, approved session.Client) (string, error) {
	code := ""
	err := s.changeCredentials(ctx, at.Member, func(m *Member, now time.Time) error {
		current, alive := m.alive(at.Session.Hash, now)
		if !alive || current.Stage != session.StageSignedIn || m.ClientsRefused(now) != nil {
			return ErrGone
		}
		approved.Session, approved.AuthTime, approved.Methods = current.Hash, current.StartTime, current.Methods
		begun, text, err := approved.Begin(s.Random, now)
		if err != nil {
			return err
		}
		code = text
		m.Credentials.Clients = session.PutClient(m.Credentials.Clients, begun, now, m.sessionsEnd())
		return nil
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// UseClientCode exchanges a code of an Account for a first refresh token, or "" if
// session.ScopeOffline was not granted. It returns the sign-in as it was before, with what
// the code was bound to.
//
// The first use of a code, right or wrong, uses it up. A second one ends the sign-in, so
// the tokens of the first die too. UseClientCode then fails with session.ErrReplayed. If
// there is no such sign-in, or check refuses the code, it fails with session.ErrNoSignIn or
// with the error of check. If ClientsRefused returns an error, it fails with that, and the
// code still works.
func (s *Store) UseClientCode(ctx context.Context, accountName, code string, check func(session.Client) error) (*SignedInTo, string, error) {
	return s.useToken(ctx, accountName, code, check, func(c session.Client, now time.Time) (session.Client, string, error) {
		return c.UseCode(code, s.Random, now)
	}, true)
}

// UseClientRefresh exchanges a refresh token of an Account for the next one. The second use
// of a token ends the sign-in. It fails like UseClientCode, except that a token that check
// refuses still works.
func (s *Store) UseClientRefresh(ctx context.Context, accountName, token string, check func(session.Client) error) (*SignedInTo, string, error) {
	return s.useToken(ctx, accountName, token, check, func(c session.Client, now time.Time) (session.Client, string, error) {
		return c.UseRefresh(token, s.Random, now)
	}, false)
}

// useToken exchanges a token in one conditional write. endIfRefused ends the sign-in if
// check refuses the token.
func (s *Store) useToken(
	ctx context.Context, accountName, token string,
	check func(session.Client) error, use func(c session.Client, now time.Time) (session.Client, string, error), endIfRefused bool,
) (*SignedInTo, string, error) {
	m, err := s.memberOfToken(ctx, accountName)
	if err != nil {
		return nil, "", err
	}
	var (
		before  session.Client
		next    string
		refusal error
	)
	err = s.changeCredentials(ctx, m, func(m *Member, now time.Time) error {
		refusal = nil
		found, known := session.ClientOf(m.Credentials.Clients, token)
		if !known || !found.Alive(now, m.sessionsEnd()) {
			refusal = session.ErrNoSignIn
			return ErrUnchanged
		}
		before = found
		used, text, err := use(found, now)
		switch {
		case errors.Is(err, session.ErrReplayed):
			refusal = err
		case errors.Is(err, session.ErrNoSignIn):
			refusal = err
			return ErrUnchanged
		case err != nil:
			return err
		default:
			if refusal = m.ClientsRefused(now); refusal != nil {
				return ErrUnchanged
			}
			if refusal = check(found); refusal != nil && !endIfRefused {
				return ErrUnchanged
			}
		}
		if refusal != nil {
			m.Credentials.Clients = session.WithoutClient(m.Credentials.Clients, found.ID)
			return nil //nolint:nilerr // The write ends the sign-in, and the caller gets the refusal.
		}
		next = text
		m.Credentials.Clients = session.PutClient(m.Credentials.Clients, used, now, m.sessionsEnd())
		return nil
	})
	if err := whyRefused(err, refusal); err != nil {
		return nil, "", err
	}
	return &SignedInTo{m, before}, next, nil
}

// whyRefused returns why the exchange of a token failed, or nil: err is that of the write, and
// refusal that of the rules.
func whyRefused(err, refusal error) error {
	switch {
	case errors.Is(err, ErrGone):
		return session.ErrNoSignIn
	case err != nil:
		return err
	}
	return refusal
}

// SignedInToClient returns the sign-in with that ID of an Account, read past the cache. It
// fails with session.ErrNoSignIn if it has ended. The caller has to ask ClientsRefused before
// a client learns anything from it.
func (s *Store) SignedInToClient(ctx context.Context, accountName, id string) (*SignedInTo, error) {
	m, err := s.memberOfToken(ctx, accountName)
	if err != nil {
		return nil, err
	}
	return m.client(id, s.Clock.Now())
}

// SignedInToClientWith returns the sign-in that a code or refresh token belongs to. It
// uses nothing up, and fails like SignedInToClient.
func (s *Store) SignedInToClientWith(ctx context.Context, accountName, token string) (*SignedInTo, error) {
	m, err := s.memberOfToken(ctx, accountName)
	if err != nil {
		return nil, err
	}
	found, known := session.ClientOf(m.Credentials.Clients, token)
	if !known || !found.IsRefresh(token) {
		return nil, session.ErrNoSignIn
	}
	return m.client(found.ID, s.Clock.Now())
}

func (m *Member) client(id string, now time.Time) (*SignedInTo, error) {
	found, known := session.FindClient(m.Credentials.Clients, id)
	if !known || found.Code != nil || !found.Alive(now, m.sessionsEnd()) {
		return nil, session.ErrNoSignIn
	}
	return &SignedInTo{m, found}, nil
}

// memberOfToken returns the member that a token names. It fails with session.ErrNoSignIn
// if there is none.
func (s *Store) memberOfToken(ctx context.Context, accountName string) (*Member, error) {
	m, err := s.member(ctx, accountName)
	if err == nil && m == nil {
		err = session.ErrNoSignIn
	}
	return m, err
}

// EndClient ends the sign-in to a client with that ID. It writes nothing if there is none.
func (s *Store) EndClient(ctx context.Context, m *Member, id string) error {
	return s.changeCredentials(ctx, m, func(m *Member, _ time.Time) error {
		left := session.WithoutClient(m.Credentials.Clients, id)
		if len(left) == len(m.Credentials.Clients) {
			return ErrUnchanged
		}
		m.Credentials.Clients = left
		return nil
	})
}

// ClientsSignedInTo returns the sign-ins to clients that are alive.
func (m *Member) ClientsSignedInTo(now time.Time) []session.Client {
	return session.LivingClients(m.Credentials.Clients, now, m.sessionsEnd())
}
