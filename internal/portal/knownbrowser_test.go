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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// lockOut has strangers lock the passwords of jane, without a check that each password is
// refused.
func (w *world) lockOut() {
	w.T.Helper()
	for range 6 {
		w.browser().signIn("jane", "wrong")
	}
	if !w.isLocked() {
		w.T.Error("strangers did not lock the passwords")
	}
}

func (w *world) isLocked() bool {
	w.T.Helper()
	return account.LockOf(w.Account("jane").Status.SignIn, account.FactorPassword, account.Limits{MaxFailures: 5}).Locked(w.Clock.Now())
}

// aKnownBrowser returns a browser with which jane has signed in and out.
func (w *world) aKnownBrowser() *browser {
	w.T.Helper()
	b := w.browser()
	expectTo(w.T, b.signIn("jane", validPassword), "/account?lang=en")
	b.fill("/sign-out", nil)
	if b.cookie != nil || b.known == nil {
		w.T.Fatalf("after a sign-out, the cookies are %v and %v", b.cookie, b.known)
	}
	return b
}

// TestStrangersDoNotLockOutAKnownBrowser has strangers lock the passwords all day, while
// jane signs in with a browser that she has signed in with before.
func TestStrangersDoNotLockOutAKnownBrowser(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	w.Organization(func(o *accountsv1.Organization) {
		o.Spec.Roles = []accountsv1.Role{{Name: "developer", Standing: accountsv1.StandingOwner}}
	})
	b := w.aKnownBrowser()
	for range 5 {
		w.lockOut()
		for range 4 {
			expect(t, b.signIn("jane", "wrong"), 422, refused)
		}
		before := w.Account("jane").ResourceVersion
		expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
		if w.Account("jane").ResourceVersion != before || !w.isLocked() {
			t.Error("the sign-in changed what was counted for strangers")
		}
		// The current password is checked too.
		w.Clock.Step(session.Fresh)
		expectTo(t, b.fill(pathFactors+"/app", url.Values{fieldCurrentPassword: {validPassword}}), pathFactors+"/app?lang=en")
		expect(t, w.browser().signIn("jane", validPassword), 422, refused)
		expectTo(t, b.fill("/sign-out", nil), "/sign-in?lang=en&done=signed-out")
		w.Clock.Step(5 * time.Minute)
	}
}

// TestAKnownBrowserHasItsOwnLimit guesses with the cookie of jane's browser.
func TestAKnownBrowserHasItsOwnLimit(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	looked := 0
	w.config.Hasher = watched{storetest.PlainHasher{}, func(hash string) {
		if hash != "" {
			looked++
		}
	}}
	w.build()
	b := w.aKnownBrowser()
	looked = 0
	for range 5 {
		expect(t, b.signIn("jane", "wrong"), 422, refused)
	}
	if s := w.Account("jane").Status.SignIn; s != (accountsv1.SignIn{}) {
		t.Errorf("counted for strangers: %+v", s)
	}
	// From now on, the browser is a stranger.
	for range 7 {
		expect(t, b.signIn("jane", "wrong"), 422, refused)
	}
	if !w.isLocked() || looked != 10 {
		t.Errorf("locked: %t, and %d passwords were checked", w.isLocked(), looked)
	}
	expect(t, b.signIn("jane", validPassword), 422, refused)
	w.Clock.Step(15 * time.Minute)
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	b.fill("/sign-out", nil)
	w.lockOut()
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
}

