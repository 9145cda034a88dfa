// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
)

// clientApp is kubectl as a client that a spec plays. It records every secret that it gets.
type clientApp struct {
	visitor
	redirectURI, verifier string
	secrets               []string
}

func newClientApp() *clientApp {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	DeferCleanup(server.Close)
	return &clientApp{visitor: newVisitor(), redirectURI: server.URL + "/", verifier: oauth2.GenerateVerifier()}
}

// keep records secrets, and what each has before the name of an Account.
func (c *clientApp) keep(secrets ...string) {
	GinkgoHelper()
	for _, secret := range secrets {
		Expect(secret).NotTo(BeEmpty())
		c.secrets = append(c.secrets, keepSecret(secret))
		if token, _, named := strings.Cut(secret, "."); named && !strings.HasPrefix(secret, "eyJ") {
			c.secrets = append(c.secrets, keepSecret(token))
		}
	}
}

// code signs in a person in their browser, and returns the code.
func (c *clientApp) code(browser *page) string {
	GinkgoHelper()
	browser.open(front.url + issuer.PathAuthorize + "?" + url.Values{
		"client_id": {issuer.KubectlID}, "redirect_uri": {c.redirectURI}, "response_type": {"code"}, "scope": {"openid groups offline_access"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(c.verifier)}, "code_challenge_method": {"S256"},
	}.Encode())
	browser.session()
	c.keep(browser.evaluate("document.querySelector('input[name=request]').value"))
	browser.click("button[value=approve]")
	code := browser.evaluate("new URLSearchParams(location.search).get('code')")
	c.keep(code)
	return code
}

// clientTokens are what a client gets.
type clientTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Device  string `json:"device_code"`
	User    string `json:"user_code"`
}

// ask sends a request with fields and values, one after the other, and returns what it gets.
func (c *clientApp) ask(ctx context.Context, path string, pairs ...string) clientTokens {
	GinkgoHelper()
	form := url.Values{"client_id": {issuer.KubectlID}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	_, body := c.post(ctx, front.url+path, form)
	var got clientTokens
	_ = json.Unmarshal([]byte(body), &got)
	for _, secret := range []string{got.Access, got.Refresh, got.ID, got.Device, got.User} {
		if secret != "" {
			c.keep(secret)
		}
	}
	return got
}

func (c *clientApp) exchange(ctx context.Context, code string) clientTokens {
	GinkgoHelper()
	return c.ask(ctx, issuer.PathToken, "grant_type", "authorization_code", "code", code, "redirect_uri", c.redirectURI, "code_verifier", c.verifier)
}

func (c *clientApp) refresh(ctx context.Context, token string) clientTokens {
	GinkgoHelper()
	return c.ask(ctx, issuer.PathToken, "grant_type", "refresh_token", "refresh_token", token)
}

// lifeOfAClient goes through everything that a client can get, and that it can send to the
// wrong place. It returns the secrets.
func lifeOfAClient(ctx SpecContext) []string {
	GinkgoHelper()
	acme := newTenant(ctx)
	jane := acme.unique("jane-doe")
	password := acme.join(ctx, "jane", "developer", jane)
	browser := newPage()
	browser.mustSignIn(jane, password)
	c := newClientApp()

	code := c.code(browser)
	first := c.exchange(ctx, code)
	Expect(first.Access).NotTo(BeEmpty())
	second := c.refresh(ctx, first.Refresh)
	Expect(second.Refresh).NotTo(BeEmpty())
	for _, secret := range []string{code, first.Access, first.ID, second.Refresh} {
		c.get(ctx, http.MethodGet, front.url+"/oauth2/"+secret)
		c.get(ctx, http.MethodGet, front.url+issuer.PathToken+"?"+url.Values{"code": {secret}, "refresh_token": {secret}}.Encode())
		c.get(ctx, http.MethodGet, front.url+issuer.PathUserInfo+"?"+url.Values{"access_token": {secret}}.Encode())
		c.get(ctx, http.MethodGet, front.url+issuer.PathUserInfo, "Authorization: Bearer "+secret)
		c.get(ctx, http.MethodGet, front.url+issuer.PathEndSession+"?"+url.Values{"id_token_hint": {secret}, "state": {secret}}.Encode())
		c.get(ctx, http.MethodGet, front.url+issuer.PathDevicePage+"?"+url.Values{"code": {secret}}.Encode())
		c.ask(ctx, issuer.PathIntrospect, "token", secret)
		c.ask(ctx, issuer.PathToken, "grant_type", secret, "code", secret, "client_secret", secret)
	}
	Expect(c.refresh(ctx, first.Refresh)).To(Equal(clientTokens{}), "a refresh token that was used")
	Expect(c.exchange(ctx, code)).To(Equal(clientTokens{}), "a code that was used")
	c.ask(ctx, issuer.PathRevoke, "token", second.Refresh)

	device := c.ask(ctx, issuer.PathDevice, "scope", "openid groups offline_access")
	poll := func() clientTokens {
		return c.ask(ctx, issuer.PathToken, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", device.Device)
	}
	Expect(poll()).To(Equal(clientTokens{}), "a device that waits")
	newVisitor().get(ctx, http.MethodGet, front.url+issuer.PathDevicePage+"?code="+device.User)
	browser.open(front.url + issuer.PathDevicePage + "?code=" + device.User)
	browser.submit()
	Eventually(poll).ShouldNot(Equal(clientTokens{}))
	Expect(poll()).To(Equal(clientTokens{}), "a device code that was used")

	c.keep(privateKeys(ctx)...)
	return c.secrets
}

// privateKeys returns the private parts of the keys of the issuer.
func privateKeys(ctx context.Context) []string {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: keys.SecretName}, &secret)).To(Succeed())
	var private []string
	for _, entry := range secret.Data {
		var set struct {
			Keys []struct{ D, K string }
		}
		Expect(json.Unmarshal(entry, &set)).To(Succeed())
		for _, key := range set.Keys {
			private = append(private, key.D+key.K) // a key has one of them
		}
	}
	Expect(private).NotTo(BeEmpty())
	return private
}
