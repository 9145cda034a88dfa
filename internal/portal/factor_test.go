// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// factorRequests returns one request per page about second factors and one per
// form on it. Each form contains every field that can be asked for.
func factorRequests(t *testing.T) []*http.Request {
	t.Helper()
	p := &portal{}
	var err error
	if p.relyingParty, err = newRelyingParty(&url.URL{Scheme: "https", Host: "usher.example.com"}); err != nil {
		t.Fatal(err)
	}
	var all []*http.Request
	for path, at := range p.factorRoutes() {
		if !strings.HasPrefix(path, pathFactors) {
			continue
		}
		if !strings.HasSuffix(path, "/options") { // not a page
			all = append(all, newRequest(http.MethodGet, path, nil))
		}
		if at.post != nil {
			all = append(all, formRequest(path, url.Values{fieldCurrentPassword: {validPassword}, fieldCode: {codeAt(t, appSecret, storetest.Start)}}.Encode()))
		}
	}
	return all
}

func TestSecondFactorsNeedASignedInSession(t *testing.T) {
	for _, c := range []struct {
		who   string
		agent func(w *world) *cookieBrowser
		to    string
	}{
		{"a visitor without a session", (*world).agent, "/sign-in?lang=en"},
		{"a person with only a password", func(w *world) *cookieBrowser {
			return w.seated(mara, session.StagePassword, time.Minute)
		}, "/sign-in/code?lang=en"},
		{"a person whose session has expired", func(w *world) *cookieBrowser {
			return w.seated(mara, session.StageSignedIn, session.Absolute)
		}, "/sign-in?lang=en"},
	} {
		w := worldWithMaraAndOtto(t, hasApp)
		a := c.agent(w)
		before := w.Secret(mara).ResourceVersion
		for _, r := range factorRequests(t) {
			got := a.send(r)
			if got.Code != http.StatusSeeOther || got.Header().Get("Location") != c.to || got.Body.Len() > 0 {
				t.Errorf("%s, %s %s: %d %q\n%s", c.who, r.Method, r.URL.Path, got.Code, got.Header().Get("Location"), got.Body)
			}
		}
		if after := w.Secret(mara).ResourceVersion; after != before {
			t.Errorf("%s has changed the credentials", c.who)
		}
		if failures := w.Account(mara).Status.SignIn.Failures; failures != 0 {
			t.Errorf("%s counted %d passwords", c.who, failures)
		}
	}
}

func TestChangesNeedThePasswordLongAfterSignIn(t *testing.T) {
	for _, path := range []string{"/app", "/app/remove", "/passkey/options", "/passkey/remove", "/recovery-codes"} {
		t.Run(path, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, hasApp, hasPasskey)
			a := w.seated(mara, session.StageSignedIn, session.Fresh)
			before := w.Secret(mara).ResourceVersion
			type outcome struct {
				changed bool
				counted int32
			}
			try := func(password, says string, want outcome) {
				t.Helper()
				got := a.fill(pathFactors+path, url.Values{fieldCurrentPassword: {password}, fieldPasskey: {"x"}})
				if refused := got.Code == http.StatusUnprocessableEntity; refused == want.changed || !strings.Contains(got.Body.String(), says) {
					t.Errorf("with %q: %d\n%s", password, got.Code, got.Body)
				}
				now := outcome{w.Secret(mara).ResourceVersion != before, w.Account(mara).Status.SignIn.Failures}
				if now != want {
					t.Errorf("with %q: %+v, want %+v", password, now, want)
				}
			}
			try("", "Enter your current password", outcome{false, 0})
			try("wrong", "not your current password", outcome{false, 1})
			try(validPassword, "", outcome{true, 0})
		})
	}
}

func TestConfirmationsCountLikeSignIns(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	a := w.seated(mara, session.StageSignedIn, session.Fresh)
	for range 5 {
		a.fill(pathFactors+"/app/remove", url.Values{fieldCurrentPassword: {"wrong"}})
	}
	got := a.fill(pathFactors+"/app/remove", url.Values{fieldCurrentPassword: {validPassword}})
	if got.Code != http.StatusUnprocessableEntity || a.visit("/account").Code != http.StatusOK {
		t.Errorf("after five wrong passwords: %d, signed in: %d", got.Code, a.visit("/account").Code)
	}
	if w.Credentials(mara).TOTP.Secret != appSecret {
		t.Error("the app was removed")
	}
}

// factorChanges are all changes of a second factor, made by a person with an app
// and a passkey.
var factorChanges = map[string]func(a *cookieBrowser) *httptest.ResponseRecorder{
	"an app": func(a *cookieBrowser) *httptest.ResponseRecorder {
		a.fill(pathFactors+"/app", nil)
		secret := shownSecret(a.T, a.visit(pathFactors+"/app"))
		return a.fill(pathFactors+"/app/confirm", url.Values{fieldCode: {codeAt(a.T, secret, a.Clock.Now())}})
	},
	"no app": func(a *cookieBrowser) *httptest.ResponseRecorder { return a.fill(pathFactors+"/app/remove", nil) },
	"a passkey": func(a *cookieBrowser) *httptest.ResponseRecorder {
		return a.enroll(aKey(a.T), "Laptop")
	},
	"no passkey": func(a *cookieBrowser) *httptest.ResponseRecorder {
		return a.fill(pathFactors+"/passkey/remove", url.Values{fieldPasskey: {"x"}})
	},
	"recovery codes": func(a *cookieBrowser) *httptest.ResponseRecorder { return a.fill(pathFactors+"/recovery-codes", nil) },
}

