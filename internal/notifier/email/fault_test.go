// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
)

var (
	drop     = inbox.Fault{Drop: true}
	cutAfter = inbox.Fault{Cut: true}
	lost     = inbox.Fault{Drop: true, Accept: true} // the server has the message, but its 250 is lost

	delivered = outcome{Class: "delivered"}
	unknown   = outcome{Class: "unknown"}
)

func code(c int) inbox.Fault { return inbox.Fault{Code: c} }

// faultCase is one fault and everything that it can lead to. After a temporary or an unknown outcome,
// the test sends the message again, as the operator does. By then the fault is over.
type faultCase struct {
	stage inbox.Stage
	fault inbox.Fault
	want  outcome
	// copies is how many copies of the message the server has in the end.
	copies int
	// connections is how many connections the test needs in total.
	connections int
}

// faults affect the first message over a new connection.
var faults = map[string]faultCase{
	"a busy greeting is temporary":                  {inbox.Greeting, code(421), temporary(421), 1, 2},
	"a server that accepts no clients is temporary": {inbox.Greeting, code(554), temporary(554), 1, 2},
	"a greeting that is not SMTP is temporary":      {inbox.Greeting, code(7), temporary(0), 1, 2},
	"a cut instead of a greeting is temporary":      {inbox.Greeting, drop, temporary(0), 1, 2},
	"a cut after the greeting is temporary":         {inbox.Greeting, cutAfter, temporary(0), 1, 2},

	"4xx to EHLO is temporary":             {inbox.Hello, code(421), temporary(421), 1, 2},
	"5xx to EHLO is not about the message": {inbox.Hello, code(550), temporary(550), 1, 2},
	"a cut at EHLO is temporary":           {inbox.Hello, drop, temporary(0), 1, 2},
	"a cut after EHLO is temporary":        {inbox.Hello, cutAfter, temporary(0), 1, 2},

	"4xx to MAIL is temporary":         {inbox.Mail, code(451), temporary(451), 1, 1},
	"421 to MAIL is temporary":         {inbox.Mail, code(421), temporary(421), 1, 2},
	"5xx to MAIL refuses the sender":   {inbox.Mail, code(553), refused("MAIL FROM", 553), 0, 1},
	"530 to MAIL is about the sign-in": {inbox.Mail, code(530), temporary(530), 1, 1},
	"a cut at MAIL is temporary":       {inbox.Mail, drop, temporary(0), 1, 2},
	"a cut after MAIL is temporary":    {inbox.Mail, cutAfter, temporary(0), 1, 2},

	"451 to RCPT, greylisting, is temporary": {inbox.Rcpt, code(451), temporary(451), 1, 1},
	"5xx to RCPT refuses the recipient":      {inbox.Rcpt, code(550), refused("RCPT TO", 550), 0, 1},
	"a cut at RCPT is temporary":             {inbox.Rcpt, drop, temporary(0), 1, 2},
	"a cut after RCPT is temporary":          {inbox.Rcpt, cutAfter, temporary(0), 1, 2},

	"4xx to DATA is temporary":   {inbox.Data, code(451), temporary(451), 1, 1},
	"5xx to DATA refuses":        {inbox.Data, code(554), refused("DATA", 554), 0, 1},
	"a cut at DATA is temporary": {inbox.Data, drop, temporary(0), 1, 2},

	"4xx to the dot is temporary":                          {inbox.Body, code(452), temporary(452), 1, 1},
	"421 to the dot is temporary":                          {inbox.Body, code(421), temporary(421), 1, 2},
	"5xx to the dot refuses the content":                   {inbox.Body, code(554), refused("message", 554), 0, 1},
	"a cut before the 250 is unknown":                      {inbox.Body, drop, unknown, 1, 2},
	"a lost 250 is unknown, and causes a duplicate":        {inbox.Body, lost, unknown, 2, 2},
	"a senseless reply is unknown, and causes a duplicate": {inbox.Body, inbox.Fault{Code: 354, Accept: true}, unknown, 2, 2},
	"another 2xx to the dot is delivered":                  {inbox.Body, inbox.Fault{Code: 251, Accept: true}, delivered, 1, 1},
	"a cut after the 250 is delivered":                     {inbox.Body, cutAfter, delivered, 1, 1},
	"a failed QUIT after the 250 is delivered":             {inbox.Quit, code(500), delivered, 1, 1},
	"a cut at QUIT after the 250 is delivered":             {inbox.Quit, drop, delivered, 1, 1},
	"no reply to QUIT after the 250 is delivered":          {inbox.Quit, inbox.Fault{Hang: true}, delivered, 1, 1},
}

