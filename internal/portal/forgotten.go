// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	pageReset = "reset.html"
	// pageResetMessage says something, and where to go on.
	pageResetMessage = "resetmessage.html"
)

// resetTimeout is how long the portal is at one request for mail, or at one new
// password once that is hashed. Both go on when the browser has gone.
const resetTimeout = 8 * time.Second

func (p *portal) resetRoutes() map[string]route {
	return map[string]route{
		"/reset":      p.forgetful(forgottenPassword),
		"/user-names": p.forgetful(forgottenUserName),
	}
}

// forgotten is something that people forget, and ask for mail about.
type forgotten struct {
	// path of the page, page its file, and title the id of its title. The form has
	// one field.
	path, page, title, field string
	// incomplete gives the id of what is said to somebody who typed what nobody
	// can be called; empty: it is looked for. It must not depend on who exists.
	incomplete func(typed string) string
	// asked is what everybody else reads.
	asked message
	// most is how many of those who may be meant get mail, the oldest first.
	most int
	// note writes a request into a status, unless there were too many.
	note func(status *accountsv1.AccountStatus, now metav1.Time) bool
}

var forgottenPassword = forgotten{
	path: "/reset", page: pageReset, title: "portal.reset.title", field: fieldSignInName,
	incomplete: func(typed string) string {
		if typed == "" {
			return "portal.problem.sign-in-name-empty"
		}
		return ""
	},
	asked: message{page: "reset-asked", lines: []string{"sent", "nothing", "again"}},
	most:  store.HashesPerAddress,
	note: func(status *accountsv1.AccountStatus, now metav1.Time) bool {
		if !account.MayRequestReset(*status, now.Time) {
			return false
		}
		status.ResetTimes = account.Requested(status.ResetTimes, now)
		return true
	},
}

// forgetful is the route of the page.
func (p *portal) forgetful(f forgotten) route {
	return route{
		get: func(w http.ResponseWriter, r *http.Request) {
			p.showForgotten(w, r, languageOf(r, store.LinkView{}), http.StatusOK, f, "")
		},
		post: func(w http.ResponseWriter, r *http.Request) { p.askForMail(w, r, f) },
	}
}

// forgottenPage is the form with which somebody asks for mail.
type forgottenPage struct {
	Problems []problem
	// Typed is what nobody can be called.
	Typed string
	// Help is whom to ask; nil: nobody is named.
	Help *help
	// Path is where the form is sent to. Reset and UserNames are the pages for
	// those who have forgotten something, and SignIn the one for all others.
	Path, Reset, UserNames, SignIn string
}

// Problem is the text of a field's problem, or empty.
func (f forgottenPage) Problem(field string) string { return textOf(f.Problems, field) }

func (p *portal) showForgotten(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, f forgotten, typed string, problems ...problem) {
	page := forgottenPage{Problems: problems, Typed: typed, Help: p.helpOf(r)}
	query := url.Values{paramLanguage: {lang.String()}}
	if page.Help != nil {
		query.Set(paramOrganization, r.URL.Query().Get(paramOrganization))
	}
	at := func(path string) string { return p.base + path + "?" + query.Encode() }
	page.Path, page.Reset, page.UserNames, page.SignIn = at(f.path), at("/reset"), at("/user-names"), at("/sign-in")
	title := lang.Text(f.title, nil)
	if len(problems) > 0 {
		title = lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	p.render(w, r, lang, status, f.page, title, page)
}

// askForMail answers the form. Everybody reads the same, after the same time,
// whoever exists and whatever was asked for before. What was typed is kept
// nowhere: the mail goes to the address on file.
func (p *portal) askForMail(w http.ResponseWriter, r *http.Request, f forgotten) {
	lang := languageOf(r, store.LinkView{})
	values, status, refusal := readValues(w, r)
	if status != 0 {
		p.message(w, r, lang, status, refusal)
		return
	}
	// Not before the form is read: whoever sends it slowly would choose how much of
	// a step is left, and learn what takes longer.
	start := p.clock.Now()
	typed := strings.TrimSpace(values.Get(f.field))
	if id := f.incomplete(typed); id != "" {
		p.showForgotten(w, r, lang, http.StatusUnprocessableEntity, f, typed, problem{f.field, lang.Text(id, nil)})
		return
	}
	err := p.request(r.Context(), f, typed, lang)
	p.evenOut(r, start)
	if err != nil {
		p.failed(w, r, lang, "look for an account", err, resetUnavailable)
		return
	}
	var helps []help
	if known := p.helpOf(r); known != nil {
		helps = append(helps, *known)
	}
	p.showWays(w, r, lang, http.StatusOK, f.asked, helps, p.toSignIn(lang))
}

// request writes what somebody asks for into the Accounts that they may mean. It
// fails where those cannot be looked for, which is so for every name alike.
//
// A write only follows where there is somebody. So an answer that said that it
// failed would tell who exists, whenever the API server reads and does not write,
// and it is only logged. Nobody loses more by that than the time to ask again,
// as the page says to do where no mail comes.
func (p *portal) request(ctx context.Context, f forgotten, typed string, lang language.Tag) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	found, err := p.store.Askable(ctx, typed)
	if err != nil {
		return err
	}
	for _, a := range found[:min(len(found), f.most)] {
		err := p.store.RequestMail(ctx, a, func(status *accountsv1.AccountStatus, now metav1.Time) bool {
			status.Language = accountsv1.Language(lang)
			return f.note(status, now)
		})
		if err != nil {
			p.log.Error(errKind(err), "Failed to note that somebody asks for mail")
		}
	}
	return nil
}

// way is a link to a page where somebody can go on.
type way struct{ Address, Text string }

// toSignIn and toReset lead to the page to sign in, and to the one that asks for
// a link.
func (p *portal) toSignIn(lang language.Tag) way {
	return way{p.base + "/sign-in?lang=" + lang.String(), lang.Text("portal.reset.to-sign-in", nil)}
}

func (p *portal) toReset(lang language.Tag) way {
	return way{p.base + "/reset?lang=" + lang.String(), lang.Text("portal.reset.to-reset", nil)}
}

// wayPage is a message, whom to ask, and where to go on.
type wayPage struct {
	messagePage
	Help []help
	Ways []way
	// Done: what was wanted is done.
	Done bool
}

func (p *portal) showWays(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, m message, helps []help, ways ...way) {
	page := wayPage{messagePage: m.in(lang), Help: helps, Ways: ways, Done: m.page == resetDone}
	p.render(w, r, lang, status, pageResetMessage, page.Title, page)
}
