// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

const (
	wrongSignIn  = "Incorrect user name, email address, or password"
	elsewhere    = "This invitation is for jane.doe@example.com, but your account has a different address. Create a new account, or ask Mara Voss"
	acceptButton = "Accept with this account</button>"
	signInFields = `name="sign-in-password"`
	otherCompany = "Acme Rocket Works belongs to a different company than Globex, and an account is for one company only. Create a new account below, with another user name."
)

// carrying returns a browser with these cookies.
func (w *world) carrying(cookies ...*http.Cookie) *cookieBrowser {
	a := w.agent()
	for _, c := range cookies {
		a.jar[c.Name] = c
	}
	return a
}

// signIn signs in on the page of the invitation.
func (a *cookieBrowser) signIn(name string) *httptest.ResponseRecorder {
	a.T.Helper()
	return a.fill(a.Link()+"/sign-in", signInForm(name, validPassword))
}

// accept sends the button that accepts with the signed-in account.
func (a *cookieBrowser) accept() *httptest.ResponseRecorder {
	a.T.Helper()
	return a.fill(a.Link()+"/accept", nil)
}

func TestThePageOffersToSignIn(t *testing.T) {
	w := aWorld(t)
	expect(t, w.get(w.Link()), 200,
		"Already have an account?", `<form method="post" action="`+w.Link()+`/sign-in?lang=en" novalidate`,
		`<input id="sign-in-name" name="sign-in-name" type="text" value=""`, `<input id="sign-in-password" name="sign-in-password" type="password"`,
		`href="/reset?lang=en"`, "Create your account</h2>", "!"+acceptButton, "!signed in as")
	// A reload of the answer to a form.
	for _, step := range []string{"/sign-in", "/code", "/accept", "/sign-out"} {
		expect(t, w.get(w.Link()+step), 200, "Join Acme Rocket Works")
	}
}

func TestAnInvitationIsAcceptedWithAnAccount(t *testing.T) {
	for name, typed := range map[string]string{
		"user name":                       "jane",
		"as a phone writes it":            " Jane ",
		"address":                         "jane.doe@example.com",
		"an address in other letter case": " Jane.Doe@EXAMPLE.com ",
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, owned("jane", "jane.doe@example.com", validPassword)...)
			before, b := w.Invitation(), w.agent()
			signedIn := b.signIn(typed)
			expect(t, signedIn, 200, "You are signed in as <strong>jane</strong>", acceptButton,
				`action="`+w.Link()+`/accept?lang=en"`, `action="`+w.Link()+`/sign-out?lang=en"`, "Or create a new account</h2>", "!"+signInFields, "!"+validPassword)
			if signedIn.Header().Get("Location") != "" || b.jar[hostPrefix+sessionCookie] == nil {
				t.Errorf("headers: %v", signedIn.Header())
			}
			if diff := cmp.Diff(before, w.Invitation()); diff != "" {
				t.Errorf("signing in changed the invitation (-before +after):\n%s", diff)
			}
			expect(t, b.visit(w.Link()), 200, "You are signed in as <strong>jane</strong>", acceptButton)

			w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
			secret := w.Secret("jane")
			expect(t, b.accept(), 200,
				"<title>You're in</title>", "<code>jane</code>", "<code>usher:jane</code>", "jane.doe@example.com",
				"your existing account", "Deploy applications", `href="/account?lang=en"`)
			after := w.Invitation()
			accepted := metav1.NewTime(storetest.Start.Add(time.Second))
			want := accountsv1.Acceptance{
				AccountRef: accountsv1.AcceptedAccountReference{Name: "jane", UID: "uid-of-jane"}, AcceptedTime: &accepted,
			}
			if diff := cmp.Diff(want, after.Status.Acceptance); diff != "" {
				t.Errorf("acceptance (-want +got):\n%s", diff)
			}
			after.Status.Acceptance, after.ResourceVersion = accountsv1.Acceptance{}, before.ResourceVersion
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the invitation changed beyond that (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(secret, w.Secret("jane")); diff != "" {
				t.Errorf("the credentials changed (-before +after):\n%s", diff)
			}
			expect(t, b.accept(), 410, "has already been used")
		})
	}
}