func TestWhenABrowserIsForgotten(t *testing.T) {
	for name, forget := range map[string]func(w *world, b *browser){
		"every session is ended": func(w *world, _ *browser) {
			other := w.browser()
			other.signIn("jane", validPassword)
			other.fill("/account/sessions", url.Values{fieldSession: {allSessions}})
		},
		"the password is changed in another browser": func(w *world, _ *browser) {
			other := w.browser()
			other.signIn("jane", validPassword)
			expectTo(t, other.fill("/account/password", toAnother()), "/account?lang=en&done=password")
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "hash of " + validPassword })
		},
		"the password is reset in another browser": func(w *world, _ *browser) {
			expect(t, w.post("/reset", resetRequest("jane")), 200)
			expect(t, w.post(w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time), newPasswords(otherPassword)), 200)
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.Password = "hash of " + validPassword })
		},
		"the account was disabled": func(w *world, _ *browser) {
			w.Clock.Step(time.Second)
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) {
				account.EndSessions(&a.Status.SignIn, metav1.NewTime(w.Clock.Now().UTC().Truncate(time.Second)))
			})
		},
		"the account was restored": func(w *world, _ *browser) {
			restored := w.Account("jane")
			w.Must(w.Client.Delete(context.Background(), w.Account("jane")))
			restored.ResourceVersion = ""
			w.Must(w.Client.Create(context.Background(), restored))
		},
		"half a year without a sign-in": func(w *world, _ *browser) { w.Clock.Step(session.KnownFor) },
		"ten other browsers": func(w *world, _ *browser) {
			for range session.MostBrowsers {
				w.Clock.Step(time.Second)
				w.browser().signIn("jane", validPassword)
			}
		},
		"the cookie is another account's": func(w *world, b *browser) {
			for _, obj := range personWithPassword(t, "john", withAddress("john@example.com")) {
				w.Must(w.Client.Create(context.Background(), obj))
			}
			other := w.browser()
			expectTo(t, other.signIn("john", validPassword), "/account?lang=en")
			b.known = other.known
		},
		"the cookie is invented": func(_ *world, b *browser) {
			b.known.Value = strings.Repeat("A", len(b.known.Value))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, acmeMember(t, "jane")...)
			b := w.aKnownBrowser()
			forget(w, b)
			w.lockOut()
			expect(t, b.signIn("jane", validPassword), 422, refused)
		})
	}
}

// TestAResetMakesItsBrowserKnown has strangers lock the passwords again directly after the
// reset.
func TestAResetMakesItsBrowserKnown(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	b := w.browser()
	w.lockOut()
	expect(t, b.fill("/reset", resetRequest("jane")), 200)
	expect(t, b.fill(w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time), newPasswords(otherPassword)), 200)
	w.lockOut()
	expect(t, w.browser().signIn("jane", otherPassword), 422, refused)
	expectTo(t, b.signIn("jane", otherPassword), "/account?lang=en")
}

// TestAPasswordAloneMakesNoBrowserKnown signs in halfway with the right password.
func TestAPasswordAloneMakesNoBrowserKnown(t *testing.T) {
	w, secret, _ := anApp(t)
	thief, b := w.browser(), w.browser()
	expectTo(t, thief.signIn("jane", validPassword), codePath)
	if thief.known != nil || len(w.credentials("jane").Browsers) != 0 {
		t.Error("the password alone made a browser known")
	}
	b.signIn("jane", validPassword)
	expectTo(t, b.code(w.appCode(secret)), "/account?lang=en")
	// Codes are counted for the Account, whatever the browser.
	b.fill("/sign-out", nil)
	expectTo(t, b.signIn("jane", validPassword), codePath)
	b.code(wrongFor(w.appCode(secret)))
	if s := w.Account("jane").Status.SignIn; s.CodeFailures != 1 {
		t.Errorf("counted: %+v", s)
	}
}

func TestOneBrowserIsKnownToSeveralAccounts(t *testing.T) {
	w := worldWith(t, all(personWithPassword(t, "john", withAddress("john@example.com")), personWithPassword(t, "jane"))...)
	b := w.aKnownBrowser()
	before := b.known.Value
	expectTo(t, b.signIn("john", validPassword), "/account?lang=en")
	w.lockOut()
	if expectTo(t, b.signIn("jane", validPassword), "/account?lang=en"); b.known.Value != before {
		t.Error("the cookie changed")
	}
	for _, name := range []string{"jane", "john"} {
		known := w.credentials(name).Browsers
		if len(known) != 1 || strings.Contains(string(w.Secret(name).Data["credentials"]), before) {
			t.Errorf("%s knows %v", name, known)
		}
	}
}

func TestWhatTheCookieOfAKnownBrowserIsLike(t *testing.T) {
	for base, want := range map[string]string{
		"https://usher.example.com": "__Host-usher-browser=; Path=/; Max-Age=15552000; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:8080":     "usher-browser=; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax",
	} {
		w := aWorldWithoutPages(t, personWithPassword(t, "jane")...)
		var err error
		w.config.BaseURL, err = url.Parse(base)
		w.Must(err)
		b := w.build().browser()
		got := b.signIn("jane", validPassword).Header().Values("Set-Cookie")
		if len(got) != 3 || strings.Replace(got[2], b.known.Value, "", 1) != want || len(b.known.Value) != 43 {
			t.Errorf("%s sets %q", base, got)
		}
		// The cookie alone signs no one in.
		if b.cookie = nil; b.isIn() {
			t.Error("it signs in")
		}
	}
}

