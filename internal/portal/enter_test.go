// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
)

// entrant is somebody who can sign in, with good as password and with the
// address jane.doe@example.com.
func entrant(t *testing.T, name string, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-of-" + name), CreationTimestamp: metav1.NewTime(start.Add(-time.Hour)),
			Annotations: map[string]string{accountsv1.MembershipsAnnotation: home + "/" + name},
		},
		Spec: accountsv1.AccountSpec{
			Email:         "jane.doe@example.com",
			InvitationRef: accountsv1.InvitationReference{Namespace: home, Name: accountsv1.CatalogueName(name), UID: "another's"},
		},
	}
	c := &account.Credentials{Password: "hash of " + good, Settled: "another's", PasswordTime: start.Add(-time.Hour)}
	for _, change := range changes {
		change(a, c)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: account.SecretName(name)}}
	if err := c.WriteTo(secret, a); err != nil {
		t.Fatal(err)
	}
	return []client.Object{a, secret}
}

// belongs makes an Account hold a Membership of an Organization, for objects of
// the same world.
func belongs(name string, org *accountsv1.Organization) []client.Object {
	return []client.Object{org, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: string(org.Spec.Namespace), Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
			Email:           "jane.doe@example.com", Role: "developer",
		},
	}}
}

// anEntrance is a world with these objects, whose answers are not held back.
func anEntrance(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	return aWorldWithoutPages(t, objects...).atOnce()
}

// atOnce makes the portal anew, with answers that are not held back.
func (w *world) atOnce() *world {
	w.config.Pause = func(context.Context, time.Duration) {}
	return w.build()
}

// browser keeps the cookie that it is given.
type browser struct {
	*world
	// handler that it is connected to.
	handler http.Handler
	cookie  *http.Cookie
	agent   string
}

func (w *world) browser() *browser { return &browser{world: w, handler: w.handler} }

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	r.Header.Set("User-Agent", b.agent)
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, r)
	for _, c := range recorder.Result().Cookies() {
		if b.cookie = c; c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return recorder
}

func (b *browser) visit(target string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(newRequest(http.MethodGet, target, nil))
}

func (b *browser) fill(target string, fields url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(formRequest(target, fields.Encode()))
}

// signIn signs in at the page for it.
func (b *browser) signIn(name, password string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.fill("/sign-in?lang=en", signInForm(name, password))
}

// isIn tells whether the browser is signed in.
func (b *browser) isIn() bool {
	b.t.Helper()
	return b.visit("/").Header().Get("Location") == "/account?lang=en"
}

// expectTo checks that an answer leads to a page.
func expectTo(t *testing.T, got *httptest.ResponseRecorder, page string) {
	t.Helper()
	if to := got.Header().Get("Location"); got.Code != http.StatusSeeOther || to != page {
		t.Errorf("status %d to %q, want 303 to %q; body:\n%s", got.Code, to, page, got.Body)
	}
}

// refused is the start of what everybody reads who is not let in.
const refused = "User name or password is not right."

func (w *world) credentials(name string) account.Credentials {
	w.t.Helper()
	c, err := account.ReadCredentials(w.secret(name))
	w.must(err)
	return c
}

// interfere puts something between the portal and its API server.
func (w *world) interfere(funcs interceptor.Funcs) *world {
	w.t.Helper()
	c := interceptor.NewClient(w.client, funcs)
	w.config.Reader, w.config.Live, w.config.Writer = c, c, c
	return w.build()
}

