// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
)

// withApp sets up an authenticator app and recovery codes.
func withApp(secret string, recovery ...string) func(*accountsv1.Account, *account.Credentials) {
	return func(_ *accountsv1.Account, c *account.Credentials) {
		c.TOTP, c.RecoveryCodes = account.TOTP{Secret: secret, AddedTime: storetest.Start}, recovery
	}
}

// appCode returns the code that the app shows now.
func (w *world) appCode(secret string) string {
	w.T.Helper()
	code, err := totp.GenerateCode(secret, w.Clock.Now())
	w.Must(err)
	return code
}

// code answers the page for the second factor.
func (b *browser) code(code string) *httptest.ResponseRecorder {
	b.T.Helper()
	return b.fill("/sign-in/code?lang=en", url.Values{fieldCode: {code}})
}

const (
	codePath  = "/sign-in/code?lang=en"
	wrongCode = "That code is incorrect or was already used."
)

// anApp is a world in which signing in as jane takes a code of the app with the
// returned secret, or one of the recovery codes.
func anApp(t *testing.T) (w *world, secret string, recovery []string) {
	t.Helper()
	secret, err := secondfactor.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	recovery, hashes, err := secondfactor.NewRecoveryCodes(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return worldWith(t, personWithPassword(t, "jane", withApp(secret, hashes...))...), secret, recovery
}

// halfway returns a browser that has given the password of jane-doe. She has a
// passkey, and with a secret also an app.
func (w *world) halfway(secret string) *browser {
	w.T.Helper()
	for _, obj := range personWithPassword(w.T, "jane-doe", withApp(secret), withPasskey) {
		w.Must(w.Client.Create(context.Background(), obj))
	}
	b := w.atOnce().browser()
	b.signIn("jane-doe", validPassword)
	return b
}

func withPasskey(_ *accountsv1.Account, c *account.Credentials) {
	c.Passkeys = []account.Passkey{{ID: "id", Name: "Phone", Record: []byte("{}")}}
}

// wrongFor returns a code that the app does not show.
func wrongFor(right string) string {
	if right == "000000" {
		return "000001"
	}
	return "000000"
}

func TestTheSecondFactorIsAskedForAfterThePassword(t *testing.T) {
	w, secret, _ := anApp(t)
	b := w.browser()
	expectTo(t, b.signIn("jane", validPassword), codePath)
	halfway := *b
	// The password alone allows nothing.
	if b.isIn() {
		t.Error("signed in without a code")
	}
	expectTo(t, b.visit("/account"), codePath)
	expect(t, b.visit("/sign-in"), 200)
	expect(t, b.visit(codePath), 200, "You are signing in as <strong>jane</strong>.", "one of your recovery codes", `autocomplete="one-time-code"`, `action="/sign-out?lang=en"`)
	expect(t, b.code(" "), 422, "Enter a code, or go back", "!"+wrongCode)
	if s := w.Account("jane").Status.SignIn; s.CodeFailures != 0 {
		t.Errorf("an empty code was counted: %+v", s)
	}
	expect(t, b.code(wrongFor(w.appCode(secret))), 422, wrongCode, "!"+wrongFor(w.appCode(secret)))
	expectTo(t, b.code(w.appCode(secret)), "/account?lang=en")
	switch {
	case !b.isIn():
		t.Error("not signed in after the code")
	case halfway.cookie.Value == b.cookie.Value || halfway.isIn():
		t.Error("the cookie from before the code still signs in")
	}
	expectTo(t, halfway.visit(codePath), "/sign-in?lang=en")
	if status := w.Account("jane").Status; status.SignIn.CodeFailures != 0 || status.TwoFactor != accountsv1.TwoFactorEnrolled {
		t.Errorf("status %+v", status)
	}
}

func TestThePageForTheSecondFactorIsForThoseAlone(t *testing.T) {
	w, secret, _ := anApp(t)
	b := w.browser()
	expectTo(t, b.visit(codePath), "/sign-in?lang=en")
	expectTo(t, b.code(w.appCode(secret)), "/sign-in?lang=en")
	b.signIn("jane", validPassword)
	w.Clock.Step(session.Halfway - time.Second)
	expect(t, b.visit(codePath), 200)
	w.Clock.Step(time.Second)
	expectTo(t, b.visit(codePath), "/sign-in?lang=en")
	expectTo(t, b.code(w.appCode(secret)), "/sign-in?lang=en")
	// A person who gives up is signed out.
	b.signIn("jane", validPassword)
	left := *b
	expectTo(t, b.fill("/sign-out?lang=en", nil), "/sign-in?lang=en&done=signed-out")
	expectTo(t, left.code(w.appCode(secret)), "/sign-in?lang=en")
	// Without a second factor, the person signs in with the password alone.
	b.signIn("jane", validPassword)
	w.alterJane(withApp(""))
	expectTo(t, b.visit(codePath), "/sign-in?lang=en")
	expectTo(t, b.signIn("jane", validPassword), "/account?lang=en")
}

func TestACodeWorksOnceAtAnyPortal(t *testing.T) {
	w, secret, _ := anApp(t)
	here, there := w.browser(), w.browser()
	there.handler = w.build().handler
	here.signIn("jane", validPassword)
	there.signIn("jane", validPassword)
	code := w.appCode(secret)
	expectTo(t, here.code(code), "/account?lang=en")
	expect(t, there.code(code), 422, wrongCode)
	w.Clock.Step(30 * time.Second)
	expect(t, there.code(code), 422, wrongCode)
	expectTo(t, there.code(w.appCode(secret)), "/account?lang=en")
}

func TestARecoveryCodeWorksOnce(t *testing.T) {
	w, _, recovery := anApp(t)
	b := w.browser()
	for i, code := range recovery[:2] {
		b.signIn("jane", validPassword)
		expectTo(t, b.code(code), "/account?lang=en&done=recovery-code")
		if left := len(w.credentials("jane").RecoveryCodes); !b.isIn() || left != len(recovery)-1-i {
			t.Errorf("signed in: %t, with %d codes left", b.isIn(), left)
		}
		b.signIn("jane", validPassword)
		expect(t, b.code(code), 422, wrongCode)
	}
}

func TestCodesHaveALimitOfTheirOwn(t *testing.T) {
	w, secret, recovery := anApp(t)
	b := w.browser()
	w.guess(4)
	b.signIn("jane", validPassword)
	wrong := wrongFor(w.appCode(secret))
	last := b.code(wrong)
	for range 3 {
		// The correct password gives no new attempts for codes.
		expectTo(t, b.signIn("jane", validPassword), codePath)
		expectSame(t, b.code(wrong), last)
	}
	expect(t, b.code(wrong), 422, codesLocked...)
	// The page does not claim that the correct code is wrong, and the correct password
	// gives no new attempts.
	expect(t, b.code(w.appCode(secret)), 422, codesLocked...)
	expect(t, b.code(recovery[0]), 422, codesLocked...)
	expectTo(t, b.signIn("jane", validPassword), codePath)
	expect(t, b.visit(codePath), 200, codesLocked...)
	expect(t, b.code(w.appCode(secret)), 422, codesLocked...)
	if s := w.Account("jane").Status.SignIn; s.CodeFailures != 5 || len(w.credentials("jane").RecoveryCodes) != 10 {
		t.Errorf("%+v, %d recovery codes", s, len(w.credentials("jane").RecoveryCodes))
	}
	w.Clock.Step(15 * time.Minute)
	expect(t, b.visit(codePath), 303)
	expectTo(t, b.signIn("jane", validPassword), codePath)
	expectTo(t, b.code(w.appCode(secret)), "/account?lang=en")
}

func TestTheLastCodeThatMayBeTriedCanBeRight(t *testing.T) {
	w, secret, _ := anApp(t)
	b := w.browser()
	b.signIn("jane", validPassword)
	for range 4 {
		expect(t, b.code(wrongFor(w.appCode(secret))), 422, wrongCode)
	}
	expectTo(t, b.code(w.appCode(secret)), "/account?lang=en")
	if s := w.Account("jane").Status.SignIn; !b.isIn() || s.CodeFailures != 0 || s.FailureTime != nil {
		t.Errorf("signed in: %t, %+v", b.isIn(), s)
	}
}

// once calls something before the first write of a kind, as if another writer
// were a little faster.
func once(something func()) func() {
	done := false
	return func() {
		if !done {
			done = true
			something()
		}
	}
}

func TestARightCodeThatComesTooLateReadsLikeAWrongOne(t *testing.T) {
	const counted, usedUp = "counted", "used up"
	both := []string{counted, usedUp}
	for name, tc := range map[string]struct {
		meanwhile func(*world)
		before    []string
	}{
		"the account is disabled": {before: both, meanwhile: func(w *world) {
			w.alterJane(func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.State = accountsv1.AccountSwitchDisabled })
		}},
		"the account is deleted": {before: both, meanwhile: func(w *world) { w.Must(w.Client.Delete(context.Background(), w.Account("jane"))) }},
		"every session was ended": {before: both, meanwhile: func(w *world) {
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.Sessions = nil })
		}},
	} {
		for _, before := range tc.before {
			t.Run(name+" before the code is "+before, func(t *testing.T) {
				w, secret, _ := anApp(t)
				b := w.browser()
				b.signIn("jane", validPassword)
				want := b.code(wrongFor(w.appCode(secret)))
				expect(t, want, 422, wrongCode)
				meanwhile, funcs := once(func() { tc.meanwhile(w) }), interceptor.Funcs{}
				if before == counted {
					funcs.SubResourceUpdate = func(ctx context.Context, c client.Client, name string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
						meanwhile()
						return c.SubResource(name).Update(ctx, obj, opts...)
					}
				} else {
					funcs.Update = func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
						meanwhile()
						return c.Update(ctx, obj, opts...)
					}
				}
				b.handler = w.interfere(funcs).handler
				expectSame(t, b.code(w.appCode(secret)), want)
				if b.isIn() {
					t.Error("signed in")
				}
			})
		}
	}
}

