// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, dir string) File {
	t.Helper()
	f, err := Open(dir, "https://accounts.example.com", "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var tokens = Tokens{IDToken: "id", RefreshToken: "refresh"}

func TestTokensOfAnIssuerAndAClient(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := open(t, dir)
	must(t, f.Write(tokens))
	if got, err := open(t, dir).Read(); err != nil || got != tokens {
		t.Errorf("got %v, error %v", got, err)
	}
	for _, of := range [][2]string{{"https://accounts.example.com", "other"}, {"https://accounts.example.co", "mkubectl"}, {"https://other.example.com", "kubectl"}} {
		other, err := Open(dir, of[0], of[1])
		must(t, err)
		if got, err := other.Read(); err != nil || got != (Tokens{}) {
			t.Errorf("%v: got %v, error %v", of, got, err)
		}
	}
	must(t, f.Clear())
	must(t, f.Clear())
	if got, err := f.Read(); err != nil || got != (Tokens{}) {
		t.Errorf("got %v, error %v", got, err)
	}
}

func TestAFileIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	f := open(t, dir)
	// The target of a link is not written to.
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	must(t, os.WriteFile(elsewhere, []byte("text"), 0o600))
	must(t, os.Symlink(elsewhere, f.path))
	must(t, f.Write(tokens))
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != "text" {
		t.Errorf("the target of the link is %q, error %v", text, err)
	}
	info, err := os.Lstat(f.path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, error %v", entries, err)
	}
}

func TestADamagedFileHoldsNoTokens(t *testing.T) {
	t.Parallel()
	f := open(t, filepath.Join(t.TempDir(), "cache"))
	for _, text := range []string{"", "{", `{"idToken":1}`, `{"idToken":"id"}{`, "\x00"} {
		must(t, os.WriteFile(f.path, []byte(text), 0o600))
		if got, err := f.Read(); err != nil || got != (Tokens{}) {
			t.Errorf("%q: got %v, error %v", text, got, err)
		}
	}
	must(t, f.Write(tokens))
	if got, err := f.Read(); err != nil || got != tokens {
		t.Errorf("got %v, error %v", got, err)
	}
}

func TestWhatOtherUsersCanOpen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	f := open(t, dir)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602} {
		must(t, f.Write(tokens))
		must(t, os.Chmod(f.path, mode))
		// The tokens can still be revoked.
		if got, err := f.Read(); !errors.Is(err, ErrExposed) || got != tokens {
			t.Errorf("mode %o: got %v, error %v", mode, got, err)
		}
	}
	for _, mode := range []os.FileMode{0o755, 0o710, 0o777} {
		must(t, os.Chmod(dir, mode))
		if _, err := Open(dir, "https://accounts.example.com", "kubectl"); !errors.Is(err, ErrExposed) {
			t.Errorf("mode %o of the directory: error %v", mode, err)
		}
	}
}

func TestLockIsForOne(t *testing.T) {
	t.Parallel()
	f := open(t, filepath.Join(t.TempDir(), "cache"))
	never := func() { t.Error("the lock said that it waits") }
	unlock, err := f.Lock(t.Context(), never)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	waits := 0
	_, err = f.Lock(ctx, func() {
		waits++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || waits != 1 {
		t.Errorf("error %v, waited %d times", err, waits)
	}
	again, err := f.Lock(t.Context(), unlock)
	must(t, err)
	again()
	unlock, err = f.Lock(t.Context(), never)
	must(t, err)
	unlock()
}
