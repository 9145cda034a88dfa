// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// start is a state in which an Invitation for a Membership can be.
type start struct {
	name  string
	reach func(*life)
}

var starts = []start{
	{"Sending", func(*life) {}},
	{"Pending", pending},
	{"Active", func(l *life) { pending(l); acceptAndTakeUp(l) }},
	{"Expired", func(l *life) { pending(l); runOut(l) }},
	{"Declined", func(l *life) { pending(l); l.decline(l.current()) }},
	{"Failed: `Refused`", func(l *life) { l.answer(refusedFor) }},
	{"Failed: `TemporaryFailure`", func(l *life) { l.answer(notNow); runOut(l) }},
	{"Failed: `RoleNotFound`", func(l *life) { pending(l); l.removeRole() }},
	{"Failed: `SeatsExhausted`", func(l *life) { pending(l); leaveNoSeat(l) }},
	{"Failed: `MailHeld`", func(l *life) { pending(l); l.loseStatus() }},
}

// happening is something that happens to an Invitation. happen reports whether it can
// happen at all.
type happening struct {
	text   string
	happen func(*life) bool
}

var happenings = []happening{
	{"the mail server takes the mail", func(l *life) bool { return l.answer(taken) }},
	{"the mail server refuses the mail permanently", func(l *life) bool { return l.answer(refusedFor) }},
	{"the mail server fails temporarily", func(l *life) bool { return l.answer(notNow) }},
	{"the person accepts", acceptAndTakeUp},
	{"the person declines", func(l *life) bool { return l.decline(l.current()) }},
	{"its time runs out", runOut},
	{"an admin requests a resend", func(l *life) bool { return always(func() { l.askForResend(l.Now.Format(time.RFC3339)) }) }},
	{"an admin releases held mail", func(l *life) bool { return always(l.release) }},
	{"no seat is left for it", func(l *life) bool { return always(func() { leaveNoSeat(l) }) }},
	{"a seat becomes free", func(l *life) bool {
		l.others--
		return l.others == 0
	}},
	{"its role is removed", func(l *life) bool { return l.roleExists() && always(l.removeRole) }},
	{"its role is added again", func(l *life) bool { return !l.roleExists() && always(l.addRole) }},
	{"its status is lost", func(l *life) bool { return always(l.loseStatus) }},
	{"the Account is deleted", func(l *life) bool {
		held := l.Joined
		l.Joined, l.Accepter = false, nil
		return held
	}},
	{"its Membership is deleted", func(l *life) bool { return always(l.deleteMembership) }},
}

func always(do func()) bool {
	do()
	return true
}

func pending(l *life) {
	l.answer(taken)
	l.settle()
}

// answer ends the send that is in progress.
func (l *life) answer(end ending) (onItsWay bool) {
	for _, d := range l.Invitation.Status.Deliveries {
		if d.Purpose == accountsv1.PurposeInvitation && d.Claimed() && d.Result == "" {
			l.end(d.Name, end)
			return true
		}
	}
	return false
}

func acceptAndTakeUp(l *life) bool {
	accepted := l.accept(l.current(), "jane@example.com", newcomer)
	l.carryOut()
	return accepted
}

func runOut(l *life) bool {
	if expires := l.Invitation.Status.ExpirationTime; expires != nil && l.Now.Before(expires.Time) {
		l.Now = expires.Time
		return true
	}
	return false
}

func leaveNoSeat(l *life) {
	l.others, l.Organization.Spec.Seats = 1, 1
	seats(1, accountsv1.SeatHolder{Name: "john-0"})(&l.Facts)
}

// show returns the state and, if it is Failed, the reason.
func (l *life) show() string {
	if l.Invitation == nil {
		return "deleted"
	}
	state := l.Invitation.Status.State
	if state == accountsv1.InvitationFailed {
		return fmt.Sprintf("%s: `%s`", state, l.condition("Ready").Reason)
	}
	return string(state)
}

func drawTransitions(t *testing.T) string {
	t.Helper()
	documented := documentedTransitions(t)
	table := &strings.Builder{}
	table.WriteString("| event \\ state |")
	for _, s := range starts {
		fmt.Fprintf(table, " %s |", s.name)
	}
	fmt.Fprintf(table, "\n|---%s|\n", strings.Repeat("|---", len(starts)))
	for _, h := range happenings {
		fmt.Fprintf(table, "| %s |", h.text)
		for _, s := range starts {
			to := transition(t, s, h)
			fmt.Fprintf(table, " %s |", to)
			checkDocumented(t, documented, s.name, to)
		}
		table.WriteString("\n")
	}
	return table.String()
}

// documentedTransitions returns the transitions that the package comment lists.
func documentedTransitions(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^//\t(\w+) +→ (\w+) `).FindAllStringSubmatch(string(raw), -1) {
		all[found[1]+" → "+found[2]] = true
	}
	return all
}

func checkDocumented(t *testing.T, documented map[string]bool, from, to string) {
	t.Helper()
	state := func(shown string) string { before, _, _ := strings.Cut(shown, ":"); return before }
	between := state(from) + " → " + state(to)
	if to == "–" || to == "stays" || to == "deleted" || state(from) == state(to) || documented[between] {
		return
	}
	t.Errorf("the package comment lacks %s", between)
}

// transition lets something happen to an Invitation in a state. It returns the
// resulting state, before anything else happens.
func transition(t *testing.T, from start, h happening) string {
	t.Helper()
	l := newLife(t, madeFor)
	l.settle()
	from.reach(l)
	l.settle()
	if got := l.show(); got != from.name {
		t.Fatalf("it is %s, not %s", got, from.name)
	}
	l.Now = l.Now.Add(time.Second)
	happened := h.happen(l)
	l.settle()
	for _, wrong := range l.wrong {
		t.Errorf("%s, and %s: %s", from.name, h.text, wrong)
	}
	switch to := l.show(); {
	case !happened:
		return "–"
	case to == from.name:
		return "stays"
	default:
		return to
	}
}
