// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// TestAForgottenPassword tests the whole way. Jane is signed in on a browser, has
// a second factor and has locked herself out.
func TestAForgottenPassword(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane", withTOTP)...)
	elsewhere := w.browser()
	w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) {
		s, token, err := session.New(strings.NewReader(strings.Repeat("s", 32)), session.StageSignedIn, "Firefox", storetest.Start)
		w.Must(err)
		c.Sessions = []session.Session{s}
		elsewhere.cookie = &http.Cookie{Name: hostPrefix + sessionCookie, Value: token + ".jane"}
	})
	if !elsewhere.isIn() {
		t.Fatal("jane is not signed in")
	}
	w.Clock.Step(2 * time.Minute)
	w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) {
		failed := metav1.NewTime(storetest.Start.Add(time.Minute))
		a.Status.SignIn = accountsv1.SignIn{Failures: 5, CodeFailures: 2, FailureTime: &failed, Locks: 3}
	})
	before := w.credentials("jane")

	browser := w.browser()
	expect(t, browser.fill("/reset?lang=en", resetRequest("jane.doe@example.com")), 200, "we have sent a link")
	w.Clock.Step(time.Minute)
	path := w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time)
	expect(t, browser.visit(path+"?lang=en"), 200, "Choose a new password", "jane", `minlength="8" data-missing-one="1 more character"`, `data-show="Show"`,
		`name="user-name" value="jane" autocomplete="username" hidden`, `autocomplete="new-password"`, "Your second factor stays")
	got := browser.fill(path+"?lang=de", newPasswords(otherPassword))
	expect(t, got, 200, "Ihr Passwort wurde geändert", "Alle Sitzungen wurden beendet", "Dafür brauchen Sie weiterhin Ihren zweiten Faktor", `href="/sign-in?lang=de"`)
	if browser.cookie != nil || browser.known == nil || len(got.Result().Cookies()) != 1 {
		t.Error("a reset signs in, or its browser is not known")
	}
	expectTo(t, elsewhere.visit("/account?lang=en"), "/sign-in?lang=en")

	want := before
	want.Password, want.PasswordTime, want.Sessions = "hash of "+otherPassword, w.Clock.Now(), nil
	want.Browsers = w.credentials("jane").Browsers
	if diff := cmp.Diff(want, w.credentials("jane")); diff != "" || len(want.Browsers) != 1 {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	status := w.Account("jane").Status
	failed, changed := metav1.NewTime(storetest.Start.Add(time.Minute)), metav1.NewTime(w.Clock.Now())
	wantStatus := accountsv1.AccountStatus{
		SignIn:       accountsv1.SignIn{CodeFailures: 2, CodeFailureTime: &failed},
		TwoFactor:    accountsv1.TwoFactorEnrolled,
		PasswordTime: &changed,
		ResetTimes:   []metav1.Time{metav1.NewTime(storetest.Start.Add(2 * time.Minute))},
		Language:     "de",
	}
	if diff := cmp.Diff(wantStatus, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	expect(t, browser.visit(path), 410)
	// The old password no longer works, and the new one alone does not sign in.
	expect(t, w.browser().signIn("jane", validPassword), 422)
	expectTo(t, browser.signIn("jane", otherPassword), "/sign-in/code?lang=en")
}

func TestWhatALinkIsGoodFor(t *testing.T) {
	chosenAt := func(at time.Time) func(*accountsv1.Account, *account.Credentials) {
		return func(_ *accountsv1.Account, c *account.Credentials) { c.PasswordTime = at }
	}
	next := worlds(t)
	for name, tc := range map[string]struct {
		changes []func(*accountsv1.Account, *account.Credentials)
		later   time.Duration
		path    func(w *world) string
		status  int
		text    string
	}{
		"at once":                                   {status: 200, text: "Choose a new password"},
		"while the Account is locked":               {changes: with(lockedNow), status: 200, text: "Choose a new password"},
		"just before an hour":                       {later: time.Hour - time.Nanosecond, status: 200, text: "Choose a new password"},
		"after an hour":                             {later: time.Hour, status: 410, text: "This link has expired"},
		"if the password is older":                  {changes: with(chosenAt(storetest.Start.Add(-time.Nanosecond))), status: 200, text: "Choose a new password"},
		"if the password was chosen at that moment": {changes: with(chosenAt(storetest.Start)), status: 410, text: "A new password has been chosen since"},
		"if the password was changed later":         {changes: with(chosenAt(storetest.Start.Add(time.Nanosecond))), status: 410, text: "A new password has been chosen since"},
		"used and expired":                          {changes: with(chosenAt(storetest.Start)), later: time.Hour, status: 410, text: "A new password has been chosen since"},
		"if a newer link was requested":             {path: func(w *world) string { return w.resetPath("jane", storetest.Start.Add(-time.Minute)) }, status: 410, text: "A newer link has replaced this one"},
		"if no link was requested for that time":    {path: func(w *world) string { return w.resetPath("jane", storetest.Start.Add(time.Second)) }, status: 410, text: "A newer link has replaced this one"},
		"if the Account is disabled":                {changes: with(switchedOff), status: 404, text: "We don't recognize this link"},
		"if the Account is incomplete":              {changes: with(incomplete), status: 404, text: "We don't recognize this link"},
		"if the Account is being deleted":           {changes: with(onItsWay), status: 404, text: "We don't recognize this link"},
		"of another Account":                        {path: func(w *world) string { return w.resetPath("john", storetest.Start) }, status: 404, text: "We don't recognize this link"},
		"of no Account":                             {path: func(w *world) string { return w.resetPath("nobody", storetest.Start) }, status: 404, text: "We don't recognize this link"},
		"of an invitation":                          {path: func(w *world) string { return strings.Replace(w.Link(), "invitation", "reset", 1) }, status: 404, text: "We don't recognize this link"},
		"with extra text in front":                  {path: func(w *world) string { return "/reset//" + w.resetPath("jane", storetest.Start)[len("/reset/"):] }, status: 404, text: "We don't recognize this link"},
		"with extra text behind":                    {path: func(w *world) string { return w.resetPath("jane", storetest.Start) + "/" }, status: 404, text: "We don't recognize this link"},
		"without a link":                            {path: func(*world) string { return "/reset/" }, status: 404, text: "We don't recognize this link"},
		"made with the keys of Invitations": {path: func(w *world) string {
			text, err := account.DeriveResetLink(w.Keys, uidOf("jane"), storetest.Start)
			w.Must(err)
			return "/reset/" + text
		}, status: 404, text: "We don't recognize this link"},
		"made with a key that is not in the keyring": {path: func(w *world) string {
			foreign, err := invitation.ParseKeyring(map[string][]byte{"key-1": []byte(strings.Repeat("f", invitation.KeySize))})
			w.Must(err)
			text, err := account.DeriveResetLink(foreign, uidOf("jane"), storetest.Start)
			w.Must(err)
			return "/reset/" + text
		}, status: 404, text: "We don't recognize this link"},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t, tc.changes...)...)
			w.Must(w.Client.Create(context.Background(), acmeMember(t, "john")[1]))
			w.Organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
			w.Clock.Step(tc.later)
			path := w.resetPath("jane", storetest.Start)
			if tc.path != nil {
				path = tc.path(w)
			}
			before := w.Secret("jane")
			expect(t, w.get(path+"?lang=en"), tc.status, tc.text)
			if tc.status == 200 {
				expect(t, w.post(path, newPasswords(otherPassword)), 200, "Your password has been changed")
				return
			}
			for _, got := range []*httptest.ResponseRecorder{w.get(path), w.post(path, newPasswords(otherPassword))} {
				expect(t, got, tc.status, tc.text, `href="/reset?lang=en"`)
				if told := strings.Contains(got.Body.String(), "help@acme.example"); told != (tc.status == 410) {
					t.Errorf("the support contact is shown: %t", told)
				}
			}
			if diff := cmp.Diff(before.Data, w.Secret("jane").Data); diff != "" {
				t.Errorf("credentials:\n%s", diff)
			}
		})
	}
}

