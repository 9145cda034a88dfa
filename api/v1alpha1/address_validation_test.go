// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
)

var addresses = map[string][]string{
	"Organization": {"spec.founders.0.email"},
	"Membership":   {"spec.email"},
	"Invitation":   {"spec.email", "status.otherAddress.email"},
	"Account":      {"spec.email"},
}

const noAddress = "must be a complete e-mail address such as jane@example.com"

func TestEmailAddresses(t *testing.T) {
	acceptTexts(t, addresses, map[string]string{
		"that is plain":                       "jane@example.com",
		"of the minimum length":               "a@b.cd",
		"with a dot":                          "jane.doe@example.com",
		"with a tag":                          "jane+usher@example.com",
		"with capital letters":                "Jane.Doe@Example.COM",
		"with an apostrophe":                  "o'neil@example.com",
		"with every allowed symbol":           "!#$%&'*+/=?^_`{|}~-@example.com",
		"with digits and dashes":              "1@2-3.example",
		"in a deep domain":                    "a@b.c.d.example.com",
		"in a domain written in punycode":     "jane@xn--bcher-kva.xn--p1ai",
		"with letters beyond ASCII":           "zoë@example.com",
		"with a combining accent":             "zoe\u0308@example.com",
		"in Cyrillic":                         "иван@почта.рф",
		"in Chinese":                          "山田@例子.中国",
		"in Devanagari with its marks":        "राहुल@उदाहरण.भारत",
		"in Thai":                             "คำ@example.com",
		"in Arabic":                           "علي@مثال.إختبار",
		"with the zero of Japanese names":     "二〇@example.com",
		"in a domain beyond ASCII":            "jane@bücher.example",
		"in a domain with a combining accent": "jane@bu\u0308cher.example",
		"with 64 characters before the @":     strings.Repeat("a", 64) + "@example.com",
		"with 64 bytes before the @":          strings.Repeat("é", 32) + "@example.com",
		"of 254 characters":                   longest(254),
		"of 254 bytes":                        "éa@" + strings.Repeat("é", 61) + longest(254)[126:],
	})
	refuseTexts(t, addresses, "must have at most 64 bytes before the @ and at most 254 bytes in total", map[string]string{
		"with 65 characters before the @": strings.Repeat("a", 65) + "@example.com",
		"with 66 bytes before the @":      strings.Repeat("é", 33) + "@example.com",
		"of 255 bytes":                    "éa@" + strings.Repeat("é", 61) + longest(255)[126:],
	})
	refuseTexts(t, addresses, "Too long: may not be more than 254 bytes", map[string]string{
		"of 255 characters": longest(255),
	})
	refuseTexts(t, addresses, "should be at least 3 chars long", map[string]string{
		"of 2 characters": "a@",
	})
}

func TestTextsThatAreNoEmailAddresses(t *testing.T) {
	refuseTexts(t, addresses, noAddress, map[string]string{
		"that is empty":                        "",
		"without an @":                         "jane.example.com",
		"with two @":                           "jane@doe@example.com",
		"with nothing before the @":            "@example.com",
		"with nothing after the @":             "jane@",
		"of only @":                            "@@@",
		"with a space in it":                   "jane doe@example.com",
		"with a space before it":               " jane@example.com",
		"with a space after it":                "jane@example.com ",
		"with a space after the @":             "jane@ example.com",
		"with a no-break space":                "jane\u00a0doe@example.com",
		"with a tab":                           "jane\t@example.com",
		"with a name before it":                "Jane Doe <jane@example.com>",
		"in angle brackets":                    "<jane@example.com>",
		"with a comment":                       "jane(doe)@example.com",
		"that is a mailto link":                "mailto:jane@example.com",
		"that is a list with commas":           "jane@example.com,john@example.com",
		"that is a list with semicolons":       "jane@example.com;john@example.com",
		"with a dot at the start":              ".jane@example.com",
		"with a dot before the @":              "jane.@example.com",
		"with two dots before the @":           "jane..doe@example.com",
		"with a dot at the end":                "jane@example.com.",
		"with a dot after the @":               "jane@.example.com",
		"with two dots after the @":            "jane@example..com",
		"with a line break in it":              "jane@example.com\nBcc: john@example.com",
		"with a carriage return in it":         "jane@example.com\r\nBcc: john@example.com",
		"with a line break at the end":         "jane@example.com\n",
		"with a null character":                "jane\x00@example.com",
		"at an address literal":                "jane@[192.0.2.1]",
		"at an IPv6 literal":                   "jane@[IPv6:2001:db8::1]",
		"at a bare IP address":                 "jane@192.0.2.1",
		"with a quoted name":                   `"jane doe"@example.com`,
		"with a backslash":                     `jane\@example.com`,
		"in a domain of one label":             "jane@localhost",
		"in a top-level domain of one letter":  "jane@example.c",
		"in a domain with an underscore":       "jane@exa_mple.com",
		"in a domain that starts with a dash":  "jane@-example.com",
		"in a domain with a dash before a dot": "jane@example-.com",
		"in a domain with a label too long":    "jane@" + strings.Repeat("a", 64) + ".com",
	})
}

