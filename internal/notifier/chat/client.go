// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package chat

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/usher-dev/usher/internal/outbound"
)

const (
	// SendDeadline is the longest time that one Send can take, from resolving the name to the answer.
	SendDeadline = 15 * time.Second
	// MaxText is the maximum length of a notice, in characters. It is the limit of the strictest chat,
	// Discord.
	MaxText = 2000

	noticeField = "notice"

	reasonNoText  = "is empty"
	reasonLong    = "is longer than 2000 characters"
	reasonGarbled = "is not text in UTF-8"

	maxHeader       = 16 << 10
	maxConfirmation = 64
)

// Config holds the settings of a Client.
type Config struct {
	// Allowed are the networks that a Client can connect to in addition to the public internet.
	Allowed []netip.Prefix
}

// Client sends notices. It keeps no connections, follows no redirects and starts nothing that outlives
// a Send. It is safe for concurrent use.
type Client struct {
	http *http.Client
}

// New returns a Client. It uses no proxy, because a proxy would resolve the name and connect without a
// check of the address.
func New(cfg Config) *Client {
	return &Client{
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:            outbound.Dialer(cfg.Allowed),
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				MaxResponseHeaderBytes: maxHeader,
				// A kept connection could die unnoticed, and net/http would repeat a request on its
				// own.
				DisableKeepAlives:  true,
				DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Send posts one notice with one request. It returns nil exactly if the chat confirmed that it took
// the notice. Otherwise it returns an *InvalidError, *RefusedError, *TemporaryError or *UnknownError. It
// ends within SendDeadline, or soon after ctx does. Callers that can wait during a shutdown should pass
// context.WithoutCancel, because giving up after the request leaves the outcome unknown.
func (c *Client) Send(ctx context.Context, rawURL, text string) error {
	p, err := compose(rawURL, text)
	if err != nil {
		return err
	}
	// The request counts as sent as soon as any part of it may have left.
	var wrote atomic.Bool
	timed, cancel := context.WithTimeout(ctx, SendDeadline)
	defer cancel()
	traced := httptrace.WithClientTrace(timed, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})

	req, err := http.NewRequestWithContext(traced, p.method, p.url.String(), bytes.NewReader(p.body))
	if err != nil {
		return &InvalidError{urlField, reasonUnreadable}
	}
	req.Header = p.header.Clone()
	req.Header.Set("User-Agent", "usher")
	res, err := c.http.Do(req)
	// Otherwise net/http would still open a connection that no request waits for.
	defer c.http.CloseIdleConnections()
	switch {
	case err != nil && wrote.Load():
		return &UnknownError{Err: ctx.Err()}
	case err != nil:
		return &TemporaryError{Reason: describe(err), Err: ctx.Err()}
	}
	defer func() { _ = res.Body.Close() }()
	return verdict(ctx, res, p.confirmation)
}

// compose builds the request for a notice.
func compose(rawURL, text string) (post, error) {
	write, err := parse(rawURL)
	if err != nil {
		return post{}, err
	}
	switch {
	case strings.TrimSpace(text) == "":
		return post{}, &InvalidError{noticeField, reasonNoText}
	case !utf8.ValidString(text):
		return post{}, &InvalidError{noticeField, reasonGarbled}
	case utf8.RuneCountInString(text) > MaxText:
		return post{}, &InvalidError{noticeField, reasonLong}
	}
	p, err := write(text)
	if err != nil {
		return post{}, &InvalidError{noticeField, reasonGarbled}
	}
	return p, nil
}

// verdict turns an answer into an outcome. The body is not trusted: it is compared, but never quoted.
func verdict(ctx context.Context, res *http.Response, confirmation string) error {
	switch code := res.StatusCode; {
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return &UnknownError{Code: code}
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return temporary(code)
	case code < 200 || code > 299:
		return &RefusedError{Code: code}
	case confirmation == "":
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxConfirmation))
	switch {
	case err != nil:
		return &UnknownError{Err: ctx.Err()}
	case strings.TrimSpace(string(body)) != confirmation:
		return temporary(res.StatusCode)
	}
	return nil
}
