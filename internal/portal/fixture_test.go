// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
)

const (
	janeUID = "11111111-1111-4111-8111-111111111111"
	home    = "acme-people"
	system  = "usher-system"
	// good is a password that nothing is wrong with.
	good = "velvet-anchor pickle tram"
)

// start is when every test begins.
var start = time.Date(2026, time.May, 4, 10, 0, 0, 0, time.UTC)

// plainHasher keeps passwords readable, so that a test sees whose is stored.
type plainHasher struct{ err error }

func (h plainHasher) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, h.err
}

func (h plainHasher) Verify(_ context.Context, password string, stored func() string) (bool, error) {
	if h.err != nil {
		return false, h.err
	}
	return stored() == "hash of "+password, nil
}

// world is a portal, and the objects behind it.
type world struct {
	t       *testing.T
	client  client.WithWatch
	config  Config
	clock   *clocktesting.FakeClock
	keys    invitation.Keyring
	handler http.Handler
	logs    *logs
}

// aWorld has one Organization, and Jane's Invitation with a link that is open.
func aWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	return aWorldWithoutPages(t, objects...).build()
}

// aWorldWithoutPages is the same for a test that only asks the store.
func aWorldWithoutPages(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakeClock(start), logs: &logs{}}
	var err error
	w.keys, err = invitation.ParseKeyring(map[string][]byte{"key-1": []byte(strings.Repeat("k", invitation.KeySize))})
	w.must(err)
	w.client = newClient(t, append([]client.Object{acme(), jane()}, objects...)...)
	base, err := url.Parse("https://usher.example.com")
	w.must(err)
	w.config = Config{
		BaseURL: base, Namespace: system, Clock: w.clock,
		Reader: w.client, Live: w.client, Writer: w.client,
		Keys:   func(context.Context) (invitation.Keyring, error) { return w.keys, nil },
		Hasher: plainHasher{}, Pause: func(context.Context, time.Duration) {},
		Limits: Limits{Requests: 1e6, RequestsBurst: 1e6, Posts: 1e6, PostsBurst: 1e6, Clients: 10},
		Log:    funcr.New(w.logs.add, funcr.Options{Verbosity: 9}),
	}
	return w
}

// logs is all that was logged.
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

// build makes the handler anew after a test has changed the config.
func (w *world) build() *world {
	w.t.Helper()
	var err error
	w.handler, err = New(w.config)
	w.must(err)
	return w
}

// newClient is a fake API server with the portal's indexes, that gives UIDs.
func newClient(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{accountsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&accountsv1.Invitation{}, &accountsv1.Account{})
	if err := store.SetupIndexes(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	var created atomic.Int64
	return builder.WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			obj.SetUID(types.UID(fmt.Sprintf("made-%d", created.Add(1))))
			return c.Create(ctx, obj, opts...)
		},
	}).Build()
}

type indexer struct{ builder *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	i.builder.WithIndex(obj, field, extract)
	return nil
}

func acme() *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			DisplayName: "Acme Rocket Works", Namespace: home,
			Resources: []accountsv1.Resource{
				{Name: "staging", DisplayName: "Staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"staging"}}},
				{Name: "production", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"production"}}},
			},
			Permissions: []accountsv1.Permission{
				{Name: "deploy", DisplayName: "Deploy applications", ClusterRole: "edit"},
				{Name: "watch", DisplayName: "See what runs", ClusterRole: "view"},
			},
			Roles: []accountsv1.Role{
				{Name: "developer", DisplayName: "Developer", Grants: []accountsv1.Grant{
					{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}},
					{Permission: "watch", Resources: []accountsv1.CatalogueName{"staging", "production"}},
				}},
				{Name: "guest"},
			},
		},
	}
}

