// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// reserveCookie returns the cookie of a browser that signed in to the Account with that
// UID, and has this much of its reserve left.
func (w *world) reserveCookie(uid string, left time.Duration) *http.Cookie {
	w.T.Helper()
	owner := reserveFor(&accountsv1.Account{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}})
	text, err := sealed{owner, w.Clock.Now().Add(left)}.seal(reserveDomain, w.Keys)
	w.Must(err)
	return &http.Cookie{Name: hostPrefix + reserveCookie, Value: text}
}

// withLimits is a portal with the default limits, behind one proxy.
func withLimits(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := aWorldWithoutPages(t, objects...)
	w.config.Limits = DefaultLimits()
	w.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	return w.atOnce()
}

// flooded sends forms from as many networks until the portal refuses all strangers.
func (w *world) flooded() *world {
	w.T.Helper()
	for i := range 200 {
		r := formRequest("/sign-in", signInForm("", "").Encode())
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.0.1", i))
		if got := w.do(r); got.Code == http.StatusTooManyRequests {
			return w
		}
	}
	w.T.Fatal("200 forms from 200 networks got through at once")
	return w
}

func TestAFloodLeavesOutNoKnownBrowser(t *testing.T) {
	for name, secret := range map[string]string{"with a password": "", "with a second factor": appSecret} {
		t.Run(name, func(t *testing.T) {
			w := withLimits(t, personWithPassword(t, "jane", func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.Secret = secret })...)
			a, next := w.agent(), "/account?lang=en"
			if secret != "" {
				next = "/sign-in/code?lang=en"
			}
			expectTo(t, a.fill("/sign-in?lang=en", signInForm("jane", validPassword)), next)
			if secret != "" {
				if a.jar[hostPrefix+reserveCookie] != nil {
					t.Error("a password alone gives a reserve, although there is a second factor")
				}
				expectTo(t, a.fill("/sign-in/code?lang=en", url.Values{fieldCode: {codeAt(t, appSecret, w.Clock.Now())}}), "/account?lang=en")
			}
			w.expectReserve(a)
			expectTo(t, a.fill("/sign-out?lang=en", nil), "/sign-in?lang=en&done=signed-out")
			w.flooded()
			expect(t, w.agent().fill("/sign-in?lang=en", signInForm("jane", validPassword)), 429, "Wait a minute")
			expectTo(t, a.fill("/sign-in?lang=en", signInForm("jane", validPassword)), next)
		})
	}
}

// expectReserve checks the cookie of a browser that has signed in as jane.
func (w *world) expectReserve(a *cookieBrowser) {
	w.T.Helper()
	got := a.jar[hostPrefix+reserveCookie]
	if got == nil || !got.HttpOnly || !got.Secure || got.SameSite != http.SameSiteLaxMode || got.MaxAge != 180*24*60*60 {
		w.T.Fatalf("cookie %v", got)
	}
	if raw, _ := base64.RawURLEncoding.DecodeString(got.Value); strings.Contains(string(raw), "jane") {
		w.T.Error("the cookie names the person")
	}
}

// TestAnInventedReserveGivesNothing sends cookies that no portal made, during a flood.
// Each is refused, and costs no read.
func TestAnInventedReserveGivesNothing(t *testing.T) {
	for name, cookie := range map[string]func(w *world) string{
		"of an Account by its UID": func(*world) string { return "uid-of-jane" },
		"empty":                    func(*world) string { return "" },
		"that was cut off":         func(w *world) string { return w.reserveCookie("uid-of-jane", time.Hour).Value[:60] },
		"that expired":             func(w *world) string { return w.reserveCookie("uid-of-jane", 0).Value },
		"with another Account": func(w *world) string {
			return changedAt(w, w.reserveCookie("uid-of-jane", time.Hour).Value, 1)
		},
		"with another expiry": func(w *world) string {
			return changedAt(w, w.reserveCookie("uid-of-jane", 0).Value, sealedHead-1)
		},
		"of a removed key": func(w *world) string {
			return changedAt(w, w.reserveCookie("uid-of-jane", time.Hour).Value, 0)
		},
		"from the challenge for a passkey": func(w *world) string {
			text, err := sealed{expires: w.Clock.Now().Add(time.Hour)}.seal(challengeDomain, w.Keys)
			w.Must(err)
			return text
		},
		"with the token of a session": func(*world) string { return "token.jane" },
	} {
		t.Run(name, func(t *testing.T) {
			w := withLimits(t, personWithPassword(t, "jane")...)
			reads := 0
			w.interfere(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					reads++
					return c.Get(ctx, key, obj, opts...)
				},
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					reads++
					return c.List(ctx, list, opts...)
				},
			}).flooded()
			reads = 0
			a := w.agent()
			a.jar[hostPrefix+reserveCookie] = &http.Cookie{Name: hostPrefix + reserveCookie, Value: cookie(w)}
			expect(t, a.fill("/sign-in?lang=en", signInForm("jane", validPassword)), 429)
			if reads != 0 {
				t.Errorf("%d reads", reads)
			}
		})
	}
}

