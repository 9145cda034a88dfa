// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func rotate(t *testing.T, data map[string][]byte, now time.Time) (map[string][]byte, time.Duration) {
	t.Helper()
	next, after, err := Rotate(data, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return next, after
}

func parse(t *testing.T, data map[string][]byte) Ring {
	t.Helper()
	ring, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func sign(t *testing.T, ring Ring, alg jose.SignatureAlgorithm, now time.Time) *jose.JSONWebSignature {
	t.Helper()
	key, err := ring.Signer(alg, now)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	read, err := jose.ParseSignedCompact(text, Algorithms())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestKeysRotateWithoutAnyoneNoticing follows a year in steps of six hours. A verifier that read the
// keys up to a day ago verifies every token that was signed up to a day ago.
func TestKeysRotateWithoutAnyoneNoticing(t *testing.T) {
	var data map[string][]byte
	published := map[time.Time][]string{}
	signers := map[string]bool{}
	next := start
	for now := start; now.Before(start.AddDate(1, 0, 0)); now = now.Add(6 * time.Hour) {
		if !now.Before(next) {
			var after time.Duration
			data, after = rotate(t, data, now)
			if next = now.Add(after); after <= 0 {
				t.Fatalf("looks again after %s", after)
			}
		}
		ring := parse(t, data)
		for _, key := range ring.Public().Keys {
			published[now] = append(published[now], key.KeyID)
		}
		for _, alg := range Algorithms() {
			key, err := ring.Signer(alg, now)
			if err != nil {
				t.Fatal(err)
			}
			id := key.Key.(jose.JSONWebKey).KeyID
			signers[id] = true
			expectPublished(t, published, id, now)
		}
		if len(data) > 2 {
			t.Fatalf("at %s there are %d generations", now, len(data))
		}
	}
	if len(signers) < 2*12 {
		t.Errorf("%d keys signed in a year", len(signers))
	}
}

// expectPublished checks that a key which signs now was published for a day.
func expectPublished(t *testing.T, published map[time.Time][]string, id string, now time.Time) {
	t.Helper()
	for ago := 0; ago < 24; ago += 6 {
		if then, known := published[now.Add(-time.Duration(ago)*time.Hour)]; known && !slices.Contains(then, id) {
			t.Fatalf("the key that signs at %s was not published %d hours before", now, ago)
		}
	}
}

func TestWhatWasSignedStaysValid(t *testing.T) {
	first, _ := rotate(t, nil, start)
	old := sign(t, parse(t, first), jose.ES256, start)
	sealed, err := parse(t, first).Seal("purpose", []byte("text"), start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := rotate(t, first, start.Add(Period))
	if len(second) != 2 || maps.EqualFunc(first, second, slices.Equal) {
		t.Fatalf("%d generations", len(second))
	}
	ring := parse(t, second)
	keyID := func(now time.Time) string { return sign(t, ring, jose.ES256, now).Signatures[0].Header.KeyID }
	if at := start.Add(Period + Ahead); keyID(at.Add(-1)) != old.Signatures[0].Header.KeyID || keyID(at) == old.Signatures[0].Header.KeyID {
		t.Error("the next key does not begin to sign when everyone knows it")
	}
	if _, err := old.Verify(ring.Public()); err != nil {
		t.Error(err)
	}
	if text, err := ring.Open("purpose", sealed); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	third, _ := rotate(t, second, start.Add(Period+Ahead+Kept))
	if len(third) != 1 {
		t.Fatalf("%d generations", len(third))
	}
	if _, err := old.Verify(parse(t, third).Public()); err == nil {
		t.Error("the old key is still published")
	}
}

func TestASealedTextOpensOnlyAsItWasSealed(t *testing.T) {
	data, _ := rotate(t, nil, start)
	other, _ := rotate(t, nil, start)
	ring := parse(t, data)
	sealed, err := ring.Seal("purpose", []byte("text"), start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{"": "", "short": "AAAA", "no base64": sealed[:10] + "!" + sealed[11:], "padded": sealed + "="}
	for i := range sealed {
		changed := []byte(sealed)
		if changed[i]++; changed[i] == sealed[i] {
			continue
		}
		refused["changed at "+string(rune('0'+i))] = string(changed)
	}
	for name, text := range refused {
		if _, err := ring.Open("purpose", text); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
	if _, err := ring.Open("another purpose", sealed); err == nil {
		t.Error("opens for another purpose")
	}
	if _, err := parse(t, other).Open("purpose", sealed); err == nil {
		t.Error("opens with other keys")
	}
}

func TestUnreadableKeysAreRefusedAndNotQuoted(t *testing.T) {
	data, _ := rotate(t, nil, start)
	name := slices.Collect(maps.Keys(data))[0]
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data[name], &set); err != nil {
		t.Fatal(err)
	}
	withoutOne, err := json.Marshal(jose.JSONWebKeySet{Keys: set.Keys[1:]})
	if err != nil {
		t.Fatal(err)
	}
	withoutSeal, err := json.Marshal(jose.JSONWebKeySet{Keys: set.Keys[:2]})
	if err != nil {
		t.Fatal(err)
	}
	for what, broken := range map[string]map[string][]byte{
		"none":        {},
		"a name":      {"key-1": data[name]},
		"no JSON":     {name: []byte("secret-material")},
		"one missing": {name: withoutOne},
		"no seal":     {name: withoutSeal},
	} {
		_, err := Parse(broken)
		if err == nil || strings.Contains(err.Error(), "secret-material") {
			t.Errorf("%s: %v", what, err)
		}
	}
	public, err := json.Marshal(parse(t, data).Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"k"`, "oct"} {
		if strings.Contains(string(public), private) {
			t.Errorf("%s is published", private)
		}
	}
}