func TestWhatOneCanSignInWith(t *testing.T) {
	objects := all(entrant(t, "jane"), entrant(t, "john.acme", func(a *accountsv1.Account, _ *account.Credentials) {
		a.Spec.Email = "john@example.org"
	}))
	for typed, name := range map[string]string{
		"jane": "jane", " JANE ": "jane", "john/acme": "john.acme", "John/ACME": "john.acme",
		"jane.doe@example.com": "jane", "JANE.DOE@EXAMPLE.COM": "jane", " john@Example.org ": "john.acme",
	} {
		t.Run(typed, func(t *testing.T) {
			b := anEntrance(t, objects...).browser()
			b.agent = "Testing/1.0"
			expectTo(t, b.signIn(typed, good), "/account?lang=en")
			if !b.isIn() {
				t.Error("nobody is signed in")
			}
			sessions := b.credentials(name).Sessions
			if len(sessions) != 1 || sessions[0].Browser != "Testing/1.0" || !sessions[0].StartTime.Equal(start) {
				t.Errorf("sessions %+v", sessions)
			}
			if status := b.account(name).Status; status.Language != "en" || status.TwoFactor != accountsv1.TwoFactorNotEnrolled {
				t.Errorf("status %+v", status)
			}
		})
	}
}

func TestWhatOneCannotSignInWith(t *testing.T) {
	for _, typed := range []string{"john.acme", "john", "jane/acme", "john/acme/", "-", "jane.doe@example.co", "../jane", "jane\x00", "john@example.org/acme"} {
		w := anEntrance(t, all(entrant(t, "jane"), entrant(t, "john.acme"))...)
		expect(t, w.browser().signIn(typed, good), 422, refused)
	}
}

func TestOfSeveralAccountsWithOneAddressTheOldestIsTaken(t *testing.T) {
	younger := func(a *accountsv1.Account, _ *account.Credentials) { a.CreationTimestamp = metav1.NewTime(start) }
	other := func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "hash of another" }
	for name, tc := range map[string]struct {
		objects []client.Object
		want    string
		counted map[string]int32
	}{
		"with one password": {
			objects: all(entrant(t, "ann", younger), entrant(t, "zoe")),
			want:    "zoe", counted: map[string]int32{"ann": 0, "zoe": 0},
		},
		"whose password it is": {
			objects: all(entrant(t, "ann", younger), entrant(t, "zoe", other)),
			want:    "ann", counted: map[string]int32{"ann": 0, "zoe": 1},
		},
		"who is not disabled": {
			objects: all(entrant(t, "ann", younger), entrant(t, "zoe", func(a *accountsv1.Account, _ *account.Credentials) {
				a.Spec.State = accountsv1.AccountSwitchDisabled
			})),
			want: "ann", counted: map[string]int32{"ann": 0, "zoe": 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := anEntrance(t, tc.objects...)
			expectTo(t, w.browser().signIn("jane.doe@example.com", good), "/account?lang=en")
			for _, name := range []string{"ann", "zoe"} {
				if in := len(w.credentials(name).Sessions) == 1; in != (name == tc.want) {
					t.Errorf("%s is signed in: %t", name, in)
				}
				if counted := w.account(name).Status.SignIn.Failures; counted != tc.counted[name] {
					t.Errorf("%d failures of %s, want %d", counted, name, tc.counted[name])
				}
			}
		})
	}
}

func TestEveryAccountOfAnAddressIsCounted(t *testing.T) {
	w := anEntrance(t, all(entrant(t, "ann"), entrant(t, "zoe"))...)
	expect(t, w.browser().signIn("jane.doe@example.com", "wrong"), 422, refused)
	for _, name := range []string{"ann", "zoe"} {
		if counted := w.account(name).Status.SignIn.Failures; counted != 1 {
			t.Errorf("%d failures of %s", counted, name)
		}
	}
}