func TestEveryChangeEndsOtherSessionsAndRenewsThisOne(t *testing.T) {
	for name, change := range factorChanges {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, hasApp, hasPasskey)
			a, other := w.signedInAs(mara), w.signedInAs(mara)
			halfway := w.seated(mara, session.StagePassword, time.Minute)
			stolen := a.copy()
			w.Clock.Step(time.Minute)

			change(a)

			if !a.isIn(mara) {
				t.Error("the browser that made the change is not signed in any more")
			}
			for who, gone := range map[string]*cookieBrowser{"another browser": other, "the same cookie as before": stolen} {
				if gone.isIn(mara) {
					t.Errorf("%s is still signed in", who)
				}
			}
			if got := halfway.visit("/sign-in/code"); got.Code == http.StatusOK {
				t.Error("a session that waits for the second factor is still alive")
			}
			sessions := w.Credentials(mara).Sessions
			if len(sessions) != 1 || !sessions[0].StartTime.Equal(storetest.Start.Add(-time.Minute)) {
				t.Errorf("want a single session with its old start time: %+v", sessions)
			}
		})
	}
}

func TestChangedSecondFactorsAreInTheStatus(t *testing.T) {
	for name, change := range factorChanges {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, hasApp, hasPasskey)
			change(w.signedInAs(mara))

			at := w.Credentials(mara).SecondFactorTime
			status := w.Account(mara).Status
			told := status.SecondFactorTime
			if name == "recovery codes" { // which are not a second factor
				if !at.IsZero() || told != nil {
					t.Errorf("stored %v, and in the status %v", at, told)
				}
			} else if !at.Equal(storetest.Start) || told == nil || !told.Time.Equal(storetest.Start) {
				t.Errorf("stored %v, and in the status %v", at, told)
			}
			if status.TwoFactor != accountsv1.TwoFactorEnrolled || status.Language != "en" {
				t.Errorf("the status says %q and %q", status.TwoFactor, status.Language)
			}
		})
	}
}

func TestAChangeForASessionThatHasEndedMeanwhileIsNotMade(t *testing.T) {
	changes := maps.Clone(factorChanges)
	changes["the password"] = func(a *cookieBrowser) *httptest.ResponseRecorder {
		return a.fill("/account/password", toAnother())
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, hasApp, hasPasskey)
			a := w.signedInAs(mara)
			var before account.Credentials
			ended := false
			w.config.Writer = &storetest.Tapped{Client: w.Client, Before: func(call string) error {
				if call == "update secret" && !ended && w.Credentials(mara).Sessions[0].Pending == nil == (name != "an app" && name != "a passkey") {
					ended = true
					w.Change(mara, func(c *account.Credentials) { c.Sessions = nil })
					before = w.Credentials(mara)
				}
				return nil
			}}
			a.handler = w.portals(1)[0]

			got := change(a)

			if got.Header().Get("Location") != "/sign-in?lang=en" {
				t.Errorf("%d %q\n%s", got.Code, got.Header().Get("Location"), got.Body)
			}
			if !ended || string(encode(t, w.Credentials(mara))) != string(encode(t, before)) {
				t.Error("an object changed")
			}
		})
	}
}

func TestTheLastSecondFactorStaysWhereItIsNeeded(t *testing.T) {
	required := storetest.Acme()
	required.Name, required.Spec.DisplayName, required.Spec.SignIn.TwoFactor = "bolt", "Bolt Works", accountsv1.TwoFactorRequired
	short := func(_ *accountsv1.Account, c *account.Credentials) { c.ShortPassword = true }
	removeApp, removePasskey := factorChanges["no app"], factorChanges["no passkey"]
	for _, c := range []struct {
		name    string
		has     []func(*accountsv1.Account, *account.Credentials)
		member  bool
		removes func(a *cookieBrowser) *httptest.ResponseRecorder
		says    string
	}{
		{"an app, for a short password", []func(*accountsv1.Account, *account.Credentials){hasApp, short}, false, removeApp, "at least 15 characters"},
		{"a passkey, for a short password", []func(*accountsv1.Account, *account.Credentials){hasPasskey, short}, false, removePasskey, "at least 15 characters"},
		{"an app, for an organization", []func(*accountsv1.Account, *account.Credentials){hasApp}, true, removeApp, "Bolt Works requires"},
		{"a passkey, for an organization", []func(*accountsv1.Account, *account.Credentials){hasPasskey}, true, removePasskey, "Bolt Works requires"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, c.has...)
			if c.member {
				w.belong(required)
			}
			a := w.signedInAs(mara)
			before := w.Credentials(mara)
			got := c.removes(a)
			if got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), c.says) {
				t.Errorf("%d\n%s", got.Code, got.Body)
			}
			if string(encode(t, w.Credentials(mara))) != string(encode(t, before)) || !a.isIn(mara) {
				t.Error("an object changed")
			}
		})
	}
	t.Run("not the last one, which can be removed", func(t *testing.T) {
		w := worldWithMaraAndOtto(t, hasApp, hasPasskey, short)
		w.belong(required)
		a := w.signedInAs(mara)
		if got := removeApp(a); got.Code != http.StatusSeeOther || w.Credentials(mara).TOTP.Secret != "" {
			t.Errorf("%d\n%s", got.Code, got.Body)
		}
		if got := removePasskey(a); got.Code != http.StatusUnprocessableEntity || len(w.Credentials(mara).Passkeys) != 1 {
			t.Errorf("the last one: %d", got.Code)
		}
	})
}

