// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
)

func TestHash(t *testing.T) {
	h := NewHasher(1, time.Minute)
	const composed, decomposed = "caf\u00e9 velvet pickle tram", "cafe\u0301 velvet pickle tram"
	first, err := h.Hash(t.Context(), composed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q does not name the parameters that were promised", first)
	}
	second, err := h.Hash(t.Context(), decomposed)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two hashes have the same salt")
	}
	for _, hash := range []string{first, second} {
		if same, err := argon2id.ComparePasswordAndHash(Normal(decomposed), hash); err != nil || !same {
			t.Errorf("ComparePasswordAndHash = %t, %v", same, err)
		}
	}
	if same, _ := argon2id.ComparePasswordAndHash("another", first); same {
		t.Error("another password has the same hash")
	}
}

func TestVerify(t *testing.T) {
	h := NewHasher(1, time.Minute)
	const composed, decomposed = "caf\u00e9 velvet pickle tram", "cafe\u0301 velvet pickle tram"
	stored, err := h.Hash(t.Context(), composed)
	if err != nil {
		t.Fatal(err)
	}
	raised := hashParameters
	raised.Iterations++
	earlier, err := argon2id.CreateHash(composed, &raised)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		password, phc string
		want, fails   bool
	}{
		"the password":                               {password: composed, phc: stored, want: true},
		"the same, composed by another keyboard":     {password: decomposed, phc: stored, want: true},
		"the password, hashed with other parameters": {password: composed, phc: earlier, want: true},
		"another":            {password: composed + "x", phc: stored},
		"none":               {password: "", phc: stored},
		"nobody's":           {password: composed},
		"nobody's, and none": {password: ""},
		"the password itself in place of its hash": {password: composed, phc: composed, fails: true},
		"a hash by another function":               {password: composed, phc: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", fails: true},
		"a hash that was cut off":                  {password: composed, phc: stored[:len(stored)/2], fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := h.Verify(t.Context(), tc.password, tc.phc)
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("Verify = %t, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "$") {
				t.Errorf("the error shows what is stored: %v", err)
			}
		})
	}
}

func TestNobodysHashTakesAsLongAsAnyOther(t *testing.T) {
	params, salt, key, err := argon2id.DecodeHash(nobody)
	if err != nil {
		t.Fatal(err)
	}
	if *params != hashParameters || len(salt) != int(hashParameters.SaltLength) || len(key) != int(hashParameters.KeyLength) {
		t.Errorf("parameters %+v, want %+v", *params, hashParameters)
	}
}

func TestVerifyHasNoMoreRoomThanItsSlots(t *testing.T) {
	h := NewHasher(1, 0)
	h.slots <- struct{}{}
	if _, err := h.Verify(t.Context(), "none is left", ""); !errors.Is(err, ErrBusy) {
		t.Errorf("without a slot: %v, want ErrBusy", err)
	}
	<-h.slots
	for range 2 {
		if _, err := h.Verify(t.Context(), "one has come free", ""); err != nil {
			t.Errorf("after a slot came free: %v", err)
		}
	}
}

func TestHashHasNoMoreRoomThanItsSlots(t *testing.T) {
	h := NewHasher(2, 0)
	h.slots <- struct{}{}
	if _, err := h.Hash(t.Context(), "one slot is left"); err != nil {
		t.Errorf("with a slot free: %v", err)
	}
	h.slots <- struct{}{}
	if _, err := h.Hash(t.Context(), "none is left"); !errors.Is(err, ErrBusy) {
		t.Errorf("without a slot: %v, want ErrBusy", err)
	}
	<-h.slots
	if _, err := h.Hash(t.Context(), "one has come free"); err != nil {
		t.Errorf("after a slot came free: %v", err)
	}
}

func TestHashGivesUpWithItsContext(t *testing.T) {
	h := NewHasher(1, time.Hour)
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "nobody waits for it"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash = %v, want the context's error", err)
	}
}

func TestHashTakesASlotThatComesFreeWhileItWaits(t *testing.T) {
	h := NewHasher(1, time.Hour)
	h.slots <- struct{}{}
	done := make(chan error, 1)
	go func() {
		_, err := h.Hash(context.Background(), "patience")
		done <- err
	}()
	<-h.slots
	if err := <-done; err != nil {
		t.Error(err)
	}
}
