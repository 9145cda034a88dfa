// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package secondfactor

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	// secretSize is the length of a secret in bytes, as RFC 4226 recommends.
	secretSize = 20
	// period is the length of a time step in seconds.
	period = 30
	// drift is how many steps a code may be early or late. RFC 6238, section 5.2,
	// recommends no more than one.
	drift = 1
)

// unpadded is the encoding that authenticator apps expect for a secret: base32 (RFC 4648)
// without padding.
var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret returns the secret that an authenticator app and Usher share: 160 bits, in
// base32 without padding. It fails only if random does.
func NewSecret(random io.Reader) (string, error) {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("make the secret of an authenticator app: %w", err)
	}
	return unpadded.EncodeToString(secret), nil
}

// URL returns the otpauth:// key URI that an authenticator app reads from a QR code. The
// app shows the issuer and the account. The key URI format does not allow a colon in
// either, so URL replaces it with a space.
//
// The URI names SHA-1, six digits and 30 seconds. Some apps support nothing else, and do
// not report an error.
func URL(secret, issuer, account string) string {
	issuer, account = label(issuer), label(account)
	return fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d",
		escape(issuer), escape(account), escape(secret), escape(issuer), otp.AlgorithmSHA1, otp.DigitsSix, period)
}

func label(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(text, ""), ":", " ")), " ")
}

// escape leaves only characters that RFC 3986 calls unreserved. A space becomes %20,
// because apps show the plus sign of a form encoding as it is.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// Spaced returns a secret in groups of four, for a person who types it.
func Spaced(secret string) string { return grouped(secret, " ") }

// Check reports whether a typed code is valid for a secret of NewSecret at this time. The
// code must be that of the current 30-second step, or of the step before or after. Check
// ignores spaces and dashes, and compares in constant time.
//
// A code is valid only once (RFC 6238, section 5.2). lastStep is the step of the last
// accepted code, or zero if there is none. Check accepts no code up to that step. If ok,
// the caller must store step as the next lastStep before it completes the sign-in. If two
// steps have this code, step is the later one, so both are used up.
func Check(secret, typed string, now time.Time, lastStep int64) (step int64, ok bool) {
	// The codes of an empty secret are public.
	if key, err := unpadded.DecodeString(secret); err != nil || len(key) != secretSize {
		return 0, false
	}
	typed = bare(typed)
	current := now.Unix() / period
	for s := current - drift; s <= current+drift; s++ {
		want, err := code(secret, s, otp.DigitsSix, otp.AlgorithmSHA1)
		same := err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(typed)) == 1
		if same && s > lastStep {
			step, ok = s, true
		}
	}
	return step, ok
}

// code returns the code of a step (RFC 6238, section 4.2).
func code(secret string, step int64, digits otp.Digits, algorithm otp.Algorithm) (string, error) {
	return hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{ //nolint:gosec // G115: a step before 1970 has a code like any other.
		Digits: digits, Algorithm: algorithm,
	})
}
