// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import "net/http"

// The cookies that the portal sets, without the prefix that cookieName adds.
const (
	sessionCookie   = "usher-session"
	enrolmentCookie = "usher-enrolment"
	challengeCookie = "usher-challenge"
	reserveCookie   = "usher-reserve"
	browserCookie   = "usher-browser"
	requestCookie   = "usher-request"
)

// hostPrefix stops other hosts, such as sibling domains, from setting a cookie of
// that name in the browser (RFC 6265bis, section 4.1.3.2).
const hostPrefix = "__Host-"

// cookieName returns the name of a cookie in browsers.
func (p *portal) cookieName(name string) string {
	if p.https {
		return hostPrefix + name
	}
	return name
}

// setCookie sets a cookie that no script can read. maxAge is in seconds; -1
// removes the cookie. Browsers send a Lax cookie when a person follows a link in
// a mail, which Strict does not allow. They do not send it with a form of another
// site.
func (p *portal) setCookie(w http.ResponseWriter, name, value string, maxAge int, sameSite http.SameSite) {
	http.SetCookie(w, p.newCookie(name, value, maxAge, sameSite))
}

func (p *portal) newCookie(name, value string, maxAge int, sameSite http.SameSite) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: over plain http, which only a demo or a lab uses, browsers reject Secure cookies.
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: p.https, SameSite: sameSite,
	}
}
