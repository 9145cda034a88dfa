// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

func TestAPasskeyIsAskedForSoThatItVerifiesItsPerson(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a, k := w.signedInAs(mara), aKey(t)
	a.enroll(k, "Phone")
	var got struct {
		PublicKey struct {
			RP                     struct{ ID, Name string }
			User                   struct{ ID, Name, DisplayName string }
			Challenge, Attestation string
			Timeout                int
			ExcludeCredentials     []struct{ ID, Type string }
			AuthenticatorSelection struct{ ResidentKey, UserVerification string }
		}
	}
	options := a.options(nil)
	decode(t, options.Body.String(), &got)
	o := got.PublicKey
	if o.RP.ID != "usher.example.com" || o.AuthenticatorSelection.ResidentKey != "required" ||
		o.AuthenticatorSelection.UserVerification != "required" || o.Attestation != "none" || o.Timeout != 300_000 {
		t.Errorf("options: %s", options.Body)
	}
	if len(unbase64(t, o.Challenge)) != 32 || o.User.Name != mara || strings.Contains(string(unbase64(t, o.User.ID)), "mara") || len(unbase64(t, o.User.ID)) != 16 {
		t.Errorf("options: %s", options.Body)
	}
	if len(o.ExcludeCredentials) != 1 || o.ExcludeCredentials[0].ID != k.id() {
		t.Errorf("the existing passkey is not excluded: %s", options.Body)
	}
	if contentType := options.Header().Get("Content-Type"); contentType != "application/json" {
		t.Errorf("options: %s", contentType)
	}
}

func TestANewPasskeyIsKeptWithItsName(t *testing.T) {
	for name, answer := range map[string]func(k *key, options *httptest.ResponseRecorder) string{
		"with a self attestation": (*key).made,
		"without an attestation": func(k *key, options *httptest.ResponseRecorder) string {
			return k.madeWith(options, func(map[string]any) {})
		},
		"with RSA": func(k *key, options *httptest.ResponseRecorder) string {
			k.cred = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeRSA)
			return k.made(options)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			a, k := w.signedInAs(mara), aKey(t)
			got := a.add(answer(k, a.options(nil)), " Ma clé ")
			if got.Code != http.StatusOK || len(shownCodes(got)) != 10 {
				t.Fatalf("%d, with %d recovery codes\n%s", got.Code, len(shownCodes(got)), got.Body)
			}
			kept := w.Credentials(mara).Passkeys[0]
			if want := (account.Passkey{ID: k.id(), Name: "Ma clé", AddedTime: storetest.Start, Record: kept.Record}); !reflect.DeepEqual(kept, want) {
				t.Errorf("stored %+v", kept)
			}
			if strings.Contains(string(kept.Record), "clientDataJSON\":\"ey") {
				t.Errorf("the attestation is stored: %s", kept.Record)
			}
			expect(t, a.visit(pathFactors), http.StatusOK, "<strong>Ma clé</strong>", "!Last used", "Codes left: 10", `value="Passkey 2"`)
			b := w.agent()
			if got := b.enterWith(k.signed(b.challenged())); got.Code != http.StatusOK || !b.isIn(mara) {
				t.Errorf("it does not sign in: %d\n%s", got.Code, got.Body)
			}
		})
	}
}

func TestAPasskeyWithoutANameHasANumber(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	a.enroll(aKey(t), "")
	if second := a.enroll(aKey(t), ""); second.Code != http.StatusSeeOther || second.Header().Get("Location") != pathFactors+"?lang=en&done=passkey" {
		t.Errorf("the second passkey: %d %s", second.Code, second.Header().Get("Location"))
	}
	kept := w.Credentials(mara).Passkeys
	if len(kept) != 2 || kept[0].Name != "Passkey 1" || kept[1].Name != "Passkey 2" {
		t.Errorf("stored %+v", kept)
	}
}

