// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/session"
)

// other25 is another password that nothing is wrong with, of 25 characters.
const other25 = "copper-lantern hazel moss"

// newPasswords is a form with a new password, typed twice, or twice differently.
func newPasswords(chosen string, again ...string) url.Values {
	return url.Values{fieldNewPassword: {chosen}, fieldNewPasswordAgain: {append(again, chosen)[0]}}
}

// resetPath is the path of the link for an Account that was asked for at a time.
func (w *world) resetPath(name string, requested time.Time) string {
	w.t.Helper()
	return w.resetPathOf(uidOf(name), requested)
}

func (w *world) resetPathOf(uid string, requested time.Time) string {
	w.t.Helper()
	text, err := account.DeriveResetLink(w.keys, uid, requested)
	w.must(err)
	return "/reset/" + text
}

func withTOTP(_ *accountsv1.Account, c *account.Credentials) {
	c.TOTP = account.TOTP{Secret: "JBSWY3DPEHPK3PXP", LastStep: 7, AddedTime: start.Add(-time.Hour)}
	c.RecoveryCodes = []string{"hash of a recovery code"}
	c.UsedChallenges = []account.UsedChallenge{{Hash: "used", Expires: start.Add(time.Minute)}}
}

// unsettled is how credentials are where the portal died before it had settled
// them, while the controller went on.
func unsettled(_ *accountsv1.Account, c *account.Credentials) {
	c.Settled, c.PasswordTime = "", time.Time{}
}

// aReset is a world in which jane asked for a link just now.
func aReset(t *testing.T, changes ...func(*accountsv1.Account, *account.Credentials)) *world {
	t.Helper()
	return worlds(t)(t, janes(t, changes...)...)
}

// janes are the changes to jane in a world of its own, where she asked for a link
// just now.
func janes(t *testing.T, changes ...func(*accountsv1.Account, *account.Credentials)) []client.Object {
	t.Helper()
	return forgetter(t, "jane", append(slices.Clone(changes), askedAt(start))...)
}

