// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import "net/http"

// The cookies that the portal sets, without the prefix of cookieName.
const (
	sessionCookie   = "usher-session"
	enrolmentCookie = "usher-enrolment"
	challengeCookie = "usher-challenge"
)

// hostPrefix makes browsers keep others, such as sibling domains, from setting a
// cookie of that name (RFC 6265bis, section 4.1.3.2).
const hostPrefix = "__Host-"

// cookieName is what a cookie is called in browsers.
func (p *portal) cookieName(name string) string {
	if p.https {
		return hostPrefix + name
	}
	return name
}

// setCookie gives the browser a cookie that no script reads, for so many seconds;
// for -1 it takes it away. What is Lax is sent along when somebody follows a link
// of a mail, which Strict would not allow, and with no form that another site
// sends.
func (p *portal) setCookie(w http.ResponseWriter, name, value string, maxAge int, sameSite http.SameSite) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: over plain http, which a demo or a lab has, browsers keep no cookie that is Secure.
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: p.https, SameSite: sameSite,
	})
}
