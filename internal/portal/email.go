// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
)

const pageEmail = "email.html"

// emailPage confirms the address of an account with a mailed code.
type emailPage struct {
	Address, Base string
	// Until is when the code that was mailed expires, as a formatted date. "" means that
	// no code is valid.
	Until    string
	Problems []problem
}

// Problem returns the text of a field's problem, or "".
func (e emailPage) Problem(field string) string { return textOf(e.Problems, field) }

func (p *portal) showEmail(v membersVisit) { p.showEmailForm(v, http.StatusOK) }

func (p *portal) showEmailForm(v membersVisit, status int, problems ...problem) {
	if v.Account.EmailVerified() {
		p.toAccount(v, "")
		return
	}
	title := v.lang.Text("portal.email.title", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	page := emailPage{Address: string(v.Account.Spec.Email), Base: p.base, Problems: problems}
	if until := account.EmailCodeValidUntil(v.Account, p.clock.Now()); !until.IsZero() {
		page.Until = v.lang.Date(until)
	}
	v.render(p, status, pageEmail, title, page)
}

// askForEmailCode answers the button that requests a code. The mail goes to the address of
// the account and to no other.
func (p *portal) askForEmailCode(v membersVisit) {
	if _, status, refusal := readValues(v.w, v.r); status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	recorded, err := p.store.RequestEmailCode(v.r.Context(), v.Member, v.lang)
	switch {
	case err != nil:
		p.emailFailed(v, err)
	case !recorded && !v.Account.EmailVerified():
		p.showEmailForm(v, http.StatusUnprocessableEntity, problem{Text: v.lang.Text("portal.email.too-often", nil)})
	default:
		p.redirect(v.w, v.r, "/account/email?lang="+v.lang.String())
	}
}

// confirmEmail answers the form with the code. The code works only in a session of the
// account: a stranger who asks for codes gets nothing from the reader of the mailbox.
func (p *portal) confirmEmail(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	typed := values.Get(fieldCode)
	if typed == "" {
		p.showEmailForm(v, http.StatusUnprocessableEntity, problem{fieldCode, v.lang.Text("portal.email.code-empty", nil)})
		return
	}
	right, err := p.store.EnterEmailCode(v.r.Context(), v.Member, typed)
	switch {
	case err != nil:
		p.emailFailed(v, err)
	case right || v.Account.EmailVerified():
		p.toAccount(v, doneEmail)
	default:
		p.showEmailForm(v, http.StatusUnprocessableEntity, p.wrongEmailCode(v))
	}
}

// wrongEmailCode returns the problem with a code that confirmed nothing. If no other code
// can be entered, the page has no field to point at.
func (p *portal) wrongEmailCode(v membersVisit) problem {
	if account.EmailCodeValidUntil(v.Account, p.clock.Now()).IsZero() {
		return problem{Text: v.lang.Text("portal.email.code-over", nil)}
	}
	return wrongMailedCode(v.lang)
}

// emailFailed answers if it is unknown whether the request or the code counted.
func (p *portal) emailFailed(v membersVisit, err error) {
	if errors.Is(err, store.ErrGone) {
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String())
		return
	}
	p.log.Error(errKind(err), "Failed to confirm an address")
	setRetryAfter(v.w, retryLater)
	p.showEmailForm(v, http.StatusServiceUnavailable, problem{Text: v.lang.Text("portal.email.not-finished", nil)})
}