func TestNoBitOfAResetLinkCanBeChanged(t *testing.T) {
	w := worldWithResetLink(t)
	text := strings.TrimPrefix(w.resetPath("jane", storetest.Start), "/reset/")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	w.Must(err)
	before := w.Secret("jane").ResourceVersion
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		forged := "/reset/" + base64.RawURLEncoding.EncodeToString(raw)
		expect(t, w.get(forged), 404, "We don't recognize this link", "!jane")
		expect(t, w.post(forged, newPasswords(otherPassword)), 404, "!jane")
		raw[bit/8] ^= 1 << (bit % 8)
	}
	if w.Secret("jane").ResourceVersion != before {
		t.Error("the credentials were written")
	}
	expect(t, w.get("/reset/"+text), 200)
}

func TestLookingAtAResetLinkChangesNothing(t *testing.T) {
	w := worldWithResetLink(t, withTOTP)
	w.config.Writer = failOnWrite{t}
	w.build()
	path := w.resetPath("jane", storetest.Start)
	for i := range 1000 {
		method := []string{http.MethodGet, http.MethodHead}[i%2]
		if got := w.do(newRequest(method, path, nil)); got.Code != 200 {
			t.Fatalf("%s %d: status %d", method, i, got.Code)
		}
	}
	w.config.Writer = w.Client
	w.build()
	expect(t, w.post(path, newPasswords(otherPassword)), 200)
}

