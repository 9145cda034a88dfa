// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var errDropped = errors.New("the connection was cut on purpose")

// session is the dialogue with one client. Its faults apply with and without TLS, unlike those of
// wire.
type session struct {
	inbox  *Inbox
	conn   *smtp.Conn
	authed bool
	from   string
	to     []string
	utf8   bool
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) AuthMechanisms() []string {
	if s.inbox.opts.User == "" {
		return nil
	}
	if s.inbox.opts.AuthLogin {
		return []string{sasl.Login}
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch {
	case !slices.Contains(s.AuthMechanisms(), mechanism):
		return nil, smtp.ErrAuthUnknownMechanism
	case mechanism == sasl.Login:
		return &loginServer{check: s.check}, nil
	default:
		return sasl.NewPlainServer(func(_, user, password string) error { return s.check(user, password) }), nil
	}
}

func (s *session) check(user, password string) error {
	if err := s.fail(s.inbox.reach(Auth)); err != nil {
		return err
	}
	want := s.inbox.opts
	if user != want.User || subtle.ConstantTimeCompare([]byte(password), []byte(want.Password)) == 0 {
		return smtp.ErrAuthFailed
	}
	s.authed = true
	return nil
}

// loginServer implements the old LOGIN mechanism, which the SASL library has only for clients.
type loginServer struct {
	check func(user, password string) error
	asked int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	default:
		return nil, true, l.check(l.user, string(response))
	}
}

func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	if err := s.fail(s.inbox.reach(Mail)); err != nil {
		return err
	}
	if s.inbox.opts.User != "" && !s.authed {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.from = from
	s.utf8 = opts != nil && opts.UTF8
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.fail(s.inbox.reach(Rcpt)); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.wire().refused {
		return nil
	}
	fault := s.inbox.reach(Body)
	if fault.Accept || !fault.refuses() {
		m := parse(raw, s.from, s.to)
		m.SMTPUTF8 = s.utf8
		s.inbox.keep(m)
	}
	return s.fail(fault)
}

func (s *session) Reset() { s.from, s.to, s.utf8 = "", nil, false }

func (*session) Logout() error { return nil }

func (s *session) wire() *wire {
	c := s.conn.Conn()
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	w, _ := c.(*wire)
	return w
}

func (s *session) fail(f Fault) error {
	s.inbox.wait(f)
	s.wire().cut = f.Cut
	if f.Hang || f.Drop {
		_ = s.conn.Close()
		return errDropped
	}
	if f.Code != 0 {
		return &smtp.SMTPError{Code: f.Code, EnhancedCode: smtp.NoEnhancedCode, Message: f.Text}
	}
	return nil
}