func TestASignInWithAQualifier(t *testing.T) {
	w := aWorld(t, owned("jane.globex", "jane.doe@example.com", validPassword)...)
	b := w.agent()
	expect(t, b.signIn("jane.globex"), 422, wrongSignIn)
	expect(t, b.signIn("jane"), 422, wrongSignIn)
	expect(t, b.signIn("Jane/Globex"), 200, "You are signed in as <strong>jane/globex</strong>")
	expect(t, b.accept(), 200, "<code>jane/globex</code>", "<code>usher:jane.globex</code>")
}

// TestASecondFactorIsAskedForOnThePageOfTheInvitation checks that the password
// alone allows nothing with the account.
func TestASecondFactorIsAskedForOnThePageOfTheInvitation(t *testing.T) {
	jane, _ := guest(t, "jane", "jane.doe@example.com", func(c *account.Credentials) { c.Sessions, c.TOTP.Secret = nil, appSecret })
	w := aWorld(t, jane...)
	b := w.agent()
	codeForm := `action="` + w.Link() + `/code?lang=en"`
	for _, page := range []*httptest.ResponseRecorder{b.signIn("jane"), b.visit(w.Link())} {
		expect(t, page, 200, codeForm, `<input id="sign-in-code" name="sign-in-code"`, "You are signing in as <strong>jane</strong>",
			"the code your authenticator app shows", "Or create a new account</h2>", "!"+acceptButton, "!"+signInFields)
	}
	expect(t, b.accept(), 422, "You've been signed out", codeForm, `!href="#sign-in-name"`)
	expect(t, b.fill(w.Link()+"/code", nil), 422, `id="sign-in-code-problem"`, `href="#sign-in-code"`, codeForm)
	expect(t, b.fill(w.Link()+"/code", url.Values{fieldSignInCode: {otherDigits(codeAt(t, appSecret, storetest.Start))}}), 422, "That code is incorrect", codeForm)
	if w.Accepted() != "" {
		t.Error("an account accepted without its second factor")
	}
	right := b.fill(w.Link()+"/code", url.Values{fieldSignInCode: {codeAt(t, appSecret, storetest.Start)}})
	expect(t, right, 200, "You are signed in as <strong>jane</strong>", acceptButton)
	if right.Header().Get("Location") != "" {
		t.Error("redirects to another page")
	}
	// Reloaded, then with a session that has ended, and without a session.
	expect(t, b.fill(w.Link()+"/code", url.Values{fieldSignInCode: {codeAt(t, appSecret, storetest.Start)}}), 200, acceptButton)
	expect(t, w.post(w.Link()+"/code", url.Values{fieldSignInCode: {codeAt(t, appSecret, storetest.Start)}}), 422, "Sign in again to continue", signInFields)
	expect(t, b.accept(), 200, "You're in")
}

// TestARemovedSecondFactorMeansSigningInAgain is about a second factor
// that was removed after the password was given.
func TestARemovedSecondFactorMeansSigningInAgain(t *testing.T) {
	w := aWorld(t)
	b := w.halfwayHere()
	expect(t, b.visit(w.Link()), 200, `name="sign-in-code"`)
	w.Change("jane", func(c *account.Credentials) { c.TOTP, c.Passkeys = account.TOTP{}, nil })
	expect(t, b.visit(w.Link()), 200, signInFields, `!name="sign-in-code"`)
	expect(t, b.fill(w.Link()+"/code", url.Values{fieldSignInCode: {"123456"}}), 422, "Sign in again to continue", signInFields)
	expect(t, b.signIn("jane"), 200, acceptButton)
}

func TestSigningOutStaysOnTheInvitationPage(t *testing.T) {
	jane, cookie := guest(t, "jane", "jane.doe@example.com")
	w := aWorld(t, jane...)
	b := w.carrying(cookie)
	expect(t, b.visit(w.Link()), 200, acceptButton)
	expect(t, b.fill(w.Link()+"/sign-out", nil), 200, "Join Acme Rocket Works", signInFields, "!"+acceptButton)
	if len(b.jar) != 0 || len(w.credentials("jane").Sessions) != 0 {
		t.Errorf("%d cookies and %d sessions are left", len(b.jar), len(w.credentials("jane").Sessions))
	}
	expect(t, w.carrying(cookie).accept(), 422, "Sign in again to continue")
	expect(t, w.carrying(cookie).visit(w.Link()), 200, "!"+acceptButton)
}

