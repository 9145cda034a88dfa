// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"time"
)

const (
	// KnownFor is how long an Account knows a browser after the last sign-in with it.
	KnownFor = 180 * 24 * time.Hour
	// MostBrowsers is how many browsers an Account knows. When it learns another one, it
	// forgets the one that signed in longest ago.
	MostBrowsers = 10
)

// Browser is the stored form of a browser that an Account knows, because its member signed
// in with it. It gives no access. It only has its own count of wrong passwords, so that
// strangers cannot lock the member out (OWASP Authentication Cheat Sheet, device cookies).
type Browser struct {
	// Hash of the token in the browser's cookie, SHA-256 in hex.
	Hash string `json:"hash"`
	// SignInTime is when the member last signed in with it.
	SignInTime time.Time `json:"signInTime"`
	// Failures counts the passwords entered since then.
	Failures int32 `json:"failures,omitempty"`
}

// IsToken reports whether a text has the form of a token.
func IsToken(text string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == tokenSize
}

// isKnown reports whether an Account still knows the browser. What ends all sessions also
// makes the Account forget all browsers.
func (b Browser) isKnown(now, ended time.Time) bool {
	return now.Sub(b.SignInTime) < KnownFor && (ended.IsZero() || b.SignInTime.Truncate(time.Second).After(ended))
}

// FindBrowser returns the index of the browser with that token, or -1 if there is none. It
// compares in constant time.
func FindBrowser(all []Browser, token string, now, ended time.Time) int {
	wanted, at := []byte(HashOf(token)), -1
	for i := range all {
		if subtle.ConstantTimeCompare([]byte(all[i].Hash), wanted) == 1 && all[i].isKnown(now, ended) {
			at = i
		}
	}
	return at
}

// PutBrowser adds a browser with which the member has just signed in, and clears what was
// counted in it. It removes browsers that are not known any more.
func PutBrowser(all []Browser, token string, now, ended time.Time) []Browser {
	this := Browser{Hash: HashOf(token), SignInTime: now.UTC()}
	kept := slices.DeleteFunc(slices.Clone(all), func(b Browser) bool { return b.Hash == this.Hash || !b.isKnown(now, ended) })
	slices.SortStableFunc(kept, func(a, b Browser) int { return b.SignInTime.Compare(a.SignInTime) })
	kept = slices.Insert(kept, 0, this)
	return kept[:min(len(kept), MostBrowsers)]
}
