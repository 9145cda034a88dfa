// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// fieldSignInCode is the second factor of a person who signs in on the page of an
// invitation. The name differs because that page has another field called code.
const fieldSignInCode = "sign-in-code"

// signedInView is the state of the signed-in account on the page of an invitation.
// The zero value means that the visitor is not signed in.
type signedInView struct {
	UserName string
	// AwaitsFactor means that the second factor is still missing. App and Passkeys say
	// which factors exist.
	AwaitsFactor, App, Passkeys bool
	// LockedUntil is the formatted date until which codes are locked, or "".
	LockedUntil string
	// Obstacle is the text that says why the account cannot accept, or "" if it can.
	Obstacle string
	// NeedsFactor means that only a second factor is missing. NeedsEmail means that the
	// address of the account is not confirmed.
	NeedsFactor, NeedsEmail bool
}

// signedInAccount returns the session of a visitor on the page of an invitation, at any
// stage, or nil if there is none.
func (p *portal) signedInAccount(v visit) (*store.SignedIn, error) {
	if v.at != nil {
		return v.at, nil
	}
	at, err := p.visitor(v.r)
	if err != nil || at == nil || !at.IsIn() && !at.Credentials.HasSecondFactor() {
		// If the second factor was removed meanwhile, the password is enough.
		return nil, err
	}
	return at, nil
}

func (p *portal) viewSignedIn(lang language.Tag, seen store.LinkView, at *store.SignedIn) signedInView {
	if at == nil {
		return signedInView{}
	}
	view := signedInView{UserName: username.Show(at.Account.Name)}
	if !at.IsIn() {
		view.AwaitsFactor, view.App, view.Passkeys = true, at.Credentials.TOTP.Secret != "", len(at.Credentials.Passkeys) > 0
		view.LockedUntil = p.codesLockedUntil(lang, at)
		return view
	}
	switch seen.Refuses(at.Member) {
	case store.AddressRefused:
		view.Obstacle = otherAccount(lang, seen)
	case store.AddressUnverified:
		view.NeedsEmail = true
		view.Obstacle = lang.Text("portal.sign-in.needs-email", map[string]string{"Address": string(at.Account.Spec.Email)})
	case store.LegalEntityRefused:
		view.Obstacle = lang.Text("portal.sign-in.other-company", map[string]string{
			"Organization": organizationTitle(seen), "Theirs": organizationTitles(at.Member),
		})
	case store.FactorMissing:
		view.NeedsFactor = true
		view.Obstacle = lang.Text("portal.sign-in.needs-factor", map[string]string{"Organization": organizationTitle(seen)})
	case store.Continue, store.Done, store.Found, store.NotOpen, store.NameTaken, store.NamesRefused, store.GuessesSpent, store.CodesSpent, store.CodeSuperseded:
	}
	return view
}

// organizationTitles returns the titles of the member's Organizations, separated by commas.
func organizationTitles(m *store.Member) string {
	var all []string
	for _, o := range m.Organizations() {
		all = append(all, string(o.Title()))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// otherAccount returns the text for an account whose address is not accepted.
func otherAccount(lang language.Tag, seen store.LinkView) string {
	if seen.AnyAddress() {
		return notAllowed(lang, seen, "").Text
	}
	return lang.Text("portal.problem.sign-in-address", map[string]string{
		"Address": string(seen.Invitation.Spec.Email), "Inviter": inviter(seen),
	})
}

var (
	signingIn = task{"sign in", "portal.enter.not-finished"}
	accepting = task{"accept with an account", "portal.sign-in.accept-not-finished"}
)

// signInOnInvitation answers the sign-in form on the page of an invitation. It works like the
// sign-in page. The link stays out of every header, because signInOnInvitation answers with
// the page itself instead of a redirect.
func (p *portal) signInOnInvitation(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	start := p.clock.Now()
	f.fresh = true
	lang := languageOf(v.r, seen)
	if problems := f.signInProblems(lang); len(problems) > 0 {
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problems...)
		return
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), signInFormTimeout)
	defer cancel()
	m, stage, err := p.authenticate(v.w, v.r.WithContext(ctx), f, lang)
	switch {
	case err == nil && m != nil:
		v.at = &store.SignedIn{Member: m, Session: session.Session{Stage: stage}}
		p.showForm(v, http.StatusOK, seen, form{fresh: true})
	case err == nil, errors.Is(err, store.ErrGone):
		p.waitForInterval(v.r, start)
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInName, signInRefused(lang)})
	default:
		p.waitForInterval(v.r, start)
		p.tryAgain(v, seen, f, signingIn, err)
	}
}

// signInRefused returns the text for every refused sign-in on the page of an invitation.
func signInRefused(lang language.Tag) string {
	return lang.Text("portal.problem.sign-in-wrong", nil) + " " + lang.Text("portal.enter.wrong-address", nil)
}

// signInCodeOnInvitation answers the form with the second factor or a recovery code.
func (p *portal) signInCodeOnInvitation(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	start := p.clock.Now()
	f.fresh = true
	lang := languageOf(v.r, seen)
	at, err := p.signedInAccount(v)
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, signingIn, err)
		return
	case at == nil:
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInName, lang.Text("portal.sign-in.over", nil)})
		return
	case at.IsIn():
		p.showForm(v, http.StatusOK, seen, f)
		return
	case f.signInCode == "":
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, p.codeProblem(lang, at, fieldSignInCode, "portal.enter.code-empty")...)
		return
	}
	right, err := p.signInWithCode(v.w, v.r, at, f.signInCode, lang)
	switch {
	case err == nil && right:
		v.at = &store.SignedIn{Member: at.Member, Session: session.Session{Stage: session.StageSignedIn}}
		p.showForm(v, http.StatusOK, seen, f)
	case err == nil, errors.Is(err, store.ErrGone):
		p.waitForInterval(v.r, start)
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, p.codeProblem(lang, at, fieldSignInCode, "portal.enter.code-wrong")...)
	default:
		p.waitForInterval(v.r, start)
		p.tryAgain(v, seen, f, signingIn, err)
	}
}

// acceptSignedIn answers the button that accepts with the signed-in account.
// Nothing is written to the Invitation before this.
func (p *portal) acceptSignedIn(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	f.fresh = true
	at, err := p.signedInAccount(v)
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, accepting, err)
		return
	case !at.IsIn():
		lang := languageOf(v.r, seen)
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInName, lang.Text("portal.sign-in.over", nil)})
		return
	}
	v.at = at
	now, result, err := p.store.Save(v.r.Context(), seen, store.AcceptedBy(at.Member))
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, accepting, err)
	case result == store.NotOpen:
		p.showClosed(v, now)
	case result != store.Done && result != store.Found:
		// The page gives the reason in place of the button.
		p.showForm(v, http.StatusUnprocessableEntity, now, f)
	default:
		p.welcome(v, seen, at.Account.Name, at.Account.Spec.Email, donePage{Existing: true})
	}
}

// signOutHere ends the session and shows the page again, so that a person with
// several accounts can use another one.
func (p *portal) signOutHere(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	f.fresh = true
	if err := p.endSession(v.r); err != nil {
		p.tryAgain(v, seen, f, signingIn, err)
		return
	}
	p.clearSession(v.w)
	p.showForm(v, http.StatusOK, seen, f)
}