// TestEveryRefusedSignInGetsTheSameAnswer checks that every refused sign-in gets the same answer,
// byte for byte, after the same number of hashes.
func TestEveryRefusedSignInGetsTheSameAnswer(t *testing.T) {
	unsettled := func(objects []client.Object) []client.Object {
		delete(objects[1].(*corev1.Secret).Data, account.FinalInvitationKey)
		return objects
	}
	half := func(objects []client.Object) []client.Object {
		objects[0].SetAnnotations(nil)
		return objects
	}
	change := func(change func(*accountsv1.Account)) []client.Object {
		objects := owned("zora", "jane.doe@example.com", validPassword)
		change(objects[0].(*accountsv1.Account))
		return objects
	}
	now := metav1.NewTime(storetest.Start)
	// The name is not jane, or the page would propose other user names to the invited
	// person.
	const address = "jane.doe@example.com"
	answers := map[string]string{}
	for _, typed := range []string{"zora", address} {
		got := aWorld(t).post(aWorld(t).Link()+"/sign-in", signInForm(typed, validPassword))
		expect(t, got, 422, wrongSignIn, `id="sign-in-name-problem"`, `href="#sign-in-name"`, `value="Jane"`, "!"+validPassword, "!for jane.doe@example.com;")
		answers[typed] = got.Body.String()
		for name, tc := range map[string]struct {
			objects  []client.Object
			password string
		}{
			"another password":                                {owned("zora", address, validPassword), validPassword + "x"},
			"another's password":                              {all(owned("zora", address, "hers"), owned("john", "john@example.org", validPassword)), validPassword},
			"an incomplete account":                           {half(owned("zora", address, validPassword)), validPassword},
			"an incomplete account without final credentials": {unsettled(half(owned("zora", address, validPassword))), validPassword},
			"a password that is not final":                    {unsettled(owned("zora", address, validPassword)), validPassword},
			"an account without a password":                   {owned("zora", address, validPassword)[:1], validPassword},
			"a password without an account":                   {owned("zora", address, validPassword)[1:], validPassword},
			"an account that is being deleted":                {all(owned("zora", address, validPassword)[1:], []client.Object{storetest.Deleting(storetest.Recorded(storetest.MadeFor("x", "zora")))}), validPassword},
			"an account that is disabled":                     {change(func(a *accountsv1.Account) { a.Spec.State = accountsv1.AccountSwitchDisabled }), validPassword},
			"an account that is locked": {change(func(a *accountsv1.Account) {
				a.Status.SignIn = accountsv1.SignIn{Failures: 5, FailureTime: &now}
			}), validPassword},
		} {
			t.Run(name+" as "+typed, func(t *testing.T) {
				w := aWorldWithoutPages(t, tc.objects...)
				counted := &hashes{}
				w.config.Hasher = counted
				w.build()
				got := w.post(w.Link()+"/sign-in", signInForm(typed, tc.password))
				expect(t, got, 422, wrongSignIn)
				if got.Body.String() != answers[typed] || len(got.Result().Cookies()) != 0 {
					t.Error("the answer differs from that for an unknown name")
				}
				status := w.Invitation().Status
				if counted.verified.Load() != 1 || status.Guesses != 0 || status.Acceptance.Given() {
					t.Errorf("%d hashes, want 1; %d guesses; acceptance %v", counted.verified.Load(), status.Guesses, status.Acceptance)
				}
			})
		}
	}
	for _, typed := range []string{"../../secrets/x", "a/b/c", "@"} {
		w := aWorldWithoutPages(t)
		counted := &hashes{}
		w.config.Hasher = counted
		expect(t, w.build().post(w.Link()+"/sign-in", signInForm(typed, validPassword)), 422, wrongSignIn)
		if counted.verified.Load() != 1 {
			t.Errorf("%s: %d hashes, want 1", typed, counted.verified.Load())
		}
	}
}

