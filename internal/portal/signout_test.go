// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/session"
)

const byePage = "https://app.example.com/bye"

// signOutOfWeb returns the address of the page to which the client web sends a browser.
func (w *world) signOutOfWeb(but ...string) string {
	w.T.Helper()
	asked := changed(url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {byePage}, "state": {"a&b"}}, but...)
	got := w.get(issuer.PathEndSession + "?" + asked.Encode())
	to, found := strings.CutPrefix(got.Header().Get("Location"), "https://usher.example.com")
	if !found {
		w.T.Fatalf("status %d to %q\n%s", got.Code, got.Header().Get("Location"), got.Body)
	}
	return to
}

func TestAClientSignsThePersonOut(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.browser()
	_, refresh := w.refreshToken(b)
	page := w.signOutOfWeb()
	got := b.visit(page + "&lang=de")
	expect(t, got, 200, "Abmelden?", "jane", "Danach kehren Sie zu Web zurück.", `action="/sign-out?lang=de&to=`, `href="?lang=en&to=`)
	if policy := got.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.example.com;") {
		t.Errorf("policy %q", policy)
	}
	if !b.isIn() {
		t.Fatal("a GET ended the session")
	}
	expectTo(t, b.fill(page, nil), byePage+"?state=a%26b")
	if b.cookie != nil || b.isIn() || len(w.credentials("jane").Clients) != 0 {
		t.Errorf("cookie %v, %d clients", b.cookie, len(w.credentials("jane").Clients))
	}
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 400, `"invalid_grant"`)
	expectTo(t, b.visit(page), byePage+"?state=a%26b")
	expectTo(t, b.fill(page, nil), byePage+"?state=a%26b")
	expectTo(t, w.browser().visit(w.signOutOfWeb("state", "")), byePage)
	expectTo(t, w.browser().visit(w.signOutOfWeb("post_logout_redirect_uri", "")), "/sign-in?lang=en&done=signed-out")
}

func TestASignOutNeedsAFormOfThePortal(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.browser()
	b.signIn("jane", validPassword)
	r := formRequest(w.signOutOfWeb(), "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	expect(t, b.send(r), 403)
	// A client may send its request as a form of its own page.
	asked := w.submit(issuer.PathEndSession, url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {byePage}}, "Sec-Fetch-Site", "cross-site")
	if to := asked.Header().Get("Location"); !strings.HasPrefix(to, "https://usher.example.com/sign-out?to=") {
		t.Errorf("status %d to %q", asked.Code, to)
	}
	if !b.isIn() {
		t.Error("another site ended the session")
	}
}

// The session ends although the browser cannot go back to the client.
func TestASignOutWhoseRequestCannotBeRead(t *testing.T) {
	for name, page := range map[string]func(*world) string{
		"forged": func(*world) string { return "/sign-out?to=x" },
		"an URL": func(*world) string { return "/sign-out?to=https%3A%2F%2Fevil.example%2F" },
		"expired": func(w *world) string {
			to := w.signOutOfWeb()
			w.Clock.Step(issuer.RequestLife)
			return to
		},
		"another purpose": func(w *world) string {
			b := w.browser()
			b.visit(issuer.PathAuthorize + "?" + authorization().Encode())
			return "/sign-out?to=" + b.request.Value
		},
		"no keys": func(w *world) string {
			to := w.signOutOfWeb()
			w.config.IssuerKeys = noIssuerKeys
			return to
		},
		"of a client that was removed": func(w *world) string {
			to := w.signOutOfWeb()
			w.config.Client = nil
			return to
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := memberWorld(t).withWebClient()
			to := page(w)
			w.build()
			b := w.browser()
			b.signIn("jane", validPassword)
			expect(t, b.visit(to), 200, "Sign out?", "!return to", "!evil.example")
			expectTo(t, b.fill(to, nil), "/sign-in?lang=en&done=signed-out")
			if b.isIn() {
				t.Error("still signed in")
			}
			expectTo(t, b.visit(to), "/sign-in?lang=en&done=signed-out")
		})
	}
}

func TestAClientCannotChooseWhereASignOutLeads(t *testing.T) {
	w := memberWorld(t).withWebClient()
	for name, but := range map[string][]string{
		"another address":          {"post_logout_redirect_uri", "https://evil.example/"},
		"a longer address":         {"post_logout_redirect_uri", byePage + "/x"},
		"a query":                  {"post_logout_redirect_uri", byePage + "?x=y"},
		"the redirect URI":         {"post_logout_redirect_uri", "https://app.example.com/callback"},
		"a client without any":     {"client_id", "kubectl"},
		"an unknown client":        {"client_id", "nobody"},
		"no client":                {"client_id", ""},
		"a hint that is not valid": {"id_token_hint", "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ3ZWIifQ."},
	} {
		asked := changed(url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {byePage}}, but...)
		if got := w.get(issuer.PathEndSession + "?" + asked.Encode()); got.Code != 400 || got.Header().Get("Location") != "" {
			t.Errorf("%s: status %d to %q", name, got.Code, got.Header().Get("Location"))
		}
	}
}

func TestHalfASessionCanBeSignedOut(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.seated("jane", session.StagePassword, time.Minute)
	expect(t, b.visit("/sign-out"), 200, "Sign out?", `!class="member"`)
	expectTo(t, b.fill("/sign-out", nil), "/sign-in?lang=en&done=signed-out")
	if left := w.credentials("jane").Sessions; len(left) != 0 {
		t.Errorf("%d sessions are left", len(left))
	}
}

// noIssuerKeys is what the portal gets before the controller has created the keys.
func noIssuerKeys(context.Context) (keys.Ring, error) { return keys.Ring{}, errVault }
