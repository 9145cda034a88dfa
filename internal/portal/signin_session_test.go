// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

func TestSigningInGivesAnotherCookieAndTheOldOneIsDead(t *testing.T) {
	w := worldWith(t, all(personWithPassword(t, "jane"), personWithPassword(t, "john"))...)
	b := w.browser()
	b.signIn("jane", validPassword)
	for _, next := range []string{"jane", "john"} {
		old := *b
		expectTo(t, b.signIn(next, validPassword), "/account?lang=en")
		switch {
		case b.cookie.Value == old.cookie.Value:
			t.Errorf("%s got the earlier cookie", next)
		case old.isIn():
			t.Errorf("after %s the earlier cookie still signs in", next)
		case !b.isIn():
			t.Errorf("%s is not signed in", next)
		}
	}
	if left := len(w.credentials("jane").Sessions); left != 0 {
		t.Errorf("jane still has %d sessions", left)
	}
}

func TestAPlantedCookieIsNeverAdopted(t *testing.T) {
	w := worldWith(t, all(personWithPassword(t, "jane"), personWithPassword(t, "mallory"))...)
	mallory := w.browser()
	mallory.signIn("mallory", validPassword)
	token, _, _ := strings.Cut(mallory.cookie.Value, ".")
	for name, planted := range map[string]string{
		"an invented token":                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.jane",
		"the attacker's own token":             mallory.cookie.Value,
		"the attacker's token with her name":   token + ".jane",
		"a token with an unknown name":         "x.-",
		"a token with an invalid name":         "x.../../secrets",
		"a token with an empty name":           "x.",
		"a token without a separator":          "x",
		"a token with a name that is too long": "x." + strings.Repeat("a", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			b.cookie = &http.Cookie{Name: hostPrefix + sessionCookie, Value: planted}
			if strings.HasSuffix(planted, ".jane") && b.isIn() {
				t.Error("it signs in before the victim does")
			}
			expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
			attacker := w.browser()
			attacker.cookie = &http.Cookie{Name: hostPrefix + sessionCookie, Value: planted}
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
		w := aWorldWithoutPages(t, personWithPassword(t, "jane")...)
		var err error
		w.config.BaseURL, err = url.Parse(base)
		w.Must(err)
		b := w.build().browser()
		set := b.signIn("jane", validPassword).Header().Values("Set-Cookie")
		got := set[slices.IndexFunc(set, func(c string) bool { return strings.Contains(c, sessionCookie+"=") })]
		if value := b.cookie.Value; strings.Replace(got, value, "", 1) != want || len(value) < 43 {
			t.Errorf("%s sets %q", base, got)
		}
		got = b.fill("/sign-out", nil).Header().Get("Set-Cookie")
		if forgotten := strings.Replace(want, "Max-Age=43200", "Max-Age=0", 1); got != forgotten {
			t.Errorf("%s removes it with %q, want %q", base, got, forgotten)
		}
	}
}

func TestHowLongASessionLasts(t *testing.T) {
	for name, tc := range map[string]struct {
		// every is the time between requests of the browser, and times their number.
		every time.Duration
		times int
		// then is the time before the last request.
		then time.Duration
		want bool
	}{
		"half an hour without a request":            {then: session.Idle, want: false},
		"a little less than half an hour":           {then: session.Idle - time.Second, want: true},
		"half an hour after the last request":       {every: 20 * time.Minute, times: 3, then: session.Idle, want: false},
		"less after the last request":               {every: 20 * time.Minute, times: 3, then: session.Idle - time.Second, want: true},
		"twelve hours, even if it is always in use": {every: 10 * time.Minute, times: 71, then: 10 * time.Minute, want: false},
		"a little less than twelve hours":           {every: 10 * time.Minute, times: 71, then: 10*time.Minute - time.Second, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, personWithPassword(t, "jane")...)
			b := w.browser()
			b.signIn("jane", validPassword)
			for range tc.times {
				w.Clock.Step(tc.every)
				if !b.isIn() {
					t.Fatalf("signed out at %s", w.Clock.Now())
				}
			}
			w.Clock.Step(tc.then)
			if b.isIn() != tc.want {
				t.Errorf("signed in: %t", !tc.want)
			}
		})
	}
}

