// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	clientauthv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
)

var credential = []string{"credential"}

// expiring makes the ID tokens end before they are of use, until the next change.
func expiring(k *knobs) { k.life = renewBefore / 2 }

func lasting(k *knobs) { k.life = 10 * time.Minute }

// tokenIn returns the token in the output of credential.
func tokenIn(t *testing.T, o outcome) string {
	t.Helper()
	var printed clientauthv1.ExecCredential
	if err := json.Unmarshal([]byte(o.out), &printed); err != nil || printed.Status == nil {
		t.Fatalf("credential: %v in %q, and %q", err, o.out, o.errors)
	}
	if printed.APIVersion != "client.authentication.k8s.io/v1" || printed.Kind != "ExecCredential" || printed.Status.ExpirationTimestamp == nil {
		t.Errorf("credential: %s", o.out)
	}
	return printed.Status.Token
}

func TestTenProcessesMakeOneRefresh(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(expiring)
	c.login()
	i.set(lasting)
	outcomes := make([]outcome, 10)
	var all sync.WaitGroup
	for n := range outcomes {
		all.Go(func() { outcomes[n] = c.run("credential") })
	}
	all.Wait()
	for _, o := range outcomes {
		if o.code != 0 || tokenIn(t, o) != i.latest {
			t.Errorf("code %d, output %q, errors %q, want the token %q", o.code, o.out, o.errors, i.latest)
		}
	}
	i.expectCalls("refresh_token", 1)
}

func TestATokenIsPrintedUntilItEnds(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.login()
	i.Close() // there is no need for the issuer
	if got := tokenIn(t, c.succeeds(credential)); got != i.latest {
		t.Errorf("token %q, want %q", got, i.latest)
	}
}

func TestARefreshTokenThatIsNotReplacedIsKept(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(expiring)
	c.login()
	i.set(func(k *knobs) { k.noRotation = true })
	for range 2 {
		c.succeeds(credential)
	}
	i.expectCalls("refresh_token", 2)
}

func TestAnEndedSignInWithoutAPerson(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.fails(credential, "you are not signed in", "run kubectl usher login")
	i.set(expiring)
	c.login()
	i.set(func(k *knobs) { k.refuse = map[string]string{"refresh_token": "invalid_grant"} })
	for range 2 {
		c.fails(credential, "your sign-in has ended; run kubectl usher login")
	}
	if file := c.cacheFile(); file != "" {
		t.Errorf("there are still tokens in %s", file)
	}
	i.expectCalls("refresh_token", 1)
	i.expectCalls("/authorize", 1)
}

func TestAnEndedSignInWithAPerson(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.terminal = true
	i.set(expiring)
	first := c.succeeds(credential, "Sign in with your browser.")
	if tokenIn(t, first) != i.latest || strings.Contains(first.errors, "has ended") {
		t.Errorf("the first sign-in: %q", first.errors)
	}
	i.set(func(k *knobs) { k.refuse = map[string]string{"refresh_token": "invalid_grant"} })
	if again := c.succeeds(credential, "Your sign-in has ended.", "Sign in with your browser."); tokenIn(t, again) != i.latest {
		t.Errorf("token %q, want %q", tokenIn(t, again), i.latest)
	}
	i.expectCalls("/authorize", 2)
}

func TestAFailedRefreshKeepsTheTokens(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(expiring)
	c.login()
	i.set(func(k *knobs) {
		k.answer = map[string]http.HandlerFunc{"/token": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<p>\x1b[2Jno", http.StatusBadGateway)
		}}
	})
	if got := c.fails(credential, "renew the sign-in at "+i.URL+": the issuer answered 502"); strings.Contains(got.errors, "\x1b") {
		t.Errorf("the issuer controls the terminal: %q", got.errors)
	}
	i.set(func(k *knobs) { k.answer = nil })
	c.succeeds(credential)
}

func TestAWrongClock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		off  time.Duration
		want string
	}{
		"behind": {time.Hour, "the clock of this computer is 1h0m0s behind that of the issuer"},
		"ahead":  {-time.Hour, "the clock of this computer is 1h0m0s ahead of that of the issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			c := newComputer(t, i)
			i.set(expiring)
			c.login()
			i.set(func(k *knobs) { k.date, k.times = test.off, test.off })
			c.fails(credential, "read the configuration", test.want)
			i.expectCalls("refresh_token", 0)
			i.set(func(k *knobs) { k.date = 0 })
			c.fails(credential, "verify the ID token", test.want)
			i.set(func(k *knobs) { k.times = 0 })
			c.succeeds(credential) // the refresh token of the answer was kept
			i.expectCalls("refresh_token", 2)
		})
	}
}

