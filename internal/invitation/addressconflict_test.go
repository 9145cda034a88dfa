// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// toTheSame returns another Invitation to the same address.
func toTheSame(name string, changes ...func(*Facts)) accountsv1.Invitation {
	f := someFacts(changes...)
	f.Invitation.Name, f.Invitation.UID = name, types.UID(name)
	return *f.Invitation
}

func createdAt(t time.Time) func(*Facts) {
	return func(f *Facts) { f.Invitation.CreationTimestamp = *second(t) }
}

func going(f *Facts) { f.Invitation.DeletionTimestamp = second(claimed) }

func TestFindRival(t *testing.T) {
	member := func(name string, state accountsv1.MembershipState, heldBy accountsv1.AccountName) accountsv1.Membership {
		m := accountsv1.Membership{Status: accountsv1.MembershipStatus{State: state}}
		m.Name, m.Status.AccountRef.Name = name, heldBy
		return m
	}
	account := accountsv1.Account{}
	account.Name = "jane.acme"
	out := tried(me, accountsv1.DeliverySent, 1)
	invitations := func(others ...accountsv1.Invitation) AddressUses { return AddressUses{Invitations: others} }
	for name, c := range map[string]struct {
		own    []func(*Facts)
		others AddressUses
		want   AddressConflict
	}{
		"no other object":                {nil, AddressUses{}, AddressConflict{}},
		"a member":                       {nil, AddressUses{Memberships: []accountsv1.Membership{member("jane-2", "Active", "jane")}}, AddressConflict{Reason: "AddressIsMember", Name: "jane-2"}},
		"the Membership of its own name": {nil, AddressUses{Memberships: []accountsv1.Membership{member("jane", "Active", "jane")}}, AddressConflict{}},
		"a member whose Account is disabled, or who lacks a second factor": {
			nil, AddressUses{Memberships: []accountsv1.Membership{member("jane-2", "Inactive", "jane")}}, AddressConflict{Reason: "AddressIsMember", Name: "jane-2"},
		},
		"a Membership that no Account holds": {nil, AddressUses{Memberships: []accountsv1.Membership{member("jane-2", "Invited", ""), member("jane-3", "Expired", ""), member("jane-4", "Inactive", "")}}, AddressConflict{}},
		"an Account":                         {nil, AddressUses{Accounts: []accountsv1.Account{account}}, AddressConflict{Reason: "AddressHasAccount", Name: "jane.acme"}},
		"a member before an Account": {
			nil, AddressUses{Accounts: []accountsv1.Account{account}, Memberships: []accountsv1.Membership{member("jane-2", "Active", "jane")}}, AddressConflict{Reason: "AddressIsMember", Name: "jane-2"},
		},
		"the Invitation itself":                            {nil, invitations(toTheSame("jane", out, state("Pending"))), AddressConflict{}},
		"an Invitation that was sent":                      {nil, invitations(toTheSame("jane-2", out, state("Pending"))), AddressConflict{Reason: "AddressInvited", Name: "jane-2"}},
		"an Invitation that is being sent":                 {nil, invitations(toTheSame("jane-2", out, state("Sending"))), AddressConflict{Reason: "AddressInvited", Name: "jane-2"}},
		"an Invitation that was declined":                  {nil, invitations(toTheSame("jane-2", out, state("Declined"))), AddressConflict{}},
		"an Invitation that has expired":                   {nil, invitations(toTheSame("jane-2", out, state("Expired"))), AddressConflict{}},
		"an Invitation that failed":                        {nil, invitations(toTheSame("jane-2", out, state("Failed"))), AddressConflict{}},
		"an Invitation that is history":                    {nil, invitations(toTheSame("jane-2", out, state("Active"))), AddressConflict{}},
		"an Invitation that was sent and is being deleted": {nil, invitations(toTheSame("jane-2", out, state("Pending"), going)), AddressConflict{}},
		"an older one that was not reconciled yet": {
			[]func(*Facts){createdAt(claimed)}, invitations(toTheSame("jane-2", createdAt(claimed.Add(-time.Second)))), AddressConflict{Reason: "AddressInvited", Name: "jane-2"},
		},
		"a younger one that was not reconciled yet": {[]func(*Facts){createdAt(claimed)}, invitations(toTheSame("jane-2", createdAt(claimed.Add(time.Second)))), AddressConflict{Undecided: true}},
		"one of the same age with an earlier name": {
			[]func(*Facts){createdAt(claimed)}, invitations(toTheSame("jana", createdAt(claimed))), AddressConflict{Reason: "AddressInvited", Name: "jana"},
		},
		"one of the same age with a later name": {
			[]func(*Facts){createdAt(claimed)}, invitations(toTheSame("jane-2", createdAt(claimed))), AddressConflict{Undecided: true},
		},
		"one of the same age with a later name that has yielded": {
			[]func(*Facts){createdAt(claimed)}, invitations(toTheSame("jane-2", createdAt(claimed), state("Failed"))), AddressConflict{},
		},
		"one of the same age, while this one was sent": {
			[]func(*Facts){createdAt(claimed), out}, invitations(toTheSame("jane-2", createdAt(claimed))), AddressConflict{},
		},
		"one that was sent later": {
			[]func(*Facts){out, state("Pending")}, invitations(toTheSame("jana", at(time.Second), out, state("Pending"))), AddressConflict{},
		},
		"one that was sent first, and sent again since": {
			[]func(*Facts){at(time.Minute), out, state("Pending")},
			invitations(toTheSame("jane-2", out, asked(aRequest), func(f *Facts) { f.Now = claimed.Add(time.Hour); step(f, "Sent") })),
			AddressConflict{Reason: "AddressInvited", Name: "jane-2"},
		},
		"one that was sent first and is older than this expired one": {
			[]func(*Facts){out, state("Expired")}, invitations(toTheSame("jane-2", at(time.Hour), out, state("Pending"))), AddressConflict{Reason: "AddressInvited", Name: "jane-2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(append([]func(*Facts){createdAt(claimed.Add(-time.Second))}, c.own...)...)
			got := FindAddressConflict(f.Invitation, c.others)
			if got != c.want {
				t.Errorf("it is %+v, not %+v", got, c.want)
			}
			if got.Reason == "" || !open(f.Invitation) {
				return
			}
			f.AddressConflict = got
			says, status := look(f)
			if says.state != "Failed" || says.ready != "False "+got.Reason+" Stalled" || Decide(f).Claim != nil {
				t.Errorf("with it, Report returns %+v", says)
			}
			if message := status.Conditions[0].Message; !strings.Contains(message, got.Name) {
				t.Errorf("the message does not name it: %s", message)
			}
		})
	}
}

