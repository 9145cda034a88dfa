// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package address

import "testing"

func TestMailbox(t *testing.T) {
	for email, want := range map[string]string{
		"Jane.Doe+usher@gmail.com":        "janedoe@gmail.com",
		"j.a.n.e.d.o.e@googlemail.com":    "janedoe@gmail.com",
		"jane.doe+1@GMAIL.com":            "janedoe@gmail.com",
		"jane+1+2@outlook.com":            "jane@outlook.com",
		"jane.doe+1@hotmail.com":          "jane.doe@hotmail.com",
		"jane+x@live.com":                 "jane@live.com",
		"jane+x@msn.com":                  "jane@msn.com",
		"jane+x@fastmail.com":             "jane@fastmail.com",
		"anything@jane.fastmail.fm":       "jane@fastmail.fm",
		"jane+x@me.com":                   "jane@icloud.com",
		"jane+x@mac.com":                  "jane@icloud.com",
		"jane+x@icloud.com":               "jane@icloud.com",
		"J_a-n.e+x@protonmail.com":        "jane@proton.me",
		"jane@pm.me":                      "jane@proton.me",
		"jane.doe@outlook.com":            "jane.doe@outlook.com",
		"jane+x@outlook.de":               "jane@outlook.de",
		"jane+x@outlook.com.br":           "jane@outlook.com.br",
		"jane+x@Hotmail.co.uk":            "jane@hotmail.co.uk",
		"jane+x@hotmail.it":               "jane@hotmail.it",
		"jane+x@live.co.uk":               "jane@live.co.uk",
		"jane+x@live.nl":                  "jane@live.nl",
		"jane+x@fastmail.net":             "jane@fastmail.net",
		"anything@jane.fastmail.co.uk":    "jane@fastmail.co.uk",
		"jane+x@outlook.example":          "jane+x@outlook.example",
		"jane+x@live.example.com":         "jane+x@live.example.com",
		"jane+x@hotmail.com.evil.example": "jane+x@hotmail.com.evil.example",
		"jane+x@mail.outlook.de":          "jane+x@mail.outlook.de",
		"jane+x@outlook":                  "jane+x@outlook",
		"jane+x@example.com":              "jane+x@example.com",
		"j.ane@example.com":               "j.ane@example.com",
		"jane+x@mail.gmail.com":           "jane+x@mail.gmail.com",
		"jane+x@gmail.com.evil.example":   "jane+x@gmail.com.evil.example",
		"+tag@gmail.com":                  "+tag@gmail.com",
		"René+x@BÜCHER.example":           "rené+x@xn--bcher-kva.example",
		"anything@jane.mail.fastmail.com": "anything@jane.mail.fastmail.com",
		"not an address":                  "not an address",
		"":                                "",
	} {
		if got := Mailbox(email); got != want {
			t.Errorf("Mailbox(%q) = %q, not %q", email, got, want)
		}
	}
}

// A provider that is unknown could give the tag to another person, so such addresses stay apart.
func TestMailboxesOfOtherProvidersStayApart(t *testing.T) {
	for _, email := range []string{"jane+a@example.com", "jane+b@example.com", "jane@example.com", "j.ane@example.com"} {
		if got := Mailbox(email); got != Key(email) {
			t.Errorf("Mailbox(%q) = %q, not its key", email, got)
		}
	}
}

// The mailbox of a mailbox is the same one.
func FuzzMailbox(f *testing.F) {
	for _, email := range []string{"j.d+x@gmail.com", "+@gmail.com", "a@b.fastmail.com", "a@+.fastmail.com", "a@b.fastmail.co.uk", "a+b@live.de", "-_.@pm.me", "\xff+@gmail.com"} {
		f.Add(email)
	}
	f.Fuzz(func(t *testing.T, email string) {
		box := Mailbox(email)
		if again := Mailbox(box); again != box {
			t.Errorf("Mailbox(%q) = %q, and the mailbox of that is %q", email, box, again)
		}
		if Mailbox(Key(email)) != box {
			t.Errorf("Mailbox(%q) = %q depends on the spelling", email, box)
		}
	})
}
