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
	// pageResetMessage shows a message and links to the next steps.
	pageResetMessage = "resetmessage.html"
)

// resetTimeout limits the work on one request for mail, or on one new password
// after it was hashed. Both continue if the browser disconnects.
const resetTimeout = 8 * time.Second

func (p *portal) resetRoutes() map[string]route {
	return map[string]route{
		"/reset":      p.mailRequestRoute(forgottenPassword),
		"/user-names": p.mailRequestRoute(forgottenUserName),
	}
}

// mailRequest is something that people forget and request by mail.
type mailRequest struct {
	// path is the path of the page, page its file and title the id of its title.
	// field is the only field of its form.
	path, page, title, field string
	// incomplete returns the id of the problem with input that no account can match,
	// or "" if the portal is to search for accounts. It must not depend on which
	// accounts exist.
	incomplete func(typed string) string
	// asked is the answer in all other cases.
	asked message
	// most is the maximum number of matching Accounts that get mail.
	most int
	// note writes a request into a status. It returns false if there were too many
	// requests.
	note func(status *accountsv1.AccountStatus, now metav1.Time) bool
}

var forgottenPassword = mailRequest{
	path: "/reset", page: pageReset, title: "portal.reset.title", field: fieldSignInName,
	incomplete: func(typed string) string {
		if typed == "" {
			return "portal.problem.sign-in-name-empty"
		}
		return ""
	},
	asked: message{page: "reset-asked", lines: []string{"sent", "nothing", "again"}},
	most:  store.MailsPerAddress,
	note: func(status *accountsv1.AccountStatus, now metav1.Time) bool {
		if !account.MayRequestReset(*status, now.Time) {
			return false
		}
		status.ResetTimes = account.Requested(status.ResetTimes, now)
		return true
	},
}

// mailRequestRoute returns the route of the page.
func (p *portal) mailRequestRoute(f mailRequest) route {
	return route{
		get: func(w http.ResponseWriter, r *http.Request) {
			p.showForgotten(w, r, languageOf(r, store.LinkView{}), http.StatusOK, f, "")
		},
		post: func(w http.ResponseWriter, r *http.Request) { p.askForMail(w, r, f) },
	}
}

// forgottenPage is the form that requests mail.
type forgottenPage struct {
	Problems []problem
	// Typed is the refused input.
	Typed string
	// Help is the support contact, or nil if there is none.
	Help *help
	// Path is the address that the form is sent to. Reset and UserNames are the pages
	// for a forgotten password or user name. SignIn is the sign-in page.
	Path, Reset, UserNames, SignIn string
}

// Problem returns the text of a field's problem, or "".
func (f forgottenPage) Problem(field string) string { return textOf(f.Problems, field) }

func (p *portal) showForgotten(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, f mailRequest, typed string, problems ...problem) {
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

// askForMail answers the form. The answer and its timing depend neither on which
// accounts exist nor on earlier requests. The portal does not store what was
// typed: the mail goes to the address on file.
func (p *portal) askForMail(w http.ResponseWriter, r *http.Request, f mailRequest) {
	lang := languageOf(r, store.LinkView{})
	values, status, refusal := readValues(w, r)
	if status != 0 {
		p.message(w, r, lang, status, refusal)
		return
	}
	// The clock starts after the form is read. Otherwise a client could send the form
	// slowly to choose how much of a step is left, and so measure what takes longer.
	start := p.clock.Now()
	typed := strings.TrimSpace(values.Get(f.field))
	if id := f.incomplete(typed); id != "" {
		p.showForgotten(w, r, lang, http.StatusUnprocessableEntity, f, typed, problem{f.field, lang.Text(id, nil)})
		return
	}
	err := p.request(r.Context(), f, typed, lang)
	p.waitForInterval(r, start)
	if err != nil {
		p.failed(w, r, lang, "look for an account", err, resetUnavailable)
		return
	}
	var helps []help
	if known := p.helpOf(r); known != nil {
		helps = append(helps, *known)
	}
	p.showNextSteps(w, r, lang, http.StatusOK, f.asked, helps, p.toSignIn(lang))
}

// request writes the request for mail into the matching Accounts. It fails if
// Accounts cannot be searched, because that fails for every name alike.
//
// A failed write is only logged. The portal writes only if an Account exists, so
// an error page would reveal that it exists while the API server accepts reads
// but no writes. The person loses only the time to ask again, which the page
// advises if no mail arrives.
func (p *portal) request(ctx context.Context, f mailRequest, typed string, lang language.Tag) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resetTimeout)
	defer cancel()
	found, err := p.store.MailRecipients(ctx, typed)
	if err != nil {
		return err
	}
	for _, a := range found[:min(len(found), f.most)] {
		err := p.store.RequestMail(ctx, a, func(status *accountsv1.AccountStatus, now metav1.Time) bool {
			status.Language = accountsv1.Language(lang)
			return f.note(status, now)
		})
		if err != nil {
			p.log.Error(errKind(err), "Failed to record a request for mail")
		}
	}
	return nil
}

// nextStep is a link to a page with a next step.
type nextStep struct{ Address, Text string }

// toSignIn returns a link to the sign-in page.
func (p *portal) toSignIn(lang language.Tag) nextStep {
	return nextStep{p.base + "/sign-in?lang=" + lang.String(), lang.Text("portal.reset.to-sign-in", nil)}
}

func (p *portal) toReset(lang language.Tag) nextStep {
	return nextStep{p.base + "/reset?lang=" + lang.String(), lang.Text("portal.reset.to-reset", nil)}
}

// nextStepsPage shows a message, support contacts and links to the next steps.
type nextStepsPage struct {
	messagePage
	Help      []help
	NextSteps []nextStep
	// Done means that the request succeeded.
	Done bool
}

func (p *portal) showNextSteps(w http.ResponseWriter, r *http.Request, lang language.Tag, status int, m message, helps []help, ways ...nextStep) {
	page := nextStepsPage{messagePage: m.in(lang), Help: helps, NextSteps: ways, Done: m.page == resetDone}
	p.render(w, r, lang, status, pageResetMessage, page.Title, page)
}
