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

const pagePassword = "password.html"

// Fields of the form that changes the password.
const (
	fieldCurrentPassword  = "current-password"
	fieldNewPassword      = "new-password"
	fieldNewPasswordAgain = "new-password-again"
)

// passwordPage is the form that changes the password.
type passwordPage struct {
	UserName, Base string
	MinLength      int
	Problems       []problem
}

// Problem returns the text of a field's problem, or "".
func (d passwordPage) Problem(field string) string { return textOf(d.Problems, field) }

func (p *portal) showPassword(v membersVisit) { p.showPasswordForm(v, http.StatusOK) }

func (p *portal) showPasswordForm(v membersVisit, status int, problems ...problem) {
	title := v.lang.Text("portal.password-form.title", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	v.render(p, status, pagePassword, title, passwordPage{
		UserName: username.Show(v.Account.Name), Base: p.base,
		MinLength: account.LeastLength(v.Credentials.HasSecondFactor()), Problems: problems,
	})
}

// newPassword holds what a person typed to change the password.
type newPassword struct{ current, chosen, again string }

// changePassword answers the form with the current password and, twice, the new
// one. Every other session ends. This session continues with a new token.
func (p *portal) changePassword(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	typed := newPassword{values.Get(fieldCurrentPassword), values.Get(fieldNewPassword), values.Get(fieldNewPasswordAgain)}
	if problems := typed.problems(v.lang, v.Member); len(problems) > 0 {
		p.showPasswordForm(v, http.StatusUnprocessableEntity, problems...)
		return
	}
	right, err := p.replacePassword(v, typed)
	switch {
	case err == nil && right:
		p.toAccount(v, donePassword)
	case errors.Is(err, store.ErrTooShort):
		p.showPasswordForm(v, http.StatusUnprocessableEntity, typed.problems(v.lang, v.Member)...)
	case errors.Is(err, store.ErrGone):
		p.redirect(v.w, v.r, "/sign-in?lang="+v.lang.String())
	case err == nil:
		p.showPasswordForm(v, http.StatusUnprocessableEntity, problem{fieldCurrentPassword, v.lang.Text("portal.password-form.wrong", nil)})
	default:
		text := "portal.password-form.not-finished"
		if errors.Is(err, account.ErrBusy) {
			text = "portal.problem.busy"
		}
		p.log.Error(errKind(err), "Failed to change a password")
		setRetryAfter(v.w, retryLater)
		p.showPasswordForm(v, http.StatusServiceUnavailable, problem{Text: v.lang.Text(text, nil)})
	}
}

// replacePassword writes the new password if the current one is correct. It
// hashes the new password before it counts the attempt, so no attempt is lost if
// there is no capacity to hash.
func (p *portal) replacePassword(v membersVisit, typed newPassword) (bool, error) {
	hash, err := p.hasher.Hash(v.r.Context(), typed.chosen)
	if err != nil {
		return false, err
	}
	if right, err := p.store.TryPassword(v.r.Context(), v.Member, p.browser(v.r), typed.current); err != nil || !right {
		return false, err
	}
	ctx := context.WithoutCancel(v.r.Context())
	token, err := p.store.ReplacePassword(ctx, v.SignedIn, store.ChosenPassword{Hash: hash, Short: account.IsShort(typed.chosen)}, p.browser(v.r))
	if err != nil {
		return false, err
	}
	p.keepSession(v.w, v.Member, token)
	p.logUnnoted(p.store.NotePassword(ctx, v.Member, v.lang))
	return true, nil
}

// logUnnoted logs that a password change could not be recorded. The change counts in any
// case.
func (p *portal) logUnnoted(err error) {
	if err != nil {
		p.log.Error(errKind(err), "Failed to record a password change")
	}
}

func (n newPassword) problems(lang language.Tag, m *store.Member) []problem {
	var found []problem
	if n.current == "" {
		found = append(found, problem{fieldCurrentPassword, lang.Text("portal.problem.sign-in-password-empty", nil)})
	}
	return append(found, newPasswordProblems(lang, m, n.chosen, n.again)...)
}
