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
	// ReplyTimeout bounds the wait for the answer after the request was sent. Giving up early causes
	// duplicates.
	ReplyTimeout = time.Minute
	// SendDeadline is the longest time that one Send can take. If a claim is older, its sender is no
	// longer sending.
	SendDeadline = 90 * time.Second

	// maxBody is how many bytes of an answer are read. Twilio repeats the message in its answer.
	maxBody = 64 << 10
	// bufferSize is in bytes and larger than any request: see Send.
	bufferSize  = 64 << 10
	maxPassword = 1 << 10
)

// Config holds the settings of an SMS gateway. Every field except RootCAs is required.
type Config struct {
	// Gateway is the gateway to send to.
	Gateway Gateway
	// Password is called for every Send. email.PasswordFile returns such a function.
	Password func() (string, error)
	// From is the sender that recipients see. See Gateway.CheckSender.
	From string
	// RootCAs are the authorities that can sign the gateway's certificate. Nil means those that the
	// machine trusts.
	RootCAs *x509.CertPool
}

// Message is one short text.
type Message struct {
	// To is the number in the format of CheckNumber.
	To string
	// Text is at most MaxSegments long.
	Text string
}

// Client sends messages to one SMS gateway. It is safe for concurrent use.
type Client struct {
	cfg       Config
	dialect   dialect
	transport *http.Transport
}

// dialect implements the protocol of one kind of gateway.
type dialect interface {
	// request builds the request that sends a message to the gateway.
	request(ctx context.Context, cfg Config, password string, m Message) (*http.Request, error)
	// read extracts from an answer what is specific to this kind of gateway.
	read(status int, body []byte) reply
}

// reply is the answer of a gateway.
type reply struct {
	taken   bool   // the gateway confirmed the message
	refused string // the permanently refused part of the message; empty if none
	code    int    // the gateway's error code, or the status of the answer
	text    string // the gateway's text
}

// New returns a Client. It opens a new connection for each Send.
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
		// On a kept connection, http.Transport can send a request a second time.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxBody,
		WriteBufferSize:        bufferSize,
	}
	return c
}

// Send sends one message. It returns nil exactly if the gateway confirmed the message. Otherwise it
// returns an *InvalidError, *RefusedError, *TemporaryError or *UnknownError. It ends soon after ctx
// does. Callers that can wait during a shutdown should pass context.WithoutCancel, because giving up
// after the request was sent leaves the outcome unknown.
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
	// The whole request fits into the transport's buffer, which is flushed after WroteRequest. Until
	// then, no byte of it has left the process.
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent.Store(true) },
	})
	req, err := c.dialect.request(traced, c.cfg, password, m)
	if err != nil {
		return &TemporaryError{Reason: "the SMS gateway's URL is invalid: correct it"}
	}
	// This does not use an http.Client, which would follow a redirect with the link and the password.
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
		// The answer can break off within a secret, which would then not be masked.
		said.text = ""
	}
	said.text = secretsOf(c.cfg.Gateway.User, password, m.Text).sanitize(said.text)
	return c.outcome(resp.StatusCode, said)
}

// password reads the password and checks that it can be sent in a header unchanged.
func (c *Client) password() (string, error) {
	if c.cfg.Password == nil {
		return "", errors.New("the SMS gateway requires a password: set the SMS password file")
	}
	password, err := c.cfg.Password()
	switch {
	case err != nil:
		// Do not repeat err: it comes from the platform's code and can contain anything.
		return "", errors.New("the password for the SMS gateway cannot be read: check the SMS password file")
	case password == "":
		return "", errors.New("the password for the SMS gateway is empty: write it to the SMS password file")
	case len(password) > maxPassword, strings.ContainsFunc(password, unicode.IsControl), password != strings.TrimSpace(password):
		return "", errors.New("the password for the SMS gateway must be one line without leading or trailing spaces: correct the SMS password file")
	}
	return password, nil
}

// outcome turns an answer into an error class.
func (c *Client) outcome(status int, said reply) error {
	quoted := words(said.code, said.text)
	temporary := func(reason string) error {
		return &TemporaryError{Code: status, Reason: "the SMS gateway " + reason + ": " + quoted}
	}
	switch {
	case said.taken:
		return nil
	case status/100 == 2:
		return &UnknownError{Reason: fmt.Sprintf("it answered %d with a text that is not a confirmation from %s; check the SMS gateway's URL", status, c.cfg.Gateway.Dialect)}
	case said.refused != "":
		return &RefusedError{Part: said.refused, Code: said.code, Text: said.text}
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		// These come from a proxy (RFC 9110, sections 15.6.3 and 15.6.5), which may have passed the
		// message on.
		return &UnknownError{Reason: fmt.Sprintf("a proxy in between answered %d", status)}
	case status/100 == 3:
		return temporary("redirects to another URL, and Usher does not send the password there; correct the SMS gateway's URL")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return temporary("refuses the sign-in; correct the user in the SMS gateway's URL or the password in the SMS password file")
	case status == http.StatusNotFound:
		return temporary("does not know the requested path; correct the SMS gateway's URL")
	case status == http.StatusTooManyRequests:
		return temporary("accepts no more messages for now")
	case status >= 500:
		return temporary("cannot accept messages now")
	}
	return temporary("did not accept the message, for a reason that the platform team must check")
}
