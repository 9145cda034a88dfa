// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import (
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// emailAddress is the CEL rule of accountsv1.EmailAddress.
var emailAddress = regexp.MustCompile(`^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_` + "`" + `{|}~-]+([.][\p{L}\p{M}\p{N}!#$%&'*+/=?^_` + "`" + `{|}~-]+)*@([\p{L}\p{N}]([-\p{L}\p{M}\p{N}]{0,61}[\p{L}\p{M}\p{N}])?[.])+\p{L}([-\p{L}\p{M}\p{N}]{0,61}[\p{L}\p{M}\p{N}])$`)

func TestCheckSyntaxTakes(t *testing.T) {
	long := strings.Repeat("a", 61)
	for name, email := range map[string]string{
		"a plain address":            "jane.doe@example.com",
		"every allowed sign":         "!#$%&'*+-/=?^_`{|}~@example.com",
		"a tag":                      "jane+usher@example.com",
		"one letter":                 "j@x.example",
		"letters of other scripts":   "иван@почта.рф",
		"accents":                    "rené.müller@bücher.example",
		"an accent of its own":       "rene\u0301@example.com",
		"Devanagari with its marks":  "राहुल@उदाहरण.भारत",
		"Chinese":                    "山田@例子.中国",
		"Thai with sara am":          "คำ@example.com",
		"Arabic":                     "علي@مثال.إختبار",
		"digits of other scripts":    "x٣@example.com",
		"an A-label":                 "jane@xn--bcher-kva.example",
		"a domain of digits":         "jane@123.example",
		"a long domain label":        "jane@" + long + "aa.example",
		"a local part of 64 octets":  strings.Repeat("a", 64) + "@example.com",
		"a local part of 32 letters": strings.Repeat("é", 32) + "@example.com",
		"254 octets":                 strings.Repeat("a", 64) + "@" + long + "." + long + "." + long + ".exa",
		"scripts mixed in one label": "jane@pаypal.example",
		"a full-width label":         "jane@ｅｘａｍｐｌｅ.com",
		"dotless i":                  "ıvan@example.com",
		"joiners inside an A-label":  "jane@xn--mgba3gch31f060k.example",
	} {
		t.Run(name, func(t *testing.T) {
			if err := CheckSyntax(email); err != nil {
				t.Errorf("CheckSyntax(%q): %v", email, err)
			}
			if len(email) > 254 {
				t.Errorf("%q has %d octets", email, len(email))
			}
			if !emailAddress.MatchString(email) {
				t.Errorf("%q is refused by the API", email)
			}
		})
	}
}

