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
		// want is why the password is refused. Empty means that it is accepted.
		want Weakness
	}{
		"none":                {"", WeakEmpty},
		"one character short": {"kzu7 wvq3 mxp9", WeakShort},
		"just long enough":    {"kzu7 wvq3 mxp9x", ""},
		"unrelated words":     {"velvet-anchor pickle tram", ""},
		"64 characters":       {strings.Repeat("q8 Zr", 12) + "w0tk", ""},
		"the longest":         {longest(256), ""},
		"one character too long is refused, not truncated": {longest(257), WeakLong},
		"spaces at both ends count":                        {" kzu7 wvq3 mxp ", ""},
		"Greek":                                            {"θάλασσα καφές μολύβι", ""},
		"Chinese":                                          {"正確馬電池訂書針海洋咖啡鉛筆書房", ""},
		"a letter and its mark are one character":          {"e\u0301kzu7 wvq3 mxp", WeakShort},
		"fifteen of the same":                              {"aaaaaaaaaaaaaaa", WeakRepeated},
		"fifteen of the same from another script":          {strings.Repeat("ж", 15), WeakRepeated},
		"mostly the same":                                  {"1111111111111111a", WeakSame},
		"marks without letters":                            {strings.Repeat("\u0301", 15), WeakSimple},
		"a short block over and over":                      {"xkq7xkq7xkq7xkq7xk", WeakRepeated},
		"a common password twice":                          {"passwordpassword", WeakRepeated},
		"a common password in look-alikes":                 {"p@$$w0rdp@$$w0rd1", WeakCommon},
		"common words":                                     {"iloveyouprincess", WeakCommon},
		"a row of keys":                                    {"sdfghjkl;'poiuyt", WeakKeyboard},
		"the alphabet":                                     {"abcdefghijklmnopq", WeakSequence},
		"the Cyrillic alphabet":                            {"бвгдежзийклмноп", WeakSequence},
		"the person's name":                                {"jane-doe-jane-doe", WeakPersonal},
		"the person's name and a year":                     {"janedoeacme2024", WeakPersonal},
		"the address":                                      {"jane.doe@example.com", WeakPersonal},
		"the organization":                                 {"AcmeRocketWorks1", WeakPersonal},
		"the person's name among unrelated words":          {"jane velvet pickle tram", ""},
		"a control character and an emoji are accepted":    {"\x01🦊 velvet pickle tram", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckPassword(tc.password, jane, false); got != tc.want {
				t.Errorf("CheckPassword = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCheckPasswordBesideASecondFactor(t *testing.T) {
	for name, tc := range map[string]struct {
		password string
		want     Weakness
	}{
		"none":                           {"", WeakEmpty},
		"seven characters":               {"kzu7wv!", WeakShort},
		"eight":                          {"kV7#qz2P", ""},
		"eight of another script":        {"火λж水é木ß金", ""},
		"seven letters, one with a mark": {"kzu7we\u0301!", WeakShort},
		"fifteen":                        {"kzu7 wvq3 mxp9x", ""},
		"64":                             {longest(64), ""},
		"the longest":                    {longest(256), ""},
		"one character too long is refused, not truncated": {longest(257), WeakLong},
		"a common password":                  {"password", WeakCommon},
		"a common password with capitals":    {"PASSWORD", WeakCommon},
		"a common password with a number":    {"Passwor1", WeakCommon},
		"a common password in look-alikes":   {"P@ssw0rd", WeakCommon},
		"a common password and a sign":       {"dragon1!", WeakCommon},
		"a common phrase":                    {"iloveyou", WeakCommon},
		"a word and a number":                {"sunshin3", WeakCommon},
		"a season and its year":              {"Summer26", WeakCommon},
		"a greeting":                         {"Welcome1", WeakCommon},
		"a name":                             {"michelle", WeakCommon},
		"counting":                           {"12345678", WeakCommon},
		"counting down":                      {"87654321", WeakSequence},
		"other digits":                       {"83746152", WeakKeyboard},
		"a date":                             {"24121985", WeakKeyboard},
		"a date with dots":                   {"24.12.85", WeakKeyboard},
		"a row of keys":                      {"qwertyui", WeakCommon},
		"a column of keys":                   {"1qaz2wsx", WeakCommon},
		"a path on the keyboard":             {"zxdfgtre", WeakKeyboard},
		"the alphabet":                       {"abcdefgh", WeakSequence},
		"the same over and over":             {"xxxxxxxx", WeakRepeated},
		"two characters over and over":       {"x7x7x7x7", WeakRepeated},
		"the person's user name":             {"jane-doe", WeakPersonal},
		"the person's name and a year":       {"Jane2026", WeakPersonal},
		"the organization":                   {"acmeacme", WeakRepeated},
		"the organization, a number, a sign": {"Acme123!", WeakPersonal},
		"the address":                        {"jane.doe", WeakPersonal},
		"the product":                        {"usher123", WeakPersonal},
		"the platform":                       {"Kubernetes1", WeakPersonal},
		"a common password in German":        {"Passwort1", WeakCommon},
		"a row of keys in French":            {"azertyui", WeakCommon},
		"a row of keys in German":            {"qwertz12", WeakCommon},
		"eight marks without letters":        {strings.Repeat("\u0301", 8), WeakSimple},
		"eight spaces":                       {strings.Repeat(" ", 8), WeakRepeated},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckPassword(tc.password, jane, true); got != tc.want {
				t.Errorf("CheckPassword = %q, want %q", got, tc.want)
			}
			if got := CheckPassword(tc.password, jane, false); got == "" && PasswordLength(tc.password) < 15 {
				t.Error("accepted as the only factor")
			}
		})
	}
}

func TestIsShort(t *testing.T) {
	for password, want := range map[string]bool{
		"": true, "kzu7wv!q": true, "kzu7 wvq3 mxp9": true, "e\u0301kzu7 wvq3 mxp": true, "kzu7 wvq3 mxp9x": false,
	} {
		if got := IsShort(password); got != want {
			t.Errorf("IsShort(%q) = %t", password, got)
		}
	}
}

func TestRateOfOddInput(t *testing.T) {
	for name, password := range map[string]string{
		"nothing":                               "",
		"bytes that are not text":               strings.Repeat("\xff\xfe", 128),
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

// longest returns n characters that do not repeat, of more than one script.
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
	f.Add("velvet-anchor pickle tram", "jane", false)
	f.Add(strings.Repeat("4@8({[<369&#!1|0$5+7%2", 5), "4@8", false)
	f.Add("\xff1999\u0301", "\u0301", true)
	f.Fuzz(func(t *testing.T, password, name string, secondFactor bool) {
		about := jane
		about.GivenName = name
		if w := CheckPassword(password, about, secondFactor); w == "" && PasswordLength(password) < LeastLength(secondFactor) {
			t.Errorf("accepts %q", password)
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
