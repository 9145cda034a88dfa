// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox_test

import (
	"fmt"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usher-dev/usher/hack/inbox"
)

var now = time.Date(2026, 11, 21, 18, 10, 0, 0, time.UTC)

func start(t *testing.T, opts inbox.Options) *inbox.Inbox {
	t.Helper()
	opts.Now = func() time.Time { return now }
	ib, err := inbox.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ib.Close() })
	return ib
}

func send(t *testing.T, ib *inbox.Inbox, to, mail string) error {
	t.Helper()
	host := strings.TrimPrefix(ib.SMTPURL(), "smtp+plaintext://")
	return smtp.SendMail(host, nil, "usher@example.org", []string{to}, []byte(strings.ReplaceAll(mail, "\n", "\r\n")))
}

func mustSend(t *testing.T, ib *inbox.Inbox, to, mail string) {
	t.Helper()
	if err := send(t, ib, to, mail); err != nil {
		t.Fatal(err)
	}
}

const invitation = `Message-ID: <1@usher.example.org>
From: Usher <usher@example.org>
To: ada@example.org
Subject: =?UTF-8?q?Einladung_f=C3=BCr_<b>Ada</b>?=
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

Open https://usher.example.org/invitation/a=3Db#to=
ken. Or https://other.example
.
<script>alert(1)</script>
--b
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: base64

PGh0bWw+PGhlYWQ+PC9oZWFkPjxib2R5PjxwPkhlbGxvPC9wPjwvYm9keT48L2h0bWw+
--b--
`

