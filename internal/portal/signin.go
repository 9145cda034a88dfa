// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageSignIn = "signin.html"

// paramOrganization is the query parameter with the name of the Organization that
// a person comes from. The page uses it only to show a support contact.
const paramOrganization = "organization"

// doneSignedOut is the value of paramDone after a session was ended.
const doneSignedOut = "signed-out"

// signInFormTimeout limits the work on one sign-in form.
const signInFormTimeout = 30 * time.Second

func (p *portal) signInRoutes() map[string]route {
	return map[string]route{
		"/":                {get: p.showHome},
		"/sign-in":         {get: p.showSignIn, post: p.answerSignIn},
		"/sign-in/code":    {get: p.showCode, post: p.answerSignInCode},
		issuer.PathSignOut: {get: p.showSignOut, post: p.signOut},
	}
}

// signInPage is the sign-in form.
type signInPage struct {
	Form     form
	Problems []problem
	// Wrong means that the sign-in failed.
	Wrong bool
	// SignedOut means that a session was just ended.
	SignedOut bool
	// Waiting is the name of the client whose request the browser carries, or "".
	Waiting string
	// Again means that the person is signed in, and that the client wants a newer sign-in.
	// Other is the user name of the person if the client wants another one.
	Again bool
	Other string
	// Help is the support contact, or nil if there is none.
	Help *help
	// Path is the address that the form is sent to. Reset and UserNames are the pages
	// for a forgotten password or user name. Base is the path that the portal is
	// mounted at.
	Path, Reset, UserNames, Base string
}

// Problem returns the text of a field's problem, or "".
func (e signInPage) Problem(field string) string { return textOf(e.Problems, field) }

// help is the support contact of an Organization.
type help struct{ Organization, Contact string }

// helpOf returns the support contact of the Organization that a request names.
func (p *portal) helpOf(r *http.Request) *help {
	name := r.URL.Query().Get(paramOrganization)
	if !store.CanBeAccountName(name) {
		return nil
	}
	org, err := p.store.Organization(r.Context(), name)
	if err != nil {
		p.log.Error(errKind(err), "Failed to find the support contact")
		return nil
	}
	if org == nil || org.Spec.SupportContact == "" {
		return nil
	}
	return &help{string(org.Title()), string(org.Spec.SupportContact)}
}

// showHome redirects a signed-in user to their account, and other visitors to the
// sign-in page.
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

func (p *portal) showSignIn(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	switch at, err := p.visitor(r); {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
	case at.IsIn() && !p.mustSignInAgain(r, at):
		p.redirect(w, r, "/account?lang="+lang.String())
	default:
		page := signInPage{SignedOut: r.URL.Query().Get(paramDone) == doneSignedOut}
		if at.IsIn() {
			page.Again, page.Other = true, p.otherThanAsked(r, at)
		}
		p.showSignInForm(w, r, lang, http.StatusOK, page)
	}
}

func (p *portal) showSignInForm(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, page signInPage) {
	page.Base, page.Help = p.base, p.helpOf(r)
	page.Waiting, _ = p.waiting(r, lang)
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
	p.render(w, r, lang, status, pageSignIn, title, page)
}

// answerSignIn answers the sign-in form. A failed sign-in gets the same page after the
// same time, for every cause.
func (p *portal) answerSignIn(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	f, status, refusal := readForm(w, r)
	if status != 0 {
		p.message(w, r, lang, status, refusal)
		return
	}
	// The clock starts after the form is read. Otherwise a client could send the form
	// slowly to choose how much of a step is left, and so measure what takes longer.
	start := p.clock.Now()
	if problems := f.signInProblems(lang); len(problems) > 0 {
		p.showSignInForm(w, r, lang, http.StatusUnprocessableEntity, signInPage{Form: f, Problems: problems})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), signInFormTimeout)
	defer cancel()
	m, stage, err := p.authenticate(w, r.WithContext(ctx), f, lang)
	switch {
	case err == nil && m != nil:
		p.redirect(w, r, p.pageAfter(r, m, stage, lang))
	case err == nil:
		p.waitForInterval(r, start)
		p.showSignInForm(w, r, lang, http.StatusUnprocessableEntity, signInPage{Form: f, Wrong: true})
	default:
		problems := []problem{p.logAndDescribe(w, r, lang, "sign in", err)}
		p.waitForInterval(r, start)
		p.showSignInForm(w, r, lang, http.StatusServiceUnavailable, signInPage{Form: f, Problems: problems})
	}
}