// TestAForgottenPassword goes the whole way: jane is signed in somewhere, has a
// second factor, and has locked herself out.
func TestAForgottenPassword(t *testing.T) {
	w := anEntrance(t, forgetter(t, "jane", withTOTP)...)
	elsewhere := w.browser()
	w.amend(func(_ *accountsv1.Account, c *account.Credentials) {
		s, token, err := session.New(strings.NewReader(strings.Repeat("s", 32)), session.StageSignedIn, "Firefox", start)
		w.must(err)
		c.Sessions = []session.Session{s}
		elsewhere.cookie = &http.Cookie{Name: secureSessionCookie, Value: token + ".jane"}
	})
	if !elsewhere.isIn() {
		t.Fatal("jane is not signed in")
	}
	w.clock.Step(2 * time.Minute)
	w.amend(func(a *accountsv1.Account, _ *account.Credentials) {
		failed := metav1.NewTime(start.Add(time.Minute))
		a.Status.SignIn = accountsv1.SignIn{Failures: 5, CodeFailures: 2, FailureTime: &failed, Locks: 3}
	})
	before := w.credentials("jane")

	browser := w.browser()
	expect(t, browser.fill("/reset?lang=en", resetRequest("jane.doe@example.com")), 200, "we have sent a link")
	w.clock.Step(time.Minute)
	path := w.resetPath("jane", w.account("jane").Status.ResetTimes[0].Time)
	expect(t, browser.visit(path+"?lang=en"), 200, "Choose a new password", "jane", `minlength="8"`,
		`name="user-name" value="jane" autocomplete="username" hidden`, `autocomplete="new-password"`, "Your second factor stays")
	got := browser.fill(path+"?lang=de", newPasswords(other25))
	expect(t, got, 200, "Ihr Passwort ist geändert", "Alle Sitzungen wurden beendet", "Ihr zweiter Faktor wird dafür", `href="/sign-in?lang=de"`)
	if browser.cookie != nil || len(got.Result().Cookies()) != 0 {
		t.Error("a reset signs in")
	}
	expectTo(t, elsewhere.visit("/account?lang=en"), "/sign-in?lang=en")

	want := before
	want.Password, want.PasswordTime, want.Sessions = "hash of "+other25, w.clock.Now(), nil
	if diff := cmp.Diff(want, w.credentials("jane")); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	status := w.account("jane").Status
	failed, changed := metav1.NewTime(start.Add(time.Minute)), metav1.NewTime(w.clock.Now())
	wantStatus := accountsv1.AccountStatus{
		SignIn:       accountsv1.SignIn{SessionsEndTime: &failed},
		TwoFactor:    accountsv1.TwoFactorEnrolled,
		PasswordTime: &changed,
		ResetTimes:   []metav1.Time{metav1.NewTime(start.Add(2 * time.Minute))},
		Language:     "de",
	}
	if diff := cmp.Diff(wantStatus, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	expect(t, browser.visit(path), 410)
	// The old password is none any more, and the new one alone does not sign in.
	expect(t, w.browser().signIn("jane", good), 422)
	expectTo(t, browser.signIn("jane", other25), "/sign-in/code?lang=en")
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
		"at once":                              {status: 200, text: "Choose a new password"},
		"while the Account is locked":          {changes: with(lockedNow), status: 200, text: "Choose a new password"},
		"in its last second":                   {later: time.Hour - time.Nanosecond, status: 200, text: "Choose a new password"},
		"after an hour":                        {later: time.Hour, status: 410, text: "This link has expired"},
		"where the password is older":          {changes: with(chosenAt(start.Add(-time.Nanosecond))), status: 200, text: "Choose a new password"},
		"where the password is of that moment": {changes: with(chosenAt(start)), status: 410, text: "A password has been chosen since"},
		"where the password was changed later": {changes: with(chosenAt(start.Add(time.Nanosecond))), status: 410, text: "A password has been chosen since"},
		"used and expired":                     {changes: with(chosenAt(start)), later: time.Hour, status: 410, text: "A password has been chosen since"},
		"where a newer one was asked for":      {path: func(w *world) string { return w.resetPath("jane", start.Add(-time.Minute)) }, status: 410, text: "A newer link has replaced this one"},
		"where none was asked for":             {path: func(w *world) string { return w.resetPath("jane", start.Add(time.Second)) }, status: 410, text: "A newer link has replaced this one"},
		"where the Account is switched off":    {changes: with(switchedOff), status: 404, text: "We do not know this link"},
		"where the Account is half-made":       {changes: with(neverTakenUp), status: 404, text: "We do not know this link"},
		"where the Account is going":           {changes: with(onItsWay), status: 404, text: "We do not know this link"},
		"of another Account":                   {path: func(w *world) string { return w.resetPath("john", start) }, status: 404, text: "We do not know this link"},
		"of no Account":                        {path: func(w *world) string { return w.resetPath("nobody", start) }, status: 404, text: "We do not know this link"},
		"of an invitation":                     {path: func(w *world) string { return strings.Replace(w.link(), "invitation", "reset", 1) }, status: 404, text: "We do not know this link"},
		"with something in front":              {path: func(w *world) string { return "/reset//" + w.resetPath("jane", start)[len("/reset/"):] }, status: 404, text: "We do not know this link"},
		"with something behind":                {path: func(w *world) string { return w.resetPath("jane", start) + "/" }, status: 404, text: "We do not know this link"},
		"without anything":                     {path: func(*world) string { return "/reset/" }, status: 404, text: "We do not know this link"},
		"made with a key that is not the ring's": {path: func(w *world) string {
			foreign, err := invitation.ParseKeyring(map[string][]byte{"key-1": []byte(strings.Repeat("f", invitation.KeySize))})
			w.must(err)
			text, err := account.DeriveResetLink(foreign, uidOf("jane"), start)
			w.must(err)
			return "/reset/" + text
		}, status: 404, text: "We do not know this link"},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t, tc.changes...)...)
			w.must(w.client.Create(context.Background(), forgetter(t, "john")[1]))
			w.organization(func(o *accountsv1.Organization) { o.Spec.SupportContact = "help@acme.example" })
			w.clock.Step(tc.later)
			path := w.resetPath("jane", start)
			if tc.path != nil {
				path = tc.path(w)
			}
			before := w.secret("jane")
			expect(t, w.get(path+"?lang=en"), tc.status, tc.text)
			if tc.status == 200 {
				expect(t, w.post(path, newPasswords(other25)), 200, "Your password is changed")
				return
			}
			for _, got := range []*httptest.ResponseRecorder{w.get(path), w.post(path, newPasswords(other25))} {
				expect(t, got, tc.status, tc.text, `href="/reset?lang=en"`)
				if told := strings.Contains(got.Body.String(), "help@acme.example"); told != (tc.status == 410) {
					t.Errorf("whom to ask is told: %t", told)
				}
			}
			if diff := cmp.Diff(before.Data, w.secret("jane").Data); diff != "" {
				t.Errorf("credentials:\n%s", diff)
			}
		})
	}
}

