// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
	"github.com/usher-dev/usher/internal/secondfactor"
)

// TestALockedOutOwnerRecoversByReset has an attacker keep the last owner
// locked for a day and use up the mails that can be requested in the owner's
// name. Once per hour the owner also requests a link, and opens the newest link
// that was mailed.
func TestALockedOutOwnerRecoversByReset(t *testing.T) {
	w := worldWith(t, acmeMember(t, "jane")...)
	w.Organization(func(o *accountsv1.Organization) {
		o.Spec.Roles = []accountsv1.Role{{Name: "developer", Standing: accountsv1.StandingOwner}}
	})
	keepOut := func() {
		for range 5 {
			w.browser().signIn("jane", "wrong")
		}
		for range 3 {
			expect(t, w.post("/reset", resetRequest("jane")), 200)
			w.Clock.Step(time.Minute)
		}
	}
	asked := map[string]bool{}
	for hour := range 24 {
		w.Clock.SetTime(storetest.Start.Add(time.Duration(hour) * time.Hour))
		keepOut()
		expect(t, w.browser().signIn("jane", validPassword), 422, refused)
		expect(t, w.post("/reset", resetRequest("jane")), 200)
		newest := w.Account("jane").Status.ResetTimes[0]
		expect(t, w.get(w.resetPath("jane", newest.Time)), 200, "Choose a new password")
		for _, each := range w.resetTimes("jane") {
			asked[each] = true
		}
	}
	if len(asked) > 24+5 {
		t.Errorf("%d mails in a day", len(asked))
	}

	used := w.Account("jane").Status.ResetTimes[0].Time
	path := w.resetPath("jane", used)
	expect(t, w.post(path, newPasswords(otherPassword)), 200, "Your password has been changed")
	b := w.browser()
	if expectTo(t, b.signIn("jane", otherPassword), "/account?lang=en"); !b.isIn() {
		t.Error("the owner is still locked out")
	}

	// The attacker starts again. That link is used, and its hour is not over.
	keepOut()
	if !b.isIn() {
		t.Error("the guesses ended the owner's session")
	}
	newest := w.Account("jane").Status.ResetTimes[0].Time
	if !newest.After(used) || newest.After(used.Add(account.ResetValidity)) {
		t.Errorf("links were requested at %s and %s", used, newest)
	}
	expect(t, w.get(w.resetPath("jane", newest)), 200, "Choose a new password")
}

// TestAMailboxThiefGetsNoMoreCodesByResets has an attacker reset the password by mail as
// often as possible, and guess codes with each new password. Neither the resets nor the
// right passwords give the attacker more codes than the locks allow.
func TestAMailboxThiefGetsNoMoreCodesByResets(t *testing.T) {
	secret, err := secondfactor.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, standing := range map[string]accountsv1.RoleStanding{"a member": "", "an owner": accountsv1.StandingOwner} {
		t.Run(name, func(t *testing.T) {
			w := worldWith(t, acmeMember(t, "jane", withApp(secret))...)
			w.Organization(func(o *accountsv1.Organization) {
				o.Spec.Roles = []accountsv1.Role{{Name: "developer", Standing: standing}}
			})
			counted, resets := 0, 0
			for minute := range 60 {
				w.Clock.SetTime(storetest.Start.Add(time.Duration(minute) * time.Minute))
				chosen := fmt.Sprintf("%s %d", otherPassword, minute)
				expect(t, w.post("/reset", resetRequest("jane")), 200)
				path := w.resetPath("jane", w.Account("jane").Status.ResetTimes[0].Time)
				if w.post(path, newPasswords(chosen)).Code == 200 {
					resets++
				}
				counted += w.guessCodes(chosen, wrongFor(w.appCode(secret)))
			}
			if counted != 10 || resets < 50 {
				t.Errorf("%d codes were checked in an hour of %d resets, want 10", counted, resets)
			}
		})
	}
}

// guessCodes signs in with the right password and enters a wrong code six times. It returns
// how many of them were counted.
func (w *world) guessCodes(password, code string) (counted int) {
	w.T.Helper()
	b := w.browser()
	b.signIn("jane", password)
	for range 6 {
		before := w.Account("jane").Status.SignIn
		b.code(code)
		if !cmp.Equal(w.Account("jane").Status.SignIn, before) {
			counted++
		}
	}
	return counted
}