func TestCheckSyntaxRefuses(t *testing.T) {
	const (
		unseen   = "invisible character"
		at       = "exactly one @"
		dots     = "two dots in a row"
		before   = "not allowed before the @"
		domain   = "not a complete domain"
		imitates = "another way to write"
	)
	long := strings.Repeat("a", 61)
	for name, tc := range map[string]struct{ email, want string }{
		"nothing":                           {"", "give a mail address"},
		"no @":                              {"jane.example.com", at},
		"two @":                             {"jane@doe@example.com", at},
		"no local part":                     {"@example.com", "before the @ is missing"},
		"no domain":                         {"jane@", domain},
		"one label":                         {"jane@localhost", domain},
		"a dot at the start":                {".jane@example.com", dots},
		"a dot before the @":                {"jane.@example.com", dots},
		"two dots":                          {"jane..doe@example.com", dots},
		"a quoted local part":               {`"jane"@example.com`, before},
		"a name in front":                   {"Jane<jane@example.com>", before},
		"two addresses":                     {"jane,john@example.com", before},
		"a comment":                         {"jane(work)@example.com", before},
		"a backslash":                       {`jane\@example.com`, before},
		"an address literal":                {"jane@[192.0.2.1]", domain},
		"a number for a domain":             {"jane@192.0.2.1", domain},
		"a number that ends in two":         {"jane@192.0.2.10", domain},
		"a label of 66 characters":          {"jane@" + strings.Repeat("e\u0301", 33) + ".example", domain},
		"a port":                            {"jane@example.com:25", domain},
		"a path":                            {"jane@example.com/x", domain},
		"an underscore in the domain":       {"jane@a_b.example", domain},
		"a dash at the start":               {"jane@-a.example", domain},
		"a dash at the end":                 {"jane@a-.example", domain},
		"two dots in the domain":            {"jane@a..example", domain},
		"a dot at the end":                  {"jane@example.com.", domain},
		"a dot after the @":                 {"jane@.example.com", domain},
		"a top-level domain of one letter":  {"jane@example.c", domain},
		"a label of 64 octets":              {"jane@" + long + "aaa.example", domain},
		"a label too long in ASCII":         {"jane@" + strings.Repeat("é", 60) + ".example", domain},
		"an invalid A-label":                {"jane@xn--a.example", domain},
		"an A-label of ASCII":               {"jane@xn--example-.com", domain},
		"a domain that cannot be looked up": {"jane@\u0301a.example", domain},
		"Hebrew and Latin in one label":     {"jane@aא.example", domain},
		"an ideographic full stop":          {"jane@example。com", domain},
		"a symbol that becomes letters":     {"jane@㏕.com", domain},
		"a space":                           {"jane doe@example.com", unseen},
		"a space in front":                  {" jane@example.com", unseen},
		"a line break":                      {"jane@example.com\r\nBcc: x@example.com", unseen},
		"a zero byte":                       {"jane\x00@example.com", unseen},
		"bytes that are not text":           {"jane\xff@example.com", unseen},
		"a no-break space":                  {"jane\u00a0@example.com", unseen},
		"a zero-width space":                {"ja\u200bne@example.com", unseen},
		"a zero-width joiner":               {"ja\u200dne@example.com", unseen},
		"a byte order mark":                 {"\ufeffjane@example.com", unseen},
		"a soft hyphen":                     {"jane@exam\u00adple.com", unseen},
		"a bidi override":                   {"jane\u202e@example.com", unseen},
		"a bidi isolate":                    {"jane@\u2066example.com", unseen},
		"an Arabic letter mark":             {"jane\u061c@example.com", unseen},
		"a Hangul filler":                   {"jane\u3164@example.com", unseen},
		"a variation selector":              {"jane\ufe0f@example.com", unseen},
		"a grapheme joiner":                 {"jane\u034f@example.com", unseen},
		"a tag character":                   {"jane\U000e0041@example.com", unseen},
		"private use":                       {"jane\ue000@example.com", unseen},
		"a noncharacter":                    {"jane\uffff@example.com", unseen},
		"an unassigned code point":          {"jane\u0378@example.com", unseen},
		"a line separator":                  {"jane\u2028@example.com", unseen},
		"emoji":                             {"jane😀@example.com", before},
		"a Braille blank":                   {"jane\u2800@example.com", before},
		"a full-width at":                   {"jane＠x@example.com", before},
		"a full-width dot":                  {"jane．doe@example.com", before},
		"a curly apostrophe":                {"o’neil@example.com", before},
		"a full-width letter":               {"ｊane@example.com", imitates},
		"a ligature":                        {"ﬁona@example.com", imitates},
		"a long s":                          {"ſam@example.com", imitates},
		"a Kelvin sign":                     {"\u212aate@example.com", imitates},
		"a bold letter":                     {"𝐣ane@example.com", imitates},
		"a raised digit":                    {"jane²@example.com", imitates},
		"an accent without a letter":        {"\u0301jane@example.com", "accent"},
		"an accent on a sign":               {"a=\u0338b@example.com", "accent"},
		"an accent after a dot":             {"a.\u0338b@example.com", "accent"},
		"a local part of 65 octets":         {strings.Repeat("a", 65) + "@example.com", "64 bytes"},
		"a local part of 33 letters":        {strings.Repeat("é", 33) + "@example.com", "64 bytes"},
		"255 octets":                        {strings.Repeat("a", 64) + "@" + long + "." + long + "." + long + ".exam", "254 bytes"},
		"255 octets in UTF-8": {
			strings.Repeat("a", 64) + "@" + strings.Repeat("例", 30) + "." + strings.Repeat("例", 30) + ".examples", "254 bytes",
		},
		"255 octets in ASCII": {
			strings.Repeat("a", 64) + "@é." + long + "." + long + "." + long[:54] + ".com", "254 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckSyntax(tc.email)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("CheckSyntax(%q) = %v, not about %q", tc.email, err, tc.want)
			}
			text := strings.ReplaceAll(err.Error(), "jane.doe@example.com", "")
			if tc.email != "" && strings.Contains(text, tc.email) {
				t.Errorf("repeats the address: %v", err)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	for _, email := range []string{
		"jane.doe@example.com", "иван@почта.рф", "rene\u0301@bücher.example", "राहुल@उदाहरण.भारत", "a@b@c", `"a b"@c.de`,
		"a@xn--bcher-kva.example", "a@[::1]", "a@e\u0301e\u0301.example", "=?x?=@example.com", "x@a。b",
	} {
		f.Add(email)
	}
	f.Fuzz(func(t *testing.T, email string) {
		if CheckSyntax(email) != nil {
			return
		}
		if strings.Count(email, "@") != 1 || !utf8.ValidString(email) {
			t.Fatalf("accepts %q", email)
		}
		if !emailAddress.MatchString(email) || strings.Index(email, "@") > 64 || len(email) > 254 {
			t.Errorf("accepts %q, which the API refuses", email)
		}
		local, _, _ := strings.Cut(email, "@")
		ascii := local + "@" + Domain(email)
		for _, text := range []string{email, ascii} {
			parsed, err := netmail.ParseAddress(text)
			if err != nil || parsed.Name != "" || parsed.Address != text {
				t.Errorf("accepts %q, but net/mail reads %v, %v", text, parsed, err)
			}
		}
		if err := CheckSyntax(ascii); err != nil || !Same(ascii, email) {
			t.Errorf("accepts %q, but returns %[3]v for %[2]q", email, ascii, err)
		}
	})
}