// strangers are worlds in which nobody may sign in as jane with the good
// password, each for another reason.
func strangers(t *testing.T) map[string]*world {
	t.Helper()
	type (
		acct  = accountsv1.Account
		creds = account.Credentials
	)
	now := metav1.NewTime(start)
	jane := func(change func(*acct, *creds)) *world { return aWorldWithoutPages(t, entrant(t, "jane", change)...) }
	all := map[string]*world{
		"there is nobody":              aWorldWithoutPages(t),
		"the password is another":      jane(func(_ *acct, c *creds) { c.Password = "hash of another" }),
		"the account is disabled":      jane(func(a *acct, _ *creds) { a.Spec.State = accountsv1.AccountSwitchDisabled }),
		"the account is locked":        jane(func(a *acct, _ *creds) { a.Status.SignIn = accountsv1.SignIn{Failures: 5, FailureTime: &now} }),
		"codes have locked it":         jane(func(a *acct, _ *creds) { a.Status.SignIn = accountsv1.SignIn{CodeFailures: 5, FailureTime: &now} }),
		"the account is half-made":     jane(func(a *acct, _ *creds) { a.Annotations = nil }),
		"the password is not settled":  jane(func(_ *acct, c *creds) { c.Settled = "" }),
		"there is no password":         jane(func(_ *acct, c *creds) { c.Password = "" }),
		"the account is being deleted": jane(func(a *acct, _ *creds) { a.DeletionTimestamp, a.Finalizers = &now, []string{"example.com/keep"} }),
		"the account has no secret":    aWorldWithoutPages(t, entrant(t, "jane")[:1]...),
	}
	for name, meanwhile := range map[string]func(w *world){
		"the account goes meanwhile": func(w *world) { w.must(w.client.Delete(context.Background(), w.account("jane"))) },
		"everything goes meanwhile": func(w *world) {
			w.must(w.client.Delete(context.Background(), w.account("jane")))
			w.must(w.client.Delete(context.Background(), w.secret("jane")))
		},
		"the account is switched off meanwhile": func(w *world) {
			w.alterJane(func(a *acct, _ *creds) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"the account alone is switched off meanwhile": func(w *world) {
			a := w.account("jane")
			a.Spec.State = accountsv1.AccountSwitchDisabled
			w.must(w.client.Update(context.Background(), a))
		},
		"the password changes meanwhile": func(w *world) {
			w.alterJane(func(_ *acct, c *creds) { c.Password = "hash of another" })
		},
	} {
		w := jane(func(*acct, *creds) {})
		w.config.Hasher = watched{plainHasher{}, func(hash string) {
			if hash != "" {
				meanwhile(w)
			}
		}}
		all[name] = w
	}
	return all
}

// alterJane changes the Account jane and its credentials behind the portal's back.
func (w *world) alterJane(change func(*accountsv1.Account, *account.Credentials)) {
	w.t.Helper()
	a, secret, c := w.account("jane"), w.secret("jane"), w.credentials("jane")
	change(a, &c)
	w.must(c.WriteTo(secret, a))
	w.must(w.client.Update(context.Background(), secret))
	status := a.Status
	w.must(w.client.Update(context.Background(), a))
	a.Status = status
	w.must(w.client.Status().Update(context.Background(), a))
}

// watched tells of each password that is looked at, by the hash that it is
// compared with.
type watched struct {
	Hasher
	look func(hash string)
}

func (h watched) Verify(ctx context.Context, password, hash string) (bool, error) {
	h.look(hash)
	return h.Hasher.Verify(ctx, password, hash)
}

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

func TestWhoeverIsNotLetInReadsTheSame(t *testing.T) {
	for typed, passwords := range map[string]int{"jane": 1, "jane.doe@example.com": hashesOfAddress} {
		unknown := anEntrance(t).browser().signIn(typed, good)
		expect(t, unknown, 422, refused, "After several wrong tries an account is locked for a while.",
			"You can confirm your e-mail address and choose a new password.", `href="/reset?lang=en"`, `value="`+typed+`"`, "!"+good)
		for name, w := range strangers(t) {
			t.Run(name+", as "+typed, func(t *testing.T) {
				looked, paused := 0, []time.Duration{}
				w.config.Hasher = watched{w.config.Hasher, func(string) { looked++ }}
				w.config.Pause = func(_ context.Context, d time.Duration) { paused = append(paused, d) }
				got := w.build().browser().signIn(typed, good)
				expectSame(t, got, unknown)
				if looked != passwords || !slices.Equal(paused, []time.Duration{evenly}) {
					t.Errorf("%d hashes, pauses %s", looked, paused)
				}
			})
		}
	}
}

func TestWhatIsMissingIsSaidAndNotCounted(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	w.config.Writer = nobodyWrites{t: t}
	w.config.Hasher = watched{plainHasher{}, func(string) { t.Error("a password was looked at") }}
	w.build()
	expect(t, w.browser().signIn(" ", ""), 422, "Type your user name or your e-mail address.", "Type the password of your account.", "!"+refused)
	expect(t, w.browser().signIn("jane", ""), 422, "Type the password of your account.", `value="jane"`)
	expect(t, w.browser().fill("/sign-in?sign-in-name=jane&sign-in-password="+url.QueryEscape(good), nil), 422, "Type your user name")
}

func TestWhenSomethingBehindFailsNobodyIsToldWho(t *testing.T) {
	down := func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		return errDown
	}
	for name, tc := range map[string]struct {
		change func(*world)
		text   string
	}{
		"no room for passwords": {func(w *world) { w.config.Hasher = plainHasher{err: account.ErrBusy} }, "Many people are signing in at this moment."},
		"nothing can be read":   {func(w *world) { w.config.Live = unreadableReader{} }, "We could not finish just now."},
	} {
		t.Run(name, func(t *testing.T) {
			w, paused := aWorldWithoutPages(t, entrant(t, "jane")...), 0
			w.config.Pause = func(context.Context, time.Duration) { paused++ }
			tc.change(w)
			w.build()
			known := w.browser().signIn("jane", good)
			expect(t, known, 503, tc.text, `value="jane"`, "!"+good, "!"+refused)
			if known.Header().Get("Retry-After") == "" || paused != 1 || len(known.Result().Cookies()) > 0 {
				t.Errorf("headers %v, %d pauses", known.Header(), paused)
			}
			unknown := aWorldWithoutPages(t)
			unknown.config.Pause = w.config.Pause
			tc.change(unknown)
			expectSame(t, known, unknown.build().browser().signIn("jane", good))
		})
	}
	w := anEntrance(t, entrant(t, "jane")...).interfere(interceptor.Funcs{SubResourceUpdate: down})
	expect(t, w.browser().signIn("jane", good), 503, "We could not finish just now.")
	if sessions := w.credentials("jane").Sessions; len(sessions) > 0 {
		t.Error("a password was looked at that was not counted")
	}
}

// unreadableReader is an API server that does not answer.
type unreadableReader struct{ client.Reader }

func (unreadableReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errDown
}

func TestWhereTheFailuresCannotBeForgottenTheSessionHasBegun(t *testing.T) {
	writes := 0
	w := anEntrance(t, entrant(t, "jane")...).interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			if writes++; writes == 2 {
				return errDown
			}
			return c.SubResource(name).Update(ctx, obj, opts...)
		},
	})
	b := w.browser()
	expect(t, b.signIn("jane", good), 503, "We could not finish just now.")
	if !b.isIn() {
		t.Error("nobody is signed in")
	}
	expectTo(t, b.signIn("jane", good), "/account?lang=en")
	if sessions, s := w.credentials("jane").Sessions, w.account("jane").Status.SignIn; len(sessions) != 1 || s.Failures != 0 {
		t.Errorf("%d sessions, %+v", len(sessions), s)
	}
}

