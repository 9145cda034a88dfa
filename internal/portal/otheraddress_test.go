// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
)

// asked records that a code for janet@example.net was requested just now.
func (w *world) asked() {
	requested := metav1.NewTime(storetest.Start)
	w.Update(func(inv *accountsv1.Invitation) {
		inv.Status.OtherAddress = accountsv1.OtherAddress{Email: "janet@example.net", RequestTime: &requested, Requests: 1}
	})
}

// code returns the mailed code.
func (w *world) code() string {
	w.T.Helper()
	code, err := w.Keys.Code(w.Invitation())
	w.Must(err)
	return code
}

// withCode returns a valid form for an account with the other address.
func withCode(code string) url.Values {
	f := filled()
	f.Set(fieldChoice, choiceOther)
	f.Set(fieldCode, code)
	return f
}

func other(email string) url.Values { return url.Values{fieldEmail: {email}} }

func TestAnotherAddressIsConfirmedByACode(t *testing.T) {
	w := aWorld(t)
	w.AnyAddress()
	before := w.Invitation()
	expect(t, w.get(w.Link()), 200, "<summary>Use another email address</summary>", `action="`+w.Link()+`/address?lang=en"`,
		`<input id="email" name="email" type="email"`, "Email me a code</button>", "!name=\"code\"", "!<details class=\"card\" id=\"other-address\" open")
	w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
	asked := w.post(w.Link()+"/address", other(" janet@example.net "))
	after := w.Invitation()
	requested := metav1.NewTime(storetest.Start.Add(time.Second))
	want := accountsv1.OtherAddress{Email: "janet@example.net", RequestTime: &requested, Requests: 1}
	if diff := cmp.Diff(want, after.Status.OtherAddress); diff != "" {
		t.Errorf("other address (-want +got):\n%s", diff)
	}
	after.Status.OtherAddress, after.ResourceVersion = accountsv1.OtherAddress{}, before.ResourceVersion
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the invitation changed beyond that (-before +after):\n%s", diff)
	}

	// Another browser with the same link, at another replica, continues.
	for _, page := range []*httptest.ResponseRecorder{asked, w.build().get(w.Link())} {
		expect(t, page, 200, "We're emailing an 8-digit code to janet@example.net. It is valid until Monday, 4 May 2026, 10:10 UTC.", "today's limit on emails may have been reached: use another address",
			`<input type="radio" name="address-choice" value="other" checked> janet@example.net`,
			`<input type="radio" name="address-choice" value="invited"> jane.doe@example.com`,
			`<input id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code"`, `value="jane-doe"`, `value="Jane"`)
	}
	code := w.code()
	expect(t, w.post(w.Link(), withCode(" "+code[:4]+" "+code[4:])), 200, "Your account is ready", "<dd>janet@example.net</dd>", "!"+code)
	if made := w.Account("jane-doe"); made == nil || made.Spec.Email != "janet@example.net" {
		t.Fatalf("account %+v", made)
	}
	if status := w.Invitation().Status; status.Acceptance.AccountRef.Name != "jane-doe" || status.Guesses != 1 {
		t.Errorf("acceptance %v, %d guesses", status.Acceptance, status.Guesses)
	}
}

func TestCodesThatConfirmNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*world)
		form    func(code string) url.Values
		text    string
		field   string
		guesses int32
	}{
		"a wrong one": {form: func(code string) url.Values { return withCode(otherDigits(code)) }, text: "the code from our latest email", field: fieldCode, guesses: 1},
		"none":        {form: func(string) url.Values { return withCode("  ") }, text: "Enter the code we emailed to janet@example.net", field: fieldCode},
		"one that is older than ten minutes": {
			change: func(w *world) { w.Clock.SetTime(storetest.Start.Add(10 * time.Minute)) },
			form:   withCode, text: "The code has expired", field: fieldEmail,
		},
		"the one before": {
			change: func(w *world) { expect(w.T, w.post(w.Link()+"/address", other("janet@example.net")), 200) },
			form:   withCode, text: "the code from our latest email", field: fieldCode, guesses: 1,
		},
		"one for another address": {
			change: func(w *world) { expect(w.T, w.post(w.Link()+"/address", other("mallory@example.net")), 200) },
			form:   withCode, text: "the code from our latest email", field: fieldCode, guesses: 1,
		},
		"the correct one after the last guess": {
			change: func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
			},
			form: withCode, text: "Ask Mara Voss for a new link. You can still create a new account with jane.doe@example.com", guesses: invitation.MostGuesses,
		},
		"the correct one for a domain that was denied since": {
			change: func(w *world) {
				w.Organization(func(o *accountsv1.Organization) { o.Spec.DeniedDomains = []accountsv1.DomainName{"example.net"} })
			},
			form: withCode, text: "doesn't accept addresses from this domain", field: fieldEmail,
		},
		"the correct one if only the invited address is accepted": {
			change: func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchStrict })
			},
			form: withCode, text: "can be accepted with jane.doe@example.com only",
		},
		"the correct one with another error in the form": {
			form: func(code string) url.Values {
				f := withCode(code)
				f.Set(fieldAgain, "x")
				return f
			},
			text: "The two passwords don't match", field: fieldAgain,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			w.AnyAddress()
			w.asked()
			code := w.code()
			if tc.change != nil {
				tc.change(w)
			}
			texts := []string{tc.text, "!" + code, "!" + validPassword}
			if tc.field != "" {
				texts = append(texts, `href="#`+tc.field+`"`)
			}
			expect(t, w.post(w.Link(), tc.form(code)), 422, texts...)
			status := w.Invitation().Status
			if w.Account("jane-doe") != nil || status.Acceptance.Given() || status.Guesses != tc.guesses {
				t.Errorf("account %v, acceptance %v, %d guesses", w.Account("jane-doe"), status.Acceptance, status.Guesses)
			}
		})
	}
}