func TestAnUnsettledPasswordCanBeReset(t *testing.T) {
	next := worlds(t)
	for name, objects := range map[string][]client.Object{
		"the password never became final":   acmeMember(t, "jane", unsettled, askedAt(storetest.Start)),
		"with a second factor, never final": acmeMember(t, "jane", unsettled, withTOTP, askedAt(storetest.Start)),
		"there is no Secret":                acmeMember(t, "jane", askedAt(storetest.Start))[:1],
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, objects...)
			secondFactor := strings.Contains(name, "second factor")
			expect(t, w.browser().signIn("jane", validPassword), 422)
			expect(t, w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword)), 200, "Your password has been changed")
			c := w.credentials("jane")
			if c.FinalInvitation != "another's" || c.UID != uidOf("jane") || c.Password != "hash of "+otherPassword || c.HasSecondFactor() != secondFactor {
				t.Errorf("credentials: final through %q, UID %q, second factor %t", c.FinalInvitation, c.UID, c.HasSecondFactor())
			}
			page := map[bool]string{false: "/account?lang=en", true: "/sign-in/code?lang=en"}[secondFactor]
			expectTo(t, w.browser().signIn("jane", otherPassword), page)
		})
	}
}

func TestANewPasswordThatCannotBeTaken(t *testing.T) {
	next := worlds(t)
	for name, tc := range map[string]struct {
		changes []func(*accountsv1.Account, *account.Credentials)
		form    url.Values
		texts   []string
	}{
		"nothing":                             {nil, url.Values{}, []string{`<a href="#new-password">`, "Choose a password with at least 15 characters"}},
		"too short without a second factor":   {nil, newPasswords("velvet anchor"), []string{"Add 2 more", "at least 15"}},
		"too short even with a second factor": {with(withTOTP), newPasswords("pickle7"), []string{"Add 1 more", "at least 8"}},
		"two that differ":                     {nil, newPasswords(otherPassword, validPassword), []string{`<a href="#new-password-again">`, "The two passwords don't match"}},
		"the second is missing":               {nil, newPasswords(otherPassword, ""), []string{"The two passwords don't match"}},
		"of the own user name":                {nil, newPasswords("jane jane.doe jane"), []string{"it is based on your name"}},
		"of the organization":                 {nil, newPasswords("AcmeRocketWorksAcme"), []string{"it is based on your name"}},
		"of common words":                     {nil, newPasswords("passwordpassword"), []string{"Too easy to guess"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t, tc.changes...)...)
			before := w.Secret("jane").ResourceVersion
			path := w.resetPath("jane", storetest.Start)
			got := w.post(path+"?lang=en", tc.form)
			expect(t, got, 422, append(tc.texts, `role="alert"`, `aria-invalid="true"`, "<title>Please check: ", `action="`+path+`?lang=en"`)...)
			if typed := tc.form.Get(fieldNewPassword); typed != "" && strings.Contains(got.Body.String(), typed) {
				t.Error("the password is on the page")
			}
			if w.Secret("jane").ResourceVersion != before {
				t.Error("the credentials were written")
			}
			// The link still works.
			expect(t, w.post(path, newPasswords(otherPassword)), 200)
		})
	}
}

func TestAShortPasswordIsEnoughBesideASecondFactor(t *testing.T) {
	w := worldWithResetLink(t, withTOTP)
	expect(t, w.post(w.resetPath("jane", storetest.Start), newPasswords("qvx7 melon")), 200)
	if c := w.credentials("jane"); !c.ShortPassword {
		t.Error("the short password is not recorded as short")
	}
	w = worldWithResetLink(t, func(_ *accountsv1.Account, c *account.Credentials) { c.ShortPassword = true })
	expect(t, w.post(w.resetPath("jane", storetest.Start), newPasswords(otherPassword)), 200)
	if c := w.credentials("jane"); c.ShortPassword {
		t.Error("a long password is recorded as short")
	}
}

// TestCredentialsThatCannotBeReadAreNotReplaced protects a second factor that can
// be among the credentials.
func TestCredentialsThatCannotBeReadAreNotReplaced(t *testing.T) {
	w := worldWith(t, withDamagedSecret(t, acmeMember(t, "jane", askedAt(storetest.Start)))...)
	before := w.Secret("jane").Data
	path := w.resetPath("jane", storetest.Start)
	expect(t, w.get(path), 503, "A service behind this page isn't responding")
	expect(t, w.post(path, newPasswords(otherPassword)), 503)
	if diff := cmp.Diff(before, w.Secret("jane").Data); diff != "" {
		t.Errorf("credentials:\n%s", diff)
	}
	if strings.Contains(w.logs.String(), "not what Usher wrote") {
		t.Errorf("log:\n%s", w.logs)
	}
}