func TestSigningInGivesAnotherCookieAndTheOldOneIsDead(t *testing.T) {
	w := anEntrance(t, all(entrant(t, "jane"), entrant(t, "john"))...)
	b := w.browser()
	b.signIn("jane", good)
	for _, next := range []string{"jane", "john"} {
		old := *b
		expectTo(t, b.signIn(next, good), "/account?lang=en")
		switch {
		case b.cookie.Value == old.cookie.Value:
			t.Errorf("%s got the cookie that was there before", next)
		case old.isIn():
			t.Errorf("after %s the cookie from before still signs in", next)
		case !b.isIn():
			t.Errorf("%s is not signed in", next)
		}
	}
	if left := len(w.credentials("jane").Sessions); left != 0 {
		t.Errorf("%d sessions of jane are left", left)
	}
}

func TestACookieThatSomebodyPlantsIsNeverAdopted(t *testing.T) {
	w := anEntrance(t, all(entrant(t, "jane"), entrant(t, "mallory"))...)
	mallory := w.browser()
	mallory.signIn("mallory", good)
	token, _, _ := strings.Cut(mallory.cookie.Value, ".")
	for name, planted := range map[string]string{
		"one that was made up":           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.jane",
		"one of the attacker's":          mallory.cookie.Value,
		"the attacker's, in her name":    token + ".jane",
		"one of nobody":                  "x.-",
		"one that is no name":            "x.../../secrets",
		"one without a name":             "x.",
		"one that makes no sense":        "x",
		"one of a name that is too long": "x." + strings.Repeat("a", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			b.cookie = &http.Cookie{Name: secureSessionCookie, Value: planted}
			if strings.HasSuffix(planted, ".jane") && b.isIn() {
				t.Error("it signs in before anybody has")
			}
			expectTo(t, b.signIn("jane", good), "/account?lang=en")
			attacker := w.browser()
			attacker.cookie = &http.Cookie{Name: secureSessionCookie, Value: planted}
			if b.cookie.Value == planted || attacker.isIn() {
				t.Error("it signs in")
			}
		})
	}
}

