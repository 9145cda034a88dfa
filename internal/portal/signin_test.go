// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/secondfactor"
)

func TestWhatOneCanSignInWith(t *testing.T) {
	objects := all(personWithPassword(t, "jane"), personWithPassword(t, "john.acme", func(a *accountsv1.Account, _ *account.Credentials) {
		a.Spec.Email = "john@example.org"
	}))
	for typed, name := range map[string]string{
		"jane": "jane", " JANE ": "jane", "john/acme": "john.acme", "John/ACME": "john.acme",
		"jane.doe@example.com": "jane", "JANE.DOE@EXAMPLE.COM": "jane", " john@Example.org ": "john.acme",
	} {
		t.Run(typed, func(t *testing.T) {
			b := worldWith(t, objects...).browser()
			b.agent = "Testing/1.0"
			expectTo(t, b.signIn(typed, validPassword), "/account?lang=en")
			if !b.isIn() {
				t.Error("the browser is not signed in")
			}
			sessions := b.credentials(name).Sessions
			if len(sessions) != 1 || sessions[0].Browser != "Testing/1.0" || !sessions[0].StartTime.Equal(storetest.Start) {
				t.Errorf("sessions %+v", sessions)
			}
			if status := b.Account(name).Status; status.Language != "en" || status.TwoFactor != accountsv1.TwoFactorNotEnrolled {
				t.Errorf("status %+v", status)
			}
		})
	}
}

func TestWhatOneCannotSignInWith(t *testing.T) {
	for _, typed := range []string{"john.acme", "john", "jane/acme", "john/acme/", "-", "jane.doe@example.co", "../jane", "jane\x00", "john@example.org/acme"} {
		w := worldWith(t, all(personWithPassword(t, "jane"), personWithPassword(t, "john.acme"))...)
		expect(t, w.browser().signIn(typed, validPassword), 422, refused)
	}
}

// TestOfSeveralAccountsWithOneAddress has ann and the older zoe. Only one of them gets the
// password, so the other cannot be guessed with the same form.
func TestOfSeveralAccountsWithOneAddress(t *testing.T) {
	younger := func(a *accountsv1.Account, _ *account.Credentials) {
		a.CreationTimestamp = metav1.NewTime(storetest.Start)
	}
	other := func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "hash of another" }
	disabled := func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled }
	incomplete := func(a *accountsv1.Account, _ *account.Credentials) { a.Annotations = nil }
	type change = func(*accountsv1.Account, *account.Credentials)
	unchanged := change(func(*accountsv1.Account, *account.Credentials) {})
	for name, tc := range map[string]struct {
		ann, zoe  change
		typed     string
		before    string
		want      string
		annCounts int32
		zoeCounts int32
	}{
		"the oldest":                                {ann: unchanged, zoe: unchanged, want: "zoe"},
		"not a younger one":                         {ann: unchanged, zoe: other, zoeCounts: 1},
		"a younger one by its user name":            {ann: unchanged, zoe: other, typed: "ann", want: "ann"},
		"one that this browser used before":         {ann: unchanged, zoe: unchanged, before: "ann", want: "ann"},
		"the oldest, if it used one of another":     {ann: unchanged, zoe: unchanged, before: "john", want: "zoe"},
		"only one that it used before":              {ann: other, zoe: unchanged, before: "ann", annCounts: 1},
		"the oldest that is not disabled":           {ann: unchanged, zoe: disabled, want: "ann"},
		"the oldest that is complete":               {ann: unchanged, zoe: incomplete, want: "ann"},
		"none, if it used one that is disabled":     {ann: disabled, zoe: other, before: "ann", zoeCounts: 1},
		"none, if the password is of neither":       {ann: other, zoe: other, zoeCounts: 1},
		"none, if no account can be signed in to":   {ann: incomplete, zoe: disabled},
		"none, if the oldest is the one disabled":   {ann: other, zoe: disabled, annCounts: 1},
		"the oldest with capital letters in a name": {ann: unchanged, zoe: unchanged, typed: "JANE.DOE@example.com", want: "zoe"},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, all(personWithPassword(t, "ann", younger, tc.ann), personWithPassword(t, "zoe", tc.zoe))...)
			looked := 0
			w.config.Hasher = watched{w.config.Hasher, func(string) { looked++ }}
			b := w.atOnce().browser()
			if tc.before != "" {
				b.cookie = w.reserveCookie("uid-of-"+tc.before, reserveTime)
			}
			if tc.typed == "" {
				tc.typed = "jane.doe@example.com"
			}
			got := b.signIn(tc.typed, validPassword)
			if tc.want != "" {
				expectTo(t, got, "/account?lang=en")
			} else {
				expectSame(t, got, worldWith(t).browser().signIn(tc.typed, validPassword))
			}
			w.expectOf("ann", tc.want == "ann", tc.annCounts)
			w.expectOf("zoe", tc.want == "zoe", tc.zoeCounts)
			if looked != 1 {
				t.Errorf("%d hashes, want 1", looked)
			}
		})
	}
}

