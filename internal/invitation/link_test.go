// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"bytes"
	"fmt"
	"math"
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

func someAttempt(attempt, key int32, claimed time.Time) accountsv1.Attempt {
	at := metav1.NewTime(claimed)
	return accountsv1.Attempt{Number: attempt, KeyID: key, ClaimTime: &at}
}

// linkOf returns the link of the current attempt.
func linkOf(t *testing.T, keys Keyring, inv *accountsv1.Invitation) Link {
	t.Helper()
	return parsed(t, textOf(t, keys, inv))
}

func textOf(t *testing.T, keys Keyring, inv *accountsv1.Invitation) string {
	t.Helper()
	text, err := keys.DeriveLink(string(inv.UID), inv.Status.Attempt)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parsed(t *testing.T, text string) Link {
	t.Helper()
	link, err := ParseLink(text)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

var claimed = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestALinkIsGenuineForItsOwnAttemptAlone(t *testing.T) {
	keys := someKeys(t, 1, 2)
	own := someAttempt(1, 2, claimed)
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
		keys    Keyring
		uid     string
		attempt accountsv1.Attempt
		want    bool
	}{
		"its own attempt":                  {keys, someUID, own, true},
		"its key is no longer the newest":  {someKeys(t, 1, 2, 3), someUID, own, true},
		"another Invitation":               {keys, "6f1c2d3e-4a5b-4c6d-8e7f-0123456789ac", own, false},
		"a later attempt":                  {keys, someUID, someAttempt(2, 2, claimed), false},
		"another key of the ring":          {keys, someUID, someAttempt(1, 1, claimed), false},
		"its key is no longer on the ring": {someKeys(t, 1, 3), someUID, own, false},
		"the attempt was claimed again":    {keys, someUID, someAttempt(1, 2, claimed.Add(time.Second)), false},
		"no attempt at all":                {keys, someUID, accountsv1.Attempt{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.keys.Verify(link, c.uid, c.attempt); got != c.want {
				t.Errorf("Verify = %v, want %v", got, c.want)
			}
		})
	}
}

func TestDeriveLinkRejectsInvalidAttempts(t *testing.T) {
	keys := someKeys(t, 1, 255)
	for name, c := range map[string]struct {
		uid     string
		attempt accountsv1.Attempt
	}{
		"no attempt":                          {someUID, accountsv1.Attempt{}},
		"attempt 0":                           {someUID, someAttempt(0, 1, claimed)},
		"attempt -1":                          {someUID, someAttempt(-1, 1, claimed)},
		"key 0":                               {someUID, someAttempt(1, 0, claimed)},
		"key 256, which is not 0":             {someUID, someAttempt(1, 256, claimed)},
		"key 257, which is not 1":             {someUID, someAttempt(1, 257, claimed)},
		"key -1, which is not 255":            {someUID, someAttempt(1, -1, claimed)},
		"a key that is no longer on the ring": {someUID, someAttempt(1, 2, claimed)},
		"no time":                             {someUID, accountsv1.Attempt{Number: 1, KeyID: 1}},
		"no UID":                              {"", someAttempt(1, 1, claimed)},
		"a UID that is too short":             {someUID[1:], someAttempt(1, 1, claimed)},
		"a UID that is too long":              {someUID + "00", someAttempt(1, 1, claimed)},
		"a UID with other characters":         {strings.Replace(someUID, "6", "g", 1), someAttempt(1, 1, claimed)},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := keys.DeriveLink(c.uid, c.attempt); err == nil || text != "" {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	if _, err := keys.DeriveLink(someUID, someAttempt(math.MaxInt32, 255, claimed)); err != nil {
		t.Errorf("the last attempt, with the last key: %v", err)
	}
}

func TestANewKeyringStartsWithAKeyThatCanBeRead(t *testing.T) {
	keys, err := ParseKeyring(map[string][]byte{FirstKeyName(): bytes.Repeat([]byte{1}, KeySize)})
	if err != nil || keys.Newest() != 1 {
		t.Errorf("the newest key is %d: %v", keys.Newest(), err)
	}
}

func TestParseLinkRejectsMalformedLinks(t *testing.T) {
	keys := someKeys(t, 1)
	text, _ := keys.DeriveLink(someUID, someAttempt(1, 1, claimed))
	for name, bad := range map[string]string{
		"nothing":             "",
		"too short":           text[1:],
		"too long":            text + "A",
		"padded":              text + "=",
		"other alphabet":      strings.Repeat("+", len(text)),
		"line break inside":   text[:10] + "\n" + text[11:],
		"stray trailing bits": text[:len(text)-1] + "B",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseLink(bad); err == nil {
				t.Error("it was parsed as a link")
			}
		})
	}
}

func TestALinkNeverShowsItself(t *testing.T) {
	keys := someKeys(t, 1)
	text, _ := keys.DeriveLink(someUID, someAttempt(1, 1, claimed))
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
				t.Error("it was parsed as a keyring")
			}
		})
	}
	if newest := someKeys(t, 3, 12, 9).Newest(); newest != 12 {
		t.Errorf("the newest key is %d", newest)
	}
}