func TestWhatTheCookieIsLike(t *testing.T) {
	for base, want := range map[string]string{
		"https://usher.example.com": "__Host-usher-session=; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:8080":     "usher-session=; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax",
	} {
		w := aWorldWithoutPages(t, entrant(t, "jane")...)
		var err error
		w.config.BaseURL, err = url.Parse(base)
		w.must(err)
		b := w.build().browser()
		got := b.signIn("jane", good).Header().Get("Set-Cookie")
		if value := b.cookie.Value; strings.Replace(got, value, "", 1) != want || len(value) < 43 {
			t.Errorf("%s gives %q", base, got)
		}
		got = b.fill("/sign-out", nil).Header().Get("Set-Cookie")
		if forgotten := strings.Replace(want, "Max-Age=43200", "Max-Age=0", 1); got != forgotten {
			t.Errorf("%s takes back %q, want %q", base, got, forgotten)
		}
	}
}

func TestHowLongASessionLasts(t *testing.T) {
	for name, tc := range map[string]struct {
		// every is how long the browser waits between requests, for that many requests.
		every time.Duration
		times int
		// then is how long it waits before the last one.
		then time.Duration
		want bool
	}{
		"half an hour without a request":        {then: session.Idle, want: false},
		"a little less":                         {then: session.Idle - time.Second, want: true},
		"half an hour after the last request":   {every: 20 * time.Minute, times: 3, then: session.Idle, want: false},
		"less after the last request":           {every: 20 * time.Minute, times: 3, then: session.Idle - time.Second, want: true},
		"twelve hours, however much it is used": {every: 10 * time.Minute, times: 71, then: 10 * time.Minute, want: false},
		"a little less than twelve hours":       {every: 10 * time.Minute, times: 71, then: 10*time.Minute - time.Second, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := anEntrance(t, entrant(t, "jane")...)
			b := w.browser()
			b.signIn("jane", good)
			for range tc.times {
				w.clock.Step(tc.every)
				if !b.isIn() {
					t.Fatalf("signed out at %s", w.clock.Now())
				}
			}
			w.clock.Step(tc.then)
			if b.isIn() != tc.want {
				t.Errorf("signed in: %t", !tc.want)
			}
		})
	}
}

