// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/invitation"
)

const aSeed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// sealedSeed returns aSeed, sealed for jane.
func sealedSeed(t *testing.T, keys invitation.Keyring) string {
	t.Helper()
	text, err := SealSeed(aSeed, "jane", keys, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestASealedSeedOpensForItsAccountAlone(t *testing.T) {
	one, two, other := someKeys(t, 1), someKeys(t, 1, 2), otherKeys(t)
	text := sealedSeed(t, one)
	if strings.Contains(text, aSeed) || !IsSealed(text) || IsSealed(aSeed) {
		t.Errorf("sealed: %q", text)
	}
	for name, c := range map[string]struct {
		text, account string
		keys          invitation.Keyring
		fails         bool
	}{
		"with its key":                         {text, "jane", one, false},
		"after a new key was added":            {text, "jane", two, false},
		"sealed with the new key":              {sealedSeed(t, two), "jane", two, false},
		"a plain seed of an earlier version":   {aSeed, "jane", one, false},
		"in the Secret of another Account":     {text, "john", one, true},
		"with another key of the same number":  {text, "jane", other, true},
		"after its key was removed":            {sealedSeed(t, two), "jane", one, true},
		"with its last character changed":      {text[:len(text)-1] + "~", "jane", one, true},
		"with a character removed":             {text[:len(text)-1], "jane", one, true},
		"with another key number":              {strings.Replace(text, "sealed:1:", "sealed:2:", 1), "jane", two, true},
		"with a key number that is none":       {strings.Replace(text, "sealed:1:", "sealed:x:", 1), "jane", one, true},
		"with nothing after the key number":    {"sealed:1:", "jane", one, true},
		"with nothing after the prefix":        {"sealed:", "jane", one, true},
		"with the keyring empty":               {text, "jane", invitation.Keyring{}, true},
		"with the sealed text of another seed": {text[:20] + sealedSeed(t, one)[20:], "jane", one, true},
	} {
		t.Run(name, func(t *testing.T) {
			seed, err := OpenSeed(c.text, c.account, c.keys)
			if c.fails != errors.Is(err, ErrUnreadableSeed) || !c.fails && seed != aSeed || c.fails && seed != "" {
				t.Errorf("%q, %v", seed, err)
			}
		})
	}
}

func TestTheSameSeedIsSealedDifferentlyEachTime(t *testing.T) {
	keys := someKeys(t, 1)
	if first, second := sealedSeed(t, keys), sealedSeed(t, keys); first == second {
		t.Errorf("%q twice", first)
	}
}

func TestASeedIsCurrentIfTheNewestKeySealedIt(t *testing.T) {
	one, two := someKeys(t, 1), someKeys(t, 1, 2)
	for name, c := range map[string]struct {
		text string
		keys invitation.Keyring
		want bool
	}{
		"with the only key":  {sealedSeed(t, one), one, true},
		"with the newest":    {sealedSeed(t, two), two, true},
		"with an older key":  {sealedSeed(t, one), two, false},
		"not at all":         {aSeed, one, false},
		"with no key number": {"sealed:", one, false},
	} {
		if got := IsSealedWith(c.text, c.keys.Newest()); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestASeedIsNotSealedWithoutAKeyOrRandomness(t *testing.T) {
	if text, err := SealSeed(aSeed, "jane", invitation.Keyring{}, rand.Reader); err == nil {
		t.Errorf("without a key: %q", text)
	}
	if text, err := SealSeed(aSeed, "jane", someKeys(t, 1), bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %q, %v", text, err)
	}
}

func FuzzOpenSeed(f *testing.F) {
	keys := someKeys(f, 1)
	for _, text := range []string{"sealed:1:AAAA", "sealed:", "sealed:1", "sealed:256:x", aSeed, ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if seed, err := OpenSeed(text, "jane", keys); err == nil && IsSealed(text) {
			t.Errorf("%q opened as %q", text, seed)
		}
	})
}

// otherKeys returns a keyring with another key under the number 1.
func otherKeys(t *testing.T) invitation.Keyring {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{"key-1": bytes.Repeat([]byte{0xAA}, invitation.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
