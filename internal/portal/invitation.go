// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
)

// proposedUserNames is how many user names the page proposes.
const proposedUserNames = 3

// showInvitation answers a GET. It changes nothing: mail scanners follow links.
func (p *portal) showInvitation(w http.ResponseWriter, r *http.Request, text string) {
	link, err := invitation.ParseLink(text)
	if err != nil {
		p.message(w, r, http.StatusNotFound, unknownLink)
		return
	}
	seen, err := p.invitations.look(r.Context(), link)
	if err != nil {
		p.failed(w, r, "look at an invitation", err, unavailable)
		return
	}
	if seen.standing != invitation.Open {
		p.closed(w, r, seen)
		return
	}
	f := form{GivenName: string(seen.Invitation.Spec.GivenName), FamilyName: string(seen.Invitation.Spec.FamilyName)}
	if f.GivenName == "" && f.FamilyName == "" && seen.Membership != nil {
		f.GivenName, f.FamilyName = string(seen.Membership.Spec.GivenName), string(seen.Membership.Spec.FamilyName)
	}
	// A proposal that somebody chose without JavaScript.
	if wanted := r.URL.Query().Get(fieldUserName); invitation.CheckUserName(wanted) == nil {
		f.UserName = wanted
	}
	p.showForm(w, r, http.StatusOK, seen, f)
}

// closed answers when the link cannot be used.
func (p *portal) closed(w http.ResponseWriter, r *http.Request, seen sight) {
	status, text := standingMessage(seen)
	p.message(w, r, status, text)
}

func (p *portal) showForm(w http.ResponseWriter, r *http.Request, status int, seen sight, f form, problems ...problem) {
	proposals, err := p.proposals(r.Context(), seen.Invitation, f)
	if err != nil {
		p.failed(w, r, "propose user names", err, unavailable)
		return
	}
	if f.UserName == "" && len(problems) == 0 && len(proposals) > 0 {
		f.UserName = proposals[0]
	}
	page := invitationPage{
		offerView: viewOf(seen), Form: f, Proposals: proposals, Problems: problems,
		MinLength: account.MinPasswordLength,
	}
	if expires := seen.Invitation.Status.ExpirationTime; expires != nil {
		page.Expires = &expires.Time
	}
	title := "Join " + page.Organization
	if len(problems) > 0 {
		title = "Please check: " + title
	}
	p.render(w, r, status, pageInvitation, title, page)
}

// proposals are user names that are free, with the one of a half-made account
// of this invitation first.
func (p *portal) proposals(ctx context.Context, inv *accountsv1.Invitation, f form) ([]string, error) {
	begun, failure := p.invitations.begun(ctx, inv)
	if failure != nil {
		return nil, failure
	}
	taken := func(name string) bool {
		taken, err := p.invitations.taken(ctx, name, inv)
		failure = errors.Join(failure, err)
		return taken || err != nil || name == begun
	}
	var names []string
	if begun != "" {
		names = append(names, begun)
	}
	names = append(names, invitation.ProposeUserNames(
		cleanName(f.GivenName), cleanName(f.FamilyName), string(inv.Spec.Email), taken, proposedUserNames-len(names))...)
	return names, failure
}

// acceptInvitation answers a POST.
func (p *portal) acceptInvitation(w http.ResponseWriter, r *http.Request, text string) {
	link, err := invitation.ParseLink(text)
	if err != nil {
		p.message(w, r, http.StatusNotFound, unknownLink)
		return
	}
	seen, err := p.invitations.inspect(r.Context(), link)
	if err != nil {
		p.failed(w, r, "look at an invitation", err, unavailable)
		return
	}
	if seen.standing != invitation.Open {
		p.closed(w, r, seen)
		return
	}
	f, status, refusal := readForm(w, r)
	if status != 0 {
		p.message(w, r, status, refusal)
		return
	}
	problems, err := p.check(r.Context(), f, seen)
	switch {
	case err != nil:
		p.tryAgain(w, r, seen, f, "check a user name", err)
	case len(problems) > 0:
		p.showForm(w, r, http.StatusUnprocessableEntity, seen, f, problems...)
	default:
		p.accept(w, r, link, seen, f)
	}
}

