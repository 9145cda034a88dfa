// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sanitize

import "testing"

func TestMask(t *testing.T) {
	t.Parallel()
	const secret = "open https://usher.example.org/i#c2VjcmV0LXNlY3JldA now"
	for name, c := range map[string]struct{ in, want string }{
		"no part of the secret":       {"mailbox full", "mailbox full"},
		"the whole secret":            {"bad URL <https://usher.example.org/i#c2VjcmV0LXNlY3JldA>", "bad URL <[hidden]>"},
		"the token alone":             {"x#c2VjcmV0LXNlY3JldAx", "x[hidden]x"},
		"a stretch that is too short": {"usher.example", "usher.example"},
		"two stretches":               {"https://usher.example - c2VjcmV0LXNlY3JldA", "[hidden] - [hidden]"},
		"an empty text":               {"", ""},
		"letters of several bytes":    {"ü https://usher.example ü", "ü[hidden] ü"},
		"a stretch with its spaces":   {" https://usher.example", "[hidden]"},
	} {
		if got := Mask(c.in, 16, "other secret", secret); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := Mask("the password is x", 0, ""); got != "the password is x" {
		t.Errorf("an empty password: got %q", got)
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	if got := Shorten("äöü", 3); got != "äöü" {
		t.Errorf("got %q", got)
	}
	if got := Shorten("äöüß", 3); got != "äö…" {
		t.Errorf("got %q", got)
	}
}
