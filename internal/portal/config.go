// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
)

// Config is all that the portal needs. Random, Pause, Limits, TrustedProxies and
// Log may be left out; New refuses a Config without any of the others.
type Config struct {
	// BaseURL is where people reach the portal. The portal is mounted at its
	// path; links and origins are judged by it and never by a request's headers.
	BaseURL *url.URL
	// Namespace is Usher's own, where the Secrets of Accounts are kept.
	Namespace string
	// Clock tells what has expired.
	Clock clock.PassiveClock
	// Reader reads from a cache with the indexes of store.SetupIndexes. Pages are
	// shown from it.
	Reader client.Reader
	// Live reads past the cache. Nothing is accepted without it.
	Live client.Reader
	// Writer writes Accounts, Secrets and the answers to Invitations.
	Writer store.Writer
	// Keys gives the keys that links are checked with.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// Hasher hashes and verifies passwords: an account.Hasher.
	Hasher store.Hasher
	// Random is where sessions, codes and challenges come from. nil: the system.
	Random io.Reader
	// Pause waits. nil: it really does.
	Pause func(ctx context.Context, d time.Duration)
	// Limits on requests. The zero value stands for DefaultLimits.
	Limits Limits
	// TrustedProxies are those whose X-Forwarded-For is believed. Empty: the
	// client is whoever opened the connection.
	TrustedProxies []netip.Prefix
	// Log gets one line a request: route, status, duration.
	Log logr.Logger
}

func (c Config) check() error {
	var problems []error
	missing := func(missing bool, name string) {
		if missing {
			problems = append(problems, fmt.Errorf("portal: Config.%s must be set", name))
		}
	}
	missing(c.BaseURL == nil, "BaseURL")
	missing(c.Namespace == "", "Namespace")
	missing(c.Clock == nil, "Clock")
	missing(c.Reader == nil, "Reader")
	missing(c.Live == nil, "Live")
	missing(c.Writer == nil, "Writer")
	missing(c.Keys == nil, "Keys")
	missing(c.Hasher == nil, "Hasher")
	if u := c.BaseURL; u != nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		problems = append(problems, errors.New("portal: Config.BaseURL must be an address such as https://accounts.example.com, without user, query and fragment"))
	}
	return errors.Join(problems...)
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	return c
}

// Server serves the portal's handler at addr, with limits on what a client may
// send and on how long it may take.
func Server(handler http.Handler, addr string) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		// Above account.AcceptanceTimeout and the wait for a hash, so that whoever
		// accepts gets an answer.
		WriteTimeout:   45 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
}