func with(changes ...func(*accountsv1.Account, *account.Credentials)) []func(*accountsv1.Account, *account.Credentials) {
	return changes
}

func TestNoBitOfAResetLinkCanBeChanged(t *testing.T) {
	w := aReset(t)
	text := strings.TrimPrefix(w.resetPath("jane", start), "/reset/")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	w.must(err)
	before := w.secret("jane").ResourceVersion
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		forged := "/reset/" + base64.RawURLEncoding.EncodeToString(raw)
		expect(t, w.get(forged), 404, "We do not know this link", "!jane")
		expect(t, w.post(forged, newPasswords(other25)), 404, "!jane")
		raw[bit/8] ^= 1 << (bit % 8)
	}
	if w.secret("jane").ResourceVersion != before {
		t.Error("the credentials were written")
	}
	expect(t, w.get("/reset/"+text), 200)
}

func TestLookingAtAResetLinkChangesNothing(t *testing.T) {
	w := aReset(t, withTOTP)
	w.config.Writer = nobodyWrites{t}
	w.build()
	path := w.resetPath("jane", start)
	for i := range 1000 {
		method := []string{http.MethodGet, http.MethodHead}[i%2]
		if got := w.do(newRequest(method, path, nil)); got.Code != 200 {
			t.Fatalf("%s %d: status %d", method, i, got.Code)
		}
	}
	w.config.Writer = w.client
	w.build()
	expect(t, w.post(path, newPasswords(other25)), 200)
}

func TestOfAHundredNewPasswordsOneCounts(t *testing.T) {
	w := aReset(t)
	handlers, path := w.portals(3), w.resetPath("jane", start)
	var (
		mu      sync.Mutex
		winners []string
		others  int
		group   sync.WaitGroup
	)
	for i := range 100 {
		group.Go(func() {
			typed := fmt.Sprintf("%s %d", other25, i)
			got := httptest.NewRecorder()
			handlers[i%3].ServeHTTP(got, formRequest(path, newPasswords(typed).Encode()))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case got.Code == 200 && strings.Contains(got.Body.String(), "Your password is changed"):
				winners = append(winners, typed)
			case got.Code == 410 && strings.Contains(got.Body.String(), "A password has been chosen since"):
				others++
			default:
				t.Errorf("status %d", got.Code)
			}
		})
	}
	group.Wait()
	if len(winners) != 1 || others != 99 {
		t.Fatalf("%d were told that their password counts, and %d that it does not", len(winners), others)
	}
	if stored := w.credentials("jane").Password; stored != "hash of "+winners[0] {
		t.Errorf("%q is stored, and %q won", stored, winners[0])
	}
}

