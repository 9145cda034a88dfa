// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

const (
	maxHeaderText = 300 // characters of a subject or a display name
	maxMessageID  = 250 // bytes; with its name and brackets it stays far below the 998 of RFC 5322
	maxLocalPart  = 64  // bytes (RFC 5321, section 4.5.3.1.1)
	maxAddress    = 254 // bytes (RFC 5321, section 4.5.3.1.3, less the angle brackets)
)

var messageID = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+@[A-Za-z0-9.-]+$`)

// lineEnds makes them all alike: after a lone carriage return, mime/quotedprintable may swallow a line feed.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Content is what a person reads of a message.
type Content struct {
	// Subject is one line of plain text.
	Subject string
	// Text is the plain text body. It is required.
	Text string
	// HTML is the same in HTML; empty means that the message is plain text only.
	HTML string
}

// Message is one mail to one person. The same Message always makes the same bytes.
type Message struct {
	// ID is the Message-ID without its angle brackets (RFC 5322, section 3.6.4).
	ID string
	// Date is when the message was decided on, to the second. It is written in UTC.
	Date time.Time
	// From and To are one mailbox each. Both are also the addresses of the SMTP envelope.
	From, To netmail.Address

	Content
}

// Bytes writes the message in the Internet Message Format (RFC 5322, RFC 2045) with CRLF line ends. It
// depends on nothing but m. The error is an *InvalidError where a field is missing or holds what could
// change the meaning of the message, such as a line break in a name.
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
	// RFC 3834: keeps holiday notices and other robots from answering.
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
		return nil, fmt.Errorf("writing the mail: %w", err)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	return b.Bytes(), nil
}

// boundary is derived from the bodies as well, so that nobody can write a body that holds it.
func (m Message) boundary() string {
	sum := sha256.Sum256([]byte(m.ID + "\x00" + m.Text + "\x00" + m.HTML))
	return "usher-" + hex.EncodeToString(sum[:20])
}

func (m Message) checked() (Message, error) {
	var err error
	if m.From, err = checkAddress("sender", m.From); err != nil {
		return m, err
	}
	if m.To, err = checkAddress("recipient", m.To); err != nil {
		return m, err
	}
	if m.Subject, err = checkLine("subject", m.Subject); err != nil {
		return m, err
	}
	switch {
	case len(m.ID) > maxMessageID || !messageID.MatchString(m.ID):
		return m, &InvalidError{"Message-ID", "must look like name@host, in ASCII and without angle brackets"}
	case m.Date.IsZero():
		return m, &InvalidError{"date", "is missing"}
	case m.Subject == "":
		return m, &InvalidError{"subject", "is empty"}
	case m.Text == "":
		return m, &InvalidError{"text", "is empty"}
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML):
		return m, &InvalidError{"text", "is not valid UTF-8"}
	}
	m.Text, m.HTML = lineEnds.Replace(m.Text), lineEnds.Replace(m.HTML)
	return m, nil
}

// checkLine returns s with its spaces made single: go-mail folds at spaces, and a run of them could
// become a line of nothing but space, which RFC 5322 forbids.
func checkLine(field, s string) (string, error) {
	switch {
	case !utf8.ValidString(s):
		return "", &InvalidError{field, "is not valid UTF-8"}
	case strings.ContainsFunc(s, breaksLine):
		return "", &InvalidError{field, "holds a line break or another control character"}
	case strings.Contains(s, "=?"):
		// Many programs decode it wherever it stands (RFC 2047), into a text that nobody here has checked.
		return "", &InvalidError{field, `holds "=?", which begins an encoded word: leave one of the two characters out`}
	case utf8.RuneCountInString(s) > maxHeaderText:
		return "", &InvalidError{field, fmt.Sprintf("is longer than %d characters", maxHeaderText)}
	}
	return strings.Join(strings.Fields(s), " "), nil
}

func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// unseen tells what an address could hold without anybody seeing it: besides control characters also
// spaces of no width, marks that turn the order of letters round, and the like.
func unseen(r rune) bool { return !unicode.IsPrint(r) }

// checkAddress returns the address with its domain in ASCII (RFC 5890), the form that every server knows.
func checkAddress(field string, a netmail.Address) (netmail.Address, error) {
	name, err := checkLine(field, a.Name)
	if err != nil {
		return a, err
	}
	bad := &InvalidError{field, "must be one plain mail address, such as ada@example.org"}
	at := strings.LastIndexByte(a.Address, '@')
	if at < 1 || at > maxLocalPart || !utf8.ValidString(a.Address) {
		return a, bad
	}
	local, domain := a.Address[:at], a.Address[at+1:]
	if strings.ContainsFunc(local, unseen) {
		return a, bad
	}
	// Lookup also refuses what is no host name, such as an address literal or a space.
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" {
		return a, bad
	}
	address := local + "@" + domain
	parsed, err := netmail.ParseAddress(address)
	// Not equal: it held a name, a comment, quotes, or more than one address.
	if err != nil || parsed.Name != "" || parsed.Address != address || len(address) > maxAddress {
		return a, bad
	}
	return netmail.Address{Name: name, Address: address}, nil
}
