// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package session holds the rules of sessions and of known browsers: how a session begins,
// how it is found by the token in a cookie, how long it lives, and how it ends. It is pure: it imports
// neither a client nor net/http, and time and randomness are arguments.
//
// The server keeps only a hash of the token in the cookie. So an attacker who reads the
// Secret of an Account cannot use its sessions.
package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// How long sessions last (OWASP ASVS 5.0, 7.3), and how many an Account can have.
const (
	// Idle is how long a session lives without a request.
	Idle = 30 * time.Minute
	// Absolute is the maximum lifetime of a session.
	Absolute = 12 * time.Hour
	// Halfway is how long a member may take between the password and the second factor.
	Halfway = 10 * time.Minute
	// Fresh is how long after signing in a member may change credentials.
	Fresh = 10 * time.Minute
	// Most is the maximum number of sessions of one stage in an Account. When another one
	// begins, the least recently used session is removed.
	Most = 20
	// touchEvery is the precision to which the time of the last request is known.
	touchEvery = 5 * time.Minute
)

// tokenSize is the size of a token in bytes. It is more than the 128 bits that OWASP ASVS
// 5.0, 7.2.3 requires.
const tokenSize = 32

// Stage is how far a sign-in has come.
type Stage string

// The stages.
const (
	// StagePassword means that the password was right, and that the second factor is
	// missing. Such a session can only be used to enter the second factor.
	StagePassword Stage = "Password"
	// StageSignedIn means that the sign-in is complete.
	StageSignedIn Stage = "SignedIn"
)

// Session is the stored form of one signed-in browser.
type Session struct {
	// Hash of the token, SHA-256 in hex. It also identifies the session in pages.
	Hash string `json:"hash"`
	// Stage that was reached.
	Stage Stage `json:"stage"`
	// StartTime is when the session began. SeenTime is when it was last used, to the
	// precision of touchEvery.
	StartTime time.Time `json:"startTime"`
	SeenTime  time.Time `json:"seenTime"`
	// Methods are how the member signed in, as authentication method references (RFC 8176).
	Methods []string `json:"methods,omitempty"`
	// Browser is what the browser calls itself. It helps members tell their sessions
	// apart.
	Browser string `json:"browser,omitempty"`
	// Pending holds an unfinished setup of the session, such as a challenge. Only this
	// session can finish it.
	Pending json.RawMessage `json:"pending,omitempty"`
}

// Beginning is what a session begins with.
type Beginning struct {
	Stage   Stage
	Methods []string
}

// The ways to sign in, as authentication method references (RFC 8176).
var (
	// ByPassword is a password alone.
	ByPassword = []string{"pwd"}
	// ByPasswordAndCode is a password and a code of an authenticator app or a recovery code.
	ByPasswordAndCode = []string{"pwd", "otp", "mfa"}
	// ByPasskey is a passkey that verified its user.
	ByPasskey = []string{"pop", "user", "mfa"}
)

// New returns a new session and the token for the browser.
func New(random io.Reader, stage Stage, browser string, now time.Time) (Session, string, error) {
	token, err := NewToken(random)
	if err != nil {
		return Session{}, "", fmt.Errorf("make a session: %w", err)
	}
	now = now.UTC()
	return Session{Hash: HashOf(token), Stage: stage, StartTime: now, SeenTime: now, Browser: browser}, token, nil
}

// NewToken returns a new token.
func NewToken(random io.Reader) (string, error) {
	raw := make([]byte, tokenSize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Alive reports whether the session can be used. It must not have expired. It must also
// have begun after the time up to which all sessions were ended, which is known to the
// second.
func (s Session) Alive(now, ended time.Time) bool {
	if !ended.IsZero() && !s.StartTime.Truncate(time.Second).After(ended) {
		return false
	}
	if s.Stage != StageSignedIn {
		return now.Sub(s.StartTime) < Halfway
	}
	return now.Sub(s.StartTime) < Absolute && now.Sub(s.SeenTime) < Idle
}

// Stale reports whether the time of the last request should be written again.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenTime) >= touchEvery }

// IsFresh reports whether the sign-in was a short while ago.
func (s Session) IsFresh(now time.Time) bool {
	return s.Stage == StageSignedIn && now.Sub(s.StartTime) < Fresh
}

// Find returns the session of a token, alive or not. It compares in constant time.
func Find(all []Session, token string) (Session, bool) {
	wanted, at := []byte(HashOf(token)), -1
	for i := range all {
		if subtle.ConstantTimeCompare([]byte(all[i].Hash), wanted) == 1 {
			at = i
		}
	}
	if at < 0 {
		return Session{}, false
	}
	return all[at], true
}

// Put adds a session, or replaces the one with the same token. It removes sessions that
// are not alive. If a stage has more than Most sessions, it also removes the least
// recently used ones. The limit applies to each stage separately, so an attacker who has
// only the password cannot end a signed-in session.
func Put(all []Session, s Session, now, ended time.Time) []Session {
	kept := slices.DeleteFunc(Living(all, now, ended), func(o Session) bool { return o.Hash == s.Hash })
	slices.SortStableFunc(kept, func(a, b Session) int { return b.SeenTime.Compare(a.SeenTime) })
	kept = slices.Insert(kept, 0, s)
	count := map[Stage]int{}
	return slices.DeleteFunc(kept, func(o Session) bool {
		count[o.Stage]++
		return count[o.Stage] > Most
	})
}

// Living returns the sessions that are alive.
func Living(all []Session, now, ended time.Time) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return !s.Alive(now, ended) })
}

// Without returns the sessions except the one with that hash.
func Without(all []Session, hash string) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return s.Hash == hash })
}

// HashOf returns the SHA-256 hash of a token, in hex, which is what the server keeps of it.
func HashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
