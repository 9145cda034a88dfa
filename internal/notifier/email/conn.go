// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail/smtp"

	"github.com/usher-dev/usher/internal/sanitize"
)

// The names of the commands in errors.
const (
	cmdGreeting = "the connection"
	cmdHello    = "EHLO"
	cmdTLS      = "STARTTLS"
	cmdAuth     = "AUTH"
	cmdReset    = "RSET"
	cmdMail     = "MAIL FROM"
	cmdRcpt     = "RCPT TO"
	cmdData     = "DATA"
	cmdMessage  = "message"
)

// maskLength is the longest part of a secret that an error can show, in bytes. It is short enough to
// hide a cut link, and long enough to leave common words alone.
const maskLength = 16

type delivery struct {
	from, to string
	raw      []byte
	secrets  []string // texts that an error must not repeat
}

func (d delivery) needsUTF8() bool { return !ascii(d.from) || !ascii(d.to) }

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// conn is one connection. It uses go-mail's SMTP dialogue, command by command. go-mail's Client cannot
// distinguish a message that was not taken from one whose confirmation was lost.
type conn struct {
	raw       net.Conn
	client    *smtp.Client
	data      io.Closer // the message under way; closing it sends the final dot
	broken    bool
	idleSince time.Time
}

// step runs one exchange and stops it when ctx ends. After a reply the connection stays usable, except
// after 421 (RFC 5321, section 3.8). Any other error breaks it.
func (c *conn) step(ctx context.Context, f func() error) error {
	// A deadline in the past wakes reads and writes that are in progress, also below TLS.
	stop := context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if !stop() {
		c.broken = true
	}
	var r *textproto.Error
	if err != nil && (!errors.As(err, &r) || r.Code == 421) {
		c.broken = true
		if cause := ctx.Err(); cause != nil {
			return fmt.Errorf("%w: %w", cause, err)
		}
	}
	return err
}

func (s *SMTP) connect(ctx context.Context) (*conn, error) {
	raw, err := s.cfg.Dial(ctx, "tcp", s.cfg.Server.Address())
	if err != nil {
		return nil, &TemporaryError{
			Reason: "the mail server " + s.cfg.Server.Address() + " cannot be reached: " + describe(err), Err: err,
		}
	}
	c := &conn{raw: raw}
	if err := s.greet(ctx, c); err != nil {
		if c.client != nil && !c.broken {
			go c.quit()
		} else {
			_ = raw.Close()
		}
		return nil, err
	}
	return c, nil
}

func (s *SMTP) greet(ctx context.Context, c *conn) error {
	server := s.cfg.Server
	transport := c.raw
	if server.Security == TLS {
		secure := tls.Client(c.raw, s.tlsConfig())
		if err := c.step(ctx, func() error { return secure.HandshakeContext(ctx) }); err != nil {
			return &TemporaryError{Reason: "TLS with the mail server failed: " + describe(err), Err: err}
		}
		transport = secure
	}
	err := c.step(ctx, func() (err error) {
		c.client, err = smtp.NewClient(transport, server.Host)
		return err
	})
	if err != nil {
		return outcome(cmdGreeting, err)
	}
	if err := c.step(ctx, func() error { return c.client.Hello(s.cfg.Hello) }); err != nil {
		return outcome(cmdHello, err)
	}
	if server.Security == STARTTLS {
		if err := s.startTLS(ctx, c); err != nil {
			return err
		}
	}
	if server.User == "" {
		return nil
	}
	return s.signIn(ctx, c)
}

func (s *SMTP) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.cfg.Server.Host, RootCAs: s.cfg.RootCAs, MinVersion: tls.VersionTLS12}
}

func (s *SMTP) startTLS(ctx context.Context, c *conn) error {
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return &TemporaryError{
			Reason: "the mail server does not offer STARTTLS, so nothing was sent: " +
				"write smtps:// if it speaks TLS from the first byte, or ask the server's admin to turn on STARTTLS",
		}
	}
	err := c.step(ctx, func() error { return c.client.StartTLS(s.tlsConfig()) })
	if _, replied := errors.AsType[*textproto.Error](err); replied {
		return outcome(cmdTLS, err)
	}
	if err != nil {
		c.broken = true
		return &TemporaryError{Reason: "TLS with the mail server failed: " + describe(err), Err: err}
	}
	return nil
}

