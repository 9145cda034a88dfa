// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/secondfactor"
)

// shortPassword is a password that is valid with a second factor.
const shortPassword = "tram-velvet9"

// aStrictWorld is a world in which Acme requires a second factor.
func aStrictWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := aWorld(t, objects...)
	w.RequireFactor()
	return w
}

// filledWithApp returns a valid form with the code of an authenticator app.
func filledWithApp(code string) url.Values {
	f := filled()
	f.Set(fieldPassword, shortPassword)
	f.Set(fieldAgain, shortPassword)
	f.Set(fieldAppCode, code)
	return f
}

// filledWithKey returns a valid form with the answer of an authenticator.
func filledWithKey(answer string) url.Values {
	f := filledWithApp("")
	f.Set(fieldPasskeyAnswer, answer)
	return f
}

// scanned returns the secret that the page shows to a browser.
func (a *cookieBrowser) scanned() string {
	a.T.Helper()
	return shownSecret(a.T, a.visit(a.Link()))
}

// passkeyOptions returns the options that a page gives to the passkey script, in
// the form of an answer to a request for them.
func passkeyOptions(t *testing.T, page *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	found := regexp.MustCompile(`data-options="([^"]*)"`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("the page offers no passkey:\n%s", page.Body)
	}
	options := httptest.NewRecorder()
	if _, err := fmt.Fprintf(options, `{"publicKey":%s}`, html.UnescapeString(found[1])); err != nil {
		t.Fatal(err)
	}
	return options
}

func TestASecondFactorIsSetUpWithTheAccount(t *testing.T) {
	w := aStrictWorld(t)
	b := w.agent()
	page := b.visit(w.Link())
	expect(t, page, 200, "Acme Rocket Works requires a second factor in addition to your password", `<svg class="qr"`,
		`<input id="app-code" name="app-code" type="text" inputmode="numeric" autocomplete="one-time-code"`,
		`href="otpauth://totp/usher.example.com:jane.doe%40example.com?`, `minlength="8"`, "At least 8 characters")
	cookies := page.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != "__Host-usher-enrolment" || cookies[0].Path != "/" || cookies[0].MaxAge != 3600 ||
		!cookies[0].HttpOnly || !cookies[0].Secure || cookies[0].SameSite != http.SameSiteLaxMode || len(cookies[0].Value) != 43 {
		t.Errorf("cookies %v", cookies)
	}
	secret := shownSecret(t, page)
	code := codeAt(t, secret, storetest.Start)
	done := b.fill(w.Link(), filledWithApp(code[:3]+" "+code[3:]))
	expect(t, done, 200, "Your account is ready", "<code>jane-doe</code>", "Your recovery codes", "Print them", `<a class="button" href="/sign-in?lang=en">Sign in</a>`,
		"!"+secret, "!"+code, "!"+shortPassword, "!You can close this page")
	codes := shownCodes(done)
	c := w.Credentials("jane-doe")
	wantApp := account.TOTP{Secret: secret, LastStep: storetest.Start.Unix() / 30, AddedTime: storetest.Start}
	if diff := cmp.Diff(wantApp, c.TOTP); diff != "" {
		t.Errorf("app (-want +got):\n%s", diff)
	}
	if c.Password != "hash of "+shortPassword || !c.ShortPassword || len(c.Passkeys) != 0 || len(c.RecoveryCodes) != 10 || len(codes) != 10 || c.FinalInvitation != storetest.JaneUID {
		t.Errorf("stored %+v, and %d codes were shown", c, len(codes))
	}
	left := c.RecoveryCodes
	for _, code := range codes {
		var right bool
		if left, right = secondfactor.UseRecoveryCode(left, code); !right {
			t.Errorf("a recovery code that was shown does not work")
		}
	}
	if got := w.Account("jane-doe").Status; got.TwoFactor != accountsv1.TwoFactorEnrolled || !isOnly(got) {
		t.Errorf("status %+v", got)
	}
	// They are shown once.
	for _, again := range []*httptest.ResponseRecorder{b.fill(w.Link(), filledWithApp(code)), b.visit(w.Link())} {
		expect(t, again, 410, "has already been used", "!"+codes[0], "!"+secret)
	}
}

