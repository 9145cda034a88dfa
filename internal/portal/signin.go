// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageEnter = "enter.html"

// paramOrganization is the query parameter that says from which Organization
// somebody comes who signs in, by its name. The page names whom they can ask for
// help, and does nothing else with it.
const paramOrganization = "organization"

// doneSignedOut is the word by which the page to sign in says that a session was
// ended.
const doneSignedOut = "signed-out"

// enterTimeout is how long the portal is at one form that signs in. An address
// may mean several Accounts, each of which has
// some seconds.
const enterTimeout = 30 * time.Second

func (p *portal) enterRoutes() map[string]route {
	return map[string]route{
		"/":             {get: p.showHome},
		"/sign-in":      {get: p.showEnter, post: p.enter},
		"/sign-in/code": {get: p.showCode, post: p.enterWithCode},
		"/sign-out":     {get: p.showHome, post: p.signOut},
	}
}

// enterPage is the form that signs in.
type enterPage struct {
	Form     form
	Problems []problem
	// Wrong: nobody is let in with what was typed.
	Wrong bool
	// SignedOut: a session was ended just now.
	SignedOut bool
	// Help is whom to ask; nil: nobody is named.
	Help *help
	// Path is where the form is sent to, Reset and UserNames are for those who
	// have forgotten something, and Base is the path that the portal is mounted at.
	Path, Reset, UserNames, Base string
}

// Problem is the text of a field's problem, or empty.
func (e enterPage) Problem(field string) string { return textOf(e.Problems, field) }

// help is whom the people of an Organization can ask.
type help struct{ Organization, Contact string }

// helpOf is whom the Organization that a request names lets people ask.
func (p *portal) helpOf(r *http.Request) *help {
	name := r.URL.Query().Get(paramOrganization)
	if !plausible(name) {
		return nil
	}
	org, err := p.store.Organization(r.Context(), name)
	if err != nil {
		p.log.Error(errKind(err), "Failed to find whom to ask for help")
		return nil
	}
	if org == nil || org.Spec.SupportContact == "" {
		return nil
	}
	return &help{string(org.Title()), string(org.Spec.SupportContact)}
}

// showHome sends whoever is signed in to their account, and others to sign in.
func (p *portal) showHome(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	switch at, err := p.visitor(r); {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
	case at.IsIn():
		p.redirect(w, r, "/account?lang="+lang.String())
	default:
		p.redirect(w, r, "/sign-in?lang="+lang.String())
	}
}

func (p *portal) showEnter(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	switch at, err := p.visitor(r); {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
	case at.IsIn():
		p.redirect(w, r, "/account?lang="+lang.String())
	default:
		p.showEnterForm(w, r, lang, http.StatusOK, enterPage{SignedOut: r.URL.Query().Get(paramDone) == doneSignedOut})
	}
}

func (p *portal) showEnterForm(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, page enterPage) {
	page.Base, page.Help = p.base, p.helpOf(r)
	query := url.Values{paramLanguage: {lang.String()}}
	if page.Help != nil {
		query.Set(paramOrganization, r.URL.Query().Get(paramOrganization))
	}
	page.Path = p.base + "/sign-in?" + query.Encode()
	page.Reset = p.base + "/reset?" + query.Encode()
	page.UserNames = p.base + "/user-names?" + query.Encode()
	title := lang.Text("portal.enter.title", nil)
	if page.Wrong || len(page.Problems) > 0 {
		title = lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	p.render(w, r, lang, status, pageEnter, title, page)
}

// enter answers the form that signs in. Whoever is not let in reads the same,
// after the same time, whatever the reason.
func (p *portal) enter(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	f, status, refusal := readForm(w, r)
	if status != 0 {
		p.message(w, r, lang, status, refusal)
		return
	}
	// Not before the form is read: whoever sends it slowly would choose how much of
	// a step is left, and learn what takes longer.
	start := p.clock.Now()
	if problems := f.signInProblems(lang); len(problems) > 0 {
		p.showEnterForm(w, r, lang, http.StatusUnprocessableEntity, enterPage{Form: f, Problems: problems})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), enterTimeout)
	defer cancel()
	m, stage, err := p.letIn(w, r.WithContext(ctx), f, lang)
	switch {
	case err == nil && m != nil:
		p.redirect(w, r, pageAfter(m, stage)+"?lang="+lang.String())
	case err == nil:
		p.evenOut(r, start)
		p.showEnterForm(w, r, lang, http.StatusUnprocessableEntity, enterPage{Form: f, Wrong: true})
	default:
		problems := []problem{p.letDown(w, r, lang, "sign in", err)}
		p.evenOut(r, start)
		p.showEnterForm(w, r, lang, http.StatusServiceUnavailable, enterPage{Form: f, Problems: problems})
	}
}

