// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
)

// tokens verifies what the issuer returned: the signature, issuer and audience of the ID
// token, its times, and the nonce. nonce is empty if the request had none.
func (c *Client) tokens(ctx context.Context, got *oauth2.Token, nonce string) (cache.Tokens, error) {
	raw, found := got.Extra("id_token").(string)
	if !found {
		return cache.Tokens{}, errors.New("the issuer returned no ID token")
	}
	// The times are checked below, with an error that names the clock.
	verified, err := c.provider.VerifierContext(c.with(ctx), &oidc.Config{ClientID: c.ClientID, SkipExpiryCheck: true}).Verify(ctx, raw)
	if err != nil {
		return cache.Tokens{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if verified.Nonce != nonce {
		return cache.Tokens{}, errors.New("verify the ID token: it answers another request; run the command again")
	}
	now := c.Now()
	if err := checkClock(now, verified.IssuedAt); err != nil {
		return cache.Tokens{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if !verified.Expiry.After(now) {
		return cache.Tokens{}, errors.New("verify the ID token: it has ended already; tell the administrator of the portal")
	}
	return cache.Tokens{
		IDToken: raw, RefreshToken: got.RefreshToken, AccessToken: got.AccessToken,
		Subject: verified.Subject, Issued: verified.IssuedAt.UTC(), Expires: verified.Expiry.UTC(),
	}, nil
}

// Refresh renews the tokens without the person. It fails with ErrEnded if the person has to
// sign in again.
//
// A refresh token works once, and the issuer ends the sign-in if it comes twice. So a
// request that was sent is not canceled with the context, and Refresh returns the next
// refresh token even if it fails with the rest of the answer.
func (c *Client) Refresh(ctx context.Context, before cache.Tokens) (cache.Tokens, error) {
	if before.RefreshToken == "" {
		return cache.Tokens{}, ErrEnded
	}
	ctx = context.WithoutCancel(ctx)
	got, err := c.oauth.TokenSource(c.with(ctx), &oauth2.Token{RefreshToken: before.RefreshToken}).Token()
	if err != nil {
		return cache.Tokens{}, explain("renew the sign-in at "+c.Issuer, err)
	}
	next, err := c.tokens(ctx, got, "")
	if err == nil && before.Subject != "" && next.Subject != before.Subject {
		err = errors.New("verify the ID token: it is for another person; run kubectl usher login") // OpenID Connect Core 1.0, section 12.2
	}
	if err != nil {
		return cache.Tokens{RefreshToken: got.RefreshToken, Subject: before.Subject}, err
	}
	return next, nil
}

// Revoke ends the sign-in at the issuer (RFC 7009).
func (c *Client) Revoke(ctx context.Context, t cache.Tokens) error {
	doing := "sign out at " + c.Issuer
	if c.more.Revocation == "" {
		return fmt.Errorf("%s: it has no address for that", doing)
	}
	form := url.Values{"token": {cmp.Or(t.RefreshToken, t.AccessToken)}, "client_id": {c.ClientID}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.more.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := c.http.Do(request)
	if err != nil {
		return explain(doing, err)
	}
	defer func() { _ = response.Body.Close() }() // nothing was read
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: it answered %d", doing, response.StatusCode)
	}
	return nil
}

// Get reads a page of the portal for the person of an access token. It fails with ErrEnded
// if the portal does not accept the token.
func (c *Client) Get(ctx context.Context, path, accessToken string) ([]byte, error) {
	address := strings.TrimSuffix(c.Issuer, "/") + path
	doing := "read " + address
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, explain(doing, err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusUnauthorized:
		return nil, ErrEnded
	}
	return nil, fmt.Errorf("%s: it answered %d; ask the administrator of the portal", doing, response.StatusCode)
}
