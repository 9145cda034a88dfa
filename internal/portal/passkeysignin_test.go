// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

func TestAPasskeyOutlivesARestore(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a, k := w.signedInAs(mara), aKey(t)
	a.enroll(k, "Phone")
	w.restore(mara)

	b := w.agent()
	if got := b.enterWith(k.signed(b.challenged())); got.Code != http.StatusOK || !b.isIn(mara) {
		t.Errorf("%d\n%s", got.Code, got.Body)
	}
	if a.isIn(mara) {
		t.Error("a session survives a restore")
	}
}

// restore gives an Account another UID and removes its status.
func (w *world) restore(name string) {
	w.T.Helper()
	a := w.Account(name)
	w.Must(w.Client.Delete(w.T.Context(), a))
	a.ResourceVersion, a.Status = "", accountsv1.AccountStatus{}
	w.Must(w.Client.Create(w.T.Context(), a))
}

func TestAPasskeySignsInWithoutAnythingElse(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	w.Clock.Step(time.Hour)
	b := w.agent()

	options := b.challenged()
	var got struct {
		PublicKey struct {
			RPID, UserVerification string
			AllowCredentials       []any
		}
	}
	decode(t, options.Body.String(), &got)
	if o := got.PublicKey; o.RPID != "usher.example.com" || o.UserVerification != "required" || o.AllowCredentials != nil {
		t.Errorf("options: %s", options.Body)
	}
	cookie := options.Result().Cookies()[0]
	if cookie.Name != "__Host-usher-challenge" || !cookie.HttpOnly || !cookie.Secure || cookie.Path != "/" || cookie.MaxAge != 300 || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie: %s", cookie)
	}
	answer := b.script("/sign-in/passkey?lang=de", k.signed(options))
	if answer.Code != http.StatusOK || answer.Body.String() != `{"location":"/account?lang=de"}`+"\n" {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	if !b.isIn(mara) {
		t.Error("the browser is not signed in")
	}
	if b.jar[hostPrefix+challengeCookie] != nil {
		t.Error("the challenge is stored")
	}
	kept := w.Credentials(mara)
	if !kept.Passkeys[0].UsedTime.Equal(storetest.Start.Add(time.Hour)) || len(kept.UsedChallenges) != 1 {
		t.Errorf("stored %+v", kept)
	}
	expect(t, b.visit(pathFactors), http.StatusOK, `Last used: <time datetime="2026-05-04T11:00:00Z">`)
	if status := w.Account(mara).Status; status.Language != "de" {
		t.Errorf("the language is %q", status.Language)
	}
	at := w.Account(mara).ResourceVersion
	w.Clock.Step(time.Hour)
	c := w.agent()
	c.script("/sign-in/passkey?lang=de", k.signed(c.challenged()))
	if !c.isIn(mara) || w.Account(mara).ResourceVersion != at {
		t.Error("the status was written although nothing changed")
	}
	if used := w.Credentials(mara).UsedChallenges; len(used) != 1 {
		t.Errorf("an expired challenge is still stored: %+v", used)
	}
}

func TestAPlainFormCannotSignInWithAPasskey(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	a := w.agent()
	r := newRequest(http.MethodPost, "/sign-in/passkey", strings.NewReader(k.signed(a.challenged())))
	r.Header.Set("Content-Type", "text/plain")
	if got := a.send(r); got.Code != http.StatusUnprocessableEntity || a.isIn(mara) {
		t.Errorf("%d", got.Code)
	}
}

func TestRefusalsTakeAsLong(t *testing.T) {
	for name, forge := range map[string]func(k *key, options *httptest.ResponseRecorder) string{
		"for an unknown user handle": func(k *key, options *httptest.ResponseRecorder) string {
			k.auth.Options.UserHandle = []byte("0123456789abcdef")
			return k.signed(options)
		},
		"wrong": func(k *key, options *httptest.ResponseRecorder) string {
			return tampered(k.t, k.signed(options), "signature", 20)
		},
		"none": func(*key, *httptest.ResponseRecorder) string { return "" },
	} {
		w := worldWithMaraAndOtto(t)
		k := aKey(t)
		w.signedInAs(mara).enroll(k, "Phone")
		var waited []time.Duration
		w.config.Pause = pauses(&waited)
		w.build()
		a := w.agent()
		options := a.challenged()
		a.enterWith(forge(k, options))
		if !slices.Equal(waited, []time.Duration{answerInterval}) {
			t.Errorf("%s: waited %v", name, waited)
		}
	}
}

