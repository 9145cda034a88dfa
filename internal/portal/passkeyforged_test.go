// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// unsigned are answers to the challenge of a browser that must not sign in. k is
// Mara's passkey and other is Otto's.
var unsigned = map[string]func(a *cookieBrowser, k, other *key, options *httptest.ResponseRecorder) string{
	"from another origin": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "https://usher.example.net"
		return k.signed(options)
	},
	"from a subdomain": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "https://sub.usher.example.com"
		return k.signed(options)
	},
	"from another port": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = theirURL + ":8443"
		return k.signed(options)
	},
	"without TLS": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "http://usher.example.com"
		return k.signed(options)
	},
	"for another site": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.rp.ID = "example.com"
		return k.signed(options)
	},
	"for the challenge of another browser": func(a *cookieBrowser, k, _ *key, _ *httptest.ResponseRecorder) string {
		return k.signed(a.agent().challenged())
	},
	"for a challenge to create a passkey": func(a *cookieBrowser, k, _ *key, _ *httptest.ResponseRecorder) string {
		return k.signed(a.signedInAs(mara).options(nil))
	},
	"without a challenge": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		delete(a.jar, hostPrefix+challengeCookie)
		return k.signed(options)
	},
	"for an empty challenge": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		return k.signedWith(options, func(clientData map[string]any) { clientData["challenge"] = "" })
	},
	"with a modified cookie": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		a.jar[hostPrefix+challengeCookie].Value = a.jar[hostPrefix+challengeCookie].Value[:40] + "AAAA" + a.jar[hostPrefix+challengeCookie].Value[44:]
		return k.signed(options)
	},
	"with a cookie whose expiry was extended": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		raw := unbase64(a.T, a.jar[hostPrefix+challengeCookie].Value)
		raw[sealedHead]++ // the last byte of the expiry
		a.jar[hostPrefix+challengeCookie].Value = passkeyID(raw)
		return k.signed(options)
	},
	"with a cookie of a removed key": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		raw := unbase64(a.T, a.jar[hostPrefix+challengeCookie].Value)
		raw[0] = 2
		a.jar[hostPrefix+challengeCookie].Value = passkeyID(raw)
		return k.signed(options)
	},
	"with a cookie that is too short": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		a.jar[hostPrefix+challengeCookie].Value = "AQ"
		return k.signed(options)
	},
	"too late": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		a.Clock.Step(passkeyTime)
		return k.signed(options)
	},
	"without user verification": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserNotVerified = true
		return k.signed(options)
	},
	"without user presence": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserNotPresent = true
		return k.signed(options)
	},
	"with a counter that decreased": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.cred.Counter = 6
		return k.signed(options)
	},
	"with a counter that did not increase": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.cred.Counter = 7
		return k.signed(options)
	},
	"with a counter of zero": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.cred.Counter = 0
		return k.signed(options)
	},
	"for another person": func(_ *cookieBrowser, k, other *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserHandle = other.auth.Options.UserHandle
		return k.signed(options)
	},
	"with the passkey of another person": func(_ *cookieBrowser, k, other *key, options *httptest.ResponseRecorder) string {
		other.auth.Options.UserHandle = k.auth.Options.UserHandle
		return other.signed(options)
	},
	"with an unknown passkey": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		stranger := aKey(a.T)
		stranger.auth.Options.UserHandle = k.auth.Options.UserHandle
		return stranger.signed(options)
	},
	"for an unknown user handle": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserHandle = []byte("0123456789abcdef")
		return k.signed(options)
	},
	"without a user handle": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserHandle = nil
		return k.signed(options)
	},
	"with a name as the user handle": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserHandle = []byte(mara)
		return k.signed(options)
	},
	"with the key of another passkey under its name": func(_ *cookieBrowser, k, other *key, options *httptest.ResponseRecorder) string {
		other.cred.ID, other.auth.Options.UserHandle = k.cred.ID, k.auth.Options.UserHandle
		return other.signed(options)
	},
	"with another signature": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		return tampered(k.t, k.signed(options), "signature", 20)
	},
	"with other authenticator data": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		return tampered(k.t, k.signed(options), "authenticatorData", 36)
	},
	"with the type of a creation": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		return k.signedWith(options, func(clientData map[string]any) { clientData["type"] = "webauthn.create" })
	},
	"in a frame of another site": func(_ *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		return k.signedWith(options, func(clientData map[string]any) { clientData["crossOrigin"] = true })
	},
	"with the answer that creates a passkey": func(a *cookieBrowser, _, _ *key, _ *httptest.ResponseRecorder) string {
		return aKey(a.T).made(a.signedInAs(mara).options(nil))
	},
	"no JSON":        func(*cookieBrowser, *key, *key, *httptest.ResponseRecorder) string { return "{" },
	"nothing":        func(*cookieBrowser, *key, *key, *httptest.ResponseRecorder) string { return "" },
	"null":           func(*cookieBrowser, *key, *key, *httptest.ResponseRecorder) string { return "null" },
	"very deep JSON": func(*cookieBrowser, *key, *key, *httptest.ResponseRecorder) string { return strings.Repeat("[", 5000) },
	"a huge body": func(_ *cookieBrowser, k, _ *key, o *httptest.ResponseRecorder) string {
		return k.signed(o) + strings.Repeat(" ", maxBody)
	},
	"with trailing data": func(_ *cookieBrowser, k, _ *key, o *httptest.ResponseRecorder) string { return k.signed(o) + "{}" },
	"for an account that is disabled": func(a *cookieBrowser, k, _ *key, options *httptest.ResponseRecorder) string {
		m := a.Account(mara)
		m.Spec.State = accountsv1.AccountSwitchDisabled
		a.Must(a.Client.Update(a.T.Context(), m))
		return k.signed(options)
	},
}

