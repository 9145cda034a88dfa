// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/idna"

	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/wording/input"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), see the -update flag:\n%s", path, diff)
	}
}

func aMessage() email.Message {
	return email.Message{
		ID:   "0b7c6a3e.1.1@usher.example.org",
		Date: time.Date(2026, 11, 21, 18, 10, 0, 0, time.FixedZone("CET", 3600)),
		From: netmail.Address{Name: "Usher", Address: "usher@example.org"},
		To:   netmail.Address{Name: "Ada Lovelace", Address: "ada@example.org"},
		Content: email.Content{
			Subject: "Invitation to join Acme",
			Text:    "Hello,\n\nhttps://usher.example.org/i#c2VjcmV0LXNlY3JldC1zZWNyZXQ\n.\n..\nBye.\n",
			HTML:    "<p>Hello</p>\n<p>.</p>\n",
		},
	}
}

func TestMessageIsTheSameBytesEachTime(t *testing.T) {
	t.Parallel()
	first, err := aMessage().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again := aMessage()
		again.Date = again.Date.UTC()
		b, err := again.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(b)); diff != "" {
			t.Fatalf("the same message resulted in other bytes (-first +again):\n%s", diff)
		}
	}
	golden(t, "message.eml", string(first))
}

func TestMessageCanBeReadBack(t *testing.T) {
	t.Parallel()
	m := aMessage()
	m.From.Name, m.To.Name = "Zoë \"Z\" <zoe@evil.example>, Bcc:", "李 雷"
	m.Subject = "Einladung für  Åse — " + strings.Repeat("sehr ", 30) + "lang"
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, raw, true)
	parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantFields(m), readFields(t, parsed)); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantBodies(m), parts(t, parsed)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// parts returns the decoded bodies with plain line feeds.
func parts(t *testing.T, m *netmail.Message) []string {
	t.Helper()
	read := func(r io.Reader) string {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if kind == "text/plain" {
		return []string{read(quotedprintable.NewReader(m.Body))}
	}
	var out []string
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, read(p))
	}
}

func TestMessageWithoutHTMLIsPlainText(t *testing.T) {
	t.Parallel()
	m := aMessage()
	m.HTML = ""
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte("Content-Type: text/plain; charset=UTF-8\r\n")) || bytes.Contains(raw, []byte("multipart")) {
		t.Errorf("not a plain text mail:\n%s", raw)
	}
}

func TestMessageRefusesWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*email.Message)
		field  string
	}{
		"a line break in the subject":            {func(m *email.Message) { m.Subject = "a\r\nBcc: eve@example.org" }, "subject"},
		"a lone line feed in the subject":        {func(m *email.Message) { m.Subject = "a\nb" }, "subject"},
		"an encoded word in the subject":         {func(m *email.Message) { m.Subject = "=?utf-8?q?=0d=0aBcc:_x?=" }, "subject"},
		"an encoded word in a name":              {func(m *email.Message) { m.To.Name = "=?utf-8?q?=22Support=22?=" }, "recipient"},
		"a zero-width space in an address":       {func(m *email.Message) { m.To.Address = "ada\u200b@example.org" }, "recipient"},
		"a direction mark in an address":         {func(m *email.Message) { m.To.Address = "ada\u202e@example.org" }, "recipient"},
		"a non-ASCII space in an address":        {func(m *email.Message) { m.To.Address = "a\u00a0b@example.org" }, "recipient"},
		"a NUL in the subject":                   {func(m *email.Message) { m.Subject = "a\x00b" }, "subject"},
		"a line separator in the subject":        {func(m *email.Message) { m.Subject = "a\u2028b" }, "subject"},
		"broken UTF-8 in the subject":            {func(m *email.Message) { m.Subject = "a\xff" }, "subject"},
		"an endless subject":                     {func(m *email.Message) { m.Subject = strings.Repeat("a", 301) }, "subject"},
		"no subject":                             {func(m *email.Message) { m.Subject = " " }, "subject"},
		"a line break in the sender's name":      {func(m *email.Message) { m.From.Name = "a\r\nBcc: eve@example.org" }, "sender"},
		"a line break in a name":                 {func(m *email.Message) { m.To.Name = "a\rb" }, "recipient"},
		"a line break in an address":             {func(m *email.Message) { m.To.Address = "ada@example.org\r\nDATA" }, "recipient"},
		"an SMTP parameter in an address":        {func(m *email.Message) { m.To.Address = "ada@example.org> SIZE=1" }, "recipient"},
		"an angle bracket in an address":         {func(m *email.Message) { m.To.Address = "a>b@example.org" }, "recipient"},
		"a quoted local part":                    {func(m *email.Message) { m.To.Address = "\"a b\"@example.org" }, "recipient"},
		"two addresses":                          {func(m *email.Message) { m.To.Address = "a@example.org,b@example.org" }, "recipient"},
		"a name within the address":              {func(m *email.Message) { m.To.Address = "Ada <ada@example.org>" }, "recipient"},
		"a comment within the address":           {func(m *email.Message) { m.To.Address = "ada(x)@example.org" }, "recipient"},
		"no address":                             {func(m *email.Message) { m.To.Address = "" }, "recipient"},
		"an address without a domain":            {func(m *email.Message) { m.From.Address = "ada@" }, "sender"},
		"an address literal":                     {func(m *email.Message) { m.To.Address = "ada@[10.0.0.1]" }, "recipient"},
		"an endless local part":                  {func(m *email.Message) { m.To.Address = strings.Repeat("a", 65) + "@example.org" }, "recipient"},
		"no Message-ID":                          {func(m *email.Message) { m.ID = "" }, "Message-ID"},
		"a Message-ID with angle brackets":       {func(m *email.Message) { m.ID = "<a@b>" }, "Message-ID"},
		"a Message-ID with a line break":         {func(m *email.Message) { m.ID = "a@b\r\nBcc: eve@example.org" }, "Message-ID"},
		"a Message-ID that ends in a line break": {func(m *email.Message) { m.ID = "a@b\n" }, "Message-ID"},
		"no date":                                {func(m *email.Message) { m.Date = time.Time{} }, "date"},
		"no text":                                {func(m *email.Message) { m.Text = "" }, "text"},
		"a text that is not UTF-8":               {func(m *email.Message) { m.Text = "\xff" }, "text"},
		"an HTML part that is not UTF-8":         {func(m *email.Message) { m.HTML = "\xff" }, "text"},
		"a control character in the address":     {func(m *email.Message) { m.To.Address = "a\x01@example.org" }, "recipient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := aMessage()
			c.change(&m)
			_, err := m.Bytes()
			var invalid *input.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for the %s", err, c.field)
			}
		})
	}
}

