// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// testIssuer is an OpenID provider over TLS on the loopback interface. Like the portal it
// rotates refresh tokens, and ends the sign-in if one comes twice.
type testIssuer struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey
	// pages are what the plugin showed to browsers.
	pages chan string

	mu sync.Mutex
	// knobs can be changed with set.
	knobs
	// signIns are the authorization requests by code.
	signIns map[string]url.Values
	// refresh is the refresh token that works. It is empty if the sign-in has ended.
	refresh string
	issued  int
	// latest is the latest ID token.
	latest string
	// calls counts requests by path, and those for tokens by grant type.
	calls map[string]int
	// stillOpen means that the server of the plugin was open while it exchanged a code.
	stillOpen bool
}

// knobs are how an issuer behaves.
type knobs struct {
	// life of ID tokens.
	life time.Duration
	// date and times are how far the clock is ahead, in the header Date and in ID tokens.
	date, times time.Duration
	// metadata and claims replace entries of the discovery and of ID tokens.
	metadata, claims map[string]any
	// key signs ID tokens instead of the published one.
	otherKey *ecdsa.PrivateKey
	// noRotation leaves the refresh token out of answers to a refresh.
	noRotation bool
	// refuse is the error to answer for a grant type.
	refuse map[string]string
	// answer replaces the handler of a path.
	answer map[string]http.HandlerFunc
	// browse is what the person does with the request of the authorization page.
	browse func(request url.Values)
	// device replaces entries of answers to a device, and pending is how often it must ask.
	device  map[string]any
	pending int
}

func newTestIssuer(t *testing.T) *testIssuer {
	t.Helper()
	i := &testIssuer{
		t: t, key: newKey(t), pages: make(chan string, 10), signIns: map[string]url.Values{}, calls: map[string]int{},
		knobs: knobs{life: 10 * time.Minute},
	}
	i.browse = i.approve
	i.Server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *testIssuer) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
}

// set changes how the issuer behaves.
func (i *testIssuer) set(change func(*knobs)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(&i.knobs)
}

// expectCalls expects how often something was called: a path, or a grant type.
func (i *testIssuer) expectCalls(of string, want int) {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.calls[of] != want {
		i.t.Errorf("calls of %s: got %d, want %d; all: %v", of, i.calls[of], want, i.calls)
	}
}

func (i *testIssuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.calls[r.URL.Path]++
	w.Header().Set("Date", time.Now().Add(i.date).UTC().Format(http.TimeFormat))
	other, browse := i.answer[r.URL.Path], i.browse
	i.mu.Unlock()
	switch {
	case other != nil:
		other(w, r)
	case r.URL.Path == "/authorize":
		browse(r.URL.Query())
	default:
		i.mu.Lock()
		defer i.mu.Unlock()
		i.answerClient(w, r)
	}
}

func (i *testIssuer) answerClient(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		metadata := map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"device_authorization_endpoint": i.URL + "/device_code", "revocation_endpoint": i.URL + "/revoke",
			"id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
		}
		maps.Copy(metadata, i.metadata)
		writeJSON(w, http.StatusOK, metadata)
	case "/keys":
		writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	case "/token":
		i.answerToken(w, r)
	case "/device_code":
		answer := map[string]any{
			"device_code": "device", "user_code": "ABCD-EFGH", "verification_uri": i.URL + "/device",
			"verification_uri_complete": i.URL + "/device?code=ABCD-EFGH", "expires_in": 60, "interval": 1,
		}
		maps.Copy(answer, i.device)
		writeJSON(w, http.StatusOK, answer)
	case "/revoke":
		if r.PostFormValue("token") == i.refresh {
			i.refresh = ""
		}
	default:
		http.NotFound(w, r)
	}
}

func (i *testIssuer) answerToken(w http.ResponseWriter, r *http.Request) {
	grant := r.PostFormValue("grant_type")
	i.calls[grant]++
	refusal := i.refuse[grant]
	nonce := ""
	switch grant {
	case "authorization_code":
		asked, found := i.signIns[r.PostFormValue("code")]
		delete(i.signIns, r.PostFormValue("code"))
		challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if !found || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]) || asked.Get("redirect_uri") != r.PostFormValue("redirect_uri") {
			refusal = "invalid_grant"
		}
		nonce = asked.Get("nonce")
		i.stillOpen = i.stillOpen || isOpen(asked.Get("redirect_uri"))
	case "refresh_token":
		if r.PostFormValue("refresh_token") != i.refresh || i.refresh == "" {
			i.refresh, refusal = "", "invalid_grant"
		}
	default:
		if i.pending--; i.pending >= 0 && refusal == "" {
			refusal = "authorization_pending"
		}
	}
	if r.PostFormValue("client_id") != "kubectl" {
		refusal = "invalid_client"
	}
	if refusal != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": refusal, "error_description": "because \x1b[31mred"})
		return
	}
	i.issued++
	answer := map[string]any{"access_token": fmt.Sprintf("access-%d", i.issued), "token_type": "Bearer", "expires_in": 600, "id_token": i.idToken(nonce)}
	if !i.noRotation || grant != "refresh_token" {
		i.refresh = fmt.Sprintf("refresh-%d", i.issued)
		answer["refresh_token"] = i.refresh
	}
	writeJSON(w, http.StatusOK, answer)
}

func (i *testIssuer) idToken(nonce string) string {
	key := i.key
	if i.otherKey != nil {
		key = i.otherKey
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		panic(err)
	}
	now := time.Now().Add(i.times)
	claims := map[string]any{
		"iss": i.URL, "aud": "kubectl", "sub": "uid-of-jane", "iat": now.Unix(), "exp": now.Add(i.life).Unix(), "jti": rand.Text(),
		"preferred_username": "jane", "email": "jane@example.com", "groups": []string{"acme:developer", "zoo:owner"},
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	maps.Copy(claims, i.claims)
	i.latest, err = jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return i.latest
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// isOpen reports whether a server listens at an address.
func isOpen(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	connection, err := (&net.Dialer{Timeout: time.Second}).Dial("tcp", u.Host)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// approve is a person who approves the request.
func (i *testIssuer) approve(request url.Values) {
	code := rand.Text()
	i.mu.Lock()
	i.signIns[code] = request
	i.mu.Unlock()
	i.comeBack(request, url.Values{"code": {code}, "state": {request.Get("state")}, "iss": {i.URL}})
}

// comeBack brings an answer to the plugin, as the browser does, and notes the page.
func (i *testIssuer) comeBack(request, answer url.Values) {
	status, page := get(request.Get("redirect_uri") + "?" + answer.Encode())
	i.pages <- fmt.Sprintf("%d %s", status, page)
}

// get reads a page. The status is 0 if nothing answers.
func get(address string) (status int, page string) {
	response, err := http.Get(address) //nolint:noctx // an address of the plugin
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }() // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}
