// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

const platformSender = "Usher <usher@example.com>"

// linkBy lets the link of an acceptance go out by media, with the sender of the platform.
func linkBy(media ...accountsv1.Medium) func(*Acceptance) {
	return func(a *Acceptance) {
		a.Invitation.UID = "i1"
		a.Invitation.Status.Attempt.Sender = platformSender
		for _, medium := range media {
			d := accountsv1.Delivery{Purpose: accountsv1.PurposeInvitation, Medium: medium, Recipient: "jane@example.com"}
			a.Invitation.Status.Deliveries = append(a.Invitation.Status.Deliveries, d)
		}
	}
}

// codeTo adds a code that was mailed to another address, before the Account was created.
func codeTo(email accountsv1.EmailAddress, sender string) func(*Acceptance) {
	return func(a *Acceptance) {
		a.Organization.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress
		requested := metav1.NewTime(noon.Add(-2 * time.Minute))
		a.Invitation.Status.OtherAddress = accountsv1.OtherAddress{Email: email, RequestTime: &requested, Requests: 2}
		a.Invitation.Status.Deliveries = append(a.Invitation.Status.Deliveries, accountsv1.Delivery{
			Name: "code-0-2", Purpose: accountsv1.PurposeCode, Medium: accountsv1.MediumEmail,
			Recipient: string(email), Sender: sender, ClaimTime: &requested,
		})
	}
}

// code changes the code that was mailed to another address.
func code(change func(*accountsv1.Delivery)) func(*Acceptance) {
	return func(a *Acceptance) { change(&a.Invitation.Status.Deliveries[len(a.Invitation.Status.Deliveries)-1]) }
}

func sentAs(sender string) func(*Acceptance) {
	return func(a *Acceptance) { a.Invitation.Status.Attempt.Sender = sender }
}

func createdThrough(uid string) func(*Facts) {
	return func(f *Facts) { f.Account.Spec.InvitationRef.UID = uid }
}

func TestWhichAcceptanceProvesAnAddress(t *testing.T) {
	const mail, link, sms, chat = accountsv1.MediumEmail, accountsv1.MediumLink, accountsv1.MediumSMS, accountsv1.MediumChat
	both := func(changes ...func(*Acceptance)) func(*Facts) {
		return accepted(func(a *Acceptance) {
			for _, change := range changes {
				change(a)
			}
		})
	}
	const elsewhere = "doe@example.net"
	cases := map[string]struct {
		facts Facts
		want  bool
	}{
		"a link that was mailed":                            {someFacts(createdThrough("i1"), both(linkBy(mail))), true},
		"a link that was mailed, by an Account that exists": {someFacts(createdThrough("i0"), both(linkBy(mail))), true},
		"a link in a Secret":                                {someFacts(createdThrough("i1"), both(linkBy(link))), false},
		"a link in a short message":                         {someFacts(createdThrough("i1"), both(linkBy(sms))), false},
		"a link that was mailed and put in a Secret":        {someFacts(createdThrough("i1"), both(linkBy(mail, link))), false},
		"a link that was mailed and posted":                 {someFacts(createdThrough("i1"), both(linkBy(mail, chat))), false},
		"a link mailed by the Organization's own server":    {someFacts(createdThrough("i1"), both(linkBy(mail), sentAs("Acme <a@acme.example>"))), false},
		"a code mailed to another address":                  {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(link), codeTo(elsewhere, ""))), true},
		"a code mailed by the Organization's own server":    {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(mail), codeTo(elsewhere, "Acme <a@acme.example>"))), false},
		"a code mailed to a third address":                  {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(mail), codeTo("eve@example.org", ""))), false},
		"an earlier code to another address": {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(mail), codeTo(elsewhere, ""),
			code(func(d *accountsv1.Delivery) { d.Name = "code-0-1" }))), false},
		"a code mailed after the Account was created": {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(mail), codeTo(elsewhere, ""),
			code(func(d *accountsv1.Delivery) { d.ClaimTime.Time = noon }))), false},
		"a code that was not mailed yet": {someFacts(createdThrough("i1"), withAddress(elsewhere), both(linkBy(mail), codeTo(elsewhere, ""),
			code(func(d *accountsv1.Delivery) { d.ClaimTime = nil }))), false},
		"a link that was mailed, in an acceptance that was carried out": {someFacts(createdThrough("i1"), both(linkBy(mail), func(a *Acceptance) {
			a.Invitation.Status.State = accountsv1.InvitationActive
		})), false},
		"another address of an Account that exists, and a code": {someFacts(createdThrough("i0"), withAddress(elsewhere), both(linkBy(mail), codeTo(elsewhere, ""))), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.facts.PlatformSender = platformSender
			record(`acme/jane`)(&c.facts)
			plan := Decide(c.facts)
			if got := plan.EmailVerified != ""; got != c.want {
				t.Fatalf("the record is %q", plan.EmailVerified)
			}
			if c.want {
				c.facts.Account.Annotations[accountsv1.EmailVerifiedAnnotation] = plan.EmailVerified
			}
			if got := slices.ContainsFunc(Report(c.facts).Conditions, func(c metav1.Condition) bool {
				return c.Type == accountsv1.ConditionEmailVerified && c.Status == metav1.ConditionTrue
			}); got != c.want {
				t.Errorf("EmailVerified is %v", got)
			}
		})
	}
}

func TestTheProofIsRecordedWithTheFirstMembership(t *testing.T) {
	f := someFacts(createdThrough("i1"), accepted(linkBy(accountsv1.MediumEmail)))
	f.PlatformSender = platformSender
	if plan := Decide(f); plan.Record == nil || plan.EmailVerified == "" {
		t.Errorf("the plan is %+v", plan)
	}
	f.Accepted[0].Membership = nil
	if plan := Decide(f); plan.Annotates() {
		t.Errorf("before the Membership exists, the plan is %+v", plan)
	}
}

