// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"context"
	"io"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"k8s.io/utils/clock"

	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/wording/language"
)

// The paths of the endpoints, below the issuer.
const (
	PathAuthorize  = "/oauth2/authorize"
	PathToken      = "/oauth2/token" //nolint:gosec // G101: an address, not a credential.
	PathUserInfo   = "/oauth2/userinfo"
	PathRevoke     = "/oauth2/revoke"
	PathIntrospect = "/oauth2/introspect"
	PathDevice     = "/oauth2/device_authorization"
	PathEndSession = "/oauth2/logout"
	PathKeys       = "/oauth2/keys"
	PathDiscovery  = oidc.DiscoveryEndpoint
	// PathContinue is the page at which a person approves a request.
	PathContinue = "/sign-in/client"
)

// Config holds everything that the issuer needs.
type Config struct {
	// URL is the issuer: the public address of the portal, without a trailing slash.
	URL string
	// Store reads and writes sign-ins to clients.
	Store *store.Store
	// Keys returns the keys of the issuer.
	Keys func(ctx context.Context) (keys.Ring, error)
	// Client returns the client with that client_id, and reports whether there is one.
	Client func(ctx context.Context, id string) (Client, bool, error)
	// Cookie returns the Set-Cookie header that makes the browser carry a sealed request.
	Cookie func(sealed string) string
	// Clock decides what has expired.
	Clock clock.PassiveClock
	// Random is the source of tokens and nonces.
	Random io.Reader
}

// Issuer is an OpenID provider. It keeps no state: requests are sealed in what the browser
// carries, and sign-ins to clients are in the Secrets of Accounts.
type Issuer struct {
	op.UnimplementedServer
	cfg Config
}

var _ op.Server = (*Issuer)(nil)

// New returns an issuer.
func New(c Config) *Issuer { return &Issuer{cfg: c} }

// Handler returns the handler of all endpoints, for paths below the issuer.
func (i *Issuer) Handler() http.Handler {
	at := op.NewEndpoint
	handler := op.RegisterServer(i, op.Endpoints{
		Authorization: at(PathAuthorize), Token: at(PathToken), Userinfo: at(PathUserInfo), Revocation: at(PathRevoke),
		Introspection: at(PathIntrospect), DeviceAuthorization: at(PathDevice), EndSession: at(PathEndSession), JwksURI: at(PathKeys),
	}, op.WithServerCORSOptions(nil))
	return guard(i.withIssuer(handler))
}

// Discovery describes the issuer (OpenID Connect Discovery 1.0, section 3).
func (i *Issuer) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	algorithms := make([]string, 0, 2)
	for _, alg := range keys.Algorithms() {
		algorithms = append(algorithms, string(alg))
	}
	confidential := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	methods := append([]oidc.AuthMethod{oidc.AuthMethodNone}, confidential...)
	return op.NewResponse(discovery{
		DiscoveryConfiguration: oidc.DiscoveryConfiguration{
			Issuer:                                    i.cfg.URL,
			AuthorizationEndpoint:                     i.cfg.URL + PathAuthorize,
			TokenEndpoint:                             i.cfg.URL + PathToken,
			IntrospectionEndpoint:                     i.cfg.URL + PathIntrospect,
			UserinfoEndpoint:                          i.cfg.URL + PathUserInfo,
			RevocationEndpoint:                        i.cfg.URL + PathRevoke,
			EndSessionEndpoint:                        i.cfg.URL + PathEndSession,
			DeviceAuthorizationEndpoint:               i.cfg.URL + PathDevice,
			JwksURI:                                   i.cfg.URL + PathKeys,
			ScopesSupported:                           scopes(),
			ResponseTypesSupported:                    []string{string(oidc.ResponseTypeCode)},
			ResponseModesSupported:                    []string{string(oidc.ResponseModeQuery)},
			GrantTypesSupported:                       []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode},
			SubjectTypesSupported:                     []string{"public"},
			IDTokenSigningAlgValuesSupported:          algorithms,
			TokenEndpointAuthMethodsSupported:         methods,
			RevocationEndpointAuthMethodsSupported:    methods,
			IntrospectionEndpointAuthMethodsSupported: confidential,
			ClaimsSupported:                           claimNames(),
			UILocalesSupported:                        locales(),
			CodeChallengeMethodsSupported:             []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		},
		IssParameterSupported: true,
	}), nil
}

// locales returns the languages of the pages.
func locales() oidc.Locales {
	var tags []string
	for _, tag := range language.All() {
		tags = append(tags, tag.String())
	}
	return oidc.ParseLocales(tags)
}

// discovery adds what the library does not know.
type discovery struct {
	oidc.DiscoveryConfiguration
	// IssParameterSupported means that authorization responses name the issuer (RFC 9207).
	IssParameterSupported bool `json:"authorization_response_iss_parameter_supported"`
	// The defaults of these say that they are supported.
	RequestURISupported bool `json:"request_uri_parameter_supported"`
}

// Keys returns the keys that verify tokens (RFC 7517).
func (i *Issuer) Keys(ctx context.Context, _ *op.Request[struct{}]) (*op.Response, error) {
	ring, err := i.cfg.Keys(ctx)
	if err != nil {
		return nil, unavailable()
	}
	return op.NewResponse(ring.Public()), nil
}
