// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/session"
)

// resident is a member of Acme who is signed in with one browser.
type resident struct {
	*world
	name   string
	cookie *http.Cookie
}

// aResident returns a resident in a world of their own. The changes apply before
// anything is stored.
func aResident(t *testing.T, role accountsv1.CatalogueName, more []client.Object, changes ...func(*account.Credentials)) *resident {
	t.Helper()
	const name = "ada-example"
	made := storetest.MadeFor("22222222-2222-4222-8222-222222222222", name)
	made.CreationTimestamp = metav1.NewTime(storetest.Start.Add(-24 * time.Hour))
	made.Annotations = map[string]string{accountsv1.MembershipsAnnotation: storetest.Home + "/ada", accountsv1.EmailVerifiedAnnotation: storetest.Verified}
	made.Spec.GivenName, made.Spec.FamilyName, made.Spec.Email = "Ada", "Example", "ada@example.com"
	own, token, err := session.New(rand.Reader, session.StageSignedIn, "Firefox", storetest.Start.Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	c := account.Credentials{Password: "hash of " + validPassword, FinalInvitation: "22222222-2222-4222-8222-222222222222", Sessions: []session.Session{own}}
	for _, change := range changes {
		change(&c)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: storetest.System, Name: account.SecretName(name)}}
	if err := c.WriteTo(secret, made); err != nil {
		t.Fatal(err)
	}
	m := membershipOf("ada", role)
	m.Spec.Email = "ada@example.com"
	w := aWorld(t, append([]client.Object{made, secret, m}, more...)...)
	return &resident{w, name, &http.Cookie{Name: hostPrefix + sessionCookie, Value: token + "." + name}}
}

func membershipOf(name string, role accountsv1.CatalogueName) *accountsv1.Membership {
	return &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: storetest.Home, Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(name + "@example.com"), Role: role,
		},
		Status: accountsv1.MembershipStatus{State: accountsv1.MembershipActive},
	}
}

// anotherSession adds a session of the same person in another browser.
func anotherSession(c *account.Credentials) {
	s, _, _ := session.New(rand.Reader, session.StageSignedIn, "Elsewhere", storetest.Start.Add(-time.Hour))
	s.SeenTime = storetest.Start
	c.Sessions = append(c.Sessions, s)
}

func (r *resident) open(path string) *httptest.ResponseRecorder {
	request := newRequest(http.MethodGet, path, nil)
	request.AddCookie(r.cookie)
	return r.do(request)
}

// send sends a form. The browser keeps the cookie from the answer.
func (r *resident) send(path string, fields ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	request := formRequest(path, form.Encode())
	request.AddCookie(r.cookie)
	got := r.do(request)
	for _, c := range got.Result().Cookies() {
		if c.Name == hostPrefix+sessionCookie {
			r.cookie = c
		}
	}
	return got
}

func (r *resident) account() *accountsv1.Account {
	r.T.Helper()
	var a accountsv1.Account
	r.Must(r.Client.Get(r.T.Context(), client.ObjectKey{Name: r.name}, &a))
	return &a
}

func (r *resident) credentials() account.Credentials {
	r.T.Helper()
	return r.Credentials(r.name)
}

// goesTo checks that the browser is redirected to another page.
func goesTo(t *testing.T, got *httptest.ResponseRecorder, want string) {
	t.Helper()
	if location := got.Header().Get("Location"); got.Code != http.StatusSeeOther || location != want {
		t.Errorf("answered %d with Location %q, want 303 to %q", got.Code, location, want)
	}
}

func TestTheAccountPageShowsIdentityAndPermissions(t *testing.T) {
	r := aResident(t, "developer", nil, anotherSession, func(c *account.Credentials) {
		c.Sessions[1].Browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	})
	expect(t, r.open("/account"), 200, "ada-example", "Ada Example", "ada@example.com", "usher:ada-example",
		"Acme Rocket Works", "Developer", "Deploy applications", "Staging", "Your password alone is enough",
		"Firefox <strong>(this browser)</strong>", "Firefox on Linux", "!Gecko",
		`Since <time datetime="2026-05-04T09:00:00Z">`, `Last used <time datetime="2026-05-04T10:00:00Z">`, "Sign out everywhere", "Leave Acme Rocket Works")
}

