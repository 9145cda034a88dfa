// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Message is one mail that the inbox accepted. A mail that cannot be parsed still has its Raw bytes
// and its envelope.
type Message struct {
	// Number counts the messages from 1.
	Number int
	// ID is the Message-ID without its angle brackets.
	ID string
	// EnvelopeFrom and To are the addresses of MAIL FROM and RCPT TO.
	EnvelopeFrom string
	To           []string
	// SMTPUTF8 reports whether MAIL FROM requested that extension (RFC 6531).
	SMTPUTF8 bool
	// From and Subject are the decoded header fields.
	From, Subject string
	// Text and HTML are the decoded bodies, with plain line feeds. They are empty if the mail has
	// none.
	Text, HTML string
	// Raw is the mail as received, after dot-unstuffing.
	Raw []byte
	// Received is when the inbox accepted the mail.
	Received time.Time
}

func parse(raw []byte, from string, to []string) Message {
	m := Message{EnvelopeFrom: from, To: slices.Clone(to), Raw: raw}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m
	}
	m.ID = strings.Trim(parsed.Header.Get("Message-Id"), "<> ")
	m.From = decodeHeader(parsed.Header.Get("From"))
	m.Subject = decodeHeader(parsed.Header.Get("Subject"))
	m.addPart(textproto.MIMEHeader(parsed.Header), parsed.Body, 0)
	return m
}

// addPart keeps the first text part and the first HTML part. The depth is bounded, because a mail
// is untrusted input.
func (m *Message) addPart(header textproto.MIMEHeader, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && depth < 5 {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.addPart(part.Header, part, depth+1)
		}
	}
	switch {
	case kind == "text/plain" && m.Text == "":
		m.Text = decodeBody(header, body)
	case kind == "text/html" && m.HTML == "":
		m.HTML = decodeBody(header, body)
	}
}

func decodeBody(header textproto.MIMEHeader, body io.Reader) string {
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	// The part that was read before an error is still worth showing.
	b, _ := io.ReadAll(body)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func decodeHeader(s string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

var webAddress = regexp.MustCompile(`https?://[^\s<>"]+`)

// segment is a part of a text that is, or is not, a web address.
type segment struct {
	Text string
	Link bool
}

func segments(text string) []segment {
	var out []segment
	at := 0
	for _, m := range webAddress.FindAllStringIndex(text, -1) {
		// A sentence can end right after an address.
		end := m[0] + len(strings.TrimRight(text[m[0]:m[1]], ".,;:!?)]}'"))
		out = append(out, segment{Text: text[at:m[0]]}, segment{Text: text[m[0]:end], Link: true})
		at = end
	}
	return append(out, segment{Text: text[at:]})
}
