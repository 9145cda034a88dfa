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
	"unicode/utf8"
)

const (
	// recoveryCodes is how many codes are created at a time.
	recoveryCodes = 10
	// recoverySize is the length of a code in bytes, which gives 24 characters. NIST SP
	// 800-63B-4, section 3.1.2.2, allows a look-up secret of at least 112 bits to be
	// stored as a plain hash, because no attacker can try them all.
	recoverySize = 15
)

var (
	// recoveryAlphabet is the alphabet of Crockford's base32, in which no two characters
	// look alike.
	recoveryAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
	// misread maps the letters that the alphabet leaves out to the ones that they look
	// like.
	misread = strings.NewReplacer("O", "0", "I", "1", "L", "1", "U", "V")
)

// NewRecoveryCodes returns ten recovery codes of 120 bits each in the form that is shown
// to the person once. It also returns their hashes, which are stored instead of the
// codes. It fails only if random does.
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

// IsRecoveryCode reports whether a typed code has the length of a recovery code. A code
// of an app is shorter.
func IsRecoveryCode(typed string) bool {
	return utf8.RuneCountInString(bare(typed)) == recoveryAlphabet.EncodedLen(recoverySize)
}

// UseRecoveryCode reports whether a typed code matches one of the hashes, and returns the
// remaining hashes. It ignores case, spaces and dashes, and reads letters that look like
// one of the alphabet as that one. It compares with all hashes, in constant time.
//
// If ok, the caller must store left before it completes the sign-in, because a code is
// valid only once.
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