// TestAnAnswerIsHeldBack checks that the time of a refusal does not reveal its
// cause.
func TestAnAnswerIsHeldBack(t *testing.T) {
	jane, _ := guest(t, "jane", "jane.doe@example.com", func(c *account.Credentials) { c.Sessions, c.TOTP.Secret = nil, appSecret })
	w := aWorldWithoutPages(t, jane...)
	var paused []time.Duration
	w.config.Pause = func(_ context.Context, d time.Duration) { paused = append(paused, d) }
	b := w.build().agent()
	b.fill(w.Link()+"/sign-in", signInForm("nobody", validPassword))
	b.fill(w.Link()+"/sign-in", signInForm("jane", "wrong"))
	b.signIn("jane")
	b.fill(w.Link()+"/code", url.Values{fieldSignInCode: {"000000"}})
	if want := []time.Duration{answerInterval, answerInterval, answerInterval}; !slices.Equal(paused, want) {
		t.Errorf("held back for %v, want %v", paused, want)
	}
}

// TestAnUnknownNameTakesTheSameReads checks that the number of reads depends
// only on what was typed.
func TestAnUnknownNameTakesTheSameReads(t *testing.T) {
	for _, typed := range []string{"jane", "jane.doe@example.com"} {
		var reads []int
		for _, objects := range [][]client.Object{nil, owned("jane", "jane.doe@example.com", validPassword), all(owned("jane", "jane.doe@example.com", "a"), owned("jd", "jane.doe@example.com", "b"))} {
			w, calls := aWorldWithoutPages(t, objects...), 0
			var got reply
			tap := &storetest.Tapped{Before: func(call string) error {
				if strings.HasPrefix(call, "get ") {
					calls++
				}
				return nil
			}}
			w.send(sharedPages(w), tap, w.Link()+"/sign-in", signInForm(typed, "wrong"), &got)()
			expect(t, got.ResponseRecorder, 422, wrongSignIn)
			reads = append(reads, calls)
		}
		if reads[0] != reads[1] || reads[1] != reads[2] {
			t.Errorf("%s: %v reads", typed, reads)
		}
	}
}

func TestWhatIsMissingIsNotCounted(t *testing.T) {
	w := aWorld(t)
	w.config.Writer = failOnWrite{t}
	w.build()
	expect(t, w.post(w.Link()+"/sign-in", url.Values{}), 422, "Enter your user name", "Enter the password", `href="#sign-in-password"`)
	expect(t, w.post(w.Link()+"/sign-in", signInForm(" ", validPassword)), 422, "Enter your user name", "!Enter the password of")
	expect(t, w.post(w.Link()+"/sign-in", signInForm("jane", "")), 422, `value="jane"`, "!Enter your user name or", "Enter the password")
}

func TestOnlyARightPasswordLearnsThatTheAddressIsAnother(t *testing.T) {
	w := aWorld(t, owned("john", "john@example.org", validPassword)...)
	b := w.agent()
	expect(t, b.fill(w.Link()+"/sign-in", signInForm("john", "wrong")), 422, wrongSignIn, "!your account has a different address")
	for _, page := range []*httptest.ResponseRecorder{b.signIn("john"), b.signIn("john@example.org"), b.visit(w.Link())} {
		expect(t, page, 200, elsewhere, "signed in as <strong>john</strong>", "!"+acceptButton, "!john@example.org")
	}
	expect(t, b.accept(), 422, elsewhere, "!"+acceptButton)
	if w.Accepted() != "" {
		t.Error("an account with another address accepted")
	}
	w.AnyAddress()
	expect(t, b.visit(w.Link()), 200, acceptButton)
	expect(t, b.accept(), 200, "<code>john</code>", "john@example.org", "!<dd>jane.doe@example.com")
}

func TestAnAccountOfADomainThatIsDenied(t *testing.T) {
	john, cookie := guest(t, "john", "john@mail.example.org")
	w := aWorld(t, john...)
	w.AnyAddress()
	w.Organization(func(o *accountsv1.Organization) { o.Spec.DeniedDomains = []accountsv1.DomainName{"example.org"} })
	expect(t, w.carrying(cookie).visit(w.Link()), 200, "Acme Rocket Works doesn't accept addresses from this domain", "!"+acceptButton)
	expect(t, w.carrying(cookie).accept(), 422, "Acme Rocket Works doesn't accept addresses from this domain")
	if w.Accepted() != "" {
		t.Error("an account of a denied domain accepted")
	}
}

