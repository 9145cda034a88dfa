// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

func TestTwilioIsToldTheMessage(t *testing.T) {
	t.Parallel()
	service := "MG" + strings.Repeat("0a", 16)
	for from, field := range map[string]string{
		"Usher":        "From",
		"+15005550006": "From",
		service:        "MessagingServiceSid",
	} {
		var got *http.Request
		server := start(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			answer(http.StatusCreated, `{"sid":"SM1","status":"queued","error_code":null}`)(w, r)
		})
		cfg := config(t, sms.Twilio, server.URL)
		cfg.From = from
		text := "Привет & [hello] +%20"
		expect(t, sms.New(cfg).Send(t.Context(), sms.Message{To: "+393331234567", Text: text}), taken())
		if got.Method != http.MethodPost || got.RequestURI != "/2010-04-01/Accounts/AC0123456789abcdef/Messages.json" {
			t.Errorf("%s %s", got.Method, got.RequestURI)
		}
		if user, secret, _ := got.BasicAuth(); user != "AC0123456789abcdef" || secret != password {
			t.Errorf("signed in as %q with %q", user, secret)
		}
		want := url.Values{"To": {"+393331234567"}, field: {from}, "Body": {text}}
		if diff := cmp.Diff(want, got.PostForm); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
	}
}

func TestTwilioOutcome(t *testing.T) {
	t.Parallel()
	errorOf := func(code int, message string) string {
		return fmt.Sprintf(`{"code":%d,"message":%q,"more_info":"https://www.twilio.com/docs/errors/%[1]d","status":400}`, code, message)
	}
	for name, c := range map[string]struct {
		status int
		body   string
		want   outcome
		says   string
	}{
		"a message with a SID is taken":                   {201, `{"sid":"SM1","status":"queued"}`, taken(), ""},
		"200 does as well":                                {200, `{"sid":"SM1"}`, taken(), ""},
		"a message without a SID is unknown":              {201, `{"status":"queued"}`, unknown(), "no confirmation of Twilio"},
		"JSON of another kind is unknown":                 {201, `["SM1"]`, unknown(), "no confirmation"},
		"JSON that breaks off is unknown":                 {201, `{"sid":"SM1`, unknown(), "no confirmation"},
		"a SID with an error is no confirmation":          {500, `{"sid":"SM1"}`, temporary(500), "500"},
		"a number that does not exist is refused":         {400, errorOf(21211, "Invalid 'To' Phone Number"), refused("number", 21211), "give another number: 21211 Invalid 'To' Phone Number"},
		"a number without SMS is refused":                 {400, errorOf(21614, "not a mobile number"), refused("number", 21614), "21614"},
		"a landline is refused":                           {400, errorOf(21635, "landline"), refused("number", 21635), "21635"},
		"somebody who wants no messages is refused":       {400, errorOf(21610, "unsubscribed recipient"), refused("number", 21610), "21610"},
		"a text that is too long is refused":              {400, errorOf(21617, "1600 characters"), refused("text", 21617), "refused the text for good, so change the text: 21617"},
		"a status that others choose is as good":          {422, errorOf(21211, "invalid"), refused("number", 21211), "21211"},
		"a sender that was not bought is the platform's":  {400, errorOf(21606, "not a valid sender"), temporary(400), "platform must look into: 21606 not a valid sender"},
		"a country that is not allowed is the platform's": {400, errorOf(21408, "Permission not enabled"), temporary(400), "21408"},
		"a code that nobody knows is the platform's":      {400, errorOf(29999, "new"), temporary(400), "29999 new"},
		"a wrong password is the platform's":              {401, errorOf(20003, "Authenticate"), temporary(401), "SMS password file: 20003 Authenticate"},
		"an account that is closed is the platform's":     {403, errorOf(21610, "closed"), temporary(403), "does not let the platform in"},
		"an account that is not there is the platform's":  {404, errorOf(20404, "not found"), temporary(404), "correct the SMS gateway's URL: 20404"},
		"too many messages are for later":                 {429, errorOf(20429, "Too Many Requests"), temporary(429), "20429 Too Many Requests"},
		"a failure with a code is for later":              {503, errorOf(21211, "try later"), temporary(503), "try later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, answer(c.status, c.body))
			err := client(t, sms.Twilio, server.URL).Send(t.Context(), aMessage())
			expect(t, err, c.want, c.says)
		})
	}
}
