// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
)

// addresses follow RFC 6531 (the dialogue) and RFC 6532 (the header). The part before the @ may need
// UTF-8, while a domain always has a form in ASCII.
var addresses = map[string]struct {
	from, to         string
	wantFrom, wantTo string // in the envelope
	needsUTF8        bool
	withoutUTF8      outcome
	headerLine       string
}{
	"ASCII only": {
		from: "usher@example.org", to: "ada@example.org", wantFrom: "usher@example.org", wantTo: "ada@example.org",
		withoutUTF8: delivered, headerLine: `To: "Ada Lovelace" <ada@example.org>`,
	},
	"a domain in UTF-8": {
		from: "usher@bücher.example", to: "ada@bücher.example", wantFrom: "usher@xn--bcher-kva.example", wantTo: "ada@xn--bcher-kva.example",
		withoutUTF8: delivered, headerLine: `To: "Ada Lovelace" <ada@xn--bcher-kva.example>`,
	},
	"a recipient in UTF-8": {
		from: "usher@example.org", to: "jörg@example.org", wantFrom: "usher@example.org", wantTo: "jörg@example.org",
		needsUTF8: true, withoutUTF8: refused("RCPT TO", 553), headerLine: `To: "Ada Lovelace" <jörg@example.org>`,
	},
	"a sender in UTF-8": {
		from: "pförtner@example.org", to: "ada@example.org", wantFrom: "pförtner@example.org", wantTo: "ada@example.org",
		needsUTF8: true, withoutUTF8: refused("MAIL FROM", 553), headerLine: `From: "Usher" <pförtner@example.org>`,
	},
	"all of it, in another script": {
		from: "usher@example.org", to: "李.雷@例え.example", wantFrom: "usher@example.org", wantTo: "李.雷@xn--r8jz45g.example",
		needsUTF8: true, withoutUTF8: refused("RCPT TO", 553), headerLine: `To: "Ada Lovelace" <李.雷@xn--r8jz45g.example>`,
	},
	"a long address": {
		from: "usher@example.org", to: strings.Repeat("ü", 32) + "@example.org", wantFrom: "usher@example.org",
		wantTo: strings.Repeat("ü", 32) + "@example.org", needsUTF8: true, withoutUTF8: refused("RCPT TO", 553),
		headerLine: "To: \"Ada Lovelace\"\r\n <" + strings.Repeat("ü", 32) + "@example.org>",
	},
}

func addressed(from, to string) email.Message {
	m := aMessage()
	m.From.Address, m.To.Address = from, to
	return m
}

func TestSendAsksForSMTPUTF8OnlyWhereAnAddressNeedsIt(t *testing.T) {
	t.Parallel()
	for name, c := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, inbox.Options{SMTPUTF8: true})
			s := sender(t, ib, func(cfg *email.Config) { cfg.DKIM = aDKIM(t) })
			// Send it between two others, so that the need of one message does not affect the next one.
			for _, m := range []email.Message{aMessage(), addressed(c.from, c.to), aMessage()} {
				mustSend(t, s, m)
			}
			got := ib.Messages()
			if got[0].SMTPUTF8 || got[1].SMTPUTF8 != c.needsUTF8 || got[2].SMTPUTF8 {
				t.Errorf("SMTPUTF8 was requested: %v, %v, %v", got[0].SMTPUTF8, got[1].SMTPUTF8, got[2].SMTPUTF8)
			}
			if got[1].EnvelopeFrom != c.wantFrom || !cmp.Equal(got[1].To, []string{c.wantTo}) {
				t.Errorf("envelope from %s to %s", got[1].EnvelopeFrom, got[1].To)
			}
			if !bytes.Contains(got[1].Raw, []byte("\r\n"+c.headerLine+"\r\n")) {
				t.Errorf("no line %s in:\n%s", c.headerLine, got[1].Raw)
			}
			if _, err := verify(t, aDKIM(t), got[1].Raw); err != nil {
				t.Errorf("the signature: %v", err)
			}
		})
	}
}

func TestSendWithoutSMTPUTF8SaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, inbox.Options{})
			err := sender(t, ib, nil).Send(t.Context(), addressed(c.from, c.to))
			if got := outcomeOf(t, err); got != c.withoutUTF8 {
				t.Errorf("got %v: %v", got, err)
			}
			if err == nil {
				return
			}
			if !strings.HasSuffix(err.Error(), "use one whose part before the @ is ASCII, or a mail server that offers SMTPUTF8") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			if ib.Commands("MAIL") != 0 {
				t.Error("MAIL was sent anyway")
			}
		})
	}
}
