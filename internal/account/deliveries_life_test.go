// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
)

// life is an Account over time: what people do, and how the controller reacts when it
// reconciles.
type life struct {
	Facts
	keys invitation.Keyring
	// processes counts the processes so far.
	processes int
	// ids are the Message-IDs of the deliveries. taken are the mails that the mail server
	// accepted and that were recorded.
	ids   map[string]string
	taken map[string]bool
	// wrong lists violations of what must never happen.
	wrong []string
}

// second returns a time as the portal writes it.
func (l *life) second() *metav1.Time {
	t := metav1.NewTime(l.Now.Truncate(time.Second))
	return &t
}

// look is one reconciliation. how is the result of a send.
func (l *life) look(how string) Plan {
	plan := Decide(l.Facts)
	if plan.EmailVerified != "" {
		annotate(l.Account, accountsv1.EmailVerifiedAnnotation, plan.EmailVerified)
		plan = Decide(l.Facts)
	}
	if plan.Claim == nil {
		l.Account.Status = Report(l.Facts)
		return plan
	}
	if how == "another writer was first" {
		return plan
	}
	l.Account.Status = Report(l.Facts)
	Begin(&l.Account.Status, *plan.Claim)
	l.send(plan.Claim.Name)
	// All mails about an Account are emails, so copies can be recognized.
	media := delivery.Media{accountsv1.MediumEmail: {CopyRecognisable: true}}
	end := func(result accountsv1.DeliveryResult, answer string) {
		media.End(l.Account.Status.Deliveries, plan.Claim.Name, result, answer, l.Now)
	}
	switch how {
	case "accepted":
		end(accountsv1.DeliverySent, "")
		l.taken[plan.Claim.Name] = true
	case "refused":
		end(accountsv1.DeliveryRefused, "no such person")
	case "temporary failure":
		end(accountsv1.DeliveryTemporaryFailure, "temporary failure")
	case "the process dies":
		l.processes++
		l.ClaimOwner = fmt.Sprintf("usher-%d", l.processes)
	}
	l.Account.Status = Report(l.Facts)
	return plan
}

// send checks a mail that is sent.
func (l *life) send(name string) {
	d := delivery.Find(l.Account.Status.Deliveries, name)
	if d.Recipient != "jane@example.com" {
		l.complain("%s is sent to %s", name, d.Recipient)
	}
	if l.taken[name] {
		l.complain("%s is sent again", name)
	}
	if id, found := l.ids[name]; found && id != d.MessageID {
		l.complain("%s is sent as %s and as %s", name, id, d.MessageID)
	}
	l.ids[name] = d.MessageID
	if d.Purpose != accountsv1.PurposeReset {
		return
	}
	text, err := DeriveResetLink(l.keys, string(l.Account.UID), l.Account.Status.ResetTimes[0].Time)
	if err != nil {
		l.complain("%v", err)
	}
	link, _ := ParseResetLink(text)
	var password time.Time
	if changed := l.Account.Status.PasswordTime; changed != nil {
		password = changed.Time
	}
	if standing := CheckReset(link, l.Account, password, l.keys, l.Now); standing != ResetLinkOpen {
		l.complain("%s is sent, but its link has status %d", name, standing)
	}
}

func (l *life) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// happenings returns what people can do.
func (l *life) happenings() map[string]func(*rapid.T) {
	status := func() *accountsv1.AccountStatus { return &l.Account.Status }
	ask := func(o metav1.Object, annotation string) func(*rapid.T) {
		return func(t *rapid.T) {
			skew := time.Duration(rapid.IntRange(-5, 5).Draw(t, "skew")) * time.Second
			annotate(o, annotation, l.Now.Add(skew).Format(time.RFC3339))
		}
	}
	return map[string]func(*rapid.T){
		"time passes": func(t *rapid.T) {
			l.Now = l.Now.Add(rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, 16 * time.Minute, time.Hour, 25 * time.Hour}).Draw(t, "time"))
		},
		"a password is tried": func(*rapid.T) { Count(&status().SignIn, FactorPassword, l.limits(), *l.second()) },
		"a code is tried":     func(*rapid.T) { Count(&status().SignIn, FactorCode, l.limits(), *l.second()) },
		"the member signs in": func(*rapid.T) { ClearPasswords(&status().SignIn); CodeRight(&status().SignIn) },
		"the member forgets the password": func(*rapid.T) {
			if MayRequest(status().ResetTimes, l.Now) {
				status().ResetTimes = Requested(status().ResetTimes, *l.second())
			}
		},
		"the member forgets the user name": func(*rapid.T) {
			if MayRequest(status().UserNameTimes, l.Now) {
				status().UserNameTimes = Requested(status().UserNameTimes, *l.second())
			}
		},
		"the member requests a code for the address": func(*rapid.T) { RequestEmailCode(l.Account, *l.second()) },
		"the member enters a wrong code": func(t *rapid.T) {
			if _, _, err := EnterEmailCode(l.Account, l.keys, "wrong", *l.second()); err != nil {
				t.Fatal(err)
			}
		},
		"the member confirms the address": func(*rapid.T) { VerifyEmail(l.Account, *l.second()) },
		"the member chooses a password": func(*rapid.T) {
			status().PasswordTime = l.second()
			ClearPasswords(&status().SignIn)
		},
		"the member adds a second factor": func(*rapid.T) { status().SecondFactorTime = l.second() },
		"an admin requests a reset":       ask(l.Account, accountsv1.ResetAnnotation),
		"an admin requests an unlock":     ask(l.Account, accountsv1.UnlockAnnotation),
		"a manager requests an unlock":    ask(l.Belongings[0].Membership, accountsv1.UnlockAnnotation),
		"a manager requests a reset":      ask(l.Belongings[0].Membership, accountsv1.ResetAnnotation),
		"an admin disables the Account":   func(*rapid.T) { l.Account.Spec.State = accountsv1.AccountSwitchDisabled },
		"an admin enables the Account":    func(*rapid.T) { l.Account.Spec.State = accountsv1.AccountSwitchActive },
		"the controller reconciles": func(t *rapid.T) {
			l.look(rapid.SampledFrom([]string{"accepted", "refused", "temporary failure", "the process dies", "another writer was first"}).Draw(t, "end"))
		},
	}
}

