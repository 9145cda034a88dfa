// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
)

// acceptTexts sends each text in each place, a path of a kind; it must be taken.
func acceptTexts(t *testing.T, places map[string][]string, texts map[string]string) {
	t.Helper()
	eachText(t, places, texts, func(t *testing.T, err error, _ string) {
		t.Helper()
		expect(t, err, "")
	})
}

// refuseTexts sends each text in each place; it must be refused with the sentence.
func refuseTexts(t *testing.T, places map[string][]string, sentence string, texts map[string]string) {
	t.Helper()
	eachText(t, places, texts, func(t *testing.T, err error, path string) {
		t.Helper()
		expect(t, err, at(path)+": ")
		expect(t, err, sentence)
	})
}

func eachText(t *testing.T, places map[string][]string, texts map[string]string, verify func(t *testing.T, err error, path string)) {
	t.Helper()
	for kind, paths := range places {
		for _, path := range paths {
			for name, text := range texts {
				t.Run(kind+" with "+path+" "+name, func(t *testing.T) {
					verify(t, submit(t, kinds[kind], set(path, text)), path)
				})
			}
		}
	}
}

func TestObjectNames(t *testing.T) {
	cases := map[string]struct {
		name    string
		refused bool
	}{
		"one letter":           {"a", false},
		"digits and dashes":    {"4-a--2", false},
		"as long as may be":    {strings.Repeat("a", 63), false},
		"too long":             {strings.Repeat("a", 64), true},
		"a dot":                {"jane.doe", true},
		"a capital letter":     {"Jane", true},
		"a space":              {"jane doe", true},
		"a colon":              {"usher:jane", true},
		"a dash at the start":  {"-jane", true},
		"a dash at the end":    {"jane-", true},
		"a letter with accent": {"zoë", true},
	}
	examples := map[string]string{"Organization": "acme", "Membership": "jane-doe", "Invitation": "jane-doe", "Account": "jane-doe"}
	for kind, example := range examples {
		for name, c := range cases {
			t.Run(kind+" with a name of "+name, func(t *testing.T) {
				refusal := ""
				if c.refused {
					refusal = "metadata: Invalid value: name must be lower-case letters, digits and dashes, 63 at the most, such as " + example
				}
				expect(t, submit(t, kinds[kind], set("metadata.name", c.name)), refusal)
			})
		}
		t.Run(kind+" with a name that Kubernetes makes up", func(t *testing.T) {
			expect(t, submit(t, kinds[kind], unset("metadata.name"), set("metadata.generateName", "jane-")), "")
		})
	}
}

func TestNames(t *testing.T) {
	good := map[string]string{
		"of letters, digits and dashes": "team-lead--2",
		"that starts with a digit":      "2nd-line",
	}
	bad := map[string]string{
		"with a capital letter":        "Lead",
		"with a space":                 "team lead",
		"with an underscore":           "team_lead",
		"with a dot":                   "team.lead",
		"with a slash":                 "team/lead",
		"that starts with a dash":      "-lead",
		"that ends with a dash":        "lead-",
		"with an accent":               "équipe",
		"with a line break at the end": "lead\n",
	}
	const label = "must be lower-case letters, digits and dashes, such as "
	for sentence, places := range map[string]map[string][]string{
		label + "staging or team-lead": {
			"Organization": {"spec.resources.0.name", "spec.permissions.0.name", "spec.roles.0.name"},
		},
		label + "acme": {
			"Membership": {"spec.organizationRef.name"},
			"Invitation": {"spec.organizationRef.name"},
		},
		label + "developer": {
			"Membership": {"spec.role"},
			"Invitation": {"spec.role"},
		},
		label + "jane-doe": {
			"Membership": {"status.accountRef.name"},
			"Invitation": {"status.acceptance.accountRef.name"},
		},
		"must be the name of a namespace: lower-case letters, digits and dashes": {
			"Organization": {"spec.namespace", "spec.resources.0.namespaces.names.0"},
			"Account":      {"spec.invitationRef.namespace"},
		},
	} {
		acceptTexts(t, places, good)
		refuseTexts(t, places, sentence, bad)
	}
}

func TestSystemNamespaces(t *testing.T) {
	namespaces := map[string][]string{"Organization": {"spec.namespace", "spec.resources.0.namespaces.names.0"}}
	acceptTexts(t, namespaces, map[string]string{
		"that resembles one":        "kubernetes",
		"that has kube- further on": "acme-kube-x",
	})
	refuseTexts(t, namespaces, "must not be a system namespace: names that start with kube- belong to Kubernetes itself", map[string]string{
		"kube-system":     "kube-system",
		"kube-public":     "kube-public",
		"kube-node-lease": "kube-node-lease",
		"kube-anything":   "kube-anything",
	})
}