// changedAt returns a sealed text with one byte changed.
func changedAt(w *world, text string, at int) string {
	w.T.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	w.Must(err)
	raw[at]++
	return base64.RawURLEncoding.EncodeToString(raw)
}

// TestOneReserveIsForOnePerson floods with the reserve of one person, from many networks.
// It gets what one client gets. Then it counts as a stranger, and others keep theirs.
func TestOneReserveIsForOnePerson(t *testing.T) {
	w := withLimits(t, all(personWithPassword(t, "jane"), personWithPassword(t, "mallory"))...).flooded()
	send := func(uid string, network int) *httptest.ResponseRecorder {
		r := formRequest("/sign-in?lang=en", signInForm("", "").Encode())
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.0.1", network))
		r.AddCookie(w.reserveCookie(uid, time.Hour))
		return w.do(r)
	}
	through := 0
	for i := range 100 {
		if send("uid-of-mallory", i).Code != http.StatusTooManyRequests {
			through++
		}
	}
	if through != DefaultLimits().PostsBurst {
		t.Errorf("%d forms of one person got through", through)
	}
	expect(t, send("uid-of-jane", 1), 422)
}

// TestTheReserveReachesTheHasher checks which requests may use reserved slots.
func TestTheReserveReachesTheHasher(t *testing.T) {
	hasher := account.NewHasher(2, 0)
	w := withLimits(t, personWithPassword(t, "jane")...)
	w.config.Hasher = hasher
	w.build()
	busy, left := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = hasher.Verify(context.Background(), "a stranger's", func() string {
			close(busy)
			<-left
			return ""
		})
	}()
	<-busy
	defer close(left)
	expect(t, w.agent().fill("/sign-in", signInForm("jane", "wrong")), 503, "Many people are signing in right now.")
	known := w.agent()
	known.jar[hostPrefix+reserveCookie] = w.reserveCookie("uid-of-jane", time.Hour)
	expect(t, known.fill("/sign-in", signInForm("jane", "wrong")), 422, refused)
}

func TestWithoutKeysThereIsNoReserve(t *testing.T) {
	w := withLimits(t, personWithPassword(t, "jane")...)
	cookie := w.reserveCookie("uid-of-jane", time.Hour)
	w.config.Keys = brokenKeys
	w.build()
	a := w.agent()
	a.jar[hostPrefix+reserveCookie] = cookie
	expectTo(t, a.fill("/sign-in?lang=en", signInForm("jane", validPassword)), "/account?lang=en")
	if log := w.logs.String(); !strings.Contains(log, "Failed to read the link keys for a reserve") || strings.Contains(log, storetest.JaneUID) {
		t.Errorf("log:\n%s", log)
	}
}

// TestAnImplausibleReserveIsNotLogged sends invented cookies while the keys cannot be read.
// A flood of them must not fill the log.
func TestAnImplausibleReserveIsNotLogged(t *testing.T) {
	w := withLimits(t)
	w.config.Keys = brokenKeys
	w.build()
	good := w.reserveCookie("uid-of-jane", time.Hour).Value
	for _, value := range []string{"", "x", good[1:], good + "A", "token.jane"} {
		a := w.agent()
		a.jar[hostPrefix+reserveCookie] = &http.Cookie{Name: hostPrefix + reserveCookie, Value: value}
		expect(t, a.visit("/sign-in"), 200)
	}
	if log := w.logs.String(); strings.Contains(log, "Failed") {
		t.Errorf("log:\n%s", log)
	}
}
