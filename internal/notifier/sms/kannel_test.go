// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

func TestKannelIsToldTheMessage(t *testing.T) {
	t.Parallel()
	for text, coding := range map[string]string{
		"Hello [Jane], 100 € & more: +%20\n": "0",
		"perché è così":                      "0",
		"Привет, Jane 🎉":                     "2",
		"ça va?":                             "2", // the alphabet has Ç but not ç
	} {
		var got *http.Request
		var body []byte
		server := start(t, func(w http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
			answer(http.StatusAccepted, "0: Accepted for delivery")(w, r)
		})
		err := client(t, sms.Kannel, server.URL).Send(t.Context(), sms.Message{To: "+393331234567", Text: text})
		expect(t, err, taken())
		if got.Method != http.MethodPost || got.RequestURI != "/cgi-bin/sendsms" || got.Header.Get("Authorization") != "" {
			t.Errorf("%s %s with %v", got.Method, got.RequestURI, got.Header)
		}
		if diff := cmp.Diff(text, string(body)); diff != "" {
			t.Errorf("text (-sent +got):\n%s", diff)
		}
		for name, want := range map[string]string{
			"Content-Type":      "text/plain; charset=UTF-8",
			"X-Kannel-Username": "usher",
			"X-Kannel-Password": password,
			"X-Kannel-From":     "Usher",
			"X-Kannel-To":       "+393331234567",
			"X-Kannel-Coding":   coding,
		} {
			if diff := cmp.Diff([]string{want}, got.Header.Values(name)); diff != "" {
				t.Errorf("%q: %s (-want +got):\n%s", text, name, diff)
			}
		}
	}
}

func TestKannelOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   outcome
		says   string
	}{
		"accepted is taken":                              {202, "0: Accepted for delivery", taken(), ""},
		"queued is taken":                                {202, "3: Queued for later delivery", taken(), ""},
		"sent without waiting is taken":                  {202, "Sent. Message splits: 2", taken(), ""},
		"202 with other words is unknown":                {202, "I am a teapot", unknown(), "not a confirmation from Kannel"},
		"the words with another status are unknown":      {200, "0: Accepted for delivery", unknown(), "answered 200"},
		"the words with an error are not a confirmation": {503, "0: Accepted for delivery", temporary(503), "503"},
		"a wrong password is the platform's problem":     {403, "Authorization failed for sendsms", temporary(403), "SMS password file: 403 Authorization failed for sendsms"},
		"no route refuses the number":                    {403, "Not routable. Do not try again.", refused("number", 403), "refused the number permanently, so use another number: 403 Not routable."},
		"a black list refuses the number":                {400, "Number(s) has/have been denied by white- and/or black-lists.", refused("number", 400), "denied by white"},
		"a missing sender is the platform's problem":     {400, "Sender missing and no global set, rejected", temporary(400), "platform team must check: 400 Sender missing"},
		"a temporary failure is temporary":               {503, "Temporal failure, try again later.", temporary(503), "cannot accept messages now: 503 Temporal failure"},
		"a wrong path is the platform's problem":         {404, "Unknown request.", temporary(404), "URL: 404 Unknown request."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, answer(c.status, c.body))
			err := client(t, sms.Kannel, server.URL).Send(t.Context(), aMessage())
			expect(t, err, c.want, c.says)
		})
	}
}
