// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

const unconfirmed = "Not confirmed yet."

// unproved removes the proof of an Account's address.
func unproved(a *accountsv1.Account) { delete(a.Annotations, accountsv1.EmailVerifiedAnnotation) }

// withoutProof removes the proof from all Accounts among objects.
func withoutProof(objects []client.Object) []client.Object {
	for _, o := range objects {
		if a, is := o.(*accountsv1.Account); is {
			unproved(a)
		}
	}
	return objects
}

// aNewcomer is a resident whose address is not confirmed.
func aNewcomer(t *testing.T) *resident {
	t.Helper()
	r := aResident(t, "developer", nil)
	a := r.account()
	unproved(a)
	r.Must(r.Client.Update(context.Background(), a))
	return r
}

// code returns the code that is mailed to the resident.
func (r *resident) code() string {
	r.T.Helper()
	code, err := account.EmailCode(r.ResetKeys, r.account())
	r.Must(err)
	return code
}

func (r *resident) enter(code string) *httptest.ResponseRecorder {
	return r.send("/account/email/code", fieldCode, code)
}

func TestAPersonConfirmsTheirAddress(t *testing.T) {
	r := aNewcomer(t)
	expect(t, r.open("/account"), 200, unconfirmed, `href="/account/email?lang=en"`)
	before := r.account().ResourceVersion
	expect(t, r.open("/account/email"), 200, "Confirm your email address</h1>", "<strong>ada@example.com</strong>", "Email me a code</button>", "!name=\"code\"")
	if r.account().ResourceVersion != before {
		t.Error("a GET changed the account")
	}
	goesTo(t, r.send("/account/email?lang=de"), "/account/email?lang=de")
	if status := r.account().Status; len(status.EmailCodeTimes) != 1 || status.Language != "de" {
		t.Errorf("status %+v", status)
	}
	expect(t, r.open("/account/email"), 200, "We're emailing an 8-digit code to ada@example.com. It is valid until", "check your spam folder", "!use another address", `name="code"`, "Email me another code</button>")
	expect(t, r.open("/account/email/code"), 200, `name="code"`) // a reload of the answer to the form
	expect(t, r.enter(""), 422, "Enter the code from our email.")
	expect(t, r.enter(otherDigits(r.code())), 422, "This isn't the code from our latest email", `name="code"`)
	if r.account().Status.EmailCodeGuesses != 1 || r.account().EmailVerified() {
		t.Error("a wrong code is not counted, or confirms")
	}
	code := r.code()
	goesTo(t, r.enter(code[:4]+" "+code[4:]), "/account?lang=en&done=email")
	if at := r.account().Status.EmailVerifiedTime; at == nil || !at.Time.Equal(storetest.Start) {
		t.Errorf("the address was confirmed at %v", at)
	}
	expect(t, r.open("/account?done=email"), 200, "Your email address is confirmed.", "!"+unconfirmed)
	goesTo(t, r.open("/account/email"), "/account?lang=en")
	goesTo(t, r.enter(code), "/account?lang=en&done=email") // sent again
	goesTo(t, r.send("/account/email"), "/account/email?lang=en")
	if n := len(r.account().Status.EmailCodeTimes); n != 1 {
		t.Errorf("%d codes are mailed, want 1", n)
	}
}

func TestTheCodeForAnAddressIsLimited(t *testing.T) {
	r := aNewcomer(t)
	expect(t, r.enter("12345678"), 422, "Request another code", "!name=\"code\"")
	r.send("/account/email")
	expect(t, r.send("/account/email"), 422, "once a minute, and five times in 24 hours", `name="code"`)
	code, wrong := r.code(), otherDigits(r.code())
	for range account.MostEmailCodeGuesses - 1 {
		expect(t, r.enter(wrong), 422, "This isn't the code from our latest email")
	}
	expect(t, r.enter(wrong), 422, "too many codes were wrong", "!name=\"code\"", "Email me a code</button>")
	expect(t, r.enter(code), 422, "too many codes were wrong")
	for i := range 5 {
		r.Clock.Step(time.Minute)
		if got := r.send("/account/email"); (got.Code == http.StatusSeeOther) != (i < 4) {
			t.Errorf("request %d is answered with %d", i+2, got.Code)
		}
	}
	r.Clock.Step(10 * time.Minute)
	expect(t, r.enter(r.code()), 422, "The code has expired")
	if r.account().EmailVerified() {
		t.Error("the address is confirmed")
	}
}

