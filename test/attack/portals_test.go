// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal"
	"github.com/usher-dev/usher/internal/portal/store"
)

const (
	// portalURL is the public address of the portal, not the one that it listens on.
	portalURL     = "https://usher.example.com"
	portalHost    = "usher.example.com"
	sessionCookie = "__Host-usher-session"
)

// The hashing limits of a portal, with their default values.
const (
	hashSlots = 4
	hashWait  = 5 * time.Second
)

// replica is one portal, with a cache and connections of its own.
type replica struct {
	server *httptest.Server
	dead   *atomic.Bool
	stop   context.CancelFunc
	// writes counts the requests to the API server that are not reads.
	writes *atomic.Int64
}

// aPortal starts a portal that checks passwords with the hasher. It stops with the
// spec. The changes apply to its settings.
func aPortal(ctx context.Context, hasher store.Hasher, changes ...func(*portal.Config)) *replica {
	GinkgoHelper()
	p := &replica{dead: &atomic.Bool{}, writes: &atomic.Int64{}}
	config := rest.CopyConfig(portalRights)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &line{next, p.dead, p.writes} })
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	objects, err := cache.New(config, cache.Options{Scheme: kube.Scheme, ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{
			cluster.Namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", "usher-link-keys")},
		}},
		&corev1.ConfigMap{}: store.OnlyWithheldNames(cluster.Namespace),
	}})
	Expect(err).NotTo(HaveOccurred())
	Expect(store.SetupIndexes(ctx, objects)).To(Succeed())
	go func() {
		defer GinkgoRecover()
		Expect(objects.Start(ctx)).To(Succeed())
	}()
	Expect(objects.WaitForCacheSync(ctx)).To(BeTrue())
	live, err := client.New(config, client.Options{Scheme: kube.Scheme})
	Expect(err).NotTo(HaveOccurred())
	base, err := url.Parse(portalURL)
	Expect(err).NotTo(HaveOccurred())
	settings := portal.Config{
		BaseURL: base, Namespace: accountsv1.CredentialsNamespace, OwnNamespace: cluster.Namespace, Clock: now,
		Reader: objects, Live: live, Writer: live,
		Keys:       func(context.Context) (invitation.Keyring, error) { return keys, nil },
		ResetKeys:  func(context.Context) (invitation.Keyring, error) { return keys, nil },
		SeedKeys:   func(context.Context) (invitation.Keyring, error) { return keys, nil },
		IssuerKeys: func(context.Context) (issuerkeys.Ring, error) { return issuerKeys, nil },
		Hasher:     hasher,
		// All attackers share one address here, so the limits for one address would
		// hide the effect of all others.
		Limits: portal.Limits{Requests: 1e6, RequestsBurst: 1e6, Posts: 1e6, PostsBurst: 1e6, Clients: 10},
		Log:    GinkgoLogr,
	}
	for _, change := range changes {
		change(&settings)
	}
	handler, err := portal.New(settings)
	Expect(err).NotTo(HaveOccurred())
	p.server = httptest.NewUnstartedServer(handler)
	p.server.Config = portal.Server(handler, "")
	p.server.Start()
	DeferCleanup(p.kill)
	return p
}

// portals starts three portals, each with a hasher of its own.
func portals(ctx context.Context) []*replica {
	GinkgoHelper()
	all := make([]*replica, 3)
	for i := range all {
		all[i] = aPortal(ctx, account.NewHasher(hashSlots, hashWait))
	}
	return all
}

// kill ends a portal as the end of its process does: at once, in the middle of its
// work.
func (p *replica) kill() {
	if p.dead.Swap(true) {
		return
	}
	_ = p.server.Config.Close()
	p.stop()
}

// line is the connection to the API server. It ends with the process.
type line struct {
	next   http.RoundTripper
	dead   *atomic.Bool
	writes *atomic.Int64
}

var errDead = errors.New("this process is dead")

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.dead.Load() {
		return nil, errDead
	}
	if r.Method != http.MethodGet {
		l.writes.Add(1)
	}
	return l.next.RoundTrip(r)
}

// countingHasher counts how often the hash of the one real account is checked.
type countingHasher struct {
	store.Hasher
	hash string
	seen *atomic.Int64
}

func (h countingHasher) Verify(ctx context.Context, password string, stored func() string) (bool, error) {
	return h.Hasher.Verify(ctx, password, func() string {
		hash := stored()
		if hash == h.hash {
			h.seen.Add(1)
		}
		return hash
	})
}

// browser is a person's browser, or an attacker's client.
type browser struct {
	cookies map[string]string
	// from is the address that a proxy reports; "" means that there is no proxy.
	from string
}

func stranger() *browser { return &browser{cookies: map[string]string{}} }

// copy returns another browser with the same cookies.
func (b *browser) copy() *browser { return &browser{cookies: maps.Clone(b.cookies), from: b.from} }

// answer is a response of the portal.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// session returns the session token that the answer sets; "" means none.
func (a answer) session() string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == sessionCookie && c.MaxAge >= 0 {
			return c.Value
		}
	}
	return ""
}

// leadsTo reports whether the answer redirects the browser to that path.
func (a answer) leadsTo(path string) bool {
	at, _, _ := strings.Cut(a.header.Get("Location"), "?")
	return a.status == http.StatusSeeOther && at == path
}

var web = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 2000},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (b *browser) send(at *replica, method, path, contentType, body string) (answer, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, at.server.URL+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Host = portalHost
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if b.from != "" {
		r.Header.Set("X-Forwarded-For", b.from)
	}
	for name, value := range b.cookies {
		// Added unchanged, because http.Request would sanitize a forged cookie.
		r.Header.Add("Cookie", name+"="+value)
	}
	start := time.Now()
	response, err := web.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{response.StatusCode, response.Header, string(read), time.Since(start)}
	for _, c := range response.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return got, nil
}

const formType = "application/x-www-form-urlencoded"

func (b *browser) get(at *replica, path string) answer {
	GinkgoHelper()
	got, err := b.send(at, http.MethodGet, path, "", "")
	Expect(err).NotTo(HaveOccurred())
	return got
}

// post sends a form of fields and values, one after the other.
func (b *browser) post(at *replica, path string, pairs ...string) answer {
	GinkgoHelper()
	got, err := b.send(at, http.MethodPost, path, formType, form(pairs...))
	Expect(err).NotTo(HaveOccurred())
	return got
}

func (b *browser) script(at *replica, path, body string) answer {
	GinkgoHelper()
	got, err := b.send(at, http.MethodPost, path, "application/json", body)
	Expect(err).NotTo(HaveOccurred())
	return got
}

func (b *browser) signIn(at *replica, name, password string) answer {
	GinkgoHelper()
	return b.post(at, "/sign-in", "sign-in-name", name, "sign-in-password", password)
}

// isIn reports whether the browser is signed in as that person.
func (b *browser) isIn(at *replica, name string) bool {
	GinkgoHelper()
	got := b.get(at, "/account")
	return got.status == http.StatusOK && strings.Contains(got.body, name)
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
