// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package cache keeps the tokens of kubectl-usher on the person's computer: one file for
// each issuer and client, which only the person can read. A file lock lets one process at a
// time renew the tokens.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrExposed means that other users can read or replace tokens.
var ErrExposed = errors.New("its tokens may have leaked")

// Tokens are what an issuer returned. The zero value means that the person is not signed in.
type Tokens struct {
	IDToken      string `json:"idToken,omitempty"`
	RefreshToken string `json:"refreshToken,omitempty"`
	// AccessToken reads the pages of the portal for the person.
	AccessToken string `json:"accessToken,omitempty"`
	// Subject is the person: the claim sub of the ID token.
	Subject string `json:"subject,omitempty"`
	// Issued is when the ID token began, and Expires when it ends.
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

const (
	// lockPoll is how often a process asks for a lock that another process has.
	lockPoll = 50 * time.Millisecond
	// lockQuiet is how long a process waits for a lock before it reports that. A renewal takes
	// less.
	lockQuiet = 2 * time.Second
	// maxSize limits what is read, in bytes.
	maxSize = 1 << 20
)

// File is the cache of one issuer and client.
type File struct{ path string }

// Open returns the cache of an issuer and a client in a directory, which it creates. It
// fails with ErrExposed if other users can open an existing directory.
func Open(dir, issuer, clientID string) (File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return File{}, fmt.Errorf("create the token cache: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return File{}, fmt.Errorf("open the token cache: %w", err)
	}
	if why := exposure(info); why != "" {
		return File{}, fmt.Errorf("the directory %s of the token cache %s, so %w; change that with chown or chmod 700, or set --cache-dir", dir, why, ErrExposed)
	}
	sum := sha256.Sum256([]byte(issuer + "\x00" + clientID))
	return File{filepath.Join(dir, hex.EncodeToString(sum[:8])+".json")}, nil
}

// Read returns the tokens in the cache. A file that is missing or damaged holds none. Read
// fails with ErrExposed if other users can read the file. It returns the tokens
// nevertheless, so that they can be revoked.
func (f File) Read() (Tokens, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Tokens{}, nil
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("read the token cache: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return Tokens{}, fmt.Errorf("read the token cache: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxSize))
	if err != nil {
		return Tokens{}, fmt.Errorf("read the token cache: %w", err)
	}
	var t Tokens
	if json.Unmarshal(raw, &t) != nil {
		t = Tokens{}
	}
	if why := exposure(info); why != "" {
		return t, fmt.Errorf("the token cache %s %s, so %w; run kubectl usher logout, and then kubectl usher login", f.path, why, ErrExposed)
	}
	return t, nil
}

// Write replaces the tokens in the cache. A crash leaves either the old tokens or the new
// ones.
func (f File) Write(t Tokens) error {
	raw, err := json.Marshal(t) //nolint:gosec // the file is for these secrets
	if err != nil {
		return fmt.Errorf("write the token cache: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(f.path), ".tokens-") // with mode 0600
	if err != nil {
		return fmt.Errorf("write the token cache: %w", err)
	}
	defer func() { _ = os.Remove(next.Name()) }() // fails after the rename, as it should
	_, err = next.Write(raw)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return fmt.Errorf("write the token cache: %w", err)
	}
	if err := rename(next.Name(), f.path); err != nil {
		return fmt.Errorf("write the token cache: %w", err)
	}
	return nil
}

// Clear removes the tokens.
func (f File) Clear() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the token cache: %w", err)
	}
	return nil
}

// Lock waits until no other process has the lock of the cache, and takes it. It calls
// waiting if that takes long: another process may wait for a person. The error wraps that
// of the context if it ends first.
func (f File) Lock(ctx context.Context, waiting func()) (unlock func(), err error) {
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	quiet, cancel := context.WithTimeout(ctx, lockQuiet)
	defer cancel()
	locked, err := lock.TryLockContext(quiet, lockPoll)
	if !locked && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		waiting()
		_, err = lock.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the token cache: %w", err)
	}
	return func() { _ = lock.Unlock() }, nil // the end of the process unlocks it too
}
