// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"regexp"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/usher-dev/usher/internal/wording/input"
)

// maxMessageID is in bytes. With its name and brackets, the field stays far below the 998 of RFC 5322.
const maxMessageID = 250

var messageID = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+@[A-Za-z0-9.-]+$`)

// Content is the part of a message that a person reads.
type Content struct {
	// Subject is one line of plain text.
	Subject string
	// Text is the plain text body. It is required.
	Text string
	// HTML is the same body in HTML. Empty means that the message is plain text only.
	HTML string
}

// Message is one mail to one person. The same Message always results in the same bytes.
type Message struct {
	// ID is the Message-ID without its angle brackets (RFC 5322, section 3.6.4).
	ID string
	// Date is when the controller decided to send the message, to the second. It is written in UTC.
	Date time.Time
	// From and To are one mailbox each. Both are also the addresses of the SMTP envelope.
	From, To netmail.Address

	Content
}

// Bytes writes the message in the Internet Message Format (RFC 5322, RFC 2045) with CRLF line ends. The
// result depends only on m. It returns an *input.InvalidError if a field is missing or contains
// something that can change the meaning of the message, such as a line break in a name.
func (m Message) Bytes() ([]byte, error) {
	m, err := m.checked()
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(
		gomail.WithCharset(gomail.CharsetUTF8),
		gomail.WithEncoding(gomail.EncodingQP),
		gomail.WithBoundary(m.boundary()),
		gomail.WithNoDefaultUserAgent(),
	)
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDateWithValue(m.Date.UTC())
	// RFC 3834: prevents vacation notices and other automatic replies.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.FromMailAddress(&m.From)
	msg.ToMailAddress(&m.To)
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write the mail: %w", err)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	return b.Bytes(), nil
}

// boundary is derived from the bodies as well, so that no author can write a body that contains it.
func (m Message) boundary() string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + m.Text + "\x00" + m.HTML))
	return "usher-" + hex.EncodeToString(sum[:20])
}

func (m Message) checked() (Message, error) {
	var err error
	if m.From, err = input.Address("sender", m.From); err != nil {
		return m, err
	}
	if m.To, err = input.Address("recipient", m.To); err != nil {
		return m, err
	}
	if m.Subject, err = input.Line("subject", m.Subject); err != nil {
		return m, err
	}
	switch {
	case len(m.ID) > maxMessageID || !messageID.MatchString(m.ID):
		return m, input.Invalid("Message-ID", "must look like name@host, in ASCII and without angle brackets")
	case m.Date.IsZero():
		return m, input.Invalid("date", "is missing")
	case m.Subject == "":
		return m, input.Invalid("subject", "is empty")
	case m.Text == "":
		return m, input.Invalid("text", "is empty")
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML):
		return m, input.Invalid("text", "is not valid UTF-8")
	}
	// After a lone carriage return, mime/quotedprintable can swallow a line feed.
	m.Text, m.HTML = input.LineFeeds(m.Text), input.LineFeeds(m.HTML)
	return m, nil
}
