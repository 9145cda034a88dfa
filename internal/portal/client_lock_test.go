// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/url"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/issuer"
)

// lockJane locks the Account, as anyone can.
func (w *world) lockJane() {
	w.T.Helper()
	for range 5 {
		w.browser().signIn("jane", "wrong")
	}
}

// unlockJane makes the lock end.
func (w *world) unlockJane() {
	w.T.Helper()
	w.alterStatus(func(s *accountsv1.AccountStatus) { s.SignIn = accountsv1.AccountStatus{}.SignIn })
}

// TestALockStopsClientsAndEndsNoSignIn: a stranger who guesses passwords must not sign people
// out of the cluster.
func TestALockStopsClientsAndEndsNoSignIn(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.browser()
	access, refresh := w.refreshToken(b)
	web := w.ask(issuer.PathToken, exchange(w.aCode(b, authorization("client_id", "web", "redirect_uri", "https://app.example.com/callback")),
		"client_id", "web", "client_secret", "the secret", "redirect_uri", "https://app.example.com/callback"))
	code := w.aCode(b, authorization())
	w.lockJane()
	const locked = `"temporarily_unavailable"`
	expect(t, w.userInfo(access), 503, locked, "!uid-of-jane")
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 503, locked)
	expect(t, w.submit(issuer.PathToken, exchange(code)), 503, locked)
	introspection := url.Values{"client_id": {"web"}, "client_secret": {"the secret"}, "token": {web.Access}}
	expect(t, w.submit(issuer.PathIntrospect, introspection), 200, `"active":false`)
	w.Clock.Step(time.Minute - time.Second) // a code lives for a minute
	w.unlockJane()
	expect(t, w.submit(issuer.PathToken, exchange(code)), 200)
	expect(t, w.userInfo(access), 200, "uid-of-jane")
	expect(t, w.submit(issuer.PathIntrospect, introspection), 200, `"active":true`)
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 200)
}

func TestALockHidesNoReplay(t *testing.T) {
	w := memberWorld(t)
	_, refresh := w.refreshToken(w.browser())
	next := w.ask(issuer.PathToken, refreshing(refresh))
	w.lockJane()
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 400, `"invalid_grant"`)
	w.unlockJane()
	expect(t, w.submit(issuer.PathToken, refreshing(next.Refresh)), 400, `"invalid_grant"`)
}

func TestALockKeepsNoOneFromRevoking(t *testing.T) {
	w := memberWorld(t)
	_, refresh := w.refreshToken(w.browser())
	w.lockJane()
	expect(t, w.submit(issuer.PathRevoke, url.Values{"client_id": {"kubectl"}, "token": {refresh}}), 200)
	w.unlockJane()
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 400, `"invalid_grant"`)
}

func TestASignOutEndsTheClientsOfASessionThatHasRunOut(t *testing.T) {
	w := memberWorld(t)
	b := w.browser()
	_, refresh := w.refreshToken(b)
	w.Clock.Step(31 * time.Minute)
	if b.isIn() {
		t.Fatal("the session did not run out")
	}
	w.browser().signIn("jane", validPassword) // this write removes the session
	expectTo(t, b.fill("/sign-out?lang=en", nil), "/sign-in?lang=en&done=signed-out")
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 400, `"invalid_grant"`)
}
