// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package usercode

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func TestACodeSaysWhereAndWhenItWasRequested(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.7":            "203.0.113.0/24",
		"::ffff:203.0.113.7":     "203.0.113.0/24",
		"2001:db8:1:2::3":        "2001:da0::/27",
		"2a02:8109:9a40:1234::1": "2a02:8100::/27",
		"fd00::1":                "invalid Prefix",
		"10.1.2.3":               "invalid Prefix", // of a proxy, perhaps
		"192.168.1.7":            "invalid Prefix",
		"127.0.0.1":              "invalid Prefix",
		"169.254.1.1":            "invalid Prefix",
		"100.64.1.1":             "invalid Prefix",
		"::1":                    "invalid Prefix",
	} {
		made := New([]byte("secret"), netip.MustParseAddr(address), start)
		read, good := Parse(made.String(), start)
		if !good || read != made || read.Network.String() != want {
			t.Errorf("%s: %s of %s, want %s", address, read.Network, made, want)
		}
		if want != "invalid Prefix" && !read.Contains(netip.MustParseAddr(address)) {
			t.Errorf("%s is not in %s", address, read.Network)
		}
	}
}

func TestACodeWorksForTenMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := start.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "made")))
		age := time.Duration(rapid.Int64Range(0, int64(30*time.Minute)).Draw(t, "age"))
		text := New([]byte("secret"), netip.MustParseAddr("203.0.113.7"), made).String()
		if _, good := Parse(text, made.Add(age)); good != (age <= Life) && (age <= Life || age >= Life+slot) {
			t.Errorf("after %s: %t", age, good)
		}
	})
}

func TestHowPeopleTypeACode(t *testing.T) {
	text := New([]byte("secret"), netip.MustParseAddr("203.0.113.7"), start).String()
	looks := strings.NewReplacer("0", "o", "1", "l")
	for _, typed := range []string{text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), " " + strings.ReplaceAll(text, "-", " "), looks.Replace(text)} {
		if read, good := Parse(typed, start); !good || read.String() != text {
			t.Errorf("%q: %s, %t", typed, read, good)
		}
	}
	for _, typed := range []string{"", "-", text[:13], text + "0", text[:13] + "U", "ü" + text[1:], strings.Repeat("Z", 1000)} {
		if _, good := Parse(typed, start); good {
			t.Errorf("%q is a code", typed)
		}
	}
}

func TestMostTypingErrorsAreFound(t *testing.T) {
	text := strings.ReplaceAll(New([]byte("secret"), netip.MustParseAddr("203.0.113.7"), start).String(), "-", "")
	wrong, found := 0, 0
	for i := range text {
		for _, c := range alphabet {
			if typed := text[:i] + string(c) + text[i+1:]; typed != text {
				wrong++
				if _, good := Parse(typed, start); !good {
					found++
				}
			}
		}
	}
	if found*10 < wrong*9 {
		t.Errorf("%d of %d errors were found", found, wrong)
	}
}