// expectOf checks whether an Account has a session, and how many failures it counted.
func (w *world) expectOf(name string, in bool, failures int32) {
	w.T.Helper()
	if got := len(w.credentials(name).Sessions) == 1; got != in {
		w.T.Errorf("%s is signed in: %t", name, got)
	}
	if got := w.Account(name).Status.SignIn.Failures; got != failures {
		w.T.Errorf("%d failed attempts of %s, want %d", got, name, failures)
	}
}

// strangers returns worlds in which validPassword does not sign in as jane, each for
// another reason.
func strangers(t *testing.T) map[string]*world {
	t.Helper()
	type (
		acct  = accountsv1.Account
		creds = account.Credentials
	)
	now := metav1.NewTime(storetest.Start)
	jane := func(change func(*acct, *creds)) *world {
		return aWorldWithoutPages(t, personWithPassword(t, "jane", change)...)
	}
	all := map[string]*world{
		"there is no account":              aWorldWithoutPages(t),
		"the account has another password": jane(func(_ *acct, c *creds) { c.Password = "hash of another" }),
		"the account is disabled":          jane(func(a *acct, _ *creds) { a.Spec.State = accountsv1.AccountSwitchDisabled }),
		"the account is locked":            jane(func(a *acct, _ *creds) { a.Status.SignIn = accountsv1.SignIn{Failures: 5, FailureTime: &now} }),
		"the account is incomplete":        jane(func(a *acct, _ *creds) { a.Annotations = nil }),
		"the password is not final":        jane(func(_ *acct, c *creds) { c.FinalInvitation = "" }),
		"there is no password":             jane(func(_ *acct, c *creds) { c.Password = "" }),
		"the account is being deleted":     jane(func(a *acct, _ *creds) { a.DeletionTimestamp, a.Finalizers = &now, []string{"example.com/keep"} }),
		"the account has no secret":        aWorldWithoutPages(t, personWithPassword(t, "jane")[:1]...),
		"the credentials are damaged":      jane(func(*acct, *creds) {}),
	}
	damaged := all["the credentials are damaged"]
	secret := damaged.Secret("jane")
	secret.Data["credentials"] = []byte("{")
	damaged.Must(damaged.Client.Update(t.Context(), secret))
	for name, meanwhile := range map[string]func(w *world){
		"the account is deleted meanwhile": func(w *world) { w.Must(w.Client.Delete(context.Background(), w.Account("jane"))) },
		"everything is deleted meanwhile": func(w *world) {
			w.Must(w.Client.Delete(context.Background(), w.Account("jane")))
			w.Must(w.Client.Delete(context.Background(), w.Secret("jane")))
		},
		"the account is disabled meanwhile": func(w *world) {
			w.alterJane(func(a *acct, _ *creds) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"only the account is disabled meanwhile": func(w *world) {
			a := w.Account("jane")
			a.Spec.State = accountsv1.AccountSwitchDisabled
			w.Must(w.Client.Update(context.Background(), a))
		},
		"the password changes meanwhile": func(w *world) {
			w.alterJane(func(_ *acct, c *creds) { c.Password = "hash of another" })
		},
	} {
		w := jane(func(*acct, *creds) {})
		w.config.Hasher = watched{storetest.PlainHasher{}, func(hash string) {
			if hash != "" {
				meanwhile(w)
			}
		}}
		all[name] = w
	}
	return all
}

func TestEveryFailedSignInGetsTheSamePage(t *testing.T) {
	for _, typed := range []string{"jane", "jane.doe@example.com"} {
		unknown := worldWith(t).browser().signIn(typed, validPassword)
		expect(t, unknown, 422, refused, "After several failed attempts, an account is temporarily locked.",
			"If several accounts have your email address, sign in with the user name.",
			"You can confirm your email address and choose a new password.", `href="/reset?lang=en"`, `value="`+typed+`"`, "!"+validPassword)
		for name, w := range strangers(t) {
			t.Run(name+", as "+typed, func(t *testing.T) {
				looked, paused := 0, []time.Duration{}
				w.config.Hasher = watched{w.config.Hasher, func(string) { looked++ }}
				w.config.Pause = func(_ context.Context, d time.Duration) { paused = append(paused, d) }
				got := w.build().browser().signIn(typed, validPassword)
				expectSame(t, got, unknown)
				if looked != 1 || !slices.Equal(paused, []time.Duration{answerInterval}) {
					t.Errorf("%d hashes, pauses %s", looked, paused)
				}
			})
		}
	}
}

func TestWhatIsMissingIsSaidAndNotCounted(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	w.config.Writer = failOnWrite{t: t}
	w.config.Hasher = watched{storetest.PlainHasher{}, func(string) { t.Error("a password was checked") }}
	w.build()
	expect(t, w.browser().signIn(" ", ""), 422, "Enter your user name or email address.", "Enter the password of your account.", "!"+refused)
	expect(t, w.browser().signIn("jane", ""), 422, "Enter the password of your account.", `value="jane"`)
	expect(t, w.browser().fill("/sign-in?sign-in-name=jane&sign-in-password="+url.QueryEscape(validPassword), nil), 422, "Enter your user name")
}

func TestABackendFailureRevealsNoAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		text   string
	}{
		"no capacity for passwords": {func(w *world) { w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy} }, "Many people are signing in right now."},
		"nothing can be read":       {func(w *world) { w.config.Live = unreadableReader{} }, "We couldn't complete this."},
	} {
		t.Run(name, func(t *testing.T) {
			w, paused := aWorldWithoutPages(t, personWithPassword(t, "jane")...), 0
			w.config.Pause = func(context.Context, time.Duration) { paused++ }
			tc.change(w)
			w.build()
			known := w.browser().signIn("jane", validPassword)
			expect(t, known, 503, tc.text, `value="jane"`, "!"+validPassword, "!"+refused)
			if known.Header().Get("Retry-After") == "" || paused != 1 || len(known.Result().Cookies()) > 0 {
				t.Errorf("headers %v, %d pauses", known.Header(), paused)
			}
			unknown := aWorldWithoutPages(t)
			unknown.config.Pause = w.config.Pause
			tc.change(unknown)
			expectSame(t, known, unknown.build().browser().signIn("jane", validPassword))
		})
	}
}