// letIn begins the session of whoever has the password that was typed, and tells
// how far they have come; nil: nobody has it. Of several Accounts with one
// address and one password it is the oldest. After the first that is right none
// is tried, so that signing in counts against as few as can be.
//
// It fails where no password can be looked at, which is so for every name alike. What
// keeps that of one Account from it would tell, as a failure, that there is one: it is
// only logged.
func (p *portal) letIn(w http.ResponseWriter, r *http.Request, f form, lang language.Tag) (*store.Member, session.Stage, error) {
	candidates, err := p.store.Candidates(r.Context(), f.SignInName)
	if err != nil {
		return nil, "", err
	}
	for _, m := range candidates {
		right, err := p.store.TryPassword(r.Context(), m, f.signInPassword)
		if _, hidden := errors.AsType[store.NotLookedAtError](err); hidden {
			p.log.Error(errKind(err), "Failed to look at a password")
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if !right {
			continue
		}
		if err := p.leaveAccount(r, m.Account.Name); err != nil {
			return nil, "", err
		}
		stage, err := p.signInWith(w, r, m, f.signInPassword, lang)
		if errors.Is(err, store.ErrGone) {
			continue // it is right no longer
		}
		return m, stage, err
	}
	return nil, "", nil
}

// pageAfter is where somebody goes whose password was right.
func pageAfter(m *store.Member, stage session.Stage) string {
	switch {
	case stage == session.StagePassword:
		return "/sign-in/code"
	case m.NeedsSecondFactor():
		return "/account/second-factor"
	default:
		return "/account"
	}
}

// leaveAccount ends the session that a request came with, if it is one of
// another Account than the one of that name: a browser has one session, and
// nobody could end the other any more.
func (p *portal) leaveAccount(r *http.Request, name string) error {
	if _, before, found := p.token(r); !found || before == name {
		return nil
	}
	return p.endSession(r)
}

// endSession ends the session that a request came with, if there is one.
func (p *portal) endSession(r *http.Request) error {
	at, err := p.visitor(r)
	if err != nil || at == nil {
		return err
	}
	err = p.store.EndSession(r.Context(), at.Member, at.Session.Hash)
	if errors.Is(err, store.ErrGone) {
		return nil
	}
	return err
}

// signOut ends the session, and says so to whoever had none as well.
func (p *portal) signOut(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	if err := p.endSession(r); err != nil {
		p.failed(w, r, lang, "sign out", err, unavailable)
		return
	}
	p.forget(w)
	p.redirect(w, r, "/sign-in?lang="+lang.String()+"&"+paramDone+"="+doneSignedOut)
}

// letDown notes that something behind the portal failed, and gives what the form
// says of it. What was typed may be right or wrong.
func (p *portal) letDown(w http.ResponseWriter, r *http.Request, lang language.Tag, doing string, err error) problem {
	if r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to answer a request", "doing", doing)
	}
	setRetryAfter(w, retryLater)
	if errors.Is(err, account.ErrBusy) {
		return problem{Text: lang.Text("portal.enter.crowded", nil)}
	}
	return problem{Text: lang.Text("portal.enter.not-finished", nil)}
}
