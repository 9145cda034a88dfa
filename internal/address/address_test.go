// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestSame(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"case of the local part":                         {"Jane.Doe@example.com", "jane.doe@example.com", true},
		"case of the domain":                             {"jane@EXAMPLE.com", "jane@example.COM", true},
		"another person":                                 {"jane@example.com", "john@example.com", false},
		"another domain":                                 {"jane@example.com", "jane@example.org", false},
		"a subdomain":                                    {"jane@example.com", "jane@mail.example.com", false},
		"U-label and A-label":                            {"jane@BÜCHER.example", "jane@xn--bcher-kva.example", true},
		"A-label in capitals":                            {"jane@bücher.example", "jane@XN--BCHER-KVA.example", true},
		"a full-width domain":                            {"jane@ｅｘａｍｐｌｅ.com", "jane@example.com", true},
		"sharp s in a domain is a letter of its own":     {"jane@faß.example", "jane@fass.example", false},
		"final sigma in a domain":                        {"jane@βόλος.example", "jane@βόλοσ.example", false},
		"é composed and decomposed":                      {"ren\u00e9@example.com", "rene\u0301@example.com", true},
		"É composed, é decomposed":                       {"REN\u00c9@example.com", "rene\u0301@example.com", true},
		"an accent makes a difference":                   {"rené@example.com", "rene@example.com", false},
		"Cyrillic case":                                  {"ИВАН@example.com", "иван@example.com", true},
		"Greek case and final sigma":                     {"ΓΙΩΡΓΟΣ@example.com", "γιωργος@example.com", true},
		"sharp s is not ss":                              {"straße@example.com", "strasse@example.com", false},
		"capital sharp s":                                {"STRAẞE@example.com", "straße@example.com", true},
		"dotless i is not i":                             {"ıvan@example.com", "ivan@example.com", false},
		"dotless i is not capital I":                     {"ıvan@example.com", "IVAN@example.com", false},
		"capital i with a dot is not i":                  {"İvan@example.com", "ivan@example.com", false},
		"capital i with a dot, decomposed":               {"İvan@example.com", "I\u0307van@example.com", true},
		"capital i with a dot, decomposed in lower case": {"İvan@example.com", "i\u0307van@example.com", true},
		"iota subscript is not iota":                     {"ᾳ@example.com", "αι@example.com", false},
		"iota subscript in capitals":                     {"ᾼ@example.com", "ᾳ@example.com", true},
		"Kelvin sign":                                    {"\u212aate@example.com", "kate@example.com", false},
		"long s":                                         {"ſam@example.com", "sam@example.com", false},
		"full-width letters":                             {"ｊane@example.com", "jane@example.com", false},
		"full-width at":                                  {"jane＠example.com", "jane@example.com", false},
		"a ligature":                                     {"ﬁona@example.com", "fiona@example.com", false},
		"Cyrillic а":                                     {"jаne@example.com", "jane@example.com", false},
		"zero-width space":                               {"ja\u200bne@example.com", "jane@example.com", false},
		"zero-width space in the domain":                 {"jane@exam\u200bple.com", "jane@example.com", false},
		"soft hyphen in the domain":                      {"jane@exam\u00adple.com", "jane@example.com", false},
		"a tag":                                          {"jane+usher@example.com", "jane@example.com", false},
		"a dot":                                          {"j.ane@example.com", "jane@example.com", false},
		"quotes":                                         {`"jane"@example.com`, "jane@example.com", false},
		"a space in front":                               {" jane@example.com", "jane@example.com", false},
		"a dot at the end":                               {"jane@example.com.", "jane@example.com", false},
		"a comment":                                      {"jane(x)@example.com", "jane@example.com", false},
		"not addresses, different in case":               {"Jane", "jane", true},
		"not addresses, other bytes":                     {"\xff", "\xfe", false},
		"not addresses, case beyond ASCII":               {"É", "é", false},
		"nothing":                                        {"", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Same(tc.a, tc.b); got != tc.want {
				t.Errorf("Same(%q, %q) = %t; the keys are %q and %q", tc.a, tc.b, got, Key(tc.a), Key(tc.b))
			}
		})
	}
}

func TestKey(t *testing.T) {
	for email, want := range map[string]string{
		"Jane.Doe+X@Example.COM":         "jane.doe+x@example.com",
		"RENE\u0301@BÜCHER.example":      "ren\u00e9@xn--bcher-kva.example",
		"ΓΙΏΡΓΟΣ@example.com":            "γιώργοσ@example.com",
		"Jane Doe <Jane@BÜCHER.example>": "jane doe <jane@bÜcher.example>",
		"":                               "",
	} {
		if got := Key(email); got != want {
			t.Errorf("Key(%q) = %q, not %q", email, got, want)
		}
	}
}

