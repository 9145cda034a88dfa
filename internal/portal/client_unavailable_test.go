// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/issuer"
)

// withoutKeys is the portal before the controller has created the keys of the issuer.
func (w *world) withoutKeys() *world {
	w.config.IssuerKeys = noIssuerKeys
	return w.build()
}

func TestClientsLearnThatTheKeysAreMissing(t *testing.T) {
	w := memberWorld(t).withWebClient()
	code, device := w.aCode(w.browser(), authorization()), w.ask(issuer.PathDevice, url.Values{"client_id": {"kubectl"}, "scope": {"openid"}}).DeviceCode
	access, refresh := w.refreshToken(w.browser())
	hint := w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization()))).ID
	before := w.config.IssuerKeys
	w.withoutKeys()
	expect(t, w.get(issuer.PathDiscovery), 200)
	for name, got := range map[string]*httptest.ResponseRecorder{
		"keys":    w.get(issuer.PathKeys),
		"request": w.get(issuer.PathAuthorize + "?" + authorization().Encode()),
		"device":  w.submit(issuer.PathDevice, url.Values{"client_id": {"kubectl"}, "scope": {"openid"}}),
		"device token": w.submit(issuer.PathToken, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"kubectl"}, "device_code": {device},
		}),
		"code":     w.submit(issuer.PathToken, exchange(code)),
		"refresh":  w.submit(issuer.PathToken, refreshing(refresh)),
		"userinfo": w.userInfo(access),
		"introspection": w.submit(issuer.PathIntrospect, url.Values{
			"client_id": {"web"}, "client_secret": {"the secret"}, "token": {access},
		}),
		"revocation":           w.submit(issuer.PathRevoke, url.Values{"client_id": {"kubectl"}, "token": {access}}),
		"sign-out with a hint": w.get(issuer.PathEndSession + "?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {byePage}}.Encode()),
		"sign-out":             w.get(issuer.PathEndSession + "?" + url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {byePage}}.Encode()),
	} {
		if got.Code != 503 || !strings.Contains(got.Body.String(), `"error":"server_error"`) || strings.Contains(got.Body.String(), errVault.Error()) {
			t.Errorf("%s: %d to %q %s", name, got.Code, got.Header().Get("Location"), got.Body)
		}
	}
	if strings.Contains(w.logs.String(), "panic") {
		t.Errorf("log:\n%s", w.logs)
	}
	// Nothing was used up.
	w.config.IssuerKeys = before
	w.build()
	expect(t, w.submit(issuer.PathToken, exchange(code)), 200)
	expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 200)
}

func TestClientsLearnThatTheyCannotBeFound(t *testing.T) {
	w := memberWorld(t)
	w.config.Client = func(context.Context, string) (issuer.Client, bool, error) { return issuer.Client{}, false, errVault }
	w.build()
	for name, got := range map[string]*httptest.ResponseRecorder{
		"request":  w.get(issuer.PathAuthorize + "?" + authorization().Encode()),
		"token":    w.submit(issuer.PathToken, exchange("x.jane")),
		"device":   w.submit(issuer.PathDevice, url.Values{"client_id": {"kubectl"}, "scope": {"openid"}}),
		"sign-out": w.get(issuer.PathEndSession + "?" + url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {byePage}}.Encode()),
	} {
		if got.Code != 503 || strings.Contains(got.Body.String(), errVault.Error()) {
			t.Errorf("%s: %d to %q %s", name, got.Code, got.Header().Get("Location"), got.Body)
		}
	}
}

func TestPeopleLearnThatTheKeysAreMissing(t *testing.T) {
	w := memberWorld(t)
	b := w.signedInAs("jane")
	b.visit(toAuthorize + authorization().Encode())
	request := b.shownRequest()
	b.handler = w.withoutKeys().handler
	for name, got := range map[string]*httptest.ResponseRecorder{
		"page":           b.visit(issuer.PathContinue),
		"approval":       b.fill(issuer.PathContinue, approving(request)),
		"not signed in":  w.get(issuer.PathDevicePage),
		"the kubeconfig": w.withCluster().do(bearer(pathKubeconfig, "x")),
	} {
		if got.Code != 503 || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "<h1>") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	// Everything else works.
	for _, path := range []string{"/account?lang=en", "/device?lang=en", "/sign-out?lang=en"} {
		expect(t, b.visit(path), 200)
	}
	other := w.agent()
	other.jar[hostPrefix+requestCookie] = b.jar[hostPrefix+requestCookie]
	expectTo(t, other.fill(toSignIn, signInForm("jane", validPassword)), "/account?lang=en")
}

func bearer(path, token string) *http.Request {
	r := newRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestAPortalWithoutAClusterOffersNone(t *testing.T) {
	w := memberWorld(t)
	b := w.signedInAs("jane")
	expect(t, b.visit("/account"), 200, "!/connect")
	expect(t, b.visit(pathConnect), 404)
	expect(t, b.visit(pathKubeconfig), 404)
	b.handler = w.withCluster().handler
	expect(t, b.visit("/account"), 200, "/connect")
	expect(t, b.visit(pathConnect), 200, "kubectl-usher")
	expectTo(t, w.agent().visit(pathConnect), toSignIn)
	expect(t, w.get(pathKubeconfig), 401)
	expect(t, w.do(bearer(pathKubeconfig, "x")), 401)
	access, _ := w.refreshToken(w.browser())
	expect(t, w.do(bearer(pathKubeconfig, access)), 200, "current-context: acme", "--issuer=https://usher.example.com")
	expect(t, b.visit(pathKubeconfig), 200, "current-context: acme", "!token")
}
