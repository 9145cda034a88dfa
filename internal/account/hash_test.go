// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		t.Errorf("hash %q does not contain the documented parameters", first)
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
		"another":                 {password: composed + "x", phc: stored},
		"none":                    {password: "", phc: stored},
		"of no account":           {password: composed},
		"of no account, and none": {password: ""},
		"the password itself in place of its hash": {password: composed, phc: composed, fails: true},
		"a hash by another function":               {password: composed, phc: "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", fails: true},
		"a hash that was cut off":                  {password: composed, phc: stored[:len(stored)/2], fails: true},
		"a hash that was cut off after its salt":   {password: composed, phc: stored[:strings.LastIndex(stored, "$")+1], fails: true},
		"a hash of no passes":                      {password: composed, phc: phcOf(19456, 0, 1, 16, 32), fails: true},
		"a hash of no lanes":                       {password: composed, phc: phcOf(19456, 2, 0, 16, 32), fails: true},
		"a hash that needs four tebibytes":         {password: composed, phc: phcOf(math.MaxUint32, 2, 1, 16, 32), fails: true},
		"a hash that needs more than 64 MiB":       {password: composed, phc: phcOf(64*1024+1, 2, 1, 16, 32), fails: true},
		"a hash that needs hours":                  {password: composed, phc: phcOf(19456, math.MaxUint32, 1, 16, 32), fails: true},
		"a hash of more than ten passes":           {password: composed, phc: phcOf(8, 11, 1, 16, 32), fails: true},
		"a hash of many lanes":                     {password: composed, phc: phcOf(19456, 2, 5, 16, 32), fails: true},
		"a hash without a salt":                    {password: composed, phc: phcOf(19456, 2, 1, 0, 32), fails: true},
		"a hash of few bits":                       {password: composed, phc: phcOf(19456, 2, 1, 16, 15), fails: true},
		"the maximum that a hash may require":      {password: composed, phc: phcOf(64*1024, 10, 4, 16, 32)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := h.Verify(t.Context(), tc.password, storing(tc.phc))
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("Verify = %t, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "$") {
				t.Errorf("the error shows what is stored: %v", err)
			}
		})
	}
}

func storing(phc string) func() string { return func() string { return phc } }

// phcOf returns a hash with these parameters for which no password is known.
func phcOf(memory, iterations uint32, parallelism, salt, key int) string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, iterations, parallelism,
		base64.RawStdEncoding.EncodeToString(make([]byte, salt)), base64.RawStdEncoding.EncodeToString(make([]byte, key)))
}

func TestNothingOfAPasswordIsCutOff(t *testing.T) {
	h := NewHasher(1, time.Minute)
	for name, tc := range map[string]struct{ password, another string }{
		"256 characters, the last of which differs": {longest(256), longest(255) + "~"},
		"256 characters that need a thousand bytes": {strings.Repeat("🦊", 256), strings.Repeat("🦊", 255) + "🐺"},
		"one byte more than bcrypt reads":           {strings.Repeat("x", 72) + "y", strings.Repeat("x", 72) + "z"},
		"text after a zero byte":                    {"velvet\x00pickle", "velvet\x00anchor"},
		"a space at the end":                        {"velvet pickle tram ", "velvet pickle tram"},
		"a capital letter":                          {"Velvet pickle tram", "velvet pickle tram"},
	} {
		t.Run(name, func(t *testing.T) {
			phc, err := h.Hash(t.Context(), tc.password)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := h.Verify(t.Context(), tc.password, storing(phc)); !same || err != nil {
				t.Errorf("the password itself: %t, %v", same, err)
			}
			if same, err := h.Verify(t.Context(), tc.another, storing(phc)); same || err != nil {
				t.Errorf("another: %t, %v", same, err)
			}
		})
	}
}

func TestOutdated(t *testing.T) {
	fresh, err := NewHasher(1, 0).Hash(t.Context(), "velvet pickle tram")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		phc  string
		want bool
	}{
		"a new hash":                    {fresh, false},
		"less memory":                   {phcOf(19455, 2, 1, 16, 32), true},
		"fewer passes":                  {phcOf(19456, 1, 1, 16, 32), true},
		"more memory, but fewer passes": {phcOf(47104, 1, 1, 16, 32), true},
		"a shorter salt":                {phcOf(19456, 2, 1, 15, 32), true},
		"a shorter key":                 {phcOf(19456, 2, 1, 16, 31), true},
		"more of everything":            {phcOf(19457, 3, 2, 17, 33), false},
		"another number of lanes":       {phcOf(19456, 2, 4, 16, 32), false},
		"more than can be checked":      {phcOf(math.MaxUint32, 2, 1, 16, 32), true},
		"none":                          {"", true},
		"a hash by another function":    {"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", true},
		"another kind of argon2":        {strings.Replace(fresh, "argon2id", "argon2i", 1), true},
		"another version of argon2id":   {strings.Replace(fresh, "v=19", "v=16", 1), true},
		"one that was cut off":          {fresh[:len(fresh)/2], true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Outdated(tc.phc); got != tc.want {
				t.Errorf("Outdated(%q) = %t", tc.phc, got)
			}
		})
	}
}

