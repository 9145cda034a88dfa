// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
)

var (
	login       = []string{"login"}
	loginDevice = []string{"login", "--device"}
	logout      = []string{"logout"}
	whoami      = []string{"whoami"}
)

// signedIn are tokens in a cache.
var signedIn = cache.Tokens{IDToken: "a.b.c", RefreshToken: "refresh"}

func TestLogin(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.login()
	if page := <-i.pages; page != "200 The browser is done. You can close this page and return to the terminal.\n" {
		t.Errorf("page: %q", page)
	}
	if i.stillOpen {
		t.Error("the server for the browser was open after its answer")
	}
	for path, want := range map[string]os.FileMode{filepath.Dir(c.cacheFile()): 0o700, c.cacheFile(): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, error %v", path, info.Mode(), err)
		}
	}
	c.login() // again
	i.expectCalls("authorization_code", 2)
}

func TestOtherRequestsDoNotEndALogin(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(func(k *knobs) {
		k.browse = func(request url.Values) {
			to, state := request.Get("redirect_uri"), request.Get("state")
			for _, address := range []string{
				to, to + "favicon.ico?state=" + state, to + "?code=forged&state=another&iss=" + i.URL, to + "?error=access_denied&state=",
			} {
				if status, _ := get(address); status != http.StatusNotFound {
					t.Errorf("%s: status %d", address, status)
				}
			}
			response, err := http.PostForm(to+"?code=forged&state="+state, url.Values{}) //nolint:noctx // an address of the plugin
			if err != nil || response.StatusCode != http.StatusNotFound || response.Body.Close() != nil {
				t.Errorf("a form: %v, error %v", response, err)
			}
			if !strings.HasPrefix(to, "http://127.0.0.1:") {
				t.Errorf("the plugin listens at %s", to)
			}
			i.approve(request)
		}
	})
	c.login()
}

func TestAnswersThatAreNoSignIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer url.Values
		want   string
	}{
		"refused":              {url.Values{"error": {"access_denied"}}, "the sign-in was refused in the browser"},
		"another error":        {url.Values{"error": {"server_error"}, "error_description": {"\x1b[2J"}}, `the issuer answered "server_error": "\x1b[2J"`},
		"no code":              {url.Values{}, "the issuer answered without a code"},
		"a code that was used": {url.Values{"code": {"forged"}}, "the code is used or too old; run the command again"},
		"another issuer":       {url.Values{"code": {"forged"}, "iss": {"https://evil.example.com"}}, "another issuer answered"},
		"no issuer":            {url.Values{"code": {"forged"}, "iss": nil}, "another issuer answered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			c := newComputer(t, i)
			i.set(func(k *knobs) {
				k.browse = func(request url.Values) {
					answer := url.Values{"state": {request.Get("state")}, "iss": {i.URL}}
					maps.Copy(answer, test.answer)
					i.comeBack(request, answer)
				}
			})
			c.fails(login, test.want)
			page := <-i.pages
			if isDone := strings.Contains(page, "The browser is done"); isDone != (test.answer.Get("code") != "" && !test.answer.Has("iss")) {
				t.Errorf("page: %q", page)
			}
			if file := c.cacheFile(); file != "" {
				t.Errorf("there are tokens in %s", file)
			}
		})
	}
}

func TestIDTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*knobs) {
		return func(k *knobs) { k.claims = map[string]any{name: value} }
	}
	other := newKey(t)
	for name, test := range map[string]struct {
		change func(*knobs)
		want   string
	}{
		"for another client":      {claim("aud", "grafana"), "expected audience"},
		"of another issuer":       {claim("iss", "https://evil.example.com"), "issued by a different provider"},
		"with another nonce":      {claim("nonce", "another"), "it answers another request"},
		"without a nonce":         {claim("nonce", nil), "it answers another request"},
		"of another key":          {func(k *knobs) { k.otherKey = other }, "failed to verify signature"},
		"that has ended":          {func(k *knobs) { k.life = -time.Second }, "it has ended already"},
		"that begins in an hour":  {func(k *knobs) { k.times = time.Hour }, "the clock of this computer is 1h0m0s behind that of the issuer"},
		"that began an hour ago":  {func(k *knobs) { k.times = -time.Hour }, "the clock of this computer is 1h0m0s ahead of that of the issuer"},
		"that does not say since": {claim("iat", nil), "failed to unmarshal claims"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			c := newComputer(t, i)
			i.set(test.change)
			c.fails(login, "verify the ID token: ", test.want)
			if file := c.cacheFile(); file != "" {
				t.Errorf("there are tokens in %s", file)
			}
		})
	}
}

