// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

// proposedUserNames is the number of user names that the page proposes.
const proposedUserNames = 3

// visit is one request at the link of an invitation.
type visit struct {
	w http.ResponseWriter
	r *http.Request
	// path is the address of the invitation's page. link is its last part.
	path, link string
	// at is the session that signInOnInvitation or signInCodeOnInvitation found. If it is
	// nil, signedInAccount looks it up.
	at *store.SignedIn
}

// findOpenLink finds the Invitation of a link. If the link is not open, it answers the
// request and returns false.
func (p *portal) findOpenLink(v visit, see func(context.Context, invitation.Link) (store.LinkView, error)) (store.LinkView, bool) {
	link, err := invitation.ParseLink(v.link)
	if err != nil {
		p.showClosed(v, store.LinkView{})
		return store.LinkView{}, false
	}
	seen, err := see(v.r.Context(), link)
	if err != nil {
		p.failed(v.w, v.r, languageOf(v.r, seen), "read an invitation", err, unavailable)
		return store.LinkView{}, false
	}
	if seen.Status != invitation.LinkOpen {
		p.showClosed(v, seen)
		return store.LinkView{}, false
	}
	return seen, true
}

// receive finds the Invitation of a link with live reads, and reads the form. If
// the link is not open or the form is invalid, it answers the request and returns
// false.
func (p *portal) receive(v visit) (store.LinkView, form, bool) {
	seen, open := p.findOpenLink(v, p.store.Inspect)
	if !open {
		return store.LinkView{}, form{}, false
	}
	f, status, refusal := readForm(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, languageOf(v.r, seen), status, refusal)
		return store.LinkView{}, form{}, false
	}
	return seen, f, true
}

// showClosed answers a request for a link that cannot be used.
func (p *portal) showClosed(v visit, seen store.LinkView) {
	lang := languageOf(v.r, seen)
	status, text := linkStatusMessage(lang, seen)
	p.message(v.w, v.r, lang, status, text)
}

// showInvitation answers a GET. It changes nothing, because mail scanners follow
// links.
func (p *portal) showInvitation(v visit) {
	seen, open := p.findOpenLink(v, p.store.InspectCached)
	if !open {
		return
	}
	f := form{fresh: true}
	// Without JavaScript, a chosen proposal comes back in the query.
	if wanted := v.r.URL.Query().Get(fieldUserName); username.CheckWith(wanted, seen.Qualifier()) == nil {
		f.UserName = wanted
	}
	p.showForm(v, http.StatusOK, seen, f)
}

