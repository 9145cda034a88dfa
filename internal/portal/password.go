// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
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

// Problem is the text of a field's problem, or empty.
func (d passwordPage) Problem(field string) string { return textOf(d.Problems, field) }

func (p *portal) showPassword(v membersVisit) { p.showPasswordForm(v, http.StatusOK) }

func (p *portal) showPasswordForm(v membersVisit, status int, problems ...problem) {
	title := v.lang.Text("portal.password-form.title", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	v.render(p, status, pagePassword, title, passwordPage{
		UserName: username.Show(v.account.Name), Base: p.base,
		MinLength: account.LeastLength(v.credentials.HasSecondFactor()), Problems: problems,
	})
}

// newPassword is what somebody typed to have another password.
type newPassword struct{ current, chosen, again string }

// changePassword answers the form with the current password and the new one
// twice. Every other session ends, and this one goes on with another token.
func (p *portal) changePassword(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	typed := newPassword{values.Get(fieldCurrentPassword), values.Get(fieldNewPassword), values.Get(fieldNewPasswordAgain)}
	if problems := typed.problems(v.lang, v.member); len(problems) > 0 {
		p.showPasswordForm(v, http.StatusUnprocessableEntity, problems...)
		return
	}
	right, err := p.replacePassword(v, typed)
	switch {
	case err == nil && right:
		p.toAccount(v, donePassword)
	case errors.Is(err, errTooShort):
		p.showPasswordForm(v, http.StatusUnprocessableEntity, typed.problems(v.lang, v.member)...)
	case errors.Is(err, errGone):
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

// replacePassword writes the new password if the current one is right. It is hashed
// before that is counted: where there is no room for it, nothing is lost.
func (p *portal) replacePassword(v membersVisit, typed newPassword) (bool, error) {
	hash, err := p.hasher.Hash(v.r.Context(), typed.chosen)
	if err != nil {
		return false, err
	}
	if right, err := p.tryPassword(v.r.Context(), v.member, typed.current); err != nil || !right {
		return false, err
	}
	ctx := context.WithoutCancel(v.r.Context())
	before, token := v.credentials.Password, ""
	// Who asks for a link writes the Account, which no condition on the Secret sees.
	again, err := p.members.member(ctx, v.account.Name)
	if err != nil {
		return false, err
	}
	if again == nil {
		return false, errGone
	}
	*v.member = *again
	err = p.members.changeCredentials(ctx, v.member, func(m *member, now time.Time) (err error) {
		switch m.credentials.ShortPassword = account.IsShort(typed.chosen); {
		case !m.keeps(v.session) || m.disabled():
			return errGone // it was ended while the password was being looked at
		case m.credentials.Password != before:
			return errContended // somebody signed in, and it was hashed anew
		case m.credentials.ShortPassword && !m.credentials.HasSecondFactor():
			return errTooShort // the second factor was removed meanwhile
		}
		m.credentials.Password, m.credentials.PasswordTime = hash, m.passwordTime(now)
		m.credentials.Sessions = nil
		token, err = p.begin(v.r, m, session.StageSignedIn, now)
		return err
	})
	if err != nil {
		return false, err
	}
	p.keep(v.w, v.account.Name, token)
	p.notePassword(ctx, v.member, v.lang, func(s *accountsv1.SignIn, limits account.Limits) {
		account.SignedIn(s, account.FactorPassword, limits)
	})
	return true, nil
}

// passwordTime is when a password counts as chosen that is chosen now: no earlier
// than the newest request for a link, which may come from a portal, or a controller,
// whose clock is ahead of this one's. The link is dead all the same.
func (m *member) passwordTime(now time.Time) time.Time {
	if asked := m.account.Status.ResetTimes; len(asked) > 0 && asked[0].After(now) {
		now = asked[0].Time
	}
	return now.UTC()
}

func (n newPassword) problems(lang language.Tag, m *member) []problem {
	var found []problem
	if n.current == "" {
		found = append(found, problem{fieldCurrentPassword, lang.Text("portal.problem.sign-in-password-empty", nil)})
	}
	return append(found, newPasswordProblems(lang, m, n.chosen, n.again)...)
}

// person is what is known about a member, and what their password should not be
// built from.
func (m *member) person() account.Person {
	spec := m.account.Spec
	about := account.Person{
		UserName: username.Show(m.account.Name), Email: string(spec.Email),
		GivenName: string(spec.GivenName), FamilyName: string(spec.FamilyName),
	}
	for _, b := range m.belongings {
		about.Organization = append(about.Organization, b.Organization.Name, string(b.Organization.Title()))
	}
	return about
}
