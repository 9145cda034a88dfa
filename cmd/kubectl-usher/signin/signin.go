// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package signin signs a person in to an OpenID provider from a terminal: with a browser on
// the same computer (RFC 8252), or with one on another device (RFC 8628). It renews and
// revokes the tokens.
package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config says where to sign in.
type Config struct {
	// Issuer is the address of the OpenID provider.
	Issuer string
	// ClientID of kubectl at the issuer.
	ClientID string
	// CA holds certificates in PEM form to trust instead of the system's. Empty means the
	// system's.
	CA []byte
	// Out is what the person reads.
	Out io.Writer
	// OpenBrowser opens an address in a browser.
	OpenBrowser func(address string) error
	// Now returns the current time.
	Now func() time.Time
}

// Client signs in at one issuer.
type Client struct {
	Config
	http     *http.Client
	provider *oidc.Provider
	oauth    oauth2.Config
	more     metadata
}

// metadata is what go-oidc does not tell about the issuer.
type metadata struct {
	Revocation string `json:"revocation_endpoint"`
	Keys       string `json:"jwks_uri"`
	// NamesIssuer means that answers name the issuer (RFC 9207).
	NamesIssuer bool `json:"authorization_response_iss_parameter_supported"`
}

// New reads the configuration of the issuer.
func New(ctx context.Context, c Config) (*Client, error) {
	if !isHTTPS(c.Issuer) {
		return nil, fmt.Errorf("the issuer must be an address such as https://accounts.example.com, not %q", c.Issuer)
	}
	client, err := httpClient(c)
	if err != nil {
		return nil, err
	}
	signer := &Client{Config: c, http: client}
	reading := "read the configuration of " + c.Issuer
	if signer.provider, err = oidc.NewProvider(signer.with(ctx), c.Issuer); err != nil {
		return nil, explainDiscovery(reading, err)
	}
	if err := signer.provider.Claims(&signer.more); err != nil {
		return nil, fmt.Errorf("%s: %w", reading, err)
	}
	to := signer.provider.Endpoint()
	to.AuthStyle = oauth2.AuthStyleInParams // a public client has no secret
	for _, address := range []string{to.AuthURL, to.TokenURL, to.DeviceAuthURL, signer.more.Revocation, signer.more.Keys} {
		if address != "" && !isHTTPS(address) {
			return nil, fmt.Errorf("%s: it names the address %q, which is not https", reading, address)
		}
	}
	signer.oauth = oauth2.Config{
		ClientID: c.ClientID, Endpoint: to,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups", oidc.ScopeOfflineAccess},
	}
	return signer, nil
}

// isHTTPS reports whether an address begins with https:// and a host.
func isHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

func (c *Client) with(ctx context.Context) context.Context { return oidc.ClientContext(ctx, c.http) }

// exchangeError explains why a code was not exchanged for tokens.
func (c *Client) exchangeError(err error) error {
	if errors.Is(explain("", err), ErrEnded) {
		return fmt.Errorf("sign in at %s: the code is used or too old; run the command again", c.Issuer)
	}
	return explain("sign in at "+c.Issuer, err)
}
