// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/username"
)

// quietZone is the empty margin around a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// appView is what a person needs to set up an authenticator app: a QR code, or
// its secret as text.
type appView struct {
	// Path draws the QR code in a square of Side modules, whose origin is Start.
	Path        string
	Start, Side int
	Spaced      string
	// Link opens the app on the same device.
	Link template.URL
}

// viewApp shows a secret. The app labels it with the host of the portal and with
// called, the name by which the person knows the account.
func (p *portal) viewApp(secret, called string) (appView, error) {
	link := secondfactor.URL(secret, p.host, called)
	matrix, err := secondfactor.Matrix(link)
	if err != nil {
		return appView{}, fmt.Errorf("draw the QR code of an app: %w", err)
	}
	return appView{
		Path: secondfactor.SVGPath(matrix), Start: -quietZone, Side: len(matrix) + 2*quietZone,
		Spaced: secondfactor.Spaced(secret),
		Link:   template.URL(link), //nolint:gosec // G203: everything in it is escaped, and its scheme is fixed.
	}, nil
}

// appPage asks for the first code of an authenticator app.
type appPage struct {
	appView
	Base     string
	Problems []problem
}

// Problem returns the text of a field's problem, or "".
func (a appPage) Problem(field string) string { return textOf(a.Problems, field) }

// beginApp answers the form that sets up an app. An existing app stays in use
// until the first code of the new app is confirmed.
func (p *portal) beginApp(v membersVisit) {
	if _, ok := p.receiveChange(v, formApp); !ok {
		return
	}
	err := p.store.ChangePending(v.r.Context(), v.SignedIn, func(open *store.Pending, now time.Time) (err error) {
		open.App, err = store.NewPendingApp(p.random, now)
		return err
	})
	if err != nil {
		p.changeFailed(v, "begin to set up an app", err)
		return
	}
	p.redirect(v.w, v.r, pathFactors+"/app?lang="+v.lang.String())
}

// showApp shows what an app needs. It works only in the session that began the
// setup.
func (p *portal) showApp(v membersVisit) {
	open, err := p.store.Pending(v.r.Context(), v.Member, v.Session)
	if err != nil {
		p.failed(v.w, v.r, v.lang, "show an app", err, broken)
		return
	}
	if !open.App.Open(p.clock.Now()) {
		p.toFactors(v, "")
		return
	}
	p.showAppForm(v, http.StatusOK, open.App)
}

func (p *portal) showAppForm(v membersVisit, status int, open *store.PendingApp, problems ...problem) {
	view, err := p.viewApp(open.Secret, username.Show(v.Account.Name))
	if err != nil {
		p.failed(v.w, v.r, v.lang, "show an app", err, broken)
		return
	}
	title := v.lang.Text("portal.factor.app-page", nil)
	if len(problems) > 0 {
		title = v.lang.Text("portal.invitation.check", map[string]string{"Title": title})
	}
	v.render(p, status, pageApp, title, appPage{view, p.base, problems})
}

// confirmApp answers the form with the first code of an app. The code is counted
// before it is checked.
func (p *portal) confirmApp(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	code := strings.TrimSpace(values.Get(fieldCode))
	open, err := p.countAppCode(v, code)
	switch {
	case errors.Is(err, errNotPending):
		p.showFactorsWith(v, http.StatusUnprocessableEntity, formApp, problem{Text: v.lang.Text("portal.factor.app-over", nil)})
		return
	case err != nil:
		p.changeFailed(v, "count a code", err)
		return
	case code == "":
		p.showAppForm(v, http.StatusUnprocessableEntity, open, problem{fieldCode, v.lang.Text("portal.factor.code-empty", nil)})
		return
	}
	app, right := open.Confirm(code, p.clock.Now().UTC())
	switch {
	case right:
		codes, err := p.changeFactors(v, p.withApp(app))
		p.answerChange(v, formApp, doneApp, codes, err)
	case open.Tries < store.AppTries:
		p.showAppForm(v, http.StatusUnprocessableEntity, open, problem{fieldCode, v.lang.Text("portal.factor.code-wrong", nil)})
	default:
		p.showFactorsWith(v, http.StatusUnprocessableEntity, formApp, problem{Text: v.lang.Text("portal.factor.app-spent", nil)})
	}
}

// countAppCode counts a code, unless it is empty, and returns the pending app.
func (p *portal) countAppCode(v membersVisit, code string) (*store.PendingApp, error) {
	var counted *store.PendingApp
	err := p.store.ChangePending(v.r.Context(), v.SignedIn, func(open *store.Pending, now time.Time) error {
		if !open.App.Open(now) {
			return errNotPending
		}
		counted = open.App
		if code == "" {
			return store.ErrUnchanged
		}
		counted.Tries++
		return nil
	})
	return counted, err
}

// withApp makes app the second factor. It replaces the existing app.
func (p *portal) withApp(app account.TOTP) store.FactorChange {
	return func(c *account.Credentials, open store.Pending, now time.Time) ([]string, error) {
		if open.App == nil || open.App.Secret != app.Secret {
			return nil, errMissing // another setup was begun meanwhile
		}
		c.TOTP, c.SecondFactorTime = app, now
		return p.withRecoveryCodes(c)
	}
}

// removeApp answers the form that removes the app.
func (p *portal) removeApp(v membersVisit) {
	if _, ok := p.receiveChange(v, formAppRemoval); !ok {
		return
	}
	codes, err := p.changeFactors(v, func(c *account.Credentials, _ store.Pending, now time.Time) ([]string, error) {
		if c.TOTP.Secret == "" {
			return nil, errMissing
		}
		c.TOTP = account.TOTP{}
		withoutFactor(c, now)
		return nil, nil
	})
	p.answerChange(v, formAppRemoval, doneAppRemoved, codes, err)
}