func TestWhoHasAPasskeyAloneIsAskedForIt(t *testing.T) {
	_, hashes, err := secondfactor.NewRecoveryCodes(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := worldWith(t, personWithPassword(t, "jane", withApp("", hashes...), withPasskey)...)
	b := w.browser()
	expectTo(t, b.signIn("jane", validPassword), codePath)
	expect(t, b.visit(codePath), 200, "Continue with your passkey.", "one of your recovery codes", `id="passkey-sign-in"`, "!Enter the code your authenticator app shows")
	expect(t, b.code("000000"), 422, wrongCode)
	both := worldWith(t).halfway("AAAA").visit(codePath)
	expect(t, both, 200, "!Continue with your passkey.", `id="passkey-sign-in"`, "Enter the code your authenticator app shows")
}

func TestWhenTheCodeCannotBeLookedAtItIsNotUsedUp(t *testing.T) {
	w, secret, _ := anApp(t)
	b := w.browser()
	b.signIn("jane", validPassword)
	w.interfere(interceptor.Funcs{Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		return storetest.ErrDown
	}})
	b.handler = w.handler
	expect(t, b.code(w.appCode(secret)), 503, "We couldn't complete this.")
	w.config.Reader, w.config.Live, w.config.Writer = w.Client, w.Client, w.Client
	b.handler = w.build().handler
	expectTo(t, b.code(w.appCode(secret)), "/account?lang=en")
}

func TestAnswersAboutCodesAreHeldBack(t *testing.T) {
	w, secret, _ := anApp(t)
	paused := 0
	w.config.Pause = func(context.Context, time.Duration) { paused++ }
	b := w.build().browser()
	b.signIn("jane", validPassword)
	b.code(wrongFor(w.appCode(secret)))
	if paused != 1 {
		t.Errorf("%d pauses", paused)
	}
}
