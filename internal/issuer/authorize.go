// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

// RequestLife is how long a person can take to sign in and approve a request.
const RequestLife = time.Hour

// maxRequest is the maximum size of a sealed request, in bytes. A browser must be able to
// carry it.
const maxRequest = 3 << 10

// ErrRequestGone means that a request was not sealed by this issuer, or has expired.
var ErrRequestGone = errors.New("the request to sign in to an application has expired")

// Request is a valid authorization request. It is sealed in what the browser carries until
// the person approves it.
type Request struct {
	ClientID    string   `json:"clientID,omitempty"`
	RedirectURI string   `json:"redirectURI,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	State       string   `json:"state,omitempty"`
	Nonce       string   `json:"nonce,omitempty"`
	Challenge   string   `json:"challenge,omitempty"`
	// AuthTime is the earliest time at which the person may have signed in. Zero means that
	// any sign-in is good.
	AuthTime time.Time `json:"authTime,omitzero"`
	// Subject is who must sign in. Empty means anyone.
	Subject string `json:"subject,omitempty"`
	// Device means that the person was about to approve a device, with UserCode if they
	// have typed it already. There is no client then.
	Device   bool   `json:"device,omitempty"`
	UserCode string `json:"userCode,omitempty"`
	// Expires is when the request can no longer be approved.
	Expires time.Time `json:"expires"`
}

const sealRequest = "authorization request v1"

// challengeForm is the form of a code challenge by the method S256.
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// VerifyAuthRequest finds the client and checks the redirect URI, before anything is sent
// to it. Its errors are shown, not redirected.
func (i *Issuer) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	client, found, err := i.cfg.Client(ctx, r.Data.ClientID)
	switch {
	case err != nil:
		return nil, unavailable()
	case !found:
		return nil, oidc.ErrInvalidRequest().WithDescription("client_id names no client of this issuer")
	case !client.Allows(r.Data.RedirectURI):
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("redirect_uri is not one that the client registered")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: registration{client}}, nil
}

// Authorize answers a valid request with a redirect to the page at which the person
// approves it. The browser carries the request there in a cookie.
func (i *Issuer) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	now := i.cfg.Clock.Now()
	request, refusal := i.request(ctx, r, now)
	if refusal != nil {
		return op.NewRedirect(i.refuse(r.Data.RedirectURI, r.Data.State, refusal)), nil
	}
	sealed, err := i.Seal(ctx, request)
	if err != nil {
		return nil, unavailable()
	}
	if len(sealed) > maxRequest {
		return op.NewRedirect(i.refuse(r.Data.RedirectURI, r.Data.State, oidc.ErrInvalidRequest().WithDescription("the request is too long"))), nil
	}
	redirect := op.NewRedirect(i.cfg.URL + PathContinue + inLanguage(r.Data.UILocales))
	redirect.Header.Set("Set-Cookie", i.cfg.Cookie(sealed))
	return redirect, nil
}

// inLanguage returns the query of a page in the first of these languages that the pages have.
// It is empty if they have none: the browser's preference then decides.
func inLanguage(locales oidc.Locales) string {
	for _, locale := range locales {
		if tag, known := language.Parse(locale.String()); known {
			return "?lang=" + tag.String()
		}
	}
	return ""
}

// request returns the request, or why the client is refused.
func (i *Issuer) request(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest], now time.Time) (Request, *oidc.Error) {
	asked := r.Data
	request := Request{
		ClientID: asked.ClientID, RedirectURI: asked.RedirectURI, Scopes: granted(asked.Scopes),
		State: asked.State, Nonce: asked.Nonce, Challenge: asked.CodeChallenge, Expires: now.Add(RequestLife),
	}
	switch {
	case asked.RequestParam != "":
		return request, oidc.ErrRequestNotSupported()
	case r.Form.Get("request_uri") != "":
		return request, &oidc.Error{ErrorType: "request_uri_not_supported"}
	case r.Form.Get("registration") != "":
		return request, &oidc.Error{ErrorType: "registration_not_supported"}
	case asked.ResponseMode != "" && asked.ResponseMode != oidc.ResponseModeQuery:
		return request, oidc.ErrInvalidRequest().WithDescription("response_mode must be query")
	case asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || !challengeForm.MatchString(asked.CodeChallenge):
		return request, oidc.ErrInvalidRequest().WithDescription("code_challenge is required, with code_challenge_method S256")
	case !slices.Contains(request.Scopes, oidc.ScopeOpenID):
		return request, oidc.ErrInvalidScope().WithDescription("scope must contain openid")
	case slices.Contains(asked.Prompt, oidc.PromptNone):
		return request, oidc.ErrInteractionRequired().WithDescription("the person has to approve each sign-in")
	case slices.Contains(asked.Prompt, oidc.PromptLogin), slices.Contains(asked.Prompt, oidc.PromptSelectAccount):
		request.AuthTime = now.Truncate(time.Second)
	case asked.MaxAge != nil:
		request.AuthTime = now.Add(-time.Duration(min(*asked.MaxAge, maxAge)) * time.Second).Truncate(time.Second)
	}
	if asked.IDTokenHint != "" {
		hint, err := i.verifyHint(ctx, asked.IDTokenHint)
		if err != nil {
			return request, oidc.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token of this issuer")
		}
		request.Subject = hint.Subject
	}
	return request, nil
}

// maxAge bounds max_age, in seconds. Sessions do not live as long.
const maxAge = 30 * 24 * 60 * 60

// Seal encrypts a request for the browser.
func (i *Issuer) Seal(ctx context.Context, request Request) (string, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return "", err
	}
	message, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("seal a request: %w", err)
	}
	return ring.Seal(sealRequest, message, i.cfg.Clock.Now(), i.cfg.Random)
}

// Open returns the request that the browser carries, and its client. It fails with
// ErrRequestGone.
func (i *Issuer) Open(ctx context.Context, sealed string) (Request, Client, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return Request{}, Client{}, err
	}
	var request Request
	message, err := ring.Open(sealRequest, sealed)
	if err != nil || json.Unmarshal(message, &request) != nil || !i.cfg.Clock.Now().Before(request.Expires) {
		return Request{}, Client{}, ErrRequestGone
	}
	if request.Device {
		return request, Client{}, nil
	}
	// The client may have changed since then.
	client, found, err := i.cfg.Client(ctx, request.ClientID)
	if err != nil {
		return Request{}, Client{}, err
	}
	if !found || !client.Allows(request.RedirectURI) {
		return Request{}, Client{}, ErrRequestGone
	}
	return request, client, nil
}

// SatisfiedBy reports whether the person of a session is who has to sign in, and signed in
// late enough.
func (r Request) SatisfiedBy(at *store.SignedIn) bool {
	return at.IsIn() && !at.Session.StartTime.Before(r.AuthTime) && r.IsFor(at.Account)
}

// IsFor reports whether a person is who has to sign in.
func (r Request) IsFor(a *accountsv1.Account) bool {
	return r.Subject == "" || r.Subject == string(a.UID)
}

// Approve begins the sign-in to the client that the person approved in their session, and
// returns the address that the browser goes to with the code. It fails with store.ErrGone
// if the session has ended or the Account cannot be used.
func (i *Issuer) Approve(ctx context.Context, at *store.SignedIn, request Request) (string, error) {
	code, err := i.cfg.Store.SignInToClient(ctx, at, session.Client{
		ClientID: request.ClientID, Scopes: request.Scopes,
		Code: &session.Code{RedirectURI: request.RedirectURI, Challenge: request.Challenge, Nonce: request.Nonce},
	})
	if err != nil {
		return "", err
	}
	return i.answer(request.RedirectURI, request.State, url.Values{"code": {named(code, at.Account.Name)}}), nil
}

// Deny returns the address that the browser goes to if the person does not approve.
func (i *Issuer) Deny(request Request) string {
	return i.refuse(request.RedirectURI, request.State, oidc.ErrAccessDenied().WithDescription("the person did not approve"))
}

func (i *Issuer) refuse(redirectURI, state string, why *oidc.Error) string {
	values := url.Values{"error": {string(why.ErrorType)}}
	if why.Description != "" {
		values.Set("error_description", why.Description)
	}
	return i.answer(redirectURI, state, values)
}

// answer returns the address of an authorization response. It names the issuer, so a client
// that knows several issuers cannot mix them up (RFC 9207).
func (i *Issuer) answer(redirectURI, state string, values url.Values) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return i.cfg.URL // it was registered, so it is a URL
	}
	query := u.Query()
	for name := range values {
		query.Set(name, values.Get(name))
	}
	if state != "" {
		query.Set("state", state)
	}
	query.Set("iss", i.cfg.URL)
	u.RawQuery = query.Encode()
	return u.String()
}
