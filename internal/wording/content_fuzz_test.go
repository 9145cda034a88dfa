// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package wording_test

import (
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/wording"
	"github.com/usher-dev/usher/internal/wording/language"
)

// elements parses HTML as a browser does and lists its elements.
func elements(t *testing.T, source string) []*html.Node {
	t.Helper()
	document, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range document.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

// outline returns the structure of a page, independent of the names in it: its elements and their
// attributes. It leaves out the line breaks of a message.
func outline(t *testing.T, source string) []string {
	t.Helper()
	var out []string
	for _, n := range elements(t, source) {
		if n.Data == "br" && n.Parent.Data == "blockquote" {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		out = append(out, line)
	}
	return out
}

// For any names, the mail has the same elements as with plain names, one link and one address, and it
// can be written.
func FuzzInvitation(f *testing.F) {
	f.Add("Acme", "Developer", "Grace Hopper", "Ada Lovelace", "See you\n\non Monday", byte(0))
	f.Add("<b>", `"><script>alert(1)</script>`, "</title><a href=x>", "{{.Link}}", "<!-- </blockquote> &amp;\n-->", byte(1))
	f.Add("a@b.example", "evil．example", "W\u200bWW.x", "=?utf-8?q?x?=", "1.2.3.4 a.b.c.d。e", byte(2))
	f.Add("\x00Link\x00", "\u202e", "\xff", "a\r\nb", "www\u200b.evil.example", byte(3))
	f.Fuzz(func(t *testing.T, organization, role, by, name, message string, which byte) {
		tag := language.All()[int(which)%len(language.All())]
		d := anInvitation()
		d.Organization, d.Role, d.InvitedBy, d.Name, d.Message = organization, role, by, name, message
		c, err := wording.Templates{}.Invitation(tag, d)
		if err != nil {
			return
		}
		benign := anInvitation()
		benign.InvitedBy, benign.Name, benign.Message = sameEmptiness(by, "B"), sameEmptiness(name, "N"), sameEmptiness(message, "M")
		plain, err := wording.Templates{}.Invitation(tag, benign)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(outline(t, plain.HTML), outline(t, c.HTML)); diff != "" {
			t.Errorf("a name changes the HTML (-plain +this):\n%s\n%s", diff, c.HTML)
		}
		if links := links(t, c.HTML); len(links) != 1 || links[0] != d.Link {
			t.Errorf("links in the HTML: %q, want only %q", links, d.Link)
		}
		if strings.Count(c.Text, "://") != 1 || !strings.Contains(c.Text, "\n"+d.Link+"\n") {
			t.Errorf("addresses in the text, want only the link:\n%s", c.Text)
		}
		writes(t, c)
	})
}

// For any names and any contact, a mail about an Account has the subject and the elements of one with
// plain names. It has one link and one address, and it can be written.
func FuzzAccountMails(f *testing.F) {
	f.Add("jane", "jane/acme", "jane.doe@example.com", "help@acme.example", byte(0))
	f.Add("<b>", `"><script>alert(1)</script>`, `"<b>"@example.com`, "</title><a href=x>", byte(1))
	f.Add("{{.Link}}", "<!--", "a&b@example.com", "-->&lt;&#0;", byte(2))
	f.Add("a．b", "1.2.3.4", "a/b@example.com", "x@y.example/a.b.c www\u200b.evil.example", byte(3))
	f.Add("<i>j</i>", "&amp;", "a+b@example.com", "\u202e\xff\r\n\r\nSubject: https://evil.example </p>", byte(6))
	f.Add("\x00UserName\x00", "a\r\nBcc: b", "a\n@example.com", "\u202e\xff\r\n\r\nx", byte(4))
	f.Fuzz(func(t *testing.T, name, other, address, contact string, which byte) {
		tag := language.All()[int(which)%len(language.All())]
		for kind, write := range accountMails {
			data := someFacts()
			data.userName, data.more, data.address, data.contact = name, []string{other}, address, contact
			c, err := write(tag, data)
			if err != nil {
				continue
			}
			benign := someFacts()
			if !strings.Contains(c.HTML, "margin:16px 0 0") { // nothing is left of the contact
				benign.contact = ""
			}
			plain, err := write(tag, benign)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(outline(t, plain.HTML), outline(t, c.HTML)); diff != "" {
				t.Errorf("%s: a name changes the HTML (-plain +this):\n%s\n%s", kind, diff, c.HTML)
			}
			if c.Subject != plain.Subject {
				t.Errorf("%s: a name changes the subject: %q", kind, c.Subject)
			}
			showsOnly(t, c, onlyLinks[kind])
		}
	})
}

// links returns the addresses that a page leads to or loads.
func links(t *testing.T, source string) []string {
	t.Helper()
	var out []string
	for _, n := range elements(t, source) {
		for _, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" {
				out = append(out, a.Val)
			}
		}
	}
	return out
}

// writes checks that a content can be mailed.
func writes(t *testing.T, c wording.Content) {
	t.Helper()
	m := email.Message{
		ID: "c0ffee.1.email.1790000000@usher.example.org", Date: time.Date(2026, 11, 21, 18, 10, 0, 0, time.UTC),
		From:    netmail.Address{Name: "Usher", Address: "usher@example.org"},
		To:      netmail.Address{Name: "Ada Lovelace", Address: "ada@example.com"},
		Content: email.Content(c),
	}
	if _, err := m.Bytes(); err != nil {
		t.Errorf("the mail cannot be written: %v", err)
	}
}

func sameEmptiness(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return other
}
