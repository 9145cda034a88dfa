// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// KeySize is the size of a link key, in bytes.
const KeySize = sha256.Size

// keyPrefix precedes a key's number in the Secret that holds the keyring.
const keyPrefix = "key-"

// linkDomain precedes the input of the MAC of an invitation link.
const linkDomain = "usher invitation link v1\x00"

const (
	uidSize  = 16
	linkSize = uidSize + 4 + 1 + sha256.Size // uid, attempt, key id, HMAC
)

// ErrKeyGone means that the key of an attempt is no longer on the keyring. Its link can
// neither be derived nor verified, and only a new attempt gets another key.
var ErrKeyGone = errors.New("the link key of this attempt is no longer on the keyring")

// ErrMalformedLink means that a text is not an Usher link at all.
var ErrMalformedLink = errors.New("malformed link")

// Keyring is the set of keys that sign and verify links, numbered from 1 to 255. The
// highest number signs new links. The other keys stay valid as long as they are on the
// ring, so keys can be rotated.
type Keyring struct {
	keys   map[uint8][]byte
	newest uint8
}

// ParseKeyring reads a keyring from the data of its Secret: entries key-1 to key-255 of
// 32 bytes each. It fails if there is no entry, or if any entry has another form,
// because a partly read keyring would invalidate links that were already sent.
func ParseKeyring(data map[string][]byte) (Keyring, error) {
	ring := Keyring{keys: make(map[uint8][]byte, len(data))}
	for name, key := range data {
		digits, found := strings.CutPrefix(name, keyPrefix)
		id, err := strconv.ParseUint(digits, 10, 8)
		if !found || err != nil || id == 0 {
			return Keyring{}, fmt.Errorf("entry %q of the link keys must be named key-1 to key-255", name)
		}
		if len(key) != KeySize {
			return Keyring{}, fmt.Errorf("entry %q of the link keys must be %d random bytes, not %d", name, KeySize, len(key))
		}
		ring.keys[uint8(id)] = key
		ring.newest = max(ring.newest, uint8(id))
	}
	if ring.newest == 0 {
		return Keyring{}, errors.New("the link keys are empty: add an entry key-1 of 32 random bytes")
	}
	return ring, nil
}

// FirstKeyName returns the name of the entry that a new keyring starts with.
func FirstKeyName() string { return keyPrefix + "1" }

// Newest returns the number of the key that signs new links; 0: there is none.
func (k Keyring) Newest() uint8 { return k.newest }

// MAC returns the HMAC-SHA256 of a message with a key of the ring. The domain, which
// ends with a NUL, precedes the message. Each kind of link has its own domain, so that
// no link passes for one of another kind. MAC fails with ErrKeyGone.
func (k Keyring) MAC(keyID uint8, domain string, message ...[]byte) ([]byte, error) {
	key, found := k.keys[keyID]
	if !found {
		return nil, ErrKeyGone
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(domain))
	for _, part := range message {
		h.Write(part)
	}
	return h.Sum(nil), nil
}

// UID is the UID of an object in the API server, in bytes.
type UID [uidSize]byte

// ParseUID parses a UID of the form 00000000-0000-0000-0000-000000000000.
func ParseUID(text string) (UID, error) {
	var uid UID
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != uidSize {
		return uid, fmt.Errorf("%q is not a UID of the form 00000000-0000-0000-0000-000000000000", text)
	}
	copy(uid[:], raw)
	return uid, nil
}

func (u UID) String() string {
	h := hex.EncodeToString(u[:])
	return strings.Join([]string{h[0:8], h[8:12], h[12:16], h[16:20], h[20:32]}, "-")
}

// DecodeLink decodes a link from base64url without padding and checks that it has size
// bytes. Every error is ErrMalformedLink.
func DecodeLink(text string, size int) ([]byte, error) {
	if len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, ErrMalformedLink
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != size { // the decoder ignores line breaks
		return nil, ErrMalformedLink
	}
	return raw, nil
}

// Link is a parsed link that is not yet verified against its Invitation.
type Link struct {
	uid     UID
	attempt uint32
	keyID   uint8
	mac     [sha256.Size]byte
}

// UID returns the UID of the Invitation that the link claims to be for.
func (l Link) UID() string { return l.uid.String() }

// String never reveals the link, so that it cannot end up in a log by accident.
func (l Link) String() string { return "link for invitation " + l.UID() }

// DeriveLink returns the link of one attempt of one Invitation: base64url(uid ‖ attempt
// ‖ key id ‖ HMAC-SHA256). The same attempt always has the same link, so nothing has to
// be stored. The HMAC covers the time of the claim. So if an attempt begins again after
// its status was lost, it has another link. DeriveLink fails if the attempt's key is no
// longer on the ring.
func (k Keyring) DeriveLink(uid string, a accountsv1.Attempt) (string, error) {
	rawUID, err := ParseUID(uid)
	if err != nil {
		return "", err
	}
	if a.Number < 1 || a.KeyID < 1 || a.KeyID > math.MaxUint8 {
		return "", errors.New("the attempt has no number, or no key")
	}
	link := Link{uid: rawUID, attempt: uint32(a.Number), keyID: uint8(a.KeyID)}
	mac, err := k.mac(link, a)
	if err != nil {
		return "", err
	}
	raw := append(link.head(), mac...)
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// ParseLink parses a link. The result proves nothing until Verify has checked it. Every
// error is ErrMalformedLink.
func ParseLink(text string) (Link, error) {
	raw, err := DecodeLink(text, linkSize)
	if err != nil {
		return Link{}, err
	}
	var l Link
	copy(l.uid[:], raw)
	l.attempt = binary.BigEndian.Uint32(raw[uidSize:])
	l.keyID = raw[uidSize+4]
	copy(l.mac[:], raw[uidSize+5:])
	return l, nil
}

// Verify reports whether DeriveLink created the link for this Invitation and this
// attempt with a key of the ring. It compares in constant time.
func (k Keyring) Verify(l Link, uid string, a accountsv1.Attempt) bool {
	mac, err := k.mac(l, a)
	if err != nil {
		return false
	}
	genuine := hmac.Equal(mac, l.mac[:])
	return genuine && l.UID() == uid && int64(l.attempt) == int64(a.Number) && int32(l.keyID) == a.KeyID
}

func (k Keyring) mac(l Link, a accountsv1.Attempt) ([]byte, error) {
	if a.ClaimTime == nil {
		return nil, errors.New("the attempt has no claim")
	}
	return k.MAC(l.keyID, linkDomain, l.head(), []byte(a.ClaimTime.UTC().Format(time.RFC3339)))
}

func (l Link) head() []byte {
	raw := make([]byte, 0, linkSize)
	raw = append(raw, l.uid[:]...)
	raw = binary.BigEndian.AppendUint32(raw, l.attempt)
	return append(raw, l.keyID)
}
