// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// otherView is what the page offers about another address. The zero value
// offers nothing.
type otherView struct {
	// Offered: another address will do, and codes can be asked for.
	Offered bool
	// Open: the part of the page about it is unfolded.
	Open bool
	// Spent: the link has had all its codes, or all its tries.
	Spent bool
	// Address is the one that a code is mailed to which counts Until then, a
	// date in words.
	Address, Until string
}

func (p *portal) otherAddress(lang language.Tag, seen store.LinkView, problems []problem) otherView {
	if !seen.AnyAddress() {
		return otherView{}
	}
	guessesSpent := seen.GuessesSpent()
	view := otherView{
		Offered: true,
		Open:    textOf(problems, fieldEmail) != "",
		Spent:   guessesSpent || seen.Invitation.Status.OtherAddress.Requests >= invitation.MostCodes,
	}
	if other, pending := seen.Pending(p.clock.Now()); pending && !guessesSpent {
		view.Address, view.Until = string(other.Email), lang.Date(other.RequestTime.Add(invitation.CodeValidity))
	}
	return view
}

var sendingCode = task{"ask for a code", "portal.problem.code-not-sent"}

// askForCode answers the form that gives another address. Whether somebody has
// an account of that address is not said here, where anybody can type any: it is
// said to whoever knows the code.
func (p *portal) askForCode(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	f.fresh = true
	lang := languageOf(v.r, seen)
	if wrong := f.otherAddressProblem(lang, seen); wrong.Text != "" {
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, wrong)
		return
	}
	now, result, err := p.store.Save(v.r.Context(), seen, store.AskedForCode(f.otherAddress()))
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, sendingCode, err)
	case result == store.NotOpen:
		p.closed(v, now)
	case result == store.AddressRefused:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, refusedAddress(lang, now))
	case result == store.GuessesSpent || result == store.CodesSpent:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{
			Text: lang.Text("portal.problem.codes-spent", map[string]string{"Address": string(now.Invitation.Spec.Email), "Inviter": inviter(now)}),
		})
	default:
		p.showForm(v, http.StatusOK, now, form{fresh: true})
	}
}

// otherAddressProblem is what is wrong with the address that was given, if
// anything.
func (f form) otherAddressProblem(lang language.Tag, seen store.LinkView) problem {
	email := f.otherAddress()
	switch {
	case !seen.AnyAddress():
		return onlyInvited(lang, seen)
	case address.CheckSyntax(email) != nil:
		return problem{fieldEmail, lang.Text("portal.problem.address-form", nil)}
	case address.Same(email, string(seen.Invitation.Spec.Email)):
		return problem{fieldEmail, lang.Text("portal.problem.address-invited", nil)}
	case !seen.Allows(email):
		return notAllowed(lang, seen, fieldEmail)
	}
	return problem{}
}

// refusedAddress says why another address will not do.
func refusedAddress(lang language.Tag, seen store.LinkView) problem {
	if !seen.AnyAddress() {
		return onlyInvited(lang, seen)
	}
	return notAllowed(lang, seen, "")
}

func notAllowed(lang language.Tag, seen store.LinkView, field string) problem {
	return problem{field, lang.Text("portal.problem.address-not-allowed", map[string]string{"Organization": organizationTitle(seen)})}
}

func onlyInvited(lang language.Tag, seen store.LinkView) problem {
	return problem{Text: lang.Text("portal.problem.address-strict", map[string]string{"Address": string(seen.Invitation.Spec.Email)})}
}

// codeAwaited gives the other address that a code is awaited for, or says why
// there is none, or that none was typed.
func (p *portal) codeAwaited(lang language.Tag, seen store.LinkView, f form) (accountsv1.EmailAddress, problem) {
	other, pending := seen.Pending(p.clock.Now())
	switch {
	case !seen.AnyAddress():
		return seen.Invitation.Spec.Email, onlyInvited(lang, seen)
	case !pending:
		return seen.Invitation.Spec.Email, problem{fieldEmail, lang.Text("portal.problem.code-expired", map[string]string{"Address": string(seen.Invitation.Spec.Email)})}
	case !seen.Allows(string(other.Email)):
		return other.Email, notAllowed(lang, seen, fieldEmail)
	case f.code == "":
		return other.Email, problem{fieldCode, lang.Text("portal.problem.code-empty", map[string]string{"Address": string(other.Email)})}
	}
	return other.Email, problem{}
}

// count counts a code before anybody looks at it. It answers, and gives false, if
// that cannot be done any more.
func (p *portal) count(v visit, seen store.LinkView, f form) (store.LinkView, bool) {
	now, result, err := p.store.Save(v.r.Context(), seen, store.Guessed())
	switch {
	case err != nil:
		// The write may have taken effect: then one try is lost.
		p.tryAgain(v, seen, f, makingAccount, err)
	case result == store.GuessesSpent:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{
			Text: languageOf(v.r, now).Text("portal.problem.guesses-spent", map[string]string{
				"Address": string(now.Invitation.Spec.Email), "Inviter": inviter(now),
			}),
		})
	case result == store.NotOpen:
		p.closed(v, now)
	default:
		return now, true
	}
	return store.LinkView{}, false
}

// confirmAddress looks at a code, which is counted before, and gives the other
// address that it confirms. Otherwise it answers and gives false.
func (p *portal) confirmAddress(v visit, seen store.LinkView, f form) (accountsv1.EmailAddress, bool) {
	now, counted := p.count(v, seen, f)
	if !counted {
		return "", false
	}
	lang, email := languageOf(v.r, now), now.Invitation.Status.OtherAddress.Email
	if !now.AnyAddress() || !now.Keys.CheckCode(now.Invitation, f.code, p.clock.Now()) {
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{fieldCode, lang.Text("portal.problem.code-wrong", nil)})
		return "", false
	}
	known, err := p.store.HasAccount(v.r.Context(), now, email)
	switch {
	case err != nil:
		p.tryAgain(v, now, f, makingAccount, err)
		return "", false
	case known:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, signInInstead(lang, email))
		return "", false
	}
	return email, true
}
