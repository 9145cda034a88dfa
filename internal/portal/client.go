// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/username"
	"github.com/usher-dev/usher/internal/wording/language"
)

const pageClient = "client.html"

// Fields of the form that approves a sign-in to a client.
const (
	// fieldRequest holds the sealed request that the page shows. The form does not use the
	// cookie: another tab may have replaced that.
	fieldRequest = "request"
	// fieldAnswer holds answerApprove or answerDeny.
	fieldAnswer   = "answer"
	answerApprove = "approve"
	answerDeny    = "deny"
)

func (p *portal) clientRoutes() map[string]route {
	routes := map[string]route{
		issuer.PathContinue:   {get: p.showClient, post: p.forMembers(p.answerClient)},
		issuer.PathDevicePage: {get: p.showDevice, post: p.forMembers(p.approveDevice)},

		pathConnect:    {get: p.forMembers(p.showConnect)},
		pathKubeconfig: {get: p.sendKubeconfig},
	}
	machine := func(path string, methods ...string) {
		r := route{machine: true}
		for _, method := range methods {
			switch method {
			case http.MethodGet:
				r.get = p.endpoints.ServeHTTP
			case http.MethodPost:
				r.post = p.endpoints.ServeHTTP
			}
		}
		routes[path] = r
	}
	for _, path := range []string{issuer.PathAuthorize, issuer.PathEndSession} {
		routes[path] = route{machine: true, get: p.serveVisitor, post: p.serveVisitor}
	}
	machine(issuer.PathDiscovery, http.MethodGet)
	machine(issuer.PathKeys, http.MethodGet)
	machine(issuer.PathToken, http.MethodPost)
	machine(issuer.PathUserInfo, http.MethodGet, http.MethodPost)
	machine(issuer.PathRevoke, http.MethodPost)
	machine(issuer.PathIntrospect, http.MethodPost)
	machine(issuer.PathDevice, http.MethodPost)
	return routes
}

// clientPage asks a person to approve that they sign in to a client.
type clientPage struct {
	// Client is the name of the client, and Place is the host that the browser goes to.
	Client, Place string
	// ThisComputer means that the browser stays on the person's own computer.
	ThisComputer bool
	UserName     string
	// Request is the sealed request.
	Request string
	Base    string
}

// requestOf returns the request that the browser carries with its client, and its sealed
// form. It returns nil if there is none that can be approved.
func (p *portal) requestOf(r *http.Request) (*issuer.Request, issuer.Client, string, error) {
	cookie, _ := r.Cookie(p.cookieName(requestCookie))
	if cookie == nil {
		return nil, issuer.Client{}, "", nil
	}
	request, client, err := p.issuer.Open(r.Context(), cookie.Value)
	switch {
	case errors.Is(err, issuer.ErrRequestGone):
		return nil, issuer.Client{}, "", nil
	case err != nil:
		return nil, issuer.Client{}, "", err
	}
	return &request, client, cookie.Value, nil
}

// continueAddress returns the page at which a person approves a request.
func continueAddress(request issuer.Request, lang language.Tag) string {
	if request.Device {
		return deviceAddress(request.UserCode, lang)
	}
	return issuer.PathContinue + "?lang=" + lang.String()
}

// showClient shows the page at which the person approves the request that the browser
// carries. A person who is not signed in, or has to sign in again, does that first.
func (p *portal) showClient(w http.ResponseWriter, r *http.Request) {
	lang := languageOf(r, store.LinkView{})
	request, client, sealed, err := p.requestOf(r)
	if err != nil {
		p.failed(w, r, lang, "read a request of a client", err, unavailable)
		return
	}
	if request == nil || request.Device {
		p.message(w, r, lang, http.StatusGone, requestGone)
		return
	}
	at, err := p.visitor(r)
	switch {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
	case !request.SatisfiedBy(at):
		p.redirect(w, r, pageToSignIn(at, lang))
	case at.NeedsSecondFactor():
		p.redirect(w, r, pageSetUpFactor(lang))
	default:
		page := clientPage{
			Client: client.Name, Place: issuer.Place(request.RedirectURI), ThisComputer: issuer.IsThisComputer(request.RedirectURI),
			UserName: username.Show(at.Account.Name), Request: sealed, Base: p.base,
		}
		allowFormTo(w, request.RedirectURI)
		p.renderFor(w, r, lang, http.StatusOK, pageClient, lang.Text("portal.client.title", page), at.Account.Name, page)
	}
}