// TestResetsInEveryOrder sends some passwords for one link through the API server
// in many orders, without and with processes that die and answers that are lost.
func TestResetsInEveryOrder(t *testing.T) {
	seeds := 600
	if testing.Short() {
		seeds = 60
	}
	starts := []func(*accountsv1.Account, *account.Credentials){
		func(*accountsv1.Account, *account.Credentials) {}, unsettled,
	}
	for seed := range seeds {
		s := &turnstile{random: rand.New(rand.NewSource(int64(seed))), faulty: seed%2 == 1}
		objects := forgetter(t, "jane", starts[seed/2%2], askedAt(start))
		if seed%3 == 0 { // without a Secret
			objects = objects[:1]
		}
		w := aWorldWithoutPages(t, objects...)
		link, err := account.ParseResetLink(strings.TrimPrefix(w.resetPath("jane", start), "/reset/"))
		w.must(err)
		answers := make([]resetAnswer, 3)
		var requests []func()
		for i := range answers {
			requests = append(requests, func() {
				seen, counts, err := w.through(s.tap(i)).resetPassword(t.Context(), link, chosenPassword{hash: hashOf(i)})
				answers[i] = resetAnswer{true, counts, seen.standing, err}
			})
		}
		s.run(requests)
		stored := ""
		if secret := w.secret("jane"); secret != nil {
			stored = string(secret.Data[account.PasswordKey])
		}
		if problem := verifyResets(answers, stored, s.faulty); problem != "" {
			t.Fatalf("seed %d: %s\nanswers: %v, stored: %q\ncalls: %q", seed, problem, answers, stored, s.history)
		}
	}
}

// resetAnswer is what somebody was told who chose a new password; untold if the
// process died.
type resetAnswer struct {
	told, counts bool
	standing     account.ResetStanding
	err          error
}

// verifyResets says what is not as it should be, or nothing.
func verifyResets(answers []resetAnswer, stored string, faulty bool) string {
	won := 0
	for i, a := range answers {
		switch {
		case a.counts && stored != hashOf(i):
			return fmt.Sprintf("request %d was told that its password counts, and it does not", i)
		case a.counts:
			won++
		case a.told && a.err == nil && stored == hashOf(i):
			return fmt.Sprintf("request %d was told that its password does not count, and it does", i)
		case !faulty && (!a.told || a.err != nil || a.standing != account.ResetUsed):
			return fmt.Sprintf("request %d failed although nothing was wrong", i)
		}
	}
	if won > 1 || won == 0 && !faulty {
		return fmt.Sprintf("%d were told that their password counts", won)
	}
	return ""
}

func TestWhoeverHasNoFinalPasswordComesBackByAReset(t *testing.T) {
	next := worlds(t)
	for name, objects := range map[string][]client.Object{
		"the password was never settled":      forgetter(t, "jane", unsettled, askedAt(start)),
		"with a second factor, never settled": forgetter(t, "jane", unsettled, withTOTP, askedAt(start)),
		"there is no Secret":                  forgetter(t, "jane", askedAt(start))[:1],
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, objects...)
			secondFactor := strings.Contains(name, "second factor")
			expect(t, w.browser().signIn("jane", good), 422)
			expect(t, w.post(w.resetPath("jane", start), newPasswords(other25)), 200, "Your password is changed")
			c := w.credentials("jane")
			if c.Settled != "another's" || c.UID != uidOf("jane") || c.Password != "hash of "+other25 || c.HasSecondFactor() != secondFactor {
				t.Errorf("credentials: settled through %q, UID %q, second factor %t", c.Settled, c.UID, c.HasSecondFactor())
			}
			page := map[bool]string{false: "/account?lang=en", true: "/sign-in/code?lang=en"}[secondFactor]
			expectTo(t, w.browser().signIn("jane", other25), page)
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
		"nothing":               {nil, url.Values{}, []string{`<a href="#new-password">`, "Choose a password of at least 15 characters"}},
		"too short to be alone": {nil, newPasswords("velvet anchor"), []string{"Make it longer by 2", "at least 15"}},
		"too short for any":     {with(withTOTP), newPasswords("pickle7"), []string{"Make it longer by 1", "at least 8"}},
		"two that differ":       {nil, newPasswords(other25, good), []string{`<a href="#new-password-again">`, "The two passwords differ"}},
		"the second is missing": {nil, newPasswords(other25, ""), []string{"The two passwords differ"}},
		"of the own user name":  {nil, newPasswords("jane jane.doe jane"), []string{"it is built from your name"}},
		"of the organization":   {nil, newPasswords("AcmeRocketWorksAcme"), []string{"it is built from your name"}},
		"of common words":       {nil, newPasswords("passwordpassword"), []string{"Too easy to guess"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t, tc.changes...)...)
			before := w.secret("jane").ResourceVersion
			path := w.resetPath("jane", start)
			got := w.post(path+"?lang=en", tc.form)
			expect(t, got, 422, append(tc.texts, `role="alert"`, `aria-invalid="true"`, "<title>Please check: ", `action="`+path+`?lang=en"`)...)
			if typed := tc.form.Get(fieldNewPassword); typed != "" && strings.Contains(got.Body.String(), typed) {
				t.Error("the password is on the page")
			}
			if w.secret("jane").ResourceVersion != before {
				t.Error("the credentials were written")
			}
			// Nothing is lost.
			expect(t, w.post(path, newPasswords(other25)), 200)
		})
	}
}