// someRivals returns Invitations to one address with much in common.
func someRivals(t *rapid.T) []Facts {
	second := func(label string) time.Time {
		return claimed.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, label)) * time.Second)
	}
	others := make([]Facts, rapid.IntRange(1, 3).Draw(t, "how many"))
	for i := range others {
		f := someFacts(createdAt(second("created")))
		f.Invitation.Name = fmt.Sprintf("jane-%d", i)
		f.Invitation.UID = types.UID(strings.Replace(someUID, "6f1c2d3e", fmt.Sprintf("6f1c2d%02d", i), 1))
		if rapid.Bool().Draw(t, "mailed") {
			f.Now = second("claimed")
			tried(me, accountsv1.DeliverySent, 1)(&f)
			f.Invitation.Status.State = rapid.SampledFrom([]accountsv1.InvitationState{"Sending", "Pending", "Expired", "Declined", "Failed", "Active"}).Draw(t, "state")
		} else {
			f.Invitation.Status.State = rapid.SampledFrom([]accountsv1.InvitationState{"", "Sending", "Failed"}).Draw(t, "state")
		}
		f.Now = claimed.Add(time.Minute)
		others[i] = f
	}
	return others
}

func invitationsOf(all []Facts) (list []accountsv1.Invitation) {
	for _, f := range all {
		list = append(list, *f.Invitation.DeepCopy())
	}
	return list
}

