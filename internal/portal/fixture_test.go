// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// validPassword is a valid password.
const validPassword = "velvet-anchor pickle tram"

// world is a portal and the objects behind it.
type world struct {
	*storetest.World
	config  Config
	handler http.Handler
	logs    *logs
}

// aWorld contains one Organization, and Jane's Invitation with an open link.
func aWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	return aWorldWithoutPages(t, objects...).build()
}

// aWorldWithoutPages is the same for a test that builds its own handler.
func aWorldWithoutPages(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{World: storetest.NewWorld(t, objects...), logs: &logs{}}
	base, err := url.Parse("https://usher.example.com")
	w.Must(err)
	w.config = Config{
		BaseURL: base, Namespace: storetest.System, OwnNamespace: storetest.System, Clock: w.Clock,
		Reader: w.Client, Live: w.Client, Writer: w.Client,
		Keys:       func(context.Context) (invitation.Keyring, error) { return w.Keys, nil },
		ResetKeys:  func(context.Context) (invitation.Keyring, error) { return w.ResetKeys, nil },
		SeedKeys:   func(context.Context) (invitation.Keyring, error) { return w.SeedKeys, nil },
		IssuerKeys: func(context.Context) (keys.Ring, error) { return w.IssuerKeys, nil },
		Hasher:     storetest.PlainHasher{}, Pause: func(context.Context, time.Duration) {},
		Limits: Limits{Requests: 1e6, RequestsBurst: 1e6, Posts: 1e6, PostsBurst: 1e6, Clients: 10},
		Log:    funcr.New(w.logs.add, funcr.Options{Verbosity: 9}),
	}
	return w
}

// logs holds everything that was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) add(prefix, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(prefix + line + "\n")
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// build creates the handler again after a test has changed the config.
func (w *world) build() *world {
	w.T.Helper()
	var err error
	w.handler, err = New(w.config)
	w.Must(err)
	return w
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.T.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	w.T.Helper()
	return w.do(newRequest(http.MethodGet, target, nil))
}

// post sends fields like a browser on the portal's own page.
func (w *world) post(target string, fields url.Values) *httptest.ResponseRecorder {
	w.T.Helper()
	return w.do(formRequest(target, fields.Encode()))
}

func newRequest(method, target string, body io.Reader) *http.Request {
	return httptest.NewRequestWithContext(context.Background(), method, target, body)
}

func formRequest(target, body string) *http.Request {
	r := newRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// filled returns a valid form.
func filled() url.Values {
	return url.Values{
		fieldUserName: {"jane-doe"}, fieldGivenName: {"Jane"}, fieldFamilyName: {"Doe"},
		fieldPassword: {validPassword}, fieldAgain: {validPassword},
	}
}

// but returns a valid form with one field changed.
func but(field string, values ...string) url.Values {
	f := filled()
	f[field] = values
	return f
}

// failing is an API server that does not answer.
type failing struct{ client.SubResourceWriter }

func (failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return storetest.ErrDown
}

func (failing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return storetest.ErrDown
}

func (failing) Create(context.Context, client.Object, ...client.CreateOption) error {
	return storetest.ErrDown
}

func (failing) Update(context.Context, client.Object, ...client.UpdateOption) error {
	return storetest.ErrDown
}

func (failing) Status() client.SubResourceWriter { return nil }

// failOnWrite fails the test on any write.
type failOnWrite struct{ t *testing.T }

func (n failOnWrite) Create(context.Context, client.Object, ...client.CreateOption) error {
	n.t.Error("creates")
	return storetest.ErrDown
}

func (n failOnWrite) Update(context.Context, client.Object, ...client.UpdateOption) error {
	n.t.Error("updates")
	return storetest.ErrDown
}

func (n failOnWrite) Status() client.SubResourceWriter {
	n.t.Error("updates a status")
	return nil
}
