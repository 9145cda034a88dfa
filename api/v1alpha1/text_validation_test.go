// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
)

// acceptTexts sends each text in each place, which is a field path of a kind. The
// API server must accept it.
func acceptTexts(t *testing.T, places map[string][]string, texts map[string]string) {
	t.Helper()
	eachText(t, places, texts, func(t *testing.T, err error, _ string) {
		t.Helper()
		expect(t, err, "")
	})
}

// refuseTexts sends each text in each place. The API server must refuse it with the
// given message.
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
		"63 characters":        {strings.Repeat("a", 63), false},
		"64 characters":        {strings.Repeat("a", 64), true},
		"two dots":             {"jane.doe.acme", true},
		"a dot at the end":     {"jane.", true},
		"a capital letter":     {"Jane", true},
		"a space":              {"jane doe", true},
		"a colon":              {"usher:jane", true},
		"a slash":              {"jane/acme", true},
		"a dash at the start":  {"-jane", true},
		"a dash at the end":    {"jane-", true},
		"a letter with accent": {"zoë", true},
	}
	const sentence = "metadata: Invalid value: name must be at most 63 lower-case letters, digits and dashes, such as "
	sentences := map[string]string{
		"Organization": sentence + "acme", "Membership": sentence + "jane-doe", "Invitation": sentence + "jane-doe",
		"Account": sentence + "jane-doe or, with a qualifier, jane-doe.acme",
	}
	for kind, sentence := range sentences {
		try := func(what, name string, refused bool) {
			t.Run(kind+" with a name of "+what, func(t *testing.T) {
				refusal := ""
				if refused {
					refusal = sentence
				}
				expect(t, submit(t, kinds[kind], set("metadata.name", name)), refusal)
			})
		}
		for what, c := range cases {
			try(what, c.name, c.refused)
		}
		qualified := kind != "Account"
		try("one dot", "jane.acme", qualified)
		try("one dot and 63 characters", strings.Repeat("a", 32)+"."+strings.Repeat("a", 30), qualified)
		try("one dot and 64 characters", strings.Repeat("a", 33)+"."+strings.Repeat("a", 30), true)
		try("a dash before a dot", "jane-.acme", true)
		try("a dash after a dot", "jane.-acme", true)
		t.Run(kind+" with the name of the system", func(t *testing.T) {
			refusal := ""
			if kind == "Organization" {
				refusal = "metadata: Invalid value: name must not be system: its roles would look like the groups of Kubernetes itself (system:…)"
			}
			expect(t, submit(t, kinds[kind], set("metadata.name", "system")), refusal)
		})
		t.Run(kind+" with a generated name", func(t *testing.T) {
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
		"with a capital letter":          "Lead",
		"with a space":                   "team lead",
		"with an underscore":             "team_lead",
		"with a slash":                   "team/lead",
		"that starts with a dash":        "-lead",
		"that ends with a dash":          "lead-",
		"that starts with a dot":         ".lead",
		"that ends with a dot":           "lead.",
		"with two dots":                  "team.lead.one",
		"with two dots in a row":         "team..lead",
		"with an accent":                 "équipe",
		"with a digit of another script": "team-٢",
		"with a zero-width space":        "team\u200blead",
		"with a line break at the end":   "lead\n",
		"with a line break in it":        "team\nlead",
	}
	qualified := map[string]string{"with a dot": "team.lead"}
	const label = "must be lower-case letters, digits and dashes, such as "
	for sentence, places := range map[string]map[string][]string{
		label + "staging or team-lead": {
			"Organization": {"spec.resources.0.name", "spec.permissions.0.name", "spec.roles.0.name"},
		},
		label + "ada-example": {
			"Organization": {"spec.founders.0.name"},
		},
		label + "acme": {
			"Organization": {"spec.qualifier"},
			"Membership":   {"spec.organizationRef.name"},
			"Invitation":   {"spec.organizationRef.name"},
		},
		label + "developer": {
			"Membership": {"spec.role"},
			"Invitation": {"spec.role"},
		},
		"must be the name of a namespace: lower-case letters, digits and dashes": {
			"Organization": {"spec.namespace", "spec.resources.0.namespaces.names.0"},
			"Account":      {"spec.invitationRef.namespace", "status.leaving.0.namespace"},
		},
		label + "jane-doe": {
			"Account": {"status.leaving.0.name"},
		},
	} {
		acceptTexts(t, places, good)
		refuseTexts(t, places, sentence, bad)
		refuseTexts(t, places, sentence, qualified)
	}
	accounts := map[string][]string{
		"Membership": {"status.accountRef.name"},
		"Invitation": {"status.acceptance.accountRef.name"},
	}
	acceptTexts(t, accounts, good)
	acceptTexts(t, accounts, qualified)
	refuseTexts(t, accounts, label+"jane-doe or, with a qualifier, jane-doe.acme", bad)
}

func TestSystemNamespaces(t *testing.T) {
	namespaces := map[string][]string{"Organization": {"spec.namespace", "spec.resources.0.namespaces.names.0"}}
	acceptTexts(t, namespaces, map[string]string{
		"that resembles one":  "kubernetes",
		"that contains kube-": "acme-kube-x",
	})
	refuseTexts(t, namespaces, "must not be a system namespace: names that start with kube- belong to Kubernetes itself", map[string]string{
		"kube-system":     "kube-system",
		"kube-public":     "kube-public",
		"kube-node-lease": "kube-node-lease",
		"kube-anything":   "kube-anything",
	})
}

func TestNoHomeIsTheDefaultNamespace(t *testing.T) {
	home := map[string][]string{"Organization": {"spec.namespace"}}
	refuseTexts(t, home, "must not be default or usher-accounts, which are not for one tenant: choose a namespace for this Organization alone", map[string]string{"default": "default", "usher-accounts": "usher-accounts"})
	acceptTexts(t, home, map[string]string{"that resembles it": "default-1"})
	acceptTexts(t, map[string][]string{"Organization": {"spec.resources.0.namespaces.names.0"}}, map[string]string{"as a resource": "default"})
}

// hidden holds texts with characters that are invisible, or that reorder the visible
// text.
var hidden = map[string]string{
	"with a null character":         "Jane\x00Doe",
	"with a tab":                    "Jane\tDoe",
	"with a carriage return":        "Jane\rDoe",
	"with a form feed":              "Jane\fDoe",
	"with an escape":                "Jane\x1b[31mDoe",
	"with a delete":                 "Jane\x7fDoe",
	"with a next line":              "Jane\u0085Doe",
	"with a C1 control sequence":    "Jane\u009b31mDoe",
	"with a line separator":         "Jane\u2028Doe",
	"with a paragraph separator":    "Jane\u2029Doe",
	"with an embedding":             "Jane\u202aDoe",
	"with a right-to-left override": "Jane\u202eDoe",
	"with an isolate":               "Jane\u2066Doe",
	"with the end of an isolate":    "Jane\u2069Doe",
	"with a soft hyphen":            "Jane\u00adDoe",
	"with a zero-width space":       "Jane\u200bDoe",
	"with a word joiner":            "Jane\u2060Doe",
	"with a byte order mark":        "Jane\ufeffDoe",
	"with an annotation":            "Jane\ufff9Doe",
	"with text in tag characters":   "Jane\U000e0044\U000e006f\U000e0065",
	"with a Hangul filler":          "Jane\u3164Doe",
	"with a narrow Hangul filler":   "Jane\uffa0Doe",
	"with a Hangul vowel filler":    "Jane\u1160Doe",
	"with a Braille blank":          "Jane\u2800Doe",
}

func TestDisplayTexts(t *testing.T) {
	texts := map[string][]string{
		"Organization": {
			"spec.displayName", "spec.founders.0.givenName", "spec.founders.0.familyName",
			"spec.resources.0.displayName", "spec.permissions.0.displayName", "spec.roles.0.displayName",
			"spec.legalEntity", "spec.supportContact",
		},
		"Membership": {"spec.givenName", "spec.familyName", "spec.invitedBy"},
		"Invitation": {
			"spec.givenName", "spec.familyName", "spec.invitedBy", "status.attempt.organization", "status.attempt.role",
		},
		"Account": {"spec.givenName", "spec.familyName"},
	}
	acceptTexts(t, texts, map[string]string{
		"of one letter":                       "J",
		"of several words":                    "Ada M. O'Neil-Example & Söhne",
		"in another script":                   "山田 太郎",
		"with a variant of a letter":          "葛\U000e0100城",
		"written right to left":               "דנה לוי",
		"with a mark of direction in it":      "דנה (Acme)\u200f לוי",
		"with a zero-width joiner":            "नारायण\u200dन",
		"with a zero-width non-joiner":        "علی\u200cرضا",
		"with a combining accent":             "Zoe\u0308",
		"with markup":                         "<b>Jane</b>",
		"with emoji":                          "👩\u200d🚀 Crew",
		"that starts with a punctuation mark": "(Jane)",
		"of 100 characters":                   strings.Repeat("é", 100),
	})
	refuseTexts(t, texts, "Too long: may not be more than 100 bytes", map[string]string{
		"of 101 characters": strings.Repeat("é", 101),
	})
	refuseTexts(t, texts, "should be at least 1 chars long", map[string]string{
		"that is empty": "",
	})
	const line = "must be one line of plain text without control characters or invisible characters"
	refuseTexts(t, texts, line, hidden)
	refuseTexts(t, texts, line, map[string]string{"with a line break": "Jane\nDoe"})
	refuseTexts(t, texts, "must start with a letter, digit, punctuation mark or symbol, and must not end with a space", map[string]string{
		"with a space before it":          " Jane",
		"with a space after it":           "Jane ",
		"of only a space":                 " ",
		"with a wide space after it":      "Jane\u3000",
		"with a no-break space before it": "\u00a0Jane",
		"of only a joiner":                "\u200d",
		"of only a mark of direction":     "\u200e",
		"of only an accent":               "\u0301",
		"of only a variation selector":    "\ufe0f",
		"with an accent before it":        "\u0338Jane",
	})
}
