// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// toPortal is a transport to a portal.
type toPortal struct{ http.Handler }

func (a toPortal) RoundTrip(r *http.Request) (*http.Response, error) {
	r.RemoteAddr = "192.0.2.1:1234"
	recorder := httptest.NewRecorder()
	a.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// relyingParty is a client that was written elsewhere.
type relyingParty struct {
	*world
	ctx      context.Context //nolint:containedctx // a context is where the library looks for its HTTP client
	provider *oidc.Provider
	oauth2.Config
	verifier string
}

func (w *world) relyingParty() *relyingParty {
	w.T.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: toPortal{w.handler}})
	provider, err := oidc.NewProvider(ctx, "https://usher.example.com")
	w.Must(err)
	return &relyingParty{w, ctx, provider, oauth2.Config{
		ClientID: issuer.KubectlID, Endpoint: provider.Endpoint(), RedirectURL: "http://127.0.0.1:8000/",
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups", oidc.ScopeOfflineAccess},
	}, oauth2.GenerateVerifier()}
}

// ask begins an authorization request in a browser.
func (rp *relyingParty) ask(b *browser, more ...oauth2.AuthCodeOption) *httptest.ResponseRecorder {
	rp.T.Helper()
	more = append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(rp.verifier), oidc.Nonce("n")}, more...)
	return b.visit(rp.AuthCodeURL("state", more...))
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// approve approves the request that the browser carries, and returns the parameters that
// the client gets.
func (rp *relyingParty) approve(b *browser) url.Values {
	rp.T.Helper()
	return rp.approveFor(b, rp.RedirectURL)
}

// approveFor approves the request that the browser carries, for the client with that
// redirect URI.
func (w *world) approveFor(b *browser, redirectURI string) url.Values {
	w.T.Helper()
	page := b.visit(issuer.PathContinue)
	found := requestField.FindStringSubmatch(page.Body.String())
	if found == nil {
		w.T.Fatalf("no request to approve: %d to %q\n%s", page.Code, page.Header().Get("Location"), page.Body)
	}
	answer := b.fill(issuer.PathContinue, url.Values{fieldRequest: {found[1]}, fieldAnswer: {answerApprove}})
	to, err := url.Parse(answer.Header().Get("Location"))
	w.Must(err)
	if answer.Code != http.StatusSeeOther || !strings.HasPrefix(to.String(), redirectURI+"?") {
		w.T.Fatalf("status %d to %q\n%s", answer.Code, to, answer.Body)
	}
	return to.Query()
}

func memberWorld(t *testing.T) *world {
	t.Helper()
	jane := belongs(storetest.Acme())[1].(*accountsv1.Membership)
	jane.Generation = 1
	jane.Status = accountsv1.MembershipStatus{State: accountsv1.MembershipActive, ObservedGeneration: new(int64(1))}
	return worldWith(t, append(personWithPassword(t, "jane"), jane)...)
}

func TestAMemberSignsInToAClient(t *testing.T) {
	w := memberWorld(t)
	rp, b := w.relyingParty(), w.browser()
	if asked := rp.ask(b); asked.Header().Get("Location") != "https://usher.example.com"+issuer.PathContinue {
		t.Errorf("status %d to %q", asked.Code, asked.Header().Get("Location"))
	}
	expectTo(t, b.visit(issuer.PathContinue), "/sign-in?lang=en")
	expectTo(t, b.signIn("jane", validPassword), issuer.PathContinue+"?lang=en")
	expect(t, b.visit(issuer.PathContinue), 200, "You are signing in to kubectl", "jane", "this computer")
	got := rp.approve(b)
	if got.Get("state") != "state" || got.Get("iss") != "https://usher.example.com" {
		t.Errorf("answer: %v", got)
	}
	token, err := rp.Exchange(rp.ctx, got.Get("code"), oauth2.VerifierOption(rp.verifier))
	w.Must(err)
	verified, err := rp.provider.Verifier(&oidc.Config{ClientID: issuer.KubectlID, Now: w.Clock.Now}).Verify(rp.ctx, token.Extra("id_token").(string))
	w.Must(err)
	var claims struct {
		Subject  string   `json:"sub"`
		Nonce    string   `json:"nonce"`
		Name     string   `json:"preferred_username"`
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Groups   []string `json:"groups"`
		AMR      []string `json:"amr"`
		AuthTime int64    `json:"auth_time"`
	}
	w.Must(verified.Claims(&claims))
	w.Must(verified.VerifyAccessToken(token.AccessToken))
	if claims.Subject != "uid-of-jane" || claims.Name != "jane" || claims.Nonce != "n" || claims.Email != "jane.doe@example.com" || !claims.Verified ||
		!slices.Equal(claims.Groups, []string{"acme:developer"}) || !slices.Equal(claims.AMR, []string{"pwd"}) || claims.AuthTime != storetest.Start.Unix() {
		t.Errorf("claims: %+v", claims)
	}
	if !verified.Expiry.Equal(storetest.Start.Add(10 * time.Minute)) {
		t.Errorf("expires %s", verified.Expiry)
	}
	info, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token))
	w.Must(err)
	if info.Subject != "uid-of-jane" || info.Email != "jane.doe@example.com" {
		t.Errorf("user info: %+v", info)
	}
	next, err := rp.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	w.Must(err)
	if next.RefreshToken == token.RefreshToken || next.RefreshToken == "" {
		t.Error("the refresh token was not rotated")
	}
	if _, err := rp.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("a refresh token worked twice")
	}
	if _, err := rp.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: next.RefreshToken}).Token(); err == nil {
		t.Error("the next refresh token works although the first one was used twice")
	}
	if _, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(next)); err == nil {
		t.Error("the access token works although the sign-in has ended")
	}
}

func TestAMemberSignsInOnADeviceWithoutABrowser(t *testing.T) {
	w := memberWorld(t)
	rp, b := w.relyingParty(), w.browser()
	rp.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	device, err := rp.DeviceAuth(rp.ctx)
	w.Must(err)
	poll := func() (*oauth2.Token, error) {
		once, cancel := context.WithTimeout(rp.ctx, 10*time.Second)
		defer cancel()
		return rp.DeviceAccessToken(once, &oauth2.DeviceAuthResponse{DeviceCode: device.DeviceCode, Interval: 1})
	}
	page, err := url.Parse(device.VerificationURIComplete)
	w.Must(err)
	expectTo(t, b.visit(page.RequestURI()), "/sign-in?lang=en")
	expectTo(t, b.signIn("jane", validPassword), "/device?code="+device.UserCode+"&lang=en")
	expect(t, b.visit("/device?lang=en&code="+device.UserCode), 200, "Approve a device", device.UserCode, "kubectl", "192.0.2.0/24", "same network")
	expect(t, b.fill("/device?lang=en", url.Values{fieldCode: {device.UserCode}}), 200, "The device is approved")
	token, err := poll()
	w.Must(err)
	verified, err := rp.provider.Verifier(&oidc.Config{ClientID: issuer.KubectlID, Now: w.Clock.Now}).Verify(rp.ctx, token.Extra("id_token").(string))
	w.Must(err)
	if verified.Subject != "uid-of-jane" || token.RefreshToken == "" {
		t.Errorf("%+v", token)
	}
	if _, err := poll(); err == nil {
		t.Error("a device code worked twice")
	}
	if _, err := rp.TokenSource(rp.ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err == nil {
		t.Error("the refresh token works although the device code was used twice")
	}
}
