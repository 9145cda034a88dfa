// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/mail"
)

func aMessage() mail.Message {
	return mail.Message{
		ID:   "0b7c6a3e.1.1@usher.example.org",
		Date: time.Date(2026, 11, 21, 18, 10, 0, 0, time.FixedZone("CET", 3600)),
		From: netmail.Address{Name: "Usher", Address: "usher@example.org"},
		To:   netmail.Address{Name: "Ada Lovelace", Address: "ada@example.org"},
		Content: mail.Content{
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
			t.Fatalf("the same message became other bytes (-first +again):\n%s", diff)
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
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") || len(bytes.TrimSpace(line)) == 0 && len(line) > 0 {
			t.Errorf("not a line of RFC 5322: %q", line)
		}
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Message-Id": "<" + m.ID + ">", "Date": "Sat, 21 Nov 2026 17:10:00 +0000", "Mime-Version": "1.0",
		"Auto-Submitted": "auto-generated", "Subject": strings.Join(strings.Fields(m.Subject), " "),
		"From": m.From.Name + "|" + m.From.Address, "To": m.To.Name + "|" + m.To.Address,
	}
	got := map[string]string{}
	for key, values := range parsed.Header {
		switch key {
		case "Content-Type":
		case "From", "To":
			a, err := parsed.Header.AddressList(key)
			if err != nil || len(a) != 1 {
				t.Fatalf("%s: %v, %v", key, a, err)
			}
			got[key] = a[0].Name + "|" + a[0].Address
		default:
			got[key], _ = new(mime.WordDecoder).DecodeHeader(strings.Join(values, "!"))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{m.Text, m.HTML}, parts(t, parsed)); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func parts(t *testing.T, m *netmail.Message) []string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
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
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.ReplaceAll(string(b), "\r\n", "\n"))
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
		change func(*mail.Message)
		field  string
	}{
		"a line break in the subject":        {func(m *mail.Message) { m.Subject = "a\r\nBcc: eve@example.org" }, "subject"},
		"a lone line feed in the subject":    {func(m *mail.Message) { m.Subject = "a\nb" }, "subject"},
		"a NUL in the subject":               {func(m *mail.Message) { m.Subject = "a\x00b" }, "subject"},
		"a line separator in the subject":    {func(m *mail.Message) { m.Subject = "a\u2028b" }, "subject"},
		"broken UTF-8 in the subject":        {func(m *mail.Message) { m.Subject = "a\xff" }, "subject"},
		"an endless subject":                 {func(m *mail.Message) { m.Subject = strings.Repeat("a", 301) }, "subject"},
		"no subject":                         {func(m *mail.Message) { m.Subject = " " }, "subject"},
		"a line break in the sender's name":  {func(m *mail.Message) { m.From.Name = "a\r\nBcc: eve@example.org" }, "sender"},
		"a line break in a name":             {func(m *mail.Message) { m.To.Name = "a\rb" }, "recipient"},
		"a line break in an address":         {func(m *mail.Message) { m.To.Address = "ada@example.org\r\nDATA" }, "recipient"},
		"an SMTP parameter in an address":    {func(m *mail.Message) { m.To.Address = "ada@example.org> SIZE=1" }, "recipient"},
		"an angle bracket in an address":     {func(m *mail.Message) { m.To.Address = "a>b@example.org" }, "recipient"},
		"a quoted local part":                {func(m *mail.Message) { m.To.Address = "\"a b\"@example.org" }, "recipient"},
		"two addresses":                      {func(m *mail.Message) { m.To.Address = "a@example.org,b@example.org" }, "recipient"},
		"a name within the address":          {func(m *mail.Message) { m.To.Address = "Ada <ada@example.org>" }, "recipient"},
		"a comment within the address":       {func(m *mail.Message) { m.To.Address = "ada(x)@example.org" }, "recipient"},
		"no address":                         {func(m *mail.Message) { m.To.Address = "" }, "recipient"},
		"an address without a domain":        {func(m *mail.Message) { m.From.Address = "ada@" }, "sender"},
		"an address literal":                 {func(m *mail.Message) { m.To.Address = "ada@[10.0.0.1]" }, "recipient"},
		"an endless local part":              {func(m *mail.Message) { m.To.Address = strings.Repeat("a", 65) + "@example.org" }, "recipient"},
		"no Message-ID":                      {func(m *mail.Message) { m.ID = "" }, "Message-ID"},
		"a Message-ID with angle brackets":   {func(m *mail.Message) { m.ID = "<a@b>" }, "Message-ID"},
		"a Message-ID with a line break":     {func(m *mail.Message) { m.ID = "a@b\r\nBcc: eve@example.org" }, "Message-ID"},
		"a Message-ID that ends in one":      {func(m *mail.Message) { m.ID = "a@b\n" }, "Message-ID"},
		"no date":                            {func(m *mail.Message) { m.Date = time.Time{} }, "date"},
		"no text":                            {func(m *mail.Message) { m.Text = "" }, "text"},
		"a text that is not UTF-8":           {func(m *mail.Message) { m.Text = "\xff" }, "text"},
		"an HTML part that is not UTF-8":     {func(m *mail.Message) { m.HTML = "\xff" }, "text"},
		"a control character in the address": {func(m *mail.Message) { m.To.Address = "a\x01@example.org" }, "recipient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := aMessage()
			c.change(&m)
			_, err := m.Bytes()
			var invalid *mail.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != c.field {
				t.Errorf("got %v, want an InvalidError for the %s", err, c.field)
			}
		})
	}
}

func FuzzMessageNeverGrowsAHeader(f *testing.F) {
	f.Add("Invitation", "Ada", "ada@example.org")
	f.Add("a\r\nBcc: x@y.z", "b\nX: y", "a@b\r\nRCPT TO:<x>")
	f.Add("   a \t b  ", "\"<>,;:", "ä@ö.example")
	f.Add(strings.Repeat("ü ", 100), "=?utf-8?q?=0d=0aBcc:_x?=", "a@b")
	f.Fuzz(func(t *testing.T, subject, name, address string) {
		m := aMessage()
		m.Subject, m.To = subject, netmail.Address{Name: name, Address: address}
		raw, err := m.Bytes()
		if err != nil {
			return
		}
		parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for k, v := range parsed.Header {
			if len(v) != 1 {
				t.Errorf("%s stands there %d times", k, len(v))
			}
			keys = append(keys, k)
		}
		slices.Sort(keys)
		want := []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
		if diff := cmp.Diff(want, keys); diff != "" {
			t.Errorf("header fields (-want +got):\n%s", diff)
		}
		if to, err := parsed.Header.AddressList("To"); err != nil || len(to) != 1 {
			t.Errorf("recipients: %v, %v", to, err)
		}
		if got := parts(t, parsed); len(got) != 2 || got[0] != m.Text {
			t.Errorf("the bodies changed: %q", got)
		}
	})
}
