// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageResetForm = "resetform.html"

// resetDone is the page that confirms a password change by link.
const resetDone = "reset-done"

// Messages for a link for a new password that cannot be used, and for a failure
// behind the pages.
var (
	resetUnknown     = message{page: "reset-unknown", lines: []string{"copy", "again"}}
	resetUsed        = message{page: "reset-used", lines: []string{"you", "other"}}
	resetSuperseded  = message{page: "reset-superseded", lines: []string{"newest", "again"}}
	resetExpired     = message{page: "reset-expired", lines: []string{"hour", "again"}}
	resetIncomplete  = message{page: "reset-incomplete", lines: []string{"admin", "wait"}}
	resetUnavailable = message{page: "reset-unavailable", lines: []string{"wait"}}
)

// resetVisit is one request at a link for a new password.
type resetVisit struct {
	w    http.ResponseWriter
	r    *http.Request
	lang language.Tag
	// text is the link as it appears in the address.
	text string
}

// resetRoute returns the route of one link.
func (p *portal) resetRoute(text string) route {
	handle := func(answer func(v resetVisit)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			answer(resetVisit{w, r, languageOf(r, store.LinkView{}), text})
		}
	}
	return route{pattern: "/reset/{link}", get: handle(p.showResetForm), post: handle(p.reset), secret: true}
}

// resetPage is the form for a new password.
type resetPage struct {
	UserName     string
	SecondFactor bool
	MinLength    int
	Problems     []problem
	// Path is the address that the form is sent to.
	Path string
}

// Problem returns the text of a field's problem, or "".
func (f resetPage) Problem(field string) string { return textOf(f.Problems, field) }

// openReset finds the Account of a link with live reads. If the link is not
// open, it answers the request and returns false.
func (p *portal) openReset(v resetVisit) (account.ResetLink, store.ResetView, bool) {
	link, err := account.ParseResetLink(v.text)
	if err != nil {
		p.resetClosed(v, store.ResetView{})
		return link, store.ResetView{}, false
	}
	seen, err := p.store.InspectReset(v.r.Context(), link)
	switch {
	case errors.Is(err, store.ErrSecretMissing):
		p.resetIncomplete(v, seen, err)
	case err != nil:
		p.failed(v.w, v.r, v.lang, "read a link for a new password", err, resetUnavailable)
	case seen.Status != account.ResetLinkOpen:
		p.resetClosed(v, seen)
	default:
		return link, seen, true
	}
	return link, seen, false
}

// resetClosed answers a request for a link that cannot be used.
func (p *portal) resetClosed(v resetVisit, seen store.ResetView) {
	status, text, ways := http.StatusNotFound, resetUnknown, []nextStep{p.toReset(v.lang)}
	switch seen.Status {
	case account.ResetLinkUsed:
		status, text, ways = http.StatusGone, resetUsed, append(ways, p.toSignIn(v.lang))
	case account.ResetLinkSuperseded:
		status, text = http.StatusGone, resetSuperseded
	case account.ResetLinkExpired:
		status, text = http.StatusGone, resetExpired
	case account.ResetLinkUnknown, account.ResetLinkOpen: // callers do not ask about an open link
	}
	p.showNextSteps(v.w, v.r, v.lang, status, text, supportContacts(seen), ways...)
}

// resetIncomplete answers a request for a genuine link whose Account has lost the Secret
// with its second factor. The status is a conflict and not a failure, because a retry does
// not help until an admin restores the Secret.
func (p *portal) resetIncomplete(v resetVisit, seen store.ResetView, err error) {
	p.log.Error(errKind(err), "Failed to answer a request", "doing", "read a link for a new password")
	p.showNextSteps(v.w, v.r, v.lang, http.StatusConflict, resetIncomplete, supportContacts(seen))
}

