// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// guess tries that many wrong passwords, each of which is refused.
func (w *world) guess(times int) {
	w.T.Helper()
	for range times {
		expect(w.T, w.browser().signIn("jane", "wrong"), 422, refused)
	}
}

func TestTheLock(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	looked := 0
	w.config.Hasher = watched{storetest.PlainHasher{}, func(hash string) {
		if hash != "" {
			looked++
		}
	}}
	w.build()
	w.guess(4)
	unlocked := w.browser().signIn("jane", "wrong")
	for lock, minutes := range []time.Duration{15, 30, 60} {
		// The correct password gets the same answer as a wrong one, and is not
		// checked.
		looked = 0
		expectSame(t, w.browser().signIn("jane", validPassword), unlocked)
		w.Clock.Step(minutes*time.Minute - time.Second)
		before := w.Account("jane").ResourceVersion
		expectSame(t, w.browser().signIn("jane", validPassword), unlocked)
		if looked != 0 || w.Account("jane").ResourceVersion != before {
			t.Errorf("lock %d: %d passwords were checked", lock, looked)
		}
		w.Clock.Step(time.Second)
		w.guess(5)
	}
	w.Clock.Step(2 * time.Hour)
	b := w.browser()
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
	if s := w.Account("jane").Status.SignIn; !b.isIn() || s.Failures != 0 || s.Locks != 0 || s.FailureTime != nil {
		t.Errorf("after the correct password: %+v", s)
	}
}

// TestABusyPortalLocksNoAccount tries the correct password ten times. Each
// time it is refused because there is no capacity to check it.
func TestABusyPortalLocksNoAccount(t *testing.T) {
	confirm := url.Values{fieldCurrentPassword: {validPassword}}
	for name, tc := range map[string]struct {
		hasher store.Hasher
		send   func(a *cookieBrowser) *httptest.ResponseRecorder
		to     string
	}{
		"a sign-in": {
			storetest.PlainHasher{Err: account.ErrBusy},
			func(a *cookieBrowser) *httptest.ResponseRecorder {
				return a.fill("/sign-in?lang=en", signInForm(mara, validPassword))
			},
			"/account?lang=en",
		},
		"a change of the password": {
			storetest.PlainHasher{Err: account.ErrBusy},
			func(a *cookieBrowser) *httptest.ResponseRecorder {
				return a.fill("/account/password", toAnother())
			},
			"/account?lang=en&done=password",
		},
		"a new password that cannot be hashed": {
			fullHasher{},
			func(a *cookieBrowser) *httptest.ResponseRecorder {
				return a.fill("/account/password", toAnother())
			},
			"/account?lang=en&done=password",
		},
		"a confirmation of a change of second factors": {
			storetest.PlainHasher{Err: account.ErrBusy},
			func(a *cookieBrowser) *httptest.ResponseRecorder { return a.fill(pathFactors+"/app", confirm) },
			pathFactors + "/app?lang=en",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			a := w.seated(mara, session.StageSignedIn, session.Fresh)
			w.config.Hasher = tc.hasher
			a.handler = w.portals(1)[0]
			for range 10 {
				expect(t, tc.send(a), 503)
			}
			if s := w.Account(mara).Status.SignIn; s != (accountsv1.SignIn{}) {
				t.Errorf("counted: %+v", s)
			}
			a.handler = w.handler
			expectTo(t, tc.send(a), tc.to)
		})
	}
}

func TestTheRightPasswordForgetsTheWrongOnes(t *testing.T) {
	w := worldWith(t, personWithPassword(t, "jane")...)
	there := w.browser()
	there.signIn("jane", validPassword)
	w.Clock.Step(time.Minute)
	for range 3 {
		w.guess(4)
		b := w.browser()
		expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
		if !b.isIn() {
			t.Error("the fifth attempt is correct but does not sign in")
		}
		w.Clock.Step(time.Second)
	}
}

func TestTheStrictestOrganizationSaysWhenAnAccountIsLocked(t *testing.T) {
	strict, lenient := storetest.Acme(), storetest.Acme()
	strict.Name, strict.Spec.Namespace, strict.Spec.SignIn.MaxFailures = "strict", "strict-people", 3
	lenient.Name, lenient.Spec.Namespace, lenient.Spec.SignIn.MaxFailures = "lenient", "lenient-people", 7
	for name, tc := range map[string]struct {
		record string
		most   int
	}{
		"of two":                     {"lenient-people/jane,strict-people/jane", 3},
		"of one":                     {"lenient-people/jane", 7},
		"of an unknown organization": {"gone-people/jane", 5},
		"of one for another address": {"strict-people/jane=john@example.org,lenient-people/jane", 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, all(belongs(strict), belongs(lenient), personWithPassword(t, "jane", func(a *accountsv1.Account, _ *account.Credentials) {
				a.Annotations[accountsv1.MembershipsAnnotation] = tc.record
			}))...)
			w.guess(tc.most - 1)
			expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
			w.guess(tc.most)
			expect(t, w.browser().signIn("jane", validPassword), 422, refused)
			w.Clock.Step(15 * time.Minute)
			expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
		})
	}
}

// TestFiveGuessesAreCheckedAcrossPortals guesses at two portals, and at a
// third one that starts in the middle, all at once.
func TestFiveGuessesAreCheckedAcrossPortals(t *testing.T) {
	const guesses = 200
	var looked, total, written atomic.Int32
	w := aWorldWithoutPages(t, personWithPassword(t, "jane")...)
	w.config.Pause = func(context.Context, time.Duration) {}
	w.config.Hasher = watched{storetest.PlainHasher{}, func(hash string) {
		total.Add(1)
		if hash != "" {
			looked.Add(1)
		}
	}}
	w.interfere(interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			err := c.SubResource(name).Update(ctx, obj, opts...)
			if err == nil {
				written.Add(1)
			}
			return err
		},
	})
	portals := []http.Handler{w.handler, w.build().handler}
	var group sync.WaitGroup
	for i := range guesses {
		if i == guesses/2 {
			portals = append(portals, w.build().handler)
		}
		b, password := &browser{world: w, handler: portals[i%len(portals)]}, fmt.Sprint("wrong ", i)
		group.Go(func() {
			if got := b.signIn("jane", password); got.Code != http.StatusUnprocessableEntity {
				t.Errorf("status %d", got.Code)
			}
		})
	}
	group.Wait()
	if looked.Load() != 5 || total.Load() != guesses || written.Load() > 6 {
		t.Errorf("%d of %d passwords were checked, and the status was written %d times", looked.Load(), total.Load(), written.Load())
	}
	expect(t, w.browser().signIn("jane", validPassword), 422, refused)
	if looked.Load() != 5 {
		t.Error("the correct password was checked during the lock")
	}
	w.Clock.Step(15 * time.Minute)
	expectTo(t, w.browser().signIn("jane", validPassword), "/account?lang=en")
}