func TestATokenFromTheFutureIsRenewed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, test := range map[string]struct {
		issued, expires time.Duration
		want            bool
	}{
		"new":                   {0, 10 * time.Minute, true},
		"almost ended":          {-9 * time.Minute, 20 * time.Second, false},
		"a clock a bit behind":  {10 * time.Second, 10 * time.Minute, true},
		"a clock that was off":  {time.Hour, 70 * time.Minute, false},
		"a clock that is ahead": {-time.Hour, -50 * time.Minute, false},
	} {
		tokens := signedIn
		tokens.Issued, tokens.Expires = now.Add(test.issued), now.Add(test.expires)
		if got := isGood(tokens, now); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestARefreshForAnotherPersonIsRefused(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	i.set(expiring)
	c.login()
	i.set(func(k *knobs) { k.claims = map[string]any{"sub": "uid-of-mallory"} })
	c.fails(credential, "it is for another person; run kubectl usher login")
}

func TestAnIssuerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example.com"+r.URL.Path, http.StatusTemporaryRedirect)
	}
	const discovery = "/.well-known/openid-configuration"
	for name, test := range map[string]struct {
		change func(*testIssuer, *computer)
		want   string
	}{
		"it is down":        {func(i *testIssuer, _ *computer) { i.Close() }, "connection refused; check the network, the VPN and the address"},
		"an unknown CA":     {func(_ *testIssuer, c *computer) { c.flags = c.flags[:1] }, "signed by an unknown CA; get the kubeconfig again, or set --issuer-ca"},
		"no CA":             {func(_ *testIssuer, c *computer) { c.flags[1] = "--issuer-ca-data=YQ==" }, "no certificate in PEM form"},
		"a CA of a file":    {func(_ *testIssuer, c *computer) { c.flags[1] = "--issuer-ca=none.pem" }, "--issuer-ca: open none.pem"},
		"two CAs":           {func(_ *testIssuer, c *computer) { c.flags = append(c.flags, "--issuer-ca=none.pem") }, "[issuer-ca issuer-ca-data] were all set"},
		"a slash too much":  {func(_ *testIssuer, c *computer) { c.flags[0] += "/" }, "set --issuer to exactly that"},
		"it is not https":   {func(_ *testIssuer, c *computer) { c.flags[0] = "--issuer=http://127.0.0.1:1" }, "must be an address such as https://accounts.example.com"},
		"it is another app": {func(_ *testIssuer, c *computer) { c.flags[0] += "/app" }, "check whether this is the address of the portal: 404 Not Found"},
		"it redirects": {func(i *testIssuer, _ *computer) {
			i.set(func(k *knobs) { k.answer = map[string]http.HandlerFunc{discovery: redirect} })
		}, "it redirects to elsewhere.example.com"},
		"its token endpoint redirects": {func(i *testIssuer, _ *computer) {
			i.set(func(k *knobs) { k.answer = map[string]http.HandlerFunc{"/token": redirect} })
		}, "it redirects to elsewhere.example.com"},
		"an endpoint without TLS": {func(i *testIssuer, _ *computer) {
			i.set(func(k *knobs) { k.metadata = map[string]any{"token_endpoint": "http://127.0.0.1:1/token"} })
		}, "which is not https"},
		"a browser for files": {func(i *testIssuer, _ *computer) {
			i.set(func(k *knobs) { k.metadata = map[string]any{"authorization_endpoint": "file:///etc/passwd"} })
		}, "which is not https"},
		"an answer without end": {func(i *testIssuer, _ *computer) {
			i.set(func(k *knobs) {
				k.answer = map[string]http.HandlerFunc{discovery: func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20) + "{}"))
				}}
			})
		}, "request body too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			c := newComputer(t, i)
			c.terminal = true
			test.change(i, c)
			c.fails(credential, test.want)
		})
	}
}

func TestACacheThatOthersCanRead(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	c := newComputer(t, i)
	c.login()
	if err := os.Chmod(c.cacheFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	c.fails(credential, "is open to other users, so its tokens may have leaked; run kubectl usher logout")
	c.succeeds([]string{"logout"}, "You are signed out.")
	i.expectCalls("/revoke", 1)
	if file := c.cacheFile(); file != "" {
		t.Errorf("there are still tokens in %s", file)
	}
}