// FuzzMessageBytes lets an attacker choose every value that an attacker can choose. Then either Bytes
// returns an error, or the message contains each value in its place and nothing else.
func FuzzMessageBytes(f *testing.F) {
	f.Add("Ada", "ada@example.org", "Invitation", "Hello,\n.\nBye.\n")
	f.Add("b\nX: y", "a@b\r\nRCPT TO:<x>", "a\r\nBcc: x@y.z", "a\r\n.\r\nb")
	f.Add("\"<>,;:\\", "jörg@bücher.example", "   a \t b  ", "a\rb \t\n\n ")
	f.Add("=?utf-8?q?=0d=0aBcc:_x?=", "a@b", "=?utf-8?b?DQo=?=", "--usher-")
	f.Add("Ada, eve@example.org", "ada@example.org,eve@example.org", "a", "a")
	f.Add("(Ada)", "ada@example.org", strings.Repeat("ü ", 100), "\r\x00\n0")
	f.Add("", "a\u202eb@example.org", strings.Repeat("a", 300), strings.Repeat("ü", 2000))
	f.Fuzz(func(t *testing.T, name, address, subject, text string) {
		for _, html := range []string{"", text + "<p>"} {
			m := aMessage()
			m.Subject, m.To, m.Text, m.HTML = subject, netmail.Address{Name: name, Address: address}, text, html
			raw, err := m.Bytes()
			if invalid := (*input.InvalidError)(nil); errors.As(err, &invalid) {
				continue
			}
			if err != nil {
				t.Fatalf("an error of an unknown class: %v", err)
			}
			checkLines(t, raw, ascii(address))
			parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantFields(m), readFields(t, parsed)); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantBodies(m), parts(t, parsed)); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
		}
	})
}

// checkLines checks the lines against RFC 5322, section 2.1: some servers take other characters for a
// line end too.
func checkLines(t *testing.T, raw []byte, allASCII bool) {
	t.Helper()
	lines := bytes.Split(raw, []byte("\r\n"))
	if len(lines[len(lines)-1]) != 0 {
		t.Error("the last line has no line end")
	}
	header := true
	for _, line := range lines {
		header = header && len(line) > 0
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") || header && len(bytes.TrimSpace(line)) == 0 {
			t.Errorf("not a line of RFC 5322: %q", line)
		}
		if (allASCII || !header) && !ascii(string(line)) {
			t.Errorf("a line that needs 8BITMIME or SMTPUTF8: %q", line)
		}
	}
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// wantFields returns all fields of a message, decoded. None of them asks a mail program to treat it as
// bulk mail (List-Unsubscribe, Precedence), because it is written to one person about their own
// account.
func wantFields(m email.Message) map[string][]string {
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	person := func(a netmail.Address) []string {
		local, domain, _ := strings.Cut(a.Address, "@")
		domain, _ = idna.Lookup.ToASCII(domain)
		return []string{words(a.Name), local + "@" + domain}
	}
	fields := map[string][]string{
		"Message-Id": {"<" + m.ID + ">"}, "Date": {m.Date.UTC().Format(time.RFC1123Z)}, "Mime-Version": {"1.0"},
		"Auto-Submitted": {"auto-generated"}, "Subject": {words(m.Subject)}, "From": person(m.From), "To": person(m.To),
		"Content-Type": {"multipart/alternative"},
	}
	if m.HTML == "" {
		fields["Content-Type"] = []string{"text/plain"}
		fields["Content-Transfer-Encoding"] = []string{"quoted-printable"}
	}
	return fields
}

func readFields(t *testing.T, m *netmail.Message) map[string][]string {
	t.Helper()
	fields := map[string][]string{}
	for key, values := range m.Header {
		for _, value := range values {
			decoded, err := readField(key, value)
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			fields[key] = append(fields[key], decoded...)
		}
	}
	return fields
}

func readField(key, value string) (decoded []string, err error) {
	switch key {
	case "Content-Type":
		kind, _, err := mime.ParseMediaType(value)
		return []string{kind}, err
	case "From", "To":
		people, err := netmail.ParseAddressList(value)
		for _, p := range people {
			decoded = append(decoded, p.Name, p.Address)
		}
		return decoded, err
	default:
		text, err := new(mime.WordDecoder).DecodeHeader(value)
		return []string{text}, err
	}
}

// wantBodies returns the text and the HTML with plain line feeds. A message ends with a line end.
func wantBodies(m email.Message) []string {
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
	if m.HTML == "" {
		text := lines.Replace(m.Text)
		return []string{strings.TrimSuffix(text, "\n") + "\n"}
	}
	return []string{lines.Replace(m.Text), lines.Replace(m.HTML)}
}