func TestAnAccountHasTwentySessionsAtMost(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	var browsers []*browser
	for range session.Most + 2 {
		w.clock.Step(time.Second)
		browsers = append(browsers, w.browser())
		browsers[len(browsers)-1].signIn("jane", good)
	}
	for i, b := range browsers {
		if b.isIn() != (i >= 2) {
			t.Errorf("browser %d is signed in: %t", i, i < 2)
		}
	}
}

func TestSigningOut(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	here, there := w.browser(), w.browser()
	here.signIn("jane", good)
	there.signIn("jane", good)
	copied := *here
	expectTo(t, here.fill("/sign-out?lang=de", nil), "/sign-in?lang=de&done=signed-out")
	if here.cookie != nil || copied.isIn() || !there.isIn() {
		t.Errorf("cookie %v; signed in with a copy of it: %t, elsewhere: %t", here.cookie, copied.isIn(), there.isIn())
	}
	expect(t, here.visit("/sign-in?done=signed-out"), 200, "You are signed out.")
	expect(t, here.visit("/sign-in?done=another"), 200, "!You are signed out.", "!another")
	for name, b := range map[string]*browser{"nobody": w.browser(), "somebody who was": here, "a session that has ended": &copied} {
		got := b.fill("/sign-out?lang=en", nil)
		expectTo(t, got, "/sign-in?lang=en&done=signed-out")
		if !strings.Contains(got.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("%s keeps the cookie", name)
		}
	}
	// To look at the address does nothing.
	expectTo(t, there.visit("/sign-out?lang=en"), "/account?lang=en")
	r := formRequest("/sign-out", "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	expect(t, there.send(r), 403)
	if !there.isIn() {
		t.Error("somebody was signed out who did not ask for it")
	}
}

func TestWhoeverCannotBeSignedOutIsNotToldSo(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	b := w.browser()
	b.signIn("jane", good)
	w.interfere(interceptor.Funcs{Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return errDown }})
	b.handler = w.handler
	expect(t, b.fill("/sign-out", nil), 503)
	if b.cookie == nil || !b.isIn() {
		t.Error("the browser has forgotten a session that is alive")
	}
}

func TestWhereTheFrontDoorLeads(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	b := w.browser()
	expectTo(t, b.visit("/?lang=de"), "/sign-in?lang=de")
	expect(t, b.visit("/sign-in"), 200, "Sign in", `autocomplete="username"`, `autocomplete="current-password"`, `href="/reset?lang=en"`, `href="/user-names?lang=en"`)
	b.signIn("jane", good)
	for _, page := range []string{"/", "/sign-in", "/sign-in/code"} {
		expectTo(t, b.visit(page+"?lang=fr"), "/account?lang=fr")
	}
	w.interfere(interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return errDown
	}})
	b.handler = w.handler
	for _, page := range []string{"/", "/sign-in", "/sign-in/code"} {
		expect(t, b.visit(page), 503)
	}
}

func TestWhoNeedsASecondFactorIsLedToIt(t *testing.T) {
	org := acme()
	org.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired
	org.Name = "strict"
	w := anEntrance(t, all(entrant(t, "jane"), belongs("jane", org))...)
	expectTo(t, w.browser().signIn("jane", good), "/account/second-factor?lang=en")
}

