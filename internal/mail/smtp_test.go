// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/mail"
)

func startInbox(t *testing.T, opts inbox.Options) *inbox.Inbox {
	t.Helper()
	ib, err := inbox.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ib.Close() })
	return ib
}

func sender(t *testing.T, ib *inbox.Inbox, change func(*mail.Config)) *mail.SMTP {
	t.Helper()
	server, err := mail.ParseURL(ib.SMTPURL())
	if err != nil {
		t.Fatal(err)
	}
	cfg := mail.Config{Server: server}
	if change != nil {
		change(&cfg)
	}
	s := mail.NewSMTP(cfg)
	t.Cleanup(s.Close)
	return s
}

func mustSend(t *testing.T, s *mail.SMTP, m mail.Message) {
	t.Helper()
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// outcome is what a caller can tell from the error of Send.
type outcome struct {
	Class, Command string
	Code           int
}

func outcomeOf(t *testing.T, err error) outcome {
	t.Helper()
	var (
		invalid   *mail.InvalidError
		refused   *mail.RefusedError
		temporary *mail.TemporaryError
		unknown   *mail.UnknownError
	)
	switch {
	case err == nil:
		return outcome{Class: "delivered"}
	case errors.As(err, &invalid):
		return outcome{Class: "invalid"}
	case errors.As(err, &refused):
		return outcome{"refused", refused.Command, refused.Code}
	case errors.As(err, &temporary):
		return outcome{Class: "temporary", Code: temporary.Code}
	case errors.As(err, &unknown):
		return outcome{Class: "unknown"}
	}
	t.Fatalf("an error of no class: %T %v", err, err)
	return outcome{}
}

func temporary(code int) outcome { return outcome{Class: "temporary", Code: code} }

func refused(command string, code int) outcome { return outcome{"refused", command, code} }

func TestSendDeliversTheVeryBytes(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	m := aMessage()
	mustSend(t, sender(t, ib, nil), m)
	raw, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got := ib.Messages()
	if len(got) != 1 {
		t.Fatalf("%d messages came, want 1", len(got))
	}
	if diff := cmp.Diff(string(raw), string(got[0].Raw)); diff != "" {
		t.Errorf("bytes (-sent +got):\n%s", diff)
	}
	if got[0].EnvelopeFrom != m.From.Address || !cmp.Equal(got[0].To, []string{m.To.Address}) {
		t.Errorf("envelope from %s to %s", got[0].EnvelopeFrom, got[0].To)
	}
}

func TestSendOutcome(t *testing.T) {
	t.Parallel()
	drop := inbox.Fault{Drop: true}
	for name, c := range map[string]struct {
		stage inbox.Stage
		fault inbox.Fault
		want  outcome
		taken int
	}{
		"a busy greeting is temporary":               {inbox.Greeting, inbox.Fault{Code: 421}, temporary(421), 0},
		"a server that wants nobody is temporary":    {inbox.Greeting, inbox.Fault{Code: 554}, temporary(554), 0},
		"a drop instead of a greeting is temporary":  {inbox.Greeting, drop, temporary(0), 0},
		"a greeting of no SMTP is temporary":         {inbox.Greeting, inbox.Fault{Code: 7}, temporary(0), 0},
		"4xx to EHLO is temporary":                   {inbox.Hello, inbox.Fault{Code: 421}, temporary(421), 0},
		"5xx to EHLO is not about the message":       {inbox.Hello, inbox.Fault{Code: 550}, temporary(550), 0},
		"a drop at EHLO is temporary":                {inbox.Hello, drop, temporary(0), 0},
		"4xx to MAIL is temporary":                   {inbox.Mail, inbox.Fault{Code: 451}, temporary(451), 0},
		"5xx to MAIL refuses the sender":             {inbox.Mail, inbox.Fault{Code: 553}, refused("MAIL FROM", 553), 0},
		"530 to MAIL is about signing in":            {inbox.Mail, inbox.Fault{Code: 530}, temporary(530), 0},
		"a drop at MAIL is temporary":                {inbox.Mail, drop, temporary(0), 0},
		"4xx to RCPT (greylisting) is temporary":     {inbox.Rcpt, inbox.Fault{Code: 450}, temporary(450), 0},
		"5xx to RCPT refuses the recipient":          {inbox.Rcpt, inbox.Fault{Code: 550}, refused("RCPT TO", 550), 0},
		"a drop at RCPT is temporary":                {inbox.Rcpt, drop, temporary(0), 0},
		"4xx to DATA is temporary":                   {inbox.Data, inbox.Fault{Code: 451}, temporary(451), 0},
		"5xx to DATA refuses":                        {inbox.Data, inbox.Fault{Code: 554}, refused("DATA", 554), 0},
		"a drop at DATA is temporary":                {inbox.Data, drop, temporary(0), 0},
		"4xx to the dot is temporary":                {inbox.Body, inbox.Fault{Code: 452}, temporary(452), 0},
		"5xx to the dot refuses the content":         {inbox.Body, inbox.Fault{Code: 554}, refused("message", 554), 0},
		"a drop after the dot is unknown":            {inbox.Body, drop, outcome{Class: "unknown"}, 0},
		"a drop after the server took it is unknown": {inbox.Body, inbox.Fault{Drop: true, Accept: true}, outcome{Class: "unknown"}, 1},
		"a reply of no sense to the dot is unknown":  {inbox.Body, inbox.Fault{Code: 354, Accept: true}, outcome{Class: "unknown"}, 1},
		"another 2xx to the dot is delivered":        {inbox.Body, inbox.Fault{Code: 251, Accept: true}, outcome{Class: "delivered"}, 1},
		"RSET failing after the 250 is delivered":    {inbox.Reset, inbox.Fault{Code: 500}, outcome{Class: "delivered"}, 1},
		"RSET dropping after the 250 is delivered":   {inbox.Reset, drop, outcome{Class: "delivered"}, 1},
		"QUIT failing after the 250 is delivered":    {inbox.Quit, inbox.Fault{Code: 500}, outcome{Class: "delivered"}, 1},
		"QUIT dropping after the 250 is delivered":   {inbox.Quit, drop, outcome{Class: "delivered"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, inbox.Options{})
			s := sender(t, ib, nil)
			ib.FailAt(c.stage, c.fault)
			err := s.Send(t.Context(), aMessage())
			if diff := cmp.Diff(c.want, outcomeOf(t, err)); diff != "" {
				t.Errorf("outcome (-want +got): %v\n%s", err, diff)
			}
			if got := len(ib.Messages()); got != c.taken {
				t.Errorf("the server has %d messages, want %d", got, c.taken)
			}
			// Whatever it was, the sender works on.
			ib.SetFault(nil)
			mustSend(t, s, aMessage())
			if got := len(ib.Messages()); got != c.taken+1 {
				t.Errorf("the server has %d messages after another send, want %d", got, c.taken+1)
			}
			ib.FailAt(c.stage, c.fault)
			s.Close()
		})
	}
}

func TestSendGivesUpOnSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stage inbox.Stage
		fault inbox.Fault
		want  outcome
	}{
		"no greeting":                   {inbox.Greeting, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to MAIL":              {inbox.Mail, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to RCPT":              {inbox.Rcpt, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to DATA":              {inbox.Data, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to the dot":           {inbox.Body, inbox.Fault{Hang: true}, outcome{Class: "unknown"}},
		"no reply to the dot, but took": {inbox.Body, inbox.Fault{Hang: true, Accept: true}, outcome{Class: "unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for cause, send := range map[error]func(*testing.T, inbox.Stage, inbox.Fault) error{
				context.DeadlineExceeded: sendUntilTimeout, context.Canceled: sendUntilCalledOff,
			} {
				err := send(t, c.stage, c.fault)
				if diff := cmp.Diff(c.want, outcomeOf(t, err)); diff != "" {
					t.Errorf("%v (-want +got): %v\n%s", cause, err, diff)
				}
				if !errors.Is(err, cause) {
					t.Errorf("%v does not wrap %v", err, cause)
				}
			}
		})
	}
}

func sendUntilTimeout(t *testing.T, stage inbox.Stage, fault inbox.Fault) error {
	t.Helper()
	ib := startInbox(t, inbox.Options{})
	ib.FailAt(stage, fault)
	const short = 100 * time.Millisecond
	s := sender(t, ib, func(cfg *mail.Config) {
		// Only the one that is meant to run out: a busy machine must not make the other do so.
		if stage == inbox.Body {
			cfg.ReplyTimeout = short
		} else {
			cfg.DialogTimeout = short
		}
	})
	return s.Send(t.Context(), aMessage())
}