// isOnly reports whether a status contains nothing but the second factor.
func isOnly(s accountsv1.AccountStatus) bool {
	s.TwoFactor = ""
	return cmp.Equal(s, accountsv1.AccountStatus{})
}

func TestTheFormHasNoSecondFactorUnlessRequired(t *testing.T) {
	w := aWorld(t)
	w.Organization(func(o *accountsv1.Organization) { o.Spec.SignIn.TwoFactor = accountsv1.TwoFactorOptional })
	page := w.get(w.Link())
	expect(t, page, 200, `minlength="15"`, "!app-code", "!passkey-answer", "!<svg class=\"qr\"", "!otpauth")
	if len(page.Result().Cookies()) != 0 {
		t.Error("sets a cookie that is not needed")
	}
	expect(t, w.post(w.Link(), filledWithApp("123456")), 422, "at least 15", "!Code from the app")
	form := filled()
	form.Set(fieldAppCode, "123456")
	form.Set(fieldPasskeyAnswer, "{}")
	expect(t, w.post(w.Link(), form), 200, "Your account is ready", "!recovery", `<a class="button" href="/sign-in?lang=en">Sign in</a>`)
	if c := w.Credentials("jane-doe"); c.HasSecondFactor() || c.ShortPassword || len(c.RecoveryCodes) != 0 || w.Account("jane-doe").Status.TwoFactor != "" {
		t.Errorf("stored %+v", c)
	}
}

func TestWithoutASecondFactorThereIsNoAccount(t *testing.T) {
	const (
		missing = "Set up a second factor: scan the QR code"
		wrong   = "This isn't the code the app shows now for this QR code"
		anew    = "Your browser didn't keep the data for the QR code. Allow cookies"
		refused = "The passkey wasn't accepted"
	)
	code := func(b *cookieBrowser, at time.Time) string {
		return codeAt(b.T, shownSecret(b.T, b.visit(b.Link())), at)
	}
	for name, tc := range map[string]struct {
		form func(b *cookieBrowser) url.Values
		text string
		// The page shows another secret than before.
		anew bool
	}{
		"none":                       {func(*cookieBrowser) url.Values { return filledWithApp("") }, missing, false},
		"only spaces":                {func(*cookieBrowser) url.Values { return filledWithApp("  ") }, missing, false},
		"a wrong code":               {func(b *cookieBrowser) url.Values { return filledWithApp(otherDigits(code(b, storetest.Start))) }, wrong, false},
		"a code from a minute ago":   {func(b *cookieBrowser) url.Values { return filledWithApp(code(b, storetest.Start.Add(-time.Minute))) }, wrong, false},
		"a code from a minute ahead": {func(b *cookieBrowser) url.Values { return filledWithApp(code(b, storetest.Start.Add(time.Minute))) }, wrong, false},
		"the code of another app":    {func(b *cookieBrowser) url.Values { return filledWithApp(codeAt(b.T, appSecret, storetest.Start)) }, wrong, false},
		"another browser's code": {func(b *cookieBrowser) url.Values {
			return filledWithApp(codeAt(b.T, b.world.agent().scanned(), storetest.Start))
		}, wrong, false},
		"an empty answer of an authenticator": {func(*cookieBrowser) url.Values { return filledWithKey("{}") }, refused, false},
		"another browser's passkey": {func(b *cookieBrowser) url.Values {
			return filledWithKey(aKey(b.T).made(passkeyOptions(b.T, b.world.agent().visit(b.Link()))))
		}, refused, false},
		"a passkey of another site": {func(b *cookieBrowser) url.Values {
			k := aKey(b.T)
			k.rp.Origin = "https://usher.example.net"
			return filledWithKey(k.made(passkeyOptions(b.T, b.visit(b.Link()))))
		}, refused, false},
		"a correct code and an invalid passkey": {func(b *cookieBrowser) url.Values {
			f := filledWithApp(code(b, storetest.Start))
			f.Set(fieldPasskeyAnswer, "{}")
			return f
		}, refused, false},
		"a passkey and a wrong code": {func(b *cookieBrowser) url.Values {
			f := filledWithKey(aKey(b.T).made(passkeyOptions(b.T, b.visit(b.Link()))))
			f.Set(fieldAppCode, "000000")
			return f
		}, wrong, false},
		"a browser that stores no cookies": {func(b *cookieBrowser) url.Values {
			f := filledWithApp(code(b, storetest.Start))
			clear(b.jar)
			return f
		}, anew, true},
		"a cookie that is too short": {func(b *cookieBrowser) url.Values {
			f := filledWithApp(code(b, storetest.Start))
			b.jar[hostPrefix+enrolmentCookie].Value = "AAAA"
			return f
		}, anew, true},
		"a cookie that cannot be decoded": {func(b *cookieBrowser) url.Values {
			f := filledWithApp(code(b, storetest.Start))
			b.jar[hostPrefix+enrolmentCookie].Value = strings.Repeat("=", 43)
			return f
		}, anew, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := aStrictWorld(t)
			b := w.agent()
			secret := b.scanned()
			form := tc.form(b)
			w.config.Writer = failOnWrite{t}
			b.handler = w.build().handler
			got := b.fill(w.Link(), form)
			expect(t, got, 422, tc.text, `href="#app-code"`, `id="app-code-problem"`, `value="jane-doe"`, "!"+shortPassword, "!recovery")
			if again := shownSecret(t, got) != secret; again != tc.anew {
				t.Errorf("shows another secret: %t", again)
			}
			if shownSecret(t, got) != b.scanned() {
				t.Error("the next page shows another secret")
			}
		})
	}
}