// unmade are answers for a new passkey that must be refused.
var unmade = map[string]func(a *cookieBrowser, k *key, options *httptest.ResponseRecorder) string{
	"from another origin": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "https://usher.example.net"
		return k.made(options)
	},
	"from a subdomain": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "https://sub.usher.example.com"
		return k.made(options)
	},
	"from another port": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = theirURL + ":8443"
		return k.made(options)
	},
	"without TLS": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.rp.Origin = "http://usher.example.com"
		return k.made(options)
	},
	"for another site": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.rp.ID = "example.com"
		return k.made(options)
	},
	"for the challenge of another session": func(a *cookieBrowser, k *key, _ *httptest.ResponseRecorder) string {
		return k.made(a.signedInAs(mara).options(nil))
	},
	"for the challenge of another person": func(a *cookieBrowser, k *key, _ *httptest.ResponseRecorder) string {
		return k.made(a.signedInAs(otto).options(nil))
	},
	"for a challenge to sign in": func(a *cookieBrowser, k *key, _ *httptest.ResponseRecorder) string {
		challenge := base64Challenge(a.T, a.challenged())
		return k.madeWith(a.options(nil), func(clientData map[string]any) { clientData["challenge"] = challenge })
	},
	"too late": func(a *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		a.Clock.Step(passkeyTime)
		return k.made(options)
	},
	"without user verification": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserNotVerified = true
		return k.made(options)
	},
	"without user presence": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		k.auth.Options.UserNotPresent = true
		return k.made(options)
	},
	"with the type of a sign-in": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		return k.madeWith(options, func(clientData map[string]any) { clientData["type"] = "webauthn.get" })
	},
	"in a frame of another site": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		return k.madeWith(options, func(clientData map[string]any) { clientData["crossOrigin"] = true })
	},
	"tampered with": func(_ *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		return strings.Replace(k.made(options), `"clientDataJSON":"ey`, `"clientDataJSON":"eZ`, 1)
	},
	"that is not JSON":   func(*cookieBrowser, *key, *httptest.ResponseRecorder) string { return "{" },
	"that is empty":      func(*cookieBrowser, *key, *httptest.ResponseRecorder) string { return "" },
	"that is a list":     func(*cookieBrowser, *key, *httptest.ResponseRecorder) string { return "[]" },
	"with trailing data": func(_ *cookieBrowser, k *key, o *httptest.ResponseRecorder) string { return k.made(o) + "{}" },
	"that is deeply nested": func(*cookieBrowser, *key, *httptest.ResponseRecorder) string {
		return strings.Repeat("[", 5000)
	},
	"that exists already": func(a *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		made := k.made(options)
		a.Change(mara, func(c *account.Credentials) {
			c.Passkeys = []account.Passkey{{ID: k.id(), Name: "Here", Record: json.RawMessage(`{}`)}}
		})
		return made
	},
	"that is one too many": func(a *cookieBrowser, k *key, options *httptest.ResponseRecorder) string {
		made := k.made(options)
		a.Change(mara, func(c *account.Credentials) {
			c.Passkeys = make([]account.Passkey, mostPasskeys)
			for i := range c.Passkeys {
				c.Passkeys[i].Record = json.RawMessage(`{}`)
			}
		})
		return made
	},
}

func TestAPasskeyIsNotAdded(t *testing.T) {
	for name, forge := range unmade {
		t.Run(name, func(t *testing.T) {
			w := worldWithMaraAndOtto(t)
			a, k := w.signedInAs(mara), aKey(t)
			options := a.options(nil)
			genuine := k.madeWith(options, func(map[string]any) {})
			forged := forge(a, k, options)
			before := w.Credentials(mara)

			got := a.add(forged, "Phone")

			if got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "passkey") {
				t.Errorf("%d\n%s", got.Code, got.Body)
			}
			after := w.Credentials(mara)
			for i := range before.Sessions {
				before.Sessions[i].Pending, after.Sessions[i].Pending = nil, nil
				before.Sessions[i].SeenTime = after.Sessions[i].SeenTime
			}
			if string(encode(t, before)) != string(encode(t, after)) || !a.isIn(mara) {
				t.Errorf("the stored data changed: %s, was %s", encode(t, after), encode(t, before))
			}
			if len(w.Credentials(otto).Passkeys) > 0 {
				t.Error("another person has a passkey now")
			}
			if got := a.add(genuine, "Phone"); got.Code != http.StatusUnprocessableEntity {
				t.Errorf("after the refusal, the challenge is still valid: %d", got.Code)
			}
		})
	}
}

