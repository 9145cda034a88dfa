// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/issuer"
)

// foreignRedirects are redirect URIs that kubectl and webClient did not register, each close
// to one that a client registered.
var foreignRedirects = []string{
	// Other schemes.
	"https://127.0.0.1:8000/", "HTTP://127.0.0.1:8000/", "ftp://127.0.0.1:8000/", "ws://127.0.0.1:8000/", "javascript:alert(1)",
	"data:text/html,x", "urn:ietf:wg:oauth:2.0:oob", "kubectl://127.0.0.1:8000/", "//127.0.0.1:8000/", "/", "127.0.0.1:8000",
	"http:127.0.0.1:8000/", "http:/127.0.0.1:8000/", "http:///127.0.0.1:8000/",
	// User information.
	"http://evil.example@127.0.0.1:8000/", "http://127.0.0.1@evil.example/", "http://127.0.0.1:8000@evil.example/", "http://127.0.0.1:8000%40evil.example/",
	"http://:@127.0.0.1:8000/", "https://app.example.com@evil.example/callback", "https://app.example.com:443@evil.example/callback",
	// Ports.
	"http://127.0.0.1:0/", "http://127.0.0.1:/", "http://127.0.0.1:08000/", "http://127.0.0.1:65536/", "http://127.0.0.1:-1/", "http://127.0.0.1:+8000/",
	"http://127.0.0.1:8000:8001/", "http://127.0.0.1:8０/", "https://app.example.com:443/callback", "https://app.example.com:8443/callback",
	// Hosts, in another case or another form.
	"http://LOCALHOST:8000/", "http://localhost.:8000/", "http://localhost.evil.example:8000/", "http://127.0.0.1.:8000/", "http://127.0.0.2:8000/",
	"http://127.1:8000/", "http://0x7f000001:8000/", "http://2130706433:8000/", "http://0.0.0.0:8000/", "http://127.0.0.1.evil.example:8000/",
	"http://[::]:8000/", "http://[0:0:0:0:0:0:0:1]:8000/", "http://[::ffff:127.0.0.1]:8000/", "http://[::1%25eth0]:8000/", "http://::1:8000/", "http://[::1:8000/",
	"https://APP.example.com/callback", "https://app.example.com./callback", "https://evil.app.example.com/callback", "https://app.example.com.evil.example/callback",
	// Paths, queries and fragments.
	"http://127.0.0.1:8000/callback", "http://127.0.0.1:8000//", "http://127.0.0.1:8000/.", "http://127.0.0.1:8000/%2e", "http://127.0.0.1:8000/;x",
	"http://127.0.0.1:8000/?x=y", "http://127.0.0.1:8000?x", "http://127.0.0.1:8000/?", "http://127.0.0.1:8000/#", "http://127.0.0.1:8000/#x",
	"https://app.example.com/callback/", "https://app.example.com/callback?", "https://app.example.com/callback#", "https://app.example.com/CALLBACK",
	"https://app.example.com/callback/../evil", "https://app.example.com/x/../callback", "https://app.example.com/%63allback", "https://app.example.com/callback%00",
	"https://app.example.com/callbackx", "https://app.example.com/", "https://app.example.com",
	// Backslashes, blanks and control characters.
	"http://127.0.0.1:8000\\@evil.example/", "http:\\\\127.0.0.1:8000\\", "http://127.0.0.1:8000/\\", "https://app.example.com\\callback", " http://127.0.0.1:8000/",
	"http://127.0.0.1:8000/ ", "http://127.0.0.1:8000/\t", "http://127.0.0.1:8000/\r\nSet-Cookie: x=y", "http://127.0.0.1:8000/\x00", "http://127.0.0.1:8000/%0d%0a",
	"http://127。0。0。1:8000/", "*", "http://*:8000/", "null", "",
}

// No redirect, and no cookie with a request, whichever client asks.
func TestACodeGoesNowhereElse(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.signedInAs("jane")
	if len(foreignRedirects) < 40 {
		t.Errorf("%d redirect URIs", len(foreignRedirects))
	}
	for _, uri := range foreignRedirects {
		for _, client := range []string{issuer.KubectlID, "web"} {
			asked := authorization("client_id", client, "redirect_uri", uri)
			for method, got := range map[string]*httptest.ResponseRecorder{
				http.MethodGet:  b.visit(issuer.PathAuthorize + "?" + asked.Encode()),
				http.MethodPost: b.fill(issuer.PathAuthorize, asked),
			} {
				if to := got.Header().Get("Location"); got.Code != http.StatusBadRequest || to != "" || len(got.Result().Cookies()) != 0 {
					t.Errorf("%s, %q of %s: status %d to %q, cookies %v", method, uri, client, got.Code, to, got.Result().Cookies())
				}
			}
		}
	}
	expect(t, b.visit(issuer.PathContinue), 410)
}

// A code is not exchanged for another redirect URI either, and the request uses it up.
func TestACodeIsBoundToItsRedirectURI(t *testing.T) {
	w := memberWorld(t).withWebClient()
	for _, uri := range []string{"http://127.0.0.1:8000", "http://127.0.0.1:8001/", "http://localhost:8000/", "http://[::1]:8000/", "HTTP://127.0.0.1:8000/", "http://127.0.0.1:8000/#"} {
		code := w.aCode(w.browser(), authorization())
		expect(t, w.submit(issuer.PathToken, exchange(code, "redirect_uri", uri)), 400, `"invalid_grant"`)
		expect(t, w.submit(issuer.PathToken, exchange(code)), 400, `"invalid_grant"`)
	}
}

func TestNoSiteCanFrameThePagesForClients(t *testing.T) {
	for name, visit := range clientSituations {
		got := visit(aWorld(t), "?lang=en").Header()
		policy := got.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") || got.Get("X-Frame-Options") != "DENY" ||
			got.Get("Cross-Origin-Opener-Policy") != "same-origin" || got.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A form leads to the origin of one client, and only on the page for it.
func TestAFormLeadsOnlyToItsClient(t *testing.T) {
	for name, want := range map[string]string{
		"about to sign in to a program": "'self' http://127.0.0.1:8000", "about to sign in to a website": "'self' https://app.example.com",
		"about to sign out of a client": "'self' https://app.example.com", "about to sign out": "'self'", "a device in the same network": "'self'",
		"the code of a device is wrong": "'self'", "connecting to the cluster": "'self'", "the account page with a client, and a request that waits": "'self'",
	} {
		policy := clientSituations[name](aWorld(t), "?lang=en").Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "form-action "+want+";") {
			t.Errorf("%s: %s", name, policy)
		}
	}
	for address, want := range map[string]string{
		"http://[::1]:8000/": "http:", "http://localhost:1/": "http://localhost:1", "https://app.example.com/a;b?c": "https://app.example.com", "http://x y/": "",
	} {
		if got := formTarget(address); got != want {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func TestAnotherSiteCannotApprove(t *testing.T) {
	w := memberWorld(t)
	b := w.agent()
	for path, fields := range map[string]string{
		issuer.PathContinue: "answer=approve&request=x", issuer.PathDevicePage: "code=" + w.codeFrom("192.0.2.7"), issuer.PathSignOut: "", "/account/clients": "client=x",
	} {
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			r := formRequest(path, fields)
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set(header, value)
			expect(t, b.send(r), 403)
		}
	}
}
