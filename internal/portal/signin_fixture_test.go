// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// personWithPassword returns the objects of a person who can sign in with validPassword,
// and whose address is jane.doe@example.com.
func personWithPassword(t *testing.T, name string, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.NewTime(storetest.Start.Add(-time.Hour)),
			Annotations: map[string]string{accountsv1.MembershipsAnnotation: storetest.Home + "/" + name, accountsv1.EmailVerifiedAnnotation: storetest.Verified},
		},
		Spec: accountsv1.AccountSpec{
			Email:         "jane.doe@example.com",
			InvitationRef: accountsv1.InvitationReference{Namespace: storetest.Home, Name: accountsv1.CatalogueName(name), UID: "another's"},
		},
	}
	c := &account.Credentials{Password: "hash of " + validPassword, FinalInvitation: "another's", PasswordTime: storetest.Start.Add(-time.Hour)}
	for _, change := range changes {
		change(a, c)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: storetest.System, Name: account.SecretName(name)}}
	if err := c.WriteTo(secret, a); err != nil {
		t.Fatal(err)
	}
	return []client.Object{a, secret}
}

// belongs returns a Membership of the Account jane in an Organization, for objects of
// the same world.
func belongs(org *accountsv1.Organization) []client.Object {
	return []client.Object{org, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: string(org.Spec.Namespace), Name: "jane"},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
			Email:           "jane.doe@example.com", Role: "developer",
		},
	}}
}

// worldWith is a world with these objects, whose answers are not held back.
func worldWith(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	return aWorldWithoutPages(t, objects...).atOnce()
}

// atOnce creates the portal again, with answers that are not held back.
func (w *world) atOnce() *world {
	w.config.Pause = func(context.Context, time.Duration) {}
	return w.build()
}

// browser keeps the session cookie, and the cookie by which Accounts know it.
type browser struct {
	*world
	// handler that it is connected to.
	handler       http.Handler
	cookie, known *http.Cookie
	// request is the cookie with the request of a client.
	request *http.Cookie
	agent   string
}

func (w *world) browser() *browser { return &browser{world: w, handler: w.handler} }

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	b.T.Helper()
	for _, c := range []*http.Cookie{b.cookie, b.known, b.request} {
		if c != nil {
			r.AddCookie(c)
		}
	}
	r.Header.Set("User-Agent", b.agent)
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, r)
	for _, c := range recorder.Result().Cookies() {
		kept := &b.cookie
		switch {
		case strings.HasSuffix(c.Name, browserCookie):
			kept = &b.known
		case strings.HasSuffix(c.Name, requestCookie):
			kept = &b.request
		}
		if *kept = c; c.MaxAge < 0 {
			*kept = nil
		}
	}
	return recorder
}

func (b *browser) visit(target string) *httptest.ResponseRecorder {
	b.T.Helper()
	return b.send(newRequest(http.MethodGet, target, nil))
}

func (b *browser) fill(target string, fields url.Values) *httptest.ResponseRecorder {
	b.T.Helper()
	return b.send(formRequest(target, fields.Encode()))
}

// signIn signs in on the sign-in page.
func (b *browser) signIn(name, password string) *httptest.ResponseRecorder {
	b.T.Helper()
	return b.fill("/sign-in?lang=en", signInForm(name, password))
}

// isIn reports whether the browser is signed in.
func (b *browser) isIn() bool {
	b.T.Helper()
	return b.visit("/").Header().Get("Location") == "/account?lang=en"
}

// expectTo checks that an answer redirects to a page.
func expectTo(t *testing.T, got *httptest.ResponseRecorder, page string) {
	t.Helper()
	if to := got.Header().Get("Location"); got.Code != http.StatusSeeOther || to != page {
		t.Errorf("status %d to %q, want 303 to %q; body:\n%s", got.Code, to, page, got.Body)
	}
}

// refused is the start of the text for every failed sign-in.
const refused = "Incorrect user name or password."

func (w *world) credentials(name string) account.Credentials {
	w.T.Helper()
	return w.Credentials(name)
}

// interfere puts an interceptor between the portal and its API server.
func (w *world) interfere(funcs interceptor.Funcs) *world {
	w.T.Helper()
	c := interceptor.NewClient(w.Client, funcs)
	w.config.Reader, w.config.Live, w.config.Writer = c, c, c
	return w.build()
}

// alterJane changes the Account jane and its credentials without the portal.
func (w *world) alterJane(change func(*accountsv1.Account, *account.Credentials)) {
	w.T.Helper()
	a, secret, c := w.Account("jane"), w.Secret("jane"), w.credentials("jane")
	change(a, &c)
	w.Must(c.WriteTo(secret, a))
	w.Must(w.Client.Update(context.Background(), secret))
	status := a.Status
	w.Must(w.Client.Update(context.Background(), a))
	a.Status = status
	w.Must(w.Client.Status().Update(context.Background(), a))
}

// watched reports each password that is checked, by the hash that it is compared
// with.
type watched struct {
	store.Hasher
	look func(hash string)
}

func (h watched) Verify(ctx context.Context, password string, stored func() string) (bool, error) {
	return h.Hasher.Verify(ctx, password, func() string {
		hash := stored()
		h.look(hash)
		return hash
	})
}

// fullHasher has capacity to check passwords, but not to hash new ones.
type fullHasher struct{ storetest.PlainHasher }

func (fullHasher) Hash(context.Context, string) (string, error) { return "", account.ErrBusy }

// expectSame checks that two answers are the same, byte for byte.
func expectSame(t *testing.T, got, want *httptest.ResponseRecorder) {
	t.Helper()
	if got.Code != want.Code {
		t.Errorf("status %d, want %d", got.Code, want.Code)
	}
	if diff := cmp.Diff(want.Header(), got.Header()); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Body.String(), got.Body.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// unreadableReader is an API server that does not answer.
type unreadableReader struct{ client.Reader }

func (unreadableReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return storetest.ErrDown
}
