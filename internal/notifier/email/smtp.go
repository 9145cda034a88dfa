// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/textproto"
	"slices"
	"sync"
	"time"

	"github.com/usher-dev/usher/internal/quote"
)

const (
	// DialogTimeout bounds everything up to the final dot: connecting, TLS, sign-in, the envelope and
	// the message. RFC 5321 (section 4.5.3.2) would allow minutes for each command; a server that is
	// that slow is better tried again later, which is safe before the final dot.
	DialogTimeout = time.Minute
	// ReplyTimeout bounds the wait for the reply to the final dot. RFC 5321 (section 4.5.3.2.6) asks
	// for ten minutes, because giving up early is what makes doubles.
	ReplyTimeout = 10 * time.Minute
	// SendDeadline is the longest that one Send can take with the default timeouts. A claim that is
	// older than this belongs to nobody who is still sending.
	SendDeadline = DialogTimeout + ReplyTimeout
	// IdleTimeout is how long an unused connection is kept.
	IdleTimeout = time.Minute

	dialTimeout  = 10 * time.Second
	probeTimeout = 10 * time.Second
	quitTimeout  = 2 * time.Second
)

// Config says how to reach a mail server. Only Server is required.
type Config struct {
	// Server is where mail is handed in.
	Server Server
	// Password is asked for at every new connection where Server has a user; see PasswordFile.
	Password func() (string, error)
	// RootCAs are the authorities that may have signed the server's certificate; nil means those
	// that the machine trusts. See RootCAs.
	RootCAs *x509.CertPool
	// DKIM signs each message; nil means that nobody does, or that the server does. While it stays the
	// same, so do the bytes of a message however often it is sent; after a change of key only the
	// signature in front differs.
	DKIM *DKIM
	// Hello is the name given with EHLO (RFC 5321, section 4.1.1.1); empty means "localhost".
	Hello string
	// DialogTimeout, ReplyTimeout and IdleTimeout replace the constants of the same names; 0 means
	// the constant. With other values, a claim is free after DialogTimeout + ReplyTimeout.
	DialogTimeout, ReplyTimeout, IdleTimeout time.Duration
	// Now is the clock by which kept connections age; nil means the clock of the machine.
	Now func() time.Time
}

// SMTP hands messages to one mail server. It keeps a connection for each caller that sends at the same
// time, and may be used from any number of goroutines.
type SMTP struct {
	cfg Config

	mu     sync.Mutex
	idle   []*conn // oldest first
	timer  *time.Timer
	closed bool
	quits  sync.WaitGroup
}

// NewSMTP returns a sender. It connects at the first Send.
func NewSMTP(cfg Config) *SMTP {
	if cfg.Hello == "" {
		cfg.Hello = "localhost"
	}
	if cfg.DialogTimeout == 0 {
		cfg.DialogTimeout = DialogTimeout
	}
	if cfg.ReplyTimeout == 0 {
		cfg.ReplyTimeout = ReplyTimeout
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = IdleTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // How long a connection lies unused is real time; tests set Now.
	}
	return &SMTP{cfg: cfg}
}

// Send hands over one message. It returns nil exactly if the server confirmed the message, and
// otherwise an *input.InvalidError, *RefusedError, *TemporaryError or *UnknownError. It ends soon after ctx
// does; whoever can wait through a shutdown should pass context.WithoutCancel, because giving up after
// the final dot leaves the outcome unknown.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	m, err := m.checked()
	if err != nil {
		return err
	}
	raw, err := m.Bytes()
	if err != nil {
		return err
	}
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	if s.cfg.DKIM != nil {
		if raw, err = s.cfg.DKIM.signed(raw, m.Date); err != nil {
			return &TemporaryError{Reason: "the mail cannot be signed with the DKIM key: make a new key", Err: err}
		}
	}
	d := delivery{from: m.From.Address, to: m.To.Address, raw: raw, secrets: []string{m.Text, m.HTML, string(body)}}

	dialog, cancel := context.WithTimeout(ctx, s.cfg.DialogTimeout)
	defer cancel()
	c, err := s.begin(dialog, d)
	if err != nil {
		return err
	}
	defer s.put(c)
	if err := c.transfer(dialog, d); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, s.cfg.ReplyTimeout)
	defer cancel()
	return c.finish(wait, d)
}

// begin returns a connection on which the server accepted MAIL FROM. A kept connection may have died
// unseen, or the server may be tired of it (421); neither says anything about the message.
func (s *SMTP) begin(ctx context.Context, d delivery) (*conn, error) {
	if c := s.take(); c != nil {
		err := c.reset(ctx)
		if err == nil {
			err = c.mail(ctx, d)
			if err == nil {
				return c, nil
			}
		}
		s.put(c)
		if !c.broken {
			return nil, err
		}
	}
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.mail(ctx, d); err != nil {
		s.put(c)
		return nil, err
	}
	return c, nil
}

// Close ends the kept connections, politely and within seconds. A Send that is under way goes on, and
// its connection ends with it.
func (s *SMTP) Close() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.quit(idle...)
	s.mu.Unlock()
	s.quits.Wait()
}

// take returns the connection that was used last, so that those beyond the need grow old and go.
func (s *SMTP) take() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quitOld()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	c := s.idle[n-1]
	s.idle = s.idle[:n-1]
	return c
}

func (s *SMTP) put(c *conn) {
	if c.broken {
		_ = c.raw.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		// Not waited for: whoever sent wants to record the outcome now.
		go c.quit()
		return
	}
	c.idleSince = s.cfg.Now()
	s.idle = append(s.idle, c)
	if s.timer == nil {
		s.timer = time.AfterFunc(s.cfg.IdleTimeout, s.reap)
	}
}

// reap ends connections that grew old while nothing is sent.
func (s *SMTP) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quitOld()
	s.timer = nil
	if len(s.idle) > 0 {
		s.timer = time.AfterFunc(s.cfg.IdleTimeout, s.reap)
	}
}

func (s *SMTP) quitOld() {
	now, n := s.cfg.Now(), 0
	for n < len(s.idle) && now.Sub(s.idle[n].idleSince) >= s.cfg.IdleTimeout {
		n++
	}
	s.quit(s.idle[:n]...)
	s.idle = slices.Delete(s.idle, 0, n)
}

// quit says goodbye in the background: nobody's message waits for it, and its failure means nothing.
// The caller holds the lock, so that Close waits for every goodbye that began before it.
func (s *SMTP) quit(conns ...*conn) {
	for _, c := range conns {
		s.quits.Go(c.quit)
	}
}

// outcome turns the failure of one command into a class. Whatever is not a reply broke the connection.
func outcome(command string, err error, secrets ...string) error {
	var r *textproto.Error
	if !errors.As(err, &r) {
		return &TemporaryError{Reason: "the mail server failed at " + command + ": " + describe(err), Err: err}
	}
	text := quote.Shorten(quote.Mask(quote.Line(r.Msg), maskLength, secrets...), maxReplyText)
	if r.Code/100 == 5 && aboutMessage(command) && !aboutSignIn(r.Code) {
		return &RefusedError{Command: command, Code: r.Code, Text: text}
	}
	return &TemporaryError{Code: r.Code, Reason: "the mail server answered " + command + " with: " + reply(r.Code, text)}
}

func aboutMessage(command string) bool {
	return command == cmdMail || command == cmdRcpt || command == cmdData || command == cmdMessage
}

// aboutSignIn knows the codes of RFC 4954, section 6, which may answer any command: the platform must
// change, not the message.
func aboutSignIn(code int) bool {
	return code == 530 || code == 534 || code == 535 || code == 538
}
