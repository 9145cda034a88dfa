// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/usher-dev/usher/internal/invitation"
)

// sealedHead is the length of the data under the MAC: the value and its expiry.
// sealedSize is the total length, with the key id in front.
const (
	sealedHead = challengeSize + 8
	sealedSize = 1 + sealedHead + sha256.Size
)

// sealed is a value that a browser stores for the portal, under a MAC that every
// portal can check without a read.
type sealed struct {
	value   [challengeSize]byte
	expires time.Time
}

// seal encodes the value for a cookie: base64url(key id ‖ value ‖ unix time of
// expiry ‖ HMAC). Each kind of value has a domain of its own.
func (s sealed) seal(domain string, keys invitation.Keyring) (string, error) {
	raw := append([]byte{keys.Newest()}, s.value[:]...)
	raw = binary.BigEndian.AppendUint64(raw, uint64(s.expires.Unix())) //nolint:gosec // G115: no clock is before 1970.
	mac, err := keys.MAC(raw[0], domain, raw[1:])
	if err != nil {
		return "", fmt.Errorf("seal a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, mac...)), nil
}

// canBeSealed reports whether a cookie has the length of a sealed value.
func canBeSealed(text string) bool { return len(text) == base64.RawURLEncoding.EncodedLen(sealedSize) }

// unseal decodes a cookie, and reports whether it holds a value of that kind that a
// portal sealed and that has not expired.
func unseal(text, domain string, keys invitation.Keyring, now time.Time) (sealed, bool) {
	raw, err := invitation.DecodeLink(text, sealedSize)
	if err != nil {
		return sealed{}, false
	}
	head, sent := raw[1:1+sealedHead], raw[1+sealedHead:]
	mac, err := keys.MAC(raw[0], domain, head)
	if err != nil || !hmac.Equal(mac, sent) {
		return sealed{}, false
	}
	s := sealed{expires: time.Unix(int64(binary.BigEndian.Uint64(head[challengeSize:])), 0).UTC()} //nolint:gosec // G115: a portal wrote it.
	copy(s.value[:], head)
	return s, now.Before(s.expires)
}
