// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

const codesLockedUntil = "Codes are locked until Monday, 4 May 2026, 10:15 UTC"

// codesLocked are texts on the page for the second factor while codes are locked. The page does not
// invite to type one.
var codesLocked = []string{
	"<title>" + codesLockedUntil + "</title>", "<h1>" + codesLockedUntil + "</h1>",
	"Too many incorrect codes were entered", `href="/sign-in/code?lang=en"`, `action="/sign-out?lang=en"`,
	"!Almost there", "!One more step", "!<input", "!Enter the code", "!Continue with your passkey", "!" + wrongCode,
}

// enterWrongCodes enters five wrong codes and returns the last answer.
func enterWrongCodes(fill func(path string, values url.Values) *httptest.ResponseRecorder, path, field string) (last *httptest.ResponseRecorder) {
	for range 5 {
		last = fill(path, url.Values{field: {"wrong"}})
	}
	return last
}

func TestAPasskeyWorksWhileCodesAreLocked(t *testing.T) {
	for name, secret := range map[string]string{"with an app too": "AAAA", "alone": ""} {
		t.Run(name, func(t *testing.T) {
			b := worldWith(t).halfway(secret)
			page := []string{"<h1>" + codesLockedUntil + "</h1>", "Continue with your passkey.", `id="passkey-sign-in"`, "!<input"}
			expect(t, enterWrongCodes(b.fill, codePath, fieldCode), 422, page...)
			expect(t, b.visit(codePath), 200, page...)
		})
	}
}

func TestTheInvitationPageSaysThatCodesAreLocked(t *testing.T) {
	jane, _ := guest(t, "jane", "jane.doe@example.com", func(c *account.Credentials) { c.Sessions, c.TOTP.Secret = nil, appSecret })
	w := aWorld(t, jane...)
	b := w.agent()
	b.signIn("jane")
	page := []string{
		`<h2 id="guest-title">` + codesLockedUntil + "</h2>", "Too many incorrect codes were entered", `action="` + w.Link() + `/sign-out?lang=en"`,
		`<a href="` + w.Link() + `?lang=en">`, "Or create a new account</h2>",
		"!Almost there", "!One more step", `!name="sign-in-code"`, "!That code is incorrect", "!" + acceptButton,
	}
	path := w.Link() + "/code?lang=en"
	expect(t, enterWrongCodes(b.fill, path, fieldSignInCode), 422, page...)
	expect(t, b.fill(path, url.Values{fieldSignInCode: {codeAt(t, appSecret, storetest.Start)}}), 422, page...)
	expect(t, b.visit(w.Link()), 200, page...)
	w.Clock.Step(15 * time.Minute)
	b.signIn("jane")
	expect(t, b.visit(w.Link()), 200, `name="sign-in-code"`, "One more step", "!Codes are locked")
	expect(t, b.fill(path, url.Values{fieldSignInCode: {codeAt(t, appSecret, w.Clock.Now())}}), 200, acceptButton)
}
