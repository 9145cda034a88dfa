// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/usher-dev/usher/internal/session"
)

// Client is a program that people sign in to (RFC 6749, section 2).
type Client struct {
	// ID is the client_id. Name is what people read.
	ID, Name string
	// RedirectURIs are where codes can be sent to. An http URI with a loopback host stands
	// for any port (RFC 8252, section 7.3).
	RedirectURIs []string
	// PostLogoutRedirectURIs are where a browser can go after it signed out.
	PostLogoutRedirectURIs []string
	// SecretHash is the SHA-256 hash of the client's secret. nil means that the client is
	// public: it has no secret, and must not introspect tokens.
	SecretHash []byte
	// GrantTypes that the client can use.
	GrantTypes []oidc.GrantType
	// Algorithm that signs its ID tokens.
	Algorithm jose.SignatureAlgorithm
}

// KubectlID is the client_id of Kubectl.
const KubectlID = "kubectl"

// Kubectl is the client of people who use the cluster from a terminal. It is public, and
// its audience is the cluster.
func Kubectl() Client {
	var redirects []string
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		redirects = append(redirects, "http://"+host, "http://"+host+"/")
	}
	return Client{
		ID: KubectlID, Name: "kubectl", RedirectURIs: redirects, Algorithm: jose.RS256,
		GrantTypes: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode},
	}
}

// Public reports whether the client has no secret.
func (c Client) Public() bool { return len(c.SecretHash) == 0 }

// Allows reports whether a code can be sent to a URI. It compares texts and parses nothing,
// so no two parsers can disagree (RFC 9700, section 4.1.3). Only the port of a loopback host
// may differ.
func (c Client) Allows(redirectURI string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return registered == redirectURI || isLoopback(registered, redirectURI)
	})
}

// loopbackHosts are the hosts that stand for the person's own computer.
var loopbackHosts = []string{"http://127.0.0.1", "http://[::1]", "http://localhost"}

// isLoopback reports whether a URI is a registered loopback URI with a port.
func isLoopback(registered, uri string) bool {
	for _, host := range loopbackHosts {
		path, found := strings.CutPrefix(registered, host)
		rest, same := strings.CutPrefix(uri, host+":")
		if !found || !same || path != "" && path[0] != '/' {
			continue
		}
		digits, ended := strings.CutSuffix(rest, path)
		port, err := strconv.ParseUint(digits, 10, 16)
		if ended && err == nil && port > 0 && strconv.FormatUint(port, 10) == digits {
			return true
		}
	}
	return false
}

// Place returns the host that a redirect URI leads to, as people read it.
func Place(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// IsThisComputer reports whether a redirect URI leads to the person's own computer.
func IsThisComputer(redirectURI string) bool {
	return slices.ContainsFunc(loopbackHosts, func(host string) bool {
		rest, found := strings.CutPrefix(redirectURI, host)
		return found && (rest == "" || rest[0] == ':' || rest[0] == '/')
	})
}

// registration is a Client in the form of the library.
type registration struct{ Client }

var _ op.Client = registration{}

// GetID returns the client_id.
func (r registration) GetID() string { return r.ID }

// RedirectURIs returns what the library compares redirect URIs with.
func (r registration) RedirectURIs() []string { return r.Client.RedirectURIs }

// PostLogoutRedirectURIs returns where a browser can go after it signed out.
func (r registration) PostLogoutRedirectURIs() []string { return r.Client.PostLogoutRedirectURIs }

// ApplicationType returns native for clients with loopback redirects.
func (r registration) ApplicationType() op.ApplicationType {
	if slices.ContainsFunc(r.Client.RedirectURIs, IsThisComputer) {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

// AuthMethod returns how the client authenticates.
func (r registration) AuthMethod() oidc.AuthMethod {
	if r.Public() {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

// ResponseTypes returns the only one: code.
func (r registration) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

// GrantTypes that the client can use.
func (r registration) GrantTypes() []oidc.GrantType { return r.Client.GrantTypes }

// LoginURL is not used: Authorize makes the redirect itself.
func (r registration) LoginURL(string) string { return "" }

// AccessTokenType is opaque.
func (r registration) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }

// IDTokenLifetime is how long an ID token lives.
func (r registration) IDTokenLifetime() time.Duration { return session.TokenLife }

// DevMode reports whether more redirect URIs are allowed. They are not.
func (r registration) DevMode() bool { return false }

// RestrictAdditionalIdTokenScopes restricts nothing.
func (r registration) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// RestrictAdditionalAccessTokenScopes restricts nothing.
func (r registration) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// IsScopeAllowed reports whether the issuer knows the scope.
func (r registration) IsScopeAllowed(scope string) bool { return slices.Contains(scopes(), scope) }

// IDTokenUserinfoClaimsAssertion reports whether ID tokens have the claims of the scopes.
func (r registration) IDTokenUserinfoClaimsAssertion() bool { return true }

// ClockSkew is none: times are those of the issuer.
func (r registration) ClockSkew() time.Duration { return 0 }
