// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package tlsfront serves a program on this machine over TLS, with a certificate of a CA that
// exists only for the demo and the specs. In an installation, an ingress controller does that.
package tlsfront

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// Identity is a certificate for localhost and 127.0.0.1, and the CA that signed it.
type Identity struct {
	// CA is the certificate of the CA in PEM form.
	CA   []byte
	leaf tls.Certificate
}

// TLS returns the settings of a server with the certificate.
func (i Identity) TLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.leaf}, MinVersion: tls.VersionTLS12}
}

// Front is a running server.
type Front struct {
	server *http.Server
	done   chan error
}

// life is how long the certificates are valid.
const life = 30 * 24 * time.Hour

// Start serves the program at target, such as http://127.0.0.1:8080, at an address of the loopback
// interface.
func Start(ctx context.Context, identity Identity, address, target string) (*Front, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// Browsers that do not know the CA end connections, which is no error of the program.
	quiet := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		ErrorLog: quiet,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		// Browsers would apply it to all ports of localhost, and so to other programs.
		ModifyResponse: func(response *http.Response) error {
			response.Header.Del("Strict-Transport-Security")
			return nil
		},
	}
	f := &Front{done: make(chan error, 1), server: &http.Server{
		Handler: proxy, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet,
		TLSConfig: identity.TLS(),
	}}
	go func() { f.done <- f.server.ServeTLS(listener, "", "") }()
	return f, nil
}

// Close ends the server.
func (f *Front) Close() error {
	err := f.server.Close()
	if served := <-f.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// NewIdentity creates a CA and a certificate. The key of the CA is forgotten.
func NewIdentity() (Identity, error) {
	now := time.Now()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, fmt.Errorf("create a certificate: %w", err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Usher demo CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rawCA, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	if err != nil {
		return Identity{}, fmt.Errorf("create a certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, fmt.Errorf("create a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, root, &key.PublicKey, caKey)
	if err != nil {
		return Identity{}, fmt.Errorf("create a certificate: %w", err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rawCA})
	return Identity{ca, tls.Certificate{Certificate: [][]byte{raw, rawCA}, PrivateKey: key}}, nil
}