// keptFaults affect the second message, over a connection that was kept after the first.
var keptFaults = map[string]faultCase{
	"one that was cut is replaced":                              {inbox.Reset, drop, delivered, 1, 2},
	"one that refuses RSET is replaced":                         {inbox.Reset, code(500), delivered, 1, 2},
	"one with 421 to RSET is replaced":                          {inbox.Reset, code(421), delivered, 1, 2},
	"one that is cut after RSET is replaced":                    {inbox.Reset, cutAfter, delivered, 1, 2},
	"one with 421 to MAIL is replaced":                          {inbox.Mail, code(421), delivered, 1, 2},
	"one that is cut at MAIL is replaced":                       {inbox.Mail, drop, delivered, 1, 2},
	"one with another 4xx to MAIL is kept":                      {inbox.Mail, code(451), temporary(451), 1, 1},
	"one with a refused sender is kept":                         {inbox.Mail, code(553), refused("MAIL FROM", 553), 0, 1},
	"one with 421 to RCPT is temporary":                         {inbox.Rcpt, code(421), temporary(421), 1, 2},
	"one with a refused recipient is kept":                      {inbox.Rcpt, code(550), refused("RCPT TO", 550), 0, 1},
	"one that is cut at RCPT is temporary":                      {inbox.Rcpt, drop, temporary(0), 1, 2},
	"one with refused DATA is kept":                             {inbox.Data, code(554), refused("DATA", 554), 0, 1},
	"one that is cut at DATA is temporary":                      {inbox.Data, drop, temporary(0), 1, 2},
	"one with refused content is kept":                          {inbox.Body, code(554), refused("message", 554), 0, 1},
	"one that loses the 250 is unknown, and causes a duplicate": {inbox.Body, lost, unknown, 2, 2},
}

// TestFaults runs each fault in the clear. If the inbox can also fail within TLS, it runs the fault
// there too.
func TestFaults(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	config := ca.certify(t, nil)
	withinTLS := []inbox.Stage{inbox.Mail, inbox.Rcpt, inbox.Body}
	run := func(name string, kept bool, c faultCase) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, inbox.Options{}, ca.file, kept)
		})
		if !slices.Contains(withinTLS, c.stage) {
			return
		}
		t.Run(name+", in TLS", func(t *testing.T) {
			t.Parallel()
			c.run(t, inbox.Options{TLS: config}, ca.file, kept)
		})
	}
	for name, c := range faults {
		run(name, false, c)
	}
	for name, c := range keptFaults {
		run("with a kept connection, "+name, true, c)
	}
}

func (c faultCase) run(t *testing.T, opts inbox.Options, caFile string, kept bool) {
	t.Helper()
	ib := startInbox(t, opts)
	s := sender(t, ib, func(cfg *email.Config) {
		trust(t, caFile)(cfg)
		cfg.DKIM = aDKIM(t)
	})
	before, m, after := aMessage(), aMessage(), aMessage()
	before.ID, after.ID = "before@usher.example.org", "after@usher.example.org"
	if kept {
		mustSend(t, s, before)
		// FailOnce, because the connection that replaces this one must work.
		ib.FailOnce(c.stage, c.fault)
	} else {
		ib.FailAt(c.stage, c.fault)
	}
	err := s.Send(t.Context(), m)
	if diff := gocmp.Diff(c.want, outcomeOf(t, err)); diff != "" {
		t.Errorf("outcome (-want +got): %v\n%s", err, diff)
	}
	if c.want.Class == temporary(0).Class || c.want == unknown {
		ib.SetFault(nil)
		mustSend(t, s, m)
	}
	if n := ib.Connections(); n != c.connections {
		t.Errorf("%d connections, want %d", n, c.connections)
	}
	s.Close() // while QUIT still fails
	ib.SetFault(nil)
	mustSend(t, s, after)
	if got := len(copiesOf(t, ib, after)); got != 1 {
		t.Errorf("the message after it came %d times, want once", got)
	}
	if got := len(copiesOf(t, ib, m)); got != c.copies {
		t.Errorf("the server has %d copies, want %d", got, c.copies)
	}
	if kept && len(copiesOf(t, ib, before)) != 1 {
		t.Error("the message before it did not arrive exactly once")
	}
}

// address is the host and port of an inbox.
func address(ib *inbox.Inbox) string {
	url := ib.SMTPURL()
	return url[strings.LastIndexAny(url, "/@")+1:]
}

// copiesOf returns the bytes of each copy of m. It checks that all copies are identical and contain m.
func copiesOf(t *testing.T, ib *inbox.Inbox, m email.Message) [][]byte {
	t.Helper()
	unsigned, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var copies [][]byte
	for _, got := range ib.Messages() {
		if got.ID != m.ID {
			continue
		}
		copies = append(copies, got.Raw)
		if diff := gocmp.Diff(string(copies[0]), string(got.Raw)); diff != "" {
			t.Errorf("two copies differ (-first +other):\n%s", diff)
		}
		signature, found := bytes.CutSuffix(got.Raw, unsigned)
		if !found || !bytes.HasPrefix(signature, []byte("DKIM-Signature: ")) {
			t.Errorf("the server has other bytes than Send sent:\n%s", got.Raw)
		}
	}
	return copies
}

