// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/usher-dev/usher/internal/sanitize"
)

const (
	// timeout limits each request to the issuer.
	timeout = 15 * time.Second
	// maxAnswer limits each answer of the issuer, in bytes.
	maxAnswer = 1 << 20
	// skew is how far the clocks of the computer and the issuer may differ.
	skew = time.Minute
)

// ErrEnded means that the sign-in has ended: the person has to sign in again.
var ErrEnded = errors.New("the sign-in has ended")

// clockError means that the clocks of this computer and of the issuer differ. Its value is
// how far this one is ahead.
type clockError time.Duration

func (e clockError) Error() string {
	off, way := time.Duration(e).Round(time.Minute), "ahead of"
	if off < 0 {
		off, way = -off, "behind"
	}
	return fmt.Sprintf("the clock of this computer is %s %s that of the issuer; set the clock, because tokens begin and end by it", off, way)
}

// checkClock compares the clock of the computer with a time that the issuer just told.
func checkClock(now, told time.Time) error {
	if off := now.Sub(told); off > skew || off < -skew {
		return clockError(off)
	}
	return nil
}

// httpClient returns a client for the issuer only. It follows no redirects, which could
// take tokens elsewhere.
func httpClient(c Config) (*http.Client, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	if len(c.CA) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("the CA of the issuer has no certificate in PEM form")
		}
		base.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: guard{base, c.Now}, Timeout: timeout,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return fmt.Errorf("it redirects to %s; use the address at which it answers itself", to.URL.Host)
		},
	}, nil
}

// guard is a transport that checks answers before anyone reads them.
type guard struct {
	http.RoundTripper
	now func() time.Time
}

// RoundTrip limits an answer. It refuses one that shows that a clock is wrong, so that the
// check comes before a refresh token is used.
func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	told, err := http.ParseTime(response.Header.Get("Date"))
	if err == nil && response.Header.Get("Age") == "" { // an answer from a cache has an old date
		if err := checkClock(g.now(), told); err != nil {
			_ = response.Body.Close() // nothing was read
			return nil, err
		}
	}
	return response, nil
}

// explainDiscovery adds what to do to an error of the first request.
func explainDiscovery(doing string, err error) error {
	if mismatch, is := errors.AsType[*oidc.IssuerMismatchError](err); is {
		return fmt.Errorf("%s: the issuer calls itself %q; set --issuer to exactly that", doing, mismatch.Discovered)
	}
	if explained := explainKnown(doing, err); explained != nil {
		return explained
	}
	return fmt.Errorf("%s: check whether this is the address of the portal: %s", doing, sanitize.Shorten(sanitize.SingleLine(err.Error()), 200))
}

// explain adds what to do to an error of a request.
func explain(doing string, err error) error {
	if explained := explainKnown(doing, err); explained != nil {
		return explained
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// explainKnown does the same as explain. It returns nil for an error that it does not know.
func explainKnown(doing string, err error) error {
	var (
		clock   clockError
		refused *oauth2.RetrieveError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	why := sanitize.ConnectionFailure(err)
	switch {
	case errors.As(err, &clock):
		return fmt.Errorf("%s: %w", doing, clock)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	case errors.As(err, &refused):
		return explainRefusal(doing, refused)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s: its certificate is signed by an unknown CA; get the kubeconfig again, or set --issuer-ca", doing)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%s: %s; check the clock of this computer", doing, why)
	case why != "":
		return fmt.Errorf("%s: %s; check the network, the VPN and the address", doing, why)
	}
	return nil
}

func explainRefusal(doing string, refused *oauth2.RetrieveError) error {
	switch {
	case refused.ErrorCode == "invalid_grant":
		return ErrEnded
	case refused.ErrorCode != "":
		return fmt.Errorf("%s: the issuer answered %s: %s", doing, refused.ErrorCode, refused.ErrorDescription)
	}
	return fmt.Errorf("%s: the issuer answered %d", doing, refused.Response.StatusCode)
}