func TestAChallengeIsAnsweredOnce(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t) // its counter stays 0, like that of a passkey on several devices
	w.signedInAs(mara).enroll(k, "Phone")
	a := w.agent()
	signed := k.signed(a.challenged())

	answers := inParallel(w.portals(3), func(handler http.Handler) *httptest.ResponseRecorder {
		each := a.copy()
		each.handler = handler
		return each.enterWith(signed)
	})
	in := 0
	for _, got := range answers {
		if got.Code == http.StatusOK {
			in++
		} else if got.Code != http.StatusUnprocessableEntity {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	}
	if sessions := w.Credentials(mara).Sessions; in != 1 || len(sessions) != 2 { // including the session that added it
		t.Errorf("one answer signed in %d times, with %d sessions", in, len(sessions))
	}
	w.Clock.Step(passkeyTime - time.Second)
	late := a.copy()
	late.handler = w.portals(1)[0]
	if got := late.enterWith(signed); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("just before it expires: %d", got.Code)
	}
}

func TestTheCounterOfAPasskeyIsKept(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	for _, count := range []uint32{3, 9} {
		k.cred.Counter = count
		a := w.agent()
		a.enterWith(k.signed(a.challenged()))
		var record webauthn.Credential
		decode(t, string(w.Credentials(mara).Passkeys[0].Record), &record)
		if !a.isIn(mara) || record.Authenticator.SignCount != count {
			t.Errorf("stored %d, want %d", record.Authenticator.SignCount, count)
		}
	}
}

func TestAPasskeySignsInToAnAccountThatIsLocked(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	for range 5 {
		w.agent().fill("/sign-in", url.Values{fieldSignInName: {mara}, fieldSignInPassword: {"wrong"}})
	}
	locked := w.Account(mara).Status.SignIn
	if locked.Failures != 5 {
		t.Fatalf("the account is not locked: %+v", locked)
	}
	w.Clock.Step(time.Minute)
	a := w.agent()
	if got := a.enterWith(k.signed(a.challenged())); got.Code != http.StatusOK || !a.isIn(mara) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if after := w.Account(mara).Status.SignIn; string(encode(t, after)) != string(encode(t, locked)) {
		t.Errorf("the counts changed: %+v", after)
	}
}

func TestAPasskeyIsTheSecondFactorOfItsOwnAccountAlone(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasApp)
	k, other := aKey(t), aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	w.signedInAs(otto).enroll(other, "Phone")
	a := w.seated(mara, session.StagePassword, time.Minute)
	expect(t, a.visit("/sign-in/code"), http.StatusOK, `id="passkey-sign-in"`)

	options := a.challenged()
	if got := a.enterWith(other.signed(options)); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("a passkey of another person: %d %s", got.Code, got.Body)
	}
	halfway := a.copy()
	if got := a.enterWith(k.signed(options)); got.Code != http.StatusOK || !a.isIn(mara) {
		t.Errorf("the passkey of the account: %d %s", got.Code, got.Body)
	}
	if got := halfway.visit("/sign-in/code"); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/sign-in?lang=en" {
		t.Errorf("the session that waited for the second factor still exists: %d", got.Code)
	}
}

func TestSigningInToAnotherAccountEndsTheSession(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	a := w.signedInAs(otto)
	before := a.copy()
	a.enterWith(k.signed(a.challenged()))
	if !a.isIn(mara) || before.isIn(otto) {
		t.Error("both accounts are signed in")
	}
}

func TestABackendFailureIsNotARefusal(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	k := aKey(t)
	w.signedInAs(mara).enroll(k, "Phone")
	a := w.agent()
	signed := k.signed(a.challenged())
	w.config.Writer = failing{}
	w.build()
	a.handler = w.handler
	if got := a.enterWith(signed); got.Code != http.StatusServiceUnavailable || got.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	w.config.Keys = brokenKeys
	w.build()
	a.handler = w.handler
	for _, got := range []*httptest.ResponseRecorder{a.challenged(), a.enterWith(signed)} {
		if got.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	}
}