func TestARecordThatTheAddressIsProvedOutlivesTheStatus(t *testing.T) {
	f := janes()
	delete(f.Account.Annotations, accountsv1.EmailVerifiedAnnotation)
	VerifyEmail(f.Account, metav1.NewTime(noon))
	plan := Decide(f)
	if plan.EmailVerified != "2026-11-21T12:00:00Z" {
		t.Fatalf("the record is %q", plan.EmailVerified)
	}
	f.Account.Annotations[accountsv1.EmailVerifiedAnnotation] = plan.EmailVerified
	f.Account.Status = accountsv1.AccountStatus{}
	if !f.Account.EmailVerified() || Decide(f).EmailVerified != "" {
		t.Error("after a restore, the address is no longer proved, or is recorded again")
	}
}

// codes has an Account whose address is not proved.
type codes struct {
	*testing.T
	keys invitation.Keyring
	a    *accountsv1.Account
}

func unproved(t *testing.T) codes {
	t.Helper()
	keys, err := invitation.ParseKeyring(map[string][]byte{"key-1": make([]byte, invitation.KeySize)})
	if err != nil {
		t.Fatal(err)
	}
	a := janes().Account
	delete(a.Annotations, accountsv1.EmailVerifiedAnnotation)
	return codes{t, keys, a}
}

// ask requests a code at some time after noon, and reports whether it is recorded.
func (c codes) ask(after time.Duration) bool {
	return RequestEmailCode(c.a, metav1.NewTime(noon.Add(after)))
}

// enter enters a code at some time after noon.
func (c codes) enter(typed string, after time.Duration) (right, valid bool) {
	c.Helper()
	right, valid, err := EnterEmailCode(c.a, c.keys, typed, metav1.NewTime(noon.Add(after)))
	if err != nil {
		c.Fatal(err)
	}
	return right, valid
}

// mailed returns the code of the newest request.
func (c codes) mailed() string {
	c.Helper()
	code, err := EmailCode(c.keys, c.a)
	if err != nil {
		c.Fatal(err)
	}
	return code
}

func TestACodeConfirmsTheAddress(t *testing.T) {
	c := unproved(t)
	if _, err := EmailCode(c.keys, c.a); err == nil {
		t.Error("there is a code without a request")
	}
	if _, valid := c.enter("12345678", 0); valid {
		t.Error("a code counts without a request")
	}
	c.ask(0)
	code := c.mailed()
	if _, valid := c.enter(code, invitation.CodeValidity); valid {
		t.Error("a code counts after ten minutes")
	}
	if right, valid := c.enter(code[:4]+" "+code[4:], invitation.CodeValidity-time.Second); !right || !valid || !c.a.EmailVerified() {
		t.Error("the right code does not confirm the address")
	}
	if c.ask(time.Hour) {
		t.Error("a code is mailed for an address that is confirmed")
	}
}

func TestWrongCodesForAnAddressAreCounted(t *testing.T) {
	c := unproved(t)
	c.ask(0)
	code := c.mailed()
	for range MostEmailCodeGuesses {
		if right, valid := c.enter("wrong", time.Second); right || !valid {
			t.Fatal("a wrong code is not one")
		}
	}
	if _, valid := c.enter(code, time.Second); valid || c.a.EmailVerified() {
		t.Error("a sixth code counts")
	}
	if !c.ask(time.Minute) || c.a.Status.EmailCodeGuesses != 0 {
		t.Fatal("there is no other code")
	}
	if right, _ := c.enter(code, time.Minute); right {
		t.Error("the code of an earlier request is right")
	}
	other := unproved(t)
	other.a.UID = "0b5d8f2e-7a3c-4e1d-9f60-2c4b8a7d1e3f"
	other.ask(time.Minute)
	if other.mailed() == c.mailed() {
		t.Error("two Accounts have the same code")
	}
}

func TestHowManyCodesForAnAddressAreMailed(t *testing.T) {
	c, sent := unproved(t), 0
	if !c.ask(0) || c.ask(59*time.Second) {
		t.Error("a code cannot be requested once a minute")
	}
	for minute := 1; minute < 24*60; minute++ {
		if c.ask(time.Duration(minute) * time.Minute) {
			sent++
		}
	}
	if sent != mostRequests-1 {
		t.Errorf("%d codes are mailed in a day", sent+1)
	}
}

func TestTheMailWithTheCode(t *testing.T) {
	f := janes(func(f *Facts) {
		delete(f.Account.Annotations, accountsv1.EmailVerifiedAnnotation)
		f.Account.Status.EmailCodeTimes = []metav1.Time{metav1.NewTime(noon)}
	})
	claim := Decide(f).Claim
	if claim == nil || claim.Delivery.Purpose != accountsv1.PurposeCode || claim.Delivery.Recipient != "jane@example.com" {
		t.Fatalf("the claim is %+v", claim)
	}
	for name, change := range map[string]func(*Facts){
		"after ten minutes":                  func(f *Facts) { f.Now = noon.Add(invitation.CodeValidity) },
		"once the address is confirmed":      func(f *Facts) { f.Account.Annotations[accountsv1.EmailVerifiedAnnotation] = "2026-11-21T12:00:01Z" },
		"once too many codes were wrong":     func(f *Facts) { f.Account.Status.EmailCodeGuesses = MostEmailCodeGuesses },
		"without a request, after a restore": func(f *Facts) { f.Account.Status.EmailCodeTimes = nil },
	} {
		late := f
		late.Account = f.Account.DeepCopy()
		change(&late)
		if got := Decide(late).Claim; got != nil {
			t.Errorf("%s, a code is mailed", name)
		}
	}
}
