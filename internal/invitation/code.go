// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
)

// CodeValidity is how long after the request a mailed code confirms an address. OWASP
// ASVS 5.0, 6.5.5, allows at most ten minutes for an out-of-band code.
const CodeValidity = 10 * time.Minute

// codeDigits is the length of a code, and codes is the number of possible codes. With
// MostGuesses, an attacker guesses a code on one in ten million links.
const (
	codeDigits = 8
	codes      = 100_000_000
)

// Code returns the code that confirms the other address with which an Invitation is to
// be accepted. The same request always has the same code, so nothing has to be stored.
// Code fails if the key of the attempt is no longer on the ring.
func (k Keyring) Code(inv *accountsv1.Invitation) (string, error) {
	other, attempt := inv.Status.OtherAddress, inv.Status.Attempt
	if !other.Given() || attempt.ClaimTime == nil {
		return "", errors.New("no code was requested")
	}
	return k.DeriveCode(uint8(attempt.KeyID), "usher address code v1", //nolint:gosec // G115: the API server holds it to 1 to 255.
		string(inv.UID), strconv.Itoa(int(attempt.Number)), attempt.ClaimTime.UTC().Format(time.RFC3339),
		address.Key(string(other.Email)), other.RequestTime.UTC().Format(time.RFC3339), strconv.Itoa(int(other.Requests)))
}

// DeriveCode returns the code of a message with a key of the ring. Each kind of code has
// its own domain. DeriveCode fails with ErrKeyGone.
func (k Keyring) DeriveCode(keyID uint8, domain string, message ...string) (string, error) {
	var parts [][]byte
	for _, part := range message {
		parts = append(parts, []byte(part), []byte{0})
	}
	mac, err := k.MAC(keyID, domain+"\x00", parts...)
	if err != nil {
		return "", err
	}
	// Reducing 64 bits modulo 10^8 favours no code by more than one in 10^11.
	return fmt.Sprintf("%0*d", codeDigits, binary.BigEndian.Uint64(mac)%codes), nil
}

// CheckCode reports whether a code, as typed by a person, confirms the other address at
// this time. It compares in constant time.
func (k Keyring) CheckCode(inv *accountsv1.Invitation, typed string, now time.Time) bool {
	code, err := k.Code(inv)
	if err != nil || !now.Before(inv.Status.OtherAddress.RequestTime.Add(CodeValidity)) {
		return false
	}
	return IsCode(code, typed)
}

// IsCode reports whether a person typed a code, with or without spaces and dashes. It
// compares in constant time.
func IsCode(code, typed string) bool {
	typed = strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(typed)
	return subtle.ConstantTimeCompare([]byte(code), []byte(typed)) == 1
}
