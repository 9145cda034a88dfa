// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/usher-dev/usher/internal/invitation"
)

// sealedPrefix starts a sealed seed. A plain seed is base32, so it has no colon.
const sealedPrefix = "sealed:"

// seedDomain precedes the name of the Account when its key is derived.
const seedDomain = "usher authenticator seed v1\x00"

// ErrUnreadableSeed means that the seed of an authenticator app cannot be opened with the
// keyring. The error text quotes nothing of it.
var ErrUnreadableSeed = errors.New("the seed of an authenticator app cannot be opened: restore the keys that sealed it, or let the person sign in with a passkey or a recovery code and set the app up again")

// SealSeed encrypts the seed of an authenticator app for the Account of that name, with
// the newest key. So a reader of the Account's Secret alone can generate no codes.
//
// The result is "sealed:", the number of the key, a colon, and base64url of the nonce and
// the ciphertext of AES-256-GCM. Each Account has its own AES key, which is derived from
// the key of the ring. So the seed opens in no other Account's Secret.
func SealSeed(seed, account string, keys invitation.Keyring, random io.Reader) (string, error) {
	header := sealedPrefix + strconv.Itoa(int(keys.Newest())) + ":"
	aead, err := seedCipher(keys, keys.Newest(), account)
	if err != nil {
		return "", fmt.Errorf("seal the seed of an authenticator app: %w", err)
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("seal the seed of an authenticator app: %w", err)
	}
	return header + base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(seed), []byte(header))), nil
}

// OpenSeed returns the plain form of a seed of the Account of that name. Earlier versions
// did not seal seeds, so it returns a plain seed as it is. It fails with
// ErrUnreadableSeed.
func OpenSeed(text, account string, keys invitation.Keyring) (string, error) {
	if !IsSealed(text) {
		return text, nil
	}
	digits, body, _ := strings.Cut(strings.TrimPrefix(text, sealedPrefix), ":")
	number, err := strconv.ParseUint(digits, 10, 8)
	if err != nil {
		return "", ErrUnreadableSeed
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return "", ErrUnreadableSeed
	}
	aead, err := seedCipher(keys, uint8(number), account)
	if err != nil || len(raw) < aead.NonceSize() {
		return "", ErrUnreadableSeed
	}
	nonce, ciphertext := raw[:aead.NonceSize()], raw[aead.NonceSize():]
	seed, err := aead.Open(nil, nonce, ciphertext, []byte(strings.TrimSuffix(text, body)))
	if err != nil {
		return "", ErrUnreadableSeed
	}
	return string(seed), nil
}

// IsSealed reports whether a seed is in sealed form.
func IsSealed(text string) bool { return strings.HasPrefix(text, sealedPrefix) }

// IsSealedWith reports whether a seed was sealed with the key of that number.
func IsSealedWith(text string, number uint8) bool {
	return strings.HasPrefix(text, sealedPrefix+strconv.Itoa(int(number))+":")
}

func seedCipher(keys invitation.Keyring, number uint8, account string) (cipher.AEAD, error) {
	key, err := keys.MAC(number, seedDomain, []byte(account))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
