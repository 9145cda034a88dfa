// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"slices"
	"sync"
	"time"

	"github.com/usher-dev/usher/internal/outbound"
	"github.com/usher-dev/usher/internal/sanitize"
)

const (
	// DialogTimeout bounds everything up to the final dot: connecting, TLS, sign-in, the envelope and
	// the message. RFC 5321 (section 4.5.3.2) would allow minutes for each command. With such a slow
	// server it is better to retry later, which is safe before the final dot.
	DialogTimeout = time.Minute
	// ReplyTimeout bounds the wait for the reply to the final dot. RFC 5321 (section 4.5.3.2.6) asks
	// for ten minutes, because giving up early causes duplicates.
	ReplyTimeout = 10 * time.Minute
	// SendDeadline is the longest time that one Send can take with the default timeouts. If a claim is
	// older, its sender is no longer sending.
	SendDeadline = DialogTimeout + ReplyTimeout
	// IdleTimeout is how long an unused connection is kept.
	IdleTimeout = time.Minute

	dialTimeout  = 10 * time.Second
	probeTimeout = 10 * time.Second
	quitTimeout  = 2 * time.Second
)

// Config holds the settings of a mail server. Only Server is required.
type Config struct {
	// Server is the mail server to send to.
	Server Server
	// Password is called for every new connection if Server has a user. See PasswordFile.
	Password func() (string, error)
	// RootCAs are the authorities that can sign the server's certificate. Nil means those that the
	// machine trusts. See RootCAs.
	RootCAs *x509.CertPool
	// DKIM signs each message. Nil means that messages are not signed, or that the server signs them.
	// With the same DKIM, the bytes of a message stay the same however often it is sent. After a change
	// of key, only the signature in front differs.
	DKIM *DKIM
	// Dial opens the connections. Nil means a dialer that connects to every address, for a server that
	// the platform chose.
	Dial outbound.DialFunc
	// Hello is the name sent with EHLO (RFC 5321, section 4.1.1.1). Empty means "localhost".
	Hello string
	// DialogTimeout, ReplyTimeout and IdleTimeout replace the constants of the same names. 0 means the
	// constant. With other values, a claim is free after DialogTimeout + ReplyTimeout.
	DialogTimeout, ReplyTimeout, IdleTimeout time.Duration
	// Now is the clock that decides how old kept connections are. Nil means the clock of the machine.
	Now func() time.Time
}

// SMTP sends messages to one mail server. It keeps a connection for each caller that sends at the same
// time. It is safe for concurrent use.
type SMTP struct {
	cfg Config

	mu     sync.Mutex
	idle   []*conn // oldest first
	timer  *time.Timer
	closed bool
	quits  sync.WaitGroup
}

// NewSMTP returns an SMTP. It connects at the first Send.
func NewSMTP(cfg Config) *SMTP {
	if cfg.Hello == "" {
		cfg.Hello = "localhost"
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
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
		cfg.Now = time.Now //nolint:forbidigo // The idle time of a connection is real time; tests set Now.
	}
	return &SMTP{cfg: cfg}
}

// Send sends one message. It returns nil exactly if the server confirmed the message. Otherwise it
// returns an *input.InvalidError, *RefusedError, *TemporaryError or *UnknownError. It ends soon after
// ctx does. Callers that can wait during a shutdown should pass context.WithoutCancel, because giving
// up after the final dot leaves the outcome unknown.
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
			return &TemporaryError{Reason: "the mail cannot be signed with the DKIM key: create a new key", Err: err}
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

// begin returns a connection on which the server accepted MAIL FROM. If a kept connection fails, begin
// opens a new one. A kept connection can die unnoticed, or the server can close it (421). Neither is a
// statement about the message.
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

// Close ends the kept connections with QUIT and within seconds. A Send in progress continues, and its
// connection ends with it.
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

// take returns the connection that was used last, so that unneeded connections grow old and are closed.
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
		// Do not wait for it: the caller of Send wants to record the outcome now.
		go c.quit()
		return
	}
	c.idleSince = s.cfg.Now()
	s.idle = append(s.idle, c)
	if s.timer == nil {
		s.timer = time.AfterFunc(s.cfg.IdleTimeout, s.reap)
	}
}

// reap ends connections that grew old while no message is sent.
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

// quit sends QUIT in the background. No message waits for it, and its failure means nothing. The caller
// holds the lock, so that Close waits for every QUIT that began before it.
func (s *SMTP) quit(conns ...*conn) {
	for _, c := range conns {
		s.quits.Go(c.quit)
	}
}

// outcome turns the failure of one command into an error class. An error that is not a reply broke the
// connection.
func outcome(command string, err error, secrets ...string) error {
	var r *textproto.Error
	if !errors.As(err, &r) {
		return &TemporaryError{Reason: "the mail server failed at " + command + ": " + describe(err), Err: err}
	}
	text := sanitize.Shorten(sanitize.Mask(sanitize.SingleLine(r.Msg), maskLength, secrets...), maxReplyText)
	if r.Code/100 == 5 && aboutMessage(command) && !aboutSignIn(r.Code) {
		return &RefusedError{Command: command, Code: r.Code, Text: text}
	}
	return &TemporaryError{Code: r.Code, Reason: "the mail server answered " + command + " with: " + reply(r.Code, text)}
}

func aboutMessage(command string) bool {
	return command == cmdMail || command == cmdRcpt || command == cmdData || command == cmdMessage
}

// aboutSignIn reports whether code is one of RFC 4954, section 6. These can answer any command. They
// mean that the platform's settings must change, not the message.
func aboutSignIn(code int) bool {
	return code == 530 || code == 534 || code == 535 || code == 538
}
