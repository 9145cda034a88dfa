// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	// ConnectTimeout bounds the TCP connection and, once more, the TLS handshake.
	ConnectTimeout = 10 * time.Second
	// ReplyTimeout bounds the wait for the answer once the request is out. Giving up early is what
	// makes doubles.
	ReplyTimeout = time.Minute
	// SendDeadline is the longest that one Send can take. A claim that is older than this belongs to
	// nobody who is still sending.
	SendDeadline = 90 * time.Second

	// maxBody is how much of an answer is read, in bytes. Twilio repeats the message in its own.
	maxBody = 64 << 10
	// bufferSize is more than any request takes, in bytes: see Send.
	bufferSize  = 64 << 10
	maxPassword = 1 << 10
)

// Config says how to reach an SMS gateway. All but RootCAs is required.
type Config struct {
	// Gateway is where messages are handed in.
	Gateway Gateway
	// Password is asked for at every Send; mail.PasswordFile is such a function.
	Password func() (string, error)
	// From is the sender that people see; see Gateway.CheckSender.
	From string
	// RootCAs are the authorities that may have signed the gateway's certificate; nil means those that
	// the machine trusts.
	RootCAs *x509.CertPool
}

// Message is one short text.
type Message struct {
	// To is the number in the form of CheckNumber.
	To string
	// Text is at most MaxSegments long.
	Text string
}

// Client hands messages to one SMS gateway. It may be used from any number of goroutines.
type Client struct {
	cfg       Config
	dialect   dialect
	transport *http.Transport
}

// dialect is one kind of gateway.
type dialect interface {
	// request writes the message down for the gateway.
	request(ctx context.Context, cfg Config, password string, m Message) (*http.Request, error)
	// read finds in an answer what only this kind of gateway says.
	read(status int, body []byte) reply
}

// reply is what a gateway said.
type reply struct {
	taken   bool   // it confirmed the message, in its own words
	refused string // the part of the message that it refused for good; empty if none
	code    int    // its own error code, or the status of the answer
	text    string // its words
}

// New returns a client. It connects at each Send.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, dialect: kannel{}}
	if cfg.Gateway.Dialect == Twilio {
		c.dialect = twilio{}
	}
	c.transport = &http.Transport{
		DialContext:           (&net.Dialer{Timeout: ConnectTimeout}).DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   ConnectTimeout,
		ResponseHeaderTimeout: ReplyTimeout,
		// On a kept connection a request may go out a second time by itself (http.Transport).
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxBody,
		WriteBufferSize:        bufferSize,
	}
	return c
}

// Send hands over one message. It returns nil exactly if the gateway confirmed the message, and
// otherwise an *InvalidError, *RefusedError, *TemporaryError or *UnknownError. It ends soon after ctx
// does; whoever can wait through a shutdown should pass context.WithoutCancel, because giving up once
// the request is out leaves the outcome unknown.
func (c *Client) Send(ctx context.Context, m Message) error {
	if err := CheckNumber(m.To); err != nil {
		return &InvalidError{Field: partNumber, Reason: err.Error()}
	}
	if err := checkText(m.Text); err != nil {
		return err
	}
	if err := c.cfg.Gateway.CheckSender(c.cfg.From); err != nil {
		return &TemporaryError{Reason: err.Error()}
	}
	password, err := c.password()
	if err != nil {
		return &TemporaryError{Reason: err.Error()}
	}

	ctx, cancel := context.WithTimeout(ctx, SendDeadline)
	defer cancel()
	// The whole request fits into the transport's buffer, which is written out after WroteRequest.
	// Until then, not a byte of it has left.
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent.Store(true) },
	})
	req, err := c.dialect.request(traced, c.cfg, password, m)
	if err != nil {
		return &TemporaryError{Reason: "the SMS gateway's URL cannot be used: correct it"}
	}
	// Not through an http.Client: that would follow a redirect and take the link and the password along.
	resp, err := c.transport.RoundTrip(req)
	if err != nil && sent.Load() {
		return &UnknownError{Reason: describe(err), Err: ctx.Err()}
	}
	if err != nil {
		return &TemporaryError{Reason: "the SMS gateway " + req.URL.Host + " cannot be reached: " + describe(err), Err: ctx.Err()}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	said := c.dialect.read(resp.StatusCode, body)
	if err != nil {
		// It may have broken off within something that is to be hidden.
		said.text = ""
	}
	said.text = secretsOf(c.cfg.Gateway.User, password, m.Text).quote(said.text)
	return c.outcome(resp.StatusCode, said)
}

// password reads the password and makes sure that it can travel in a header unchanged.
func (c *Client) password() (string, error) {
	if c.cfg.Password == nil {
		return "", errors.New("the SMS gateway needs a password: give the SMS password file")
	}
	password, err := c.cfg.Password()
	switch {
	case err != nil:
		// Not repeated: it is the platform's code that made this error, and it may hold anything.
		return "", errors.New("the password for the SMS gateway cannot be read: check the SMS password file")
	case password == "":
		return "", errors.New("the password for the SMS gateway is empty: write it into the SMS password file")
	case len(password) > maxPassword, strings.ContainsFunc(password, unicode.IsControl), password != strings.TrimSpace(password):
		return "", errors.New("the password for the SMS gateway must be one line without blanks at its ends: correct the SMS password file")
	}
	return password, nil
}

// outcome turns an answer into a class.
func (c *Client) outcome(status int, said reply) error {
	quoted := words(said.code, said.text)
	temporary := func(reason string) error {
		return &TemporaryError{Code: status, Reason: "the SMS gateway " + reason + ": " + quoted}
	}
	switch {
	case said.taken:
		return nil
	case status/100 == 2:
		return &UnknownError{Reason: fmt.Sprintf("it answered %d with something that is no confirmation of %s; check the SMS gateway's URL", status, c.cfg.Gateway.Dialect)}
	case said.refused != "":
		return &RefusedError{Part: said.refused, Code: said.code, Text: said.text}
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		// These speak for somebody between (RFC 9110, sections 15.6.3 and 15.6.5), who did pass it on.
		return &UnknownError{Reason: fmt.Sprintf("something between answered %d for it", status)}
	case status/100 == 3:
		return temporary("is somewhere else now, and the password is not sent after it; correct the SMS gateway's URL")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return temporary("does not let the platform in; correct the user in the SMS gateway's URL or the password in the SMS password file")
	case status == http.StatusNotFound:
		return temporary("does not know what it was asked for; correct the SMS gateway's URL")
	case status == http.StatusTooManyRequests:
		return temporary("takes no more messages for now")
	case status >= 500:
		return temporary("cannot take messages now")
	}
	return temporary("did not take the message, for a reason that the platform must look into")
}