func sendUntilCalledOff(t *testing.T, stage inbox.Stage, fault inbox.Fault) error {
	t.Helper()
	ib := startInbox(t, inbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ib.SetFault(func(s inbox.Stage, _ int) inbox.Fault {
		if s != stage {
			return inbox.Fault{}
		}
		cancel()
		return fault
	})
	return sender(t, ib, nil).Send(ctx, aMessage())
}

func TestSendIsBoundByItsDeadline(t *testing.T) {
	t.Parallel()
	if mail.SendDeadline != mail.DialogTimeout+mail.ReplyTimeout || mail.ReplyTimeout < 10*time.Minute {
		t.Errorf("the deadline is %v", mail.SendDeadline)
	}
}

func TestSendAfterItsContextEnded(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	mustSend(t, s, aMessage())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := outcomeOf(t, s.Send(ctx, aMessage())); got != temporary(0) {
		t.Errorf("got %v", got)
	}
	if n := len(ib.Messages()); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestSendRefusesInjection(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	for _, address := range []string{
		"ada@example.org>\r\nRCPT TO:<eve@example.org", "ada@example.org\nDATA", "ada@example.org> NOTIFY=SUCCESS",
		"<ada@example.org>", "@relay:ada@example.org", "ada@example.org, eve@example.org", "ada\x00@example.org",
	} {
		to, from := aMessage(), aMessage()
		to.To.Address, from.From.Address = address, address
		for _, m := range []mail.Message{to, from} {
			if got := outcomeOf(t, s.Send(t.Context(), m)); got.Class != "invalid" {
				t.Errorf("%q: got %v", address, got)
			}
		}
	}
	if n := ib.Connections(); n != 0 {
		t.Errorf("%d connections for messages that cannot be sent", n)
	}
}

func TestSendToAnAddressThatIsNotASCII(t *testing.T) {
	t.Parallel()
	m := aMessage()
	m.To.Address = "åda@bücher.example"
	old := startInbox(t, inbox.Options{})
	if got := outcomeOf(t, sender(t, old, nil).Send(t.Context(), m)); got != refused("RCPT TO", 553) {
		t.Errorf("without SMTPUTF8: got %v", got)
	}
	modern := startInbox(t, inbox.Options{SMTPUTF8: true})
	mustSend(t, sender(t, modern, nil), m)
	if got := modern.For("åda@xn--bcher-kva.example"); len(got) != 1 || !got[0].SMTPUTF8 {
		t.Errorf("with SMTPUTF8: %v", modern.Messages())
	}
	mustSend(t, sender(t, modern, nil), aMessage())
	if got := modern.For("ada@example.org"); len(got) != 1 || got[0].SMTPUTF8 {
		t.Errorf("SMTPUTF8 without need: %v", got)
	}
	m.To.Address = "ada@bücher.example"
	mustSend(t, sender(t, old, nil), m)
	if got := old.For("ada@xn--bcher-kva.example"); len(got) != 1 {
		t.Errorf("a domain alone needs no SMTPUTF8: %v", old.Messages())
	}
}

func TestErrorsHoldNothingOfTheMessage(t *testing.T) {
	t.Parallel()
	m := aMessage()
	link := strings.Fields(m.Text)[1]
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, nil)
	for _, stage := range []inbox.Stage{inbox.Mail, inbox.Rcpt, inbox.Data, inbox.Body} {
		for _, code := range []int{451, 554} {
			ib.FailAt(stage, inbox.Fault{Code: code, Text: "blocked\x07 URL (" + link + "), see\nhttps://help.example/" + strings.Repeat("x", 300)})
			err := s.Send(t.Context(), m)
			text := fmt.Sprintf("%v %+v", err, err)
			if err == nil || strings.Contains(text, "c2VjcmV0") || strings.ContainsAny(text, "\x07\n") || len([]rune(err.Error())) > 300 {
				t.Errorf("%s %d: %q", stage, code, text)
			}
			if !strings.Contains(text, "blocked URL") {
				t.Errorf("%s %d: the server's own words are missing: %q", stage, code, text)
			}
		}
	}
}

func TestErrorsAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	for _, stage := range []inbox.Stage{inbox.Greeting, inbox.Mail, inbox.Body} {
		ib.FailAt(stage, inbox.Fault{Drop: true})
		first := sender(t, ib, nil).Send(t.Context(), aMessage())
		again := sender(t, ib, nil).Send(t.Context(), aMessage())
		if diff := cmp.Diff(first.Error(), again.Error()); diff != "" {
			t.Errorf("%s: %s", stage, diff)
		}
	}
	s := sender(t, ib, nil)
	_ = ib.Close()
	if err := s.Send(t.Context(), aMessage()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("no server: %v", err)
	}
}
