// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

// named adds the name of the Account to a code or a token, so that the portal finds its
// Secret.
func named(token, accountName string) string { return token + "." + accountName }

// nameIn splits what named returned. The name is a claim: only the Secret proves it.
func nameIn(text string) (token, accountName string, found bool) {
	token, accountName, found = strings.Cut(text, ".")
	return token, accountName, found && store.CanBeAccountName(accountName)
}

// VerifyClient authenticates the client of a request (RFC 6749, section 2.3). A public
// client has only its client_id.
func (i *Issuer) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	client, found, err := i.cfg.Client(ctx, r.Data.ClientID)
	if err != nil {
		return nil, unavailable()
	}
	if !found || r.Data.ClientAssertion != "" || !client.hasSecret(r.Data.ClientSecret) {
		return nil, op.NewStatusError(oidc.ErrInvalidClient().WithDescription("the client could not be authenticated"), http.StatusUnauthorized)
	}
	return registration{client}, nil
}

// hasSecret reports whether a text is the client's secret. A public client has none.
func (c Client) hasSecret(text string) bool {
	if c.Public() {
		return text == ""
	}
	sum := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(sum[:], c.SecretHash) == 1
}

// CodeExchange exchanges a code for tokens (RFC 6749, section 4.1.3, and RFC 7636, section
// 4.5). A code works once, for the client and the redirect URI that it was made for.
func (i *Issuer) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	code, name, found := nameIn(r.Data.Code)
	if !found {
		return nil, invalidGrant()
	}
	ring, err := i.cfg.Keys(ctx) // before the code is used up
	if err != nil {
		return nil, unavailable()
	}
	to, refresh, err := i.cfg.Store.UseClientCode(ctx, name, code, func(c session.Client) error {
		challenge := &oidc.CodeChallenge{Challenge: c.Code.Challenge, Method: oidc.CodeChallengeMethodS256}
		if c.ClientID != r.Client.GetID() || c.Code.RedirectURI != r.Data.RedirectURI || !oidc.VerifyCodeChallenge(challenge, r.Data.CodeVerifier) {
			return errMismatch
		}
		return nil
	})
	if err != nil {
		return nil, refusalOf(err)
	}
	return i.tokens(ring, to, r.Client, refresh, to.Client.Code.Nonce, to.Client.Scopes)
}

// RefreshToken exchanges a refresh token for new tokens (RFC 6749, section 6). A refresh
// token works once. It can ask for fewer scopes.
func (i *Issuer) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	token, name, found := nameIn(r.Data.RefreshToken)
	if !found {
		return nil, invalidGrant()
	}
	ring, err := i.cfg.Keys(ctx) // before the token is used up
	if err != nil {
		return nil, unavailable()
	}
	asked := []string(r.Data.Scopes)
	to, refresh, err := i.cfg.Store.UseClientRefresh(ctx, name, token, func(c session.Client) error {
		switch {
		case c.ClientID != r.Client.GetID():
			return errMismatch
		case slices.ContainsFunc(asked, func(scope string) bool { return !slices.Contains(c.Scopes, scope) }):
			return errScope
		}
		return nil
	})
	if err != nil {
		return nil, refusalOf(err)
	}
	if len(asked) == 0 {
		asked = to.Client.Scopes
	}
	return i.tokens(ring, to, r.Client, refresh, "", asked)
}

var (
	// errMismatch means that a code or token was made for another client, redirect URI or
	// code verifier.
	errMismatch = errors.New("the code or token was made for another request")
	// errScope means that a refresh asks for more than the person approved.
	errScope = errors.New("the scope is wider than the one that was approved")
)

func invalidGrant() error {
	return oidc.ErrInvalidGrant().WithDescription("the code or token is invalid, expired or used, or its sign-in has ended; sign in again")
}

// refusalOf returns the error that the client sees. Why a code or a token does not work is
// the same for everyone.
func refusalOf(err error) error {
	switch {
	case errors.Is(err, session.ErrNoSignIn), errors.Is(err, session.ErrReplayed), errors.Is(err, errMismatch):
		return invalidGrant()
	case errors.Is(err, errScope):
		return oidc.ErrInvalidScope().WithDescription("the scope is wider than the one that was approved")
	case errors.Is(err, store.ErrLocked):
		return locked()
	}
	return unavailable()
}

// locked is the answer while an Account is locked. It is not that of a sign-in that has
// ended, after which clients forget their tokens.
func locked() error {
	return op.NewStatusError(&oidc.Error{ErrorType: "temporarily_unavailable", Description: "the account is locked for a while; try again later"}, http.StatusServiceUnavailable)
}

// unavailable is the answer if something behind the issuer failed. It does not say what.
func unavailable() error {
	return op.NewStatusError(oidc.ErrServerError().WithDescription("the issuer cannot answer now; try again in a few seconds"), http.StatusServiceUnavailable)
}

// tokens returns the token response of a sign-in (OpenID Connect Core 1.0, section 3.1.3.3).
func (i *Issuer) tokens(ring keys.Ring, to *store.SignedInTo, client op.Client, refresh, nonce string, scopes []string) (*op.Response, error) {
	now := i.cfg.Clock.Now().UTC()
	payload, err := json.Marshal(accessToken{ID: to.Client.ID, Account: to.Account.Name, Scopes: scopes, Expires: now.Add(session.TokenLife).Unix(), Issued: now.Unix()})
	if err != nil {
		return nil, fmt.Errorf("make an access token: %w", err)
	}
	access, err := ring.Seal(sealAccessToken, payload, now, i.cfg.Random)
	if err != nil {
		return nil, unavailable()
	}
	alg := client.(registration).Algorithm
	hash, err := oidc.ClaimHash(access, alg)
	if err != nil {
		return nil, fmt.Errorf("hash an access token: %w", err)
	}
	claims := &oidc.IDTokenClaims{
		TokenClaims: oidc.TokenClaims{
			Issuer: i.cfg.URL, Audience: oidc.Audience{client.GetID()}, AuthorizedParty: client.GetID(),
			Expiration: oidc.FromTime(now.Add(session.TokenLife)), IssuedAt: oidc.FromTime(now), AuthTime: oidc.FromTime(to.Client.AuthTime),
			Nonce: nonce, AuthenticationMethodsReferences: to.Client.Methods,
		},
		AccessTokenHash: hash,
	}
	claims.SetUserInfo(userInfo(to.Member, scopes))
	key, err := ring.Signer(alg, now)
	if err != nil {
		return nil, unavailable()
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("sign an ID token: %w", err)
	}
	idToken, err := crypto.Sign(claims, signer)
	if err != nil {
		return nil, fmt.Errorf("sign an ID token: %w", err)
	}
	response := &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: oidc.BearerToken, ExpiresIn: uint64(session.TokenLife / time.Second), IDToken: idToken, Scope: scopes,
	}
	if refresh != "" {
		response.RefreshToken = named(refresh, to.Account.Name)
	}
	return op.NewResponse(response), nil
}