// globex is another Organization, with Jane as a member.
func globex(change func(*accountsv1.Organization)) []client.Object {
	org := storetest.Acme()
	org.Name, org.Spec.DisplayName, org.Spec.Namespace = "globex", "Globex", "globex-people"
	change(org)
	return []client.Object{org, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "globex-people", Name: "jane"},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "globex"}, Email: "jane.doe@example.com", Role: "developer",
		},
	}}
}

// TestAnAccountIsForOneCompany treats an Organization without a legal entity as a
// company of its own.
func TestAnAccountIsForOneCompany(t *testing.T) {
	const entity = "Acme S.p.A."
	for name, tc := range map[string]struct {
		acme, globex accountsv1.DisplayText
		same         bool
	}{
		"the same company":         {entity, entity, true},
		"another company":          {entity, "Globex GmbH", false},
		"one company is not named": {entity, "", false},
		"neither names a company":  {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			jane, cookie := guest(t, "jane", "jane.doe@example.com")
			w := aWorld(t, all(jane, globex(func(o *accountsv1.Organization) { o.Spec.LegalEntity = tc.globex }))...)
			w.Organization(func(o *accountsv1.Organization) { o.Spec.LegalEntity = tc.acme })
			b := w.carrying(cookie)
			if tc.same {
				expect(t, b.visit(w.Link()), 200, acceptButton, "!"+otherCompany)
				// One account is enough.
				for _, page := range []*httptest.ResponseRecorder{w.post(w.Link(), filled()), b.fill(w.Link(), filled())} {
					expect(t, page, 422, "There is already an account with jane.doe@example.com")
				}
				expect(t, b.accept(), 200, "You're in")
				return
			}
			expect(t, b.visit(w.Link()), 200, otherCompany, "!"+acceptButton, "Or create a new account</h2>", `!data-user-name="jane"`)
			expect(t, b.accept(), 422, otherCompany, "!"+acceptButton)
			if w.Accepted() != "" {
				t.Fatal("an account belongs to two companies")
			}
			expect(t, b.fill(w.Link(), but(fieldUserName, "jane")), 422, "This user name, or one that looks like it, is already taken")
			expect(t, b.fill(w.Link(), filled()), 200, "Your account is ready", "<code>jane-doe</code>")
		})
	}
}

func TestTheCompanyIsJudgedByWhatIsTrueWhenItIsRecorded(t *testing.T) {
	jane, cookie := guest(t, "jane", "jane.doe@example.com")
	w := aWorldWithoutPages(t, all(jane, globex(func(o *accountsv1.Organization) { o.Spec.LegalEntity = "Acme S.p.A." }))...)
	w.Organization(func(o *accountsv1.Organization) { o.Spec.LegalEntity = "Acme S.p.A." })
	tap := storetest.DoBefore("record invitation", func(w *storetest.World) {
		w.Organization(func(o *accountsv1.Organization) { o.Spec.LegalEntity = "Acme Inc." })
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses++ })
	})(w.World)
	var got reply
	w.send(sharedPages(w), tap, w.Link()+"/accept", nil, &got, cookie)()
	expect(t, got.ResponseRecorder, 422, otherCompany)
	if w.Accepted() != "" {
		t.Error("an account belongs to two companies")
	}
}

func TestASecondFactorIsNeededToAccept(t *testing.T) {
	jane, cookie := guest(t, "jane", "jane.doe@example.com")
	w := aWorld(t, jane...)
	w.RequireFactor()
	b := w.carrying(cookie)
	const needed = "Acme Rocket Works requires a second factor, and this account has none. Set one up, then open the link in your invitation email again."
	expect(t, b.visit(w.Link()), 200, needed, `href="/account/second-factor?lang=en"`, "!"+acceptButton)
	expect(t, b.accept(), 422, needed)
	if w.Accepted() != "" {
		t.Fatal("an account accepted without a second factor")
	}
	w.Change("jane", func(c *account.Credentials) { c.TOTP.Secret = appSecret })
	expect(t, b.visit(w.Link()), 200, acceptButton, "!"+needed)
	expect(t, b.accept(), 200, "You're in")
}

