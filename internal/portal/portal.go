// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// invitations is what the pages need of the store.
type invitations interface {
	// look and inspect see what a link is for, from the cache and as it is now.
	look(ctx context.Context, link invitation.Link) (sight, error)
	inspect(ctx context.Context, link invitation.Link) (sight, error)
	// accept makes the account, and save changes the Invitation's status.
	accept(ctx context.Context, link invitation.Link, p person) (sight, outcome, error)
	save(ctx context.Context, seen sight, c change) (sight, outcome, error)
	// taken and begun are about user names, seen from one Invitation.
	taken(ctx context.Context, chosen string, seen sight, email accountsv1.EmailAddress) (bool, error)
	begun(ctx context.Context, seen sight, email accountsv1.EmailAddress) (string, error)
	// signsIn and candidates are about accounts that people have.
	signsIn(ctx context.Context, email accountsv1.EmailAddress) (bool, error)
	candidates(ctx context.Context, typed string) ([]candidate, error)
}

// portal answers requests.
type portal struct {
	invitations invitations
	hasher      Hasher
	clock       clock.PassiveClock
	log         logr.Logger

	pages   *pages
	assets  map[string]asset
	limiter *limiter
	origins *http.CrossOriginProtection
	trusted []netip.Prefix
	// base is the path that the portal is mounted at, without a slash at its end.
	base string
	// https tells whether people reach the portal by https.
	https bool
}

// New makes the portal's handler. It refuses a Config that is not complete.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return newPortal(cfg, &store{
		reader: cfg.Reader, live: cfg.Live, writer: cfg.Writer,
		keys: cfg.Keys, clock: cfg.Clock, namespace: cfg.Namespace,
	})
}

func newPortal(cfg Config, invitations invitations) (http.Handler, error) {
	assets, names, err := loadAssets()
	if err != nil {
		return nil, err
	}
	base := strings.TrimRight(cfg.BaseURL.Path, "/")
	pages, err := loadPages(base, cfg.BaseURL.Host, names)
	if err != nil {
		return nil, err
	}
	origins := http.NewCrossOriginProtection()
	// For where a proxy gives the portal another Host than the browser sent.
	if err := origins.AddTrustedOrigin(cfg.BaseURL.Scheme + "://" + cfg.BaseURL.Host); err != nil {
		return nil, err
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	p := &portal{
		invitations: invitations,
		hasher:      cfg.Hasher,
		clock:       cfg.Clock,
		log:         cfg.Log,
		pages:       pages,
		assets:      assets,
		limiter:     newLimiter(cfg.Limits, cfg.Clock),
		origins:     origins,
		trusted:     cfg.TrustedProxies,
		base:        base,
		https:       cfg.BaseURL.Scheme == "https",
	}
	return p.guard(), nil
}

// route is one kind of address, and what answers there.
type route struct {
	// pattern is how the route is called in logs; the address itself is secret.
	pattern string
	get     http.HandlerFunc
	// post is nil where there is nothing to be sent to.
	post http.HandlerFunc
}

// find gives the route of a path. http.ServeMux would answer some paths with
// a redirect, which would repeat a link in a header.
func (p *portal) find(path string) route {
	if path == "/healthz" || path == p.base+"/healthz" {
		return route{pattern: routeHealth, get: health}
	}
	rest, found := strings.CutPrefix(path, p.base+"/")
	if !found {
		return route{pattern: "other", get: p.notFound}
	}
	switch first, rest, _ := strings.Cut(rest, "/"); first {
	case "":
		if path == p.base+"/" {
			return route{pattern: "/", get: p.showHome}
		}
	case "assets":
		return route{pattern: "/assets/{name}", get: func(w http.ResponseWriter, r *http.Request) { p.serveAsset(w, r, rest) }}
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

// steps are what can be done with a link, by what follows it in the address.
// Whoever loads the answer to a form anew gets the page that has the form.
func (p *portal) steps() map[string]step {
	return map[string]step{
		"":          {"/invitation/{link}", p.showInvitation, p.acceptInvitation},
		"user-name": {"/invitation/{link}/user-name", p.checkUserName, nil},
		"sign-in":   {"/invitation/{link}/sign-in", p.showInvitation, p.signIn},
		"address":   {"/invitation/{link}/address", p.showInvitation, p.askForCode},
		"decline":   {"/invitation/{link}/decline", p.showDecline, p.decline},
	}
}

// at is the route of the step for one link.
func (s step) at(path, link string) route {
	handle := func(answer func(v visit)) http.HandlerFunc {
		if answer == nil {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request) { answer(visit{w: w, r: r, path: path, link: link}) }
	}
	return route{pattern: s.pattern, get: handle(s.get), post: handle(s.post)}
}

// routeHealth is the only route without limits: who asks there is the
// platform, perhaps through the same proxy as everybody else.
const routeHealth = "/healthz"

func health(w http.ResponseWriter, r *http.Request) {
	respond(w, r, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// respond answers with a body, or with its length alone to a HEAD.
func respond(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		// An error here says that the client has gone; nobody is left to tell.
		_, _ = w.Write(body)
	}
}
