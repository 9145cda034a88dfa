// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/usercode"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageDevice = "device.html"

// maxTyped is how much of a wrong code the page shows again, in bytes.
const maxTyped = 32

// devicePage asks for the code of a device, and asks the person to approve the device.
type devicePage struct {
	// Code of the device that can be approved, or "". Typed is a wrong one.
	Code, Typed string
	Problems    []problem
	// Client is the name of the client, and Network is where the device is, or "".
	Client, Network string
	// SameNetwork means that this browser is in that network, too.
	SameNetwork bool
	UserName    string
	// Done means that the person has approved the device.
	Done bool
	Base string
}

// Problem returns the text of a field's problem, or "".
func (d devicePage) Problem(field string) string { return textOf(d.Problems, field) }

// showDevice shows the form for a code, or asks the person to approve the device with the
// code in the address. The code survives a sign-in.
func (p *portal) showDevice(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	typed := r.URL.Query().Get(fieldCode)
	at, err := p.visitor(r)
	if err != nil {
		p.failed(w, r, lang, "find a session", err, unavailable)
		return
	}
	switch {
	case !at.IsIn():
		p.postponeDevice(w, r, lang, typed, pageToSignIn(at, lang))
		return
	case at.NeedsSecondFactor():
		p.postponeDevice(w, r, lang, typed, pageSetUpFactor(lang))
		return
	}
	v := membersVisit{w, r, at, lang}
	code, good := usercode.Parse(typed, p.clock.Now())
	switch {
	case good:
		p.showDeviceForm(v, code)
	case typed == "":
		v.render(p, http.StatusOK, pageDevice, lang.Text("portal.device.enter-title", nil), devicePage{Base: p.base})
	default:
		p.showWrongCode(v, typed)
	}
}

// postponeDevice redirects the person to a page that they must visit first. The browser
// carries the code of the device meanwhile.
func (p *portal) postponeDevice(w http.ResponseWriter, r *http.Request, lang language.Tag, typed, page string) {
	sealed, err := p.issuer.Seal(r.Context(), issuer.Request{Device: true, UserCode: truncate(typed), Expires: p.clock.Now().Add(usercode.Life)})
	if err != nil {
		p.failed(w, r, lang, "seal the code of a device", err, unavailable)
		return
	}
	w.Header().Add("Set-Cookie", p.cookieOfRequest(sealed))
	p.redirect(w, r, page)
}

func truncate(typed string) string { return typed[:min(len(typed), maxTyped)] }

func (p *portal) showWrongCode(v membersVisit, typed string) {
	page := devicePage{Typed: truncate(typed), Base: p.base, Problems: []problem{{fieldCode, v.lang.Text("portal.device.wrong", nil)}}}
	title := v.lang.Text("portal.invitation.check", map[string]string{"Title": v.lang.Text("portal.device.enter-title", nil)})
	v.render(p, http.StatusUnprocessableEntity, pageDevice, title, page)
}

func (p *portal) showDeviceForm(v membersVisit, code usercode.Code) {
	page := devicePage{
		Code: code.String(), Client: issuer.Kubectl().Name, SameNetwork: code.Contains(clientOf(v.r, p.trusted)),
		UserName: username.Show(v.Account.Name), Base: p.base,
	}
	if code.Network.IsValid() {
		page.Network = code.Network.String()
	}
	v.render(p, http.StatusOK, pageDevice, v.lang.Text("portal.device.title", nil), page)
}

// approveDevice answers the form that approves a device.
func (p *portal) approveDevice(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	code, good := usercode.Parse(values.Get(fieldCode), p.clock.Now())
	switch {
	case !good:
		p.showWrongCode(v, values.Get(fieldCode))
		return
	case v.NeedsSecondFactor():
		p.postponeDevice(v.w, v.r, v.lang, code.String(), pageSetUpFactor(v.lang))
		return
	}
	err := p.issuer.ApproveDevice(v.r.Context(), v.SignedIn, code)
	switch {
	case errors.Is(err, store.ErrGone):
		p.message(v.w, v.r, v.lang, http.StatusForbidden, noAccess)
	case err != nil:
		p.failed(v.w, v.r, v.lang, "approve a device", err, unavailable)
	default:
		p.setCookie(v.w, requestCookie, "", -1, http.SameSiteLaxMode)
		v.render(p, http.StatusOK, pageDevice, v.lang.Text("portal.device.done-title", nil), devicePage{Done: true, Base: p.base})
	}
}

// deviceAddress returns the address of the device page for a code.
func deviceAddress(userCode string, lang language.Tag) string {
	return issuer.PathDevicePage + "?" + url.Values{fieldCode: {userCode}, paramLanguage: {lang.String()}}.Encode()
}
