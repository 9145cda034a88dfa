// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email_test

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
	"github.com/usher-dev/usher/internal/notifier/email"
)

const password = "correct horse battery staple"

// authority is a certificate authority for one test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	// file is the path of its certificate.
	file string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem"), cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageCertSign,
	}}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.sign(t, ca.cert)})
	if err := os.WriteFile(ca.file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return ca
}

func (ca authority) sign(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// certify returns a server configuration for 127.0.0.1.
func (ca authority) certify(t *testing.T, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(leaf)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{ca.sign(t, leaf)}, PrivateKey: ca.key}}}
}

func trust(t *testing.T, file string) func(*email.Config) {
	t.Helper()
	return func(cfg *email.Config) {
		pool, err := email.RootCAs(file)
		if err != nil {
			t.Fatal(err)
		}
		cfg.RootCAs = pool
		cfg.Password = func() (string, error) { return password, nil }
	}
}

func TestSendOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	config := ca.certify(t, nil)
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
			s := sender(t, ib, trust(t, ca.file))
			for range 3 {
				mustSend(t, s, aMessage())
			}
			if n, c := len(ib.Messages()), ib.Connections(); n != 3 || c != 1 {
				t.Errorf("%d messages over %d connections, want 3 over 1", n, c)
			}
			if ib.Commands("MAIL") != 0 || ib.Commands("AUTH") != 0 {
				t.Error("commands were sent in the clear")
			}
		})
	}
}

func TestSendGivesUpOnSilenceInTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ib := startInbox(t, inbox.Options{TLS: ca.certify(t, nil)})
	s := sender(t, ib, func(cfg *email.Config) { trust(t, ca.file)(cfg); cfg.ReplyTimeout = 100 * time.Millisecond })
	ib.FailAt(inbox.Body, inbox.Fault{Hang: true})
	if got := outcomeOf(t, s.Send(t.Context(), aMessage())); got != unknown {
		t.Errorf("got %v", got)
	}
}

func TestSendWhoseSignInFails(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	config := ca.certify(t, nil)
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
		"a server that is busy":             {inbox.Fault{Code: 454}, password, temporary(454)},
		"a server that cuts the connection": {inbox.Fault{Drop: true}, password, temporary(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ib := startInbox(t, inbox.Options{TLS: config, User: "usher", Password: password})
			asked := 0
			s := sender(t, ib, func(cfg *email.Config) {
				trust(t, ca.file)(cfg)
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
						t.Errorf("the error contains the password: %v", err)
					}
				}
			}
			if asked != 2 {
				t.Errorf("the password was read %d times, want once for each connection", asked)
			}
		})
	}
}