// TestParallelGuessesOfACodeAreCounted has more clients than guesses.
func TestParallelGuessesOfACodeAreCounted(t *testing.T) {
	r := aNewcomer(t)
	r.send("/account/email")
	code := r.code()
	var wg sync.WaitGroup
	answers := make([]string, 40)
	for i := range answers {
		wg.Go(func() {
			request := formRequest("/account/email/code", fieldCode+"="+fmt.Sprintf("%08d", i))
			request.AddCookie(r.cookie)
			answers[i] = r.do(request).Body.String()
		})
	}
	wg.Wait()
	compared := 0
	for _, answer := range answers {
		if strings.Contains(answer, "from our latest email") {
			compared++
		}
	}
	if compared >= account.MostEmailCodeGuesses || r.account().Status.EmailCodeGuesses != account.MostEmailCodeGuesses {
		t.Errorf("%d codes were compared and %d counted", compared+1, r.account().Status.EmailCodeGuesses)
	}
	expect(t, r.enter(code), 422)
}

func TestACodeNeedsASessionOfTheAccount(t *testing.T) {
	r := aNewcomer(t)
	r.send("/account/email")
	code, before := r.code(), r.account().ResourceVersion
	for _, path := range []string{"/account/email", "/account/email/code"} {
		goesTo(t, r.get(path), "/sign-in?lang=en")
		goesTo(t, r.post(path, map[string][]string{fieldCode: {code}}), "/sign-in?lang=en")
		forged := formRequest(path, fieldCode+"="+code)
		forged.Header.Set("Sec-Fetch-Site", "cross-site")
		forged.AddCookie(r.cookie)
		expect(t, r.do(forged), 403)
	}
	if r.account().ResourceVersion != before {
		t.Error("a visitor without a session changed the account")
	}
	if strings.Contains(r.logs.String(), code) || strings.Contains(r.logs.String(), "ada@example.com") {
		t.Error("the code or the address is in the log")
	}
}

func TestALinkForANewPasswordConfirmsTheAddress(t *testing.T) {
	w := worldWith(t, withoutProof(acmeMember(t, "jane"))...)
	w.browser().fill("/reset?lang=en", resetRequest("jane"))
	w.Clock.Step(time.Minute)
	path := w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time)
	expect(t, w.get(path), 200)
	if w.Account("jane").EmailVerified() {
		t.Fatal("a GET confirms the address")
	}
	expect(t, w.browser().fill(path, newPasswords(otherPassword)), 200)
	now := metav1.NewTime(w.Clock.Now())
	if diff := cmp.Diff(&now, w.Account("jane").Status.EmailVerifiedTime); diff != "" {
		t.Errorf("emailVerifiedTime (-want +got):\n%s", diff)
	}

	// Another person may have set up the second factor, and a reset keeps it.
	w = worldWith(t, withoutProof(acmeMember(t, "jane", withTOTP))...)
	w.browser().fill("/reset?lang=en", resetRequest("jane"))
	w.Clock.Step(time.Minute)
	path = w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time)
	expect(t, w.browser().fill(path, newPasswords(otherPassword)), 200)
	if w.Account("jane").EmailVerified() {
		t.Error("a reset of an account with a second factor confirms the address")
	}

	r := aNewcomer(t)
	goesTo(t, r.send("/account/password", "current-password", validPassword, "new-password", otherPassword, "new-password-again", otherPassword), "/account?lang=en&done=password")
	if r.account().EmailVerified() {
		t.Error("a password change without a link confirms the address")
	}
}

