// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

// maxBrowser is how much is kept of what a browser calls itself.
const maxBrowser = 200

// visitor is the person whose session a request belongs to, at any stage; nil: the
// request has no session. The portal records now and then that a session is in use,
// also for a GET. If the write fails, the session only ends a little earlier.
func (p *portal) visitor(r *http.Request) (*store.SignedIn, error) {
	token, name, found := p.token(r)
	if !found {
		return nil, nil
	}
	at, err := p.store.Visitor(r.Context(), name, token)
	if err != nil || at == nil {
		return nil, err
	}
	if at.Session.Stale(p.clock.Now()) {
		if err := p.store.Touch(r.Context(), at); err != nil {
			p.log.Error(errKind(err), "Failed to note that a session is in use")
		}
	}
	return at, nil
}

// browser is the one that a request comes from.
func (p *portal) browser(r *http.Request) store.Browser {
	token, _, found := p.token(r)
	if !found {
		token = ""
	}
	return store.Browser{Name: browserOf(r), Token: token}
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
