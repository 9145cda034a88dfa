// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// ErrBusy means that no hashing slot became free in the time that a password may wait.
var ErrBusy = errors.New("too many passwords are being hashed: try again shortly")

// hashParameters are OWASP's minimum for argon2id (19 MiB, two passes, one lane), with
// the 128-bit salt and the 256-bit tag of RFC 9106. The PHC string contains the
// parameters, so they can be raised while old hashes keep working.
var hashParameters = argon2id.Params{
	Memory:      19 * 1024,
	Iterations:  2,
	Parallelism: 1,
	SaltLength:  16,
	KeyLength:   32,
}

// dummyHash replaces a stored hash that is empty or cannot be read. It takes as long to
// check as any other, and no password is known for it, because its tag was never computed.
var dummyHash = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
	hashParameters.Memory, hashParameters.Iterations, hashParameters.Parallelism,
	base64.RawStdEncoding.EncodeToString(make([]byte, hashParameters.SaltLength)),
	base64.RawStdEncoding.EncodeToString(make([]byte, hashParameters.KeyLength)))

// Bounds of a stored hash, so a damaged one cannot use up all memory or time. They are
// the memory (in KiB) and lanes that RFC 9106 recommends for little memory, and some more
// passes. They leave room to raise hashParameters, and to go back to a release that had
// not raised them.
const (
	mostMemory      = 64 * 1024
	mostIterations  = 10
	mostParallelism = 4
)

// leastKeyLength and leastSaltLength, in bytes, are the minimum for a hash that
// distinguishes passwords. A truncated hash does not.
const (
	leastKeyLength  = 16
	leastSaltLength = 8
)

// waitersPerSlot is how many requests without a reserve may wait for each slot. A longer
// line would only make all of them wait longer.
const waitersPerSlot = 16

// Hasher hashes and verifies a limited number of passwords at a time. Each needs 19 MiB.
// Without a limit, a flood of requests would use up all memory.
//
// A part of the slots is a reserve for requests with WithReserve. All other requests wait in
// a short line, of which only as many wait for a slot itself as there are slots outside the
// reserve. So however long the line is, it is never ahead of a request with a reserve.
type Hasher struct {
	// slots holds all running hashes.
	slots chan struct{}
	// unreserved holds the requests without a reserve that have a slot or are next. line
	// holds those that wait.
	unreserved, line chan struct{}
	wait             time.Duration

	mu sync.Mutex
	// running hashes use their memory. The memory of done ones is garbage that may not be
	// collected yet. Together they never exceed the slots.
	running, done int
}

// NewHasher returns a Hasher that works on as many passwords at a time as it has slots,
// at least one. Further passwords wait for a slot for up to the given time. The reserve is
// a quarter of the slots.
func NewHasher(slots int, wait time.Duration) *Hasher {
	slots = max(slots, 1)
	unreserved := max(slots-(slots+3)/4, 1)
	return &Hasher{
		slots: make(chan struct{}, slots), unreserved: make(chan struct{}, unreserved),
		line: make(chan struct{}, slots*waitersPerSlot), wait: wait,
	}
}

type reserveKey struct{}

// WithReserve returns a context whose passwords may use the reserve of a Hasher. It is for
// requests that cannot come from an arbitrary client.
func WithReserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, reserveKey{}, true)
}

func hasReserve(ctx context.Context) bool { return ctx.Value(reserveKey{}) != nil }

// Hash returns the PHC string of a password, in Normal form, with a new salt. It fails
// with ErrBusy if no slot became free in time or the line is full, and with the error of
// ctx if that ended first.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	phc, err := argon2id.CreateHash(Normal(password), &hashParameters)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return phc, nil
}

// Verify reports whether a password, in Normal form, matches the PHC string that stored
// returns. It compares in constant time.
//
// Verify calls stored after it has a slot, right before it compares. So an attempt that
// stored counts is also compared, and a caller that finds no slot has lost nothing. An
// empty PHC string means that there is no account: no password is right, but the call
// takes as long as any other. So the response time does not reveal which accounts exist.
// Verify fails in the same way as Hash. If the PHC string cannot be read, it fails after
// the same time.
func (h *Hasher) Verify(ctx context.Context, password string, stored func() string) (bool, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	phc := stored()
	_, unreadable := parametersOf(phc)
	compared := phc
	if unreadable != nil {
		compared = dummyHash
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

// Outdated reports whether a password should be hashed again at the next opportunity. Its
// PHC string has weaker parameters than new ones get, or cannot be read.
func Outdated(phc string) bool {
	stored, err := parametersOf(phc)
	return err != nil || stored.Memory < hashParameters.Memory || stored.Iterations < hashParameters.Iterations ||
		stored.SaltLength < hashParameters.SaltLength || stored.KeyLength < hashParameters.KeyLength
}

// ErrUnreadableHash means that the stored value is not a hash that Usher can check. The
// error text quotes nothing of it.
var ErrUnreadableHash = errors.New("a stored password cannot be read: it is not a PHC string of argon2id version 19 with parameters within bounds; " +
	"the member has to reset it")

// parametersOf reads the parameters of a PHC string. It fails if argon2id would panic or
// use too many resources, and if the hash would be worthless.
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

// enter waits for a slot, and for the memory of a hash. leave releases both.
func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	release, err := h.takeSlot(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// By itself, the garbage collector lets several times the memory of all slots pile up.
	// Collecting after each hash would cost as much time as the hash.
	if h.running+h.done >= cap(h.slots) {
		runtime.GC()
		h.done = 0
	}
	h.running++
	return func() {
		h.mu.Lock()
		h.running--
		h.done++
		h.mu.Unlock()
		release()
	}, nil
}

// takeSlot waits for a slot. A request without a reserve first waits in the line.
func (h *Hasher) takeSlot(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	steps := []chan struct{}{h.slots}
	if !hasReserve(ctx) {
		select {
		case h.line <- struct{}{}:
			defer func() { <-h.line }()
		default:
			return nil, ErrBusy
		}
		steps = []chan struct{}{h.unreserved, h.slots}
	}
	patience := time.NewTimer(h.wait)
	defer patience.Stop()
	for i, step := range steps {
		if err := await(ctx, step, patience.C); err != nil {
			releaseAll(steps[:i])
			return nil, err
		}
	}
	return func() { releaseAll(steps) }, nil
}

// releaseAll releases the slot before the place in the line, so that a request with a
// reserve that waits for the slot gets it.
func releaseAll(steps []chan struct{}) {
	for _, step := range slices.Backward(steps) {
		<-step
	}
}

// await takes a place in a channel, at once if there is one.
func await(ctx context.Context, place chan<- struct{}, patience <-chan time.Time) error {
	select {
	case place <- struct{}{}:
		return nil
	default:
	}
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-patience:
		return ErrBusy
	}
}
