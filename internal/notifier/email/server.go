// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package email

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/usher-dev/usher/internal/wording/input"
)

// Security is how the connection to a mail server is protected.
type Security string

const (
	// STARTTLS begins in the clear and must switch to TLS before any other command (RFC 3207).
	STARTTLS Security = "STARTTLS"
	// TLS speaks TLS from the first byte (RFC 8314).
	TLS Security = "TLS"
	// Plaintext never uses TLS. It is for a server on the same machine, or for tests.
	Plaintext Security = "Plaintext"
)

var schemes = map[string]struct {
	security Security
	port     int
}{
	"smtp":           {STARTTLS, 587},
	"smtps":          {TLS, 465},
	"smtp+plaintext": {Plaintext, 25},
}

// Server is a mail server to send to. It holds no secret.
type Server struct {
	// Host is a name or an IP address without brackets.
	Host string
	// Port is the TCP port.
	Port int
	// User is the user name for AUTH (RFC 4954). Empty means no sign-in.
	User string
	// Security is how the connection is protected.
	Security Security
}

// ParseURL parses the URL of a mail server, in one of these forms:
//
//	smtp://[user@]host[:587]       STARTTLS is required
//	smtps://[user@]host[:465]      TLS from the first byte
//	smtp+plaintext://host[:25]     no TLS at all, and so no sign-in
//
// The error is one sentence that says what to write. It never repeats the URL, because the URL can
// contain a password.
func ParseURL(raw string) (Server, error) {
	const example = "write it like smtp://user@mail.example.org:587"
	u, err := url.Parse(raw)
	if err != nil {
		return Server{}, errors.New("the mail server is not a URL: " + example)
	}
	scheme, known := schemes[u.Scheme]
	if _, has := u.User.Password(); has {
		return Server{}, errors.New("the mail server's URL must not contain a password: put it in the password file")
	}
	host := u.Hostname()
	switch {
	case !known:
		return Server{}, errors.New("the mail server's URL must begin with smtp:// (STARTTLS), smtps:// (TLS) or smtp+plaintext:// (no TLS): " + example)
	case host == "" || strings.ContainsFunc(host, input.BreaksLine) || strings.ContainsAny(host, " /@"):
		return Server{}, errors.New("the mail server's URL has no host: " + example)
	case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
		return Server{}, errors.New("the mail server's URL must end after the port: " + example)
	case u.User != nil && (u.User.Username() == "" || strings.ContainsFunc(u.User.Username(), input.BreaksLine)):
		return Server{}, errors.New("the mail server's URL has an @ without a user before it: " + example)
	case u.User != nil && scheme.security == Plaintext:
		return Server{}, errors.New("smtp+plaintext:// cannot sign in, because it would send the password in the clear: write smtp:// or smtps://, or leave the user out")
	}
	s := Server{Host: host, Port: scheme.port, User: u.User.Username(), Security: scheme.security}
	if p := u.Port(); p != "" {
		if s.Port, err = strconv.Atoi(p); err != nil || s.Port < 1 || s.Port > 65535 {
			return Server{}, errors.New("the mail server's port must be from 1 to 65535: " + example)
		}
	}
	return s, nil
}

// Address returns the host and port to connect to.
func (s Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// PasswordFile returns a function that reads the password from the file each time, without the line
// break at its end. So the next connection uses a rotated password.
func PasswordFile(path string) func() (string, error) {
	return func() (string, error) {
		b, err := os.ReadFile(path) //nolint:gosec // G304: the path is the platform's own setting.
		if err != nil {
			return "", err
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
}

// RootCAs returns the roots that this machine trusts and those in the PEM file.
func RootCAs(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // G304: the path is the platform's own setting.
	if err != nil {
		return nil, fmt.Errorf("the CA file cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s contains no certificate: it must be in PEM format", path)
	}
	return pool, nil
}
