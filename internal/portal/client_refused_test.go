// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	zoidc "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// webClient is a confidential client.
func webClient() issuer.Client {
	hash := sha256.Sum256([]byte("the secret"))
	return issuer.Client{
		ID: "web", Name: "Web", RedirectURIs: []string{"https://app.example.com/callback"}, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"},
		SecretHash: hash[:], GrantTypes: []zoidc.GrantType{zoidc.GrantTypeCode, zoidc.GrantTypeRefreshToken}, Algorithm: keys.Algorithms()[1],
	}
}

// withWebClient adds webClient to the portal.
func (w *world) withWebClient() *world {
	w.config.Client = func(ctx context.Context, id string) (issuer.Client, bool, error) {
		if id == "web" {
			return webClient(), true, nil
		}
		return onlyKubectl(ctx, id)
	}
	return w.build()
}

// submit sends a form as a program does.
func (w *world) submit(path string, fields url.Values, headers ...string) *httptest.ResponseRecorder {
	w.T.Helper()
	r := newRequest(http.MethodPost, path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.do(r)
}

const verifierText = "a-verifier-that-has-at-least-43-characters-in-it"

func authorization(but ...string) url.Values {
	v := url.Values{
		"client_id": {"kubectl"}, "redirect_uri": {"http://127.0.0.1:8000/"}, "response_type": {"code"}, "scope": {"openid offline_access"},
		"state": {"the-state"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifierText)}, "code_challenge_method": {"S256"},
	}
	return changed(v, but...)
}

// changed changes parameters. An empty value removes one.
func changed(v url.Values, but ...string) url.Values {
	for i := 0; i < len(but); i += 2 {
		if v.Set(but[i], but[i+1]); but[i+1] == "" {
			v.Del(but[i])
		}
	}
	return v
}