func TestOtherProblemsAreShownWithTheSecondFactor(t *testing.T) {
	w := aStrictWorld(t)
	form := filledWithApp("")
	form.Set(fieldAgain, "x")
	expect(t, w.agent().fill(w.Link(), form), 422, "The two passwords don't match", "Set up a second factor")
	form = filledWithApp("")
	form.Set(fieldPassword, "short")
	expect(t, w.agent().fill(w.Link(), form), 422, "at least 8 characters")
}

// TestTheSecretOfAnAppIsDerived checks that every replica can derive the secret,
// and no other browser sees it.
func TestTheSecretOfAnAppIsDerived(t *testing.T) {
	john := storetest.Jane()
	john.Name, john.UID, john.Spec.Email = "john", "22222222-2222-4222-8222-222222222222", "john@example.com"
	w := aStrictWorld(t, john)
	b := w.agent()
	secret := b.scanned()
	raw := secretBytes(t, secret)
	if len(raw) != 20 {
		t.Errorf("a secret of %d bytes", len(raw))
	}
	if b.scanned() != secret {
		t.Error("reloaded, the page shows another secret")
	}
	replica := b.copy()
	replica.handler = w.build().handler
	if replica.scanned() != secret {
		t.Error("another replica shows another secret")
	}
	if w.agent().scanned() == secret {
		t.Error("another browser sees the same secret")
	}
	theirs, err := w.Keys.DeriveLink(string(john.UID), john.Status.Attempt)
	w.Must(err)
	if shownSecret(t, b.visit("/invitation/"+theirs)) == secret {
		t.Error("another invitation shows the same secret")
	}
	number, err := base64.RawURLEncoding.DecodeString(b.jar[hostPrefix+enrolmentCookie].Value)
	w.Must(err)
	given := func() enrolment {
		given, err := enrolmentOf(store.LinkView{Offer: invitation.Offer{Invitation: w.Invitation()}, Keys: w.Keys}, number)
		w.Must(err)
		return given
	}
	before := given()
	if before.secret != secret || len(before.challenge) != 32 || bytes.HasPrefix(before.challenge, raw) {
		t.Error("the challenge is invalid or reveals the secret")
	}
	w.Update(func(inv *accountsv1.Invitation) { inv.Status.Attempt.Number = 2 })
	sentAnew := given()
	w.Keys, err = invitation.ParseKeyring(map[string][]byte{
		"key-1": []byte(strings.Repeat("k", invitation.KeySize)), "key-2": []byte(strings.Repeat("l", invitation.KeySize)),
	})
	w.Must(err)
	if withNewKey := given(); withNewKey.secret == sentAnew.secret || bytes.Equal(withNewKey.challenge, sentAnew.challenge) {
		t.Error("a new key changes nothing")
	}
	if sentAnew.secret == secret || bytes.Equal(sentAnew.challenge, before.challenge) {
		t.Error("a link that is sent again changes nothing")
	}
}