// tampered changes one byte in a part of an answer.
func tampered(t *testing.T, answer, part string, at int) string {
	t.Helper()
	var all map[string]any
	decode(t, answer, &all)
	response, ok := all["response"].(map[string]any)
	if !ok {
		t.Fatal("no response")
	}
	raw := unbase64(t, response[part])
	raw[at] ^= 1
	response[part] = passkeyID(raw)
	return string(encode(t, all))
}

func TestAForgedAnswerCannotSignIn(t *testing.T) {
	alike := answersAlike{}
	for name, forge := range unsigned {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			k, other := aKey(t), aKey(t)
			k.cred.Counter = 7
			w.signedInAs(mara).enroll(k, "Phone")
			w.signedInAs(otto).enroll(other, "Phone")
			k.cred.Counter = 8
			a := w.agent()
			options := a.challenged()
			genuine, cookie := k.signed(options), *a.jar[hostPrefix+challengeCookie]
			forged := forge(a, k, other, options)
			before := w.theirs()

			got := a.enterWith(forged)

			if got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "This passkey can't be used to sign in right now") {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if name != "a huge body" { // it closes the connection
				alike.check(t, got)
			}
			if a.jar[hostPrefix+sessionCookie] != nil || w.theirs() != before {
				t.Error("an object changed")
			}
			if name == "too late" || name == "for an account that is disabled" {
				return
			}
			a.jar[hostPrefix+challengeCookie] = &cookie
			if got := a.enterWith(genuine); got.Code != http.StatusOK || !a.isIn(mara) {
				t.Errorf("the genuine answer is refused, too: %d %s", got.Code, got.Body)
			}
		})
	}
}

// theirs returns everything that is stored for Mara and Otto.
func (w *world) theirs() string {
	w.T.Helper()
	var all strings.Builder
	for _, name := range []string{mara, otto} {
		all.Write(encode(w.T, w.Account(name)))
		all.Write(encode(w.T, w.Secret(name)))
	}
	return all.String()
}

// answersAlike checks that several answers are the same. It holds the first one.
type answersAlike struct{ first *httptest.ResponseRecorder }

func (l *answersAlike) check(t *testing.T, got *httptest.ResponseRecorder) {
	t.Helper()
	if l.first == nil {
		l.first = got
	}
	if got.Body.String() != l.first.Body.String() || string(encode(t, got.Header())) != string(encode(t, l.first.Header())) {
		t.Errorf("the answer differs from another:\n%v %s\n%v %s", got.Header(), got.Body, l.first.Header(), l.first.Body)
	}
}