func TestInboxKeepsWhatItTook(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	mustSend(t, ib, "Ada@example.org", invitation)
	mustSend(t, ib, "eve@example.org", "no mail at all")
	want := []inbox.Message{{
		Number: 1, ID: "1@usher.example.org", EnvelopeFrom: "usher@example.org", To: []string{"Ada@example.org"},
		From: "Usher <usher@example.org>", Subject: "Einladung für <b>Ada</b>", Received: now,
		Text: "Open https://usher.example.org/invitation/a=b#token. Or https://other.example\n.\n<script>alert(1)</script>",
		HTML: "<html><head></head><body><p>Hello</p></body></html>",
		Raw:  []byte(strings.ReplaceAll(invitation, "\n", "\r\n")),
	}}
	if diff := cmp.Diff(want, ib.For("ada@EXAMPLE.org"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the mail (-want +got):\n%s", diff)
	}
	if got := ib.Link("ada@example.org"); got != "https://usher.example.org/invitation/a=b#token" {
		t.Errorf("link %q", got)
	}
	if got := ib.Link("unknown@example.org") + ib.Link("eve@example.org"); got != "" {
		t.Errorf("unexpected link: %q", got)
	}
	if n := len(ib.Messages()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestInboxLinkIsFromTheNewestInvitation(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	for i := range 3 {
		mustSend(t, ib, "ada@example.org", fmt.Sprintf("Subject: %d\n\nhttp://a.example/invitation/%d\n", i, i))
	}
	mustSend(t, ib, "ada@example.org", "Subject: Welcome\n\nhttp://a.example/\n")
	if got := ib.Link("ada@example.org"); got != "http://a.example/invitation/2" {
		t.Errorf("link %q", got)
	}
}

func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	c, err := smtp.Dial(strings.TrimPrefix(ib.SMTPURL(), "smtp+plaintext://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for i := range inbox.Limit + 5 {
		if err := sendOn(c, fmt.Sprintf("Subject: %d\r\n\r\n", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	got := ib.Messages()
	if len(got) != inbox.Limit || got[0].Number != 6 || got[0].Subject != "6" || got[inbox.Limit-1].Number != inbox.Limit+5 {
		t.Errorf("%d messages from %d", len(got), got[0].Number)
	}
}

func sendOn(c *smtp.Client, mail string) error {
	if err := c.Mail("usher@example.org"); err != nil {
		return err
	}
	if err := c.Rcpt("ada@example.org"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(mail)); err != nil {
		return err
	}
	return w.Close()
}

func TestInboxFailsOnceWhereAsked(t *testing.T) {
	t.Parallel()
	for _, stage := range []inbox.Stage{inbox.Mail, inbox.Rcpt, inbox.Data, inbox.Body} {
		for name, fault := range map[string]inbox.Fault{"a code": {Code: 450, Text: "later"}, "a drop": {Drop: true}} {
			t.Run(string(stage)+" "+name, func(t *testing.T) {
				t.Parallel()
				ib := start(t, inbox.Options{})
				mustSend(t, ib, "ada@example.org", "Subject: 1\n\n")
				ib.FailOnce(stage, fault)
				if err := send(t, ib, "ada@example.org", "Subject: 2\n\n"); err == nil {
					t.Error("the send did not fail")
				}
				mustSend(t, ib, "ada@example.org", "Subject: 3\n\n")
				if n := len(ib.Messages()); n != 2 {
					t.Errorf("%d messages, want 2", n)
				}
			})
		}
	}
}

func TestInboxAnswersTheNextCommandAfterARefusedDATA(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	c, err := smtp.Dial(strings.TrimPrefix(ib.SMTPURL(), "smtp+plaintext://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ib.FailOnce(inbox.Data, inbox.Fault{Code: 451})
	if err := sendOn(c, "Subject: 1\r\n\r\n"); err == nil {
		t.Error("DATA was not refused")
	}
	if err := c.Reset(); err != nil {
		t.Errorf("RSET: %v", err)
	}
	if err := sendOn(c, "Subject: 2\r\n\r\n"); err != nil {
		t.Errorf("send the next mail: %v", err)
	}
	if got := ib.Messages(); len(got) != 1 || got[0].Subject != "2" {
		t.Errorf("messages: %v", got)
	}
}

func dial(t *testing.T, ib *inbox.Inbox) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(strings.TrimPrefix(ib.SMTPURL(), "smtp+plaintext://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestInboxCutsTheConnectionAfterItsReply(t *testing.T) {
	t.Parallel()
	for stage, do := range map[inbox.Stage]func(*smtp.Client) error{
		inbox.Hello: func(c *smtp.Client) error { return c.Hello("localhost") },
		inbox.Mail:  func(c *smtp.Client) error { return c.Mail("usher@example.org") },
		inbox.Body:  func(c *smtp.Client) error { return sendOn(c, "Subject: 1\r\n\r\n") },
		inbox.Reset: (*smtp.Client).Reset,
	} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			ib := start(t, inbox.Options{})
			ib.FailOnce(stage, inbox.Fault{Cut: true})
			c := dial(t, ib)
			if err := do(c); err != nil {
				t.Errorf("no reply: %v", err)
			}
			if err := c.Noop(); err == nil {
				t.Error("the connection still works")
			}
			if n := len(ib.Messages()); stage == inbox.Body && n != 1 {
				t.Errorf("%d messages, want 1", n)
			}
		})
	}
}

func TestInboxHoldsItsReplyBack(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{})
	hold, reached := make(chan struct{}), make(chan struct{})
	ib.SetFault(func(s inbox.Stage, _ int) inbox.Fault {
		if s != inbox.Reset {
			return inbox.Fault{}
		}
		close(reached)
		return inbox.Fault{Hold: hold}
	})
	c, replied := dial(t, ib), make(chan error, 1)
	go func() { replied <- c.Reset() }()
	<-reached
	select {
	case err := <-replied:
		t.Errorf("the reply came too early: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(hold)
	if err := <-replied; err != nil {
		t.Errorf("RSET: %v", err)
	}
}

func TestStartSaysWhichPortIsTaken(t *testing.T) {
	t.Parallel()
	ib := start(t, inbox.Options{WebAddress: "127.0.0.1:0"})
	for _, url := range []string{ib.SMTPURL(), ib.WebURL()} {
		_, address, _ := strings.Cut(strings.TrimSuffix(url, "/"), "://")
		_, port, _ := strings.Cut(address, ":")
		for _, opts := range []inbox.Options{{SMTPAddress: address}, {WebAddress: address}} {
			_, err := inbox.Start(opts)
			if err == nil || !strings.HasPrefix(err.Error(), "port "+port+" is used by another program: ") {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestStartRefusesOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	for _, opts := range []inbox.Options{{ImplicitTLS: true}, {User: "usher"}, {SMTPAddress: "nowhere"}} {
		if ib, err := inbox.Start(opts); err == nil {
			_ = ib.Close()
			t.Errorf("%+v was accepted", opts)
		}
	}
}