func secretBytes(t *testing.T, secret string) []byte {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestTheSecretOfAnAppIsStoredOnlySealed checks that no object contains the secret before the
// account exists, and none contains it in plain form after that. No log and no header ever
// contains it.
func TestTheSecretOfAnAppIsStoredOnlySealed(t *testing.T) {
	w := aStrictWorld(t)
	b := w.agent()
	page := b.visit(w.Link())
	secret := shownSecret(t, page)
	number := b.jar[hostPrefix+enrolmentCookie].Value
	wrong := b.fill(w.Link(), filledWithApp(otherDigits(codeAt(t, secret, storetest.Start))))
	expect(t, wrong, 422)
	for _, got := range []*httptest.ResponseRecorder{page, wrong} {
		if header := fmt.Sprint(got.Header()); strings.Contains(header, secret) {
			t.Error("the secret is in a header")
		}
	}
	if all := w.everything(); strings.Contains(all, secret) || strings.Contains(all, number) {
		t.Error("something is stored before the account exists")
	}
	done := b.fill(w.Link(), filledWithApp(codeAt(t, secret, storetest.Start)))
	expect(t, done, 200)
	if all := w.everything(); strings.Contains(all, number) || strings.Contains(all, secret) {
		t.Error("the secret is stored in plain form")
	}
	if got := w.Credentials("jane-doe").TOTP.Secret; got != secret {
		t.Error("the secret is not in the credentials")
	}
	for _, text := range append(shownCodes(done), secret, number, codeAt(t, secret, storetest.Start), shortPassword) {
		if strings.Contains(w.logs.String(), text) {
			t.Errorf("%q is in the log", text)
		}
	}
}

// everything returns everything that the API server stores.
func (w *world) everything() string {
	w.T.Helper()
	var all []any
	for _, list := range []client.ObjectList{
		&accountsv1.OrganizationList{}, &accountsv1.MembershipList{}, &accountsv1.InvitationList{}, &accountsv1.AccountList{},
	} {
		w.Must(w.Client.List(context.Background(), list))
		all = append(all, list)
	}
	var secrets corev1.SecretList
	w.Must(w.Client.List(context.Background(), &secrets))
	for _, s := range secrets.Items {
		all = append(all, s.ObjectMeta)
		for _, value := range s.Data {
			all = append(all, string(value))
		}
	}
	text, err := json.Marshal(all)
	w.Must(err)
	return string(text)
}

// TestAGetStoresNothing checks that a GET stores nothing, because mail scanners
// follow links.
func TestAGetStoresNothing(t *testing.T) {
	times := 1000
	if testing.Short() {
		times = 50
	}
	w := aStrictWorld(t)
	before := w.everything()
	w.config.Writer = failOnWrite{t}
	w.build()
	numbers := map[string]bool{}
	for range times {
		got := w.get(w.Link())
		if got.Code != http.StatusOK {
			t.Fatal(got.Code)
		}
		numbers[got.Result().Cookies()[0].Value] = true
	}
	if len(numbers) != times || w.everything() != before {
		t.Errorf("%d of %d browsers got a number of their own, or an object changed", len(numbers), times)
	}
}

func TestTheCodeOfAnAcceptanceCannotSignIn(t *testing.T) {
	w := aStrictWorld(t)
	b := w.agent()
	secret := b.scanned()
	code := codeAt(t, secret, storetest.Start)
	expect(t, b.fill(w.Link(), filledWithApp(code)), 200)
	w.recordAcceptance("jane-doe")
	b.fill("/sign-in?lang=en", signInForm("jane-doe", shortPassword))
	expect(t, b.fill("/sign-in/code?lang=en", url.Values{fieldCode: {code}}), 422, "was already used")
	w.Clock.Step(30 * time.Second)
	expectTo(t, b.fill("/sign-in/code?lang=en", url.Values{fieldCode: {codeAt(t, secret, w.Clock.Now())}}), "/account?lang=en")
}

// recordAcceptance records the result of an acceptance, as the controller does.
func (w *world) recordAcceptance(name string) {
	w.T.Helper()
	a := w.Account(name)
	a.Annotations = map[string]string{accountsv1.MembershipsAnnotation: storetest.Home + "/jane"}
	w.Must(w.Client.Update(context.Background(), a))
}

// TestTheWinnersSecondFactorIsStored also checks that the stored
// recovery codes are those shown to the winner.
func TestTheWinnersSecondFactorIsStored(t *testing.T) {
	const many = 20
	w := aStrictWorld(t)
	var (
		answers  [many]*httptest.ResponseRecorder
		secrets  [many]string
		requests [many]func()
		group    sync.WaitGroup
	)
	for i := range many {
		b := w.agent()
		secrets[i] = b.scanned()
		form := filledWithApp(codeAt(t, secrets[i], storetest.Start))
		requests[i] = func() { answers[i] = b.fill(w.Link(), form) }
	}
	for _, request := range requests {
		group.Go(request)
	}
	group.Wait()
	winner := -1
	for i, got := range answers {
		if got.Code != http.StatusOK {
			continue
		}
		if winner >= 0 {
			t.Fatal("two requests created the account")
		}
		winner = i
	}
	if winner < 0 {
		t.Fatal("no request created the account")
	}
	c := w.Credentials("jane-doe")
	if _, right := secondfactor.UseRecoveryCode(c.RecoveryCodes, shownCodes(answers[winner])[9]); c.TOTP.Secret != secrets[winner] || !right {
		t.Error("the second factor of another request is stored")
	}
}

func TestAPasskeyIsSetUpWithTheAccount(t *testing.T) {
	w := aStrictWorld(t)
	w.qualified()
	b, k := w.agent(), aKey(t)
	page := b.visit(w.Link())
	expect(t, page, 200, `id="passkey-enrol" hidden`, `data-qualifier="/acme"`, `<input type="hidden" name="passkey-answer" value="">`, "Set up a passkey</button>")
	answer := k.made(passkeyOptions(t, page))
	var options struct {
		PublicKey struct {
			User                   struct{ ID, Name string }
			AuthenticatorSelection struct{ UserVerification, ResidentKey string }
		}
	}
	decode(t, passkeyOptions(t, page).Body.String(), &options)
	uid, err := invitation.ParseUID(storetest.JaneUID)
	w.Must(err)
	asked := options.PublicKey
	if asked.User.ID != base64.RawURLEncoding.EncodeToString(uid[:]) || asked.User.Name != "jane-doe/acme" ||
		asked.AuthenticatorSelection.UserVerification != "required" || asked.AuthenticatorSelection.ResidentKey != "required" {
		t.Errorf("options %+v", asked)
	}
	// Another field is wrong: the page does not ask for the passkey again.
	form := filledWithKey(answer)
	form.Set(fieldAgain, "x")
	again := b.fill(w.Link(), form)
	expect(t, again, 422, "The two passwords don't match", "Your passkey is ready. You don't need an app now.", `value="`+answer+`"`)
	w.Clock.Step(10 * time.Minute)
	done := b.fill(w.Link(), filledWithKey(answer))
	expect(t, done, 200, "Your account is ready", "Your recovery codes")
	c := w.Credentials("jane-doe.acme")
	if len(c.Passkeys) != 1 || c.Passkeys[0].ID != k.id() || c.Passkeys[0].Name != "Passkey 1" || c.TOTP.Secret != "" || len(c.RecoveryCodes) != 10 || !c.ShortPassword {
		t.Fatalf("stored %+v", c)
	}
	if w.Account("jane-doe.acme").Status.TwoFactor != accountsv1.TwoFactorEnrolled {
		t.Error("the status does not report the second factor")
	}
	w.recordAcceptance("jane-doe.acme")
	signed := b.script("/sign-in/passkey?lang=en", k.signed(b.script("/sign-in/passkey/options", "{}")))
	expect(t, signed, 200, "/account?lang=en")
	if !b.isIn("jane-doe/acme") {
		t.Error("the passkey does not sign in")
	}
}

func TestAnAppAndAPasskeyAreSetUpTogether(t *testing.T) {
	w := aStrictWorld(t)
	b := w.agent()
	page := b.visit(w.Link())
	form := filledWithKey(aKey(t).made(passkeyOptions(t, page)))
	form.Set(fieldAppCode, codeAt(t, shownSecret(t, page), storetest.Start))
	expect(t, b.fill(w.Link(), form), 200, "Your recovery codes")
	if c := w.Credentials("jane-doe"); len(c.Passkeys) != 1 || c.TOTP.Secret == "" {
		t.Errorf("stored %+v", c)
	}
}

func TestAnInvalidPasskeyIsNotKeptOnThePage(t *testing.T) {
	w := aStrictWorld(t)
	form := filledWithKey(`{"id":"x"}`)
	form.Set(fieldAgain, "x")
	expect(t, w.agent().fill(w.Link(), form), 422, `name="passkey-answer" value=""`, "!passkey is ready. You don't need an app now.</p>")
}

func TestNoPasskeyIsOfferedForAnIPAddress(t *testing.T) {
	w := aStrictWorld(t)
	w.config.BaseURL = &url.URL{Scheme: "https", Host: "192.0.2.7"}
	b := w.build().agent()
	page := b.visit(w.Link())
	expect(t, page, 200, `name="app-code"`, "!passkey-enrol", "!passkey-answer")
	form := filledWithKey("{}")
	expect(t, b.fill(w.Link(), form), 422, "The passkey wasn't accepted")
	expect(t, b.fill(w.Link(), filledWithApp(codeAt(t, shownSecret(t, page), storetest.Start))), 200)
}

func TestWithoutHTTPSTheCookiesHaveNoPrefix(t *testing.T) {
	w := aStrictWorld(t)
	w.config.BaseURL = &url.URL{Scheme: "http", Host: "localhost:8080"}
	b := w.build().agent()
	secret := b.scanned()
	if c := b.jar["usher-enrolment"]; c == nil || c.Secure {
		t.Errorf("cookies %v", b.jar)
	}
	expect(t, b.fill(w.Link(), filledWithApp(codeAt(t, secret, storetest.Start))), 200)
}

func TestASecondFactorThatBecomesRequired(t *testing.T) {
	w := aWorld(t)
	b := w.agent()
	b.visit(w.Link())
	w.RequireFactor()
	got := b.fill(w.Link(), filled())
	expect(t, got, 422, "Set up a second factor", `name="app-code"`)
	expect(t, b.fill(w.Link(), filledWithApp(codeAt(t, shownSecret(t, got), storetest.Start))), 200)
}

func TestASecondFactorForAnAccountWithAnotherAddress(t *testing.T) {
	w := aStrictWorld(t)
	w.AnyAddress()
	w.asked()
	b := w.agent()
	secret := b.scanned()
	form := filledWithApp(otherDigits(codeAt(t, secret, storetest.Start)))
	form.Set(fieldChoice, choiceOther)
	form.Set(fieldCode, w.code())
	expect(t, b.fill(w.Link(), form), 422, "the code the app shows")
	if w.Invitation().Status.Guesses != 0 {
		t.Error("the code of the address was checked before the form was valid")
	}
	form.Set(fieldAppCode, codeAt(t, secret, storetest.Start))
	expect(t, b.fill(w.Link(), form), 200, "<dd>janet@example.net</dd>", "Your recovery codes")
}

func TestRecoveryCodesAreDifferentEachTime(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		w := aStrictWorld(t)
		b := w.agent()
		for _, code := range shownCodes(b.fill(w.Link(), filledWithApp(codeAt(t, b.scanned(), storetest.Start)))) {
			seen[code] = true
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d different codes", len(seen))
	}
}