func TestAShortPasswordIsEnoughBesideASecondFactor(t *testing.T) {
	w := aReset(t, withTOTP)
	expect(t, w.post(w.resetPath("jane", start), newPasswords("qvx7 melon")), 200)
	if c := w.credentials("jane"); !c.ShortPassword {
		t.Error("it is not known that the password is short")
	}
	w = aReset(t, func(_ *accountsv1.Account, c *account.Credentials) { c.ShortPassword = true })
	expect(t, w.post(w.resetPath("jane", start), newPasswords(other25)), 200)
	if c := w.credentials("jane"); c.ShortPassword {
		t.Error("a long password counts as short")
	}
}

// TestAShortPasswordIsNotEnoughOnceTheSecondFactorIsGone removes it between the
// look and the write.
func TestAShortPasswordIsNotEnoughOnceTheSecondFactorIsGone(t *testing.T) {
	w := aReset(t, withTOTP)
	w.beforeWriting(func() {
		w.amend(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP = account.TOTP{} })
	}, nil)
	path := w.resetPath("jane", start)
	expect(t, w.post(path, newPasswords("qvx7 melon")), 422, "at least 15")
	if c := w.credentials("jane"); c.Password != "hash of "+good {
		t.Errorf("%q is stored", c.Password)
	}
}

// beforeWriting does something before the first write of a Secret, which fails
// with an error if there is one.
func (w *world) beforeWriting(do func(), failure error) {
	var once sync.Once
	w.meddle(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			err := error(nil)
			if _, isSecret := obj.(*corev1.Secret); isSecret {
				once.Do(func() { do(); err = failure })
			}
			if err != nil {
				return err
			}
			return c.Update(ctx, obj, opts...)
		},
	})
}

func TestWhatHappensWhileANewPasswordIsWritten(t *testing.T) {
	nothing, next := func(*world) {}, worlds(t)
	for name, tc := range map[string]struct {
		meanwhile func(w *world)
		failure   error
		status    int
		text      string
		stored    string
	}{
		"a session is used": {func(w *world) {
			w.amend(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.LastStep = 9 })
		}, nil, 200, "Your password is changed", other25},
		"the write fails once": {nothing, errors.New("jane is down"), 503, "Please send the form once more", good},
		"the answer is lost": {func(w *world) {
			w.amend(func(_ *accountsv1.Account, c *account.Credentials) {
				c.Password, c.PasswordTime = "hash of "+other25, w.clock.Now()
			})
		}, errDown, 200, "Your password is changed", other25},
		"another password is faster": {func(w *world) {
			w.amend(func(_ *accountsv1.Account, c *account.Credentials) {
				c.Password, c.PasswordTime = "hash of another", w.clock.Now()
			})
		}, nil, 410, "A password has been chosen since", "another"},
		"a newer link is asked for": {func(w *world) {
			w.clock.Step(time.Minute)
			w.amend(func(a *accountsv1.Account, _ *account.Credentials) {
				a.Status.ResetTimes = []metav1.Time{metav1.NewTime(w.clock.Now()), metav1.NewTime(start)}
			})
		}, nil, 410, "A newer link has replaced this one", good},
		"the Account is switched off": {func(w *world) { w.amend(switchedOff) }, nil, 404, "We do not know this link", good},
		"the hour ends": {func(w *world) {
			w.clock.Step(time.Hour)
			w.amend(func(*accountsv1.Account, *account.Credentials) {})
		}, nil, 410, "This link has expired", good},
		"the credentials are restored": {func(w *world) {
			secret := w.secret("jane")
			w.must(w.client.Delete(context.Background(), secret))
			secret.ResourceVersion = ""
			w.must(w.client.Create(context.Background(), secret))
		}, nil, 200, "Your password is changed", other25},
		"the Secret is deleted": {func(w *world) {
			w.must(w.client.Delete(context.Background(), w.secret("jane")))
		}, nil, 200, "Your password is changed", other25},
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, janes(t)...)
			w.beforeWriting(func() { tc.meanwhile(w) }, tc.failure)
			got := w.post(w.resetPath("jane", start), newPasswords(other25))
			expect(t, got, tc.status, tc.text)
			if (got.Header().Get("Retry-After") != "") != (tc.status == 503) {
				t.Errorf("headers: %v", got.Header())
			}
			if stored := w.credentials("jane").Password; stored != "hash of "+tc.stored {
				t.Errorf("%q is stored", stored)
			}
			if strings.Contains(w.logs.String(), "jane") {
				t.Errorf("log:\n%s", w.logs)
			}
		})
	}
}

