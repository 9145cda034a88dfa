// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// hers is a seat of the Invitation, up to an attempt.
func hers(attempt int32) accountsv1.SeatHolder {
	return accountsv1.SeatHolder{Name: "jane", InvitationUID: someUID, Attempt: attempt}
}

func TestSeats(t *testing.T) {
	week := DefaultValidity
	situations{
		"no seat": {someFacts(seats(1, accountsv1.SeatHolder{Name: "john"})), says{
			"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait",
		}},
		"a seat that nobody has given yet": {someFacts(seats(2, accountsv1.SeatHolder{Name: "john"})), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait",
		}},
		"a seat": {someFacts(seats(1, hers(1))), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1",
		}},
		"a seat of an earlier Invitation of that name": {
			someFacts(seats(1, accountsv1.SeatHolder{Name: "jane", InvitationUID: "earlier", Attempt: 1})), says{
				"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait",
			},
		},
		"a seat, and the mail is out": {someFacts(seats(1, hers(1)), tried(me, accountsv1.DeliverySent, 1)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"a seat for the attempt before, and it is being found out whether it goes on": {
			someFacts(seats(1, hers(1)), tried(me, accountsv1.DeliverySent, 1), asked(aRequest), at(week)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait"},
		},
		"a seat for the next attempt": {
			someFacts(seats(1, hers(2)), tried(me, accountsv1.DeliverySent, 1), asked(aRequest)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2"},
		},
		"a seat that her Membership had": {someFacts(seats(1, accountsv1.SeatHolder{Name: "jane"})), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait",
		}},
		"no seat any more, and the mail is out": {someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), tried(me, accountsv1.DeliverySent, 1)), says{
			"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait 168h0m0s",
		}},
		"a list of seats that is being made anew, and the mail is out": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Organization.Spec.Seats = 1 }),
			says{"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"},
		},
		"a list of seats that is being made anew, and nothing has been mailed": {
			someFacts(func(f *Facts) { f.Organization.Spec.Seats = 1 }),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait"},
		},
		"no seat for another mailing of what was declined": {
			someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), tried(me, accountsv1.DeliverySent, 1), declining, asked(aRequest)),
			says{"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait 168h0m0s"},
		},
		"no seat, for a role that needs none": {
			someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), func(f *Facts) { f.Organization.Spec.Roles[0].Seat = accountsv1.SeatFree }),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1"},
		},
	}.check(t)
}

func TestOnlyWhoHasASeatCanAccept(t *testing.T) {
	keys := someKeys(t, 7)
	john := accountsv1.SeatHolder{Name: "john"}
	for name, c := range map[string]struct {
		change func(*Facts)
		want   Standing
	}{
		"a seat":                                   {seats(1, hers(1)), Open},
		"a seat for the next attempt as well":      {seats(1, hers(2)), Open},
		"her seat, in a list that is over full":    {seats(1, hers(1), john), Open},
		"no limit":                                 {func(f *Facts) { f.Organization.Spec.Seats = 0 }, Open},
		"a list that is being made anew":           {func(f *Facts) { f.Organization.Spec.Seats = 1 }, Open},
		"all seats are others'":                    {seats(1, john), Full},
		"a seat is free, and has not been given":   {seats(2, john), Full},
		"a seat of an earlier Invitation":          {seats(2, accountsv1.SeatHolder{Name: "jane", InvitationUID: "earlier", Attempt: 9}), Full},
		"a seat of somebody else's Invitation":     {seats(2, accountsv1.SeatHolder{Name: "john", InvitationUID: someUID, Attempt: 1}), Full},
		"a role without seats, and none is left":   {func(f *Facts) { seats(1, john)(f); f.Organization.Spec.Roles[0].Seat = accountsv1.SeatFree }, Open},
		"it was accepted, and the seat went since": {func(f *Facts) { seats(1, john)(f); accepting(f) }, Used},
		"its time is over, and so is the seat":     {func(f *Facts) { seats(1, john)(f); state("Expired")(f) }, Expired},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(tried(me, accountsv1.DeliverySent, 1), c.change)
			if got := f.Check(linkOf(t, keys, f.Invitation), keys, f.Now); got != c.want {
				t.Errorf("the link is %v, not %v", got, c.want)
			}
		})
	}
}

func TestWhoWantsASeat(t *testing.T) {
	mailed := tried(me, accountsv1.DeliverySent, 1)
	failed := func(reason string) func(*Facts) {
		return func(f *Facts) {
			state("Failed")(f)
			// What a failed request leaves: Ready says Error, and Pending what was said last.
			f.Invitation.Status.Conditions = []metav1.Condition{
				{Type: "Ready", Status: "False", Reason: "Error"}, {Type: "Pending", Status: "False", Reason: reason},
			}
		}
	}
	for name, c := range map[string]struct {
		facts   Facts
		attempt int32
		wanted  bool
	}{
		"new":                                   {someFacts(), 1, true},
		"being mailed":                          {someFacts(tried(me, "", 1), state("Sending")), 1, true},
		"out":                                   {someFacts(mailed, state("Pending")), 1, true},
		"out, and asked for again":              {someFacts(mailed, state("Pending"), asked(aRequest)), 2, true},
		"out, and asked for again in vain":      {someFacts(mailed, state("Pending"), asked("now")), 1, true},
		"accepted, and not carried out yet":     {someFacts(mailed, state("Pending"), accepting), 1, true},
		"history":                               {someFacts(mailed, state("Active")), 0, false},
		"expired":                               {someFacts(mailed, state("Expired")), 1, false},
		"declined":                              {someFacts(mailed, state("Declined"), declining), 1, false},
		"expired, and asked for again":          {someFacts(mailed, state("Expired"), asked(aRequest)), 2, true},
		"declined, and asked for again":         {someFacts(mailed, state("Declined"), declining, asked(aRequest)), 2, true},
		"without a role":                        {someFacts(mailed, failed("RoleNotFound")), 1, false},
		"waiting for a seat":                    {someFacts(failed("SeatsExhausted")), 1, true},
		"waiting for a seat to be mailed again": {someFacts(mailed, failed("SeatsExhausted"), asked(aRequest)), 2, true},
		"held":                                  {someFacts(cameBack, failed("MailHeld")), 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			attempt, wanted := WantsSeat(c.facts.Invitation, c.facts.Membership)
			if wanted != c.wanted || wanted && attempt != c.attempt {
				t.Errorf("attempt %d: %v, not %d: %v", attempt, wanted, c.attempt, c.wanted)
			}
		})
	}
}

func TestWhichRolesTakeSeats(t *testing.T) {
	org := someFacts(seats(3)).Organization
	org.Spec.Roles[1].Seat = accountsv1.SeatFree
	org.Spec.Roles = append(org.Spec.Roles,
		accountsv1.Role{Name: "partner", Standing: accountsv1.StandingGuest},
		accountsv1.Role{Name: "consultant", Standing: accountsv1.StandingGuest, Seat: accountsv1.SeatCounted},
		accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner})
	for role, want := range map[accountsv1.CatalogueName]bool{
		"developer": true, "observer": false, "astronaut": true, "partner": false, "consultant": true, "owner": true,
	} {
		if got := Counted(org, role); got != want {
			t.Errorf("%s: %v", role, got)
		}
	}
	org.Spec.Seats = 0
	if Counted(org, "developer") {
		t.Error("without a limit, a role takes a seat")
	}
}
