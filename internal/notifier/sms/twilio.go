// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// twilio implements Twilio's Messages resource.
type twilio struct{}

// twilioRefusals are the error codes of Twilio that are about one number or one text. All other codes
// count as the platform's problem: a sender that was not bought, a country that is not allowed, no
// money.
var twilioRefusals = map[int]string{
	21211: partNumber, // not a valid number
	21265: partNumber, // a short code
	21266: partNumber, // the sender's own number
	21610: partNumber, // has unsubscribed
	21614: partNumber, // not a mobile number
	21635: partNumber, // a landline
	21617: partText,   // too long
	21658: partText,   // also too long
}

func (twilio) request(ctx context.Context, cfg Config, password string, m Message) (*http.Request, error) {
	form := url.Values{"To": {m.To}, "Body": {m.Text}}
	if serviceSID.MatchString(cfg.From) {
		form.Set("MessagingServiceSid", cfg.From)
	} else {
		form.Set("From", cfg.From)
	}
	target := cfg.Gateway.URL + "/2010-04-01/Accounts/" + url.PathEscape(cfg.Gateway.User) + "/Messages.json"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(cfg.Gateway.User, password)
	return req, nil
}

func (twilio) read(status int, body []byte) reply {
	var answer struct {
		SID     string `json:"sid"`
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		// This is not Twilio's answer, but perhaps that of a proxy that explains the problem.
		return reply{code: status, text: string(body)}
	}
	said := reply{code: status, text: answer.Message}
	if answer.Code > 0 {
		said.code = answer.Code
	}
	switch status {
	case http.StatusOK, http.StatusCreated:
		said.taken = answer.SID != ""
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		// These are about the platform, with any code.
	default:
		if status/100 == 4 {
			said.refused = twilioRefusals[answer.Code]
		}
	}
	return said
}
