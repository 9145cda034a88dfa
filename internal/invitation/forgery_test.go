// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const anotherUID = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac"

// thirdAttempt is an Invitation that was sent three times; the keyring has two more
// keys.
func thirdAttempt(tb testing.TB) (Facts, Keyring) {
	tb.Helper()
	keys, err := ParseKeyring(map[string][]byte{
		"key-6": bytes.Repeat([]byte{6}, KeySize), "key-7": bytes.Repeat([]byte{7}, KeySize), "key-255": bytes.Repeat([]byte{255}, KeySize),
	})
	if err != nil {
		tb.Fatal(err)
	}
	f := someFacts(tried(me, accountsv1.DeliverySent, 1))
	for _, after := range []time.Duration{time.Hour, 2 * time.Hour} {
		f.Now = claimed.Add(after)
		asked(f.Now.Format(time.RFC3339))(&f)
		step(&f, accountsv1.DeliverySent)
	}
	if f.Invitation.Status.Attempt.Number != 3 {
		tb.Fatalf("it is attempt %d", f.Invitation.Status.Attempt.Number)
	}
	return f, keys
}

func derive(tb testing.TB, keys Keyring, uid string, number, key int32, claim time.Time) string {
	tb.Helper()
	text, err := keys.DeriveLink(uid, someAttempt(number, key, claim))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// forgeries are texts that an attacker could create who has the genuine link and links
// of other Invitations, but none of the keys.
func forgeries(tb testing.TB, f Facts, keys Keyring, genuine string) map[string][]string {
	tb.Helper()
	own := f.Invitation.Status.Attempt
	claim := own.ClaimTime.Time
	raw, err := base64.RawURLEncoding.DecodeString(genuine)
	if err != nil {
		tb.Fatal(err)
	}
	change := func(edit func(raw []byte)) string {
		edited := bytes.Clone(raw)
		edit(edited)
		return base64.RawURLEncoding.EncodeToString(edited)
	}
	signed := func(key []byte, keyID byte) string { // by an attacker with another key
		return change(func(raw []byte) {
			raw[uidSize+4] = keyID
			h := hmac.New(sha256.New, key)
			h.Write([]byte("usher invitation link v1\x00"))
			h.Write(raw[:uidSize+5])
			h.Write([]byte(claim.UTC().Format(time.RFC3339)))
			copy(raw[uidSize+5:], h.Sum(nil))
		})
	}
	number := func(n uint32) string {
		return change(func(raw []byte) { binary.BigEndian.PutUint32(raw[uidSize:], n) })
	}
	all := map[string][]string{
		"another Invitation's link of the same attempt": {derive(tb, keys, anotherUID, own.Number, own.KeyID, claim)},
		"another Invitation's link under this UID": {change(func(raw []byte) {
			others, _ := base64.RawURLEncoding.DecodeString(derive(tb, keys, anotherUID, own.Number, own.KeyID, claim))
			copy(raw[uidSize:], others[uidSize:])
		})},
		"the link of an attempt that was never begun": {derive(tb, keys, someUID, 4, own.KeyID, claim), derive(tb, keys, someUID, math.MaxInt32, own.KeyID, claim)},
		"the link of the same attempt, claimed at another time": {
			derive(tb, keys, someUID, own.Number, own.KeyID, claim.Add(-time.Second)), derive(tb, keys, someUID, own.Number, own.KeyID, claim.Add(time.Second)),
		},
		"another key of the ring":    {derive(tb, keys, someUID, own.Number, 6, claim), derive(tb, keys, someUID, own.Number, 255, claim)},
		"another key id":             {change(func(raw []byte) { raw[uidSize+4] = 0 }), change(func(raw []byte) { raw[uidSize+4] = 255 }), change(func(raw []byte) { raw[uidSize+4] = 6 })},
		"a key of the attacker":      {signed([]byte("mine"), 7), signed(nil, 0), signed(nil, 1), signed(make([]byte, KeySize), 0), signed(make([]byte, KeySize), 8)},
		"another number":             {number(0), number(1), number(2), number(4), number(math.MaxInt32), number(math.MaxInt32 + 1), number(math.MaxUint32)},
		"no signature":               {change(func(raw []byte) { clear(raw[uidSize+5:]) }), base64.RawURLEncoding.EncodeToString(raw[:uidSize+5])},
		"the parts in another order": {base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw[uidSize+5:]), raw[:uidSize+5]...))},
		"padded": {
			genuine + "=", genuine + "==", genuine + "A", "A" + genuine, genuine + " ", " " + genuine, genuine + "\n", "\r\n" + genuine,
			genuine + "%00", genuine + "\x00", genuine + "/", genuine + "?a=b", genuine + genuine,
		},
		"other alphabets": {
			base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), strings.ToUpper(genuine), strings.ToLower(genuine),
			strings.NewReplacer("-", "+", "_", "/").Replace(genuine), strings.NewReplacer("A", "Ａ").Replace(genuine),
		},
		"nothing": {"", " ", "=", "null", "undefined", ".", "../" + genuine},
	}
	for bit := range len(raw) * 8 {
		all["a bit changed"] = append(all["a bit changed"], change(func(raw []byte) { raw[bit/8] ^= 1 << (bit % 8) }))
	}
	for i := range len(genuine) {
		all["cut off"] = append(all["cut off"], genuine[:i], genuine[i+1:])
		all["a character gone"] = append(all["a character gone"], genuine[:i]+genuine[i+1:])
		all["a character changed into a line break"] = append(all["a character changed into a line break"], genuine[:i]+"\n"+genuine[i+1:])
		for bit := range 8 {
			all["a bit of a character changed"] = append(all["a bit of a character changed"], genuine[:i]+string([]byte{genuine[i] ^ 1<<bit})+genuine[i+1:])
		}
	}
	return all
}