func TestOfSeveralOpenInvitationsToAnAddressExactlyOneStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := someRivals(t)
		var opened, staying []string
		for _, f := range all {
			if !open(f.Invitation) {
				continue
			}
			opened = append(opened, f.Invitation.Name)
			others := rapid.Permutation(invitationsOf(all)).Draw(t, "in any order")
			if conflict := FindAddressConflict(f.Invitation, AddressUses{Invitations: others}); conflict.Reason == "" {
				staying = append(staying, f.Invitation.Name)
			} else if !slices.ContainsFunc(all, func(f Facts) bool { return f.Invitation.Name == conflict.Name && open(f.Invitation) }) {
				t.Fatalf("%s yields to %s, which is not open", f.Invitation.Name, conflict.Name)
			}
		}
		if len(staying) != min(1, len(opened)) {
			t.Fatalf("of %v, %v stay", opened, staying)
		}
	})
}

// They are created at slightly different times, with clocks that differ, and their
// results are seen late.
func TestOfInvitationsThatAreMadeAtOnceOneIsMailed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 3
		names := rapid.Permutation([]string{"jane-0", "jane-1", "jane-2"}).Draw(t, "names")
		var (
			all     []Facts
			history = [][]accountsv1.Invitation{nil} // every state, after each write
			shown   int                              // the state that the cache shows
			written [most]int                        // when each was last written
			looked  [most]bool
		)
		write := func(i int) { history, written[i] = append(history, invitationsOf(all)), len(history) }
		look := func(i int) {
			if looked[i] = shown >= written[i]; looked[i] {
				all[i].AddressConflict = FindAddressConflict(all[i].Invitation, AddressUses{Invitations: history[shown]})
			}
		}
		act := func(i int) {
			step(&all[i], accountsv1.DeliverySent)
			looked[i] = false
			write(i)
		}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			i := rapid.IntRange(0, most-1).Draw(t, "whose")
			switch what := rapid.IntRange(0, 2).Draw(t, "what"); {
			case what == 0:
				shown = min(shown+1, len(history)-1)
			case i >= len(all) && len(all) < most:
				f := someFacts(createdAt(claimed.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "by a clock that is off")) * time.Second)))
				f.Invitation.Name = names[len(all)]
				all = append(all, f)
				write(len(all) - 1)
			case i < len(all) && looked[i]:
				act(i)
			case i < len(all):
				look(i)
			}
		}
		for range 4 * most {
			for i := range all {
				shown = len(history) - 1
				look(i)
				act(i)
			}
		}
		mailed := slices.DeleteFunc(invitationsOf(all), func(inv accountsv1.Invitation) bool { return !inv.Status.Attempt.Begun() })
		if len(mailed) != min(1, len(all)) {
			t.Fatalf("of %d, %d were mailed", len(all), len(mailed))
		}
	})
}

// From any starting point and with any delay, the Invitations agree: in the end one can
// be accepted, and the mail of all others is dead.
func TestInvitationsToOneAddressAgreeOnOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := someRivals(t)
		seen := invitationsOf(all)
		lookAt := func(i int) {
			f := &all[i]
			f.AddressConflict = FindAddressConflict(f.Invitation, AddressUses{Invitations: seen})
			f.Now = f.Now.Add(time.Second)
			step(f, accountsv1.DeliverySent)
		}
		for range rapid.IntRange(0, 12).Draw(t, "stale reconciliations") {
			lookAt(rapid.IntRange(0, len(all)-1).Draw(t, "whose"))
			if rapid.Bool().Draw(t, "news") {
				seen = invitationsOf(all)
			}
		}
		for range 4 * len(all) {
			for i := range all {
				seen = invitationsOf(all)
				lookAt(i)
			}
		}
		var opened []string
		for _, f := range all {
			if open(f.Invitation) {
				opened = append(opened, f.Invitation.Name)
			}
		}
		ended := func(f Facts) bool {
			s := f.Invitation.Status.State
			return s == "Expired" || s == "Declined" || s == "Active"
		}
		if want := map[bool]int{true: 0, false: 1}[!slices.ContainsFunc(all, func(f Facts) bool { return !ended(f) })]; len(opened) != want {
			t.Fatalf("these are open: %v", opened)
		}
	})
}
