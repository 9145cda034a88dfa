// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
)

var messages = map[string][]string{"Membership": {"spec.message"}, "Invitation": {"spec.message"}}

func TestMessages(t *testing.T) {
	acceptTexts(t, messages, map[string]string{
		"of one line":                     "Welcome to the team!",
		"of several lines":                "Dear Jane,\n\nwelcome to the team.\nAda\n",
		"with dates, times and numbers":   "From 3.5.2026, 10.30 to 11.00; 1.000,50 EUR; version 1.2.3.",
		"with times after colons":         "At 10:30, 3:1 for us: come.",
		"with fractions and alternatives": "1/2 day on Mon/Tue, and/or later // soon",
		"with abbreviations":              "I.e. 3 p.m., z.B. S.p.A., Ph.D., p.a., i.d.R.",
		"with Italian titles":             "Gentile Sig.ra Rossi, gentile Dott.ssa Bianchi e Prof.ssa Verdi.",
		"with an ellipsis":                "Wait...and see…and smile. ...Or not.",
		"with a full stop before a quote": "It is done.\"Really?\" (.NET, too)",
		"with a telephone number":         "Call 044.123.45.67, 06.12.34.56.78 or 202.555.0123.",
		"with emoji":                      "❤\ufe0f 👩\u200d💻. Welcome! 😀.",
		"with markup and one backslash":   `<b>Hi</b> & C:\ [x](y) *z*`,
		"in another script":               "はじめまして。よろしくお願いします。株式会社エグザンプル",
		"in full-width letters":           "ＡＣＭＥ　へようこそ。",
		"written right to left":           "ברוכה הבאה, דנה (Acme)\u200f.",
		"with joiners":                    "नारायण\u200dन, علی\u200cرضا.",
		"of 500 characters":               strings.Repeat("é", 500),
	})
	refuseTexts(t, messages, "Too long: may not be more than 500 bytes", map[string]string{
		"of 501 characters": strings.Repeat("é", 501),
	})
}

func TestMessagesHideNothing(t *testing.T) {
	refuseTexts(t, messages, "must be plain text without invisible characters other than line breaks", hidden)
}

// The invited person must not mistake another author's link for Usher's own. So the
// API server refuses everything that a mail program would turn into a link.
func TestMessagesWithoutLinks(t *testing.T) {
	refuseTexts(t, messages, "must not contain links or web addresses", map[string]string{
		"with a link":                       "See http://localhost now.",
		"with a link in capital letters":    "See HTTPS://EXAMPLE now.",
		"with a link of another scheme":     "See acme+app://open now.",
		"with a link to a file":             "See file:///etc/passwd now.",
		"with a link to a share":            `See \\files\acme now.`,
		"with www":                          "See www.x now.",
		"with WWW":                          "See WWW.x now.",
		"with an IP address":                "See 192.0.2.1 now.",
		"with an IP address alone":          "192.0.2.1",
		"with an IP address after a stop":   "Look:192.0.2.1.",
		"with an IP address and a path":     "192.0.2.1/login",
		"with an IP address and a port":     "(192.0.2.1:8080)",
		"with an ideographic dot":           "example。com",
		"with a half-width ideographic dot": "example｡com",
		"with a full-width dot":             "example．com",
		"with a small full dot":             "example﹒com",
		"with a one dot leader":             "example․com",
		"in full-width letters":             "ｅｘａｍｐｌｅ．ｃｏｍ",
	})
	refuseTexts(t, messages, "must not contain web addresses such as example.com: put a space after each full stop", map[string]string{
		"with a host":                       "See example.com now.",
		"with a host alone":                 "example.com",
		"with a host in capital letters":    "EXAMPLE.COM",
		"with a host and a path":            "See bit.ly/x now.",
		"with a host and a port":            "example.test:8080",
		"with a host in brackets":           "[here](example.com)",
		"with a host after a line break":    "See\nexample.com",
		"with a deep host":                  "a.b.c.example.com",
		"with a short host":                 "t.me",
		"with a host of digits":             "1.example",
		"with a mail address":               "Write to jane@example.com.",
		"with a mailto link":                "mailto:jane@example.com",
		"in Cyrillic":                       "See пример.рф now.",
		"in Chinese":                        "例子.中国",
		"in Devanagari":                     "उदाहरण.भारत",
		"with a mark before the dot":        "हिन्दी.भारत",
		"with a combining accent":           "cafe\u0301.fr",
		"in punycode":                       "xn--e1afmkfd.xn--p1ai",
		"of emoji":                          "😀.ws",
		"of emoji with a selector":          "❤\ufe0f.ws",
		"with a joiner before the dot":      "example\u200d.com",
		"with a joiner after the dot":       "example.\u200ccom",
		"with a joiner in it":               "exam\u200dple.com",
		"with a mark of direction":          "example\u200e.com",
		"with a mark of direction after it": "example.\u061cc\u200fom",
		"with a dash before the dot":        "example-.com",
		"with an underscore before the dot": "example_.com",
		"with a title before it":            "Sig.ra.com",
		"with a title at its end":           "example.com.ra",
		"with a title and a dash":           "dott.ssa-x.com",
		"with a title and an underscore":    "dott.ssa_.com",
		"with a title and a digit":          "dott.ssa2.com",
		"with a title and an accent":        "dott.ssa\u0301.com",
		"with a title in the middle":        "evil.ra.example",
		"without a space after a stop":      "It is done.Come now.",
	})
}

func TestDeclineReasons(t *testing.T) {
	reasons := map[string][]string{"Invitation": {"status.decline.reason"}}
	acceptTexts(t, reasons, map[string]string{
		"of several lines": "No, thanks.\nJane",
		"with a link":      "See https://example.com.",
		"with markup":      "<script>alert(1)</script>",
	})
	refuseTexts(t, reasons, "must be plain text without invisible characters other than line breaks", hidden)
}

func TestDelivery(t *testing.T) {
	const refusal = "spec: Invalid value: phoneNumber must be set for delivery by SMS, such as +393331234567"
	nowhere := unset("spec.phoneNumber")
	for _, kind := range []string{"Membership", "Invitation"} {
		cases := map[string]struct {
			changes []change
			refusal string
		}{
			"by all channels":                       {[]change{set("spec.delivery", []any{"Email", "SMS", "Link"})}, ""},
			"by mail and link, without a number":    {[]change{set("spec.delivery", []any{"Email", "Link"}), nowhere}, ""},
			"unset, without a number":               {[]change{unset("spec.delivery"), nowhere}, ""},
			"by SMS without a number":               {[]change{set("spec.delivery", []any{"SMS"}), nowhere}, refusal},
			"by SMS among others, without a number": {[]change{set("spec.delivery", []any{"Link", "Email", "SMS"}), nowhere}, refusal},
			"by SMS to an empty number":             {[]change{set("spec.delivery", []any{"SMS"}), set("spec.phoneNumber", "")}, "should be at least 8 chars long"},
			"by nothing":                            {[]change{set("spec.delivery", []any{})}, "should have at least 1 items"},
		}
		for name, c := range cases {
			t.Run(kind+" with delivery "+name, func(t *testing.T) { expect(t, submit(t, kinds[kind], c.changes...), c.refusal) })
		}
	}
	t.Run("Membership that loses the number and keeps SMS", func(t *testing.T) {
		object := parse(t, membership)
		apply(t, object, set("spec.delivery", []any{"SMS"}))
		object = madeOf(t, object)
		apply(t, object, nowhere)
		expect(t, update(t, object), refusal)
	})
}
