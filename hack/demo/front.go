// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"

	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/cluster/tlsfront"
)

// clusterName is the name of the cluster in the kubeconfig of people.
const clusterName = "usher-demo"

// front serves the portal over TLS, which the API server requires of an issuer.
type front struct {
	*tlsfront.Front

	// behind is the address at which the portal listens.
	behind string
	// ca is the certificate of the CA in PEM form. caFile contains it.
	ca     []byte
	caFile string
	// authentication is the file with the AuthenticationConfiguration of the API server.
	authentication string
	// client trusts the CA.
	client *http.Client
}

func (d *demo) startFront(ctx context.Context) error {
	d.say("Creating a CA for the portal")
	identity, err := tlsfront.NewIdentity()
	if err != nil {
		return err
	}
	f := &front{ca: identity.CA, caFile: filepath.Join(d.dir, "portal-ca.pem"), authentication: filepath.Join(d.dir, "authentication.yaml")}
	if err := os.WriteFile(f.caFile, f.ca, 0o600); err != nil {
		return err
	}
	published := filepath.Join("config", "authentication", "authentication.yaml")
	if err := cluster.WriteAuthentication(f.authentication, published, d.portalPort.url(), f.ca); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(f.ca)
	f.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	if f.behind, err = cluster.FreeAddress(ctx); err != nil {
		return err
	}
	if f.Front, err = tlsfront.Start(ctx, identity, d.portalPort.address(), "http://"+f.behind); err != nil {
		return err
	}
	d.front = f
	return nil
}
