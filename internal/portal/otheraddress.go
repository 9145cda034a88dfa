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

// otherView is the part of the page about another address. The zero value offers
// nothing.
type otherView struct {
	// Offered means that the invitation accepts another address, and that codes can
	// be requested.
	Offered bool
	// Open means that this part of the page is unfolded.
	Open bool
	// Spent means that the link has used up all its codes or all its guesses.
	Spent bool
	// Address is the address that the current code was mailed to. The code is valid
	// until Until, a formatted date.
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

// askForCode answers the form that gives another address. Everyone with the link
// can type any address here, so the answer does not reveal whether the address
// has an account. Only a person who knows the code learns that.
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
		p.showClosed(v, now)
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

// otherAddressProblem returns what is wrong with the typed address, or the zero
// value.
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

// refusedAddress says why another address is not accepted.
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

// codeAwaited returns the other address whose code is pending. If no code is
// pending or the code is empty, it returns a problem.
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

// countGuess counts a guess before the code is checked. If the guess cannot be counted
// any more, it answers the request and returns false.
func (p *portal) countGuess(v visit, seen store.LinkView, f form) (store.LinkView, bool) {
	now, result, err := p.store.Save(v.r.Context(), seen, store.Guessed())
	switch {
	case err != nil:
		// The write can have taken effect. In that case one guess is lost.
		p.tryAgain(v, seen, f, makingAccount, err)
	case result == store.GuessesSpent:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{
			Text: languageOf(v.r, now).Text("portal.problem.guesses-spent", map[string]string{
				"Address": string(now.Invitation.Spec.Email), "Inviter": inviter(now),
			}),
		})
	case result == store.NotOpen:
		p.showClosed(v, now)
	default:
		return now, true
	}
	return store.LinkView{}, false
}

// confirmAddress counts and then checks a code. It returns the request for the code, with
// the other address that the code confirms. On failure it answers the request and returns
// false.
func (p *portal) confirmAddress(v visit, seen store.LinkView, f form) (confirmed accountsv1.OtherAddress, is bool) {
	now, counted := p.countGuess(v, seen, f)
	if !counted {
		return confirmed, false
	}
	lang, other := languageOf(v.r, now), now.Invitation.Status.OtherAddress
	if !now.AnyAddress() || !now.Keys.CheckCode(now.Invitation, f.code, p.clock.Now()) {
		p.showForm(v, http.StatusUnprocessableEntity, now, f, wrongMailedCode(lang))
		return confirmed, false
	}
	known, err := p.store.HasAccount(v.r.Context(), now, other.Email)
	switch {
	case err != nil:
		p.tryAgain(v, now, f, makingAccount, err)
		return confirmed, false
	case known:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, signInInstead(lang, other.Email))
		return confirmed, false
	}
	return other, true
}

// wrongMailedCode is the problem with a mailed code that is not the newest one.
func wrongMailedCode(lang language.Tag) problem {
	return problem{fieldCode, lang.Text("portal.problem.code-wrong", nil)}
}