func TestAuthorizationRequestsThatAreRefused(t *testing.T) {
	w := memberWorld(t).withWebClient()
	for name, tc := range map[string]struct {
		request url.Values
		error   string
	}{
		"no PKCE":                   {authorization("code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		"PKCE without a method":     {authorization("code_challenge_method", ""), "invalid_request"},
		"PKCE by the method plain":  {authorization("code_challenge_method", "plain"), "invalid_request"},
		"a challenge that is short": {authorization("code_challenge", "short"), "invalid_request"},
		"no openid":                 {authorization("scope", "profile"), "invalid_scope"},
		"the implicit flow":         {authorization("response_type", "id_token"), "unauthorized_client"},
		"the hybrid flow":           {authorization("response_type", "code id_token"), "unauthorized_client"},
		"a request object":          {authorization("request", "x"), "request_not_supported"},
		"a request URI":             {authorization("request_uri", "https://x.example"), "request_uri_not_supported"},
		"a fragment":                {authorization("response_mode", "fragment"), "invalid_request"},
		"no interaction":            {authorization("prompt", "none"), "interaction_required"},
		"a forged hint":             {authorization("id_token_hint", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."), "invalid_request"},
		"a long state":              {authorization("state", strings.Repeat("x", 4000)), "invalid_request"},
	} {
		got := w.get(issuer.PathAuthorize + "?" + tc.request.Encode())
		to, err := url.Parse(got.Header().Get("Location"))
		w.Must(err)
		query := to.Query()
		if to.Fragment != "" { // flows that this issuer does not have answer in the fragment
			query, err = url.ParseQuery(to.Fragment)
			w.Must(err)
		}
		if to.Host != "127.0.0.1:8000" || query.Get("error") != tc.error || query.Has("code") || query.Get("state") != tc.request.Get("state") {
			t.Errorf("%s: status %d to %q", name, got.Code, to)
		}
	}
	for name, request := range map[string]url.Values{
		"an unknown client":           authorization("client_id", "nobody"),
		"no client":                   authorization("client_id", ""),
		"no redirect URI":             authorization("redirect_uri", ""),
		"another redirect URI":        authorization("redirect_uri", "https://evil.example/"),
		"a redirect URI of another":   authorization("redirect_uri", "https://app.example.com/callback"),
		"a parameter that is doubled": changed(url.Values{"state": {"a", "b"}}, "client_id", "kubectl", "redirect_uri", "http://127.0.0.1:8000/", "response_type", "code"),
	} {
		got := w.get(issuer.PathAuthorize + "?" + request.Encode())
		if to := got.Header().Get("Location"); to != "" || got.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d to %q", name, got.Code, to)
		}
	}
}

// aCode signs Jane in to kubectl and returns her code.
func (w *world) aCode(b *browser, request url.Values) string {
	w.T.Helper()
	b.visit(issuer.PathAuthorize + "?" + request.Encode())
	if !b.isIn() {
		b.signIn("jane", validPassword)
	}
	return w.approveFor(b, request.Get("redirect_uri")).Get("code")
}

func exchange(code string, but ...string) url.Values {
	return changed(url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"kubectl"}, "redirect_uri": {"http://127.0.0.1:8000/"},
		"code": {code}, "code_verifier": {verifierText},
	}, but...)
}

func TestACodeThatIsNotExchangedAsItWasMade(t *testing.T) {
	for name, but := range map[string][]string{
		"another verifier":     {"code_verifier", strings.Repeat("x", 43)},
		"no verifier":          {"code_verifier", ""},
		"the challenge":        {"code_verifier", oauth2.S256ChallengeFromVerifier(verifierText)},
		"another redirect URI": {"redirect_uri", "http://127.0.0.1:8001/"},
		"another client":       {"client_id", "web", "client_secret", "the secret"},
	} {
		w := memberWorld(t).withWebClient()
		code := w.aCode(w.browser(), authorization())
		expect(t, w.submit(issuer.PathToken, exchange(code, but...)), 400, `"invalid_grant"`, "!id_token")
		// The first use, right or wrong, uses it up.
		expect(t, w.submit(issuer.PathToken, exchange(code)), 400, `"invalid_grant"`, "!id_token")
		if left := w.credentials("jane").Clients; len(left) != 0 {
			t.Errorf("%s: %d sign-ins are left", name, len(left))
		}
	}
}

func TestTokenRequestsThatAreRefused(t *testing.T) {
	w := memberWorld(t).withWebClient()
	code := w.aCode(w.browser(), authorization())
	for name, tc := range map[string]struct {
		fields url.Values
		status int
	}{
		"no code":                      {exchange(""), 400},
		"no redirect URI":              {exchange(code, "redirect_uri", ""), 400},
		"no client":                    {exchange(code, "client_id", ""), 400},
		"an unknown client":            {exchange(code, "client_id", "nobody"), 401},
		"a secret of a public client":  {exchange(code, "client_secret", "x"), 401},
		"a wrong secret":               {exchange(code, "client_id", "web", "client_secret", "x"), 401},
		"no secret":                    {exchange(code, "client_id", "web"), 401},
		"an assertion":                 {exchange(code, "client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), 401},
		"client credentials":           {exchange(code, "grant_type", "client_credentials"), 400},
		"a password":                   {exchange(code, "grant_type", "password"), 400},
		"a JWT":                        {exchange(code, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "x"), 400},
		"an exchange":                  {exchange(code, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), 400},
		"a code without a name":        {exchange(strings.Split(code, ".")[0]), 400},
		"a code with a path as a name": {exchange(strings.Split(code, ".")[0] + ".../jane"), 400},
		"a code of another person":     {exchange(strings.Split(code, ".")[0] + ".zoe"), 400},
		"a code that is doubled":       {url.Values{"grant_type": {"authorization_code"}, "code": {code, code}}, 400},
	} {
		if got := w.submit(issuer.PathToken, tc.fields); got.Code != tc.status || strings.Contains(got.Body.String(), "id_token\"") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	inTheAddress := w.do(newRequest(http.MethodPost, issuer.PathToken+"?"+exchange(code).Encode(), nil))
	if inTheAddress.Code != http.StatusBadRequest {
		t.Errorf("parameters in the address: %d", inTheAddress.Code)
	}
	if got := w.get(issuer.PathToken + "?" + exchange(code).Encode()); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.Code)
	}
	expect(t, w.submit(issuer.PathToken, exchange(code)), 200, "id_token") // none of these used the code up
}

func TestARefusedClientLearnsHowToAuthenticate(t *testing.T) {
	w := memberWorld(t).withWebClient()
	for name, tc := range map[string]struct {
		got       *httptest.ResponseRecorder
		challenge string
	}{
		"a wrong secret in the header": {w.submit(issuer.PathToken, exchange("x", "client_id", ""), "Authorization", "Basic d2ViOng="), `Basic realm="clients"`},
		"a wrong secret in the form":   {w.submit(issuer.PathToken, exchange("x", "client_id", "web", "client_secret", "x")), `Basic realm="clients"`},
		"a wrong token":                {w.userInfo("x"), `Bearer error="invalid_token"`},
		"no token":                     {w.get(issuer.PathUserInfo), "Bearer"},
	} {
		if h := tc.got.Header(); tc.got.Code != http.StatusUnauthorized || h.Get("WWW-Authenticate") != tc.challenge {
			t.Errorf("%s: %d, %v", name, tc.got.Code, h)
		}
	}
	got := w.submit(issuer.PathToken, exchange(w.aCode(w.browser(), authorization())))
	if h := got.Header(); got.Code != 200 || h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || h.Get("WWW-Authenticate") != "" {
		t.Errorf("tokens: %d, %v", got.Code, h)
	}
}

// refreshToken signs Jane in to kubectl, and returns her tokens.
func (w *world) refreshToken(b *browser) (access, refresh string) {
	w.T.Helper()
	got := w.submit(issuer.PathToken, exchange(w.aCode(b, authorization())))
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	w.Must(json.Unmarshal(got.Body.Bytes(), &tokens))
	return tokens.Access, tokens.Refresh
}

func refreshing(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"kubectl"}, "refresh_token": {token}}
}