func TestAnAccountHasTwentySessionsAtMost(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	var browsers []*browser
	for range session.Most + 2 {
		w.Clock.Step(time.Second)
		browsers = append(browsers, w.browser())
		browsers[len(browsers)-1].signIn("jane", validPassword)
	}
	for i, b := range browsers {
		if b.isIn() != (i >= 2) {
			t.Errorf("browser %d is signed in: %t", i, i < 2)
		}
	}
}

func TestSigningOut(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	here, there := w.browser(), w.browser()
	here.signIn("jane", validPassword)
	there.signIn("jane", validPassword)
	copied := *here
	expectTo(t, here.fill("/sign-out?lang=de", nil), "/sign-in?lang=de&done=signed-out")
	if here.cookie != nil || copied.isIn() || !there.isIn() {
		t.Errorf("cookie %v; signed in with a copy of it: %t, elsewhere: %t", here.cookie, copied.isIn(), there.isIn())
	}
	expect(t, here.visit("/sign-in?done=signed-out"), 200, "You are signed out.")
	expect(t, here.visit("/sign-in?done=another"), 200, "!You are signed out.", "!another")
	for name, b := range map[string]*browser{"a new browser": w.browser(), "a browser that was signed in": here, "a session that has ended": &copied} {
		got := b.fill("/sign-out?lang=en", nil)
		expectTo(t, got, "/sign-in?lang=en&done=signed-out")
		if !strings.Contains(got.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("%s keeps the cookie", name)
		}
	}
	// A GET does nothing.
	expect(t, there.visit("/sign-out?lang=en"), 200, "Sign out?", `action="/sign-out?lang=en"`)
	r := formRequest("/sign-out", "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	expect(t, there.send(r), 403)
	if !there.isIn() {
		t.Error("a session ended without a form")
	}
}

func TestAFailedSignOutIsReported(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.browser()
	b.signIn("jane", validPassword)
	w.interfere(interceptor.Funcs{Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		return storetest.ErrDown
	}})
	b.handler = w.handler
	expect(t, b.fill("/sign-out", nil), 503)
	if b.cookie == nil || !b.isIn() {
		t.Error("the cookie of an active session was removed")
	}
}

func TestARestoredAccountKeepsItsPasswordAndNoSession(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	b := w.browser()
	b.signIn("jane", validPassword)
	restored := w.Account("jane")
	w.Must(w.Client.Delete(context.Background(), w.Account("jane")))
	restored.ResourceVersion = ""
	w.Must(w.Client.Create(context.Background(), restored)) // this gives it another UID
	if b.isIn() {
		t.Error("a session from before the restore still works")
	}
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	if !b.isIn() || len(w.credentials("jane").Sessions) != 1 || w.credentials("jane").UID != string(w.Account("jane").UID) {
		t.Errorf("credentials %+v", w.credentials("jane"))
	}
}

func TestASessionEndsWithTheAccount(t *testing.T) {
	for name, change := range map[string]func(*world){
		"disabled": func(w *world) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		},
		"deleted": func(w *world) { w.Must(w.Client.Delete(context.Background(), w.Account("jane"))) },
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, personWithPassword(t, "jane")...)
			b := w.browser()
			b.signIn("jane", validPassword)
			w.Clock.Step(time.Minute)
			change(w)
			if b.isIn() {
				t.Error("the session still works")
			}
		})
	}
}

// TestGuessesEndNoSession guesses passwords and, with the right password, codes, until
// both are locked, again and again.
func TestGuessesEndNoSession(t *testing.T) {
	w, secret, _ := anApp(t)
	there, thief := w.browser(), w.browser()
	there.signIn("jane", validPassword)
	expectTo(t, there.code(w.appCode(secret)), "/account?lang=en")
	for range 3 {
		w.Clock.Step(16 * time.Minute)
		expectTo(t, thief.signIn("jane", validPassword), codePath)
		for range 6 {
			thief.code(wrongFor(w.appCode(secret)))
		}
		for range 6 {
			w.browser().signIn("jane", "wrong")
		}
		if !there.isIn() {
			t.Fatal("guesses ended the session")
		}
	}
}
