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
	// period is how long a step takes, in seconds.
	period = 30
	// drift is how many steps a code may be early or late. RFC 6238, section
	// 5.2, recommends no more than one.
	drift = 1
)

// unpadded is how authenticator apps take a secret: base32 (RFC 4648) without padding.
var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret makes the secret that an authenticator app and Usher share: 160
// bits, in base32 without padding. It fails only if random does.
func NewSecret(random io.Reader) (string, error) {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("make the secret of an authenticator app: %w", err)
	}
	return unpadded.EncodeToString(secret), nil
}

// URL is the otpauth:// key URI that an authenticator app reads from a QR code.
// The app shows the issuer and the account. The key URI format has no place for
// a colon in either: it becomes a space.
//
// It names SHA-1, six digits and 30 seconds. Some apps know nothing else, and do
// not say so.
func URL(secret, issuer, account string) string {
	issuer, account = label(issuer), label(account)
	return fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=%s&digits=%d&period=%d",
		escape(issuer), escape(account), escape(secret), escape(issuer), otp.AlgorithmSHA1, otp.DigitsSix, period)
}

func label(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToValidUTF8(text, ""), ":", " ")), " ")
}

// escape leaves only what RFC 3986 calls unreserved. Apps show a plus sign where
// a form would have a space.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// Spaced is a secret in groups of four, for somebody who types it.
func Spaced(secret string) string { return grouped(secret, " ") }

// Check tells whether a code, as somebody typed it, is one that the secret of
// NewSecret has at this time: that of the step of 30 seconds now, or of the one
// before or after. Spaces and dashes do not matter. It compares in constant time.
//
// A code is good only once (RFC 6238, section 5.2): lastStep is the step whose
// code was accepted last, zero if none was, and Check accepts none up to that
// one. When ok, the caller must store step as the next lastStep before it lets
// anybody in. Of two steps that have this code it is the later one, so that both are used up.
func Check(secret, typed string, now time.Time, lastStep int64) (step int64, ok bool) {
	// Anybody can work out the codes of an empty secret.
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

// code is the code of a step (RFC 6238, section 4.2).
func code(secret string, step int64, digits otp.Digits, algorithm otp.Algorithm) (string, error) {
	return hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{ //nolint:gosec // G115: a step before 1970 has a code like any other.
		Digits: digits, Algorithm: algorithm,
	})
}
