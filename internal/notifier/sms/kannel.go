// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"context"
	"net/http"
	"strings"
)

// kannel implements sendsms over POST. GET would work too, with everything in the query. But queries
// end up in the logs of every proxy on the way, and the request contains a password and a link.
type kannel struct{}

func (kannel) request(ctx context.Context, cfg Config, password string, m Message) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cfg.Gateway.URL, strings.NewReader(m.Text))
	if err != nil {
		return nil, err
	}
	// The headers replace username, password, from, to and coding in a query. The text is the body.
	coding := "0" // 7 bits, the GSM alphabet
	if !inGSM(m.Text) {
		coding = "2" // UCS-2
	}
	for name, value := range map[string]string{
		"Content-Type":      "text/plain; charset=UTF-8",
		"X-Kannel-Username": cfg.Gateway.User,
		"X-Kannel-Password": password,
		"X-Kannel-From":     cfg.From,
		"X-Kannel-To":       m.To,
		"X-Kannel-Coding":   coding,
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

// read recognises the answers of Kannel's smsbox. "Sent." replaces the numbered answers if smsbox does
// not wait for its bearerbox (immediate-sendsms-reply).
func (kannel) read(status int, body []byte) reply {
	said := reply{code: status, text: string(body)}
	begins := func(prefix string) bool { return strings.HasPrefix(said.text, prefix) }
	switch status {
	case http.StatusAccepted:
		said.taken = begins("0:") || begins("3:") || begins("Sent.")
	case http.StatusForbidden:
		if begins("Not routable.") {
			said.refused = partNumber
		}
	case http.StatusBadRequest:
		if begins("Number(s) has/have been denied") {
			said.refused = partNumber
		}
	}
	return said
}