func TestHashesTakeNoMoreMemoryThanTheSlots(t *testing.T) {
	const (
		slots, crowd = 4, 40
		each, fixed  = 19 << 20, 16 << 20
	)
	for name, atATime := range map[string]int{"all at once": crowd, "two at a time": 2} {
		t.Run(name, func(t *testing.T) {
			h, turns := NewHasher(slots, time.Hour), make(chan struct{}, atATime)
			took := peakOf(t, func() {
				var people sync.WaitGroup
				for range crowd {
					turns <- struct{}{}
					people.Go(func() {
						defer func() { <-turns }()
						if _, err := h.Verify(t.Context(), "a guess", storing("")); err != nil {
							t.Error(err)
						}
					})
				}
				people.Wait()
			})
			t.Logf("%d hashes in %d slots used %d MiB", crowd, slots, took>>20)
			if took > slots*each+fixed {
				t.Errorf("%d MiB, want %d MiB at most", took>>20, (slots*each+fixed)>>20)
			}
			if took < each {
				t.Errorf("%d MiB: no hash was running", took>>20)
			}
		})
	}
}

// peakOf returns the peak memory of objects while do ran, in bytes.
func peakOf(t *testing.T, do func()) uint64 {
	t.Helper()
	runtime.GC()
	before := heap()
	ctx, done := context.WithCancel(t.Context())
	peak := make(chan uint64, 1)
	go func() {
		// Each hash holds its memory for much longer than a tick.
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		most := heap()
		for ctx.Err() == nil {
			<-tick.C
			most = max(most, heap())
		}
		peak <- most
	}()
	do()
	done()
	return <-peak - before
}

// heap returns the memory of all objects in bytes, including garbage that is not
// collected yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestDummyHashTakesAsLongAsAnyOther(t *testing.T) {
	params, salt, key, err := argon2id.DecodeHash(dummyHash)
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
	if _, err := h.Verify(t.Context(), "none is left", func() string {
		t.Error("the hash was read before a slot was free")
		return ""
	}); !errors.Is(err, ErrBusy) {
		t.Errorf("without a slot: %v, want ErrBusy", err)
	}
	<-h.slots
	for range 2 {
		if _, err := h.Verify(t.Context(), "one has come free", storing("")); err != nil {
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

func TestWhoWaitsIsTurnedAwayInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(2, 5*time.Second)
		h.slots <- struct{}{}
		h.slots <- struct{}{}
		for name, enter := range map[string]func() error{
			"Verify": func() error { _, err := h.Verify(t.Context(), "patience", storing("")); return err },
			"Hash":   func() error { _, err := h.Hash(t.Context(), "patience"); return err },
		} {
			began := time.Now()
			if err := enter(); !errors.Is(err, ErrBusy) || time.Since(began) != 5*time.Second {
				t.Errorf("%s: %v after %s, want ErrBusy after 5s", name, err, time.Since(began))
			}
		}
	})
}

// TestStrangersLeaveSlots fills a Hasher with requests of strangers. A request with a
// reserve still gets a slot.
func TestStrangersLeaveSlots(t *testing.T) {
	for slots, forStrangers := range map[int]int32{1: 1, 2: 1, 3: 2, 4: 3, 8: 6} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { expectReserve(t, slots, forStrangers) })
		})
	}
}

func expectReserve(t *testing.T, slots int, forStrangers int32) {
	t.Helper()
	h, left := NewHasher(slots, 5*time.Second), make(chan struct{})
	var strangers, ahead atomic.Int32
	for range forStrangers + 2 {
		go occupy(t.Context(), h, &strangers, left)
	}
	synctest.Wait()
	if got := strangers.Load(); got != forStrangers {
		t.Errorf("strangers have %d slots, want %d", got, forStrangers)
	}
	known := make(chan error, 1)
	go func() {
		_, err := h.Verify(WithReserve(t.Context()), "a member's", func() string {
			ahead.Store(strangers.Load())
			return ""
		})
		known <- err
	}()
	synctest.Wait()
	if slots == 1 {
		left <- struct{}{} // The only stranger with a slot is done.
	}
	if err := <-known; err != nil {
		t.Errorf("a member is refused: %v", err)
	}
	if got := ahead.Load(); got != forStrangers {
		t.Errorf("%d strangers were ahead of the member, want %d", got, forStrangers)
	}
	close(left)
	synctest.Wait()
}

// occupy takes a slot as a stranger, counts itself and keeps the slot until left.
func occupy(ctx context.Context, h *Hasher, strangers *atomic.Int32, left <-chan struct{}) {
	_, _ = h.Verify(ctx, "a stranger's", func() string {
		strangers.Add(1)
		<-left
		return ""
	})
}

// TestTheLineIsShort fills a Hasher and its line. A further stranger is refused at once,
// and waits for nothing.
func TestTheLineIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 2
		h, left := NewHasher(slots, 5*time.Second), make(chan struct{})
		for range 1 + slots*waitersPerSlot {
			go func() {
				_, _ = h.Verify(t.Context(), "waiting", func() string { <-left; return "" })
			}()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := h.Hash(t.Context(), "one too many"); !errors.Is(err, ErrBusy) || time.Since(began) != 0 {
			t.Errorf("%v after %s, want ErrBusy at once", err, time.Since(began))
		}
		if _, err := h.Hash(WithReserve(t.Context()), "a member's"); err != nil {
			t.Errorf("a member is refused: %v", err)
		}
		close(left)
		synctest.Wait()
		if _, err := h.Hash(t.Context(), "after the crowd"); err != nil {
			t.Errorf("after the crowd: %v", err)
		}
	})
}

func TestHashGivesUpWithItsContext(t *testing.T) {
	h := NewHasher(1, time.Hour)
	h.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "the caller has left"); !errors.Is(err, context.Canceled) {
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
