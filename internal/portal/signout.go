// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageSignOut = "signout.html"

// signOutPage asks a person to confirm that they sign out.
type signOutPage struct {
	UserName string
	// Client is the name of the client that the person returns to, or "".
	Client string
	// Path is the address that the form is sent to. Base is the path that the portal is
	// mounted at.
	Path, Base string
}

// showSignOut asks a person to confirm that they sign out. A visitor without a session goes
// where the form leads to.
func (p *portal) showSignOut(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	at, err := p.visitor(r)
	if err != nil {
		p.failed(w, r, lang, "find a session", err, unavailable)
		return
	}
	to, client := p.signedOutTo(r, lang)
	if at == nil {
		p.leaveTo(w, r, to)
		return
	}
	query := url.Values{paramLanguage: {lang.String()}}
	if client != "" {
		query.Set(issuer.ParamSignOut, r.URL.Query().Get(issuer.ParamSignOut))
		allowFormTo(w, to)
	}
	page := signOutPage{
		UserName: username.Show(at.Account.Name), Client: client,
		Path: p.base + issuer.PathSignOut + "?" + query.Encode(), Base: p.base,
	}
	name := ""
	if at.IsIn() {
		name = at.Account.Name
	}
	p.renderFor(w, r, lang, http.StatusOK, pageSignOut, lang.Text("portal.sign-out.title", nil), name, page)
}

// signOut ends the session. A visitor without a session gets the same
// confirmation.
func (p *portal) signOut(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	if err := p.endSession(r); err != nil {
		p.failed(w, r, lang, "sign out", err, unavailable)
		return
	}
	p.clearSession(w)
	to, _ := p.signedOutTo(r, lang)
	p.leaveTo(w, r, to)
}

// signedOutTo returns the address that a browser goes to after it signed out, and the name
// of the client that it belongs to. It is the sign-in page if no client asked for the
// sign-out, or if its request cannot be read: that must keep no one signed in.
func (p *portal) signedOutTo(r *http.Request, lang language.Tag) (to, client string) {
	to = p.base + "/sign-in?lang=" + lang.String() + "&" + paramDone + "=" + doneSignedOut
	sealed := r.URL.Query().Get(issuer.ParamSignOut)
	if sealed == "" {
		return to, ""
	}
	address, from, err := p.issuer.SignedOut(r.Context(), sealed)
	switch {
	case err == nil:
		return address, cmp.Or(from.Name, from.ID)
	case !errors.Is(err, issuer.ErrRequestGone):
		p.log.Error(errKind(err), "Failed to read the sign-out of a client")
	}
	return to, ""
}
