// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package sms_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/notifier/sms"
)

const sid = "AC0123456789abcdef0123456789abcdef"

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]sms.Gateway{
		"kannel+https://usher@sms.example.org:13013/cgi-bin/sendsms": {Dialect: sms.Kannel, URL: "https://sms.example.org:13013/cgi-bin/sendsms", User: "usher"},
		"kannel+http://usher@127.0.0.1:13013":                        {Dialect: sms.Kannel, URL: "http://127.0.0.1:13013/cgi-bin/sendsms", User: "usher"},
		"kannel+https://usher@sms.example.org/":                      {Dialect: sms.Kannel, URL: "https://sms.example.org/cgi-bin/sendsms", User: "usher"},
		"kannel+https://usher@sms.example.org/sms/send%20it":         {Dialect: sms.Kannel, URL: "https://sms.example.org/sms/send%20it", User: "usher"},
		"kannel+https://usher@sms.example.org/a%2Fb":                 {Dialect: sms.Kannel, URL: "https://sms.example.org/a%2Fb", User: "usher"},
		"kannel+http://us%40er@[::1]:13013":                          {Dialect: sms.Kannel, URL: "http://[::1]:13013/cgi-bin/sendsms", User: "us@er"},
		"KANNEL+HTTP://usher@kannel.sms.svc":                         {Dialect: sms.Kannel, URL: "http://kannel.sms.svc/cgi-bin/sendsms", User: "usher"},
		"twilio+https://" + sid + "@api.twilio.com":                  {Dialect: sms.Twilio, URL: "https://api.twilio.com", User: sid},
		"twilio+http://" + sid + "@127.0.0.1:8080/":                  {Dialect: sms.Twilio, URL: "http://127.0.0.1:8080", User: sid},
	} {
		got, err := sms.ParseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestParseURLSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                      "must begin with kannel+https://",
		"sms.example.org":                       "must begin with kannel+https://",
		"https://usher@sms.example.org":         "must begin with kannel+https://",
		"kannel://usher@sms.example.org":        "must begin with kannel+https://",
		"kannel+https://us er@sms.example.org":  "is not a URL",
		"kannel+https://usher@":                 "has no host",
		"kannel+https:usher@sms.example.org":    "has no host",
		"kannel+https://usher@:13013":           "has no host",
		"kannel+https://usher@sms%20ex.org":     "is not a URL",
		"kannel+https://usher@smsé.example.org": "has no host",
		"kannel+https://usher@-sms.example.org": "has no host",
		"kannel+https://usher@[fe80::1%25eth0]": "has no host",
		"kannel+https://sms.example.org":        "sendsms-user before the @",
		"kannel+https://@sms.example.org":       "sendsms-user before the @",
		"kannel+https://a%0Ab@sms.example.org":  "sendsms-user before the @",
		"kannel+https://j%C3%A9@sms.example":    "sendsms-user before the @",
		"kannel+https://u@sms.example:0":        "from 1 to 65535",
		"kannel+https://u@sms.example:65536":    "from 1 to 65535",
		"kannel+https://u@sms.example:":         "from 1 to 65535",
		"kannel+https://u@sms.example/x?y=z":    "after the path",
		"kannel+https://u@sms.example/x?":       "after the path",
		"kannel+https://u@sms.example/x#y":      "after the path",
		"twilio+https://api.twilio.com":         "account SID",
		"twilio+https://usher@api.twilio.com":   "account SID",
		"twilio+https://AC@api.twilio.com":      "account SID",
		"twilio+https://AC%2F..@api.twilio.com": "account SID",
		"twilio+https://" + sid + "@x.org/2010": "after Twilio's host",
		"kannel+https://u:hunter2@sms.example":  "SMS password file",
		"kannel+https://u:@sms.example":         "SMS password file",
		"https://u:hunter2@sms.example":         "SMS password file",
		"kannel+https://u:hunter2%zz@s.example": "is not a URL",
	} {
		_, err := sms.ParseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error contains the password: %v", raw, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("kannel+https://usher:", "@sms.example.org:13013/cgi-bin/sendsms")
	f.Add("twilio+https://"+sid+"@api.twilio.com/", "")
	f.Add("kannel+http://usher@[::1]:13013/%2e%2e/", "?a#b")
	f.Add("kannel+https://", "@h")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "xhunter2x"
		g, err := sms.ParseURL(before + secret + after)
		if err != nil {
			if strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("the error repeats the URL: %v", err)
			}
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL, http.NoBody)
		switch {
		case err != nil:
			t.Errorf("%q is not a valid request URL: %v", g.URL, err)
		case req.URL.User != nil || req.URL.RawQuery != "" || req.URL.Fragment != "" || req.URL.Hostname() == "":
			t.Errorf("%q is more than scheme, host and path", g.URL)
		case req.URL.Scheme != "http" && req.URL.Scheme != "https":
			t.Errorf("%q is not for HTTP", g.URL)
		case g.Dialect == sms.Twilio && strings.ContainsAny(g.User, "/?#.%\\"):
			t.Errorf("%q escapes from its place in the path", g.User)
		}
	})
}

func TestCheckSender(t *testing.T) {
	t.Parallel()
	service := "MG" + strings.Repeat("0a", 16)
	for from, c := range map[string]struct{ kannel, twilio bool }{
		"+393331234567":           {true, true},
		"393331234567":            {true, true},
		"12345":                   {true, true},
		"Usher":                   {true, true},
		"Acme & Co. 1":            {false, false}, // 12 characters
		"Acme & Co.1":             {true, true},
		"4 Acme":                  {true, true},
		service:                   {false, true},
		service + "0":             {false, false},
		"":                        {false, false},
		" Usher":                  {false, false},
		"Usher ":                  {false, false},
		"4 4":                     {false, false},
		"Überbringer":             {false, false},
		"Usher\nX: y":             {false, false},
		"+3933312345678901":       {false, false},
		"AlphaNumeric":            {false, false},
		"+39 333 123":             {false, false},
		"MG" + "0123456789abcdef": {false, false},
	} {
		for dialect, want := range map[sms.Dialect]bool{sms.Kannel: c.kannel, sms.Twilio: c.twilio} {
			err := sms.Gateway{Dialect: dialect}.CheckSender(from)
			if (err == nil) != want {
				t.Errorf("%q with %s: got %v, want it to be valid: %t", from, dialect, err, want)
			}
			if err != nil && !strings.Contains(err.Error(), "must be a number such as +393331234567") {
				t.Errorf("%q: %v does not say what to write", from, err)
			}
		}
	}
}
