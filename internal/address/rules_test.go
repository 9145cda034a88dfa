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
		"without rules, everything is accepted": {email: "jane@example.com"},
		"without rules, an invalid address is refused": {
			email: "jane", want: "a mail address has exactly one @, as in jane.doe@example.com",
		},
		"an allowed domain":                      {allowed: []string{"example.com"}, email: "jane@example.com"},
		"a subdomain of an allowed domain":       {allowed: []string{"example.com"}, email: "jane@a.mail.example.com"},
		"an allowed domain in another case":      {allowed: []string{"Example.COM"}, email: "jane@eXample.com"},
		"not a domain that ends with its name":   {allowed: []string{"example.com"}, email: "jane@badexample.com", want: only},
		"not a domain that starts with its name": {allowed: []string{"example.com"}, email: "jane@example.com.test", want: only},
		"not the parent domain":                  {allowed: []string{"mail.example.com"}, email: "jane@example.com", want: "only addresses at mail.example.com or its subdomains are accepted here"},
		"one of several allowed":                 {allowed: []string{"example.org", "example.com"}, email: "jane@example.com"},
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
		"an unreadable denied entry denies everything": {
			allowed: []string{"example.com"}, denied: []string{"*.example.org"}, email: "jane@example.com",
			want: `no address is accepted here, because the denied domain "*.example.org" cannot be read: ask the organization to correct it`,
		},
		"an empty denied entry denies everything too": {
			denied: []string{""}, email: "jane@example.com",
			want: `no address is accepted here, because the denied domain "" cannot be read: ask the organization to correct it`,
		},
		"an unreadable allowed entry allows nothing": {
			allowed: []string{"@example.com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "@example.com" cannot be read: ask the organization to correct it`,
		},
		"an empty allowed entry allows nothing too": {
			allowed: []string{""}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "" cannot be read: ask the organization to correct it`,
		},
		"a top-level domain alone is unreadable": {
			allowed: []string{"com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "com" cannot be read: ask the organization to correct it`,
		},
		"a domain with invisible characters is unreadable": {
			allowed: []string{"exam\u200bple.com"}, email: "jane@example.com",
			want: `no address is accepted here, because the allowed domain "exam\u200bple.com" cannot be read: ask the organization to correct it`,
		},
		"the other allowed entries still count": {allowed: []string{"*", "example.com"}, email: "jane@example.com"},
		"only the readable entries are named":   {allowed: []string{"*", "example.com"}, email: "jane@example.org", want: only},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := (Rules{Allowed: tc.allowed, Denied: tc.denied}).Check(tc.email); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got   %q\nwant  %q", got, tc.want)
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
			t.Errorf("CheckDomain(%q) = nil", rule)
		}
	}
	want := `"*.example.com" is not a complete domain: write it alone, as in example.com, which covers mail.example.com too`
	if err := CheckDomain("*.example.com"); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