// TestSendWaitsForASlow250 sends the reply long after the time for the rest of the dialogue is over.
func TestSendWaitsForASlow250(t *testing.T) {
	t.Parallel()
	const dialog = 500 * time.Millisecond
	ib := startInbox(t, inbox.Options{})
	ib.SetFault(func(stage inbox.Stage, _ int) inbox.Fault {
		if stage != inbox.Body {
			return inbox.Fault{}
		}
		late := make(chan struct{})
		time.AfterFunc(dialog+100*time.Millisecond, func() { close(late) })
		return inbox.Fault{Hold: late}
	})
	s := sender(t, ib, func(cfg *email.Config) { cfg.DialogTimeout = dialog })
	mustSend(t, s, aMessage())
	ib.SetFault(nil)
	mustSend(t, s, aMessage())
	if n, c := len(ib.Messages()), ib.Connections(); n != 2 || c != 1 {
		t.Errorf("%d messages over %d connections, want 2 over 1", n, c)
	}
}

// TestSendAfterA250ThatCameTooLate sends the reply after Send gave up. The server has the message, and
// receives it again.
func TestSendAfterA250ThatCameTooLate(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, func(cfg *email.Config) {
		cfg.ReplyTimeout = 50 * time.Millisecond
		cfg.DKIM = aDKIM(t)
	})
	late := make(chan struct{})
	ib.FailOnce(inbox.Body, inbox.Fault{Hold: late})
	if got := outcomeOf(t, s.Send(t.Context(), aMessage())); got != unknown {
		t.Errorf("got %v", got)
	}
	close(late)
	again := sender(t, ib, func(cfg *email.Config) { cfg.DKIM = aDKIM(t) })
	mustSend(t, again, aMessage())
	if n := len(copiesOf(t, ib, aMessage())); n != 2 {
		t.Errorf("%d copies, want 2", n)
	}
}

// unfitCase is a server that clients cannot or must not talk to until it is repaired.
type unfitCase struct {
	down  bool
	tls   *tls.Config // the server's TLS configuration; nil means no TLS
	stage inbox.Stage
	fault inbox.Fault
	code  int
	says  string
	// saysTLS replaces says if TLS should begin with the first byte.
	saysTLS string
}

// The cases are not parallel, so that no other test takes the address in between.
func TestFaultsBeforeTheDialogue(t *testing.T) {
	ca := newAuthority(t)
	good := ca.certify(t, nil)
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	expired := ca.certify(t, func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Hour) })
	otherHost := ca.certify(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} })
	for name, c := range map[string]unfitCase{
		"that is down":                   {down: true, says: "cannot be reached: connection refused"},
		"without TLS":                    {says: "does not offer STARTTLS", saysTLS: "does not speak TLS on this port"},
		"that is not ready for STARTTLS": {tls: good, stage: inbox.StartTLS, fault: code(454), code: 454, says: "STARTTLS with: 454"},
		"that cuts at STARTTLS":          {tls: good, stage: inbox.StartTLS, fault: drop, says: "it closed the connection"},
		"that cuts the handshake":        {tls: good, stage: inbox.StartTLS, fault: cutAfter, says: "TLS with the mail server failed: it closed"},
		"with an untrusted authority":    {tls: newAuthority(t).certify(t, nil), says: "signed by an authority that is not trusted"},
		"whose certificate has expired":  {tls: expired, says: "its certificate has expired"},
		"with the name of another host":  {tls: otherHost, says: "for another host name"},
		"that supports only old TLS":     {tls: old, says: "TLS with the mail server failed"},
	} {
		t.Run("a server "+name+", STARTTLS", func(t *testing.T) { c.run(t, email.STARTTLS, good, ca.file) })
		if c.stage == inbox.StartTLS {
			continue
		}
		t.Run("a server "+name+", TLS", func(t *testing.T) {
			c.says = cmp.Or(c.saysTLS, c.says)
			c.run(t, email.TLS, good, ca.file)
		})
	}
}

func (c unfitCase) run(t *testing.T, security email.Security, good *tls.Config, caFile string) {
	t.Helper()
	implicit := security == email.TLS
	unfit := startInbox(t, inbox.Options{TLS: c.tls, ImplicitTLS: implicit && c.tls != nil})
	unfit.FailAt(c.stage, c.fault)
	if c.down {
		_ = unfit.Close()
	}
	s := sender(t, unfit, func(cfg *email.Config) {
		trust(t, caFile)(cfg)
		cfg.DKIM = aDKIM(t)
		cfg.Server.User, cfg.Server.Security = "usher", security
	})
	err := s.Send(t.Context(), aMessage())
	if got := outcomeOf(t, err); got != temporary(c.code) || !strings.Contains(err.Error(), c.says) {
		t.Errorf("got %v: %v; want %v that says %q", got, err, temporary(c.code), c.says)
	}
	for _, verb := range []string{"AUTH", "MAIL", "RCPT", "DATA"} {
		if unfit.Commands(verb) != 0 {
			t.Errorf("%s was sent in the clear", verb)
		}
	}
	if n := len(unfit.Messages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	_ = unfit.Close()
	repaired := startInbox(t, inbox.Options{
		SMTPAddress: address(unfit), TLS: good, ImplicitTLS: implicit, User: "usher", Password: password,
	})
	mustSend(t, s, aMessage())
	if n := len(copiesOf(t, repaired, aMessage())); n != 1 {
		t.Errorf("the repaired server has %d copies, want 1", n)
	}
}