// standingOf returns the status of a text that a client puts after the portal's URL.
func standingOf(o Offer, text string, keys Keyring, now time.Time) LinkStatus {
	link, err := ParseLink(text)
	if err != nil {
		return LinkUnknown
	}
	return o.Check(link, keys, now)
}

func TestForgedLinksAreRejectedWithoutDetails(t *testing.T) {
	f, keys := thirdAttempt(t)
	genuine := textOf(t, keys, f.Invitation)
	if got := standingOf(f.Offer, genuine, keys, f.Now); got != LinkOpen {
		t.Fatalf("the genuine link is %v", got)
	}
	if !strings.ContainsAny(genuine, "-_") {
		t.Fatal("the genuine link is the same in all alphabets")
	}
	offers := map[string]Offer{"open": f.Offer}
	for name, change := range map[string]func(*Facts){
		"used": accepting, "declined": declining, "expired": state("Expired"), "withdrawn": func(f *Facts) { f.Organization = nil }, "full": seats(1),
	} {
		g := f
		g.Invitation, g.Organization = f.Invitation.DeepCopy(), f.Organization.DeepCopy()
		change(&g)
		offers[name] = g.Offer
	}
	tried := 0
	for name, texts := range forgeries(t, f, keys, genuine) {
		for _, text := range texts {
			if text == genuine {
				continue // the lower-case form of lower-case text
			}
			tried++
			for standing, offer := range offers {
				if got := standingOf(offer, text, keys, f.Now); got != LinkUnknown {
					t.Errorf("%s: %q gets the status %v, from an Invitation that is %s", name, text, got, standing)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d forgeries were tried", tried)
	}
}

func TestSupersededLinksDifferFromUnknownOnes(t *testing.T) {
	f, keys := thirdAttempt(t)
	first := derive(t, keys, someUID, 1, 7, claimed)
	for name, c := range map[string]struct {
		text string
		want LinkStatus
	}{
		"the first":                              {first, LinkSuperseded},
		"the second":                             {derive(t, keys, someUID, 2, 7, claimed.Add(time.Hour)), LinkSuperseded},
		"the third":                              {derive(t, keys, someUID, 3, 7, claimed.Add(2*time.Hour)), LinkOpen},
		"the first, with the time of the second": {derive(t, keys, someUID, 1, 7, claimed.Add(time.Hour)), LinkUnknown},
		"the second, with the number of the first": {derive(t, keys, someUID, 1, 7, claimed.Add(2*time.Hour)), LinkUnknown},
		"the first, with another key":              {derive(t, keys, someUID, 1, 6, claimed), LinkUnknown},
		"the first of another Invitation":          {derive(t, keys, anotherUID, 1, 7, claimed), LinkUnknown},
		"one before the first":                     {derive(t, keys, someUID, 4, 7, claimed.Add(-time.Hour)), LinkUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := standingOf(f.Offer, c.text, keys, f.Now); got != c.want {
				t.Errorf("it is %v, not %v", got, c.want)
			}
		})
	}
	t.Run("a bit of the first changed", func(t *testing.T) {
		raw, _ := base64.RawURLEncoding.DecodeString(first)
		for bit := range len(raw) * 8 {
			edited := bytes.Clone(raw)
			edited[bit/8] ^= 1 << (bit % 8)
			if got := standingOf(f.Offer, base64.RawURLEncoding.EncodeToString(edited), keys, f.Now); got != LinkUnknown {
				t.Errorf("bit %d: it is %v", bit, got)
			}
		}
	})
	t.Run("the first, after the status was lost", func(t *testing.T) {
		f.Invitation.Status = accountsv1.InvitationStatus{}
		if got := standingOf(f.Offer, first, keys, f.Now); got != LinkUnknown {
			t.Errorf("it is %v", got)
		}
	})
}

func TestALinkEndsOnTheSecond(t *testing.T) {
	f, keys := thirdAttempt(t)
	genuine := textOf(t, keys, f.Invitation)
	expires := f.Invitation.Status.ExpirationTime.Time
	for after, want := range map[time.Duration]LinkStatus{
		-time.Second: LinkOpen, -time.Nanosecond: LinkOpen, 0: LinkExpired, time.Nanosecond: LinkExpired, time.Second: LinkExpired, 1000 * time.Hour: LinkExpired,
	} {
		if got := standingOf(f.Offer, genuine, keys, expires.Add(after)); got != want {
			t.Errorf("%s after its time was over it is %v, not %v", after, got, want)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	facts, keys := thirdAttempt(f)
	current, earlier := derive(f, keys, someUID, 3, 7, claimed.Add(2*time.Hour)), derive(f, keys, someUID, 1, 7, claimed)
	for _, seed := range []string{current, earlier, "", current[:len(current)-1] + "B", derive(f, keys, anotherUID, 3, 7, claimed)} {
		f.Add(seed)
	}
	second := derive(f, keys, someUID, 2, 7, claimed.Add(time.Hour))
	want := map[string]LinkStatus{current: LinkOpen, earlier: LinkSuperseded, second: LinkSuperseded}
	f.Fuzz(func(t *testing.T, text string) {
		if got := standingOf(facts.Offer, text, keys, facts.Now); got != want[text] {
			t.Errorf("%q is %v", text, got)
		}
		if link, err := ParseLink(text); err != nil && (link != Link{} || err != ErrMalformedLink) { //nolint:errorlint // the very error, which shows nothing of the text
			t.Errorf("%q: %v, %v", text, link, err)
		}
	})
}