func (s *SMTP) signIn(ctx context.Context, c *conn) error {
	server := s.cfg.Server
	if server.Security == Plaintext || s.cfg.Password == nil {
		return &TemporaryError{Reason: "signing in to the mail server requires TLS and a password file"}
	}
	password, err := s.cfg.Password()
	if err != nil {
		return &TemporaryError{Reason: "the password for the mail server cannot be read: " + describe(err), Err: err}
	}
	_, offered := c.client.Extension("AUTH")
	var auth smtp.Auth
	switch mechanisms := strings.Fields(strings.ToUpper(offered)); {
	case slices.Contains(mechanisms, "PLAIN"):
		auth = smtp.PlainAuth("", server.User, password, server.Host, false)
	case slices.Contains(mechanisms, "LOGIN"):
		auth = smtp.LoginAuth(server.User, password, server.Host, false)
	default:
		return &TemporaryError{Reason: "the mail server offers neither AUTH PLAIN nor AUTH LOGIN: turn one of them on, or leave out the user"}
	}
	err = c.step(ctx, func() error { return c.client.Auth(auth) })
	if err == nil {
		return nil
	}
	// go-mail has already sent QUIT.
	c.broken = true
	var r *textproto.Error
	if !errors.As(err, &r) {
		return outcome(cmdAuth, err)
	}
	hidden := []string{base64.StdEncoding.EncodeToString([]byte("\x00" + server.User + "\x00" + password))}
	text := sanitize.Mask(sanitize.SingleLine(r.Msg), min(maskLength, len(hidden[0])), hidden...)
	for _, secret := range []string{password, base64.StdEncoding.EncodeToString([]byte(password))} {
		text = sanitize.Mask(text, len(secret), secret)
	}
	return &TemporaryError{Code: r.Code, Reason: "signing in to the mail server failed: " + reply(r.Code, sanitize.Shorten(text, maxReplyText))}
}

// reset clears what the last use left behind, and checks that the server still answers.
func (c *conn) reset(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err := c.step(ctx, c.client.Reset)
	if err != nil {
		c.broken = true
		return outcome(cmdReset, err)
	}
	return nil
}

func (c *conn) mail(ctx context.Context, d delivery) error {
	if offered, _ := c.client.Extension("SMTPUTF8"); d.needsUTF8() && !offered {
		command := cmdRcpt
		if !ascii(d.from) {
			command = cmdMail
		}
		// RFC 6531, section 3.2: a client must not even try such an address there.
		return &RefusedError{Command: command, Code: 553, Text: "5.6.7 it offers no SMTPUTF8 (RFC 6531), " +
			"which this address needs: use one whose part before the @ is ASCII, or a mail server that offers SMTPUTF8"}
	}
	// Requesting SMTPUTF8 without need makes servers further on refuse the mail.
	c.client.SkipSMTPUTF8(!d.needsUTF8())
	if err := c.step(ctx, func() error { return c.client.Mail("<" + d.from + ">") }); err != nil {
		return outcome(cmdMail, err, d.secrets...)
	}
	return nil
}

// transfer sends everything except the final dot. If it fails, the server does not have the message.
func (c *conn) transfer(ctx context.Context, d delivery) error {
	if err := c.step(ctx, func() error { return c.client.Rcpt("<" + d.to + ">") }); err != nil {
		return outcome(cmdRcpt, err, d.secrets...)
	}
	err := c.step(ctx, func() error {
		w, err := c.client.Data()
		if err != nil {
			return err
		}
		c.data = w
		if _, err := w.Write(d.raw); err != nil {
			return err
		}
		// Flush here, so that a failure is known to have happened before the dot.
		return c.client.Text.W.Flush()
	})
	if err != nil {
		return outcome(cmdData, err, d.secrets...)
	}
	if c.broken {
		// ctx ended while the last bytes were sent. Without the dot there is no message.
		return outcome(cmdData, context.Cause(ctx))
	}
	return nil
}

// finish sends the final dot and waits for the one reply that decides the outcome.
func (c *conn) finish(ctx context.Context, d delivery) error {
	if err := ctx.Err(); err != nil {
		c.broken = true
		return outcome(cmdData, err)
	}
	err := c.step(ctx, c.data.Close)
	c.data = nil
	if err == nil {
		return nil
	}
	var r *textproto.Error
	if !errors.As(err, &r) {
		return &UnknownError{Err: err}
	}
	switch r.Code / 100 {
	case 2:
		// RFC 5321, section 4.3.2: the first digit decides.
		return nil
	case 4, 5:
		return outcome(cmdMessage, err, d.secrets...)
	default:
		c.broken = true
		return &UnknownError{Err: err}
	}
}

// quit sends QUIT, as RFC 5321, section 4.1.1.10, requires, and closes the connection in any case.
func (c *conn) quit() {
	stop := time.AfterFunc(quitTimeout, func() { _ = c.raw.Close() })
	defer stop.Stop()
	_ = c.client.Quit()
	_ = c.raw.Close()
}
