// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// How long the sign-in to a client lasts (RFC 9700, section 4.14.2), and how many an
// Account can have.
const (
	// CodeLife is how long an authorization code can be exchanged (RFC 6749, section
	// 4.1.2).
	CodeLife = time.Minute
	// TokenLife is how long ID tokens and access tokens live.
	TokenLife = 10 * time.Minute
	// ClientIdle is how long a refresh token works if the client does not use it.
	ClientIdle = 24 * time.Hour
	// ClientAbsolute is the maximum time between two sign-ins to a client.
	ClientAbsolute = 7 * 24 * time.Hour
	// MostClients is the maximum number of sign-ins to clients in an Account. When another
	// one begins, the least recently used one is removed.
	MostClients = 20
)

// ScopeOffline is the scope that asks for refresh tokens (OpenID Connect Core 1.0, section
// 11). Without it, a sign-in to a client lasts as long as its first tokens.
const ScopeOffline = "offline_access"

// ErrReplayed means that a code or a refresh token was used before. The sign-in that it
// belongs to has ended, because someone else may have the other tokens (RFC 9700, section
// 4.14).
var ErrReplayed = errors.New("the code or refresh token was used before")

// ErrNoSignIn means that a token belongs to no sign-in that is alive.
var ErrNoSignIn = errors.New("the sign-in to the client has ended")

// Client is the stored form of one sign-in to a client, such as kubectl. It begins with an
// authorization code, and lasts until its last refresh token ends.
type Client struct {
	// ID is the SHA-256 hash, in hex, of the secret that its code and its refresh tokens
	// start with.
	ID string `json:"id"`
	// ClientID is the name of the client.
	ClientID string `json:"clientID"`
	// Scopes that were granted.
	Scopes []string `json:"scopes,omitempty"`
	// Session is the Hash of the session that the person approved it in.
	Session string `json:"session"`
	// Device is the hash of the user code of the device that the person approved. Empty means
	// that it began with Code.
	Device string `json:"device,omitempty"`
	// AuthTime is when the person signed in, and Methods are how (RFC 8176).
	AuthTime time.Time `json:"authTime"`
	Methods  []string  `json:"methods,omitempty"`
	// StartTime is when it began, and UsedTime when its last token was issued.
	StartTime time.Time `json:"startTime"`
	UsedTime  time.Time `json:"usedTime"`
	// Code is what the exchange of the code must match. nil means that the code was used.
	Code *Code `json:"code,omitempty"`
	// Refresh is the SHA-256 hash, in hex, of the one refresh token that works. Empty means
	// that none does.
	Refresh string `json:"refresh,omitempty"`
}

// Code is what an authorization request fixes for the exchange of its code.
type Code struct {
	// RedirectURI that the code was sent to.
	RedirectURI string `json:"redirectURI"`
	// Challenge of the code verifier, by the method S256 (RFC 7636).
	Challenge string `json:"challenge"`
	// Nonce of the client. Empty means none.
	Nonce string `json:"nonce,omitempty"`
}

// Begin completes a sign-in to a client that a person approved, and returns it with its
// code.
func (c Client) Begin(random io.Reader, now time.Time) (Client, string, error) {
	code, err := NewToken(random)
	if err != nil {
		return Client{}, "", fmt.Errorf("make a code: %w", err)
	}
	now = now.UTC()
	c.ID, c.StartTime, c.UsedTime = HashOf(code), now, now
	return c, code, nil
}

// BeginWith completes a sign-in to a client whose device has a secret of its own, and returns
// it with a first refresh token like that of UseCode. secret is a token of NewToken.
func (c Client) BeginWith(secret string, random io.Reader, now time.Time) (Client, string, error) {
	c.ID, c.StartTime, c.Code = HashOf(secret), now.UTC(), nil
	return c.rotate(secret, random, now)
}

// Alive reports whether the sign-in to the client can be used. Like a session, it must
// have begun after the time up to which all sessions were ended.
func (c Client) Alive(now, ended time.Time) bool {
	switch {
	case !ended.IsZero() && !c.StartTime.Truncate(time.Second).After(ended):
		return false
	case c.Code != nil:
		return now.Sub(c.StartTime) < CodeLife
	case !c.offline():
		return now.Sub(c.UsedTime) < TokenLife
	default:
		return now.Sub(c.StartTime) < ClientAbsolute && now.Sub(c.UsedTime) < ClientIdle
	}
}

// PutClient adds a sign-in to a client, or replaces the one with the same ID. It removes
// those that are not alive, and the least recently used ones beyond MostClients.
func PutClient(all []Client, c Client, now, ended time.Time) []Client {
	kept := slices.DeleteFunc(LivingClients(all, now, ended), func(o Client) bool { return o.ID == c.ID })
	slices.SortStableFunc(kept, func(a, b Client) int { return b.UsedTime.Compare(a.UsedTime) })
	kept = slices.Insert(kept, 0, c)
	return kept[:min(len(kept), MostClients)]
}

