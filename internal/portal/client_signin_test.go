// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/issuer/usercode"
	"github.com/usher-dev/usher/internal/session"
	"github.com/usher-dev/usher/internal/wording/language"
)

const (
	toSignIn    = "/sign-in?lang=en"
	toCode      = "/sign-in/code?lang=en"
	toSetUp     = "/account/second-factor?lang=en"
	toApprove   = issuer.PathContinue + "?lang=en"
	toAuthorize = issuer.PathAuthorize + "?"
)

// shownRequest returns the sealed request on the page at which the person approves it.
func (a *cookieBrowser) shownRequest() string {
	a.T.Helper()
	page := a.visit(toApprove)
	found := requestField.FindStringSubmatch(page.Body.String())
	if found == nil {
		a.T.Fatalf("no request to approve: %d to %q", page.Code, page.Header().Get("Location"))
	}
	return found[1]
}

func approving(request string) url.Values {
	return url.Values{fieldRequest: {request}, fieldAnswer: {answerApprove}}
}

// expectNothing checks that Jane is signed in to no client and has approved no device.
func (w *world) expectNothing() {
	w.T.Helper()
	if c, d := w.credentials("jane").Clients, w.Account("jane").Status.DeviceApprovals; len(c) != 0 || len(d) != 0 {
		w.T.Errorf("clients %v, devices %v", c, d)
	}
}

// without are people who must do something before they can approve a request, and the page
// for that.
func withoutWorlds(t *testing.T) map[string]func() (*cookieBrowser, string, func(b *cookieBrowser) string) {
	t.Helper()
	return map[string]func() (*cookieBrowser, string, func(b *cookieBrowser) string){
		"no session": func() (*cookieBrowser, string, func(*cookieBrowser) string) {
			w := memberWorld(t)
			return w.agent(), toSignIn, func(b *cookieBrowser) string {
				return b.fill("/sign-in?lang=en", signInForm("jane", validPassword)).Header().Get("Location")
			}
		},
		"half a session": func() (*cookieBrowser, string, func(*cookieBrowser) string) {
			w := memberWorld(t)
			w.alterJane(hasApp)
			return w.seated("jane", session.StagePassword, time.Minute), toCode, func(b *cookieBrowser) string {
				return b.fill(toCode, url.Values{fieldCode: {codeAt(t, appSecret, w.Clock.Now())}}).Header().Get("Location")
			}
		},
		"an Organization that requires a second factor": func() (*cookieBrowser, string, func(*cookieBrowser) string) {
			w := memberWorld(t)
			w.Organization(func(o *accountsv1.Organization) { o.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired })
			return w.signedInAs("jane"), toSetUp, func(b *cookieBrowser) string {
				w.alterJane(hasApp)
				found := regexp.MustCompile(`You were signing in to kubectl\. <a href="([^"]+)">Continue</a>`).FindStringSubmatch(b.visit("/account?lang=en").Body.String())
				if found == nil {
					t.Fatal("the account page shows no request")
				}
				return strings.ReplaceAll(found[1], "&amp;", "&")
			}
		},
	}
}

func TestWhatIsMissingComesBeforeTheApprovalOfAClient(t *testing.T) {
	for name, person := range withoutWorlds(t) {
		t.Run(name, func(t *testing.T) {
			other := memberWorld(t).signedInAs("jane")
			other.visit(toAuthorize + authorization().Encode())
			sealed := other.shownRequest()

			b, page, finish := person()
			expectTo(t, b.fill(toApprove, approving(sealed)), page)
			b.visit(toAuthorize + authorization().Encode())
			expectTo(t, b.visit(toApprove), page)
			b.expectNothing()
			if to := finish(b); to != toApprove {
				t.Errorf("continues at %q", to)
			}
			answer := b.fill(toApprove, approving(b.shownRequest())).Header().Get("Location")
			if !strings.HasPrefix(answer, "http://127.0.0.1:8000/?code=") {
				t.Errorf("to %q", answer)
			}
			expect(t, b.visit("/account?lang=en"), 200, "!You were signing in")
		})
	}
}

