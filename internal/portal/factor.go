// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	pageSecondFactor  = "secondfactor.html"
	pageApp           = "secondfactorapp.html"
	pageRecoveryCodes = "recoverycodes.html"
)

// pathFactors is the page on which people see and change their second factors.
const pathFactors = "/account/second-factor"

// Forms of the page about second factors. Each has its own field for the current
// password.
const (
	formApp            = "app"
	formAppRemoval     = "app-remove"
	formPasskey        = "passkey"
	formPasskeyRemoval = "passkey-remove"
	formRecoveryCodes  = "recovery-codes"
)

// What the page can confirm: the values of paramDone. doneFactor maps them to
// sentences.
const (
	doneApp            = "app"
	doneAppRemoved     = "app-removed"
	donePasskey        = "passkey"
	donePasskeyRemoved = "passkey-removed"
	doneRecoveryCodes  = "recovery-codes"
)

var doneFactor = map[string]string{
	doneApp:            "portal.factor.done-app",
	doneAppRemoved:     "portal.factor.done-app-removed",
	donePasskey:        "portal.factor.done-passkey",
	donePasskeyRemoved: "portal.factor.done-passkey-removed",
	doneRecoveryCodes:  "portal.factor.done-recovery-codes",
}

func (p *portal) factorRoutes() map[string]route {
	all := map[string]route{
		pathFactors:                     {get: p.forMembers(p.showFactors)},
		pathFactors + "/app":            {get: p.forMembers(p.showApp), post: p.forMembers(p.beginApp)},
		pathFactors + "/app/confirm":    {get: p.forMembers(p.showApp), post: p.forMembers(p.confirmApp)},
		pathFactors + "/app/remove":     {get: p.forMembers(p.showFactors), post: p.forMembers(p.removeApp)},
		pathFactors + "/recovery-codes": {get: p.forMembers(p.showFactors), post: p.forMembers(p.renewRecoveryCodes)},
		pathFactors + "/passkey/remove": {get: p.forMembers(p.showFactors), post: p.forMembers(p.removePasskey)},
	}
	if p.relyingParty != nil {
		all[pathFactors+"/passkey/options"] = route{get: p.notFound, post: p.forMembers(p.beginPasskey)}
		all[pathFactors+"/passkey"] = route{get: p.forMembers(p.showFactors), post: p.forMembers(p.addPasskey)}
		all["/sign-in/passkey/options"] = route{get: p.notFound, post: p.challengePasskey}
		all["/sign-in/passkey"] = route{get: p.notFound, post: p.signInWithPasskey}
	}
	return all
}

// factorsPage shows the second factors of an account.
type factorsPage struct {
	UserName string
	// Base is the path that the portal is mounted at.
	Base string
	// HasApp means that an authenticator app is set up, since AppAdded.
	HasApp   bool
	AppAdded time.Time
	Passkeys []passkeyView
	// TakesPasskeys means that passkeys are possible at the portal's address.
	// PasskeysFull means that the maximum number is reached.
	TakesPasskeys, PasskeysFull bool
	// PasskeyName is the name of the next passkey if the person gives none.
	PasskeyName string
	// HasSecondFactor means that there is a second factor. RecoveryCodes is the
	// number of unused recovery codes.
	HasSecondFactor bool
	RecoveryCodes   int
	// Needs has one sentence per Organization that requires a second factor, if there
	// is none.
	Needs []string
	// Done confirms what was done, or is empty.
	Done     string
	Problems []problem
	// asks means that the forms ask for the password. form is the form that was
	// refused.
	asks bool
	form string
}

// passkeyView shows one passkey in a way that its user can recognize.
type passkeyView struct {
	ID, Name    string
	Added, Used time.Time
}

// Problem returns the text of a field's problem, or "".
func (f factorsPage) Problem(field string) string { return textOf(f.Problems, field) }

// Refused reports whether form is the form that was refused.
func (f factorsPage) Refused(form string) bool { return f.form == form }

// confirmView is the field for the current password in one form.
type confirmView struct{ ID, UserName, Problem string }

// Confirm returns the password field of a form, or nil if the form needs none. In
// the refused form, the field has the id that the problem refers to.
func (f factorsPage) Confirm(form string) *confirmView {
	switch {
	case !f.asks:
		return nil
	case f.form == form:
		return &confirmView{fieldCurrentPassword, f.UserName, f.Problem(fieldCurrentPassword)}
	}
	return &confirmView{fieldCurrentPassword + "-" + form, f.UserName, ""}
}

func (p *portal) showFactors(v membersVisit) { p.showFactorsWith(v, http.StatusOK, "") }

// showFactorsWith shows the page with the problems of one of its forms.
func (p *portal) showFactorsWith(v membersVisit, status int, form string, problems ...problem) {
	page := p.viewFactors(v)
	page.form, page.Problems = form, problems
	title := v.lang.Text("portal.factor.title", nil)
	if len(problems) > 0 {
		title, page.Done = v.lang.Text("portal.invitation.check", map[string]string{"Title": title}), ""
	}
	v.render(p, status, pageSecondFactor, title, page)
}

func (p *portal) viewFactors(v membersVisit) factorsPage {
	c, now := v.Credentials, p.clock.Now()
	page := factorsPage{
		UserName: ownerOf(v.Account, c).WebAuthnName(), Base: p.base,
		HasApp: c.TOTP.Secret != "", AppAdded: c.TOTP.AddedTime,
		TakesPasskeys: p.relyingParty != nil && ownerOf(v.Account, c).handle != nil, PasskeysFull: len(c.Passkeys) >= mostPasskeys,
		PasskeyName:     defaultName(v.lang, c.Passkeys),
		HasSecondFactor: c.HasSecondFactor(), RecoveryCodes: len(c.RecoveryCodes),
		asks: !v.Session.IsFresh(now),
	}
	for _, k := range c.Passkeys {
		page.Passkeys = append(page.Passkeys, passkeyView{k.ID, k.Name, k.AddedTime, k.UsedTime})
	}
	if v.NeedsSecondFactor() {
		for _, b := range v.Belongings {
			if wantsSecondFactor(b) {
				page.Needs = append(page.Needs, need(v.lang, b))
			}
		}
	}
	if id, known := doneFactor[v.r.URL.Query().Get(paramDone)]; known {
		page.Done = v.lang.Text(id, nil)
	}
	return page
}

func wantsSecondFactor(b account.Belonging) bool {
	return b.Organization.Spec.SignIn.TwoFactor == accountsv1.TwoFactorRequired
}

// need says what an Organization requires, and how long access to it lasts. The
// controller reports this in a condition, which can be missing at first.
func need(lang language.Tag, b account.Belonging) string {
	data := map[string]string{"Organization": string(b.Organization.Title())}
	missing := meta.FindStatusCondition(b.Membership.Status.Conditions, accountsv1.ConditionTwoFactorMissing)
	switch {
	case missing == nil:
		return lang.Text("portal.factor.needs", data)
	case missing.Reason == accountsv1.ReasonGracePeriod:
		data["Until"] = lang.Date(missing.LastTransitionTime.Add(membership.Grace(b.Organization)))
		return lang.Text("portal.factor.needs-until", data)
	}
	return lang.Text("portal.factor.needs-now", data)
}

// toFactors redirects the browser to the page, which confirms what was done.
func (p *portal) toFactors(v membersVisit, done string) {
	p.redirect(v.w, v.r, pathFactors+"?lang="+v.lang.String()+"&"+paramDone+"="+done)
}
