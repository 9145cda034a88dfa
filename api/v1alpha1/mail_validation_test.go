// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
)

func TestMailServers(t *testing.T) {
	servers := map[string][]string{"Organization": {"spec.mail.server"}}
	acceptTexts(t, servers, map[string]string{
		"with STARTTLS":                       "smtp://mail.example.com",
		"with TLS":                            "smtps://mail.example.com:465",
		"without TLS":                         "smtp+plaintext://localhost:25",
		"with a user":                         "smtp://usher@mail.example.com:587",
		"with an address as the user":         "smtp://usher@example.com@mail.example.com",
		"with an escaped address as the user": "smtps://usher%40example.com@mail.example.com",
		"with an IPv4 address":                "smtp://192.0.2.1",
		"with an IPv6 address":                "smtp://usher@[2001:db8::1]:587",
		"with a slash at the end":             "smtp://mail.example.com/",
		"in a URL of 512 characters":          "smtp://" + strings.Repeat("a", 505),
	})
	refuseTexts(t, servers, "Too long: may not be more than 512 bytes", map[string]string{
		"in a URL of 513 characters": "smtp://" + strings.Repeat("a", 506),
	})
	refuseTexts(t, servers, "should be at least 1 chars long", map[string]string{"that is empty": ""})
	refuseTexts(t, servers, "must not contain a password: put the password into the Secret usher-credentials, under smtp-password", map[string]string{
		"with a password":             "smtp://usher:secret@mail.example.com",
		"with a password and a port":  "smtps://usher:secret@mail.example.com:465",
		"with a password but no user": "smtp://:secret@mail.example.com",
		"with a slash in a password":  "smtp://usher:se/cret@mail.example.com",
		"with an @ in a password":     "smtp://usher:se@cret@mail.example.com",
	})
	refuseTexts(t, servers, "must be smtp://, smtps:// or smtp+plaintext:// followed by the host, such as smtp://usher@mail.example.com:587", map[string]string{
		"that is a host":            "mail.example.com",
		"that is a host and a port": "mail.example.com:587",
		"of another scheme":         "https://mail.example.com",
		"of a longer scheme":        "xsmtp://mail.example.com",
		"without a host":            "smtp://",
		"without a user":            "smtp://@mail.example.com",
		"with an empty password":    "smtp://usher:@mail.example.com",
		"with a path":               "smtp://mail.example.com/x",
		"with a query":              "smtp://mail.example.com?tls=off",
		"with a fragment":           "smtp://mail.example.com#x",
		"with a port of letters":    "smtp://mail.example.com:smtp",
		"with two hosts":            "smtp://mail.example.com,mail.example.org",
		"with a space":              "smtp://mail .example.com",
		"with a space after it":     "smtp://mail.example.com ",
		"with a line break":         "smtp://mail.example.com\nsmtp://mail.example.org",
		"with a line break in user": "smtp://usher\r\nMAIL@mail.example.com",
		"beyond ASCII":              "smtp://mäil.example.com",
	})
}

func TestSenders(t *testing.T) {
	senders := map[string][]string{"Organization": {"spec.mail.sender"}}
	acceptTexts(t, senders, map[string]string{
		"that is an address":    "accounts@acme.example",
		"with a name":           "Acme <accounts@acme.example>",
		"with a name in quotes": `"Acme, Inc." <accounts@acme.example>`,
		"with an @ in the name": `"Acme @ Example" <accounts@acme.example>`,
		"beyond ASCII":          "Söhne & Co. <konten@bücher.example>",
		"of the minimum length": "a@b",
		"of 512 characters":     strings.Repeat("a", 510) + "@b",
	})
	refuseTexts(t, senders, "Too long: may not be more than 512 bytes", map[string]string{
		"of 513 characters": strings.Repeat("a", 511) + "@b",
	})
	refuseTexts(t, senders, "should be at least 3 chars long", map[string]string{"of 2 characters": "a@"})
	const line = "must be one line of plain text without control characters or invisible characters"
	refuseTexts(t, senders, line, map[string]string{
		"with a line break":       "Acme\nBcc: mallory@example.org\nX: <accounts@acme.example>",
		"with a carriage return":  "accounts@acme.example\r",
		"with a null character":   "Acme\x00 <accounts@acme.example>",
		"with an override":        "\u202eemcA <accounts@acme.example>",
		"with a zero-width space": "Acme\u200b <accounts@acme.example>",
		"with a Hangul filler":    "\u3164 <accounts@acme.example>",
		"with a tag in a name":    "Acme\U000e0041 <accounts@acme.example>",
	})
	refuseTexts(t, senders, "must be one address, with or without a name, such as Acme <accounts@acme.example>", map[string]string{
		"that is a name":              "Acme",
		"with no address in brackets": "Acme <accounts>",
		"with a name after it":        "<accounts@acme.example> Acme",
		"with two @":                  "accounts@acme@example.com",
		"with nothing before the @":   "@acme.example",
		"that is a list":              "accounts@acme.example,mallory@example.org",
		"that is a list with names":   "Acme <accounts@acme.example>, Mallory <mallory@example.org>",
		"with a space in it":          "accounts @acme.example",
	})
}

func TestDKIMSelectors(t *testing.T) {
	selectors := map[string][]string{"Organization": {"spec.mail.dkimSelector"}}
	acceptTexts(t, selectors, map[string]string{
		"that is plain":        "usher",
		"of several parts":     "2026.usher",
		"with capital letters": "S1-Usher",
	})
	refuseTexts(t, selectors, "must be letters, digits and dashes, with dots between its parts, such as usher or 2026.usher", map[string]string{
		"with an underscore":    "usher_1",
		"with a space":          "usher ",
		"with a semicolon":      "usher; d=example.org",
		"with a line break":     "usher\nx",
		"with a dot after it":   "usher.",
		"with two dots":         "2026..usher",
		"with a dash before it": "-usher",
		"beyond ASCII":          "üsher",
	})
}