// showForm shows the page of an invitation: the offer and every way to answer it.
func (p *portal) showForm(v visit, status int, seen store.LinkView, f form, problems ...problem) {
	lang := languageOf(v.r, seen)
	at, err := p.signedInAccount(v)
	if err != nil {
		p.failed(v.w, v.r, lang, "find a session", err, unavailable)
		return
	}
	if f.fresh {
		f = f.filledIn(seen)
	}
	other := p.otherAddress(lang, seen, problems)
	if f.choice == "" && other.Address != "" {
		f.choice = choiceOther
	}
	proposals, err := p.proposals(v.r.Context(), seen, f, other)
	if err != nil {
		p.failed(v.w, v.r, lang, "propose user names", err, unavailable)
		return
	}
	if f.UserName == "" && f.fresh && len(proposals) > 0 {
		f.UserName = proposals[0]
	}
	enrol, err := p.offerEnrolment(v, lang, seen, f)
	if err != nil {
		p.failed(v.w, v.r, lang, "offer a second factor", err, unavailable)
		return
	}
	signedIn := p.viewSignedIn(lang, seen, at)
	page := invitationPage{
		offerView: viewOf(seen), Form: f, Proposals: proposals, Problems: onThePage(problems, signedIn),
		MinLength: account.LeastLength(enrol.Required),
		Path:      v.path, Base: p.base, Qualifier: seen.Qualifier(), Other: other,
		SignedIn: signedIn, Enrol: enrol,
	}
	if expires := seen.Invitation.Status.ExpirationTime; expires != nil {
		page.Expires = &expires.Time
	}
	title := lang.Text("portal.invitation.title", page)
	if len(problems) > 0 {
		title = lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	p.render(v.w, v.r, lang, status, pageInvitation, title, page)
}

// onThePage clears the field of a problem if the field is not on the page. Which
// fields are there depends on whether the visitor is signed in.
func onThePage(problems []problem, signedIn signedInView) []problem {
	there := map[string]bool{
		fieldSignInName: signedIn.UserName == "", fieldSignInPassword: signedIn.UserName == "", fieldSignInCode: signedIn.AwaitsFactor,
	}
	shown := slices.Clone(problems)
	for i, p := range shown {
		if is, known := there[p.Field]; known && !is {
			shown[i].Field = ""
		}
	}
	return shown
}

// proposals returns free user names. If this invitation has an incomplete
// account, its user name comes first.
func (p *portal) proposals(ctx context.Context, seen store.LinkView, f form, other otherView) ([]string, error) {
	inv, email := seen.Invitation, seen.Invitation.Spec.Email
	if f.UsesOther() && other.Address != "" {
		email = accountsv1.EmailAddress(other.Address)
	}
	begun, failure := p.store.BegunUserName(ctx, seen, email)
	if failure != nil {
		return nil, failure
	}
	taken := func(name string) bool {
		taken, err := p.store.UserNameTaken(ctx, name, seen, email)
		failure = errors.Join(failure, err)
		return taken || err != nil || name == begun
	}
	var names []string
	if begun != "" {
		names = append(names, begun)
	}
	names = append(names, username.Propose(
		cleanName(f.GivenName), cleanName(f.FamilyName), string(inv.Spec.Email), seen.Qualifier(), taken, proposedUserNames-len(names))...)
	return names, failure
}

// acceptInvitation answers the form that creates an account.
func (p *portal) acceptInvitation(v visit) {
	seen, f, open := p.receive(v)
	if !open {
		return
	}
	lang := languageOf(v.r, seen)
	problems, err := p.check(v.r.Context(), lang, f, seen)
	if err != nil {
		p.tryAgain(v, seen, f, makingAccount, err)
		return
	}
	factor, wrong, err := p.enrol(v.r, lang, seen, f)
	problems = append(problems, wrong...)
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, makingAccount, err)
	case len(problems) > 0:
		p.showForm(v, http.StatusUnprocessableEntity, seen, f, problems...)
	case f.UsesOther():
		if other, confirmed := p.confirmAddress(v, seen, f); confirmed {
			p.accept(v, seen, f, other, factor)
		}
	default:
		p.accept(v, seen, f, accountsv1.OtherAddress{}, factor)
	}
}

// check returns all problems with the form, except those with the second factor
// and with the code of another address. The code must be counted before it is
// checked.
func (p *portal) check(ctx context.Context, lang language.Tag, f form, seen store.LinkView) ([]problem, error) {
	email := seen.Invitation.Spec.Email
	var problems []problem
	if f.UsesOther() {
		var problem problem
		if email, problem = p.codeAwaited(lang, seen, f); problem.Text != "" {
			problems = append(problems, problem)
		}
	} else {
		known, err := p.store.HasAccount(ctx, seen, email)
		if err != nil {
			return nil, err
		}
		if known {
			problems = append(problems, signInInstead(lang, email))
		}
	}
	wrong := f.problems(lang, seen, email)
	if len(wrong) == 0 || wrong[0].Field != fieldUserName {
		taken, err := p.store.UserNameTaken(ctx, f.userName(), seen, email)
		if err != nil {
			return nil, err
		}
		if taken {
			problems = append(problems, nameIsTaken(lang))
		}
	}
	return append(problems, wrong...), nil
}

func nameIsTaken(lang language.Tag) problem {
	return problem{fieldUserName, lang.Text("portal.problem.user-name-taken", nil)}
}

// signInInstead is the problem if the address already has an account.
func signInInstead(lang language.Tag, email accountsv1.EmailAddress) problem {
	return problem{fieldSignInName, lang.Text("portal.problem.sign-in-instead", map[string]string{"Address": string(email)})}
}

