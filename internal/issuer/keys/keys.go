// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package keys holds the rules of the issuer's keys: how a Secret keeps them, which of them
// signs, which are published, and when they rotate. It is pure: it imports neither a client
// nor net/http, and the time is an argument.
//
// Keys come in generations. A generation has a key for each signature algorithm, and one
// that seals what browsers carry. A new generation is published for Ahead before it signs,
// so that everyone who verifies tokens knows it by then. A generation that no longer signs
// stays for Kept, which is longer than anything lives that it signed.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// SecretName is the Secret with the keys, in Usher's own namespace, and SecretType its type.
const (
	SecretName = "usher-issuer-keys" //nolint:gosec // G101: a name, not a credential.
	SecretType = "accounts.usher.dev/issuer-keys"
)

// When keys rotate.
const (
	// Period is the time between two generations.
	Period = 30 * 24 * time.Hour
	// Ahead is how long a generation is published before it signs.
	Ahead = 24 * time.Hour
	// Kept is how long a generation is published after the next one began to sign.
	Kept = 24 * time.Hour
)

const (
	// rsaBits is the size of RSA keys (NIST SP 800-57: 112 bits of security).
	rsaBits = 2048
	// sealSize is the size of the key that seals, in bytes.
	sealSize = 32
	// nameLayout is the layout of an entry's name, which is the time of the generation.
	nameLayout = "20060102T150405Z"
)

// Ring is the set of generations, oldest first.
type Ring struct {
	generations []generation
	unreadable  error
}

type generation struct {
	created time.Time
	signers map[jose.SignatureAlgorithm]jose.JSONWebKey
	seal    []byte
}

// Parse reads the keys from the data of their Secret: one entry for each generation, which
// is named after its time, such as 20261130T120000Z, and holds a JSON Web Key Set. Parse
// leaves out entries of another form, because nothing could verify what they sign. It fails
// if there is no other.
func Parse(data map[string][]byte) (Ring, error) {
	var ring Ring
	for _, name := range slices.Sorted(maps.Keys(data)) {
		g, err := parseGeneration(name, data[name])
		if err != nil {
			ring.unreadable = errors.Join(ring.unreadable, fmt.Errorf("entry %q of the issuer keys is unreadable, so delete it: %w", name, err))
			continue
		}
		ring.generations = append(ring.generations, g)
	}
	if len(ring.generations) == 0 {
		none := errors.New("there are no issuer keys: the controller adds one within a minute")
		return Ring{}, errors.Join(none, ring.unreadable)
	}
	return ring, nil
}

// Unreadable returns an error about each entry that Parse left out, or nil.
func (r Ring) Unreadable() error { return r.unreadable }

func parseGeneration(name string, raw []byte) (generation, error) {
	created, err := time.Parse(nameLayout, name)
	if err != nil {
		return generation{}, errors.New("its name must be a time such as 20261130T120000Z")
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return generation{}, errors.New("it must be a JSON Web Key Set") // the error could quote a key
	}
	g := generation{created: created, signers: map[jose.SignatureAlgorithm]jose.JSONWebKey{}}
	for _, key := range set.Keys {
		switch secret := key.Key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey:
			g.signers[jose.SignatureAlgorithm(key.Algorithm)] = key
		case []byte:
			g.seal = secret
		}
	}
	for _, alg := range Algorithms() {
		if _, found := g.signers[alg]; !found {
			return generation{}, fmt.Errorf("it has no key for %s", alg)
		}
	}
	if len(g.seal) != sealSize {
		return generation{}, fmt.Errorf("it has no symmetric key of %d bytes", sealSize)
	}
	return g, nil
}

// Algorithms returns the algorithms that there are keys for, the default of OpenID Connect
// first.
func Algorithms() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.RS256, jose.ES256} }

// Rotate returns the data of the Secret as it should be now, and the time after which it
// changes again.
func Rotate(data map[string][]byte, now time.Time, random io.Reader) (next map[string][]byte, after time.Duration, err error) {
	now, next = now.UTC(), maps.Clone(data)
	if next == nil {
		next = map[string][]byte{}
	}
	times := timesOf(next)
	// A generation from the future would never end. None has signed yet.
	for len(times) > 0 && times[len(times)-1].After(now.Add(Ahead)) {
		delete(next, times[len(times)-1].Format(nameLayout))
		times = times[:len(times)-1]
	}
	if len(times) == 0 || !now.Before(times[len(times)-1].Add(Period)) {
		if next[now.Format(nameLayout)], err = newGeneration(random); err != nil {
			return nil, 0, err
		}
		times = append(times, now.Truncate(time.Second))
	}
	for len(times) > 1 && !now.Before(times[1].Add(Ahead+Kept)) {
		delete(next, times[0].Format(nameLayout))
		times = times[1:]
	}
	until := times[len(times)-1].Add(Period)
	if len(times) > 1 {
		until = earlier(until, times[1].Add(Ahead+Kept))
	}
	return next, until.Sub(now), nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// timesOf returns the times of the generations, oldest first. An unreadable one is none: it
// can neither sign nor delay the next.
func timesOf(data map[string][]byte) []time.Time {
	var times []time.Time
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if g, err := parseGeneration(name, data[name]); err == nil {
			times = append(times, g.created)
		}
	}
	return times
}

func newGeneration(random io.Reader) ([]byte, error) {
	rsaKey, err := rsa.GenerateKey(random, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key: %w", err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, fmt.Errorf("make an ECDSA key: %w", err)
	}
	seal := make([]byte, sealSize)
	if _, err := io.ReadFull(random, seal); err != nil {
		return nil, fmt.Errorf("make a symmetric key: %w", err)
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: rsaKey, Algorithm: string(jose.RS256), Use: "sig"},
		{Key: ecKey, Algorithm: string(jose.ES256), Use: "sig"},
		{Key: seal},
	}}
	for i := range set.Keys[:2] {
		print, err := set.Keys[i].Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("name a key: %w", err)
		}
		set.Keys[i].KeyID = base64.RawURLEncoding.EncodeToString(print)
	}
	return json.Marshal(set)
}

// current returns the generation that signs: the newest one that was published for Ahead,
// or else the oldest one.
func (r Ring) current(now time.Time) generation {
	for _, g := range slices.Backward(r.generations) {
		if !now.Before(g.created.Add(Ahead)) {
			return g
		}
	}
	return r.generations[0]
}

// Signer returns the key that signs by an algorithm now.
func (r Ring) Signer(alg jose.SignatureAlgorithm, now time.Time) (jose.SigningKey, error) {
	key, found := r.current(now).signers[alg]
	if !found {
		return jose.SigningKey{}, fmt.Errorf("there is no key for the algorithm %s", alg)
	}
	return jose.SigningKey{Algorithm: alg, Key: key}, nil
}

// Public returns the keys that verify tokens, without their private parts.
func (r Ring) Public() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, g := range r.generations {
		for _, alg := range Algorithms() {
			key := g.signers[alg]
			set.Keys = append(set.Keys, key.Public())
		}
	}
	return set
}
