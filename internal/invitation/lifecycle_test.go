// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

// These guarantees hold for all events, in any order, and if a process ends at any
// point.
func TestTheLifeOfAnInvitation(t *testing.T) {
	states := []accountsv1.InvitationState{"Sending", "Pending", "Active", "Expired", "Declined", "Failed"}
	seen := map[string]int{}
	missing := func() []accountsv1.InvitationState {
		return slices.DeleteFunc(slices.Clone(states), func(s accountsv1.InvitationState) bool { return seen[string(s)] > 0 })
	}
	// The events are random. In one run of a hundred, the lives do not reach every state.
	for rounds := 0; rounds < 5 && len(missing()) > 0; rounds++ {
		rapid.Check(t, func(rt *rapid.T) { liveOn(t, rt, seen) })
	}
	if left := missing(); len(left) > 0 {
		t.Errorf("no run reached %v: %v", left, seen)
	}
}

// liveOn lets events happen to an Invitation, and counts the states that it reaches.
func liveOn(t *testing.T, rt *rapid.T, seen map[string]int) {
	t.Helper()
	l := newLife(t, aBeginning(rt))
	ends := rapid.SampledFrom([]ending{taken, taken, taken, notNow, refusedFor, killed, lostClaim})
	actions := l.events()
	for what, do := range actions {
		actions[what] = func(rt *rapid.T) {
			do(rt)
			for range rapid.IntRange(0, 3).Draw(rt, "looks") {
				l.look(ends.Draw(rt, "how it ends"))
				l.watch(seen)
			}
		}
	}
	actions[""] = func(rt *rapid.T) {
		l.watch(seen)
		for _, wrong := range l.wrong {
			rt.Error(wrong)
		}
	}
	rt.Repeat(actions)
}

func aBeginning(t *rapid.T) func(*Facts) {
	return func(f *Facts) {
		if rapid.Bool().Draw(t, "for a Membership") {
			madeFor(f)
		}
		by(rapid.SampledFrom([][]accountsv1.DeliveryChannel{nil, {"Email"}, {"Email", "SMS", "Link"}, {"Link"}}).Draw(t, "channels")...)(f)
		f.Organization.Spec.AddressMatch = rapid.SampledFrom([]accountsv1.AddressMatch{"", "AnyAddress"}).Draw(t, "addresses")
	}
}

// events are all things that can happen to an Invitation, except a reconciliation.
func (l *life) events() map[string]func(*rapid.T) {
	events := map[string]func(*rapid.T){
		"nothing happens": func(*rapid.T) {},
		"time passes": func(t *rapid.T) {
			l.Now = l.Now.Add(rapid.SampledFrom([]time.Duration{
				time.Second, 11 * time.Second, 2 * time.Minute, 11 * time.Minute, time.Hour, 20 * time.Hour, DefaultValidity - time.Second, DefaultValidity,
			}).Draw(t, "how long"))
		},
		"its time runs out":   func(*rapid.T) { l.Now = l.Now.Add(DefaultValidity) },
		"the person accepts":  l.acceptSomehow,
		"the person declines": func(t *rapid.T) { l.decline(l.aLink(t)) },
		"the person requests a code": func(t *rapid.T) {
			other := accountsv1.OtherAddress{Email: "doe@example.net", RequestTime: second(l.Now)}
			other.Email = rapid.SampledFrom([]accountsv1.EmailAddress{"doe@example.net", "eve@example.org"}).Draw(t, "to")
			if s := l.current(); s != nil && l.standing(s) == LinkOpen && l.FitsAddress(other.Email) && l.Invitation.Status.OtherAddress.Requests < MostCodes {
				other.Requests = l.Invitation.Status.OtherAddress.Requests + 1
				l.Invitation.Status.OtherAddress = other
			}
		},
		"the Account joins another legal entity, or leaves it": func(t *rapid.T) { l.Foreign = l.Accepter != nil && rapid.Bool().Draw(t, "elsewhere") },
		"the Account joins the Membership":                     func(*rapid.T) { l.carryOut() },
		"the Account is deleted":                               func(*rapid.T) { l.Accepter, l.Joined = nil, false },
		"the Membership is deleted":                            func(*rapid.T) { l.deleteMembership() },
		"the status is lost": func(*rapid.T) {
			if l.Invitation != nil {
				l.loseStatus()
			}
		},
		"mail is released": func(*rapid.T) {
			if l.Organization != nil {
				l.release()
			}
		},
		"a resend is requested": func(t *rapid.T) {
			value := rapid.SampledFrom([]string{l.Now.Format(time.RFC3339), aRequest, "now", "", "9999-12-31T23:59:59Z"}).Draw(t, "value")
			if l.Membership != nil && rapid.Bool().Draw(t, "at the Membership") {
				l.Membership.Annotations = map[string]string{accountsv1.ResendAnnotation: value}
			} else if l.Invitation != nil {
				l.askForResend(value)
			}
		},
		"it is deleted, or created again": func(*rapid.T) {
			if l.Invitation != nil && l.madeFor {
				return // Usher would create it again at once
			}
			if l.Invitation == nil {
				l.inviteAnew()
				return
			}
			l.gone("deleted")
		},
	}
	maps.Copy(events, l.platform())
	return events
}

