// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageResetForm = "resetform.html"

// resetDone is the page that says that a password was changed by a link.
const resetDone = "reset-done"

// What is said where a link for a new password cannot be used, and where
// something behind the pages failed.
var (
	resetUnknown     = message{page: "reset-unknown", lines: []string{"copy", "again"}}
	resetUsed        = message{page: "reset-used", lines: []string{"you", "other"}}
	resetSuperseded  = message{page: "reset-superseded", lines: []string{"newest", "again"}}
	resetExpired     = message{page: "reset-expired", lines: []string{"hour", "again"}}
	resetUnavailable = message{page: "reset-unavailable", lines: []string{"wait"}}
)

// statusTries bounds how often the portal tries to write down in the status of an
// Account that its password was changed. There is no form to send again for that.
const statusTries = 3

// resetVisit is one request at a link for a new password.
type resetVisit struct {
	w    http.ResponseWriter
	r    *http.Request
	lang language.Tag
	// text is the link, as it stands in the address.
	text string
}

// resetRoute is the route of one link.
func (p *portal) resetRoute(text string) route {
	handle := func(answer func(v resetVisit)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { answer(resetVisit{w, r, languageOf(r, sight{}), text}) }
	}
	return route{pattern: "/reset/{link}", get: handle(p.showResetForm), post: handle(p.reset), secret: true}
}

// resetPage is the form that chooses a new password.
type resetPage struct {
	UserName     string
	SecondFactor bool
	MinLength    int
	Problems     []problem
	// Path is where the form is sent to.
	Path string
}

// Problem is the text of a field's problem, or empty.
func (f resetPage) Problem(field string) string { return textOf(f.Problems, field) }

// openReset sees what a link is for at this very moment. It answers, and gives
// false, unless the link is open.
func (p *portal) openReset(v resetVisit) (account.ResetLink, resetSight, bool) {
	link, err := account.ParseResetLink(v.text)
	if err != nil {
		p.resetClosed(v, resetSight{})
		return link, resetSight{}, false
	}
	seen, err := p.members.seeReset(v.r.Context(), link)
	switch {
	case err != nil:
		p.failed(v.w, v.r, v.lang, "look at a link for a new password", err, resetUnavailable)
	case seen.standing != account.ResetOpen:
		p.resetClosed(v, seen)
	default:
		return link, seen, true
	}
	return link, seen, false
}

// resetClosed answers where a link cannot be used.
func (p *portal) resetClosed(v resetVisit, seen resetSight) {
	status, text, ways := http.StatusNotFound, resetUnknown, []way{p.toReset(v.lang)}
	switch seen.standing {
	case account.ResetUsed:
		status, text, ways = http.StatusGone, resetUsed, append(ways, p.toSignIn(v.lang))
	case account.ResetSuperseded:
		status, text = http.StatusGone, resetSuperseded
	case account.ResetExpired:
		status, text = http.StatusGone, resetExpired
	case account.ResetUnknown, account.ResetOpen: // an open link is not asked about
	}
	p.showWays(v.w, v.r, v.lang, status, text, seen.helps(), ways...)
}

// helps are those whom the Organizations of the Account let people ask.
func (s resetSight) helps() []help {
	if s.member == nil {
		return nil
	}
	var all []help
	for _, b := range s.member.belongings {
		if contact := b.Organization.Spec.SupportContact; contact != "" {
			all = append(all, help{string(b.Organization.Title()), string(contact)})
		}
	}
	return all
}

// showResetForm answers a GET. It changes nothing: mail scanners follow links.
func (p *portal) showResetForm(v resetVisit) {
	if _, seen, open := p.openReset(v); open {
		p.resetForm(v, http.StatusOK, seen)
	}
}

func (p *portal) resetForm(v resetVisit, status int, seen resetSight, problems ...problem) {
	title := v.lang.Text("portal.reset-form.title", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	secondFactor := seen.member.credentials.HasSecondFactor()
	p.render(v.w, v.r, v.lang, status, pageResetForm, title, resetPage{
		UserName: username.Show(seen.member.account.Name), SecondFactor: secondFactor,
		MinLength: account.LeastLength(secondFactor), Problems: problems,
		Path: p.base + "/reset/" + v.text + "?lang=" + v.lang.String(),
	})
}

// reset answers the form with the new password twice. Nobody is signed in by it:
// whoever reads somebody's mail still lacks the second factor.
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
	if problems := newPasswordProblems(v.lang, seen.member, typed, again); len(problems) > 0 {
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
	now, counts, err := p.members.resetPassword(ctx, link, chosenPassword{hash, account.IsShort(typed)})
	switch {
	case errors.Is(err, errTooShort):
		p.resetForm(v, http.StatusUnprocessableEntity, now, newPasswordProblems(v.lang, now.member, typed, again)...)
	case err != nil:
		p.resetFailed(v, seen, err)
	case !counts:
		p.resetClosed(v, now)
	default:
		p.notePassword(ctx, now.member, v.lang, account.Open)
		done := message{page: resetDone, lines: []string{"sessions", "sign-in"}}
		if now.member.credentials.HasSecondFactor() {
			done.lines = append(done.lines, "factor")
		}
		p.showWays(v.w, v.r, v.lang, http.StatusOK, done, nil, p.toSignIn(v.lang))
	}
}

// resetFailed answers where nobody knows whether the password was changed.
func (p *portal) resetFailed(v resetVisit, seen resetSight, err error) {
	text := "portal.reset-form.not-finished"
	if errors.Is(err, account.ErrBusy) {
		text = "portal.problem.busy"
	}
	if v.r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to change a password by a link")
	}
	setRetryAfter(v.w, retryLater)
	p.resetForm(v, http.StatusServiceUnavailable, seen, problem{Text: v.lang.Text(text, nil)})
}

// notePassword forgets what was counted, opens a lock, and lets the controller tell
// the person. The new password counts by now: where this fails, signing in makes up
// for the mail, and another link for the lock.
func (p *portal) notePassword(ctx context.Context, m *member, lang language.Tag, forget func(s *accountsv1.SignIn, limits account.Limits)) {
	var err error
	for range statusTries {
		err = p.members.changeStatus(ctx, m, func(m *member, _ metav1.Time) error {
			forget(&m.account.Status.SignIn, m.limits())
			m.noteNewPassword(lang)
			return nil
		})
		if err == nil || errors.Is(err, errGone) {
			return
		}
	}
	p.log.Error(errKind(err), "Failed to note that a password was changed")
}

// newPasswordProblems are what is wrong with a new password for m.
func newPasswordProblems(lang language.Tag, m *member, chosen, again string) []problem {
	secondFactor := m.credentials.HasSecondFactor()
	weakness := account.CheckPassword(chosen, m.person(), secondFactor)
	if text := passwordProblem(lang, chosen, weakness, secondFactor); text != "" {
		return []problem{{fieldNewPassword, text}}
	}
	if account.Normal(again) != account.Normal(chosen) {
		return []problem{{fieldNewPasswordAgain, lang.Text("portal.problem.passwords-differ", nil)}}
	}
	return nil
}