// TestAFailureOfOneAccountDoesNotRevealIt signs in as jane and as
// an unknown user in both orders, because an answer must not depend on the one
// before it either.
func TestAFailureOfOneAccountDoesNotRevealIt(t *testing.T) {
	noStatus := interceptor.Funcs{SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		return apierrors.NewInternalError(storetest.ErrDown)
	}}
	damaged := func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "$argon2id$damaged" }
	for name, tc := range map[string]struct {
		world func() *world
		log   string
	}{
		"the API server accepts reads but no writes": {func() *world {
			return worldWith(t, personWithPassword(t, "jane")...).interfere(noStatus)
		}, "API server returned InternalError"},
		"her hash is damaged": {func() *world {
			w := worldWith(t, personWithPassword(t, "jane", damaged)...)
			w.config.Hasher = account.NewHasher(1, time.Minute)
			return w.build()
		}, "a stored password cannot be read"},
	} {
		for _, typed := range []string{"jane", "jane.doe@example.com"} {
			t.Run(name+", as "+typed, func(t *testing.T) {
				w := tc.world()
				nobody := strings.Replace(typed, "jane", "zoe", 1)
				for _, asked := range []string{typed, nobody, typed} {
					got := w.browser().signIn(asked, validPassword)
					expect(t, got, 422, refused)
					want := worldWith(t).browser().signIn(asked, validPassword)
					expectSame(t, got, want)
				}
				if sessions := w.credentials("jane").Sessions; len(sessions) > 0 {
					t.Error("a password was checked but not counted")
				}
				if log := w.logs.String(); !strings.Contains(log, tc.log) || strings.Contains(log, "damaged") {
					t.Errorf("log:\n%s", log)
				}
			})
		}
	}
}

