// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

const sealAccessToken = "access token v1"

// accessToken is what an access token says. It is sealed, so clients cannot read it, and it
// costs no write. It works only as long as the sign-in that it belongs to.
type accessToken struct {
	ID      string   `json:"id"`
	Account string   `json:"account"`
	Scopes  []string `json:"scopes"`
	Issued  int64    `json:"issued"`
	Expires int64    `json:"expires"`
}

// open returns the content of an access token and the sign-in that it belongs to. It fails
// with session.ErrNoSignIn.
func (i *Issuer) open(ctx context.Context, text string) (accessToken, *store.SignedInTo, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return accessToken{}, nil, err
	}
	var token accessToken
	message, err := ring.Open(sealAccessToken, text)
	if err != nil || json.Unmarshal(message, &token) != nil || i.cfg.Clock.Now().Unix() >= token.Expires {
		return accessToken{}, nil, session.ErrNoSignIn
	}
	to, err := i.cfg.Store.SignedInToClient(ctx, token.Account, token.ID)
	return token, to, err
}

// find returns the sign-in that an access token or a refresh token belongs to. It fails
// with session.ErrNoSignIn.
func (i *Issuer) find(ctx context.Context, text string) (accessToken, *store.SignedInTo, error) {
	token, name, found := nameIn(text)
	if !found {
		return i.open(ctx, text)
	}
	to, err := i.cfg.Store.SignedInToClientWith(ctx, name, token)
	return accessToken{}, to, err
}

// usable returns what open or find returned, if the person may use clients now. It fails with
// session.ErrNoSignIn or store.ErrLocked.
func (i *Issuer) usable(token accessToken, to *store.SignedInTo, err error) (accessToken, *store.SignedInTo, error) {
	if err == nil {
		err = to.ClientsRefused(i.cfg.Clock.Now())
	}
	return token, to, err
}

// UserInfo returns the claims about the person of an access token (OpenID Connect Core 1.0,
// section 5.3).
func (i *Issuer) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	token, to, err := i.usable(i.open(ctx, r.Data.AccessToken))
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, locked()
	case errors.Is(err, session.ErrNoSignIn):
		return nil, op.NewStatusError(&oidc.Error{ErrorType: "invalid_token", Description: "the access token has expired, or its sign-in has ended"}, http.StatusUnauthorized)
	case err != nil:
		return nil, unavailable()
	}
	return op.NewResponse(userInfo(to.Member, token.Scopes)), nil
}

// Introspect reports to a confidential client whether a token of its own is active (RFC
// 7662).
func (i *Issuer) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	client, err := i.VerifyClient(ctx, &op.Request[op.ClientCredentials]{Data: r.Data.ClientCredentials})
	if err != nil {
		return nil, err
	}
	if client.AuthMethod() == oidc.AuthMethodNone {
		return nil, op.NewStatusError(oidc.ErrInvalidClient().WithDescription("a public client cannot introspect tokens"), http.StatusUnauthorized)
	}
	token, to, err := i.usable(i.find(ctx, r.Data.Token))
	switch {
	case errors.Is(err, session.ErrNoSignIn), errors.Is(err, store.ErrLocked), err == nil && to.Client.ClientID != client.GetID():
		return op.NewResponse(&oidc.IntrospectionResponse{}), nil
	case err != nil:
		return nil, unavailable()
	}
	scopes := to.Client.Scopes
	answer := &oidc.IntrospectionResponse{
		Active: true, ClientID: to.Client.ClientID, Issuer: i.cfg.URL, Audience: oidc.Audience{to.Client.ClientID},
		AuthTime: oidc.FromTime(to.Client.AuthTime), AuthenticationMethodsReferences: to.Client.Methods,
	}
	if token.ID != "" {
		scopes = token.Scopes
		answer.TokenType = oidc.BearerToken
		answer.IssuedAt, answer.Expiration = oidc.FromTime(time.Unix(token.Issued, 0)), oidc.FromTime(time.Unix(token.Expires, 0))
	}
	answer.Scope = scopes
	answer.SetUserInfo(userInfo(to.Member, scopes))
	return op.NewResponse(answer), nil
}

// Revocation ends the sign-in that a token belongs to (RFC 7009), also of a person who may
// not use clients now. A token that does not work is no error.
func (i *Issuer) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	_, to, err := i.find(ctx, r.Data.Token)
	switch {
	case errors.Is(err, session.ErrNoSignIn):
		return op.NewResponse(struct{}{}), nil
	case err != nil:
		return nil, unavailable()
	case to.Client.ClientID != r.Client.GetID():
		return nil, invalidGrant()
	}
	if err := i.cfg.Store.EndClient(ctx, to.Member, to.Client.ID); err != nil && !errors.Is(err, store.ErrGone) {
		return nil, unavailable()
	}
	return op.NewResponse(struct{}{}), nil
}

// Check reports whether an access token of a client works. It fails with
// session.ErrNoSignIn or store.ErrLocked.
func (i *Issuer) Check(ctx context.Context, clientID, text string) error {
	_, to, err := i.usable(i.open(ctx, text))
	if err == nil && to.Client.ClientID != clientID {
		return session.ErrNoSignIn
	}
	return err
}
