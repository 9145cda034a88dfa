// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"context"
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

// Hasher hashes passwords, so many at a time and no more: each takes 19 MiB,
// and without a bound a crowd at the door would take all the memory there is.
type Hasher struct {
	slots chan struct{}
	wait  time.Duration
}

// NewHasher makes a Hasher that hashes as many passwords at a time as it has
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