// check finds all that is wrong with the form.
func (p *portal) check(ctx context.Context, f form, seen sight) ([]problem, error) {
	problems := f.problems(seen)
	if len(problems) > 0 && problems[0].Field == fieldUserName {
		return problems, nil
	}
	taken, err := p.invitations.taken(ctx, f.userName(), seen.Invitation)
	if taken {
		problems = append([]problem{nameIsTaken}, problems...)
	}
	return problems, err
}

var nameIsTaken = problem{fieldUserName, "Somebody has this user name already: choose another."}

// accept makes the account that the form asks for.
func (p *portal) accept(w http.ResponseWriter, r *http.Request, link invitation.Link, seen sight, f form) {
	hash, err := p.hasher.Hash(r.Context(), f.password)
	if err != nil {
		p.tryAgain(w, r, seen, f, "hash a password", err)
		return
	}
	now, result, err := p.invitations.accept(r.Context(), link, person{
		userName:   f.userName(),
		givenName:  cleanName(f.GivenName),
		familyName: cleanName(f.FamilyName),
		hash:       hash,
	})
	switch {
	case err != nil:
		p.tryAgain(w, r, seen, f, "accept an invitation", err)
	case result == namesRefused:
		p.showForm(w, r, http.StatusUnprocessableEntity, now, f, problem{
			Text: "Something in your names cannot be used. Write them with letters, spaces and dashes only.",
		})
	case result == nameTaken:
		p.showForm(w, r, http.StatusUnprocessableEntity, now, f, nameIsTaken)
	case result != accepted:
		p.closed(w, r, now)
	default:
		p.render(w, r, http.StatusOK, pageDone, "Your account is ready", donePage{
			offerView: viewOf(now), UserName: f.userName(), KubernetesUser: accountsv1.AccountUserPrefix + f.userName(),
		})
	}
}

// tryAgain shows the form once more after something failed that is nobody's
// fault at the keyboard.
func (p *portal) tryAgain(w http.ResponseWriter, r *http.Request, seen sight, f form, doing string, err error) {
	text := "We could not finish just now. Please send the form once more. If the page then says that the invitation has been used, your account is ready with the password that you typed."
	if errors.Is(err, account.ErrBusy) {
		text = "Many people are making their accounts at this moment. Nothing is lost: wait a few seconds and send the form once more."
	}
	p.log.Error(errors.New(kindOf(err)), "Failed to accept an invitation", "doing", doing)
	setRetryAfter(w, retryLater)
	p.showForm(w, r, http.StatusServiceUnavailable, seen, f, problem{Text: text})
}

// userNameAnswer is what the page asks for while somebody types.
type userNameAnswer struct {
	State   string `json:"state"`
	Message string `json:"message"`
}

// checkUserName tells the holder of an open link whether a user name is free.
func (p *portal) checkUserName(w http.ResponseWriter, r *http.Request, text string) {
	link, err := invitation.ParseLink(text)
	seen := sight{}
	if err == nil {
		seen, err = p.invitations.look(r.Context(), link)
	}
	if err != nil || seen.standing != invitation.Open {
		p.tell(w, r, http.StatusNotFound, userNameAnswer{"invalid", "This invitation cannot be used: load the page again."})
		return
	}
	name := form{UserName: r.URL.Query().Get("value")}.userName()
	if err := invitation.CheckUserName(name); err != nil {
		p.tell(w, r, http.StatusOK, userNameAnswer{"invalid", sentence(err.Error())})
		return
	}
	switch taken, err := p.invitations.taken(r.Context(), name, seen.Invitation); {
	case err != nil:
		p.failed(w, r, "check a user name", err, unavailable)
	case taken:
		p.tell(w, r, http.StatusOK, userNameAnswer{"taken", nameIsTaken.Text})
	default:
		p.tell(w, r, http.StatusOK, userNameAnswer{"free", name + " is free."})
	}
}

func (p *portal) tell(w http.ResponseWriter, r *http.Request, status int, answer userNameAnswer) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic("an answer of two texts cannot be written")
	}
	respond(w, r, status, "application/json", append(body, '\n'))
}