func TestAccountPagesNeedASession(t *testing.T) {
	r := aResident(t, "developer", nil, func(c *account.Credentials) { c.Sessions[0].Stage = session.StagePassword })
	for _, path := range []string{"/account", "/account/password", "/account/leave?membership=" + storetest.Home + "/ada", "/account/sessions", "/account/email"} {
		goesTo(t, r.get(path), "/sign-in?lang=en")
		goesTo(t, r.open(path), "/sign-in/code?lang=en") // halfway
	}
	before := r.Secret(r.name).ResourceVersion
	for _, path := range []string{"/account/password", "/account/leave", "/account/sessions"} {
		r.send(path, "session", "all", "membership", storetest.Home+"/ada", "current-password", validPassword, "new-password", "other velvet pickle tram", "new-password-again", "other velvet pickle tram")
	}
	if r.Secret(r.name).ResourceVersion != before || len(r.account().Status.Leaving) != 0 {
		t.Error("a visitor without a session changed the account")
	}
}

func TestAUserEndsASession(t *testing.T) {
	r := aResident(t, "developer", nil, anotherSession)
	goesTo(t, r.send("/account/sessions", "session", r.credentials().Sessions[1].Hash), "/account?lang=en&done=session")
	if left := r.credentials().Sessions; len(left) != 1 || left[0].Browser != "Firefox" {
		t.Errorf("sessions: %v", left)
	}
	expect(t, r.open("/account?done=session"), 200, "The session was ended.")
	expect(t, r.open("/account?done=nonsense"), 200, "Your account")
	goesTo(t, r.send("/account/sessions", "session", "all"), "/sign-in?lang=en&done=signed-out")
	if left := r.credentials().Sessions; len(left) != 0 || r.cookie.MaxAge >= 0 {
		t.Errorf("sessions %v, cookie %v", left, r.cookie)
	}
}

const another = "quartz-lantern noodle ferry"

func TestAPasswordIsChanged(t *testing.T) {
	r := aResident(t, "developer", nil, anotherSession)
	old := r.cookie
	expect(t, r.open("/account/password"), 200, "Current password", "Repeat new password", `minlength="15" data-missing-one="1 more character"`, `data-show="Show"`)
	goesTo(t, r.send("/account/password", "current-password", validPassword, "new-password", another, "new-password-again", another), "/account?lang=en&done=password")
	c, a := r.credentials(), r.account()
	if c.Password != "hash of "+another || !c.PasswordTime.Equal(storetest.Start) || c.ShortPassword || len(c.Sessions) != 1 {
		t.Errorf("credentials: %+v", c)
	}
	if a.Status.PasswordTime == nil || !a.Status.PasswordTime.Time.Equal(storetest.Start) || a.Status.SignIn != (accountsv1.SignIn{}) {
		t.Errorf("status: %+v", a.Status)
	}
	expect(t, r.open("/account"), 200, "Your account")
	r.cookie = old
	goesTo(t, r.open("/account"), "/sign-in?lang=en")
}

func TestAPasswordIsNotChanged(t *testing.T) {
	for name, c := range map[string]struct{ current, chosen, again, says string }{
		"nothing is typed":                      {"", "", "", "Current password"},
		"the current password is wrong":         {"something else entirely", another, another, "That is not your current password"},
		"the new password is short":             {validPassword, "quartz", "quartz", "15 characters"},
		"the new password is built from a name": {validPassword, "ada-example-ada-example", "ada-example-ada-example", "New password"},
		"the two new passwords differ":          {validPassword, another, another + "x", "Repeat new password"},
	} {
		t.Run(name, func(t *testing.T) {
			r := aResident(t, "developer", nil, anotherSession)
			got := r.send("/account/password", "current-password", c.current, "new-password", c.chosen, "new-password-again", c.again)
			expect(t, got, 422, c.says)
			if left := r.credentials(); left.Password != "hash of "+validPassword || len(left.Sessions) != 2 {
				t.Errorf("credentials: %+v", left)
			}
			for _, secret := range []string{another, validPassword, "quartz\""} {
				if strings.Contains(got.Body.String(), secret) {
					t.Error("the page repeats a password")
				}
			}
		})
	}
}

