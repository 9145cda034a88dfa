// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
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

// Hasher hashes and verifies passwords, so many at a time and no more: each takes 19 MiB,
// and without a bound a crowd at the door would take all the memory there is.
type Hasher struct {
	slots chan struct{}
	wait  time.Duration
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
	defer func() { <-h.slots }()
	phc, err := argon2id.CreateHash(Normal(password), &hashParameters)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return phc, nil
}

// Verify tells whether a password, in Normal form, is the one of a PHC string,
// in constant time. An empty PHC string is that of nobody: it takes as long as
// another and no password is right, so that an answer does not tell by its time
// who exists. It fails as Hash does, and where the PHC string cannot be read.
func (h *Hasher) Verify(ctx context.Context, password, phc string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	stored := phc
	if stored == "" {
		stored = nobody
	}
	same, err := argon2id.ComparePasswordAndHash(Normal(password), stored)
	if err != nil {
		// The text of the error may quote the hash.
		return false, errUnreadableHash
	}
	return same && phc != "", nil
}

var errUnreadableHash = errors.New("a stored password cannot be read: it is no argon2id hash of version 19 as a PHC string")

func (h *Hasher) enter(ctx context.Context) error {
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
