// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"strings"
	"testing"
)

var jane = Person{
	UserName: "jane-doe", Email: "jane.doe@example.com", GivenName: "Jane", FamilyName: "Doe",
	Organization: []string{"acme", "Acme Rocket Works"},
}

func TestCheckPassword(t *testing.T) {
	for name, tc := range map[string]struct {
		password string
		// want is why it is refused; empty: taken.
		want Weakness
	}{
		"none":                               {"", WeakEmpty},
		"one character short":                {"kzu7 wvq3 mxp9", WeakShort},
		"just long enough":                   {"kzu7 wvq3 mxp9x", ""},
		"words that do not belong together":  {"velvet-anchor pickle tram", ""},
		"64 characters":                      {strings.Repeat("q8 Zr", 12) + "w0tk", ""},
		"the longest":                        {longest(256), ""},
		"one too long is refused, never cut": {longest(257), WeakLong},
		"spaces at both ends count":          {" kzu7 wvq3 mxp ", ""},
		"Greek":                              {"θάλασσα καφές μολύβι", ""},
		"Chinese":                            {"正確馬電池訂書針海洋咖啡鉛筆書房", ""},
		"a letter and its mark are one character":    {"e\u0301kzu7 wvq3 mxp", WeakShort},
		"fifteen of the same":                        {"aaaaaaaaaaaaaaa", WeakRepeated},
		"fifteen of the same from elsewhere":         {strings.Repeat("ж", 15), WeakRepeated},
		"mostly the same":                            {"1111111111111111a", WeakSame},
		"marks without letters":                      {strings.Repeat("\u0301", 15), WeakSimple},
		"a short block over and over":                {"xkq7xkq7xkq7xkq7xk", WeakRepeated},
		"a common password twice":                    {"passwordpassword", WeakRepeated},
		"a common password in look-alikes":           {"p@$$w0rdp@$$w0rd1", WeakCommon},
		"common words":                               {"iloveyouprincess", WeakCommon},
		"a row of keys":                              {"sdfghjkl;'poiuyt", WeakKeyboard},
		"the alphabet":                               {"abcdefghijklmnopq", WeakSequence},
		"the Cyrillic alphabet":                      {"бвгдежзийклмноп", WeakSequence},
		"the own name":                               {"jane-doe-jane-doe", WeakPersonal},
		"the own name and a year":                    {"janedoeacme2024", WeakPersonal},
		"the address":                                {"jane.doe@example.com", WeakPersonal},
		"the organization":                           {"AcmeRocketWorks1", WeakPersonal},
		"the own name among words that are not":      {"jane velvet pickle tram", ""},
		"a control character and an emoji are taken": {"\x01🦊 velvet pickle tram", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckPassword(tc.password, jane); got != tc.want {
				t.Errorf("CheckPassword says %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRateOfOddInput(t *testing.T) {
	for name, password := range map[string]string{
		"nothing":                               "",
		"bytes that are no text":                strings.Repeat("\xff\xfe", 128),
		"zeros":                                 strings.Repeat("\x00", 256),
		"only marks":                            strings.Repeat("\u0301", 256),
		"look-alikes":                           strings.Repeat("4@8({[<369&#!1|0$5+7%2", 12)[:256],
		"every look-alike and more":             "4@8({[<369&#!1|0$5+7%2 abcdefghijklmnopqrstuvwxyz4@8({[<369&#!1|0$5+7%2",
		"emoji":                                 strings.Repeat("👩‍👩‍👧‍👦", 36),
		"one ligature that is eighteen letters": strings.Repeat("\ufdfa", 256),
		"right to left":                         strings.Repeat("\u202eabc", 64),
		"dates":                                 strings.Repeat("31.12.1999 1/1/11 ", 14),
		"a book":                                strings.Repeat("the quick brown fox jumps over it ", 8)[:256],
	} {
		t.Run(name, func(t *testing.T) {
			if s := Rate(password, jane); s.Score < 0 || s.Score > 4 || s.Weak() != (s.Weakness != "") {
				t.Errorf("Rate = %+v", s)
			}
		})
	}
}

// longest gives so many characters that do not repeat, of more than one script.
func longest(n int) string {
	var b strings.Builder
	state := uint32(7)
	for range n {
		state = state*1664525 + 1013904223
		b.WriteRune([]rune("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789äöüßéñçжшюяλψω")[(state>>16)%70])
	}
	return b.String()
}

func digits(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte("31415926535897932384626433832795028841971"[i*7%41])
	}
	return b.String()
}

func FuzzCheckPassword(f *testing.F) {
	f.Add("velvet-anchor pickle tram", "jane")
	f.Add(strings.Repeat("4@8({[<369&#!1|0$5+7%2", 5), "4@8")
	f.Add("\xff1999\u0301", "\u0301")
	f.Fuzz(func(t *testing.T, password, name string) {
		about := jane
		about.GivenName = name
		if w := CheckPassword(password, about); w == "" && PasswordLength(password) < MinPasswordLength {
			t.Errorf("takes %q", password)
		}
	})
}

func BenchmarkRate(b *testing.B) {
	for name, password := range map[string]string{
		"usual":                 "velvet-anchor pickle tram",
		"look-alikes":           strings.Repeat("4@8({[<369&#!1|0$5+7%2", 5),
		"ligatures":             strings.Repeat("\ufdfa", 256),
		"digits":                digits(100),
		"dates":                 strings.Repeat("1.1.99 31/12/1999 ", 5) + "x",
		"ligatures that differ": "x" + strings.Repeat("\ufdfa\ufdfb", 128),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Rate(password, jane)
			}
		})
	}
}