func jane() *accountsv1.Invitation {
	claimed, expires := metav1.NewTime(start.Add(-time.Hour)), metav1.NewTime(start.Add(24*time.Hour))
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "jane", UID: janeUID},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"},
			Email:           "jane.doe@example.com", GivenName: "Jane", FamilyName: "Doe", InvitedBy: "Mara Voss",
			Role: "developer",
		},
		Status: accountsv1.InvitationStatus{
			ExpirationTime: &expires,
			Attempt: accountsv1.Attempt{
				Number: 1, KeyID: 1, ClaimTime: &claimed,
				Organization: "Acme Rocket Works", Role: "Developer", Language: "en", Sender: "Acme <accounts@acme.example>",
			},
			Deliveries: []accountsv1.Delivery{{
				Name: "email", Purpose: accountsv1.PurposeInvitation, Medium: accountsv1.MediumEmail, Recipient: "jane.doe@example.com",
				MessageID: "m", ClaimTime: &claimed, Tries: 1, TryTime: &claimed, Result: accountsv1.DeliverySent, SentTime: &claimed,
			}},
		},
	}
}

// madeFor is an Account of that name, made through the Invitation of that UID.
func madeFor(invitationUID, name string) *accountsv1.Account {
	return &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-of-" + name)},
		Spec: accountsv1.AccountSpec{
			Email:         "jane.doe@example.com",
			InvitationRef: accountsv1.InvitationReference{Namespace: home, Name: "jane", UID: invitationUID},
		},
	}
}

// link is the path of the link of Jane's current attempt.
func (w *world) link() string {
	w.t.Helper()
	text, err := w.keys.DeriveLink(janeUID, jane().Status.Attempt)
	w.must(err)
	return "/invitation/" + text
}

// parsed is the same link as the store takes it.
func (w *world) parsed() invitation.Link {
	w.t.Helper()
	link, err := invitation.ParseLink(strings.TrimPrefix(w.link(), "/invitation/"))
	w.must(err)
	return link
}

func (w *world) store() *store.Store {
	return &store.Store{
		Reader: w.config.Reader, Live: w.config.Live, Writer: w.config.Writer,
		Keys: w.config.Keys, Hasher: w.config.Hasher, Clock: w.clock, Namespace: system,
	}
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(newRequest(http.MethodGet, target, nil))
}

// post sends fields as a browser on the portal's own page does.
func (w *world) post(target string, fields url.Values) *httptest.ResponseRecorder {
	w.t.Helper()
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

// filled is a form that nothing is wrong with.
func filled() url.Values {
	return url.Values{
		fieldUserName: {"jane-doe"}, fieldGivenName: {"Jane"}, fieldFamilyName: {"Doe"},
		fieldPassword: {good}, fieldAgain: {good},
	}
}

// but is a form with one field changed.
func but(field string, values ...string) url.Values {
	f := filled()
	f[field] = values
	return f
}

func (w *world) invitation() *accountsv1.Invitation {
	w.t.Helper()
	var inv accountsv1.Invitation
	w.must(w.client.Get(context.Background(), client.ObjectKeyFromObject(jane()), &inv))
	return &inv
}

// update writes Jane's Invitation as a test changes it, status and all.
func (w *world) update(change func(*accountsv1.Invitation)) {
	w.t.Helper()
	inv := w.invitation()
	change(inv)
	w.must(w.client.Update(context.Background(), inv))
	change(inv)
	w.must(w.client.Status().Update(context.Background(), inv))
}

// account gives an Account, or nil.
func (w *world) account(name string) *accountsv1.Account {
	w.t.Helper()
	var found accountsv1.Account
	if !w.find(&found, client.ObjectKey{Name: name}) {
		return nil
	}
	return &found
}

// secret gives the Secret of an Account, or nil.
func (w *world) secret(name string) *corev1.Secret {
	w.t.Helper()
	var found corev1.Secret
	if !w.find(&found, client.ObjectKey{Namespace: system, Name: account.SecretName(name)}) {
		return nil
	}
	return &found
}

// find reads an object, and tells whether it is there.
func (w *world) find(into client.Object, key client.ObjectKey) bool {
	w.t.Helper()
	err := w.client.Get(context.Background(), key, into)
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
