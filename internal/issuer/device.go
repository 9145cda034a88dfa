// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/usher-dev/usher/internal/issuer/usercode"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

// PathDevicePage is the page at which a person enters the code of a device.
const PathDevicePage = "/device"

// pollInterval is how often a device may ask whether a person approved it.
const pollInterval = 5 * time.Second

const sealDevice = "device code v1"

// deviceCode is what a device code says. It is sealed, and stored nowhere. UserCode was
// derived from Secret.
type deviceCode struct {
	ClientID string    `json:"clientID"`
	Scopes   []string  `json:"scopes"`
	Secret   string    `json:"secret"`
	UserCode string    `json:"userCode"`
	Expires  time.Time `json:"expires"`
}

type addressKey struct{}

// WithAddress returns a context that knows the address of the client that sent a request.
func WithAddress(ctx context.Context, address netip.Addr) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// DeviceAuthorization begins a sign-in on a device without a browser (RFC 8628, section
// 3.1). It writes nothing.
func (i *Issuer) DeviceAuthorization(ctx context.Context, r *op.ClientRequest[oidc.DeviceAuthorizationRequest]) (*op.Response, error) {
	scopes := granted(r.Data.Scopes)
	switch {
	case !op.ValidateGrantType(r.Client, oidc.GrantTypeDeviceCode):
		return nil, oidc.ErrUnauthorizedClient().WithDescription("the client cannot use the device flow")
	case len(scopes) == 0 || scopes[0] != oidc.ScopeOpenID:
		return nil, oidc.ErrInvalidScope().WithDescription("scope must contain openid")
	}
	now := i.cfg.Clock.Now()
	secret, err := session.NewToken(i.cfg.Random)
	if err != nil {
		return nil, unavailable()
	}
	address, _ := ctx.Value(addressKey{}).(netip.Addr)
	code := deviceCode{
		ClientID: r.Client.GetID(), Scopes: scopes, Secret: secret, Expires: now.Add(usercode.Life),
		UserCode: usercode.New([]byte(secret), address, now).String(),
	}
	message, err := json.Marshal(code) //nolint:gosec // G117: it is sealed.
	if err != nil {
		return nil, fmt.Errorf("make a device code: %w", err)
	}
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return nil, unavailable()
	}
	sealed, err := ring.Seal(sealDevice, message, now, i.cfg.Random)
	if err != nil {
		return nil, unavailable()
	}
	page := i.cfg.URL + PathDevicePage
	return op.NewResponse(&oidc.DeviceAuthorizationResponse{
		DeviceCode: sealed, UserCode: code.UserCode, VerificationURI: page,
		VerificationURIComplete: page + "?" + url.Values{"code": {code.UserCode}}.Encode(),
		ExpiresIn:               int(usercode.Life / time.Second), Interval: int(pollInterval / time.Second),
	}), nil
}

// DeviceToken answers a device that asks whether a person approved it (RFC 8628, section
// 3.4).
func (i *Issuer) DeviceToken(ctx context.Context, r *op.ClientRequest[oidc.DeviceAccessTokenRequest]) (*op.Response, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return nil, unavailable()
	}
	var code deviceCode
	message, err := ring.Open(sealDevice, r.Data.DeviceCode)
	switch {
	case err != nil || json.Unmarshal(message, &code) != nil || code.ClientID != r.Client.GetID():
		return nil, invalidGrant()
	case !i.cfg.Clock.Now().Before(code.Expires):
		return nil, oidc.ErrExpiredDeviceCode().WithDescription("the device was not approved in time; begin again")
	}
	to, refresh, err := i.cfg.Store.UseDeviceCode(ctx, hashOf(code.UserCode), code.Secret, session.Client{ClientID: code.ClientID, Scopes: code.Scopes}, usercode.Life)
	switch {
	case errors.Is(err, store.ErrNotApproved):
		return nil, oidc.ErrAuthorizationPending()
	case err != nil:
		return nil, refusalOf(err)
	}
	return i.tokens(ring, to, r.Client, refresh, "", code.Scopes)
}

// hashOf returns the hash of a user code that an approval holds.
func hashOf(userCode string) string {
	sum := sha256.Sum256([]byte(userCode))
	return hex.EncodeToString(sum[:])
}

// ApproveDevice records that the person approved the device that shows a code. It fails
// with store.ErrGone.
func (i *Issuer) ApproveDevice(ctx context.Context, at *store.SignedIn, code usercode.Code) error {
	return i.cfg.Store.ApproveDevice(ctx, at, hashOf(code.String()), usercode.Life)
}
