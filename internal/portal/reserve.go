// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// reserveDomain is the domain separator of the MAC of a reserve.
const reserveDomain = "usher reserve v1\x00"

// reserveTime is how long a browser keeps its reserve after a sign-in.
const reserveTime = 180 * 24 * time.Hour

// reserve identifies the Account that a browser signed in to last. It is a hash of the
// UID, so the cookie does not name the person.
//
// While strangers use up the limits for all clients, a browser with a reserve still
// gets through. A reserve proves nothing else: it ends no lock, replaces no session,
// and stays with the browser after a sign-out. It is checked without a read, so a
// flood of invented cookies costs no more than one without cookies.
type reserve [challengeSize]byte

func reserveFor(a *accountsv1.Account) reserve { return sha256.Sum256([]byte(a.UID)) }

// keepReserve gives a browser the reserve of an Account that it has just signed in to.
// A failure only costs the reserve.
func (p *portal) keepReserve(w http.ResponseWriter, r *http.Request, a *accountsv1.Account) {
	keys, err := p.keys(r.Context())
	if err != nil {
		p.log.Error(errKind(err), "Failed to read the link keys for a reserve")
		return
	}
	text, err := sealed{reserveFor(a), p.clock.Now().Add(reserveTime)}.seal(reserveDomain, keys)
	if err != nil {
		p.log.Error(errKind(err), "Failed to seal a reserve")
		return
	}
	p.setCookie(w, reserveCookie, text, int(reserveTime.Seconds()), http.SameSiteLaxMode)
}

// reserveOf returns the reserve of the browser that sent a request, and reports whether
// it has one.
func (p *portal) reserveOf(r *http.Request) (reserve, bool) {
	cookie, err := r.Cookie(p.cookieName(reserveCookie))
	if err != nil || !canBeSealed(cookie.Value) {
		return reserve{}, false
	}
	keys, err := p.keys(r.Context())
	if err != nil {
		p.log.Error(errKind(err), "Failed to read the link keys for a reserve")
		return reserve{}, false
	}
	found, good := unseal(cookie.Value, reserveDomain, keys, p.clock.Now())
	return found.value, good
}

// admit returns how long a client has to wait; 0 admits the request. reserved means that
// the request came through the reserve. If the Account of the reserve has used it up, the
// request counts like that of any client.
func (p *portal) admit(r *http.Request, client netip.Addr, at route) (wait time.Duration, reserved bool) {
	// Programs send codes and tokens that cannot be guessed.
	post := r.Method == http.MethodPost && !at.machine
	if account, found := p.reserveOf(r); found && p.limiter.admitReserve(account, post) == 0 {
		return 0, true
	}
	return p.limiter.admit(client, post), false
}