func TestALoginThatWaitsForAPerson(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.terminal = true
	asked, goOn := make(chan struct{}), make(chan struct{})
	i.set(func(k *knobs) {
		k.browse = func(request url.Values) {
			close(asked)
			<-goOn
			i.approve(request)
		}
	})
	first := make(chan outcome)
	go func() { first <- c.run("login") }()
	<-asked

	// Another process says why it waits, and can be stopped.
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	second := c.command(ctx, "credential")
	stderr, err := second.StderrPipe()
	c.must(err)
	c.must(second.Start())
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "Another kubectl usher is signing in.") {
		t.Errorf("the second process says %q", lines.Text())
	}
	c.must(second.Process.Signal(os.Interrupt))
	for lines.Scan() {
	}
	if err := second.Wait(); err == nil || second.ProcessState.ExitCode() != 1 {
		t.Errorf("the second process ended with %v", err)
	}
	close(goOn)
	if got := <-first; got.code != 0 {
		t.Errorf("the first process: %+v", got)
	}
	i.expectCalls("/authorize", 1)
}

func TestLoginWithADevice(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(func(k *knobs) {
		k.pending = 1
		k.device = map[string]any{"user_code": "ABCD\x1b[2J-EFGH"}
	})
	got := c.succeeds(loginDevice, "  "+i.URL+"/device\n", "  ABCD [2J-EFGH\n", "\x1b[30;107m  █▀▀▀▀▀█ ", "You are signed in as jane.")
	if strings.Contains(got.errors, "\x1b[2J") {
		t.Error("the issuer controls the terminal")
	}
	i.expectCalls("urn:ietf:params:oauth:grant-type:device_code", 2)
	i.expectCalls("/authorize", 0)
}

func TestLoginWithADeviceThatIsRefused(t *testing.T) {
	t.Parallel()
	const grant = "urn:ietf:params:oauth:grant-type:device_code"
	for name, test := range map[string]struct {
		change func(*knobs)
		want   string
	}{
		"refused":     {func(k *knobs) { k.refuse = map[string]string{grant: "access_denied"} }, "the sign-in was refused on the other device"},
		"expired":     {func(k *knobs) { k.refuse = map[string]string{grant: "expired_token"} }, "the code was not approved in time"},
		"used":        {func(k *knobs) { k.refuse = map[string]string{grant: "invalid_grant"} }, "the code is used or too old"},
		"late":        {func(k *knobs) { k.pending, k.device = 100, map[string]any{"expires_in": 2} }, "the code was not approved in time"},
		"no https":    {func(k *knobs) { k.device = map[string]any{"verification_uri": "http://127.0.0.1/"} }, "an address that is not https"},
		"not offered": {func(k *knobs) { k.metadata = map[string]any{"device_authorization_endpoint": ""} }, "it does not offer to sign in with another device"},
		"another interval": {func(k *knobs) {
			k.refuse, k.device = map[string]string{grant: "unauthorized_client"}, map[string]any{"interval": 1}
		}, "the issuer answered unauthorized_client: because [31mred"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			i.set(test.change)
			newComputer(t, i).fails(loginDevice, test.want)
		})
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.succeeds(logout, "You are not signed in.")
	c.login()
	c.succeeds(logout, "You are signed out.")
	if file := c.cacheFile(); file != "" || i.refresh != "" {
		t.Errorf("tokens are left in %q, and %q works at the issuer", file, i.refresh)
	}
	c.login()
	i.Close()
	c.fails(logout, "the tokens were removed from this computer, but the sign-in has not ended; end it on your account page at "+i.URL, "connection refused")
	c.succeeds(logout, "You are not signed in.")
}

func TestWhoami(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.fails(whoami, "run kubectl usher login")
	i.set(func(k *knobs) { k.claims = map[string]any{"email": "jane\x1b[2J@example.com", "groups_omitted": 3} })
	c.login()
	got := c.succeeds(whoami)
	want := "User name:  jane\nMail:       jane [2J@example.com\nGroups:     acme:developer\n            zoo:owner\n            and 3 more\nPortal:     " + i.URL + "\nToken ends: "
	if !strings.HasPrefix(got.out, want) || !strings.HasSuffix(got.out, ", and is renewed automatically\n") {
		t.Errorf("got\n%s\nwant\n%s", got.out, want)
	}
}
