// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const someUID = "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ab"

func someKeys(t *testing.T, numbers ...int) Keyring {
	t.Helper()
	data := map[string][]byte{}
	for _, n := range numbers {
		data[fmt.Sprintf("key-%d", n)] = bytes.Repeat([]byte{byte(n)}, KeySize)
	}
	keys, err := ParseKeyring(data)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func someDelivery(attempt, key int32, claimed time.Time) accountsv1.Delivery {
	at := metav1.NewTime(claimed)
	return accountsv1.Delivery{Attempt: attempt, KeyID: key, ClaimTime: &at}
}

var claimed = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestALinkIsGenuineForItsOwnAttemptAlone(t *testing.T) {
	keys := someKeys(t, 1, 2)
	own := someDelivery(1, 2, claimed)
	text, err := keys.DeriveLink(someUID, own)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := keys.DeriveLink(someUID, own)
	if text != again {
		t.Error("the same attempt has two links")
	}
	link, err := ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	if link.UID() != someUID {
		t.Errorf("the link is for %s", link.UID())
	}
	cases := map[string]struct {
		keys     Keyring
		uid      string
		delivery accountsv1.Delivery
		want     bool
	}{
		"its own attempt":                    {keys, someUID, own, true},
		"its key is not the newest any more": {someKeys(t, 1, 2, 3), someUID, own, true},
		"another Invitation":                 {keys, "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac", own, false},
		"a later attempt":                    {keys, someUID, someDelivery(2, 2, claimed), false},
		"another key of the ring":            {keys, someUID, someDelivery(1, 1, claimed), false},
		"its key has left the ring":          {someKeys(t, 1, 3), someUID, own, false},
		"the attempt was claimed anew":       {keys, someUID, someDelivery(1, 2, claimed.Add(time.Second)), false},
		"no attempt at all":                  {keys, someUID, accountsv1.Delivery{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.keys.Verify(link, c.uid, c.delivery); got != c.want {
				t.Errorf("Verify = %v, want %v", got, c.want)
			}
		})
	}
}

func TestNoBitOfALinkCanBeChanged(t *testing.T) {
	keys, own := someKeys(t, 1), someDelivery(1, 1, claimed)
	text, err := keys.DeriveLink(someUID, own)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	for bit := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[bit/8] ^= 1 << (bit % 8)
		link, err := ParseLink(base64.RawURLEncoding.EncodeToString(changed))
		if err == nil && keys.Verify(link, someUID, own) {
			t.Fatalf("bit %d can be changed", bit)
		}
	}
}

func TestParseLinkRefusesWhatIsNoLink(t *testing.T) {
	keys := someKeys(t, 1)
	text, _ := keys.DeriveLink(someUID, someDelivery(1, 1, claimed))
	for name, bad := range map[string]string{
		"nothing":           "",
		"too short":         text[1:],
		"too long":          text + "A",
		"padded":            text + "=",
		"other alphabet":    strings.Repeat("+", len(text)),
		"line break inside": text[:10] + "\n" + text[11:],
		"loose last bits":   text[:len(text)-1] + "B",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseLink(bad); err == nil {
				t.Error("it was taken for a link")
			}
		})
	}
}

func TestALinkNeverShowsItself(t *testing.T) {
	keys := someKeys(t, 1)
	text, _ := keys.DeriveLink(someUID, someDelivery(1, 1, claimed))
	link, _ := ParseLink(text)
	for _, verb := range []string{"%v", "%s", "%+v"} {
		if shown := fmt.Sprintf(verb, link); shown != "link for invitation "+someUID {
			t.Errorf("%s shows %q", verb, shown)
		}
	}
}

func TestParseKeyring(t *testing.T) {
	good := bytes.Repeat([]byte{1}, KeySize)
	for name, data := range map[string]map[string][]byte{
		"no key":          {},
		"a short key":     {"key-1": good[1:]},
		"a strange entry": {"key-1": good, "password": good},
		"key 0":           {"key-0": good},
		"key 256":         {"key-256": good},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseKeyring(data); err == nil {
				t.Error("it was taken for a keyring")
			}
		})
	}
	if newest := someKeys(t, 3, 12, 9).Newest(); newest != 12 {
		t.Errorf("the newest key is %d", newest)
	}
}

func FuzzParseLink(f *testing.F) {
	keys, err := ParseKeyring(map[string][]byte{"key-1": bytes.Repeat([]byte{1}, KeySize)})
	if err != nil {
		f.Fatal(err)
	}
	own := someDelivery(1, 1, claimed)
	genuine, err := keys.DeriveLink(someUID, own)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		link, err := ParseLink(text)
		if err == nil && keys.Verify(link, someUID, own) != (text == genuine) {
			t.Errorf("%q is taken for genuine", text)
		}
	})
}