func TestEmailAddresses(t *testing.T) {
	addresses := map[string][]string{"Membership": {"spec.email"}, "Invitation": {"spec.email"}, "Account": {"spec.email"}}
	acceptTexts(t, addresses, map[string]string{
		"that is plain":                   "jane@example.com",
		"as short as may be":              "a@b.cd",
		"with a dot":                      "jane.doe@example.com",
		"with a tag":                      "jane+usher@example.com",
		"with capital letters":            "Jane.Doe@Example.COM",
		"with an apostrophe":              "o'neil@example.com",
		"with every sign that is allowed": "!#$%&'*+/=?^_`{|}~-@example.com",
		"with digits and dashes":          "1@2-3.example",
		"in a deep domain":                "a@b.c.d.example.com",
		"in a domain written in punycode": "jane@xn--bcher-kva.xn--p1ai",
		"with 64 characters before the @": strings.Repeat("a", 64) + "@example.com",
		"of 254 characters":               longest(254),
	})
	refuseTexts(t, addresses, "must have at most 64 characters before the @", map[string]string{
		"with 65 characters before the @": strings.Repeat("a", 65) + "@example.com",
	})
	refuseTexts(t, addresses, "Too long: may not be more than 254 bytes", map[string]string{
		"of 255 characters": longest(255),
	})
	refuseTexts(t, addresses, "should be at least 3 chars long", map[string]string{
		"of 2 characters": "a@",
	})
	refuseTexts(t, addresses, "must be a complete e-mail address such as jane@example.com", map[string]string{
		"that is empty":                        "",
		"without an @":                         "jane.example.com",
		"with two @":                           "jane@doe@example.com",
		"with nothing before the @":            "@example.com",
		"with nothing after the @":             "jane@",
		"of nothing but @":                     "@@@",
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
		"with letters beyond ASCII":            "zoë@example.com",
		"in a domain beyond ASCII":             "jane@bücher.example",
		"with a right-to-left override":        "jane\u202e@example.com",
		"with a zero-width space":              "jane\u200b@example.com",
	})
}

// longest makes an address of a given length that is right in everything else.
func longest(length int) string {
	label := strings.Repeat("a", 63)
	address := strings.Repeat("a", 64) + "@" + label + "." + label + "."
	return address + strings.Repeat("a", length-len(address)-len(".com")) + ".com"
}

func TestDisplayTexts(t *testing.T) {
	texts := map[string][]string{
		"Organization": {
			"spec.displayName", "spec.resources.0.displayName", "spec.permissions.0.displayName", "spec.roles.0.displayName",
		},
		"Membership": {"spec.givenName", "spec.familyName", "spec.invitedBy"},
		"Invitation": {
			"spec.givenName", "spec.familyName", "spec.invitedBy", "status.delivery.organization", "status.delivery.role",
		},
		"Account": {"spec.givenName", "spec.familyName"},
	}
	acceptTexts(t, texts, map[string]string{
		"of one letter":                    "J",
		"of several words":                 "Ada M. O'Neil-Example & Söhne",
		"in another script":                "山田 太郎",
		"written right to left":            "דנה לוי",
		"joined by a zero-width character": "नारायण\u200dन",
		"with markup":                      "<b>Jane</b>",
		"of 100 characters":                strings.Repeat("é", 100),
	})
	refuseTexts(t, texts, "Too long: may not be more than 100 bytes", map[string]string{
		"of 101 characters": strings.Repeat("é", 101),
	})
	refuseTexts(t, texts, "should be at least 1 chars long", map[string]string{
		"that is empty": "",
	})
	refuseTexts(t, texts, "must be one line of plain text, without control characters", map[string]string{
		"with a line break":             "Jane\nDoe",
		"with a carriage return":        "Jane\rDoe",
		"with a tab":                    "Jane\tDoe",
		"with a null character":         "Jane\x00Doe",
		"with an escape":                "Jane\x1b[31mDoe",
		"with a delete":                 "Jane\x7fDoe",
		"with a next line":              "Jane\u0085Doe",
		"with a line separator":         "Jane\u2028Doe",
		"with a paragraph separator":    "Jane\u2029Doe",
		"with an embedding":             "Jane\u202aDoe",
		"with a right-to-left override": "Jane\u202eDoe",
		"with an isolate":               "Jane\u2066Doe",
		"with the end of an isolate":    "Jane\u2069Doe",
	})
	refuseTexts(t, texts, "must not start or end with a space", map[string]string{
		"with a space before it":     " Jane",
		"with a space after it":      "Jane ",
		"of a space alone":           " ",
		"with a wide space after it": "Jane\u3000",
	})
}