func TestADisabledAccountIsSignedOut(t *testing.T) {
	jane, cookie := guest(t, "jane", "jane.doe@example.com")
	w := aWorld(t, jane...)
	disabled := w.Account("jane")
	disabled.Spec.State = accountsv1.AccountSwitchDisabled
	w.Must(w.Client.Update(t.Context(), disabled))
	expect(t, w.carrying(cookie).visit(w.Link()), 200, "!"+acceptButton, signInFields)
	expect(t, w.carrying(cookie).accept(), 422, "Sign in again to continue")
	if w.Accepted() != "" {
		t.Error("a disabled account accepted")
	}
}

func TestOfSeveralAccountsOfOneAddress(t *testing.T) {
	aged := func(hours int, objects []client.Object) []client.Object {
		objects[0].SetCreationTimestamp(metav1.NewTime(storetest.Start.Add(-time.Duration(hours) * time.Hour)))
		return objects
	}
	const address = "jane.doe@example.com"
	for name, tc := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"the oldest":                                {all(aged(1, owned("a", address, validPassword)), aged(9, owned("b", address, validPassword)), aged(5, owned("c", address, validPassword))), "b"},
		"not one with the typed password":           {all(aged(9, owned("a", address, "another")), aged(1, owned("b", address, validPassword))), ""},
		"the first by name if they are equally old": {all(aged(1, owned("b", address, validPassword)), aged(1, owned("a", address, validPassword))), "a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, tc.objects...)
			counted := &hashes{}
			w.config.Hasher = counted
			b := w.build().agent()
			got := b.signIn(address)
			b.accept()
			if accepted := w.Accepted(); accepted != tc.want {
				t.Errorf("accepted with %q, want %q", accepted, tc.want)
			}
			if tc.want == "" {
				expect(t, got, 422, wrongSignIn, "If several accounts have your email address, sign in with the user name.")
			}
			if counted.verified.Load() != 1 {
				t.Errorf("%d hashes, want 1", counted.verified.Load())
			}
		})
	}
	w := aWorldWithoutPages(t, all(aged(9, owned("a", address, "another")), aged(1, owned("b", address, validPassword)))...)
	b := w.build().agent()
	b.signIn("b")
	b.accept()
	if got := w.Accepted(); got != "b" {
		t.Errorf("with the user name, accepted with %q, want b", got)
	}
}

func TestALinkWithoutGuessesStillCreatesAccounts(t *testing.T) {
	w := aWorld(t)
	w.AnyAddress()
	w.asked()
	w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
	expect(t, w.get(w.Link()), 200, "ask Mara Voss for a new link", signInFields, "!name=\"code\"", "!Email me a code")
	expect(t, w.post(w.Link(), filled()), 200, "Your account is ready")
}

func TestAcceptWithAnAccountWhenSomethingHappensMeanwhile(t *testing.T) {
	for name, tc := range map[string]struct {
		tap    func(*storetest.World) *storetest.Tapped
		status int
		text   string
		by     string
	}{
		"the record took effect, but its answer was lost": {storetest.LoseAnswer("record invitation"), 200, "You're in", "jane"},
		"the record is refused": {
			storetest.Refuse("record invitation", apierrors.NewForbidden(schema.GroupResource{}, "jane", storetest.ErrDown)), 503, "Please accept again", "",
		},
		"another client declines before the record": {
			storetest.DoBefore("record invitation", func(w *storetest.World) {
				now := metav1.NewTime(storetest.Start)
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Decline = accountsv1.Decline{DeclinedTime: &now} })
			}), 410, "has been declined", "",
		},
		"another client accepts before the record": {
			storetest.DoBefore("record invitation", func(w *storetest.World) { w.RecordAcceptance("somebody", "u") }), 410, "has already been used", "somebody",
		},
		"the link is sent again before the record": {
			storetest.DoBefore("record invitation", func(w *storetest.World) { w.Renew() }), 410, "A newer link has replaced", "",
		},
		"the controller writes the status before the record": {
			storetest.DoBefore("record invitation", func(w *storetest.World) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.State = accountsv1.InvitationPending })
			}), 200, "You're in", "jane",
		},
		"the session cannot be read": {storetest.Refuse("get secret", storetest.ErrDown), 503, "We can't show this page right now", ""},
	} {
		t.Run(name, func(t *testing.T) {
			jane, cookie := guest(t, "jane", "jane.doe@example.com")
			w := aWorldWithoutPages(t, jane...)
			var got reply
			w.send(sharedPages(w), tc.tap(w.World), w.Link()+"/accept", nil, &got, cookie)()
			expect(t, got.ResponseRecorder, tc.status, tc.text)
			if by := w.Accepted(); by != tc.by {
				t.Errorf("accepted with %q, want %q", by, tc.by)
			}
		})
	}
}