func TestWhatIsMissingComesBeforeTheApprovalOfADevice(t *testing.T) {
	for name, person := range withoutWorlds(t) {
		t.Run(name, func(t *testing.T) {
			b, page, finish := person()
			code := b.codeFrom("203.0.113.7")
			expectTo(t, b.fill(issuer.PathDevicePage+"?lang=en", url.Values{fieldCode: {code}}), page)
			expectTo(t, b.visit(issuer.PathDevicePage+"?lang=en&code="+code), page)
			b.expectNothing()
			to := finish(b)
			if to != issuer.PathDevicePage+"?code="+code+"&lang=en" {
				t.Errorf("continues at %q", to)
			}
			expect(t, b.visit(to), 200, "Approve a device", code)
			expect(t, b.fill(issuer.PathDevicePage+"?lang=en", url.Values{fieldCode: {code}}), 200, "The device is approved")
			expect(t, b.visit("/account?lang=en"), 200, "!You were signing in")
		})
	}
}

func TestAClientCanAskForANewSignIn(t *testing.T) {
	for name, tc := range map[string]struct {
		but   []string
		again bool
	}{
		"nothing":              {nil, false},
		"a login":              {[]string{"prompt", "login"}, true},
		"a choice of accounts": {[]string{"prompt", "select_account"}, true},
		"consent":              {[]string{"prompt", "consent"}, false},
		"a sign-in just now":   {[]string{"max_age", "0"}, true},
		"a recent sign-in":     {[]string{"max_age", "59"}, true},
		"an older sign-in":     {[]string{"max_age", "60"}, false},
		"any sign-in":          {[]string{"max_age", strconv.FormatInt(1<<62, 10)}, false},
		"two things":           {[]string{"prompt", "login", "max_age", "3600"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := memberWorld(t)
			b := w.signedInAs("jane") // a minute ago
			b.visit(toAuthorize + authorization(tc.but...).Encode())
			if tc.again {
				old := b.copy()
				expectTo(t, b.visit(toApprove), toSignIn)
				expect(t, b.visit(toSignIn), 200, "kubectl asks you to sign in again.")
				expectTo(t, b.fill(toSignIn, signInForm("jane", validPassword)), toApprove)
				request := b.shownRequest()
				expectTo(t, old.fill(toApprove, approving(request)), toSignIn)
				w.expectNothing()
			}
			b.fill(toApprove, approving(b.shownRequest()))
			in := w.credentials("jane").Clients[0]
			if asked := w.Clock.Now(); tc.again == in.AuthTime.Before(asked) {
				t.Errorf("signed in %s, asked %s", in.AuthTime, asked)
			}
		})
	}
}

func TestANewSignInWithASecondFactor(t *testing.T) {
	w := memberWorld(t)
	w.alterJane(hasApp)
	b := w.signedInAs("jane")
	b.visit(toAuthorize + authorization("prompt", "login").Encode())
	expectTo(t, b.visit(toApprove), toSignIn)
	expectTo(t, b.fill(toSignIn, signInForm("jane", validPassword)), toCode)
	expectTo(t, b.visit(toApprove), toCode)
	expectTo(t, b.fill(toCode, url.Values{fieldCode: {codeAt(t, appSecret, w.Clock.Now())}}), toApprove)
	answer, err := url.Parse(b.fill(toApprove, approving(b.shownRequest())).Header().Get("Location"))
	w.Must(err)
	claims := claimsOf(t, w.ask(issuer.PathToken, exchange(answer.Query().Get("code"))).ID)
	methods := claims["amr"].([]any)
	if len(methods) < 2 || methods[0] != "pwd" || claims["auth_time"] != float64(w.Clock.Now().Unix()) {
		t.Errorf("claims: %v", claims)
	}
}