func TestAnAnswerDoesNotDependOnTheCookie(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.aKnownBrowser()
	var answers []*httptest.ResponseRecorder
	for _, known := range []*http.Cookie{b.known, nil, {Name: b.known.Name, Value: strings.Repeat("A", 43)}, {Name: b.known.Name, Value: "x"}} {
		other := w.browser()
		other.known = known
		answers = append(answers, other.signIn("jane", "wrong"))
		expectSame(t, other.signIn("nobody", "wrong"), w.browser().signIn("nobody", "wrong"))
	}
	for _, got := range answers {
		expectSame(t, got, answers[0])
	}
}

// TestASignInInAKnownBrowserWritesNoMore counts the writes of a sign-in without a second
// factor.
func TestASignInInAKnownBrowserWritesNoMore(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.aKnownBrowser()
	secret, a := w.Secret("jane"), w.Account("jane")
	writes := 0
	b.handler = w.interfere(countingWrites(&writes)).handler
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	if writes != 2 || w.Secret("jane").ResourceVersion == secret.ResourceVersion || w.Account("jane").ResourceVersion != a.ResourceVersion {
		t.Errorf("%d writes", writes)
	}
	writes = 0
	other := w.browser()
	expectTo(t, other.signIn("jane", validPassword), "/account?lang=en")
	if writes != 3 {
		t.Errorf("%d writes in a new browser", writes)
	}
}

// countingWrites counts all writes that succeed.
func countingWrites(writes *int) interceptor.Funcs {
	count := func(err error) error {
		if err == nil {
			*writes++
		}
		return err
	}
	return interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return count(c.Update(ctx, obj, opts...))
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			return count(c.SubResource(name).Update(ctx, obj, opts...))
		},
	}
}

// TestAContendedSignInKeepsTheBrowser has the first write of the status fail with a
// conflict, after the Account has got to know the browser.
func TestAContendedSignInKeepsTheBrowser(t *testing.T) {
	for name, withCode := range map[string]bool{"with a password": false, "with a code": true} {
		t.Run(name, func(t *testing.T) {
			w, secret, _ := anApp(t)
			if !withCode {
				w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.Secret = "" })
			}
			disturbed := false
			isKnown := func() bool { return len(w.credentials("jane").Browsers) > 0 }
			disturb := once(func() {
				disturbed = true
				w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Status.Deliveries = nil })
			})
			b := w.browser()
			b.handler = w.interfere(interceptor.Funcs{
				SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
					if isKnown() {
						disturb()
					}
					return c.SubResource(name).Update(ctx, obj, opts...)
				},
			}).handler
			answer := b.signIn("jane", validPassword)
			if withCode {
				answer = b.code(w.appCode(secret))
			}
			expectTo(t, answer, "/account?lang=en")
			if !disturbed || b.known == nil || session.FindBrowser(w.credentials("jane").Browsers, b.known.Value, w.Clock.Now(), time.Time{}) < 0 {
				t.Errorf("disturbed: %t; the browser keeps %v", disturbed, b.known)
			}
		})
	}
}

// TestADisabledAccountIsNoticedInAKnownBrowser changes the Account while the right password
// is being compared. The sign-in has no status to write.
func TestADisabledAccountIsNoticedInAKnownBrowser(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world){
		"it is disabled": func(w *world) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"it is deleted": func(w *world) { w.Must(w.Client.Delete(context.Background(), w.Account("jane"))) },
		"it is restored": func(w *world) {
			restored := w.Account("jane")
			w.Must(w.Client.Delete(context.Background(), w.Account("jane")))
			restored.ResourceVersion, restored.UID = "", "another"
			w.Must(w.Client.Create(context.Background(), restored))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, personWithPassword(t, "jane")...)
			b := w.aKnownBrowser()
			hasBegun := func() bool { return len(w.credentials("jane").Sessions) > 0 }
			change := once(func() { meanwhile(w) })
			b.handler = w.interfere(interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
					err := c.Update(ctx, obj, opts...)
					if hasBegun() {
						change()
					}
					return err
				},
			}).handler
			if expect(t, b.signIn("jane", validPassword), 422, refused); b.cookie != nil {
				t.Error("signed in")
			}
		})
	}
}
