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
		"a seat that is not assigned yet": {someFacts(seats(2, accountsv1.SeatHolder{Name: "john"})), says{
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
		"a seat, and the link was sent": {someFacts(seats(1, hers(1)), tried(me, accountsv1.DeliverySent, 1)), says{
			"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s",
		}},
		"a seat for the previous attempt, whose continuation is not decided yet": {
			someFacts(seats(1, hers(1)), tried(me, accountsv1.DeliverySent, 1), asked(aRequest), at(week)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait"},
		},
		"a seat for the next attempt": {
			someFacts(seats(1, hers(2)), tried(me, accountsv1.DeliverySent, 1), asked(aRequest)),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 2"},
		},
		"a seat of the person's Membership": {someFacts(seats(1, accountsv1.SeatHolder{Name: "jane"})), says{
			"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait",
		}},
		"no seat any more, and the link was sent": {someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), tried(me, accountsv1.DeliverySent, 1)), says{
			"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait 168h0m0s",
		}},
		"a seat list that is being rebuilt, and the link was sent": {
			someFacts(tried(me, accountsv1.DeliverySent, 1), func(f *Facts) { f.Organization.Spec.Seats = 1 }),
			says{"Pending", "True AwaitingAcceptance", "False NotAccepted", "True AwaitingAcceptance", "wait 168h0m0s"},
		},
		"a seat list that is being rebuilt, and nothing was sent": {
			someFacts(func(f *Facts) { f.Organization.Spec.Seats = 1 }),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "wait"},
		},
		"no seat for a resend of a declined invitation": {
			someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), tried(me, accountsv1.DeliverySent, 1), declining, asked(aRequest)),
			says{"Failed", "False SeatsExhausted Stalled", "False SeatsExhausted", "False SeatsExhausted", "wait 168h0m0s"},
		},
		"no seat, for a role that needs none": {
			someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}), func(f *Facts) { f.Organization.Spec.Roles[0].Seat = accountsv1.SeatFree }),
			says{"Sending", "False Sending Reconciling", "False NotAccepted", "False Sending", "attempt 1"},
		},
	}.check(t)
}

func TestAcceptanceNeedsASeat(t *testing.T) {
	keys := someKeys(t, 7)
	john := accountsv1.SeatHolder{Name: "john"}
	for name, c := range map[string]struct {
		change func(*Facts)
		want   LinkStatus
	}{
		"a seat":                                     {seats(1, hers(1)), LinkOpen},
		"a seat for the next attempt as well":        {seats(1, hers(2)), LinkOpen},
		"a seat in a list that exceeds the limit":    {seats(1, hers(1), john), LinkOpen},
		"no limit":                                   {func(f *Facts) { f.Organization.Spec.Seats = 0 }, LinkOpen},
		"a list that is being rebuilt":               {func(f *Facts) { f.Organization.Spec.Seats = 1 }, LinkOpen},
		"all seats are assigned to others":           {seats(1, john), LinkSeatless},
		"a free seat that is not assigned yet":       {seats(2, john), LinkSeatless},
		"a seat of an earlier Invitation":            {seats(2, accountsv1.SeatHolder{Name: "jane", InvitationUID: "earlier", Attempt: 9}), LinkSeatless},
		"a seat of another person's Invitation":      {seats(2, accountsv1.SeatHolder{Name: "john", InvitationUID: someUID, Attempt: 1}), LinkSeatless},
		"a role without seats while no seat is free": {func(f *Facts) { seats(1, john)(f); f.Organization.Spec.Roles[0].Seat = accountsv1.SeatFree }, LinkOpen},
		"accepted, and the seat was lost later":      {func(f *Facts) { seats(1, john)(f); accepting(f) }, LinkUsed},
		"expired, without a seat":                    {func(f *Facts) { seats(1, john)(f); state("Expired")(f) }, LinkExpired},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(tried(me, accountsv1.DeliverySent, 1), c.change)
			if got := f.Check(linkOf(t, keys, f.Invitation), keys, f.Now); got != c.want {
				t.Errorf("the link is %v, not %v", got, c.want)
			}
		})
	}
}

func TestWantsSeat(t *testing.T) {
	mailed := tried(me, accountsv1.DeliverySent, 1)
	failed := func(reason string) func(*Facts) {
		return func(f *Facts) {
			state("Failed")(f)
			// The result of a failed request: Ready has the reason Error, and Pending
			// keeps its last reason.
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
		"new":                             {someFacts(), 1, true},
		"being sent":                      {someFacts(tried(me, "", 1), state("Sending")), 1, true},
		"sent":                            {someFacts(mailed, state("Pending")), 1, true},
		"sent, and a resend is requested": {someFacts(mailed, state("Pending"), asked(aRequest)), 2, true},
		"sent, and an invalid resend is requested": {someFacts(mailed, state("Pending"), asked("now")), 1, true},
		"accepted, and not carried out yet":        {someFacts(mailed, state("Pending"), accepting), 1, true},
		"history":                                  {someFacts(mailed, state("Active")), 0, false},
		"expired":                                  {someFacts(mailed, state("Expired")), 1, false},
		"declined":                                 {someFacts(mailed, state("Declined"), declining), 1, false},
		"expired, and a resend is requested":       {someFacts(mailed, state("Expired"), asked(aRequest)), 2, true},
		"declined, and a resend is requested":      {someFacts(mailed, state("Declined"), declining, asked(aRequest)), 2, true},
		"without a role":                           {someFacts(mailed, failed("RoleNotFound")), 1, false},
		"waiting for a seat":                       {someFacts(failed("SeatsExhausted")), 1, true},
		"waiting for a seat for a resend":          {someFacts(mailed, failed("SeatsExhausted"), asked(aRequest)), 2, true},
		"held":                                     {someFacts(cameBack, failed("MailHeld")), 1, false},
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
