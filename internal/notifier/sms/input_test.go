// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

func TestPasswordIsReadEachTime(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	server := start(t, func(w http.ResponseWriter, r *http.Request) {
		_, last, _ := r.BasicAuth()
		got.Store(last)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid":"SM1"}`)
	})
	current := "first"
	cfg := config(t, sms.Twilio, server.URL)
	cfg.Password = func() (string, error) { return current, nil }
	c := sms.New(cfg)
	for _, current = range []string{"first", "second"} {
		expect(t, c.Send(t.Context(), aMessage()), taken())
		if got.Load() != current {
			t.Errorf("signed in with %v, want %q", got.Load(), current)
		}
	}
}

func TestPasswordThatCannotBeUsedSendsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		password func() (string, error)
		says     string
	}{
		"no file":                     {nil, "set the SMS password file"},
		"a missing file":              {func() (string, error) { return "", os.ErrNotExist }, "cannot be read: check the SMS password file"},
		"an empty file":               {func() (string, error) { return "", nil }, "is empty"},
		"a file with two lines":       {func() (string, error) { return "hunter2\r\nX-Kannel-To: +1", nil }, "one line"},
		"a file with a leading space": {func() (string, error) { return " hunter2", nil }, "without leading or trailing spaces"},
		"a file with a tab":           {func() (string, error) { return "hunter2\tx", nil }, "one line"},
		"a huge file":                 {func() (string, error) { return strings.Repeat("hunter2", 1000), nil }, "one line"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dialect := range dialects {
				var requests atomic.Int32
				server := start(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
				cfg := config(t, dialect, server.URL)
				cfg.Password = c.password
				err := sms.New(cfg).Send(t.Context(), aMessage())
				expect(t, err, temporary(0), c.says)
				if n := requests.Load(); n != 0 || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%d requests arrived, and the error is: %v", n, err)
				}
			}
		})
	}
}

func TestMessageThatCannotBeSent(t *testing.T) {
	t.Parallel()
	server := start(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	for name, c := range map[string]struct {
		m    sms.Message
		part string
		says string
	}{
		"without a number":             {sms.Message{Text: text}, "number", "the number is missing"},
		"to a number with spaces":      {sms.Message{To: "+39 333 1234567", Text: text}, "number", "+ and digits only"},
		"to two numbers":               {sms.Message{To: "+393331234567 +393331234568", Text: text}, "number", "characters other than digits"},
		"to a number and a header":     {sms.Message{To: "+393331234567\r\nX-Kannel-SMSC: x", Text: text}, "number", "characters other than digits"},
		"without a text":               {sms.Message{To: "+393331234567", Text: " \n"}, "text", "is empty"},
		"with a NUL":                   {sms.Message{To: "+393331234567", Text: "a\x00b"}, "text", "control character"},
		"with invalid UTF-8":           {sms.Message{To: "+393331234567", Text: "a\xffb"}, "text", "not valid UTF-8"},
		"with a text that is too long": {sms.Message{To: "+393331234567", Text: strings.Repeat("a", 1531)}, "text", "11 segments long, but the limit is 10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dialect := range dialects {
				err := client(t, dialect, server.URL).Send(t.Context(), c.m)
				expect(t, err, outcome{Class: "invalid", Part: c.part}, "the text message cannot be sent: ", c.says)
			}
		})
	}
}

func TestSenderThatCannotBeIsThePlatformsAffair(t *testing.T) {
	t.Parallel()
	server := start(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	cfg := config(t, sms.Kannel, server.URL)
	cfg.From = "Usher\r\nX-Kannel-SMSC: x"
	expect(t, sms.New(cfg).Send(t.Context(), aMessage()), temporary(0), "the SMS sender must be")
}