// LivingClients returns the sign-ins to clients that are alive.
func LivingClients(all []Client, now, ended time.Time) []Client {
	return slices.DeleteFunc(slices.Clone(all), func(c Client) bool { return !c.Alive(now, ended) })
}

// WithoutClient returns the sign-ins to clients except the one with that ID.
func WithoutClient(all []Client, id string) []Client {
	return slices.DeleteFunc(slices.Clone(all), func(c Client) bool { return c.ID == id })
}

// WithoutDevice returns the sign-ins to clients except those that began with the approval of
// the device with that hash.
func WithoutDevice(all []Client, device string) []Client {
	return slices.DeleteFunc(slices.Clone(all), func(c Client) bool { return c.Device == device })
}

// WithoutClientsOf returns the sign-ins to clients except those that were approved in the
// session with that hash.
func WithoutClientsOf(all []Client, sessionHash string) []Client {
	return slices.DeleteFunc(slices.Clone(all), func(c Client) bool { return c.Session == sessionHash })
}

// MoveClients returns the sign-ins to clients as if those that were approved in the session
// with the hash from had been approved in the session with the hash to.
func MoveClients(all []Client, from, to string) []Client {
	moved := slices.Clone(all)
	for i := range moved {
		if moved[i].Session == from {
			moved[i].Session = to
		}
	}
	return moved
}

// FindClient returns the sign-in to a client with that ID, alive or not.
func FindClient(all []Client, id string) (Client, bool) {
	wanted, at := []byte(id), -1
	for i := range all {
		if subtle.ConstantTimeCompare([]byte(all[i].ID), wanted) == 1 {
			at = i
		}
	}
	if at < 0 {
		return Client{}, false
	}
	return all[at], true
}

// ClientOf returns the sign-in that a code or a refresh token claims to belong to.
func ClientOf(all []Client, token string) (Client, bool) {
	secret, _, found := splitToken(token)
	if !found {
		return Client{}, false
	}
	return FindClient(all, HashOf(secret))
}

// offline reports whether the client gets refresh tokens.
func (c Client) offline() bool { return slices.Contains(c.Scopes, ScopeOffline) }

// UseCode returns the sign-in with its code used, and a first refresh token, which is empty
// if ScopeOffline was not granted. A code can be used once. UseCode fails with ErrReplayed
// if token is a code that was used, and with ErrNoSignIn if it is no code of the sign-in.
func (c Client) UseCode(token string, random io.Reader, now time.Time) (Client, string, error) {
	secret, _, found := splitToken(token)
	switch {
	case !found || token != secret || HashOf(secret) != c.ID:
		return Client{}, "", ErrNoSignIn
	case c.Code == nil:
		return Client{}, "", ErrReplayed
	}
	c.Code = nil
	return c.rotate(secret, random, now)
}

// UseRefresh returns the sign-in with its refresh token used, and the next one. A refresh
// token can be used once. UseRefresh fails like UseCode.
func (c Client) UseRefresh(token string, random io.Reader, now time.Time) (Client, string, error) {
	secret, rest, found := splitToken(token)
	switch {
	case !found || rest == "" || HashOf(secret) != c.ID:
		return Client{}, "", ErrNoSignIn
	case subtle.ConstantTimeCompare([]byte(HashOf(token)), []byte(c.Refresh)) == 0:
		return Client{}, "", ErrReplayed
	}
	return c.rotate(secret, random, now)
}

// rotate makes another refresh token the one that works, if the client gets any.
func (c Client) rotate(secret string, random io.Reader, now time.Time) (Client, string, error) {
	if !c.offline() {
		c.UsedTime = now.UTC()
		return c, "", nil
	}
	more, err := NewToken(random)
	if err != nil {
		return Client{}, "", fmt.Errorf("make a refresh token: %w", err)
	}
	token := secret + more
	c.Refresh, c.UsedTime = HashOf(token), now.UTC()
	return c, token, nil
}

// splitToken splits a code or a refresh token into the secret of the sign-in and what
// tells refresh tokens apart. A code has only the first part.
func splitToken(token string) (secret, rest string, found bool) {
	size := base64.RawURLEncoding.EncodedLen(tokenSize)
	if len(token) < size {
		return "", "", false
	}
	secret, rest = token[:size], token[size:]
	return secret, rest, IsToken(secret) && (rest == "" || IsToken(rest)) && !strings.ContainsAny(token, "\r\n")
}

// IsRefresh reports whether a token is the refresh token that works.
func (c Client) IsRefresh(token string) bool {
	return c.Refresh != "" && subtle.ConstantTimeCompare([]byte(HashOf(token)), []byte(c.Refresh)) == 1
}
