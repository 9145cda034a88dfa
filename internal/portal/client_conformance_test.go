// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/usher-dev/usher/internal/issuer"
)

// These tests prove requirements of docs/openid-connect.md that no other test needs.

// jsonOf returns the members of a JSON object.
func (w *world) jsonOf(body []byte) map[string]any {
	w.T.Helper()
	var members map[string]any
	w.Must(json.Unmarshal(body, &members))
	return members
}

func TestTheConfigurationNamesWhatTheIssuerDoes(t *testing.T) {
	w := memberWorld(t)
	got := w.get(issuer.PathDiscovery)
	if got.Code != http.StatusOK || !strings.HasPrefix(got.Header().Get("Content-Type"), "application/json") {
		t.Errorf("status %d, %s", got.Code, got.Header().Get("Content-Type"))
	}
	config := w.jsonOf(got.Body.Bytes())
	const at = "https://usher.example.com"
	for name, want := range map[string]any{
		"issuer": at, "authorization_endpoint": at + issuer.PathAuthorize, "token_endpoint": at + issuer.PathToken,
		"userinfo_endpoint": at + issuer.PathUserInfo, "jwks_uri": at + issuer.PathKeys, "revocation_endpoint": at + issuer.PathRevoke,
		"introspection_endpoint": at + issuer.PathIntrospect, "end_session_endpoint": at + issuer.PathEndSession,
		"device_authorization_endpoint": at + issuer.PathDevice, "authorization_response_iss_parameter_supported": true,
		"request_uri_parameter_supported": false,
	} {
		if config[name] != want {
			t.Errorf("%s: %v, want %v", name, config[name], want)
		}
	}
	for name, want := range map[string][]any{
		"response_types_supported": {"code"}, "response_modes_supported": {"query"}, "subject_types_supported": {"public"},
		"id_token_signing_alg_values_supported": {"RS256", "ES256"}, "code_challenge_methods_supported": {"S256"},
		"grant_types_supported":                 {"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
		"token_endpoint_auth_methods_supported": {"none", "client_secret_basic", "client_secret_post"},
		"scopes_supported":                      {"openid", "profile", "email", "groups", "offline_access"},
	} {
		if list, _ := config[name].([]any); !slices.Equal(list, want) {
			t.Errorf("%s: %v, want %v", name, list, want)
		}
	}
	// What is not there is not supported (OpenID Connect Discovery 1.0, section 3).
	for _, name := range []string{"registration_endpoint", "check_session_iframe", "backchannel_logout_supported", "request_parameter_supported", "claims_parameter_supported"} {
		if value := config[name]; value != nil && value != false {
			t.Errorf("%s: %v", name, value)
		}
	}
}

func TestPublishedKeysHaveNoPrivatePart(t *testing.T) {
	w := memberWorld(t)
	set := w.jsonOf(w.get(issuer.PathKeys).Body.Bytes())["keys"].([]any)
	algorithms := map[any]bool{}
	for _, entry := range set {
		key := entry.(map[string]any)
		algorithms[key["alg"]] = true
		members := map[any][]string{"RSA": {"alg", "e", "kid", "kty", "n", "use"}, "EC": {"alg", "crv", "kid", "kty", "use", "x", "y"}}
		if names := slices.Sorted(maps.Keys(key)); !slices.Equal(names, members[key["kty"]]) || key["use"] != "sig" || key["kid"] == "" {
			t.Errorf("members: %v", names)
		}
	}
	if len(algorithms) != 2 || !algorithms["RS256"] || !algorithms["ES256"] {
		t.Errorf("algorithms: %v", algorithms)
	}
}

func TestAnAuthorizationRequestCanBePosted(t *testing.T) {
	w := memberWorld(t)
	request := authorization("unknown", "ignored", "display", "page", "acr_values", "high", "claims", "{}", "claims_locales", "de", "ui_locales", "xx")
	for name, got := range map[string]*http.Response{
		"posted":         w.submit(issuer.PathAuthorize, request, "Origin", "https://app.example.com").Result(),
		"in the address": w.get(issuer.PathAuthorize + "?" + request.Encode()).Result(),
	} {
		if to := got.Header.Get("Location"); got.StatusCode != http.StatusFound || !strings.HasPrefix(to, "https://usher.example.com"+issuer.PathContinue) {
			t.Errorf("%s: status %d to %q", name, got.StatusCode, to)
		}
	}
}

func TestAClientLearnsThatThePersonDidNotApprove(t *testing.T) {
	w := memberWorld(t)
	b := w.browser()
	b.visit(issuer.PathAuthorize + "?" + authorization().Encode())
	b.signIn("jane", validPassword)
	sealed := requestField.FindStringSubmatch(b.visit(issuer.PathContinue).Body.String())[1]
	got := b.fill(issuer.PathContinue, url.Values{fieldRequest: {sealed}, fieldAnswer: {answerDeny}})
	to, err := url.Parse(got.Header().Get("Location"))
	w.Must(err)
	query := to.Query()
	if got.Code != http.StatusSeeOther || query.Get("error") != "access_denied" || query.Get("state") != "the-state" || query.Get("iss") != "https://usher.example.com" || query.Has("code") {
		t.Errorf("status %d to %q", got.Code, to)
	}
	if left := w.credentials("jane").Clients; len(left) != 0 {
		t.Errorf("%d sign-ins to clients", len(left))
	}
	expect(t, b.visit(issuer.PathContinue), http.StatusGone)
}

// RFC 9207, section 2: errors name the issuer, too.
func TestEveryAnswerToAClientNamesTheIssuer(t *testing.T) {
	w := memberWorld(t)
	for name, but := range map[string][]string{
		"no PKCE": {"code_challenge", ""}, "no openid": {"scope", "profile"}, "no interaction": {"prompt", "none"},
		"the implicit flow": {"response_type", "id_token"}, "a flow that does not exist": {"response_type", "x"}, "no flow": {"response_type", ""},
		"a request object": {"request", "x"}, "a request URI": {"request_uri", "https://x.example"}, "a prompt that contradicts itself": {"prompt", "none login"},
	} {
		got := w.get(issuer.PathAuthorize + "?" + authorization(but...).Encode())
		to, err := url.Parse(got.Header().Get("Location"))
		w.Must(err)
		answer, err := url.ParseQuery(to.RawQuery + "&" + to.Fragment)
		w.Must(err)
		if answer.Get("error") == "" || answer.Get("iss") != "https://usher.example.com" || answer.Get("state") != "the-state" {
			t.Errorf("%s: status %d to %q\n%s", name, got.Code, to, got.Body)
		}
	}
}

func TestTheSecondUseOfACodeEndsTheTokensOfTheFirst(t *testing.T) {
	w := memberWorld(t)
	code := w.aCode(w.browser(), authorization())
	tokens := w.jsonOf(w.submit(issuer.PathToken, exchange(code)).Body.Bytes())
	expect(t, w.userInfo(tokens["access_token"].(string)), http.StatusOK, "uid-of-jane")
	expect(t, w.submit(issuer.PathToken, exchange(code)), http.StatusBadRequest, `"invalid_grant"`, "!id_token")
	expect(t, w.userInfo(tokens["access_token"].(string)), http.StatusUnauthorized)
	expect(t, w.submit(issuer.PathToken, refreshing(tokens["refresh_token"].(string))), http.StatusBadRequest, `"invalid_grant"`)
}

func TestNoTokenOfAClientIsLogged(t *testing.T) {
	w := memberWorld(t)
	code := w.aCode(w.browser(), authorization("nonce", "the-nonce"))
	tokens := w.jsonOf(w.submit(issuer.PathToken, exchange(code)).Body.Bytes())
	access, refresh, id := tokens["access_token"].(string), tokens["refresh_token"].(string), tokens["id_token"].(string)
	w.userInfo(access)
	w.userInfo("wrong" + access)
	w.get(issuer.PathUserInfo + "?access_token=" + access)
	w.submit(issuer.PathToken, exchange(code))
	w.submit(issuer.PathToken, refreshing(refresh))
	w.get(issuer.PathEndSession + "?id_token_hint=" + id)
	log := w.logs.String()
	for _, secret := range []string{code, access, refresh, id, verifierText, "the-state", "the-nonce", "jane", "192.0.2.1"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, `"route"="`+issuer.PathToken+`"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestARefreshCanAskForLessAndNeverForMore(t *testing.T) {
	w := memberWorld(t)
	first := w.submit(issuer.PathToken, exchange(w.aCode(w.browser(), authorization("scope", "openid profile offline_access", "nonce", "n"))))
	if first.Header().Get("Cache-Control") != "no-store" || first.Header().Get("Pragma") != "no-cache" || !strings.HasPrefix(first.Header().Get("Content-Type"), "application/json") {
		t.Errorf("headers: %v", first.Header())
	}
	tokens := w.jsonOf(first.Body.Bytes())
	more := w.submit(issuer.PathToken, changed(refreshing(tokens["refresh_token"].(string)), "scope", "openid email"))
	expect(t, more, http.StatusBadRequest, `"invalid_scope"`, "!id_token")
	less := w.submit(issuer.PathToken, changed(refreshing(tokens["refresh_token"].(string)), "scope", "openid"))
	before, after := w.claims(tokens), w.claims(w.jsonOf(less.Body.Bytes()))
	for _, claim := range []string{"iss", "sub", "aud", "azp", "auth_time"} { // OpenID Connect Core 1.0, section 12.2
		if before[claim] == nil || jsonText(t, before[claim]) != jsonText(t, after[claim]) {
			t.Errorf("%s: %v, before %v", claim, after[claim], before[claim])
		}
	}
	if before["preferred_username"] != "jane" || before["nonce"] != "n" || after["preferred_username"] != nil || after["nonce"] != nil {
		t.Errorf("claims: %v, before %v", after, before)
	}
}

// claims returns those of the ID token in a token response, without a verification.
func (w *world) claims(tokens map[string]any) map[string]any {
	w.T.Helper()
	text, _ := tokens["id_token"].(string)
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	w.Must(err)
	var claims map[string]any
	w.Must(token.UnsafeClaimsWithoutVerification(&claims))
	return claims
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAConfidentialClientSignsInByItsSecretAndGetsItsAlgorithm(t *testing.T) {
	w := memberWorld(t).withWebClient()
	const callback = "https://app.example.com/callback"
	code := w.aCode(w.browser(), authorization("client_id", "web", "redirect_uri", callback))
	with := func(secret string) *httptest.ResponseRecorder {
		r := formRequest(issuer.PathToken, exchange(code, "client_id", "", "redirect_uri", callback).Encode())
		r.SetBasicAuth("web", url.QueryEscape(secret))
		return w.do(r)
	}
	if got := with("wrong"); got.Code != http.StatusUnauthorized || got.Header().Get("WWW-Authenticate") != `Basic realm="clients"` {
		t.Errorf("a wrong secret: %d %v", got.Code, got.Header())
	}
	got := with("the secret")
	expect(t, got, http.StatusOK, "id_token")
	token, err := jwt.ParseSigned(w.jsonOf(got.Body.Bytes())["id_token"].(string), []jose.SignatureAlgorithm{jose.ES256})
	w.Must(err)
	if header := token.Headers[0]; header.KeyID == "" {
		t.Errorf("header: %+v", header)
	}
}

func TestUserInfoIsOnlyForABearerToken(t *testing.T) {
	w := memberWorld(t)
	access, refresh := w.refreshToken(w.browser())
	expect(t, w.submit(issuer.PathUserInfo, nil, "Authorization", "Bearer "+access), http.StatusOK, "uid-of-jane")
	empty := newRequest(http.MethodPost, issuer.PathUserInfo, nil) // without a Content-Type
	empty.Header.Set("Authorization", "Bearer "+access)
	expect(t, w.do(empty), http.StatusOK, "uid-of-jane")
	for name, wrong := range map[string]string{"a refresh token": refresh, "a token that was changed": access[:len(access)-4] + "AAAA"} {
		got := w.userInfo(wrong)
		if got.Code != http.StatusUnauthorized || got.Header().Get("WWW-Authenticate") != `Bearer error="invalid_token"` || strings.Contains(got.Body.String(), "uid-of-jane") {
			t.Errorf("%s: %d %v %s", name, got.Code, got.Header(), got.Body)
		}
	}
	if got := w.get(issuer.PathUserInfo); got.Code != http.StatusUnauthorized || got.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("no token: %d %v", got.Code, got.Header())
	}
	expect(t, w.get(issuer.PathUserInfo+"?access_token="+access), http.StatusBadRequest, "must not be in the address", "!uid-of-jane")
}

func TestRevocationIsTheSameForATokenThatDoesNotWork(t *testing.T) {
	w := memberWorld(t)
	b := w.browser()
	for range 2 { // an access token ends the sign-in too
		access, refresh := w.refreshToken(b)
		for _, token := range []string{"x", "x.jane", access, access, refresh} {
			expect(t, w.submit(issuer.PathRevoke, url.Values{"client_id": {"kubectl"}, "token": {token}}), http.StatusOK)
		}
		expect(t, w.userInfo(access), http.StatusUnauthorized)
		expect(t, w.submit(issuer.PathToken, refreshing(refresh)), http.StatusBadRequest, `"invalid_grant"`)
	}
}

// TestEveryProofInTheDocsExists keeps the table of docs/openid-connect.md true.
func TestEveryProofInTheDocsExists(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "openid-connect.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\[(Test\w+)\]\(\.\./([\w./-]+_test\.go)\)`).FindAllStringSubmatch(string(page), -1)
	if len(named) < 30 || len(named) != strings.Count(string(page), "[Test") {
		t.Fatalf("%d tests are named as links to their files, of %d", len(named), strings.Count(string(page), "[Test"))
	}
	for _, proof := range named {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(proof[2])))
		if err != nil || !strings.Contains(string(source), "\nfunc "+proof[1]+"(t *testing.T)") {
			t.Errorf("%s has no %s: %v", proof[2], proof[1], err)
		}
	}
}

func TestTheDocsShowTheConfigurationOfTheAPIServer(t *testing.T) {
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "cluster-sign-in.md"))
	if err != nil {
		t.Fatal(err)
	}
	published, err := os.ReadFile(filepath.Join(root, "config", "authentication", "authentication.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var want, talos map[string]any
	if err := yaml.Unmarshal(published, &want); err != nil {
		t.Fatal(err)
	}
	shown := func(kind string, into *map[string]any) {
		t.Helper()
		_, block, _ := strings.Cut(string(page), "kind: "+kind+"\n")
		block, _, _ = strings.Cut(block, "```")
		if err := yaml.Unmarshal([]byte(block), into); err != nil || *into == nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	var got map[string]any
	shown("AuthenticationConfiguration", &got)
	shown("KubeAuthenticationConfig", &talos)
	for name, shown := range map[string]any{"the file": got["jwt"], "Talos": talos["configuration"].(map[string]any)["jwt"]} {
		if diff := cmp.Diff(want["jwt"], shown); diff != "" {
			t.Errorf("%s (-config/authentication +docs):\n%s", name, diff)
		}
	}
}
