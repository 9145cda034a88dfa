// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

// leaks returns the strings that no error may contain, in every encoding.
func leaks(user string) []string {
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return []string{
		password, url.QueryEscape(password), url.PathEscape(password), html.EscapeString(password), basic,
		base64.StdEncoding.EncodeToString([]byte(password)),
		token, text, "usher.example.org/i", "Acme invites you",
	}
}

func expectNoLeak(t *testing.T, err error, user string) {
	t.Helper()
	for _, secret := range leaks(user) {
		for _, form := range []string{"%v", "%+v", "%#v", "%q"} {
			if s := fmt.Sprintf(form, err); strings.Contains(s, secret) {
				t.Errorf("%q is in the error, as %s: %s", secret, form, s)
			}
		}
	}
}

// TestGatewayThatQuotesWhatItWasTold covers all the ways in which servers quote what they refuse.
func TestGatewayThatQuotesWhatItWasTold(t *testing.T) {
	t.Parallel()
	asJSON := func(s string) string {
		b, err := json.Marshal(map[string]any{"code": 21211, "message": s})
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	quotes := map[string]func(r *http.Request, body string) string{
		"the text":                         func(*http.Request, string) string { return "bad text <" + text + ">" },
		"the end of the link":              func(*http.Request, string) string { return "bad link " + text[len(text)-20:] },
		"the text, escaped for HTML":       func(*http.Request, string) string { return "bad text: " + html.EscapeString(text) },
		"the text, escaped for a query":    func(*http.Request, string) string { return "bad text: " + url.QueryEscape(text) },
		"the text, on two lines":           func(*http.Request, string) string { return strings.ReplaceAll(text, " ", "\r\n  ") },
		"the text, as JSON":                func(*http.Request, string) string { return asJSON("bad text: " + text) },
		"the body":                         func(_ *http.Request, body string) string { return body },
		"the body, as JSON":                func(_ *http.Request, body string) string { return asJSON(body) },
		"the password":                     func(*http.Request, string) string { return "password " + password + " is wrong" },
		"the password, escaped for a URL":  func(*http.Request, string) string { return "no " + url.PathEscape(password) },
		"the password, escaped for HTML":   func(*http.Request, string) string { return "no " + html.EscapeString(password) },
		"the password, escaped for a form": func(*http.Request, string) string { return "no " + url.QueryEscape(password) },
		"the password, in base64": func(*http.Request, string) string {
			return base64.StdEncoding.EncodeToString([]byte(password))
		},
		"the sign-in header": func(r *http.Request, _ string) string {
			return "not let in: " + r.Header.Get("Authorization") + r.Header.Get("X-Kannel-Password")
		},
		"the whole request": func(r *http.Request, body string) string {
			head, _ := httputil.DumpRequest(r, false)
			return string(head) + body
		},
		"the password, after a long page": func(*http.Request, string) string {
			return strings.Repeat(" ", 64<<10-8) + password
		},
	}
	for name, quote := range quotes {
		for _, status := range []int{200, 202, 302, 400, 403, 503} {
			for _, dialect := range dialects {
				t.Run(fmt.Sprintf("%s, with %d from %s", name, status, dialect), func(t *testing.T) {
					t.Parallel()
					server := start(t, func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						w.WriteHeader(status)
						_, _ = io.WriteString(w, quote(r, string(body)))
					})
					c := client(t, dialect, server.URL)
					err := c.Send(t.Context(), aMessage())
					if err == nil {
						t.Fatal("the gateway took the message")
					}
					expectNoLeak(t, err, gateway(t, dialect, server.URL).User)
				})
			}
		}
	}
}

func TestConfirmationThatRepeatsTheTextIsStillOne(t *testing.T) {
	t.Parallel()
	server := start(t, answer(http.StatusCreated, `{"sid":"SM1","body":"`+text+`"}`))
	expect(t, client(t, sms.Twilio, server.URL).Send(t.Context(), aMessage()), taken())
}

// TestAnswerThatBreaksOffWithinThePassword checks that the error does not show the first half.
func TestAnswerThatBreaksOffWithinThePassword(t *testing.T) {
	t.Parallel()
	server := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "wrong: "+password[:12])
	})
	err := client(t, sms.Kannel, server.URL).Send(t.Context(), aMessage())
	expect(t, err, temporary(403))
	if strings.Contains(err.Error(), password[:12]) {
		t.Errorf("half of the password is in the error: %v", err)
	}
}