// otherDigits returns a code that differs from the given one.
func otherDigits(code string) string {
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, code)
}

func TestAddressesThatNoCodeIsMailedTo(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		email  string
		text   string
	}{
		"none":            {nil, "", "Enter a complete email address"},
		"no address":      {nil, "janet", "Enter a complete email address"},
		"two":             {nil, "a@example.net,b@example.net", "Enter a complete email address"},
		"a second line":   {nil, "a@example.net\nBcc: b@example.net", "Enter a complete email address"},
		"the invited one": {nil, "Jane.Doe@Example.com", "This is the invited address"},
		"of a domain that is denied": {
			func(w *world) {
				w.Organization(func(o *accountsv1.Organization) { o.Spec.DeniedDomains = []accountsv1.DomainName{"example.net"} })
			}, "janet@mail.example.net", "Acme Rocket Works doesn't accept addresses from this domain",
		},
		"of a domain that is not allowed": {
			func(w *world) {
				w.Organization(func(o *accountsv1.Organization) { o.Spec.AllowedDomains = []accountsv1.DomainName{"example.com"} })
			}, "janet@example.net", "doesn't accept addresses from this domain",
		},
		"if only the invited one is accepted": {
			func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchStrict })
			}, "janet@example.net", "can be accepted with jane.doe@example.com only",
		},
		"no address, if only the invited one is accepted": {
			func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchStrict })
			}, "janet", "can be accepted with jane.doe@example.com only",
		},
		"after the last code": {
			func(w *world) {
				for range invitation.MostCodes {
					expect(w.T, w.post(w.Link()+"/address", other("janet@example.net")), 200)
				}
			}, "janet@example.net", "No more codes can be sent with this link. Create your account with jane.doe@example.com, or ask Mara Voss",
		},
		"after the last guess": {
			func(w *world) {
				w.Update(func(inv *accountsv1.Invitation) { inv.Status.Guesses = invitation.MostGuesses })
			},
			"janet@example.net", "No more codes can be sent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := aWorld(t)
			w.AnyAddress()
			if tc.change != nil {
				tc.change(w)
			}
			before := w.Invitation().Status.OtherAddress
			expect(t, w.post(w.Link()+"/address", other(tc.email)), 422, tc.text)
			if diff := cmp.Diff(before, w.Invitation().Status.OtherAddress); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
		})
	}
}

func TestAStrictInvitationOffersNoOtherAddress(t *testing.T) {
	w := aWorld(t)
	w.asked()
	for _, page := range []*httptest.ResponseRecorder{w.get(w.Link()), w.get(w.Link() + "/address")} {
		expect(t, page, 200, "!another email address", "!janet@example.net", `!name="email"`, `!name="code"`)
	}
	form := filled()
	form.Set(fieldEmail, "janet@example.net")
	form.Set(fieldCode, w.code())
	expect(t, w.post(w.Link(), form), 200, "<dd>jane.doe@example.com</dd>")
	if made := w.Account("jane-doe"); made.Spec.Email != "jane.doe@example.com" {
		t.Errorf("created with %s", made.Spec.Email)
	}
}

func TestTheOrganizationCanLetAnyAddressDo(t *testing.T) {
	w := aWorld(t)
	w.Organization(func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
	expect(t, w.get(w.Link()), 200, "Use another email address")
	w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchStrict })
	expect(t, w.get(w.Link()), 200, "!Use another email address")
}

func TestTheInvitedAddressWorksAfterACodeWasRequested(t *testing.T) {
	w := aWorld(t)
	w.AnyAddress()
	w.asked()
	form := filled()
	form.Set(fieldChoice, "invited")
	form.Set(fieldUserName, "x!")
	expect(t, w.post(w.Link(), form), 422, `value="other"> janet@example.net`, `value="invited" checked> jane.doe@example.com`)
	form.Set(fieldUserName, "jane-doe")
	expect(t, w.post(w.Link(), form), 200, "<dd>jane.doe@example.com</dd>")
	if w.Invitation().Status.Guesses != 0 {
		t.Error("a guess was counted without a code")
	}
}

