// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/mail"
)

const password = "correct horse battery staple"

// selfMadeCA returns a server configuration for 127.0.0.1 and the file of the authority behind it.
func selfMadeCA(t *testing.T, change func(*x509.Certificate)) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(leaf)
	}
	sign := func(c *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sign(ca)}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{sign(leaf)}, PrivateKey: key}}}, file
}

func trust(t *testing.T, file string) func(*mail.Config) {
	t.Helper()
	return func(cfg *mail.Config) {
		pool, err := mail.RootCAs(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg.RootCAs = pool
		cfg.Password = func() (string, error) { return password, nil }
	}
}

func TestSendOverTLS(t *testing.T) {
	t.Parallel()
	config, ca := selfMadeCA(t, nil)
	for name, opts := range map[string]inbox.Options{
		"STARTTLS":                      {TLS: config},
		"TLS":                           {TLS: config, ImplicitTLS: true},
		"STARTTLS and AUTH PLAIN":       {TLS: config, User: "usher", Password: password},
		"TLS and AUTH PLAIN":            {TLS: config, ImplicitTLS: true, User: "usher", Password: password},
		"STARTTLS and AUTH LOGIN":       {TLS: config, User: "usher", Password: password, AuthLogin: true},
		"TLS and a user with an @ sign": {TLS: config, ImplicitTLS: true, User: "usher@example.org", Password: password},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, opts)
			s := sender(t, ib, trust(t, ca))
			for range 3 {
				mustSend(t, s, aMessage())
			}
			if n, c := len(ib.Messages()), ib.Connections(); n != 3 || c != 1 {
				t.Errorf("%d messages over %d connections, want 3 over 1", n, c)
			}
			if ib.Commands("MAIL") != 0 || ib.Commands("AUTH") != 0 {
				t.Error("commands went out in the clear")
			}
		})
	}
}

func TestSendOutcomeOverTLS(t *testing.T) {
	t.Parallel()
	config, ca := selfMadeCA(t, nil)
	ib := startInbox(t, inbox.Options{TLS: config})
	s := sender(t, ib, func(cfg *mail.Config) { trust(t, ca)(cfg); cfg.ReplyTimeout = time.Second })
	for _, c := range []struct {
		stage inbox.Stage
		fault inbox.Fault
		want  outcome
	}{
		{inbox.Rcpt, inbox.Fault{Drop: true}, temporary(0)},
		{inbox.Rcpt, inbox.Fault{Code: 550}, refused("RCPT TO", 550)},
		{inbox.Body, inbox.Fault{Code: 451}, temporary(451)},
		{inbox.Body, inbox.Fault{Drop: true, Accept: true}, outcome{Class: "unknown"}},
		{inbox.Body, inbox.Fault{Hang: true}, outcome{Class: "unknown"}},
	} {
		ib.FailAt(c.stage, c.fault)
		if got := outcomeOf(t, s.Send(t.Context(), aMessage())); got != c.want {
			t.Errorf("%s %+v: got %v, want %v", c.stage, c.fault, got, c.want)
		}
	}
}

func TestSendNeverFallsBackToClearText(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	s := sender(t, ib, func(cfg *mail.Config) {
		cfg.Server.Security = mail.STARTTLS
		cfg.Server.User = "usher"
		cfg.Password = func() (string, error) { return password, nil }
	})
	err := s.Send(t.Context(), aMessage())
	if got := outcomeOf(t, err); got != temporary(0) || !strings.Contains(err.Error(), "does not offer STARTTLS") {
		t.Errorf("got %v: %v", got, err)
	}
	if ib.Commands("AUTH")+ib.Commands("MAIL")+ib.Commands("DATA") != 0 || len(ib.Messages()) != 0 {
		t.Error("something was sent in the clear")
	}
	if ib.Commands("EHLO") != 1 {
		t.Error("the clear-text dialogue was not seen at all")
	}
}

func TestSendTrustsNobodyByItself(t *testing.T) {
	t.Parallel()
	good, ca := selfMadeCA(t, nil)
	expired, expiredCA := selfMadeCA(t, func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Hour) })
	other, otherCA := selfMadeCA(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} })
	old := good.Clone()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	for name, c := range map[string]struct {
		config *tls.Config
		ca     string
		says   string
	}{
		"an authority that is not trusted": {good, otherCA, "not trusted"},
		"a certificate that has expired":   {expired, expiredCA, "expired"},
		"a certificate for another host":   {other, otherCA, "another host"},
		"a server that knows only old TLS": {old, ca, "TLS with the mail server failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, implicit := range []bool{false, true} {
				ib := startInbox(t, inbox.Options{TLS: c.config, ImplicitTLS: implicit, User: "usher", Password: password})
				err := sender(t, ib, trust(t, c.ca)).Send(t.Context(), aMessage())
				if got := outcomeOf(t, err); got != temporary(0) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("implicit %v: got %v: %v, want it to say %q", implicit, got, err, c.says)
				}
				if len(ib.Messages()) != 0 {
					t.Error("the message was sent")
				}
			}
		})
	}
}

func TestSendTLSToAServerWithoutTLS(t *testing.T) {
	t.Parallel()
	ib := startInbox(t, inbox.Options{})
	err := sender(t, ib, func(cfg *mail.Config) { cfg.Server.Security = mail.TLS }).Send(t.Context(), aMessage())
	if got := outcomeOf(t, err); got != temporary(0) || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("got %v: %v", got, err)
	}
}

func TestSendWhoseSignInFails(t *testing.T) {
	t.Parallel()
	config, ca := selfMadeCA(t, nil)
	for name, c := range map[string]struct {
		fault    inbox.Fault
		password string
		want     outcome
	}{
		"a wrong password": {inbox.Fault{}, "wrong horse battery staple", temporary(535)},
		"a server that repeats the password": {
			inbox.Fault{Code: 535, Text: "bad: " + password + " / " + base64.StdEncoding.EncodeToString([]byte("\x00usher\x00"+password))},
			password, temporary(535),
		},
		"a server that is busy":       {inbox.Fault{Code: 454}, password, temporary(454)},
		"a server that cuts the line": {inbox.Fault{Drop: true}, password, temporary(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, inbox.Options{TLS: config, User: "usher", Password: password})
			asked := 0
			s := sender(t, ib, func(cfg *mail.Config) {
				trust(t, ca)(cfg)
				cfg.Password = func() (string, error) { asked++; return c.password, nil }
			})
			ib.FailAt(inbox.Auth, c.fault)
			for range 2 {
				err := s.Send(t.Context(), aMessage())
				if got := outcomeOf(t, err); got != c.want {
					t.Errorf("got %v: %v", got, err)
				}
				for _, secret := range []string{"horse", "staple", "AHVzaGVy", "Y29ycmVjdC"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("the error holds the password: %v", err)
					}
				}
			}
			if asked != 2 {
				t.Errorf("the password was asked for %d times, want at each connection", asked)
			}
		})
	}
}
