// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

const (
	// recoveryCodes is how many codes are made at a time.
	recoveryCodes = 10
	// recoverySize is the length of a code in bytes: 24 characters. NIST SP
	// 800-63B-4, section 3.1.2.2, lets a look-up secret of at least 112 bits be
	// stored under a plain hash: nobody can try them all.
	recoverySize = 15
)

var (
	// recoveryAlphabet is that of Crockford's base32: no two of its characters
	// look alike.
	recoveryAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
	// misread maps the letters that it leaves out to those they look like.
	misread = strings.NewReplacer("O", "0", "I", "1", "L", "1", "U", "V")
)

// NewRecoveryCodes makes ten recovery codes of 120 bits each, as they are shown
// to the person, once, and the hashes to store in place of them. It fails only if
// random does.
func NewRecoveryCodes(random io.Reader) (codes, hashes []string, err error) {
	for range recoveryCodes {
		bits := make([]byte, recoverySize)
		if _, err := io.ReadFull(random, bits); err != nil {
			return nil, nil, fmt.Errorf("make a recovery code: %w", err)
		}
		code := recoveryAlphabet.EncodeToString(bits)
		codes, hashes = append(codes, grouped(code, "-")), append(hashes, recoveryHash(code))
	}
	return codes, hashes, nil
}

// UseRecoveryCode tells whether a code, as somebody typed it, is one of those
// whose hashes these are, and returns the hashes of those that are left. Case,
// spaces and dashes do not matter, nor do letters that look like one of the
// alphabet. It compares in constant time, with all of them.
//
// When ok, the caller must store left before it lets anybody in: a code is good
// only once.
func UseRecoveryCode(hashes []string, typed string) (left []string, ok bool) {
	typedHash := []byte(recoveryHash(misread.Replace(strings.ToUpper(bare(typed)))))
	left = make([]string, 0, len(hashes))
	for _, hash := range hashes {
		if subtle.ConstantTimeCompare([]byte(hash), typedHash) == 1 {
			ok = true
			continue
		}
		left = append(left, hash)
	}
	return left, ok
}

func recoveryHash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}