// acceptSomehow lets a person accept with a link, as a newcomer or with an Account.
func (l *life) acceptSomehow(t *rapid.T) {
	link := l.aLink(t)
	if rapid.Bool().Draw(t, "with the current link") {
		link = l.current()
	}
	email := rapid.SampledFrom([]accountsv1.EmailAddress{"jane@example.com", "jane@example.com", "doe@example.net"}).Draw(t, "with")
	l.accept(link, email, rapid.SampledFrom([]accepter{newcomer, newcomer, verified, unproved}).Draw(t, "as"))
	if rapid.Bool().Draw(t, "carried out") {
		l.look(taken)
		l.carryOut()
		l.look(taken)
	}
}

// platform holds what can happen around an Invitation.
func (l *life) platform() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"the Organization is deleted, with or without its roles": func(t *rapid.T) {
			switch rapid.IntRange(0, 3).Draw(t, "what goes") {
			case 0:
				l.Organization = nil
			case 1:
				if l.Organization != nil {
					l.removeRole()
				}
			}
		},
		"the Organization is restored, with its roles": func(*rapid.T) {
			if l.Organization == nil {
				l.Organization = someFacts().Organization
			}
			l.addRole()
		},
		"the title changes": func(t *rapid.T) {
			if l.Organization != nil {
				l.Organization.Spec.DisplayName = accountsv1.DisplayText(rapid.SampledFrom([]string{"Acme", "Acme Inc."}).Draw(t, "title"))
				l.Organization.Spec.Language = rapid.SampledFrom([]accountsv1.Language{"it", "de"}).Draw(t, "language")
			}
		},
		"the keys break, are repaired, or rotated": func(t *rapid.T) {
			l.KeyFault = rapid.SampledFrom([]string{"", "", "", "the link keys are empty"}).Draw(t, "fault")
			l.NewestKey = rapid.SampledFrom([]int32{7, 8}).Draw(t, "newest")
		},
		"another object has the address": func(t *rapid.T) {
			l.AddressConflict = rapid.SampledFrom([]AddressConflict{{}, {}, {}, {Reason: accountsv1.ReasonAddressIsMember, Name: "jane-2"}, {Undecided: true}}).Draw(t, "who")
		},
		"seats are limited, or not": func(t *rapid.T) {
			if l.Organization != nil {
				l.Organization.Spec.Seats = rapid.Int32Range(0, 2).Draw(t, "limit")
			}
		},
		"other holders take seats": func(t *rapid.T) { l.others = rapid.Int32Range(0, 2).Draw(t, "how many") },
		"seats are assigned":       func(*rapid.T) { l.giveSeats() },
		"the list of seats is lost": func(*rapid.T) {
			if l.Organization != nil {
				l.Organization.Status.Seats = accountsv1.SeatsStatus{}
			}
		},
	}
}

func (l *life) aLink(t *rapid.T) *sentLink {
	if len(l.links) == 0 {
		return nil
	}
	if rapid.Bool().Draw(t, "the newest link") {
		return l.links[len(l.links)-1]
	}
	return rapid.SampledFrom(l.links).Draw(t, "link")
}

