// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// stored returns everything in Mara's Secret, as a thief of the Secret reads it.
func (w *world) stored() string {
	w.T.Helper()
	var all strings.Builder
	for key, value := range w.Secret(mara).Data {
		all.WriteString(key + "=" + string(value) + "\n")
	}
	return all.String()
}

// typesCode types the code that Mara's app shows now, after her password.
func (w *world) typesCode(seed string) *cookieBrowser {
	w.T.Helper()
	b := w.seated(mara, session.StagePassword, 0)
	b.fill("/sign-in/code", url.Values{fieldCode: {codeAt(w.T, seed, w.Clock.Now())}})
	return b
}

func TestASeedIsSealedFromTheStartOfItsSetup(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	seed := a.begin()
	if text := w.stored(); strings.Contains(text, seed) || !strings.Contains(text, `"sealed:1:`) {
		t.Errorf("in setup:\n%s", text)
	}
	a.confirm(codeAt(t, seed, w.Clock.Now()))
	if text := w.stored(); strings.Contains(text, seed) || !strings.Contains(text, `"sealed:1:`) {
		t.Errorf("set up:\n%s", text)
	}
	w.Clock.Step(time.Minute)
	if !w.typesCode(seed).isIn(mara) {
		t.Error("the app does not work")
	}
}

func TestAPlainSeedIsSealedByTheNextWrite(t *testing.T) {
	for name, write := range map[string]func(w *world){
		"a sign-in with a code":     func(w *world) { w.typesCode(appSecret) },
		"a sign-in with a password": func(w *world) { w.agent().fill("/sign-in", signInForm(mara, validPassword)) },
		"the end of a session": func(w *world) {
			w.signedInAs(mara).fill("/sign-out", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t, hasApp)
			if !strings.Contains(w.stored(), appSecret) {
				t.Fatal("the seed is not plain at first")
			}
			write(w)
			if text := w.stored(); strings.Contains(text, appSecret) || !strings.Contains(text, `"sealed:1:`) {
				t.Errorf("stored:\n%s", text)
			}
			w.Clock.Step(time.Minute)
			if !w.typesCode(appSecret).isIn(mara) {
				t.Error("the app does not work")
			}
		})
	}
}

func TestANewKeySealsTheSeedAtTheNextCode(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	w.typesCode(appSecret)
	w.SeedKeys = storetest.Keyring(t, "s", "2")
	w.Clock.Step(time.Minute)
	if !w.typesCode(appSecret).isIn(mara) || !strings.Contains(w.stored(), `"sealed:2:`) {
		t.Errorf("with both keys:\n%s", w.stored())
	}
	only, err := invitation.ParseKeyring(map[string][]byte{"key-2": []byte(strings.Repeat("2", invitation.KeySize))})
	w.Must(err)
	w.SeedKeys = only
	w.Clock.Step(time.Minute)
	if !w.typesCode(appSecret).isIn(mara) {
		t.Error("the app does not work after the first key was removed")
	}
}

func TestASealedSeedWorksOnlyForItsOwnAccount(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	w.typesCode(appSecret)
	copied, err := account.ReadCredentials(w.Secret(mara))
	w.Must(err)
	b := w.seated(otto, session.StagePassword, 0)
	w.Change(otto, func(c *account.Credentials) { c.TOTP = copied.TOTP })
	w.Clock.Step(time.Minute)
	got := b.fill("/sign-in/code", url.Values{fieldCode: {codeAt(t, appSecret, w.Clock.Now())}})
	if got.Code != http.StatusServiceUnavailable {
		t.Errorf("the seed of another person: %d\n%s", got.Code, got.Body)
	}
}

