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
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store"
)

// Config holds everything that the portal needs. Client, Cluster, Random, Pause, Limits,
// TrustedProxies and Log are optional. New refuses a Config that lacks any other
// field.
type Config struct {
	// BaseURL is the public address of the portal. The portal is mounted at its path.
	// Links and origins are checked against BaseURL, never against the headers of a
	// request.
	BaseURL *url.URL
	// Namespace holds the Secrets of Accounts. OwnNamespace is Usher's own, which holds
	// the records of withheld user names.
	Namespace, OwnNamespace string
	// Clock decides what has expired.
	Clock clock.PassiveClock
	// Reader reads from a cache with the indexes of store.SetupIndexes. Pages show
	// what it returns.
	Reader client.Reader
	// Live reads from the API server, without the cache. The portal accepts nothing
	// without a live read.
	Live client.Reader
	// Writer writes Accounts, Secrets and the answers to Invitations.
	Writer store.Writer
	// Keys returns the keys that check the links of Invitations.
	Keys func(ctx context.Context) (invitation.Keyring, error)
	// SeedKeys returns the keys that seal the seeds of authenticator apps.
	SeedKeys func(ctx context.Context) (invitation.Keyring, error)
	// ResetKeys returns the keys that check links for a new password.
	ResetKeys func(ctx context.Context) (invitation.Keyring, error)
	// IssuerKeys returns the keys of the issuer.
	IssuerKeys func(ctx context.Context) (keys.Ring, error)
	// Client returns the client of the issuer with that client_id, and reports whether there
	// is one. nil means that kubectl is the only client.
	Client func(ctx context.Context, id string) (issuer.Client, bool, error)
	// Cluster is what kubectl signs people in to.
	Cluster Cluster
	// Hasher hashes and verifies passwords: an account.Hasher.
	Hasher store.Hasher
	// Random is the source of sessions, codes and challenges. nil means crypto/rand.
	Random io.Reader
	// Pause waits for d or until ctx ends. nil means a real wait.
	Pause func(ctx context.Context, d time.Duration)
	// Limits are the rate limits on requests. The zero value means DefaultLimits.
	Limits Limits
	// TrustedProxies are the proxies whose X-Forwarded-For is trusted. If it is
	// empty, the client is the peer of the connection. New logs a warning for each
	// network that is too wide.
	TrustedProxies []netip.Prefix
	// Log gets one line per request, with route, status and duration.
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
	missing(c.OwnNamespace == "", "OwnNamespace")
	missing(c.Clock == nil, "Clock")
	missing(c.Reader == nil, "Reader")
	missing(c.Live == nil, "Live")
	missing(c.Writer == nil, "Writer")
	missing(c.Keys == nil, "Keys")
	missing(c.SeedKeys == nil, "SeedKeys")
	missing(c.ResetKeys == nil, "ResetKeys")
	missing(c.IssuerKeys == nil, "IssuerKeys")
	missing(c.Hasher == nil, "Hasher")
	if u := c.BaseURL; u != nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		problems = append(problems, errors.New("portal: Config.BaseURL must be an address such as https://accounts.example.com, without user, query and fragment"))
	}
	return errors.Join(problems...)
}

// withDefaults sets the optional fields that are empty.
func (c Config) withDefaults() Config {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Client == nil {
		c.Client = onlyKubectl
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	return c
}

// nodeBits is the size of the network from which a node gets the addresses of its pods:
// 256 addresses by default.
const nodeBits = 8

// warnAboutProxies returns a warning for each network that is too wide to hold only
// proxies. A client with an address in such a network chooses the address that the rate
// limits see.
func warnAboutProxies(trusted []netip.Prefix) []string {
	var warnings []string
	for _, network := range trusted {
		if network.Addr().BitLen()-network.Bits() >= nodeBits {
			warnings = append(warnings, fmt.Sprintf("%s has room for all pods of a node. Each of them can choose the client address that rate limits see. "+
				"Set --trusted-proxies to the addresses from which your ingress controller connects, such as 10.20.30.40/32.", network))
		}
	}
	return warnings
}

// Server returns a server for the portal's handler at addr. It limits the size of
// requests and the time that a client can take.
func Server(handler http.Handler, addr string) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		// More than account.AcceptanceTimeout plus the wait for a hash, so that a
		// person who accepts gets an answer.
		WriteTimeout:   45 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
}
