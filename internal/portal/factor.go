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

// pathFactors is where somebody sees and changes their second factors.
const pathFactors = "/account/second-factor"

// Forms of the page about second factors, each with its own field for the
// current password.
const (
	formApp            = "app"
	formAppRemoval     = "app-remove"
	formPasskey        = "passkey"
	formPasskeyRemoval = "passkey-remove"
	formRecoveryCodes  = "recovery-codes"
)

// What the page can say was done: the values of paramDone, and the sentences.
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

// factorsPage is what somebody signs in with besides the password.
type factorsPage struct {
	UserName string
	// Base is the path that the portal is mounted at.
	Base string
	// HasApp: there is an app that makes codes, since AppAdded.
	HasApp   bool
	AppAdded time.Time
	Passkeys []passkeyView
	// TakesPasskeys: passkeys can be used at the portal's address, and
	// PasskeysFull: there are as many as there can be.
	TakesPasskeys, PasskeysFull bool
	// PasskeyName is what the next passkey is called unless its person says.
	PasskeyName string
	// HasSecondFactor, and RecoveryCodes are left.
	HasSecondFactor bool
	RecoveryCodes   int
	// Needs are sentences about Organizations that want a second factor that
	// is not there.
	Needs []string
	// Done says what was done, or is empty.
	Done     string
	Problems []problem
	// asks: the forms ask for the password. form is the one that was refused.
	asks bool
	form string
}

// passkeyView is one passkey, for its person to recognize.
type passkeyView struct {
	ID, Name    string
	Added, Used time.Time
}

// Problem is the text of a field's problem, or empty.
func (f factorsPage) Problem(field string) string { return textOf(f.Problems, field) }

// Refused tells whether it is that form that was refused.
func (f factorsPage) Refused(form string) bool { return f.form == form }

// confirmView is the field for the current password in one form.
type confirmView struct{ ID, UserName, Problem string }

// Confirm is the field of that form, or nil where it asks for none. In the form
// that was refused its id is that of the problem.
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

// showFactorsWith shows the page with what is wrong with one of its forms.
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

// need says what an Organization wants, and until when access to it lasts. The
// controller says so in a condition, which may not be there yet.
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

// toFactors sends the browser to the page, which says what was done.
func (p *portal) toFactors(v membersVisit, done string) {
	p.redirect(v.w, v.r, pathFactors+"?lang="+v.lang.String()+"&"+paramDone+"="+done)
}