// authenticate begins the session of the Account with the typed password, and returns
// the stage of the session. It returns nil if no Account matches. It compares one
// password, whatever name was typed.
//
// authenticate fails if passwords cannot be checked for any name. If only the password
// of one Account cannot be checked, a failure would reveal that this Account
// exists. So that error is only logged.
func (p *portal) authenticate(w http.ResponseWriter, r *http.Request, f form, lang language.Tag) (*store.Member, session.Stage, error) {
	m, err := p.store.Candidate(r.Context(), f.SignInName, p.usedBefore(r))
	if err != nil {
		return nil, "", err
	}
	right, err := p.store.TryPassword(r.Context(), m, p.browser(r), f.signInPassword)
	if _, hidden := errors.AsType[store.NotComparedError](err); hidden {
		p.log.Error(errKind(err), "Failed to check a password")
		return nil, "", nil
	}
	if err != nil || !right {
		return nil, "", err
	}
	if err := p.leaveAccount(r, m.Account.Name); err != nil {
		return nil, "", err
	}
	stage, err := p.signInWith(w, r, m, f.signInPassword, lang)
	if errors.Is(err, store.ErrGone) {
		return nil, "", nil // the password was changed meanwhile
	}
	return m, stage, err
}

// usedBefore returns a function that reports whether this browser signed in to an Account
// last.
func (p *portal) usedBefore(r *http.Request) func(*accountsv1.Account) bool {
	used, found := p.reserveOf(r)
	return func(a *accountsv1.Account) bool { return found && reserveFor(a) == used }
}

// pageAfter returns the page that follows a correct password.
func (p *portal) pageAfter(r *http.Request, m *store.Member, stage session.Stage, lang language.Tag) string {
	switch {
	case stage == session.StagePassword:
		return "/sign-in/code?lang=" + lang.String()
	case m.NeedsSecondFactor():
		return pageSetUpFactor(lang)
	default:
		return p.pageSignedIn(r, lang)
	}
}

// pageSetUpFactor returns the page at which a person sets up a second factor.
func pageSetUpFactor(lang language.Tag) string { return "/account/second-factor?lang=" + lang.String() }

// pageSignedIn returns the page that follows a complete sign-in: the request of a client
// that the browser carries, or the account.
func (p *portal) pageSignedIn(r *http.Request, lang language.Tag) string {
	if _, path := p.waiting(r, lang); path != "" {
		return path
	}
	return "/account?lang=" + lang.String()
}

// leaveAccount ends the session of the request if it belongs to another Account
// than name. A browser holds only one session, so the other could not be ended
// from it any more.
func (p *portal) leaveAccount(r *http.Request, name string) error {
	if _, before, found := p.token(r); !found || before == name {
		return nil
	}
	return p.endSession(r)
}

// endSession ends the session of the request, if there is one, and the sign-ins to clients
// that were approved in it.
func (p *portal) endSession(r *http.Request) error {
	token, name, found := p.token(r)
	if !found {
		return nil
	}
	err := p.store.EndSessionOf(r.Context(), name, token)
	if errors.Is(err, store.ErrGone) {
		return nil
	}
	return err
}

// logAndDescribe logs a failure behind the portal, and returns the problem that the form
// shows. It does not reveal whether the typed credentials are correct.
func (p *portal) logAndDescribe(w http.ResponseWriter, r *http.Request, lang language.Tag, doing string, err error) problem {
	if r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to answer a request", "doing", doing)
	}
	setRetryAfter(w, retryLater)
	if errors.Is(err, account.ErrBusy) {
		return problem{Text: lang.Text("portal.enter.crowded", nil)}
	}
	return problem{Text: lang.Text("portal.enter.not-finished", nil)}
}
