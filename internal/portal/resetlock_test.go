// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal/store/storetest"
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
	if b.isIn() {
		t.Error("the lock ended no session")
	}
	newest := w.Account("jane").Status.ResetTimes[0].Time
	if !newest.After(used) || newest.After(used.Add(account.ResetValidity)) {
		t.Errorf("links were requested at %s and %s", used, newest)
	}
	expect(t, w.get(w.resetPath("jane", newest)), 200, "Choose a new password")
}