// An address looks like what it is. It contains no characters that are invisible, and
// none that readers could mistake for another part of the address.
func TestEmailAddressesHideNothing(t *testing.T) {
	refuseTexts(t, addresses, noAddress, map[string]string{
		"with a next line":                  "jane\u0085@example.com",
		"with a line separator":             "jane\u2028@example.com",
		"with a right-to-left override":     "jane\u202e@example.com",
		"with a right-to-left mark":         "jane\u200f@example.com",
		"with an isolate":                   "\u2066jane\u2069@example.com",
		"with an Arabic letter mark":        "jane\u061c@example.com",
		"with a zero-width space":           "jane\u200b@example.com",
		"with a zero-width joiner":          "jane\u200d@example.com",
		"with a zero-width non-joiner":      "jane\u200c@example.com",
		"with a byte order mark before it":  "\ufeffjane@example.com",
		"with a soft hyphen in the domain":  "jane@exam\u00adple.com",
		"with a zero-width space in it":     "jane@exam\u200bple.com",
		"with text in tag characters":       "jane\U000e0041@example.com",
		"with a wide space":                 "jane\u3000doe@example.com",
		"with a private character":          "jane\ue000@example.com",
		"with a wide @":                     "jane＠example.com",
		"with a wide @ and an @":            "jane＠doe@example.com",
		"with a wide dot":                   "jane@example．com",
		"with an ideographic dot":           "jane@example。com",
		"with a half-width ideographic dot": "jane@example｡com",
		"with a middle dot":                 "jane@example·com",
		"with a wide slash":                 "jane@example／.com",
		"with a curly apostrophe":           "o’neil@example.com",
		"with a Braille blank":              "jane\u2800@example.com",
		"with emoji":                        "jane😀@example.com",
		"in a domain of emoji":              "jane@😀.example",
		"with an accent before it":          "\u0338jane@example.com",
		"with an accent after a dot":        "jane.\u0338doe@example.com",
		"with an accent on a symbol":        "a=\u0338b@example.com",
		"with an accent after the @":        "jane@\u0338example.com",
	})
	refuseTexts(t, addresses, "must not contain invisible characters", map[string]string{
		"with a Hangul filler":              "jane\u3164@example.com",
		"with a narrow Hangul filler":       "jane\uffa0@example.com",
		"with a Hangul vowel filler":        "jane\u1160@example.com",
		"with a grapheme joiner":            "jane\u034f@example.com",
		"with a Khmer vowel without a sign": "jane\u17b4@example.com",
		"with a Mongolian selector":         "jane\u180b@example.com",
		"with a variation selector":         "jane\ufe0f@example.com",
		"with a supplementary selector":     "jane\U000e0100@example.com",
		"with a selector in the domain":     "jane@exam\ufe0fple.com",
	})
}