// TestOnlyWhoKnowsTheCodeLearnsOfAnAccount is needed because everyone with the
// link can type any address.
func TestOnlyWhoKnowsTheCodeLearnsOfAnAccount(t *testing.T) {
	w := aWorld(t, owned("john", "john@example.org", validPassword)...)
	w.AnyAddress()
	expect(t, w.post(w.Link()+"/address", other("john@example.org")), 200, "We're emailing an 8-digit code to john@example.org", "!There is already an account")
	code := w.code()
	expect(t, w.post(w.Link(), withCode(otherDigits(code))), 422, "the code from our latest email", "!There is already an account")
	expect(t, w.post(w.Link(), withCode(code)), 422, "There is already an account with john@example.org", `href="#sign-in-name"`)
	if w.Account("jane-doe") != nil {
		t.Error("a second account with the same address was created")
	}
}

// meanwhile is a hasher that lets something happen before it hashes.
type meanwhile struct {
	store.Hasher
	happens func()
}

func (m meanwhile) Hash(ctx context.Context, password string) (string, error) {
	m.happens()
	return m.Hasher.Hash(ctx, password)
}

// TestTheCodeThatWasEnteredIsTheNewestOne is needed because another code may be mailed
// through another server. The mail would then seem to prove the address.
func TestTheCodeThatWasEnteredIsTheNewestOne(t *testing.T) {
	w := aWorldWithoutPages(t)
	w.AnyAddress()
	w.asked()
	w.config.Hasher = meanwhile{w.config.Hasher, func() {
		w.Update(func(inv *accountsv1.Invitation) { inv.Status.OtherAddress.Requests++ })
	}}
	expect(t, w.build().post(w.Link(), withCode(w.code())), 422, "the code from our latest email", `href="#code"`)
	if w.Accepted() != "" || w.Account("jane-doe") != nil {
		t.Error("an earlier code created an account")
	}
	w.config.Hasher = storetest.PlainHasher{}
	expect(t, w.build().post(w.Link(), withCode(w.code())), 200, "<dd>janet@example.net</dd>")
}

func TestAHalfMadeAccountKeepsItsAddress(t *testing.T) {
	w := aWorld(t, storetest.MadeFor(storetest.JaneUID, "jane-doe"), storetest.Credential("uid-of-jane-doe", "an earlier one", ""))
	w.AnyAddress()
	w.asked()
	expect(t, w.get(w.Link()), 200, `!data-user-name="jane-doe"`)
	expect(t, w.post(w.Link(), withCode(w.code())), 422, "This user name, or one that looks like it, is already taken")
	if stored := string(w.Secret("jane-doe").Data[account.PasswordKey]); stored != "an earlier one" {
		t.Errorf("stores %q", stored)
	}
	form := withCode(w.code())
	form.Set(fieldUserName, "janet")
	expect(t, w.post(w.Link(), form), 200)
	if made := w.Account("janet"); made.Spec.Email != "janet@example.net" || w.Account("jane-doe").Spec.Email != "jane.doe@example.com" {
		t.Errorf("created with %s", made.Spec.Email)
	}
}

func TestAHalfMadeAccountWithAnotherAddressNeedsACode(t *testing.T) {
	begun := storetest.MadeFor(storetest.JaneUID, "jane-doe")
	begun.Spec.Email = "janet@example.net"
	w := aWorld(t, begun)
	w.AnyAddress()
	expect(t, w.post(w.Link(), filled()), 422, "This user name, or one that looks like it, is already taken")
	_, o, err := w.Store().Accept(t.Context(), w.Parsed(), storetest.Chosen("jane-doe", "mine"))
	if o != store.NameTaken || err != nil || w.Secret("jane-doe") != nil {
		t.Errorf("got %d, %v", o, err)
	}
}

func TestTheAddressIsJudgedByWhatIsTrueWhenItIsRecorded(t *testing.T) {
	w := aWorldWithoutPages(t)
	w.AnyAddress()
	tap := storetest.DoBefore("record invitation", func(w *storetest.World) {
		w.Update(func(inv *accountsv1.Invitation) { inv.Spec.AddressMatch = accountsv1.AddressMatchStrict })
	})(w.World)
	p := storetest.Chosen("jane-doe", "mine")
	p.Email = "janet@example.net"
	_, o, err := w.Through(tap).Accept(t.Context(), w.Parsed(), p)
	if o != store.AddressRefused || err != nil || w.Invitation().Status.Acceptance.Given() {
		t.Errorf("got %d, %v", o, err)
	}
}

func TestARequestForACodeWhoseAnswerWasLost(t *testing.T) {
	w := aWorldWithoutPages(t)
	w.AnyAddress()
	w.Clock.SetTime(storetest.Start.Add(1500 * time.Millisecond))
	var got reply
	w.send(sharedPages(w), storetest.LoseAnswer("record invitation")(w.World), w.Link()+"/address", other("janet@example.net"), &got)()
	expect(t, got.ResponseRecorder, 200, "We're emailing an 8-digit code to janet@example.net")
	if requests := w.Invitation().Status.OtherAddress.Requests; requests != 1 {
		t.Errorf("%d codes were requested", requests)
	}
	w.send(sharedPages(w), storetest.Refuse("record invitation", storetest.ErrDown)(w.World), w.Link()+"/address", other("x@example.net"), &got)()
	expect(t, got.ResponseRecorder, 503, "Please request the code again", `value="x@example.net"`)
}