func TestASignInThatCannotBeFinished(t *testing.T) {
	const again = "Please submit the form again"
	for name, tc := range map[string]struct {
		tap    func(*storetest.World) *storetest.Tapped
		status int
		text   string
	}{
		"the password cannot be read": {storetest.Refuse("get secret", storetest.ErrDown), 503, again},
		// The same answer as without an Account, for which nothing is counted.
		"the attempt cannot be counted": {storetest.Refuse("note account", storetest.ErrDown), 422, "Incorrect user name, email address, or password."},
		"no session can be started":     {storetest.Refuse("update secret", storetest.ErrDown), 503, again},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorldWithoutPages(t, owned("jane", "jane.doe@example.com", validPassword)...)
			var got reply
			w.send(sharedPages(w), tc.tap(w.World), w.Link()+"/sign-in", signInForm("jane", validPassword), &got)()
			expect(t, got.ResponseRecorder, tc.status, tc.text, `value="jane"`, "!"+validPassword, "!"+acceptButton)
			if len(got.Result().Cookies()) != 0 {
				t.Error("sets a cookie")
			}
		})
	}
}

// TestNoOtherSiteAccepts checks that a form from another site brings no cookie,
// and that the portal refuses it even if it does.
func TestNoOtherSiteAccepts(t *testing.T) {
	jane, cookie := guest(t, "jane", "jane.doe@example.com")
	w := aWorld(t, jane...)
	for _, step := range []string{"/accept", "/sign-in", "/code", "/sign-out"} {
		r := formRequest(w.Link()+step, signInForm("jane", validPassword).Encode())
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		expect(t, w.carrying(cookie).send(r), 403, "This form came from somewhere else")
	}
	if w.Accepted() != "" || len(w.credentials("jane").Sessions) != 1 {
		t.Error("a form from another site had an effect")
	}
	for _, c := range w.agent().signIn("jane").Result().Cookies() {
		if c.SameSite != http.SameSiteLaxMode || !c.HttpOnly || !c.Secure {
			t.Errorf("cookie %+v", c)
		}
	}
}

func TestAnExistingAccountMustSignIn(t *testing.T) {
	w := aWorld(t, owned("jane", "Jane.Doe@example.com", validPassword)...)
	expect(t, w.post(w.Link(), filled()), 422, "There is already an account with jane.doe@example.com", `href="#sign-in-name"`)
	if w.Account("jane-doe") != nil {
		t.Error("a second account with the same address was created")
	}
	// For a signed-in person, the page has no such field.
	b := w.agent()
	b.signIn("jane")
	expect(t, b.fill(w.Link(), filled()), 422, "There is already an account with jane.doe@example.com", `!href="#sign-in-name"`, acceptButton)
	for name, other := range map[string][]client.Object{
		"an incomplete account": {storetest.MadeFor("another's", "jane")}, "an account that is being deleted": {storetest.Deleting(storetest.Recorded(storetest.MadeFor("another's", "jane")))},
		"an account with another address": owned("jane", "jane@example.com", validPassword),
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, other...)
			expect(t, w.post(w.Link(), filled()), 200, "Your account is ready")
		})
	}
}

func TestASignInIsNeverShownAgainWithItsPassword(t *testing.T) {
	w := aWorld(t)
	got := w.post(w.Link()+"/sign-in", signInForm(`"><script>x`, "secret of mine"))
	expect(t, got, 422, "!secret of mine")
	if body := got.Body.String(); strings.Contains(body, "<script>x") || !strings.Contains(body, `value="&#34;&gt;&lt;script&gt;x"`) {
		t.Error("the typed name is lost, or becomes markup")
	}
}
