// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"

	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageCode = "code.html"

// codePage asks for the second factor after a correct password.
type codePage struct {
	UserName string
	Problems []problem
	// App means that an authenticator app is set up. Passkeys means that there are
	// passkeys.
	App, Passkeys bool
	// LockedUntil is the formatted date until which codes are locked, or "".
	LockedUntil string
	// Base is the path that the portal is mounted at.
	Base string
}

// Problem returns the text of a field's problem, or "".
func (c codePage) Problem(field string) string { return textOf(c.Problems, field) }

// awaitingFactor returns the session of a person who has given only the password. If
// there is no such session, it answers the request and returns nil.
func (p *portal) awaitingFactor(w http.ResponseWriter, r *http.Request, lang language.Tag) *store.SignedIn {
	at, err := p.visitor(r)
	switch {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
	case at.IsIn():
		p.redirect(w, r, "/account?lang="+lang.String())
	case at == nil || !at.Credentials.HasSecondFactor():
		// If the second factor was removed meanwhile, the password is enough.
		p.redirect(w, r, "/sign-in?lang="+lang.String())
	default:
		return at
	}
	return nil
}

func (p *portal) showCode(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	if at := p.awaitingFactor(w, r, lang); at != nil {
		p.showCodeForm(w, r, lang, http.StatusOK, at)
	}
}

// codesLockedUntil returns until when wrong codes have locked the second factor, as a
// formatted date, or "". Only a person with the right password sees it.
func (p *portal) codesLockedUntil(lang language.Tag, at *store.SignedIn) string {
	until, locked := at.CodesLockedUntil(p.clock.Now())
	if !locked {
		return ""
	}
	return lang.Date(until)
}

// codeProblem returns the problem of a typed code. There is none while codes are locked: the
// page then has no field, and its heading reports the lock.
func (p *portal) codeProblem(lang language.Tag, at *store.SignedIn, field, text string) []problem {
	if p.codesLockedUntil(lang, at) != "" {
		return nil
	}
	return []problem{{field, lang.Text(text, nil)}}
}

func (p *portal) showCodeForm(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, at *store.SignedIn, problems ...problem) {
	page := codePage{
		UserName: username.Show(at.Account.Name), Problems: problems, Base: p.base,
		App: at.Credentials.TOTP.Secret != "", Passkeys: len(at.Credentials.Passkeys) > 0,
		LockedUntil: p.codesLockedUntil(lang, at),
	}
	title := lang.Text("portal.enter.code-title", nil)
	if page.LockedUntil != "" {
		title = lang.Text("portal.enter.code-locked-title", page)
	}
	if len(problems) > 0 {
		title = lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	p.render(w, r, lang, status, pageCode, title, page)
}

// answerSignInCode answers the form with the code of the second factor or a recovery
// code.
func (p *portal) answerSignInCode(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	at := p.awaitingFactor(w, r, lang)
	if at == nil {
		return
	}
	f, status, refusal := readForm(w, r)
	if status != 0 {
		p.message(w, r, lang, status, refusal)
		return
	}
	start := p.clock.Now()
	if f.code == "" {
		p.showCodeForm(w, r, lang, http.StatusUnprocessableEntity, at, p.codeProblem(lang, at, fieldCode, "portal.enter.code-empty")...)
		return
	}
	before := len(at.Credentials.RecoveryCodes)
	right, err := p.signInWithCode(w, r, at, f.code, lang)
	switch {
	case err == nil && right && len(at.Credentials.RecoveryCodes) < before:
		p.redirect(w, r, "/account?lang="+lang.String()+"&"+paramDone+"="+doneRecoveryCode)
	case err == nil && right:
		p.redirect(w, r, p.pageSignedIn(r, lang))
	case err == nil, errors.Is(err, store.ErrGone):
		p.waitForInterval(r, start)
		p.showCodeForm(w, r, lang, http.StatusUnprocessableEntity, at, p.codeProblem(lang, at, fieldCode, "portal.enter.code-wrong")...)
	default:
		failure := p.logAndDescribe(w, r, lang, "sign in with a second factor", err)
		p.waitForInterval(r, start)
		p.showCodeForm(w, r, lang, http.StatusServiceUnavailable, at, failure)
	}
}
