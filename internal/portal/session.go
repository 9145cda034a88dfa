// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/usher-dev/usher/internal/session"
)

// maxBrowser is how much is kept of what a browser calls itself.
const maxBrowser = 200

// signedIn is a member and the session that a request belongs to.
type signedIn struct {
	*member
	session session.Session
}

// visitor is whoever is signed in, at whatever stage; nil: nobody is. It is
// found out anew at each request, past the cache, so that a session that is ended
// at one portal is ended at all of them. That the session is in use is written
// down now and then, also for a GET.
func (p *portal) visitor(r *http.Request) (*signedIn, error) {
	token, name, found := p.token(r)
	if !found {
		return nil, nil
	}
	m, err := p.members.member(r.Context(), name)
	if err != nil || m == nil || m.disabled() {
		return nil, err
	}
	now := p.clock.Now()
	s, found := session.Find(m.credentials.Sessions, token)
	if !found || !s.Alive(now, m.sessionsEnd()) {
		return nil, nil
	}
	if s.Stale(now) {
		p.touch(r.Context(), m, s.Hash)
	}
	return &signedIn{m, s}, nil
}

// alive gives a session of m that can be used, by its hash. What was begun on
// behalf of a session asks again within its write: the session may have ended.
func (m *member) alive(hash string, now time.Time) (session.Session, bool) {
	living := m.sessions(now)
	at := slices.IndexFunc(living, func(s session.Session) bool { return s.Hash == hash })
	if at < 0 {
		return session.Session{}, false
	}
	return living[at], true
}

// keeps tells whether a session of m was not ended. It is not asked whether the
// session is alive: the last password or code that may be tried has ended them all for
// as long as nobody knows that it is right.
func (m *member) keeps(s session.Session) bool {
	return slices.ContainsFunc(m.credentials.Sessions, func(o session.Session) bool { return o.Hash == s.Hash })
}

// touch writes down that a session is in use. If that fails, the session only
// ends a little earlier.
func (p *portal) touch(ctx context.Context, m *member, hash string) {
	err := p.members.changeCredentials(ctx, m, func(m *member, now time.Time) error {
		at := slices.IndexFunc(m.credentials.Sessions, func(s session.Session) bool { return s.Hash == hash })
		if at < 0 {
			return errUnchanged
		}
		m.credentials.Sessions = slices.Clone(m.credentials.Sessions)
		m.credentials.Sessions[at].SeenTime = now
		return nil
	})
	if err != nil {
		p.log.Error(errKind(err), "Failed to note that a session is in use")
	}
}

// begin makes a new session in the credentials of a member, in place of the one
// that the request came with, and gives the token for its cookie. It is called
// from within changeCredentials, so that what the session is begun for, such as a
// code that is used up, is written with it.
func (p *portal) begin(r *http.Request, m *member, stage session.Stage, now time.Time) (string, error) {
	s, token, err := session.New(p.random, stage, browserOf(r), now)
	if err != nil {
		return "", err
	}
	if old, _, found := p.token(r); found {
		if before, found := session.Find(m.credentials.Sessions, old); found {
			m.credentials.Sessions = session.Without(m.credentials.Sessions, before.Hash)
		}
	}
	m.credentials.Sessions = session.Put(m.credentials.Sessions, s, now, m.sessionsEnd())
	return token, nil
}

// token is what the cookie of a request holds, and the name of the Account that
// it says it is for. It has proved nothing yet.
func (p *portal) token(r *http.Request) (token, name string, found bool) {
	cookie, err := r.Cookie(p.cookieName(sessionCookie))
	if err != nil {
		return "", "", false
	}
	token, name, found = strings.Cut(cookie.Value, ".")
	return token, name, found && token != "" && plausible(name)
}

// plausible tells whether a text can be the name of an Account at all: what
// comes from a cookie must not become part of a path of the API server's.
func plausible(name string) bool {
	return name != "" && len(name) <= 63 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) && name[0] != '.' && name[len(name)-1] != '.'
}

// keep gives the browser the token of a session.
func (p *portal) keep(w http.ResponseWriter, name, token string) {
	p.setCookie(w, sessionCookie, token+"."+name, int(session.Absolute.Seconds()), http.SameSiteLaxMode)
}

// forget takes the token from the browser.
func (p *portal) forget(w http.ResponseWriter) {
	p.setCookie(w, sessionCookie, "", -1, http.SameSiteLaxMode)
}

// browserOf is what the browser calls itself, cut to what is worth keeping.
func browserOf(r *http.Request) string {
	name := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, r.UserAgent())
	runes := []rune(strings.ToValidUTF8(name, ""))
	return string(runes[:min(len(runes), maxBrowser)])
}

// evenly is the step in which the portal answers where the time of an answer
// could tell who has an account.
const evenly = 500 * time.Millisecond

// evenOut waits until a whole number of steps has passed since start, so that an
// answer that took a little longer comes no later than another.
func (p *portal) evenOut(r *http.Request, start time.Time) {
	p.pause(r.Context(), evenly-p.clock.Since(start)%evenly)
}

// redirect sends the browser to another page of the portal, which it gets. Only
// addresses that hold no link are told so.
func (p *portal) redirect(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("Location", p.base+path)
	respond(w, r, http.StatusSeeOther, "text/plain; charset=utf-8", nil)
}