func TestWrongCurrentPasswordsLockTheAccountAndEndNoSession(t *testing.T) {
	r := aResident(t, "developer", nil)
	for range 5 {
		expect(t, r.send("/account/password", "current-password", "wrong", "new-password", another, "new-password-again", another), 422)
	}
	expect(t, r.send("/account/password", "current-password", validPassword, "new-password", another, "new-password-again", another), 422)
	expect(t, r.open("/account"), 200)
	if r.credentials().Password != "hash of "+validPassword {
		t.Error("the password of a locked account changed")
	}
}

func TestAShortPasswordNeedsASecondFactor(t *testing.T) {
	const short = "qz7-Lmuf!eK"
	change := []string{"current-password", validPassword, "new-password", short, "new-password-again", short}
	expect(t, aResident(t, "developer", nil).send("/account/password", change...), 422, "15")
	r := aResident(t, "developer", nil, func(c *account.Credentials) { c.TOTP.Secret = "ABC" })
	goesTo(t, r.send("/account/password", change...), "/account?lang=en&done=password")
	if !r.credentials().ShortPassword {
		t.Error("the short password is not recorded as short")
	}
}

func TestAMemberLeaves(t *testing.T) {
	r := aResident(t, "developer", nil)
	expect(t, r.open("/account/leave?membership="+storetest.Home+"/ada"), 200, "Leave Acme Rocket Works?", "Developer")
	for range 2 {
		goesTo(t, r.send("/account/leave", "membership", storetest.Home+"/ada"), "/account?lang=en&done=left")
	}
	if got := r.account().Status.Leaving; len(got) != 1 || got[0] != (accountsv1.MembershipReference{Namespace: storetest.Home, Name: "ada"}) {
		t.Errorf("leaving: %v", got)
	}
	expect(t, r.open("/account?done=left"), 200, "You are leaving this organization")
}

func TestAMemberCannotLeaveForAnother(t *testing.T) {
	r := aResident(t, "developer", []client.Object{membershipOf("eve", "developer")})
	for _, key := range []string{storetest.Home + "/eve", storetest.Home + "/none", "", "ada", "../ada"} {
		goesTo(t, r.open("/account/leave?membership="+url.QueryEscape(key)), "/account?lang=en")
		r.send("/account/leave", "membership", key)
	}
	if got := r.account().Status.Leaving; len(got) != 0 {
		t.Errorf("leaving: %v", got)
	}
}

// meddlingHasher calls a function while a password is being hashed.
type meddlingHasher struct {
	storetest.PlainHasher
	meddle func()
}

func (h meddlingHasher) Hash(ctx context.Context, password string) (string, error) {
	h.meddle()
	return h.PlainHasher.Hash(ctx, password)
}

func TestAShortPasswordIsRefusedOnceTheSecondFactorIsRemoved(t *testing.T) {
	const short = "qz7-Lmuf!eK"
	r := aResident(t, "developer", nil, func(c *account.Credentials) { c.TOTP.Secret = "ABC" })
	r.config.Hasher = meddlingHasher{meddle: func() {
		secret, c := r.Secret(r.name), r.credentials()
		c.TOTP = account.TOTP{}
		r.Must(c.WriteTo(secret, r.account()))
		r.Must(r.Client.Update(t.Context(), secret))
	}}
	r.build()
	expect(t, r.send("/account/password", "current-password", validPassword, "new-password", short, "new-password-again", short), 422, "15 characters")
	if got := r.credentials().Password; got != "hash of "+validPassword {
		t.Errorf("the stored password is %q", got)
	}
}
