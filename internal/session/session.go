// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package session holds the rules of sessions: how one is begun, found by what
// a cookie brings, kept alive and ended. It is pure: it imports neither a client
// nor net/http, and time and randomness come in as arguments.
//
// The server keeps a hash of what the cookie holds, so that whoever reads the
// Secret of an Account cannot sign in with it.
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
	// Absolute is how long it lives at most.
	Absolute = 12 * time.Hour
	// Halfway is how long somebody may take between the password and the
	// second factor.
	Halfway = 10 * time.Minute
	// Fresh is for how long after signing in credentials may be changed.
	Fresh = 10 * time.Minute
	// Most is how many sessions of one stage an Account has at most; the one that
	// was used least recently goes when another one begins.
	Most = 20
	// touchEvery is how exactly the time of the last request is known.
	touchEvery = 5 * time.Minute
)

// tokenSize is the size of what a cookie holds, in bytes: more than the 128
// bits that OWASP ASVS 5.0, 7.2.3 asks for.
const tokenSize = 32

// Stage is how far somebody has come with signing in.
type Stage string

// The stages.
const (
	// StagePassword: the password was right, and the second factor is awaited.
	// Nothing can be done with such a session but to give it.
	StagePassword Stage = "Password"
	// StageSignedIn: signed in.
	StageSignedIn Stage = "SignedIn"
)

// Session is one browser that somebody signed in with, as it is kept.
type Session struct {
	// Hash of the token, SHA-256 in hex. It also names the session in pages.
	Hash string `json:"hash"`
	// Stage that was reached.
	Stage Stage `json:"stage"`
	// StartTime is when it began, and SeenTime when it was last used, more or
	// less.
	StartTime time.Time `json:"startTime"`
	SeenTime  time.Time `json:"seenTime"`
	// Browser is what the browser calls itself, for people to tell their
	// sessions apart.
	Browser string `json:"browser,omitempty"`
	// Pending is what the session is in the middle of, such as a challenge.
	// Nobody but this session can finish it.
	Pending json.RawMessage `json:"pending,omitempty"`
}

// New begins a session, and gives the token that the browser is to keep.
func New(random io.Reader, stage Stage, browser string, now time.Time) (Session, string, error) {
	raw := make([]byte, tokenSize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return Session{}, "", fmt.Errorf("make a session: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	now = now.UTC()
	return Session{Hash: hash(token), Stage: stage, StartTime: now, SeenTime: now, Browser: browser}, token, nil
}

// Alive tells whether the session can be used: it has not run out, and it began
// after every session was ended, which is known to the second.
func (s Session) Alive(now, ended time.Time) bool {
	if !ended.IsZero() && !s.StartTime.Truncate(time.Second).After(ended) {
		return false
	}
	if s.Stage != StageSignedIn {
		return now.Sub(s.StartTime) < Halfway
	}
	return now.Sub(s.StartTime) < Absolute && now.Sub(s.SeenTime) < Idle
}

// Stale tells whether the time of the last request should be written anew.
func (s Session) Stale(now time.Time) bool { return now.Sub(s.SeenTime) >= touchEvery }

// IsFresh tells whether somebody signed in a short while ago.
func (s Session) IsFresh(now time.Time) bool {
	return s.Stage == StageSignedIn && now.Sub(s.StartTime) < Fresh
}

// Find gives the session of a token, alive or not, comparing in constant time.
func Find(all []Session, token string) (Session, bool) {
	wanted, at := []byte(hash(token)), -1
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

// Put adds a session, or replaces the one of the same token. Those that are not
// alive go, and of more than Most of one stage those that were used least recently:
// whoever has the password alone ends no session that is signed in.
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

// Living are the sessions that are alive.
func Living(all []Session, now, ended time.Time) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return !s.Alive(now, ended) })
}

// Without are the sessions but for the one of that hash.
func Without(all []Session, hash string) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return s.Hash == hash })
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
