// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrUnsealable means that a text was not sealed with one of the keys, or for another
// purpose.
var ErrUnsealable = errors.New("the text cannot be opened")

// Seal encrypts a message for a purpose with AES-256-GCM. The result is base64url of the
// nonce and the ciphertext. It opens only for the same purpose.
func (r Ring) Seal(purpose string, message []byte, now time.Time, random io.Reader) (string, error) {
	aead, err := r.current(now).cipher(purpose)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return "", fmt.Errorf("seal a message: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, message, nil)), nil
}

// Open decrypts what Seal returned for the same purpose, with any of the keys. It fails
// with ErrUnsealable.
func (r Ring) Open(purpose, text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrUnsealable
	}
	for _, g := range r.generations {
		aead, err := g.cipher(purpose)
		if err != nil {
			return nil, err
		}
		if len(raw) < aead.NonceSize() {
			return nil, ErrUnsealable
		}
		message, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
		if err == nil {
			return message, nil
		}
	}
	return nil, ErrUnsealable
}

func (g generation) cipher(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, g.seal, nil, "usher issuer "+purpose, sealSize)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return cipher.NewGCM(block)
}
