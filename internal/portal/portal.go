// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-webauthn/webauthn/webauthn"
	"k8s.io/utils/clock"

	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store"
)

// portal holds the dependencies of all handlers.
type portal struct {
	store  *store.Store
	random io.Reader
	pause  func(ctx context.Context, d time.Duration)
	hasher store.Hasher
	clock  clock.PassiveClock
	log    logr.Logger

	pages   *pages
	assets  map[string]asset
	limiter *limiter
	trusted []netip.Prefix
	// fixed holds the routes whose addresses contain no link, keyed by the path below
	// base.
	fixed map[string]route
	// base is the path that the portal is mounted at, without a trailing slash. host
	// is the public host name, without a port. origin is the public origin, as browsers
	// write it.
	base, host, origin string
	// relyingParty represents the portal in WebAuthn. nil means that passkeys are not
	// possible.
	relyingParty *webauthn.WebAuthn
	// keys returns the keys that sign links and the challenges of passkeys.
	keys func(ctx context.Context) (invitation.Keyring, error)
	// issuer signs people in to clients. endpoints serves its clients.
	issuer    *issuer.Issuer
	clients   func(ctx context.Context, id string) (issuer.Client, bool, error)
	endpoints http.Handler
	// issuerURL is the address of the issuer. cluster is what it signs people in to.
	issuerURL string
	cluster   Cluster
	// https reports whether the public address uses https.
	https bool
}

// New returns the portal's handler. It refuses an incomplete Config.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	for _, warning := range warnAboutProxies(cfg.TrustedProxies) {
		cfg.Log.Info("Trusted proxies are too wide", "warning", warning)
	}
	assets, names, err := loadAssets()
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(cfg.BaseURL.Path, "/")
	pages, err := loadPages(base, cfg.BaseURL.Host, names)
	if err != nil {
		return nil, err
	}
	relyingParty, err := newRelyingParty(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	p := &portal{
		store: &store.Store{
			Reader: cfg.Reader, Live: cfg.Live, Writer: cfg.Writer, Keys: cfg.Keys, Hasher: cfg.Hasher,
			ResetKeys: cfg.ResetKeys, SeedKeys: cfg.SeedKeys, Clock: cfg.Clock, Random: cfg.Random,
			Namespace: cfg.Namespace, OwnNamespace: cfg.OwnNamespace,
		},
		random:  cfg.Random,
		pause:   cfg.Pause,
		hasher:  cfg.Hasher,
		clock:   cfg.Clock,
		log:     cfg.Log,
		pages:   pages,
		assets:  assets,
		limiter: newLimiter(cfg.Limits, cfg.Clock),
		origin:  originOf(cfg.BaseURL),
		trusted: cfg.TrustedProxies,
		base:    base,
		host:    cfg.BaseURL.Hostname(),
		https:   cfg.BaseURL.Scheme == "https",
		keys:    cfg.Keys,

		relyingParty: relyingParty,
	}
	p.clients, p.cluster, p.issuerURL = cfg.Client, cfg.Cluster, strings.TrimSuffix(cfg.BaseURL.String(), "/")
	p.issuer = issuer.New(issuer.Config{
		URL: p.issuerURL, Store: p.store, Keys: cfg.IssuerKeys, Client: cfg.Client,
		Cookie: p.cookieOfRequest, Clock: cfg.Clock, Random: cfg.Random,
	})
	p.endpoints = p.withAddress(http.StripPrefix(p.base, p.issuer.Handler()))
	p.fixed = p.routes()
	return p.guard(), nil
}

// routes returns the routes whose addresses contain no link.
func (p *portal) routes() map[string]route {
	all := p.signInRoutes()
	maps.Copy(all, p.accountRoutes())
	maps.Copy(all, p.resetRoutes())
	maps.Copy(all, p.factorRoutes())
	maps.Copy(all, p.clientRoutes())
	for path, r := range all {
		r.pattern, r.fixed = path, true
		all[path] = r
	}
	return all
}

// route is one kind of address with its handlers.
type route struct {
	// pattern names the route in logs. The address itself is secret.
	pattern string
	// get is nil if the route accepts only POST.
	get http.HandlerFunc
	// post is nil if the route accepts no POST.
	post http.HandlerFunc
	// secret means that the address contains a link, which must not leak.
	secret bool
	// fixed means that the address contains nothing secret.
	fixed bool
	// machine means that programs send requests, which prove who they are themselves. The
	// route reads no cookie of a session, so pages of other sites gain nothing from it.
	machine bool
}

// find returns the route of a path. http.ServeMux would answer some paths with a
// redirect, which would repeat a link in a header.
func (p *portal) find(path string) route {
	if path == "/healthz" || path == p.base+"/healthz" {
		return route{pattern: routeHealth, get: health}
	}
	rest, found := strings.CutPrefix(path, p.base+"/")
	if !found {
		return route{pattern: "other", get: p.notFound}
	}
	if at, found := p.fixed["/"+rest]; found {
		return at
	}
	switch first, rest, _ := strings.Cut(rest, "/"); first {
	case "assets":
		return route{pattern: "/assets/{name}", get: func(w http.ResponseWriter, r *http.Request) { p.serveAsset(w, r, rest) }}
	case "reset":
		return p.resetRoute(rest)
	case "invitation":
		link, step, nested := strings.Cut(rest, "/")
		if at, found := p.steps()[step]; found && nested == (step != "") {
			return at.at(p.base+"/invitation/"+link, link)
		}
	}
	return route{pattern: "other", get: p.notFound}
}

// step is a route below the link of an invitation.
type step struct {
	pattern   string
	get, post func(v visit)
}

// steps returns the routes of a link, keyed by the path below the link. A person
// who reloads the answer to a form gets the page with that form.
func (p *portal) steps() map[string]step {
	return map[string]step{
		"":          {"/invitation/{link}", p.showInvitation, p.acceptInvitation},
		"user-name": {"/invitation/{link}/user-name", p.checkUserName, nil},
		"sign-in":   {"/invitation/{link}/sign-in", p.showInvitation, p.signInOnInvitation},
		"code":      {"/invitation/{link}/code", p.showInvitation, p.signInCodeOnInvitation},
		"accept":    {"/invitation/{link}/accept", p.showInvitation, p.acceptSignedIn},
		"sign-out":  {"/invitation/{link}/sign-out", p.showInvitation, p.signOutHere},
		"address":   {"/invitation/{link}/address", p.showInvitation, p.askForCode},
		"decline":   {"/invitation/{link}/decline", p.showDecline, p.decline},
	}
}

// at returns the route of the step for one link.
func (s step) at(path, link string) route {
	handle := func(answer func(v visit)) http.HandlerFunc {
		if answer == nil {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request) { answer(visit{w: w, r: r, path: path, link: link}) }
	}
	return route{pattern: s.pattern, get: handle(s.get), post: handle(s.post), secret: true}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// routeHealth is the only route without rate limits. Its client is the platform,
// whose probes can come through the same proxy as all other requests.
const routeHealth = "/healthz"

func health(w http.ResponseWriter, r *http.Request) {
	respond(w, r, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// respond answers with a body. A HEAD request gets only the length of the body.
func respond(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// An error here means that the client has disconnected, so there is no one to
		// answer.
		_, _ = w.Write(body)
	}
}