// TestClocksThatDiffer asks for a link at a portal whose clock is ahead of the one
// at which it is used.
func TestClocksThatDiffer(t *testing.T) {
	ahead, next := start.Add(30*time.Second), worlds(t)
	for name, changes := range map[string][]func(*accountsv1.Account, *account.Credentials){
		"of the request":      with(askedAt(ahead)),
		"of the old password": with(askedAt(ahead), func(_ *accountsv1.Account, c *account.Credentials) { c.PasswordTime = ahead.Add(-time.Nanosecond) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := next(t, forgetter(t, "jane", changes...)...)
			path, before := w.resetPath("jane", ahead), w.credentials("jane").PasswordTime
			expect(t, w.post(path, newPasswords(other25)), 200)
			expect(t, w.post(path, newPasswords(good)), 410, "A password has been chosen since")
			if c := w.credentials("jane"); c.Password != "hash of "+other25 || c.PasswordTime.Before(before) {
				t.Errorf("password %q of %v, after one of %v", c.Password, c.PasswordTime, before)
			}
		})
	}
}

func TestAPasswordThatCannotBeHashedIsNotLost(t *testing.T) {
	w := aReset(t)
	w.config.Hasher = plainHasher{err: account.ErrBusy}
	w.build()
	path := w.resetPath("jane", start)
	got := w.post(path, newPasswords(other25))
	expect(t, got, 503, "wait a few seconds and send the form once more")
	if got.Header().Get("Retry-After") == "" {
		t.Error("it is not said when to come back")
	}
	w.config.Hasher = plainHasher{}
	w.build()
	expect(t, w.post(path, newPasswords(other25)), 200)
}

// TestWhereTheLockCannotBeOpenedThePasswordCounts fails every write of a status.
// Another link opens the lock.
func TestWhereTheLockCannotBeOpenedThePasswordCounts(t *testing.T) {
	w := aReset(t, lockedNow)
	tries := 0
	w.meddle(interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			tries++
			return errors.New("jane is locked")
		},
	})
	expect(t, w.post(w.resetPath("jane", start), newPasswords(other25)), 200, "Your password is changed")
	if logs := w.logs.String(); tries != statusTries || !strings.Contains(logs, "Failed to note that a password was changed by a link") || strings.Contains(logs, "jane") {
		t.Errorf("%d tries; log:\n%s", tries, logs)
	}
	w.meddle(interceptor.Funcs{})
	expect(t, w.browser().signIn("jane", other25), 422)
	w.clock.Step(time.Minute)
	w.post("/reset", resetRequest("jane"))
	w.post(w.resetPath("jane", w.clock.Now()), newPasswords(good))
	expectTo(t, w.browser().signIn("jane", good), "/account?lang=en")
}