// TestAnAccountThatProvesNothingAcceptsOnlyWhatWasMailedToIt covers an Account that was
// created elsewhere with the address of another person.
func TestAnAccountThatProvesNothingAcceptsOnlyWhatWasMailedToIt(t *testing.T) {
	const asks = "We don't know yet whether email to"
	through := func(media ...accountsv1.Medium) func(*world) {
		return func(w *world) {
			w.Update(func(inv *accountsv1.Invitation) {
				mail := inv.Status.Deliveries[0]
				inv.Status.Deliveries = nil
				for _, medium := range media {
					d := mail
					d.Name, d.Medium = strings.ToLower(string(medium)), medium
					inv.Status.Deliveries = append(inv.Status.Deliveries, d)
				}
			})
		}
	}
	for name, tc := range map[string]struct {
		email   string
		change  func(w *world)
		accepts bool
	}{
		"a link that was mailed":                      {"jane.doe@example.com", through(accountsv1.MediumEmail), true},
		"a link in a Secret":                          {"jane.doe@example.com", through(accountsv1.MediumLink), false},
		"a link in a short message":                   {"jane.doe@example.com", through(accountsv1.MediumSMS), false},
		"a link that was mailed and posted":           {"jane.doe@example.com", through(accountsv1.MediumEmail, accountsv1.MediumChat), false},
		"a mailed link, if any address is allowed":    {"john@example.org", (*world).AnyAddress, false},
		"a mailed link to it, if any address is fine": {"jane.doe@example.com", (*world).AnyAddress, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t, withoutProof(owned("jane", tc.email, validPassword))...)
			tc.change(w)
			b := w.agent()
			if tc.accepts {
				expect(t, b.signIn("jane"), 200, acceptButton, "!"+asks)
				expect(t, b.accept(), 200, "You're in")
				return
			}
			expect(t, b.signIn("jane"), 200, asks+" "+tc.email, `href="/account/email?lang=en"`, "!"+acceptButton)
			expect(t, b.accept(), 422, asks+" "+tc.email)
			if got := w.Accepted(); got != "" {
				t.Errorf("%s accepted", got)
			}

			w = aWorld(t, owned("jane", tc.email, validPassword)...)
			tc.change(w)
			b = w.agent()
			expect(t, b.signIn("jane"), 200, acceptButton, "!"+asks)
			expect(t, b.accept(), 200, "You're in")
		})
	}
}

// TestAnUnprovedAccountKeepsNobodyOut has an Account with the address of another person.
func TestAnUnprovedAccountKeepsNobodyOut(t *testing.T) {
	w := aWorld(t, withoutProof(owned("mallory", "jane.doe@example.com", otherPassword))...)
	expect(t, w.post(w.Link(), filled()), 200, "Your account is ready")

	unprovedAge := func(hours int) func(*accountsv1.Account, *account.Credentials) {
		return func(a *accountsv1.Account, c *account.Credentials) {
			unproved(a)
			a.CreationTimestamp = metav1.NewTime(storetest.Start.Add(-time.Duration(hours) * time.Hour))
			c.Password = "hash of " + otherPassword
		}
	}
	objects := acmeMember(t, "jane")
	for i := range 6 {
		objects = append(objects, acmeMember(t, fmt.Sprintf("mallory-%d", i), unprovedAge(100+i))...)
	}
	w = worldWith(t, objects...)
	expectTo(t, w.browser().signIn("jane.doe@example.com", validPassword), "/account?lang=en")
	w.browser().fill("/reset?lang=en", resetRequest("jane.doe@example.com"))
	if len(w.Account("jane").Status.ResetTimes) != 1 {
		t.Error("the older Accounts keep jane from getting a link")
	}
}
