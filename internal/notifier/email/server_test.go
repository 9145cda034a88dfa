// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-dev/usher/internal/notifier/email"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]email.Server{
		"smtp://mail.example.org":                  {Host: "mail.example.org", Port: 587, Security: email.STARTTLS},
		"smtp://usher@mail.example.org:25":         {Host: "mail.example.org", Port: 25, User: "usher", Security: email.STARTTLS},
		"smtp://usher%40example.org@mail.example/": {Host: "mail.example", Port: 587, User: "usher@example.org", Security: email.STARTTLS},
		"smtps://usher@mail.example.org":           {Host: "mail.example.org", Port: 465, User: "usher", Security: email.TLS},
		"smtp+plaintext://127.0.0.1":               {Host: "127.0.0.1", Port: 25, Security: email.Plaintext},
		"smtp+plaintext://[::1]:1025":              {Host: "::1", Port: 1025, Security: email.Plaintext},
		"SMTPS://mail.example.org:2465":            {Host: "mail.example.org", Port: 2465, Security: email.TLS},
	} {
		got, err := email.ParseURL(raw)
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
		"":                                         "must begin with smtp://",
		"mail.example.org:587":                     "must begin with smtp://",
		"mail.example.org":                         "must begin with smtp://",
		"http://mail.example.org":                  "must begin with smtp://",
		"smtp://":                                  "has no host",
		"smtp://:587":                              "has no host",
		"smtp://us er@mail.example.org":            "is not a URL",
		"smtp://usher:hunter2@mail.example.org":    "password file",
		"smtp://usher:@mail.example.org":           "password file",
		"http://usher:hunter2@mail.example.org":    "password file",
		"smtp+plaintext://usher@127.0.0.1":         "in the clear",
		"smtp://@mail.example.org":                 "without a user",
		"smtp://a%0Ab@mail.example.org":            "without a user",
		"smtp://mail.example.org:0":                "from 1 to 65535",
		"smtp://mail.example.org:65536":            "from 1 to 65535",
		"smtp://mail.example.org/inbox":            "after the port",
		"smtp://mail.example.org?tls=no":           "after the port",
		"smtp://usher:hunter2%zz@mail.example.org": "is not a URL",
	} {
		_, err := email.ParseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error contains the password: %v", raw, err)
		}
	}
}

func TestPasswordFileIsReadEachTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "password")
	read := email.PasswordFile(path)
	if _, err := read(); err == nil {
		t.Error("a missing file gave no error")
	}
	for _, want := range []string{"first", " second with spaces "} {
		if err := os.WriteFile(path, []byte(want+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

func TestRootCAsNeedACertificate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := email.RootCAs(path); err == nil {
		t.Error("a missing file gave no error")
	}
	if err := os.WriteFile(path, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := email.RootCAs(path); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("got %v, want it to ask for PEM", err)
	}
}
