// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// ErrBusy says that every slot for hashing stayed taken for as long as a
// password may wait.
var ErrBusy = errors.New("too many passwords are being hashed at this moment: try again shortly")

// hashParameters are OWASP's least for argon2id (19 MiB, two passes, one
// lane), with the salt of 128 bits and the tag of 256 bits of RFC 9106. The
// PHC string names them, so that they can be raised without losing anybody.
var hashParameters = argon2id.Params{
	Memory:      19 * 1024,
	Iterations:  2,
	Parallelism: 1,
	SaltLength:  16,
	KeyLength:   32,
}

// nobody is a hash that takes as long to check as any other and that no
// password is known for: its tag was never computed.
var nobody = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
	hashParameters.Memory, hashParameters.Iterations, hashParameters.Parallelism,
	base64.RawStdEncoding.EncodeToString(make([]byte, hashParameters.SaltLength)),
	base64.RawStdEncoding.EncodeToString(make([]byte, hashParameters.KeyLength)))

// What a stored hash may ask for, so that a damaged one cannot take all the
// memory or time there is: the memory (in KiB) and lanes that RFC 9106 recommends
// where memory is scarce, and some more passes. There is room in it to raise
// hashParameters, and to go back to a release that had not.
const (
	mostMemory      = 64 * 1024
	mostIterations  = 10
	mostParallelism = 4
)

// leastKeyLength and leastSaltLength, in bytes, are what a hash must have to tell
// passwords apart. One that was cut off does not.
const (
	leastKeyLength  = 16
	leastSaltLength = 8
)

// Hasher hashes and verifies passwords, so many at a time and no more: each takes 19 MiB,
// and without a bound a crowd at the door would take all the memory there is.
type Hasher struct {
	slots chan struct{}
	wait  time.Duration

	mu sync.Mutex
	// running hashes use their memory. That of done ones is garbage that may not
	// be collected yet. Together they are never more than the slots.
	running, done int
}

// NewHasher makes a Hasher that is at as many passwords at a time as it has
// slots, at least one, and lets a further one wait for that long.
func NewHasher(slots int, wait time.Duration) *Hasher {
	return &Hasher{slots: make(chan struct{}, max(slots, 1)), wait: wait}
}

// Hash gives a password, in Normal form, as a PHC string with a salt of its
// own. It fails with ErrBusy when no slot came free in time, and with the
// error of ctx when that ended first.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	phc, err := argon2id.CreateHash(Normal(password), &hashParameters)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return phc, nil
}

// Verify tells whether a password, in Normal form, is the one of the PHC string
// that stored gives, in constant time. It asks for that once there is room, right
// before it compares: what stored counts is what is looked at, and whoever finds no
// room has lost nothing. An empty PHC string is that of nobody: it takes as long as
// another and no password is right, so that an answer does not tell by its time
// who exists. Verify fails as Hash does, and after the same time where the PHC string
// cannot be read.
func (h *Hasher) Verify(ctx context.Context, password string, stored func() string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	phc := stored()
	_, unreadable := parametersOf(phc)
	compared := phc
	if unreadable != nil {
		compared = nobody
	}
	same, err := argon2id.ComparePasswordAndHash(Normal(password), compared)
	switch {
	case phc == "":
		return false, nil
	case unreadable != nil, err != nil:
		return false, ErrUnreadableHash
	}
	return same, nil
}

// Outdated tells whether a password should be hashed anew at the next chance: its
// PHC string has weaker parameters than new ones get, or cannot be read.
func Outdated(phc string) bool {
	stored, err := parametersOf(phc)
	return err != nil || stored.Memory < hashParameters.Memory || stored.Iterations < hashParameters.Iterations ||
		stored.SaltLength < hashParameters.SaltLength || stored.KeyLength < hashParameters.KeyLength
}

// ErrUnreadableHash says that what is stored is no hash that Usher can check. Its text
// quotes nothing of it.
var ErrUnreadableHash = errors.New("a stored password cannot be read: it is no PHC string of argon2id version 19 with parameters within bounds; " +
	"the person has to reset it")

// parametersOf reads the parameters of a PHC string. It fails where argon2id
// would panic or take too much, and where the hash would be worth nothing.
func parametersOf(phc string) (argon2id.Params, error) {
	params, _, _, err := argon2id.DecodeHash(phc)
	switch {
	case err != nil:
		// The text of the error may quote the hash.
		return argon2id.Params{}, ErrUnreadableHash
	case params.Memory > mostMemory,
		params.Iterations < 1, params.Iterations > mostIterations,
		params.Parallelism < 1, params.Parallelism > mostParallelism,
		params.SaltLength < leastSaltLength, params.KeyLength < leastKeyLength:
		return argon2id.Params{}, ErrUnreadableHash
	}
	return *params, nil
}

// enter waits for a slot, and for the memory of a hash.
func (h *Hasher) enter(ctx context.Context) error {
	if err := h.takeSlot(ctx); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Left to itself, the collector lets several times the memory of all slots pile
	// up. To collect after each hash would cost as much time as the hash.
	if h.running+h.done >= cap(h.slots) {
		runtime.GC()
		h.done = 0
	}
	h.running++
	return nil
}

func (h *Hasher) takeSlot(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(h.wait)
	defer patience.Stop()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return ErrBusy
	}
}

// leave releases the slot.
func (h *Hasher) leave() {
	h.mu.Lock()
	h.running--
	h.done++
	h.mu.Unlock()
	<-h.slots
}
