// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/secondfactor"
	"github.com/usher-dev/usher/internal/session"
)

// begin begins the setup of an app and returns its secret.
func (a *cookieBrowser) begin() string {
	a.T.Helper()
	got := a.fill(pathFactors+"/app", nil)
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != pathFactors+"/app?lang=en" {
		a.T.Fatalf("the setup of the app did not begin: %d\n%s", got.Code, got.Body)
	}
	return shownSecret(a.T, a.visit(pathFactors+"/app"))
}

// confirm types a code for the app in setup.
func (a *cookieBrowser) confirm(code string) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.fill(pathFactors+"/app/confirm", url.Values{fieldCode: {code}})
}

func TestAnAppIsSetUpWithItsFirstCode(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	secret := a.begin()

	page := a.visit(pathFactors + "/app")
	expect(t, page, http.StatusOK, `<svg class="qr" role="img" aria-label="QR code`, `viewBox="-4 -4 `, `fill="#fff"`,
		`href="otpauth://totp/usher.example.com:mara-voss?secret=`+secret+`&issuer=usher.example.com`, secondfactor.Spaced(secret))
	if w.Credentials(mara).HasSecondFactor() {
		t.Fatal("an unconfirmed app counts as a second factor")
	}
	code := codeAt(t, secret, w.Clock.Now())
	got := a.confirm(code[:3] + " " + code[3:])

	codes := shownCodes(got)
	if got.Code != http.StatusOK || len(codes) != 10 {
		t.Fatalf("%d, with %d recovery codes\n%s", got.Code, len(codes), got.Body)
	}
	c := w.Credentials(mara)
	want := account.TOTP{Secret: secret, LastStep: storetest.Start.Unix() / 30, AddedTime: storetest.Start}
	if c.TOTP != want {
		t.Errorf("stored %+v, want %+v", c.TOTP, want)
	}
	for _, code := range codes {
		if left, good := secondfactor.UseRecoveryCode(c.RecoveryCodes, code); !good || len(left) != 9 {
			t.Errorf("%s does not work", code)
		}
	}
	if c.Sessions[0].Pending != nil {
		t.Errorf("the session still has a pending %s", c.Sessions[0].Pending)
	}
	page = a.visit(pathFactors)
	expect(t, page, http.StatusOK, "Codes left: 10", "Added: <time datetime=\"2026-05-04T10:00:00Z\">", "!"+secret, "!"+codes[0])
	if got := a.visit(pathFactors + "/app"); got.Code != http.StatusSeeOther {
		t.Errorf("the app is still shown: %d\n%s", got.Code, got.Body)
	}
}

func TestTheCodeThatSetUpAnAppCannotSignIn(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	secret := a.begin()
	code := codeAt(t, secret, w.Clock.Now())
	a.confirm(code)

	door := w.seated(mara, session.StagePassword, 0)
	if got := door.fill("/sign-in/code", url.Values{fieldCode: {code}}); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("the same code: %d", got.Code)
	}
	w.Clock.Step(30 * time.Second)
	if got := door.fill("/sign-in/code", url.Values{fieldCode: {codeAt(t, secret, w.Clock.Now())}}); got.Code != http.StatusSeeOther || !door.isIn(mara) {
		t.Errorf("the next code: %d\n%s", got.Code, got.Body)
	}
}

func TestAnAppStaysUntilAnotherIsConfirmed(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp, func(_ *accountsv1.Account, c *account.Credentials) { c.RecoveryCodes = []string{"kept"} })
	a := w.signedInAs(mara)
	secret := a.begin()
	a.confirm("000000")
	if got := w.Credentials(mara).TOTP.Secret; got != appSecret {
		t.Fatal("the app was replaced before the new one was confirmed")
	}
	got := a.confirm(codeAt(t, secret, w.Clock.Now()))
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != pathFactors+"?lang=en&done=app" {
		t.Errorf("%d %s", got.Code, got.Header().Get("Location"))
	}
	if c := w.Credentials(mara); c.TOTP.Secret != secret || !slices.Equal(c.RecoveryCodes, []string{"kept"}) {
		t.Errorf("stored %+v", c)
	}
}

func TestFiveWrongCodesEndAnApp(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	secret := a.begin()
	for i := range store.AppTries {
		got := a.confirm("123456")
		if over := strings.Contains(got.Body.String(), "Too many incorrect codes"); got.Code != http.StatusUnprocessableEntity || over != (i == store.AppTries-1) {
			t.Errorf("wrong code %d: %d\n%s", i+1, got.Code, got.Body)
		}
	}
	if got := a.confirm(codeAt(t, secret, w.Clock.Now())); got.Code != http.StatusUnprocessableEntity || w.Credentials(mara).HasSecondFactor() {
		t.Errorf("the correct code afterwards: %d", got.Code)
	}
	if again := a.begin(); again == secret {
		t.Error("a second setup has the same secret")
	}
}

func TestAnEmptyCodeIsNotCounted(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	secret := a.begin()
	for range 2 * store.AppTries {
		expect(t, a.confirm("  "), http.StatusUnprocessableEntity, "Enter the code the app shows", secondfactor.Spaced(secret))
	}
	if got := a.confirm(codeAt(t, secret, w.Clock.Now())); got.Code != http.StatusOK {
		t.Errorf("the correct code: %d\n%s", got.Code, got.Body)
	}
}

