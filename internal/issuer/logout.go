// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/usher-dev/usher/internal/issuer/keys"
)

// PathSignOut is the page at which a person confirms that they sign out.
const PathSignOut = "/sign-out"

// ParamSignOut is the query parameter of PathSignOut with the sealed request of a client. It
// is absent if no client asked for an address to return to.
const ParamSignOut = "to"

const sealSignOut = "sign-out v1"

// signOut is where a browser goes after it signed out.
type signOut struct {
	ClientID string    `json:"clientID"`
	URI      string    `json:"uri"`
	State    string    `json:"state,omitempty"`
	Expires  time.Time `json:"expires"`
}

// EndSession answers a client that wants its person to sign out (OpenID Connect
// RP-Initiated Logout 1.0). A GET changes nothing, so the person confirms it on a page.
func (i *Issuer) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	to := i.cfg.URL + PathSignOut
	asked := r.Data
	if asked.PostLogoutRedirectURI == "" {
		return op.NewRedirect(to), nil
	}
	id := asked.ClientID
	if asked.IdTokenHint != "" {
		hint, err := i.verifyHint(ctx, asked.IdTokenHint)
		if err != nil && !errors.Is(err, errNoHint) {
			return nil, unavailable()
		}
		if err != nil || len(hint.Audience) != 1 || id != "" && id != hint.Audience[0] {
			return nil, oidc.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token of this issuer for the client")
		}
		id = hint.Audience[0]
	}
	client, found, err := i.cfg.Client(ctx, id)
	switch {
	case err != nil:
		return nil, unavailable()
	case !found || !slices.Contains(client.PostLogoutRedirectURIs, asked.PostLogoutRedirectURI):
		return nil, oidc.ErrInvalidRequest().WithDescription("post_logout_redirect_uri is not one that the client registered")
	}
	sealed, err := i.sealSignOut(ctx, signOut{ClientID: id, URI: asked.PostLogoutRedirectURI, State: asked.State, Expires: i.cfg.Clock.Now().Add(RequestLife)})
	if err != nil {
		return nil, unavailable()
	}
	return op.NewRedirect(to + "?" + url.Values{ParamSignOut: {sealed}}.Encode()), nil
}

func (i *Issuer) sealSignOut(ctx context.Context, s signOut) (string, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return "", err
	}
	message, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("seal a sign-out: %w", err)
	}
	return ring.Seal(sealSignOut, message, i.cfg.Clock.Now(), i.cfg.Random)
}

// SignedOut returns the address that a browser goes to after it signed out, and the client
// that asked for it. It fails with ErrRequestGone.
func (i *Issuer) SignedOut(ctx context.Context, sealed string) (string, Client, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return "", Client{}, err
	}
	var asked signOut
	message, err := ring.Open(sealSignOut, sealed)
	if err != nil || json.Unmarshal(message, &asked) != nil || !i.cfg.Clock.Now().Before(asked.Expires) {
		return "", Client{}, ErrRequestGone
	}
	client, found, err := i.cfg.Client(ctx, asked.ClientID)
	if err != nil {
		return "", Client{}, err
	}
	u, err := url.Parse(asked.URI)
	if err != nil || !found || !slices.Contains(client.PostLogoutRedirectURIs, asked.URI) {
		return "", Client{}, ErrRequestGone
	}
	if asked.State != "" {
		query := u.Query()
		query.Set("state", asked.State)
		u.RawQuery = query.Encode()
	}
	return u.String(), client, nil
}

var errNoHint = errors.New("not an ID token of this issuer")

// verifyHint returns the claims of an ID token of this issuer. It may have expired.
func (i *Issuer) verifyHint(ctx context.Context, text string) (*oidc.IDTokenClaims, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return nil, err
	}
	token, err := jose.ParseSignedCompact(text, keys.Algorithms())
	if err != nil || len(token.Signatures) != 1 {
		return nil, errNoHint
	}
	payload, err := token.Verify(ring.Public())
	claims := new(oidc.IDTokenClaims)
	if err != nil || json.Unmarshal(payload, claims) != nil || claims.Issuer != i.cfg.URL {
		return nil, errNoHint
	}
	return claims, nil
}
