// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/session"
)

// tokenAnswer is what a client reads from a token response.
type tokenAnswer struct {
	Access     string `json:"access_token"`
	Refresh    string `json:"refresh_token"`
	ID         string `json:"id_token"`
	Scope      string `json:"scope"`
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
}

// ask sends a form of a client and reads the answer.
func (w *world) ask(path string, fields url.Values) tokenAnswer {
	w.T.Helper()
	got := w.submit(path, fields)
	expect(w.T, got, 200)
	var answer tokenAnswer
	w.Must(json.Unmarshal(got.Body.Bytes(), &answer))
	return answer
}

// deviceTokens signs Jane in on a device, and returns its tokens.
func (w *world) deviceTokens(b *browser, scope string) tokenAnswer {
	w.T.Helper()
	device := w.ask(issuer.PathDevice, url.Values{"client_id": {"kubectl"}, "scope": {scope}})
	b.signIn("jane", validPassword)
	expect(w.T, b.fill(issuer.PathDevicePage, url.Values{fieldCode: {device.UserCode}}), 200, "The device is approved")
	return w.ask(issuer.PathToken, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"kubectl"}, "device_code": {device.DeviceCode},
	})
}

func TestARefreshTokenComesOnlyWithOfflineAccess(t *testing.T) {
	for name, signIn := range map[string]func(w *world, scope string) tokenAnswer{
		"with a code": func(w *world, scope string) tokenAnswer {
			return w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization("scope", scope))))
		},
		"on a device": func(w *world, scope string) tokenAnswer { return w.deviceTokens(w.browser(), scope) },
	} {
		for scope, want := range map[string]bool{"openid email": false, "openid email offline_access": true} {
			w := memberWorld(t)
			got := signIn(w, scope)
			if got.ID == "" || got.Access == "" || (got.Refresh != "") != want || got.Scope != scope {
				t.Errorf("%s, scope %q: refresh token %q, scope %q", name, scope, got.Refresh, got.Scope)
			}
			expect(t, w.userInfo(got.Access), 200, "uid-of-jane")
			expect(t, w.signedInAs("jane").visit("/account"), 200, "<p>kubectl</p>")
			w.Clock.Step(session.TokenLife)
			expect(t, w.userInfo(got.Access), 401)
			listed := "!<p>kubectl</p>"
			if want {
				listed = listed[1:]
			}
			expect(t, w.signedInAs("jane").visit("/account"), 200, listed)
		}
	}
}