func TestThePageToSignInNamesWhomToAsk(t *testing.T) {
	w := anEntrance(t)
	const help = "Need help? Acme Rocket Works: support@acme.example"
	expect(t, w.get("/sign-in?organization=acme"), 200, "!Need help?")
	w.organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "support@acme.example" })
	page := w.get("/sign-in?organization=acme")
	expect(t, page, 200, help, `action="/sign-in?lang=en&organization=acme"`, `href="/user-names?lang=en&organization=acme"`)
	for _, l := range switchOf(t, "/sign-in?organization=acme", page) {
		expect(t, w.get(l.Address), 200, `<html lang="`+l.Lang+`">`, "Acme Rocket Works", "support@acme.example")
	}
	expect(t, w.post("/sign-in?lang=en&organization=acme", signInForm("jane", good)), 422, refused, help)
	expect(t, w.get("/sign-in?organization=globex"), 200, "!Need help?", `action="/sign-in?lang=en"`)
	w.interfere(interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
		t.Errorf("the API server was asked for %q", key.Name)
		return errDown
	}})
	for _, name := range []string{"", "acme/..", "ACME", "../acme", `"><script>`, strings.Repeat("a", 300)} {
		expect(t, w.get("/sign-in?organization="+url.QueryEscape(name)), 200, "!Need help?", `action="/sign-in?lang=en"`, "!ACME", "!..")
	}
}

func TestAPasswordWithAWeakHashIsHashedAnew(t *testing.T) {
	weak, err := argon2id.CreateHash(good, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	w := anEntrance(t, entrant(t, "jane", func(_ *accountsv1.Account, c *account.Credentials) { c.Password = weak })...)
	w.config.Hasher = account.NewHasher(1, time.Minute)
	w.build()
	expect(t, w.browser().signIn("jane", "wrong"), 422, refused)
	if w.credentials("jane").Password != weak {
		t.Error("a wrong password has changed the hash")
	}
	for range 2 {
		expectTo(t, w.browser().signIn("jane", good), "/account?lang=en")
	}
	if now := w.credentials("jane"); account.Outdated(now.Password) || !now.PasswordTime.Equal(start.Add(-time.Hour)) {
		t.Errorf("%s of %s", now.Password, now.PasswordTime)
	}
}

func TestARestoredAccountKeepsItsPasswordAndNoSession(t *testing.T) {
	w := anEntrance(t, entrant(t, "jane")...)
	b := w.browser()
	b.signIn("jane", good)
	restored := w.account("jane")
	w.must(w.client.Delete(context.Background(), w.account("jane")))
	restored.ResourceVersion = ""
	w.must(w.client.Create(context.Background(), restored)) // which gives it another UID
	if b.isIn() {
		t.Error("a session from before the restore is alive")
	}
	expectTo(t, b.signIn("jane", good), "/account?lang=en")
	if !b.isIn() || len(w.credentials("jane").Sessions) != 1 || w.credentials("jane").UID != string(w.account("jane").UID) {
		t.Errorf("credentials %+v", w.credentials("jane"))
	}
}

func TestASessionEndsWithTheAccount(t *testing.T) {
	for name, change := range map[string]func(*world){
		"switched off": func(w *world) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"deleted": func(w *world) { w.must(w.client.Delete(context.Background(), w.account("jane"))) },
		"locked": func(w *world) {
			for range 5 {
				w.browser().signIn("jane", "wrong")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := anEntrance(t, entrant(t, "jane")...)
			b := w.browser()
			b.signIn("jane", good)
			w.clock.Step(time.Minute)
			change(w)
			if b.isIn() {
				t.Error("the session is alive")
			}
		})
	}
}

func TestNothingThatSignsInIsLogged(t *testing.T) {
	secret, err := secondfactor.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := anEntrance(t, entrant(t, "jane", withApp(secret))...)
	b := w.browser()
	b.signIn("jane", "typed wrong")
	b.signIn("jane", good)
	halfway := b.cookie.Value
	b.code("123456")
	b.code(w.appCode(secret))
	w.config.Hasher = plainHasher{err: account.ErrBusy}
	w.build().browser().signIn("jane.doe@example.com", good)
	texts := []string{"typed wrong", good, "jane", "123456", secret, halfway, b.cookie.Value, w.credentials("jane").Sessions[0].Hash}
	for _, text := range texts {
		if strings.Contains(w.logs.String(), text) {
			t.Errorf("%q is in the log:\n%s", text, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/sign-in/code"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}