// allowFormTo lets the form of a page lead to an address of a client. Browsers apply the
// directive form-action to the redirect after a form, too.
func allowFormTo(w http.ResponseWriter, address string) {
	policy := w.Header().Get("Content-Security-Policy")
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "form-action 'self'", "form-action 'self' "+formTarget(address), 1))
}

// formTarget returns what the Content-Security-Policy must allow so that a form can lead to
// an address: its origin. The policy has no syntax for an IPv6 address.
func formTarget(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if strings.HasPrefix(u.Host, "[") {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// answerClient answers the form that approves a sign-in to a client, or does not.
func (p *portal) answerClient(v membersVisit) {
	values, status, refusal := readValues(v.w, v.r)
	if status != 0 {
		p.message(v.w, v.r, v.lang, status, refusal)
		return
	}
	request, _, err := p.issuer.Open(v.r.Context(), values.Get(fieldRequest))
	switch {
	case errors.Is(err, issuer.ErrRequestGone), err == nil && request.Device:
		p.message(v.w, v.r, v.lang, http.StatusGone, requestGone)
		return
	case err != nil:
		p.failed(v.w, v.r, v.lang, "read a request of a client", err, unavailable)
		return
	case values.Get(fieldAnswer) != answerApprove:
		p.answerTo(v, p.issuer.Deny(request))
		return
	case !request.SatisfiedBy(v.SignedIn):
		p.redirect(v.w, v.r, pageToSignIn(v.SignedIn, v.lang))
		return
	case v.NeedsSecondFactor():
		p.redirect(v.w, v.r, pageSetUpFactor(v.lang))
		return
	}
	to, err := p.issuer.Approve(v.r.Context(), v.SignedIn, request)
	switch {
	case errors.Is(err, store.ErrGone):
		p.message(v.w, v.r, v.lang, http.StatusForbidden, noAccess)
	case err != nil:
		p.failed(v.w, v.r, v.lang, "sign in to a client", err, unavailable)
	default:
		p.answerTo(v, to)
	}
}

// answerTo redirects the browser to a client with the answer to its request, and removes
// the request from the browser.
func (p *portal) answerTo(v membersVisit, address string) {
	p.setCookie(v.w, requestCookie, "", -1, http.SameSiteLaxMode)
	p.leaveTo(v.w, v.r, address)
}

// mustSignInAgain reports whether the browser carries a request that the present session
// does not satisfy.
func (p *portal) mustSignInAgain(r *http.Request, at *store.SignedIn) bool {
	request, _, _, err := p.requestOf(r)
	return err == nil && request != nil && !request.SatisfiedBy(at)
}

// otherThanAsked returns the user name of a person who is signed in, if the client whose
// request the browser carries asked for another one.
func (p *portal) otherThanAsked(r *http.Request, at *store.SignedIn) string {
	request, _, _, err := p.requestOf(r)
	if err != nil || request == nil || request.IsFor(at.Account) {
		return ""
	}
	return username.Show(at.Account.Name)
}

// waiting returns the name of the client whose request the browser carries, and the path at
// which the person continues. Both are empty if there is no request that can be approved.
func (p *portal) waiting(r *http.Request, lang language.Tag) (name, path string) {
	request, client, _, err := p.requestOf(r)
	if err != nil {
		p.log.Error(errKind(err), "Failed to read the request of a client")
	}
	if request == nil {
		return "", ""
	}
	return cmp.Or(client.Name, issuer.Kubectl().Name), continueAddress(*request, lang)
}

// cookieOfRequest returns the header that makes the browser carry a request.
func (p *portal) cookieOfRequest(sealed string) string {
	return p.newCookie(requestCookie, sealed, int(issuer.RequestLife.Seconds()), http.SameSiteLaxMode).String()
}

// onlyKubectl knows the client that exists in every installation.
func onlyKubectl(_ context.Context, id string) (issuer.Client, bool, error) {
	if id == issuer.KubectlID {
		return issuer.Kubectl(), true, nil
	}
	return issuer.Client{}, false, nil
}

// withAddress tells the issuer the address of its client.
func (p *portal) withAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(issuer.WithAddress(r.Context(), clientOf(r, p.trusted))))
	})
}