func TestWhereTheFailuresCannotBeForgottenTheSessionHasBegun(t *testing.T) {
	writes := 0
	w := worldWith(t, personWithPassword(t, "jane")...).interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			if writes++; writes == 2 {
				return storetest.ErrDown
			}
			return c.SubResource(name).Update(ctx, obj, opts...)
		},
	})
	b := w.browser()
	expect(t, b.signIn("jane", validPassword), 503, "We couldn't complete this.")
	if !b.isIn() {
		t.Error("the browser is not signed in")
	}
	// The Account knows the browser now. The count of other browsers starts again with the
	// next right password from one of them.
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	if sessions, s := w.credentials("jane").Sessions, w.Account("jane").Status.SignIn; len(sessions) != 1 || s.Failures != 1 {
		t.Errorf("%d sessions, %+v", len(sessions), s)
	}
	expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
	if s := w.Account("jane").Status.SignIn; s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhereTheFrontDoorLeads(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.browser()
	expectTo(t, b.visit("/?lang=de"), "/sign-in?lang=de")
	expect(t, b.visit("/sign-in"), 200, "Sign in", `autocomplete="username"`, `autocomplete="current-password"`, `href="/reset?lang=en"`, `href="/user-names?lang=en"`)
	b.signIn("jane", validPassword)
	for _, page := range []string{"/", "/sign-in", "/sign-in/code"} {
		expectTo(t, b.visit(page+"?lang=fr"), "/account?lang=fr")
	}
	w.interfere(interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
		return storetest.ErrDown
	}})
	b.handler = w.handler
	for _, page := range []string{"/", "/sign-in", "/sign-in/code"} {
		expect(t, b.visit(page), 503)
	}
}

func TestAMissingSecondFactorLeadsToItsPage(t *testing.T) {
	org := storetest.Acme()
	org.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired
	org.Name = "strict"
	w := worldWith(t, all(personWithPassword(t, "jane"), belongs(org))...)
	expectTo(t, w.browser().signIn("jane", validPassword), "/account/second-factor?lang=en")
}

func TestTheSignInPageShowsTheSupportContact(t *testing.T) {
	w := worldWith(t)
	const help = "Need help? Contact Acme Rocket Works: support@acme.example"
	expect(t, w.get("/sign-in?organization=acme"), 200, "!Need help?")
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "support@acme.example" })
	page := w.get("/sign-in?organization=acme")
	expect(t, page, 200, help, `action="/sign-in?lang=en&organization=acme"`, `href="/user-names?lang=en&organization=acme"`)
	for _, l := range switchOf(t, "/sign-in?organization=acme", page) {
		expect(t, w.get(l.Address), 200, `<html lang="`+l.Lang+`">`, "Acme Rocket Works", "support@acme.example")
	}
	expect(t, w.post("/sign-in?lang=en&organization=acme", signInForm("jane", validPassword)), 422, refused, help)
	expect(t, w.get("/sign-in?organization=globex"), 200, "!Need help?", `action="/sign-in?lang=en"`)
	w.interfere(interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
		t.Errorf("the API server was asked for %q", key.Name)
		return storetest.ErrDown
	}})
	for _, name := range []string{"", "acme/..", "ACME", "../acme", `"><script>`, strings.Repeat("a", 300)} {
		expect(t, w.get("/sign-in?organization="+url.QueryEscape(name)), 200, "!Need help?", `action="/sign-in?lang=en"`, "!ACME", "!..")
	}
}

func TestAWeakHashIsRenewed(t *testing.T) {
	weak, err := argon2id.CreateHash(validPassword, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, personWithPassword(t, "jane", func(_ *accountsv1.Account, c *account.Credentials) { c.Password = weak })...)
	w.config.Hasher = account.NewHasher(1, time.Minute)
	w.build()
	expect(t, w.browser().signIn("jane", "wrong"), 422, refused)
	if w.credentials("jane").Password != weak {
		t.Error("a wrong password changed the hash")
	}
	for range 2 {
		expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
	}
	if now := w.credentials("jane"); account.Outdated(now.Password) || !now.PasswordTime.Equal(storetest.Start.Add(-time.Hour)) {
		t.Errorf("%s of %s", now.Password, now.PasswordTime)
	}
}

func TestACorrectPasswordSignsInIfItsHashCannotBeRenewed(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	w.config.Hasher = fullHasher{}
	b := w.build().browser()
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	if !b.isIn() || w.credentials("jane").Password != "hash of "+validPassword {
		t.Errorf("signed in: %t, stored password %q", b.isIn(), w.credentials("jane").Password)
	}
}

func TestNothingThatSignsInIsLogged(t *testing.T) {
	secret, err := secondfactor.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, personWithPassword(t, "jane", withApp(secret))...)
	b := w.browser()
	b.signIn("jane", "typed wrong")
	b.signIn("jane", validPassword)
	halfway := b.cookie.Value
	b.code("123456")
	b.code(w.appCode(secret))
	w.config.Hasher = storetest.PlainHasher{Err: account.ErrBusy}
	w.build().browser().signIn("jane.doe@example.com", validPassword)
	texts := []string{"typed wrong", validPassword, "jane", "123456", secret, halfway, b.cookie.Value, w.credentials("jane").Sessions[0].Hash}
	for _, text := range texts {
		if strings.Contains(w.logs.String(), text) {
			t.Errorf("%q is in the log:\n%s", text, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/sign-in/code"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}