func TestAPasskeyIsAddedOnce(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a, k := w.signedInAs(mara), aKey(t)
	made := k.made(a.options(nil))
	answers := inParallel(w.portals(3), func(handler http.Handler) *httptest.ResponseRecorder {
		each := a.copy()
		each.handler = handler
		return each.add(made, "Phone")
	})
	added := 0
	for _, got := range answers {
		if len(shownCodes(got)) > 0 {
			added++
		}
	}
	if kept := w.Credentials(mara); added != 1 || len(kept.Passkeys) != 1 || len(kept.Sessions) != 1 {
		t.Errorf("%d answers confirmed the passkey; stored %+v", added, kept)
	}
}

func TestTheFormOfAPasskeyIsCheckedBeforeAnAuthenticatorIsAsked(t *testing.T) {
	w := worldWithMaraAndOtto(t, hasPasskey)
	a := w.signedInAs(mara)
	for name, want := range map[string]string{
		strings.Repeat("x", 101): "Use at most 100 characters",
		"Phone\u202e":            "without control characters",
	} {
		got := a.options(url.Values{fieldPasskeyName: {name}})
		if got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), want) || strings.Contains(got.Body.String(), "challenge") {
			t.Errorf("%q: %d\n%s", name, got.Code, got.Body)
		}
	}
	w.Change(mara, func(c *account.Credentials) { c.Passkeys = slices.Repeat(c.Passkeys, mostPasskeys) })
	if got := a.options(nil); got.Code != http.StatusUnprocessableEntity || !strings.Contains(got.Body.String(), "reached the maximum number of passkeys") {
		t.Errorf("too many: %d\n%s", got.Code, got.Body)
	}
	if w.Credentials(mara).Sessions[0].Pending != nil {
		t.Error("a passkey is pending")
	}
}

func TestAFormThatIsTooLargeAddsNoPasskey(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a := w.signedInAs(mara)
	a.options(nil)
	if got := a.add(strings.Repeat("x", maxBody), ""); got.Code != http.StatusRequestEntityTooLarge || w.Credentials(mara).HasSecondFactor() {
		t.Errorf("%d", got.Code)
	}
}

func TestAPasskeyIsRemoved(t *testing.T) {
	w := worldWithMaraAndOtto(t)
	a, phone, laptop := w.signedInAs(mara), aKey(t), aKey(t)
	a.enroll(phone, "Phone")
	a.enroll(laptop, "Laptop")
	got := a.fill(pathFactors+"/passkey/remove", url.Values{fieldPasskey: {phone.id()}})
	if got.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", got.Code, got.Body)
	}
	expect(t, a.visit(got.Header().Get("Location")), http.StatusOK, "The passkey was removed", "Laptop", "!Phone")
	b := w.agent()
	if got := b.enterWith(phone.signed(b.challenged())); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("it still signs in: %d", got.Code)
	}
	if got := b.enterWith(laptop.signed(b.challenged())); got.Code != http.StatusOK {
		t.Errorf("the other passkey does not sign in: %d", got.Code)
	}
	if got := a.fill(pathFactors+"/passkey/remove", url.Values{fieldPasskey: {"nothing"}}); got.Code != http.StatusSeeOther || len(w.Credentials(mara).Passkeys) != 1 {
		t.Errorf("a passkey that does not exist: %d", got.Code)
	}
}