func TestDomain(t *testing.T) {
	for email, want := range map[string]string{
		"jane@Mail.Example.COM":  "mail.example.com",
		"jane@BÜCHER.example":    "xn--bcher-kva.example",
		"иван@почта.рф":          "xn--80a1acny.xn--p1ai",
		"jane":                   "",
		"jane@":                  "",
		"jane@localhost":         "",
		"jane@example.com@other": "",
		"":                       "",
	} {
		if got := Domain(email); got != want {
			t.Errorf("Domain(%q) = %q, not %q", email, got, want)
		}
	}
}

// A letter and its other case have the same key, and no letter beyond ASCII has the key
// of one in ASCII.
func TestEveryLetterHasOneKey(t *testing.T) {
	key := func(r rune) string {
		email := string(r) + "@example.com"
		if CheckSyntax(email) != nil {
			return ""
		}
		return strings.TrimSuffix(Key(email), "@example.com")
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		got := key(r)
		if got == "" {
			continue
		}
		if again := Key(got + "@example.com"); again != got+"@example.com" {
			t.Errorf("%U: the key %q has the key %q", r, got, again)
		}
		if r > unicode.MaxASCII && !strings.ContainsFunc(got, beyondASCII) {
			t.Errorf("%U has the key %q of ASCII", r, got)
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if k := key(other); k != "" && k != got {
				t.Errorf("%U has the key %q and %U the key %q", r, got, other, k)
			}
		}
	}
	if key('ß') == "" || key('Я') != "я" {
		t.Error("the test sees no letters")
	}
}

func beyondASCII(r rune) bool { return r > unicode.MaxASCII }

// Two addresses share a key only if their only differences are case and composition. A
// change of only these keeps the key.
func TestKeysMergeNothingElse(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"i", "I", "İ", "ı", "\u0307", "s", "S", "ß", "ẞ", "Σ", "σ", "ς", "α", "Ι", "ᾳ", "ᾼ", "\u0345", "\u0301", "å", "\u212b", "H", "\u0331", "ẖ", ".", "+",
	})
	email := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "local"), "") + "@" +
			rapid.SampledFrom([]string{"faß.example", "FASS.example", "xn--fa-hia.example"}).Draw(t, "domain")
	}).Filter(func(email string) bool { return CheckSyntax(email) == nil })
	rapid.Check(t, func(t *rapid.T) {
		a, b := email.Draw(t, "a"), email.Draw(t, "b")
		localA, _, _ := strings.Cut(a, "@")
		localB, _, _ := strings.Cut(b, "@")
		alike := strings.EqualFold(norm.NFD.String(localA), norm.NFD.String(localB)) && Domain(a) == Domain(b)
		if Same(a, b) && !alike {
			t.Errorf("%q and %q share the key %q", a, b, Key(a))
		}
		for _, same := range []string{norm.NFC.String(a), norm.NFD.String(a), lowerASCII(a), upperASCII(a), Key(a)} {
			if !Same(a, same) {
				t.Errorf("%q has the key %q, and %q has %q", a, Key(a), same, Key(same))
			}
		}
	})
}

func FuzzKey(f *testing.F) {
	for _, email := range []string{
		"Jane.Doe@Example.com", "BÜCHER@BÜCHER.example", "İ@example.com", "I\u0307@example.com", "\u212a@example.com",
		"a\u0345\u0301@example.com", "\u0958@example.com", "x@XN--BCHER-KVA.example", "\xff@\xfe", "H\u0331@h\u0331.example", "@", "",
	} {
		f.Add(email)
	}
	f.Fuzz(func(t *testing.T, email string) {
		key := Key(email)
		if again := Key(key); again != key {
			t.Errorf("Key(%q) = %q, and the key of that is %q", email, key, again)
		}
		for _, other := range []string{lowerASCII(email), upperASCII(email)} {
			if got := Key(other); got != key {
				t.Errorf("Key(%q) = %q, but Key(%q) = %q", email, key, other, got)
			}
			if (CheckSyntax(email) == nil) != (CheckSyntax(other) == nil) {
				t.Errorf("accepts only one of %q and %q", email, other)
			}
		}
		if domain := Domain(email); domain != "" && !strings.HasSuffix(key, "@"+domain) {
			t.Errorf("Key(%q) = %q is not at %s", email, key, domain)
		}
	})
}

func upperASCII(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
