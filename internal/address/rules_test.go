// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import "testing"

func TestRules(t *testing.T) {
	const only = "only addresses at example.com or its subdomains are accepted here"
	for name, tc := range map[string]struct {
		allowed, denied []string
		email           string
		want            string
	}{
		"no rules take everything": {email: "jane@example.com"},
		"but no text that is no address": {
			email: "jane", want: "a mail address has exactly one @, as in jane.doe@example.com",
		},
		"an allowed domain":             {allowed: []string{"example.com"}, email: "jane@example.com"},
		"its subdomain":                 {allowed: []string{"example.com"}, email: "jane@a.mail.example.com"},
		"its case":                      {allowed: []string{"Example.COM"}, email: "jane@eXample.com"},
		"not what ends with its name":   {allowed: []string{"example.com"}, email: "jane@badexample.com", want: only},
		"not what starts with its name": {allowed: []string{"example.com"}, email: "jane@example.com.test", want: only},
		"not the domain above":          {allowed: []string{"mail.example.com"}, email: "jane@example.com", want: "only addresses at mail.example.com or its subdomains are accepted here"},
		"one of several allowed":        {allowed: []string{"example.org", "example.com"}, email: "jane@example.com"},
		"none of several allowed": {
			allowed: []string{"example.com", "xn--bcher-kva.example"}, email: "jane@example.org",
			want: "only addresses at example.com, bücher.example or their subdomains are accepted here",
		},
		"a denied domain": {
			denied: []string{"example.com"}, email: "jane@example.com",
			want: "addresses at example.com are not accepted here: give another address",
		},
		"a denied subdomain": {
			denied: []string{"example.com"}, email: "jane@PEC.example.com",
			want: "addresses at pec.example.com are not accepted here: give another address",
		},
		"denied wins": {
			allowed: []string{"example.com"}, denied: []string{"pec.example.com"}, email: "jane@pec.example.com",
			want: "addresses at pec.example.com are not accepted here: give another address",
		},
		"denied leaves the rest": {allowed: []string{"example.com"}, denied: []string{"pec.example.com"}, email: "jane@example.com"},
		"a U-label allows its A-label": {
			allowed: []string{"BÜCHER.example"}, email: "jane@mail.xn--bcher-kva.example",
		},
		"an A-label denies its U-label": {
			denied: []string{"xn--bcher-kva.example"}, email: "jane@bücher.example",
			want: "addresses at bücher.example are not accepted here: give another address",
		},
		"a denied entry that cannot be read denies everything": {
			allowed: []string{"example.com"}, denied: []string{"*.example.org"}, email: "jane@example.com",
			want: `no address is accepted here, because the denied domain "*.example.org" cannot be read: ask the organization to correct it`,
		},
		"an empty denied entry too": {
			denied: []string{""}, email: "jane@example.com",
			want: `no address is accepted here, because the denied domain "" cannot be read: ask the organization to correct it`,
		},
		"an allowed entry that cannot be read allows nothing": {
			allowed: []string{"@example.com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "@example.com" cannot be read: ask the organization to correct it`,
		},
		"an empty allowed entry too": {
			allowed: []string{""}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "" cannot be read: ask the organization to correct it`,
		},
		"a top domain alone cannot be read": {
			allowed: []string{"com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "com" cannot be read: ask the organization to correct it`,
		},
		"nor what is joined by characters that cannot be seen": {
			allowed: []string{"exam\u200bple.com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "exam\u200bple.com" cannot be read: ask the organization to correct it`,
		},
		"the entries beside it still count": {allowed: []string{"*", "example.com"}, email: "jane@example.com"},
		"and alone are named":               {allowed: []string{"*", "example.com"}, email: "jane@example.org", want: only},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := (Rules{Allowed: tc.allowed, Denied: tc.denied}).Check(tc.email); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("says  %q\nnot   %q", got, tc.want)
			}
		})
	}
}

func TestCheckDomain(t *testing.T) {
	for _, rule := range []string{"example.com", "EXAMPLE.com", "bücher.example", "xn--bcher-kva.example", "a.b.c.example"} {
		if err := CheckDomain(rule); err != nil {
			t.Errorf("CheckDomain(%q): %v", rule, err)
		}
	}
	for _, rule := range []string{
		"", ".", "com", "*", "*.example.com", ".example.com", "example.com.", "@example.com", "jane@example.com", " example.com",
		"exa mple.com", "https://example.com", "example.com/", "192.0.2.1", "[192.0.2.1]", "exam\u200bple.com", "exam\ufe0fple.com", "exam\u3164ple.com", "a_b.example", "xn--a.example", "\xff.com",
	} {
		if err := CheckDomain(rule); err == nil {
			t.Errorf("CheckDomain(%q) finds nothing", rule)
		}
	}
	want := `"*.example.com" is not a complete domain: write it alone, as in example.com, which covers mail.example.com too`
	if err := CheckDomain("*.example.com"); err == nil || err.Error() != want {
		t.Errorf("says %v", err)
	}
}