// supportContacts returns the support contacts of the Account's Organizations.
func supportContacts(s store.ResetView) []help {
	if s.Member == nil {
		return nil
	}
	var all []help
	for _, b := range s.Member.Belongings {
		if contact := b.Organization.Spec.SupportContact; contact != "" {
			all = append(all, help{string(b.Organization.Title()), string(contact)})
		}
	}
	return all
}

// showResetForm answers a GET. It changes nothing, because mail scanners follow
// links.
func (p *portal) showResetForm(v resetVisit) {
	if _, seen, open := p.openReset(v); open {
		p.resetForm(v, http.StatusOK, seen)
	}
}

func (p *portal) resetForm(v resetVisit, status int, seen store.ResetView, problems ...problem) {
	title := v.lang.Text("portal.reset-form.title", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	secondFactor := seen.Member.Credentials.HasSecondFactor()
	p.render(v.w, v.r, v.lang, status, pageResetForm, title, resetPage{
		UserName: username.Show(seen.Member.Account.Name), SecondFactor: secondFactor,
		MinLength: account.LeastLength(secondFactor), Problems: problems,
		Path: p.base + "/reset/" + v.text + "?lang=" + v.lang.String(),
	})
}

// reset answers the form with the new password, typed twice. It does not sign the
// person in: an attacker who reads their mail still lacks the second factor.
func (p *portal) reset(v resetVisit) {
	link, seen, open := p.openReset(v)
	if !open {
		return
	}
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	typed, again := values.Get(fieldNewPassword), values.Get(fieldNewPasswordAgain)
	if problems := newPasswordProblems(v.lang, seen.Member, typed, again); len(problems) > 0 {
		p.resetForm(v, http.StatusUnprocessableEntity, seen, problems...)
		return
	}
	hash, err := p.hasher.Hash(v.r.Context(), typed)
	if err != nil {
		p.resetFailed(v, seen, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), resetTimeout)
	defer cancel()
	now, counts, err := p.store.ResetPassword(ctx, link, store.ChosenPassword{Hash: hash, Short: account.IsShort(typed)}, p.browser(v.r))
	switch {
	case errors.Is(err, store.ErrTooShort):
		p.resetForm(v, http.StatusUnprocessableEntity, now, newPasswordProblems(v.lang, now.Member, typed, again)...)
	case errors.Is(err, store.ErrSecretMissing):
		p.resetIncomplete(v, now, err)
	case err != nil:
		p.resetFailed(v, seen, err)
	case !counts:
		p.resetClosed(v, now)
	default:
		p.keepBrowser(v.w, now.Member)
		p.logUnnoted(p.store.NoteReset(ctx, now.Member, v.lang))
		done := message{page: resetDone, lines: []string{"sessions", "sign-in"}}
		if now.Member.Credentials.HasSecondFactor() {
			done.lines = append(done.lines, "factor")
		}
		p.showNextSteps(v.w, v.r, v.lang, http.StatusOK, done, nil, p.toSignIn(v.lang))
	}
}

// resetFailed answers if it is unknown whether the password was changed.
func (p *portal) resetFailed(v resetVisit, seen store.ResetView, err error) {
	text := "portal.reset-form.not-finished"
	if errors.Is(err, account.ErrBusy) {
		text = "portal.problem.busy"
	}
	if v.r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to change a password by link")
	}
	setRetryAfter(v.w, retryLater)
	p.resetForm(v, http.StatusServiceUnavailable, seen, problem{Text: v.lang.Text(text, nil)})
}

// newPasswordProblems returns what is wrong with a new password for m.
func newPasswordProblems(lang language.Tag, m *store.Member, chosen, again string) []problem {
	secondFactor := m.Credentials.HasSecondFactor()
	weakness := account.CheckPassword(chosen, m.Person(), secondFactor)
	if text := passwordProblem(lang, chosen, weakness, secondFactor); text != "" {
		return []problem{{fieldNewPassword, text}}
	}
	if account.Normal(again) != account.Normal(chosen) {
		return []problem{{fieldNewPasswordAgain, lang.Text("portal.problem.passwords-differ", nil)}}
	}
	return nil
}