func TestRecoveryCodesGoWithTheLastSecondFactor(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp, func(_ *accountsv1.Account, c *account.Credentials) { c.RecoveryCodes = []string{"hash"} })
	a := w.signedInAs(mara)
	if got := factorChanges["no app"](a); got.Header().Get("Location") != "/account/second-factor?lang=en&done=app-removed" {
		t.Fatalf("%d\n%s", got.Code, got.Body)
	}
	expect(t, a.visit("/account/second-factor?done=app-removed"), http.StatusOK, "The app was removed", "!Recovery codes")
	if c := w.Credentials(mara); len(c.RecoveryCodes) != 0 || c.TOTP != (account.TOTP{}) {
		t.Errorf("left: %+v", c)
	}
	if got := w.Account(mara).Status.TwoFactor; got != accountsv1.TwoFactorNotEnrolled {
		t.Errorf("the status says %q", got)
	}
}

// belong makes Mara a member of an Organization.
func (w *world) belong(org *accountsv1.Organization, conditions ...metav1.Condition) {
	w.T.Helper()
	w.Must(w.Client.Create(context.Background(), org.DeepCopy()))
	w.Must(w.Client.Create(context.Background(), &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: storetest.Home, Name: mara},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
			Email:           mara + "@example.com", Role: "developer",
		},
		Status: accountsv1.MembershipStatus{Conditions: conditions},
	}))
}

func TestThePageShowsWhichOrganizationsRequireASecondFactor(t *testing.T) {
	required := storetest.Acme()
	required.Name, required.Spec.DisplayName, required.Spec.SignIn.TwoFactor = "bolt", "Bolt Works", accountsv1.TwoFactorRequired
	soon := required.DeepCopy()
	soon.Spec.SignIn.TwoFactorGraceSeconds = 3600
	missing := func(reason string) metav1.Condition {
		return metav1.Condition{
			Type: accountsv1.ConditionTwoFactorMissing, Status: metav1.ConditionTrue, Reason: reason, LastTransitionTime: metav1.NewTime(storetest.Start),
		}
	}
	for _, c := range []struct {
		name       string
		org        *accountsv1.Organization
		conditions []metav1.Condition
		says       string
	}{
		{"before the controller has reconciled", required, nil, "Bolt Works requires one. Set it up to keep your access"},
		{"in the grace period", required, []metav1.Condition{missing(accountsv1.ReasonGracePeriod)}, "Last day: Monday, 11 May 2026, 10:00 UTC"},
		{"in a short grace period", soon, []metav1.Condition{missing(accountsv1.ReasonGracePeriod)}, "Last day: Monday, 4 May 2026, 11:00 UTC"},
		{"afterwards", required, []metav1.Condition{missing(accountsv1.ReasonTwoFactorRequired)}, "You have no access there until you set it up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			w.belong(c.org, c.conditions...)
			a := w.signedInAs(mara)
			expect(t, a.visit("/account/second-factor"), http.StatusOK, "A second factor is required", c.says)
			factorChanges["an app"](a)
			expect(t, a.visit("/account/second-factor"), http.StatusOK, "!A second factor is required", "!Bolt Works")
		})
	}
	t.Run("not if no organization requires it", func(t *testing.T) {
		w := worldWithMaraAndOtto(t)
		optional := required.DeepCopy()
		optional.Spec.SignIn.TwoFactor = accountsv1.TwoFactorOptional
		w.belong(optional)
		expect(t, w.signedInAs(mara).visit("/account/second-factor"), http.StatusOK, "!A second factor is required", "!Bolt Works")
	})
}

func TestPasskeysAreNotOfferedWhereBrowsersMakeNone(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	var err error
	w.config.BaseURL, err = url.Parse("https://192.0.2.7:8443/people")
	w.Must(err)
	w.build()
	a := w.signedInAs(mara)
	expect(t, a.visit("/people/account/second-factor"), http.StatusOK, "Authenticator app", "!passkey-add", "!Passkeys")
	for _, path := range []string{"/people/account/second-factor/passkey/options", "/people/sign-in/passkey/options", "/people/sign-in/passkey"} {
		if got := a.script(path, "{}"); got.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
}
