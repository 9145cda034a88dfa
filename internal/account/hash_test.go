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
