// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/wording/input"
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

func sender(t *testing.T, ib *inbox.Inbox, change func(*email.Config)) *email.SMTP {
	t.Helper()
	server, err := email.ParseURL(ib.SMTPURL())
	if err != nil {
		t.Fatal(err)
	}
	cfg := email.Config{Server: server}
	if change != nil {
		change(&cfg)
	}
	s := email.NewSMTP(cfg)
	t.Cleanup(s.Close)
	return s
}

func mustSend(t *testing.T, s *email.SMTP, m email.Message) {
	t.Helper()
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// outcome holds what a caller can learn from the error of Send.
type outcome struct {
	Class, Command string
	Code           int
}

func outcomeOf(t *testing.T, err error) outcome {
	t.Helper()
	var (
		invalid   *input.InvalidError
		refused   *email.RefusedError
		temporary *email.TemporaryError
		unknown   *email.UnknownError
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
	t.Fatalf("an error of an unknown class: %T %v", err, err)
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
		t.Fatalf("%d messages arrived, want 1", len(got))
	}
	if diff := cmp.Diff(string(raw), string(got[0].Raw)); diff != "" {
		t.Errorf("bytes (-sent +got):\n%s", diff)
	}
	if got[0].EnvelopeFrom != m.From.Address || !cmp.Equal(got[0].To, []string{m.To.Address}) {
		t.Errorf("envelope from %s to %s", got[0].EnvelopeFrom, got[0].To)
	}
}

func TestSendGivesUpOnSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stage inbox.Stage
		fault inbox.Fault
		want  outcome
	}{
		"no greeting":         {inbox.Greeting, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to MAIL":    {inbox.Mail, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to RCPT":    {inbox.Rcpt, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to DATA":    {inbox.Data, inbox.Fault{Hang: true}, temporary(0)},
		"no reply to the dot": {inbox.Body, inbox.Fault{Hang: true}, outcome{Class: "unknown"}},
		"no reply to the dot, but the message was taken": {inbox.Body, inbox.Fault{Hang: true, Accept: true}, outcome{Class: "unknown"}},
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
	s := sender(t, ib, func(cfg *email.Config) {
		// Shorten only the timeout that must run out: on a busy machine the other one must not run out
		// first.
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
	if email.SendDeadline != email.DialogTimeout+email.ReplyTimeout || email.ReplyTimeout < 10*time.Minute {
		t.Errorf("the deadline is %v", email.SendDeadline)
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
		for _, m := range []email.Message{to, from} {
			if got := outcomeOf(t, s.Send(t.Context(), m)); got.Class != "invalid" {
				t.Errorf("%q: got %v", address, got)
			}
		}
	}
	if n := ib.Connections(); n != 0 {
		t.Errorf("%d connections for messages that cannot be sent", n)
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