// settle makes the mail server accept everything, until nothing is left to do soon.
func (l *life) settle() {
	for range 100 {
		plan := l.look("accepted")
		if plan.Claim == nil && (plan.After == 0 || plan.After > delivery.LongestBackoff) {
			return
		}
		l.Now = l.Now.Add(plan.After)
	}
	l.complain("the controller never stops writing")
}

// For every order of events, and wherever processes die, each event is mailed only to the
// address of the Account. It is mailed once, unless the result of a send is unknown. No
// dead link is mailed.
func TestWhatIsToBeToldIsToldOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{Facts: janes(), ids: map[string]string{}, taken: map[string]bool{}}
		delete(l.Account.Annotations, accountsv1.EmailVerifiedAnnotation)
		var err error
		if l.keys, err = invitation.ParseKeyring(map[string][]byte{"key-1": make([]byte, invitation.KeySize)}); err != nil {
			t.Fatal(err)
		}
		check := func(t *rapid.T) {
			l.Now = l.Now.Add(time.Second)
			if len(l.wrong) > 0 {
				t.Fatal(l.wrong)
			}
		}
		happenings := l.happenings()
		happenings[""] = check
		t.Repeat(happenings)
		l.settle()
		check(t)
		settled(t, l)
	})
}

// mostDeliveries is the limit of the API.
const mostDeliveries = 20

// settled checks an Account for which nothing is left to do.
func settled(t *rapid.T, l *life) {
	l.Now = l.Now.Add(-time.Second) // the time of the last reconciliation
	if diff := cmp.Diff(l.Account.Status, Report(l.Facts)); diff != "" {
		t.Errorf("another reconciliation writes:\n%s", diff)
	}
	status := l.Account.Status
	for _, o := range l.occasions() {
		if d := delivery.Find(status.Deliveries, o.name); o.open && (d == nil || !delivery.Finished(*d)) {
			t.Errorf("no mail was sent about %s", o.name)
		}
	}
	var names []string
	for _, d := range status.Deliveries {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	if len(names) > mostDeliveries || len(slices.Compact(names)) != len(status.Deliveries) || len(status.ResetTimes) > 5 || len(status.UserNameTimes) > 5 {
		t.Errorf("the API server refuses the status: %v, %v, %v", names, status.ResetTimes, status.UserNameTimes)
	}
}

// TestTheStatusHoldsAllMailsAtOnce has a mail server that is away while everything happens
// that people are told about.
func TestTheStatusHoldsAllMailsAtOnce(t *testing.T) {
	at := func(ago time.Duration) *metav1.Time {
		t := metav1.NewTime(noon.Add(-ago))
		return &t
	}
	f := janes(failed(5, time.Minute))
	delete(f.Account.Annotations, accountsv1.EmailVerifiedAnnotation)
	status := &f.Account.Status
	status.SignIn.CodeFailures, status.SignIn.CodeFailureTime = 5, at(time.Minute)
	status.ResetTimes, status.UserNameTimes, status.EmailCodeTimes = []metav1.Time{*at(time.Minute)}, []metav1.Time{*at(time.Minute)}, []metav1.Time{*at(time.Minute)}
	status.PasswordTime, status.SecondFactorTime = at(2*time.Minute), at(time.Minute)
	for i := range 5 {
		hour := time.Duration(i+1) * time.Hour
		status.UnlockTimes = append(status.UnlockTimes, *at(hour))
		d := accountsv1.Delivery{Purpose: accountsv1.PurposeLocked, Medium: accountsv1.MediumEmail}
		d.Name = fmt.Sprintf("locked-%d", at(hour+time.Minute).Unix())
		status.Deliveries = append(status.Deliveries, d)
	}
	l := &life{Facts: f, ids: map[string]string{}, taken: map[string]bool{}}
	for range 2 * mostDeliveries {
		l.look("temporary failure")
	}
	if n := len(l.Account.Status.Deliveries); n != 17 || n > mostDeliveries {
		t.Errorf("there are %d mails", n)
	}
}
