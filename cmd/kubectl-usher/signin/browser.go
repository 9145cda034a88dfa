// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
)

// browserTime is how long a person can take to sign in.
const browserTime = 10 * time.Minute

// answer is what the browser brings back.
type answer struct {
	code string
	err  error
}

// WithBrowser signs in with a browser on this computer. The browser returns to a server on
// the loopback interface, which ends with the answer.
func (c *Client) WithBrowser(ctx context.Context) (cache.Tokens, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return cache.Tokens{}, fmt.Errorf("wait for the browser: %w; try kubectl usher login --device", err)
	}
	oauth := c.oauth
	oauth.RedirectURL = "http://" + listener.Addr().String() + "/"
	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	code, err := c.ask(ctx, listener, state, oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		return cache.Tokens{}, err
	}
	token, err := oauth.Exchange(c.with(ctx), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return cache.Tokens{}, c.exchangeError(err)
	}
	return c.tokens(ctx, token, nonce)
}

// ask opens an address in the browser, and returns the code that the browser brings back.
func (c *Client) ask(ctx context.Context, listener net.Listener, state, address string) (string, error) {
	answers := make(chan answer, 1)
	server := &http.Server{Handler: c.receive(state, answers), ReadHeaderTimeout: timeout, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(listener) }() // ends with Close
	defer func() { _ = server.Close() }()

	_, _ = fmt.Fprintf(c.Out, "Sign in with your browser. If it does not open, open this address on this computer:\n\n  %s\n\n", address)
	if err := c.OpenBrowser(address); err != nil {
		_, _ = fmt.Fprintln(c.Out, "No browser could be opened.")
	}
	_, _ = fmt.Fprintln(c.Out, "To use a browser on another device, press Ctrl-C and run kubectl usher login --device.")
	late := time.NewTimer(browserTime)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the browser: %w", ctx.Err())
	case <-late.C:
		return "", errors.New("you did not sign in with the browser in time; run the command again")
	case got := <-answers:
		return got.code, got.err
	}
}

// receive handles the request with which the browser returns. It ignores requests with
// another state: any page can send the browser here.
func (c *Client) receive(state string, answers chan<- answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		var got answer
		switch {
		case r.Method != http.MethodGet || r.URL.Path != "/" || query.Get("state") != state:
			http.NotFound(w, r)
			return
		case (c.more.NamesIssuer || query.Has("iss")) && query.Get("iss") != c.Issuer: // RFC 9207
			got.err = errors.New("another issuer answered; run the command again")
		case query.Get("error") == "access_denied":
			got.err = errors.New("the sign-in was refused in the browser")
		case query.Get("error") != "":
			got.err = fmt.Errorf("the issuer answered %q: %q", query.Get("error"), query.Get("error_description"))
		case query.Get("code") == "":
			got.err = errors.New("the issuer answered without a code; run the command again")
		default:
			got.code = query.Get("code")
		}
		text := "The browser is done. You can close this page and return to the terminal.\n"
		if got.err != nil {
			text = "You are not signed in. You can close this page. The terminal says what happened.\n"
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Connection", "close")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		// The server ends with the answer, so the page must be sent before. The browser may
		// be gone.
		_, _ = w.Write([]byte(text))
		_ = http.NewResponseController(w).Flush()
		select {
		case answers <- got:
		default: // the first answer counts
		}
	})
}