func TestWithoutTheKeysPeopleSignInWithARecoveryCode(t *testing.T) {
	const recovery = "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF"
	w, seed, codes := anApp(t)
	b := w.browser()
	b.signIn("jane", validPassword)
	b.code(w.appCode(seed))
	if !b.isIn() {
		t.Fatal("the app does not work")
	}
	w.SeedKeys = storetest.Keyring(t, "x") // another key of the same number
	w.Clock.Step(time.Minute)
	b = w.browser()
	b.signIn("jane", validPassword)
	for range 6 {
		if got := b.code(w.appCode(seed)); got.Code != http.StatusServiceUnavailable || b.isIn() {
			t.Errorf("a code of the app: %d\n%s", got.Code, got.Body)
		}
	}
	if s := w.Account("jane").Status.SignIn; s.CodeFailures != 0 {
		t.Errorf("codes that were not compared were counted: %+v", s)
	}
	if text := w.logs.String(); !strings.Contains(text, account.ErrUnreadableSeed.Error()) || strings.Contains(text, seed) {
		t.Errorf("logged:\n%s", text)
	}
	expect(t, b.code(recovery), 422, wrongCode)
	if s := w.Account("jane").Status.SignIn; s.CodeFailures != 1 || b.isIn() {
		t.Errorf("counted for a wrong recovery code: %+v", s)
	}
	if b.code(codes[0]); !b.isIn() {
		t.Error("the recovery code does not work")
	}
}

// TestAPlainSeedLocksNoOneOutWithoutTheKeys does what writes the Secret of a person whose
// seed is from an earlier version of Usher, while the portal cannot read the keys.
func TestAPlainSeedLocksNoOneOutWithoutTheKeys(t *testing.T) {
	for name, do := range map[string]func(w *world, known *browser, code string){
		"a sign-in in a new browser": func(w *world, _ *browser, code string) {
			b := w.browser()
			expectTo(w.T, b.signIn("jane", validPassword), codePath)
			expectTo(w.T, b.code(code), "/account?lang=en")
		},
		"a sign-in in a known browser": func(w *world, known *browser, code string) {
			known.fill("/sign-out", nil)
			expectTo(w.T, known.signIn("jane", validPassword), codePath)
			expectTo(w.T, known.code(code), "/account?lang=en")
		},
		"the end of all sessions": func(w *world, known *browser, _ string) {
			known.fill("/account/sessions", url.Values{fieldSession: {allSessions}})
			if known.isIn() {
				w.T.Error("still signed in")
			}
		},
		"a change of the password": func(w *world, known *browser, _ string) {
			expectTo(w.T, known.fill("/account/password", toAnother()), "/account?lang=en&done=password")
		},
		"a reset of the password": func(w *world, _ *browser, _ string) {
			expect(w.T, w.post("/reset", resetRequest("jane")), 200)
			expect(w.T, w.post(w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time), newPasswords(otherPassword)), 200)
			expectTo(w.T, w.browser().signIn("jane", otherPassword), codePath)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, acmeMember(t, "jane", withApp(appSecret))...)
			known := w.browser()
			known.signIn("jane", validPassword)
			expectTo(t, known.code(w.appCode(appSecret)), "/account?lang=en")
			w.alterJane(func(_ *accountsv1.Account, c *account.Credentials) { c.TOTP.Secret = appSecret })
			w.config.SeedKeys = brokenKeys
			known.handler = w.build().handler
			w.Clock.Step(time.Minute)
			do(w, known, w.appCode(appSecret))
			if s := w.Account("jane").Status.SignIn; s != (accountsv1.SignIn{}) || w.credentials("jane").TOTP.Secret != appSecret {
				t.Errorf("counted: %+v", s)
			}
		})
	}
}

func TestNoNewSeedIsStoredPlain(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	seed := a.begin()
	w.config.SeedKeys = brokenKeys
	a.handler = w.build().handler
	got := a.fill(pathFactors+"/app/confirm", url.Values{fieldCode: {codeAt(t, seed, w.Clock.Now())}})
	if text := w.stored(); got.Code != http.StatusServiceUnavailable || strings.Contains(text, seed) {
		t.Errorf("%d, stored:\n%s", got.Code, text)
	}
}
