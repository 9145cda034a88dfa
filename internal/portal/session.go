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

// maxBrowser is the maximum length of a stored User-Agent, in characters.
const maxBrowser = 200

// visitor returns the person whose session the request belongs to, at any stage,
// or nil if the request has no session. From time to time the portal records that
// a session is in use, also on a GET. If that write fails, the session only ends
// a little earlier.
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
			p.log.Error(errKind(err), "Failed to record that a session is in use")
		}
	}
	return at, nil
}

// browser describes the browser that sent the request.
func (p *portal) browser(r *http.Request) store.Browser {
	token, _, found := p.token(r)
	if !found {
		token = ""
	}
	known, _ := p.knownBrowser(r)
	return store.Browser{Name: browserOf(r), Token: token, Known: known}
}

// knownBrowser returns the token in the cookie by which Accounts know the browser, and
// reports whether there is one. It only parses. The token is a claim until the Secret of
// an Account has its hash: any client can send a text of this form. Several Accounts can
// know a browser by one token.
func (p *portal) knownBrowser(r *http.Request) (token string, found bool) {
	cookie, err := r.Cookie(p.cookieName(browserCookie))
	if err != nil || !session.IsToken(cookie.Value) {
		return "", false
	}
	return cookie.Value, true
}

// token returns the token in the session cookie of a request, and the Account
// name that the cookie claims. Neither is verified yet.
func (p *portal) token(r *http.Request) (token, name string, found bool) {
	cookie, err := r.Cookie(p.cookieName(sessionCookie))
	if err != nil {
		return "", "", false
	}
	token, name, found = strings.Cut(cookie.Value, ".")
	return token, name, found && token != "" && store.CanBeAccountName(name)
}

// keepSession stores the token of a session in a cookie, and that of the browser in
// another one, if the sign-in of m is complete.
func (p *portal) keepSession(w http.ResponseWriter, m *store.Member, token string) {
	p.setCookie(w, sessionCookie, token+"."+m.Account.Name, int(session.Absolute.Seconds()), http.SameSiteLaxMode)
	p.keepBrowser(w, m)
}

// keepBrowser stores the token by which the Account of m knows the browser in a cookie. It
// stays when the person signs out. It allows no sign-in.
func (p *portal) keepBrowser(w http.ResponseWriter, m *store.Member) {
	if m.BrowserToken != "" {
		p.setCookie(w, browserCookie, m.BrowserToken, int(session.KnownFor.Seconds()), http.SameSiteLaxMode)
	}
}

// clearSession removes the session cookie from the browser.
func (p *portal) clearSession(w http.ResponseWriter) {
	p.setCookie(w, sessionCookie, "", -1, http.SameSiteLaxMode)
}

// browserOf returns the printable characters of the User-Agent, cut to maxBrowser
// characters.
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

// answerInterval is the interval of answers whose timing could reveal which accounts
// exist.
const answerInterval = 500 * time.Millisecond

// waitForInterval waits until a multiple of answerInterval has passed since start. An
// answer that took a little longer then comes no later than any other.
func (p *portal) waitForInterval(r *http.Request, start time.Time) {
	p.pause(r.Context(), answerInterval-p.clock.Since(start)%answerInterval)
}

// redirect sends the browser to another page of the portal with a GET. It is only
// for addresses that contain no link.
func (p *portal) redirect(w http.ResponseWriter, r *http.Request, path string) {
	p.leaveTo(w, r, p.base+path)
}

// leaveTo sends the browser to an address, which can be one of a client.
func (p *portal) leaveTo(w http.ResponseWriter, r *http.Request, address string) {
	w.Header().Set("Location", address)
	respond(w, r, http.StatusSeeOther, "text/plain; charset=utf-8", nil)
}
