// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// renewed returns a new hash for a correct password whose hash is outdated, or ""
// to keep the stored hash. If there is no capacity to hash now, a later sign-in
// renews the hash.
func (p *portal) renewed(ctx context.Context, m *store.Member, password string) string {
	if !account.Outdated(m.Credentials.Password) {
		return ""
	}
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		p.log.Error(errKind(err), "Failed to renew the hash of a password")
		return ""
	}
	return hash
}

// signInWith begins the session of a person with the correct password, and sets
// its cookie.
func (p *portal) signInWith(w http.ResponseWriter, r *http.Request, m *store.Member, password string, lang language.Tag) (session.Stage, error) {
	stage, token, err := p.store.SignIn(r.Context(), m, p.renewed(r.Context(), m, password), p.browser(r), lang)
	if token != "" {
		if stage == session.StageSignedIn {
			p.keepReserve(w, r, m.Account)
		}
		p.keepSession(w, m, token)
	}
	return stage, err
}

// signInWithCode does the same with a code, and reports whether the code was
// correct.
func (p *portal) signInWithCode(w http.ResponseWriter, r *http.Request, at *store.SignedIn, code string, lang language.Tag) (bool, error) {
	token, err := p.store.SignInWithCode(r.Context(), at, code, p.browser(r), lang)
	if token != "" {
		p.keepReserve(w, r, at.Account)
		p.keepSession(w, at.Member, token)
	}
	return token != "" && err == nil, err
}

// membersVisit is a request of a person who is signed in.
type membersVisit struct {
	w http.ResponseWriter
	r *http.Request
	*store.SignedIn
	lang language.Tag
}

// forMembers serves people who are signed in, and redirects all others to the sign-in
// page.
func (p *portal) forMembers(handle func(v membersVisit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lang := languageOf(r, store.LinkView{})
		at, err := p.visitor(r)
		switch {
		case err != nil:
			p.failed(w, r, lang, "find a session", err, unavailable)
		case !at.IsIn():
			p.redirect(w, r, pageToSignIn(at, lang))
		default:
			handle(membersVisit{w, r, at, lang})
		}
	}
}

// pageToSignIn returns the page at which a person signs in, or enters the second factor if
// only that is missing.
func pageToSignIn(at *store.SignedIn, lang language.Tag) string {
	if at != nil && !at.IsIn() {
		return "/sign-in/code?lang=" + lang.String()
	}
	return "/sign-in?lang=" + lang.String()
}

// render answers with a page that shows who is signed in.
func (v membersVisit) render(p *portal, status int, name, title string, content any) {
	p.renderFor(v.w, v.r, v.lang, status, name, title, v.Account.Name, content)
}