func TestWhatEndsASignInToAClient(t *testing.T) {
	for name, end := range map[string]func(w *world, b *browser){
		"the person signs out": func(_ *world, b *browser) { b.fill("/sign-out", nil) },
		"the person signs in again, and out": func(_ *world, b *browser) {
			b.signIn("jane", validPassword)
			b.fill("/sign-out", nil)
		},
		"the person signs in again with a code, and out": func(w *world, b *browser) {
			w.alterJane(hasApp)
			b.signIn("jane", validPassword)
			b.code(codeAt(b.T, appSecret, w.Clock.Now()))
			b.fill("/sign-out", nil)
		},
		"another person signs in": func(w *world, b *browser) {
			for _, o := range accountOf(b.T, "zoe", "uid-of-zoe") {
				w.Must(w.Client.Create(b.T.Context(), o))
			}
			b.signIn("zoe", validPassword)
		},
		"the person changes the password": func(_ *world, b *browser) {
			form := newPasswords(otherPassword)
			form.Set(fieldCurrentPassword, validPassword)
			expectTo(b.T, b.fill("/account/password?lang=en", form), "/account?lang=en&done=password")
		},
		"the person removes an app": func(w *world, b *browser) {
			w.alterJane(hasApp)
			expectTo(b.T, b.fill(pathFactors+"/app/remove?lang=en", url.Values{fieldCurrentPassword: {validPassword}}), pathFactors+"?lang=en&done=app-removed")
		},
		"the person ends the session": func(w *world, b *browser) {
			b.fill("/account/sessions", url.Values{fieldSession: {w.credentials("jane").Sessions[0].Hash}})
		},
		"the person ends all sessions": func(_ *world, b *browser) { b.fill("/account/sessions", url.Values{fieldSession: {allSessions}}) },
		"the person ends the client": func(w *world, b *browser) {
			b.fill("/account/clients", url.Values{fieldClient: {w.credentials("jane").Clients[0].ID}})
		},
		"the Account is disabled": func(w *world, _ *browser) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"the sessions are ended": func(w *world, _ *browser) {
			w.alterStatus(func(s *accountsv1.AccountStatus) { account.EndSessions(&s.SignIn, metav1.NewTime(w.Clock.Now())) })
		},
		"the Membership is suspended": func(w *world, _ *browser) {
			w.alterMembership(func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended })
		},
		"the Membership is removed": func(w *world, _ *browser) { w.Must(w.Client.Delete(context.Background(), w.membership())) },
		"it is unused for a day":    func(w *world, _ *browser) { w.Clock.Step(24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := memberWorld(t)
			b := w.browser()
			access, refresh := w.refreshToken(b)
			expect(t, w.userInfo(access), 200, "uid-of-jane")
			end(w, b)
			expect(t, w.userInfo(access), 401, "invalid_token", "!uid-of-jane")
			expect(t, w.submit(issuer.PathToken, refreshing(refresh)), 400, `"invalid_grant"`)
		})
	}
}