func TestAClientCanAskForOnePerson(t *testing.T) {
	w := memberWorld(t)
	hint := w.ask(issuer.PathToken, exchange(w.aCode(w.browser(), authorization()))).ID
	w.Clock.Step(time.Hour) // an expired token is a hint, too
	for _, o := range accountOf(t, "zoe", "uid-of-zoe", func(a *accountsv1.Account, _ *account.Credentials) { a.Spec.Email = "zoe@example.com" }) {
		w.Must(w.Client.Create(t.Context(), o))
	}
	b := w.signedInAs("zoe")
	b.visit(toAuthorize + authorization("id_token_hint", hint).Encode())
	expectTo(t, b.visit(toApprove), toSignIn)
	expect(t, b.visit(toSignIn), 200, "To continue to kubectl, sign in with an account other than zoe.")
	expectTo(t, b.fill(toSignIn, signInForm("jane", validPassword)), toApprove)
	expect(t, b.visit(toApprove), 200, "You are signed in as jane.")

	zoe := w.signedInAs("zoe")
	expectTo(t, zoe.fill(toApprove, approving(b.shownRequest())), toSignIn)
	if clients := w.credentials("zoe").Clients; len(clients) != 0 {
		t.Errorf("zoe is signed in to %v", clients)
	}
}

func TestASignInPageNamesTheClientThatWaits(t *testing.T) {
	w := memberWorld(t).withWebClient()
	b := w.agent()
	expect(t, b.visit(toSignIn), 200, "!to continue")
	b.visit(toAuthorize + authorization(asWebClient...).Encode())
	expect(t, b.visit(toSignIn), 200, "Sign in to continue to Web.")
	expect(t, b.fill(toSignIn, signInForm("jane", "wrong")), 422, "Sign in to continue to Web.", refused)
	w.Clock.Step(issuer.RequestLife)
	expect(t, b.visit(toSignIn), 200, "!to continue")
	expectTo(t, b.fill(toSignIn, signInForm("jane", validPassword)), "/account?lang=en")
	expect(t, b.visit("/account?lang=en"), 200, "!You were signing in")
}

func TestAClientChoosesTheLanguageOfThePages(t *testing.T) {
	w := memberWorld(t)
	for locales, query := range map[string]string{
		"": "", "de": "?lang=de", "ja pt-BR fr": "?lang=pt", "fr-CA de": "?lang=fr", "ja": "", "x": "", "../..": "", "&": "", strings.Repeat("ja ", 500): "",
	} {
		got := w.get(toAuthorize + authorization("ui_locales", locales).Encode())
		expectTo302(t, got.Code, got.Header().Get("Location"), "https://usher.example.com"+issuer.PathContinue+query)
	}
	discovery := w.get(issuer.PathDiscovery)
	for _, tag := range language.All() {
		expect(t, discovery, 200, `"`+tag.String()+`"`)
	}
}

func expectTo302(t *testing.T, status int, to, want string) {
	t.Helper()
	if status != 302 || to != want {
		t.Errorf("status %d to %q, want %q", status, to, want)
	}
}

func TestCodesOfDevicesThatAreNotGood(t *testing.T) {
	w := memberWorld(t)
	b := w.signedInAs("jane")
	good := w.codeFrom("192.0.2.7")
	w.Clock.Step(12 * time.Minute)
	for name, code := range map[string]string{
		"expired": good, "of an hour ago": usercode.New([]byte("x"), netip.MustParseAddr("192.0.2.7"), w.Clock.Now().Add(-15*time.Minute)).String(),
		"short": good[:13], "long": good + "0", "markup": `"><script>alert(1)</script>`, "spaces": "    ", "a path": "../../account",
	} {
		for _, got := range []int{
			b.visit(issuer.PathDevicePage + "?" + url.Values{fieldCode: {code}}.Encode()).Code,
			b.fill(issuer.PathDevicePage, url.Values{fieldCode: {code}}).Code,
		} {
			if got != 422 {
				t.Errorf("%s: status %d", name, got)
			}
		}
	}
	w.expectNothing()
}