// watch reports everything that must never happen.
func (l *life) watch(seen map[string]int) {
	for i, s := range l.links {
		if s.dead != "" && l.Invitation != nil && l.standing(s) == LinkOpen {
			l.complain("link %d works, although it is dead: %s", i, s.dead)
		}
	}
	if l.Invitation == nil {
		return
	}
	status := l.Invitation.Status
	seen[string(status.State)]++
	if status.State == accountsv1.InvitationExpired {
		l.kill("expired")
	}
	if n := len(status.Deliveries); n > 32 {
		l.complain("there are %d deliveries", n)
	}
	if n := len(status.Attempt.Earlier); n > maxEarlier {
		l.complain("there are %d earlier attempts", n)
	}
	for i, from := range l.begun {
		if last := i + MostMailings; last < len(l.begun) && l.begun[last].Sub(from) < MailingsWindow {
			l.complain("the address was mailed at %v", l.begun)
		}
	}
	l.watchReport()
}

// watchReport checks the report and the plan at this moment.
func (l *life) watchReport() {
	l.countMailings()
	before := l.Invitation.DeepCopy()
	said, plan := Report(l.Facts), Decide(l.Facts)
	if !reflect.DeepEqual(before, l.Invitation) {
		l.complain("reconciling has changed the Invitation:\n%s", cmp.Diff(before, l.Invitation))
	}
	if before.Status.State == accountsv1.InvitationActive && said.State != accountsv1.InvitationActive {
		l.complain("it was Active and is %s", said.State)
	}
	l.Invitation.Status = said
	// A release can be requested in the same second in which mail is first held.
	if again := Report(l.Facts); !reflect.DeepEqual(said, again) && l.condition("Ready").Reason != accountsv1.ReasonMailHeld {
		l.complain("a second reconciliation reports something else:\n%s", cmp.Diff(said, again))
	}
	ready, reconciling, stalled := l.condition("Ready"), l.condition("Reconciling"), l.condition("Stalled")
	if reconciling.Type != "" && stalled.Type != "" || ready.Status == "True" && reconciling.Type+stalled.Type != "" {
		l.complain("Ready is %s, with %s%s", ready.Status, reconciling.Type, stalled.Type)
	}
	if said.State == accountsv1.InvitationPending && reconciling.Type != "" && !l.busy(plan) {
		l.complain("it is %s: %s, although it waits only for a person", reconciling.Reason, reconciling.Message)
	}
	l.watchSleep()
	*l.Invitation = *before

	actions := 0
	for _, does := range []bool{plan.Delete, plan.CreateMembership, plan.Mark, plan.Withdraw != nil, plan.Claim != nil} {
		if does {
			actions++
		}
	}
	if actions > 1 || actions == 1 && plan.After != 0 || plan.After < 0 {
		l.complain("it plans %+v", plan)
	}
}

// watchSleep checks the report and the plan shortly before the next scheduled
// reconciliation: they must be the same as now.
func (l *life) watchSleep() {
	now, asleep := l.Facts, Decide(l.Facts)
	if asleep.Delete || asleep.CreateMembership || asleep.Mark || asleep.Withdraw != nil || asleep.Claim != nil {
		return
	}
	later := l.Facts
	later.Now = now.Now.Add(20 * DefaultValidity)
	if asleep.After != 0 {
		later.Now = now.Now.Add(asleep.After - time.Nanosecond)
	}
	if before, after := now.situation(), later.situation(); before != after {
		l.complain("it is in situation %d, and %s later in %d, without a reconciliation in between", before, later.Now.Sub(now.Now), after)
	}
	if claim := Decide(later).Claim; claim != nil {
		l.complain("%s later %s would be sent, without a reconciliation in between", later.Now.Sub(now.Now), claim.Name)
	}
}

// busy reports whether Usher has something to do, or waits for something that can
// appear without a person.
func (l *life) busy(p Plan) bool {
	longest := max(delivery.LongestBackoff, l.SendDeadline+time.Second)
	for _, d := range l.Invitation.Status.Deliveries {
		if d.Unconfirmed > 0 && !delivery.Finished(d) {
			// The wait quadruples with each send that was not confirmed.
			longest = max(longest, delivery.LongestBackoff<<(2*(d.Unconfirmed-1)))
		}
	}
	soon := p.After != 0 && p.After <= longest
	return soon || p.Delete || p.Claim != nil || p.Mark || p.Withdraw != nil || p.CreateMembership || l.Organization == nil ||
		l.Invitation.Status.Acceptance.Given() || l.seat(l.wantedAttempt()) == seatPending
}
