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

// fieldSignInCode is the second factor of somebody who signs in at the page of an
// invitation, where another field is called code.
const fieldSignInCode = "sign-in-code"

// guestView is how somebody who has an account stands at the page of an
// invitation. The zero value: nobody is signed in.
type guestView struct {
	UserName string
	// Halfway: the second factor is awaited. App and Passkeys say which there are.
	Halfway, App, Passkeys bool
	// Obstacle is why the account cannot accept, in words; empty: it can.
	Obstacle string
	// NeedsFactor: a second factor is all that it lacks.
	NeedsFactor bool
}

// guest is whoever is signed in at the page of an invitation, at whatever stage;
// nil: nobody is.
func (p *portal) guest(v visit) (*store.SignedIn, error) {
	if v.at != nil {
		return v.at, nil
	}
	at, err := p.visitor(v.r)
	if err != nil || at == nil || !at.IsIn() && !at.Credentials.HasSecondFactor() {
		// Where the second factor was removed meanwhile, the password is enough.
		return nil, err
	}
	return at, nil
}

func viewGuest(lang language.Tag, seen store.LinkView, at *store.SignedIn) guestView {
	if at == nil {
		return guestView{}
	}
	view := guestView{UserName: username.Show(at.Account.Name)}
	if !at.IsIn() {
		view.Halfway, view.App, view.Passkeys = true, at.Credentials.TOTP.Secret != "", len(at.Credentials.Passkeys) > 0
		return view
	}
	switch seen.Refuses(at.Member) {
	case store.AddressRefused:
		view.Obstacle = otherAccount(lang, seen)
	case store.CompanyRefused:
		view.Obstacle = lang.Text("portal.sign-in.other-company", map[string]string{
			"Organization": organizationTitle(seen), "Theirs": titles(at.Member),
		})
	case store.FactorMissing:
		view.NeedsFactor = true
		view.Obstacle = lang.Text("portal.sign-in.needs-factor", map[string]string{"Organization": organizationTitle(seen)})
	case store.Continue, store.Done, store.Found, store.NotOpen, store.NameTaken, store.NamesRefused, store.GuessesSpent, store.CodesSpent:
	}
	return view
}

// titles are what those Organizations are called, with commas.
func titles(m *store.Member) string {
	var all []string
	for _, o := range m.Organizations() {
		all = append(all, string(o.Title()))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// otherAccount is said to somebody whose account has an address that will not do.
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

// signIn answers the form that signs in on the page of an invitation, which is
// the door that there is elsewhere. The link stays out of every header: the page
// is the answer, and no redirect leads to it.
func (p *portal) signIn(v visit) {
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
	ctx, cancel := context.WithTimeout(v.r.Context(), enterTimeout)
	defer cancel()
	m, stage, err := p.letIn(v.w, v.r.WithContext(ctx), f, lang)
	switch {
	case err == nil && m != nil:
		v.at = &store.SignedIn{Member: m, Session: session.Session{Stage: stage}}
		p.showForm(v, http.StatusOK, seen, form{fresh: true})
	case err == nil, errors.Is(err, store.ErrGone):
		p.evenOut(v.r, start)
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInName, lang.Text("portal.problem.sign-in-wrong", nil)})
	default:
		p.evenOut(v.r, start)
		p.tryAgain(v, seen, f, signingIn, err)
	}
}

// signInCode answers the form with the second factor, or with a recovery code.
func (p *portal) signInCode(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	start := p.clock.Now()
	f.fresh = true
	lang := languageOf(v.r, seen)
	at, err := p.guest(v)
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
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInCode, lang.Text("portal.enter.code-empty", nil)})
		return
	}
	right, err := p.signInWithCode(v.w, v.r, at, f.signInCode, lang)
	switch {
	case err == nil && right:
		v.at = &store.SignedIn{Member: at.Member, Session: session.Session{Stage: session.StageSignedIn}}
		p.showForm(v, http.StatusOK, seen, f)
	case err == nil, errors.Is(err, store.ErrGone):
		p.evenOut(v.r, start)
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problem{fieldSignInCode, lang.Text("portal.enter.code-wrong", nil)})
	default:
		p.evenOut(v.r, start)
		p.tryAgain(v, seen, f, signingIn, err)
	}
}

// acceptAsGuest answers the button by which somebody accepts with the account
// that they are signed in with. Only now is anything written of the invitation.
func (p *portal) acceptAsGuest(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	f.fresh = true
	at, err := p.guest(v)
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
		p.closed(v, now)
	case result != store.Done && result != store.Found:
		// The page says why, in place of the button.
		p.showForm(v, http.StatusUnprocessableEntity, now, f)
	default:
		p.welcome(v, seen, at.Account.Name, at.Account.Spec.Email, donePage{Existing: true})
	}
}

// signOutHere ends the session and shows the page again: whoever has several
// accounts takes another one.
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
	p.forget(v.w)
	p.showForm(v, http.StatusOK, seen, f)
}