// TestCredentialsThatCannotBeReadAreNotReplaced: a second factor may be among them.
func TestCredentialsThatCannotBeReadAreNotReplaced(t *testing.T) {
	w := anEntrance(t, garbled(t, forgetter(t, "jane", askedAt(start)))...)
	before := w.secret("jane").Data
	path := w.resetPath("jane", start)
	expect(t, w.get(path), 503, "Something behind this page does not answer")
	expect(t, w.post(path, newPasswords(other25)), 503)
	if diff := cmp.Diff(before, w.secret("jane").Data); diff != "" {
		t.Errorf("credentials:\n%s", diff)
	}
	if strings.Contains(w.logs.String(), "not what Usher wrote") {
		t.Errorf("log:\n%s", w.logs)
	}
}

func TestFormsForWhoeverForgotAreGuarded(t *testing.T) {
	for name, tc := range map[string]struct {
		path func(w *world) string
		form url.Values
	}{
		"to ask for a link":        {func(*world) string { return "/reset" }, resetRequest("jane")},
		"to ask for user names":    {func(*world) string { return "/user-names" }, namesRequest("jane.doe@example.com")},
		"to choose a new password": {func(w *world) string { return w.resetPath("jane", start) }, newPasswords(other25)},
	} {
		t.Run(name, func(t *testing.T) {
			w := aReset(t)
			w.config.Writer = nobodyWrites{t}
			w.build()
			path, body, field := tc.path(w), tc.form.Encode(), ""
			for field = range tc.form {
				break
			}
			sent := func(body string, change func(http.Header)) *httptest.ResponseRecorder {
				r := formRequest(path, body)
				change(r.Header)
				return w.do(r)
			}
			for want, got := range map[int]*httptest.ResponseRecorder{
				403: sent(body, func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }),
				415: sent(body, func(h http.Header) { h.Set("Content-Type", "application/json") }),
				400: sent(body+"&"+field+"=again", func(http.Header) {}),
				413: sent(field+"="+strings.Repeat("x", maxBody), func(http.Header) {}),
				405: w.do(newRequest(http.MethodPut, path, strings.NewReader(body))),
				422: w.post(path+"?"+body, url.Values{}),
			} {
				expect(t, got, want)
			}
			got := w.get(path + "?" + body)
			expect(t, got, 200)
			policy := map[bool]string{false: "same-origin", true: "no-referrer"}[strings.HasPrefix(path, "/reset/")]
			if got.Header().Get("Referrer-Policy") != policy || got.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", got.Header())
			}
		})
	}
}

func TestNothingOfAResetIsLogged(t *testing.T) {
	w := aReset(t, withTOTP, lockedNow)
	w.clock.Step(time.Minute)
	w.post("/reset", resetRequest("jane"))
	w.post("/reset", resetRequest("somebody else"))
	w.post("/user-names", namesRequest("jane.doe@example.com"))
	path := w.resetPath("jane", w.clock.Now())
	w.get(path)
	w.post(path, newPasswords(other25, good))
	w.post(path, newPasswords(other25))
	w.post(path, newPasswords(other25))
	w.get(w.resetPath("jane", start))
	w.get("/reset/abcdef")
	for _, secret := range []string{
		strings.TrimPrefix(path, "/reset/"), "abcdef", other25, good, "jane", "somebody", "example.com\"", uidOf("jane"), "JBSWY3DPEHPK3PXP",
	} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, w.logs)
		}
	}
	if !strings.Contains(w.logs.String(), `"route"="/reset/{link}"`) {
		t.Errorf("log:\n%s", w.logs)
	}
}

func TestResetsBelowAPath(t *testing.T) {
	w := aReset(t)
	base, err := url.Parse("https://example.com/usher/")
	w.must(err)
	w.config.BaseURL = base
	w.build()
	path := "/usher" + w.resetPath("jane", start)
	expect(t, w.get("/usher/reset?lang=en"), 200, `action="/usher/reset?lang=en"`, `href="/usher/sign-in?lang=en"`)
	expect(t, w.get("/usher/reset/abc?lang=en"), 404, `href="/usher/reset?lang=en"`)
	expect(t, w.get(path+"?lang=en"), 200, `action="`+path+`?lang=en"`)
	expect(t, w.post(path+"?lang=en", newPasswords(other25)), 200, `href="/usher/sign-in?lang=en"`)
	expect(t, w.get(strings.TrimPrefix(path, "/usher")), 404, "There is nothing here")
}