// accept creates the account from the form, with the invited address or with another one
// that a code confirmed.
func (p *portal) accept(v visit, seen store.LinkView, f form, confirmed accountsv1.OtherAddress, factor enrolled) {
	email := cmp.Or(confirmed.Email, seen.Invitation.Spec.Email)
	hash, err := p.hasher.Hash(v.r.Context(), f.password)
	if err != nil {
		p.tryAgain(v, seen, f, makingAccount, err)
		return
	}
	now, result, err := p.store.Accept(v.r.Context(), seen.Link, store.Registration{
		UserName:   f.userName(),
		GivenName:  cleanName(f.GivenName),
		FamilyName: cleanName(f.FamilyName),
		Email:      email,
		Confirmed:  confirmed,
		Credentials: account.Credentials{
			Password: hash, PasswordTime: p.clock.Now().UTC(), ShortPassword: account.IsShort(f.password),
			TOTP: factor.app, Passkeys: factor.passkeys, RecoveryCodes: factor.hashes,
		},
	})
	lang := languageOf(v.r, now)
	switch {
	case err != nil:
		p.tryAgain(v, seen, f, makingAccount, err)
	case result == store.NamesRefused:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{
			Text: lang.Text("portal.problem.names-refused", nil),
		})
	case result == store.NameTaken:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, nameIsTaken(lang))
	case result == store.AddressRefused:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, refusedAddress(lang, now))
	case result == store.CodeSuperseded:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, wrongMailedCode(lang))
	case result == store.FactorMissing:
		p.showForm(v, http.StatusUnprocessableEntity, now, f, problem{fieldAppCode, lang.Text("portal.invitation.factor-missing", nil)})
	case result != store.Done:
		p.showClosed(v, now)
	default:
		p.welcome(v, seen, string(now.Invitation.Status.Acceptance.AccountRef.Name), email, donePage{Codes: factor.codes})
	}
}

// welcome confirms that the person has joined, with a new or an existing account.
// It shows the offer as it was when the form arrived.
func (p *portal) welcome(v visit, offered store.LinkView, name string, email accountsv1.EmailAddress, page donePage) {
	lang := languageOf(v.r, offered)
	page.offerView, page.Base = viewOf(offered), p.base
	page.UserName, page.KubernetesUser, page.Email = username.Show(name), accountsv1.AccountUserPrefix+name, string(email)
	title := lang.Text("portal.done.title", nil)
	if page.Existing {
		title = lang.Text("portal.done.title-existing", nil)
	}
	p.render(v.w, v.r, lang, http.StatusOK, pageDone, title, page)
}

// task names the operation that failed.
type task struct {
	// name is the operation in the log.
	name string
	// text is the id of the sentence that the person reads.
	text string
}

var makingAccount = task{"create an account", "portal.problem.not-finished"}

// tryAgain shows the form again after a failure that the person did not cause.
func (p *portal) tryAgain(v visit, seen store.LinkView, f form, at task, err error) {
	text := at.text
	if errors.Is(err, account.ErrBusy) {
		text = "portal.problem.busy"
	}
	p.logFailure(v, at, err)
	setRetryAfter(v.w, retryLater)
	p.showForm(v, http.StatusServiceUnavailable, seen, f, problem{Text: languageOf(v.r, seen).Text(text, nil)})
}

func (p *portal) logFailure(v visit, at task, err error) {
	if v.r.Context().Err() == nil {
		p.log.Error(errKind(err), "Failed to answer an invitation", "doing", at.name)
	}
}

// userNameAnswer is the JSON answer to the page's check of a user name.
type userNameAnswer struct {
	State   string `json:"state"`
	Message string `json:"message"`
}

// checkUserName reports to the holder of an open link whether a user name is
// free.
func (p *portal) checkUserName(v visit) {
	link, err := invitation.ParseLink(v.link)
	seen := store.LinkView{}
	if err == nil {
		seen, err = p.store.InspectCached(v.r.Context(), link)
	}
	lang := languageOf(v.r, seen)
	if err != nil || seen.Status != invitation.LinkOpen {
		p.answerUserNameCheck(v, http.StatusNotFound, userNameAnswer{"invalid", lang.Text("portal.user-name.closed", nil)})
		return
	}
	name := form{UserName: v.r.URL.Query().Get("value")}.userName()
	if text := userNameProblem(lang, name, seen.Qualifier()); text != "" {
		p.answerUserNameCheck(v, http.StatusOK, userNameAnswer{"invalid", text})
		return
	}
	email := seen.Invitation.Spec.Email
	if other, pending := seen.Pending(p.clock.Now()); pending {
		email = other.Email
	}
	switch taken, err := p.store.UserNameTaken(v.r.Context(), name, seen, email); {
	case err != nil:
		p.failed(v.w, v.r, lang, "check a user name", err, unavailable)
	case taken:
		p.answerUserNameCheck(v, http.StatusOK, userNameAnswer{"taken", nameIsTaken(lang).Text})
	default:
		shown := username.Show(username.Join(name, seen.Qualifier()))
		p.answerUserNameCheck(v, http.StatusOK, userNameAnswer{"free", lang.Text("portal.user-name.free", map[string]string{"UserName": shown})})
	}
}

func (p *portal) answerUserNameCheck(v visit, status int, answer userNameAnswer) {
	body, err := json.Marshal(answer)
	if err != nil {
		panic("the answer about a user name cannot be encoded")
	}
	respond(v.w, v.r, status, "application/json", append(body, '\n'))
}