func TestAnAppIsNotConfirmed(t *testing.T) {
	for name, confirm := range map[string]func(a *cookieBrowser, code func() string) *httptest.ResponseRecorder{
		"too late": func(a *cookieBrowser, code func() string) *httptest.ResponseRecorder {
			a.Clock.Step(10 * time.Minute)
			return a.confirm(code())
		},
		"in another session": func(a *cookieBrowser, code func() string) *httptest.ResponseRecorder {
			return a.signedInAs(mara).confirm(code())
		},
		"in the session of another person": func(a *cookieBrowser, code func() string) *httptest.ResponseRecorder {
			return a.signedInAs(otto).confirm(code())
		},
		"after the setup was begun again": func(a *cookieBrowser, code func() string) *httptest.ResponseRecorder {
			a.fill(pathFactors+"/app", nil)
			return a.confirm(code())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			a := w.signedInAs(mara)
			secret := a.begin()
			got := confirm(a, func() string { return codeAt(t, secret, w.Clock.Now()) })
			if got.Code != http.StatusUnprocessableEntity {
				t.Errorf("%d\n%s", got.Code, got.Body)
			}
			if w.Credentials(mara).HasSecondFactor() || w.Credentials(otto).HasSecondFactor() || !a.isIn(mara) {
				t.Error("an object changed")
			}
		})
	}
}

func TestOneOfManyConfirmationsCounts(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	secret := a.begin()
	answers := inParallel(w.portals(3), func(handler http.Handler) *httptest.ResponseRecorder {
		each := a.copy()
		each.handler = handler
		return each.confirm(codeAt(t, secret, w.Clock.Now()))
	})
	var shown []string
	for _, got := range answers {
		if codes := shownCodes(got); len(codes) > 0 {
			shown = append(shown, codes...)
		} else if got.Code == http.StatusOK {
			t.Errorf("%d\n%s", got.Code, got.Body)
		}
	}
	if len(shown) != 10 || len(w.Credentials(mara).Sessions) != 1 {
		t.Errorf("%d recovery codes were shown, with %d sessions", len(shown), len(w.Credentials(mara).Sessions))
	}
	if _, good := secondfactor.UseRecoveryCode(w.Credentials(mara).RecoveryCodes, shown[0]); !good {
		t.Error("the codes that were shown are not the stored ones")
	}
}

func TestACodeSignsInOnceAtAnyNumberOfPortals(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	code := codeAt(t, appSecret, w.Clock.Now())
	agents := []*cookieBrowser{}
	for range 3 {
		agents = append(agents, w.seated(mara, session.StagePassword, 0))
	}
	handlers, next := w.portals(3), make(chan *cookieBrowser, 3)
	for i, a := range agents {
		a.handler = handlers[i]
		next <- a
	}
	answers := inParallel(handlers, func(http.Handler) *httptest.ResponseRecorder {
		return (<-next).fill("/sign-in/code", url.Values{fieldCode: {code}})
	})
	in := 0
	for _, got := range answers {
		if got.Code == http.StatusSeeOther {
			in++
		}
	}
	if in != 1 {
		t.Errorf("one code signed in %d times", in)
	}
}

// inParallel runs do at each portal at once.
func inParallel(handlers []http.Handler, do func(handler http.Handler) *httptest.ResponseRecorder) []*httptest.ResponseRecorder {
	answers := make([]*httptest.ResponseRecorder, len(handlers))
	var all sync.WaitGroup
	for i, handler := range handlers {
		all.Go(func() { answers[i] = do(handler) })
	}
	all.Wait()
	return answers
}

func TestNewRecoveryCodesReplaceTheOldAndAreShownOnce(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	a := w.signedInAs(mara)
	first := shownCodes(a.fill(pathFactors+"/recovery-codes", nil))
	second := shownCodes(a.fill(pathFactors+"/recovery-codes", nil))
	if len(first) != 10 || len(second) != 10 {
		t.Fatalf("%d and %d codes", len(first), len(second))
	}
	kept := w.Credentials(mara).RecoveryCodes
	for i := range first {
		if _, good := secondfactor.UseRecoveryCode(kept, first[i]); good {
			t.Errorf("the old code %s still works", first[i])
		}
		if _, good := secondfactor.UseRecoveryCode(kept, second[i]); !good {
			t.Errorf("the new code %s does not work", second[i])
		}
	}
	for _, path := range []string{pathFactors, pathFactors + "/recovery-codes", "/account"} {
		if got := a.visit(path); len(shownCodes(got)) > 0 {
			t.Errorf("%s shows codes", path)
		}
	}
	none := w.signedInAs(otto)
	if got := none.fill(pathFactors+"/recovery-codes", nil); got.Code != http.StatusSeeOther || len(w.Credentials(otto).RecoveryCodes) > 0 || !none.isIn(otto) {
		t.Errorf("without a second factor: %d\n%s", got.Code, got.Body)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a, k := w.signedInAs(mara), aKey(t)
	secret := a.begin()
	code := codeAt(t, secret, w.Clock.Now())
	secrets := append(shownCodes(a.confirm(code)), secret, code)
	made := k.made(a.options(url.Values{fieldCurrentPassword: {validPassword}}))
	a.add(made, "Laptop")
	options := a.challenged()
	signed := k.signed(options)
	secrets = append(secrets, made, signed, k.id(), a.jar[hostPrefix+challengeCookie].Value, validPassword)
	a.enterWith(signed)
	secrets = append(secrets, a.jar[hostPrefix+sessionCookie].Value, base64Challenge(t, options))

	log := w.logs.String()
	if !strings.Contains(log, "/sign-in/passkey/options") {
		t.Fatalf("the log is incomplete: %s", log)
	}
	for _, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// base64Challenge returns the encoded challenge in the options.
func base64Challenge(t *testing.T, options *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct {
		PublicKey struct{ Challenge string }
	}
	decode(t, options.Body.String(), &answer)
	if answer.PublicKey.Challenge == "" {
		t.Fatal("no challenge")
	}
	return answer.PublicKey.Challenge
}