func (w *world) userInfo(access string) *httptest.ResponseRecorder {
	w.T.Helper()
	r := newRequest(http.MethodGet, issuer.PathUserInfo, nil)
	r.Header.Set("Authorization", "Bearer "+access)
	return w.do(r)
}

func TestAConfidentialClientIntrospectsOnlyItsOwnTokens(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.browser()
	access, refresh := w.refreshToken(b)
	asWeb := authorization("client_id", "web", "redirect_uri", "https://app.example.com/callback")
	got := w.submit(issuer.PathToken, exchange(w.aCode(b, asWeb), "client_id", "web", "client_secret", "the secret", "redirect_uri", "https://app.example.com/callback"))
	expect(t, got, 200, "id_token")
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	w.Must(json.Unmarshal(got.Body.Bytes(), &tokens))
	asking := func(token string) url.Values {
		return url.Values{"client_id": {"web"}, "client_secret": {"the secret"}, "token": {token}}
	}
	expect(t, w.submit(issuer.PathIntrospect, asking(tokens.Access)), 200, `"active":true`, "uid-of-jane", `"client_id":"web"`)
	expect(t, w.submit(issuer.PathIntrospect, asking(tokens.Refresh)), 200, `"active":true`)
	for _, token := range []string{access, refresh, "x", "x.jane"} {
		expect(t, w.submit(issuer.PathIntrospect, asking(token)), 200, `"active":false`, "!uid-of-jane")
	}
	expect(t, w.submit(issuer.PathIntrospect, url.Values{"client_id": {"kubectl"}, "token": {access}}), 400, `"invalid_client"`)
	expect(t, w.submit(issuer.PathRevoke, url.Values{"client_id": {"kubectl"}, "token": {tokens.Refresh}}), 400) // of another client
	expect(t, w.submit(issuer.PathRevoke, asking(tokens.Refresh)), 200)
	expect(t, w.submit(issuer.PathIntrospect, asking(tokens.Access)), 200, `"active":false`)
	expect(t, w.userInfo(access), 200)
}

// alterStatus changes the status of the Account jane without the portal.
func (w *world) alterStatus(change func(*accountsv1.AccountStatus)) {
	w.T.Helper()
	a := w.Account("jane")
	change(&a.Status)
	w.Must(w.Client.Status().Update(context.Background(), a))
}

func (w *world) membership() *accountsv1.Membership {
	w.T.Helper()
	var m accountsv1.Membership
	w.Must(w.Client.Get(context.Background(), client.ObjectKey{Namespace: storetest.Home, Name: "jane"}, &m))
	return &m
}

func (w *world) alterMembership(change func(*accountsv1.Membership)) {
	w.T.Helper()
	m := w.membership()
	change(m)
	w.Must(w.Client.Update(context.Background(), m))
}
