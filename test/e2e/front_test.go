// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/usher-dev/usher/hack/cluster/tlsfront"
)

// proxy spreads requests over the portals and serves them over TLS, as an ingress does. The API
// server and the browser know its CA.
type proxy struct {
	// url is the public address of the portals.
	url    string
	ca     []byte
	client *http.Client
	// pin is the hash of the key of its certificate, as Chromium takes it.
	pin    string
	server *http.Server

	mu sync.Mutex
	// behind are the addresses of the portals.
	behind []string
	turn   int
}

func startFront(ctx context.Context) *proxy {
	GinkgoHelper()
	identity, err := tlsfront.NewIdentity()
	Expect(err).NotTo(HaveOccurred())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	pool := x509.NewCertPool()
	Expect(pool.AppendCertsFromPEM(identity.CA)).To(BeTrue())
	leaf, err := x509.ParseCertificate(identity.TLS().Certificates[0].Certificate[0])
	Expect(err).NotTo(HaveOccurred())
	pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	p := &proxy{
		url: "https://localhost:" + port, ca: identity.CA, pin: base64.StdEncoding.EncodeToString(pin[:]),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}},
	}
	p.server = &http.Server{
		ReadHeaderTimeout: time.Second, TLSConfig: identity.TLS(),
		Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: p.next()})
			r.Out.Host = r.In.Host
			// Each visitor sets their own address: see visitor and page.
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		}},
	}
	go func() { _ = p.server.ServeTLS(listener, "", "") }()
	DeferCleanup(p.server.Close)
	return p
}

// add adds a portal.
func (p *proxy) add(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behind = append(p.behind, address)
}

// next returns the portals in turn. Before there is one, it returns an address where none is.
func (p *proxy) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.behind) == 0 {
		return "127.0.0.1:1"
	}
	p.turn++
	return p.behind[p.turn%len(p.behind)]
}