// longest returns an address of the given length that is otherwise valid.
func longest(length int) string {
	label := strings.Repeat("a", 63)
	address := strings.Repeat("a", 64) + "@" + label + "." + label + "."
	return address + strings.Repeat("a", length-len(address)-len(".com")) + ".com"
}

func TestDomains(t *testing.T) {
	domains := map[string][]string{"Organization": {"spec.allowedDomains.0", "spec.deniedDomains.0"}}
	label := strings.Repeat("a", 63)
	acceptTexts(t, domains, map[string]string{
		"that is plain":         "example.com",
		"with capital letters":  "Example.COM",
		"that is deep":          "a.b.c.d.example.com",
		"with digits":           "2-3.example",
		"beyond ASCII":          "bücher.example",
		"in Devanagari":         "उदाहरण.भारत",
		"in punycode":           "xn--bcher-kva.xn--p1ai",
		"of the minimum length": "b.cd",
		"of the maximum length": label + "." + label + "." + label + "." + label[:61],
	})
	refuseTexts(t, domains, "Too long: may not be more than 253 bytes", map[string]string{
		"that is too long": label + "." + label + "." + label + "." + label[:62],
	})
	refuseTexts(t, domains, "should be at least 1 chars long", map[string]string{"that is empty": ""})
	refuseTexts(t, domains, "must be a complete domain and nothing else, such as example.com, which includes its subdomains", map[string]string{
		"of one label":            "com",
		"with a star":             "*.example.com",
		"of only a star":          "*",
		"with an @":               "@example.com",
		"that is an address":      "jane@example.com",
		"with a dot before it":    ".example.com",
		"with a dot after it":     "example.com.",
		"with two dots":           "example..com",
		"with a space before it":  " example.com",
		"with a space after it":   "example.com ",
		"with a line break":       "example.com\nexample.org",
		"with a comma":            "example.com,example.org",
		"that is a URL":           "https://example.com",
		"with a path":             "example.com/x",
		"with a port":             "example.com:25",
		"with an underscore":      "a_b.example",
		"with a dash before it":   "-a.example",
		"that is an IP address":   "192.0.2.1",
		"with an ideographic dot": "example。com",
		"with a zero-width space": "exam\u200bple.com",
		"with a label too long":   label + "a.com",
	})
}

func TestPhoneNumbers(t *testing.T) {
	numbers := map[string][]string{"Membership": {"spec.phoneNumber"}, "Invitation": {"spec.phoneNumber"}}
	acceptTexts(t, numbers, map[string]string{
		"that is plain":         "+393331234567",
		"of North America":      "+12025550123",
		"of the minimum length": "+2901234",
		"of the maximum length": "+123456789012345",
	})
	refuseTexts(t, numbers, "should be at least 8 chars long", map[string]string{"too short": "+290123", "that is empty": ""})
	refuseTexts(t, numbers, "Too long: may not be more than 16 bytes", map[string]string{"too long": "+1234567890123456"})
	refuseTexts(t, numbers, "must be + followed by the country code and the number, digits only, such as +393331234567", map[string]string{
		"without a country code":       "3331234567",
		"with zeros for the +":         "00393331234567",
		"with a country code of zero":  "+03331234567",
		"with spaces":                  "+39 333 123456",
		"with dashes":                  "+39-333-123456",
		"with dots":                    "+39.333.123456",
		"with brackets":                "+39(333)123456",
		"with letters":                 "+39CALLACME",
		"with a wide +":                "＋393331234567",
		"with digits of other scripts": "+٣٩٣٣٣١٢٣٤٥٦",
		"with wide digits":             "+３９３３３１２３",
		"with an extension":            "+39333123;ext=1",
		"with pauses":                  "+39333123,,1#",
		"with two +":                   "++39333123456",
		"that is a list":               "+3933312,+39333",
		"with a space after it":        "+39333123456 ",
		"with a line break after it":   "+39333123456\n",
		"with a line break before it":  "\n+39333123456",
		"with a null character":        "+39333123\x00456",
		"with a zero-width space":      "+39333\u200b123456",
		"with an override":             "+\u202e393331234",
	})
}
