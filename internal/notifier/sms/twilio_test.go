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
		"a message with a SID is taken":                           {201, `{"sid":"SM1","status":"queued"}`, taken(), ""},
		"a SID with 200 is taken":                                 {200, `{"sid":"SM1"}`, taken(), ""},
		"a message without a SID is unknown":                      {201, `{"status":"queued"}`, unknown(), "not a confirmation from Twilio"},
		"JSON with another structure is unknown":                  {201, `["SM1"]`, unknown(), "not a confirmation"},
		"truncated JSON is unknown":                               {201, `{"sid":"SM1`, unknown(), "not a confirmation"},
		"a SID with an error is not a confirmation":               {500, `{"sid":"SM1"}`, temporary(500), "500"},
		"a number that does not exist is refused":                 {400, errorOf(21211, "Invalid 'To' Phone Number"), refused("number", 21211), "use another number: 21211 Invalid 'To' Phone Number"},
		"a number without SMS is refused":                         {400, errorOf(21614, "not a mobile number"), refused("number", 21614), "21614"},
		"a landline is refused":                                   {400, errorOf(21635, "landline"), refused("number", 21635), "21635"},
		"an unsubscribed recipient is refused":                    {400, errorOf(21610, "unsubscribed recipient"), refused("number", 21610), "21610"},
		"a text that is too long is refused":                      {400, errorOf(21617, "1600 characters"), refused("text", 21617), "refused the text permanently, so change the text: 21617"},
		"another 4xx status refuses as well":                      {422, errorOf(21211, "invalid"), refused("number", 21211), "21211"},
		"a sender that was not bought is the platform's problem":  {400, errorOf(21606, "not a valid sender"), temporary(400), "platform team must check: 21606 not a valid sender"},
		"a country that is not allowed is the platform's problem": {400, errorOf(21408, "Permission not enabled"), temporary(400), "21408"},
		"an unknown code is the platform's problem":               {400, errorOf(29999, "new"), temporary(400), "29999 new"},
		"a wrong password is the platform's problem":              {401, errorOf(20003, "Authenticate"), temporary(401), "SMS password file: 20003 Authenticate"},
		"a closed account is the platform's problem":              {403, errorOf(21610, "closed"), temporary(403), "refuses the sign-in"},
		"a missing account is the platform's problem":             {404, errorOf(20404, "not found"), temporary(404), "correct the SMS gateway's URL: 20404"},
		"too many messages are temporary":                         {429, errorOf(20429, "Too Many Requests"), temporary(429), "20429 Too Many Requests"},
		"a failure with a code is temporary":                      {503, errorOf(21211, "try later"), temporary(503), "try later"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, answer(c.status, c.body))
			err := client(t, sms.Twilio, server.URL).Send(t.Context(), aMessage())
			expect(t, err, c.want, c.says)
		})
	}
}
