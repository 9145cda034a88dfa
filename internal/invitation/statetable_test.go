// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

var update = flag.Bool("update", false, "draw the state table of docs/spec/invitations.md anew")

const (
	page       = "../../docs/spec/invitations.md"
	tableBegin = "<!-- state table: drawn by go test ./internal/invitation -update -->\n"
	tableEnd   = "<!-- end of state table -->\n"
)

// notes stand between the two tables.
const notes = `
What is not listed as True is False, or not there, except ` + "`Delivered`" + `, which is Unknown while the link is on its way for the first time. A request to the
API server that failed says ` + "`Ready=False`, `Error` and `Reconciling`" + `, leaves all else as it is, and is tried again.

What leads from state to state, for an Invitation that was made for a Membership and is mailed. “–” cannot happen: no mail is on its way, the link
does not open, or it is so already.

`

// The page shows what the code does: it is drawn by running it.
func TestThePageShowsTheStateTable(t *testing.T) {
	drawn := "\n" + drawSituations(t) + notes + drawTransitions(t) + "\n"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(raw), tableBegin)
	shown, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s must hold %q and %q", page, tableBegin, tableEnd)
	}
	if shown == drawn {
		return
	}
	if !*update {
		t.Fatalf("draw it anew with go test ./internal/invitation -update: -page +code\n%s", cmp.Diff(shown, drawn))
	}
	if err := os.WriteFile(page, []byte(before+tableBegin+drawn+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// row is one line of the table of situations.
type row struct {
	text  string
	facts Facts
}

// rows are all situations, in an order for people.
func rows() []row {
	out := tried(me, accountsv1.DeliverySent, 1)
	return slices.Concat([]row{
		{"it is new", someFacts()},
		{"there is a limit on seats, and its seat has not been given yet", someFacts(seats(1))},
		{"others of its Organization's mailed the address, and it was mailed five times within a day", someFacts(func(f *Facts) {
			mailedOften(f)
			near(1)(f)
		})},
		{"another Invitation to the address was made at the same time, and has not given way yet", someFacts(func(f *Facts) { f.Rival.Undecided = true })},
		{"a process is at a try, or died of it", someFacts(tried(other, "", 1))},
		{"an attempt was begun for the first time", someFacts(out, func(f *Facts) { f.Invitation.Annotations = nil })},
		{"it was not taken this time", someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1))},
		{"one channel took it, and another did not this time", someFacts(by("Email", "SMS"), out, delivered("sms", "TemporaryFailure"))},
		{"its Membership is suspended, and it has not been taken", someFacts(madeFor, withMembership(suspends))},
		{"it was taken", someFacts(out)},
		{"one channel took it, and another refused it for good", someFacts(by("Email", "SMS"), out, delivered("sms", "Refused"))},
		{"somebody asks for a resend", someFacts(out, asked(aRequest))},
		{"somebody asks for a resend, and the address was mailed five times within a day", someFacts(out, asked(aRequest), mailedOften)},
		{"somebody asks for a resend, and the Membership that it was made for has other terms by now", someFacts(madeFor, out, asked(aRequest),
			withMembership(func(m *accountsv1.Membership) { m.Spec.PhoneNumber = "+393337654321" }))},
		{"somebody asks for a resend with a value that is no time", someFacts(out, asked("now"))},
		{"the person asks for a code to another address", someFacts(out, codeFor("doe@example.net", 1))},
		{"the person accepted, and there is no Membership yet", someFacts(out, accepting)},
		{"the person accepted, and the Account has not taken the Membership up yet", someFacts(out, accepting, withMembership(same))},
		{"the person accepted, and the Account has taken the Membership up", someFacts(out, accepting, func(f *Facts) {
			f.TakenUp, f.Owners = true, []Owner{{"ada", "ada@example.com"}}
			f.Invitation.Status = Report(*f)
		})},
		{"an Account holds the Membership, and nothing else is known", someFacts(withMembership(same), func(f *Facts) { f.TakenUp = true })},
		{"the person declined", someFacts(out, declining)},
		{"nobody answered in time", someFacts(out, at(DefaultValidity))},
		{"that, and the link is in a Secret", someFacts(by("Link"), out, at(DefaultValidity))},
		{"the time was over before any channel took the link", someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), at(DefaultValidity))},
	}, failedRows(out), []row{
		{"it was made for a Membership that is gone", someFacts(madeFor)},
		{"it is being deleted", someFacts(going)},
	})
}

func failedRows(out func(*Facts)) []row {
	return []row{
		{"it was refused for good", someFacts(tried(me, accountsv1.DeliveryRefused, 1))},
		{"the Account that accepted is gone", someFacts(out, accepting, func(f *Facts) { f.Accepter = nil })},
		{"the Account that accepted has another address, which is not allowed", someFacts(out, accepting, func(f *Facts) { f.Accepter.Spec.Email = "doe@example.net" })},
		{"the Account that accepted belongs to an Organization of another legal entity", someFacts(out, accepting, elsewhere)},
		{"there is no such Organization, or it is being deleted", someFacts(func(f *Facts) { f.Organization = nil })},
		{"that, and the link is out", someFacts(out, func(f *Facts) { f.Organization = nil })},
		{"this is not the home namespace, or an older Organization has it", someFacts(func(f *Facts) { f.HomeTaken = true })},
		{"the Organization has no such role", someFacts(func(f *Facts) { f.Organization.Spec.Roles = nil })},
		{"nobody was asked whether its role, which manages people, may be handed out", someFacts(nobodyAsked)},
		{"the Membership of this name is for somebody else", someFacts(withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" }))},
		{"it was mailed, and has lost its status", someFacts(cameBack)},
		{"the Organization does not take the address", someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.com"} })},
		{"the address is a member's already", someFacts(func(f *Facts) { f.Rival = Rival{Reason: accountsv1.ReasonAddressIsMember, Name: "jane-2"} })},
		{"a member signs in with the address", someFacts(func(f *Facts) { f.Rival = Rival{Reason: accountsv1.ReasonAddressHasAccount, Name: "jane-2"} })},
		{"another Invitation to the address is open", someFacts(func(f *Facts) { f.Rival = Rival{Reason: accountsv1.ReasonAddressInvited, Name: "jane-2"} })},
		{"no seat is free", someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}))},
		{"the Secret with the link keys cannot be used", someFacts(func(f *Facts) { f.KeyFault = "the link keys are empty" })},
	}
}

func drawSituations(t *testing.T) string {
	t.Helper()
	table := &strings.Builder{}
	table.WriteString("| situation | STATE | Ready | also True | what Usher does next |\n|---|---|---|---|---|\n")
	drawn := map[situation]bool{}
	for _, r := range rows() {
		drawn[r.facts.situation()] = true
		status := Report(r.facts)
		state, ready := string(status.State), shown(status.Conditions, "Ready")
		if ready == "" {
			state, ready = "as before", "as before"
		} else {
			ready = strings.Replace(ready, " ", " `", 1) + "`"
			ready = strings.Replace(ready, "True", "**True**", 1)
		}
		var also []string
		for _, c := range status.Conditions {
			if c.Type != accountsv1.ConditionReady && c.Status == "True" {
				also = append(also, "`"+c.Type+"`")
			}
		}
		fmt.Fprintf(table, "| %s | %s | %s | %s | %s |\n", r.text, state, ready, strings.Join(also, ", "), next(t, r.facts))
	}
	for at := range situation(situationCount) {
		if !drawn[at] {
			t.Errorf("no row is in situation %d", at)
		}
	}
	return table.String()
}

// next says for people what Usher does next.
func next(t *testing.T, f Facts) string {
	t.Helper()
	p := Decide(f)
	switch {
	case p.Delete:
		return "deletes it"
	case p.CreateMembership:
		return "makes the Membership"
	case p.Mark:
		return "writes down on it that it was mailed"
	case p.Withdraw != nil:
		return "takes the Secret away"
	case p.Claim != nil && p.Claim.Attempt != nil && p.Claim.Attempt.Number > 1:
		return "begins attempt 2, with a new link; the one before is dead"
	case p.Claim != nil && p.Claim.Attempt != nil:
		return "begins attempt 1"
	case p.Claim != nil && p.Claim.Name == "code-1":
		return "mails the code, to that address"
	case p.Claim != nil && p.Claim.Name == "confirmation":
		return "tells the person, the owners and the chat"
	case p.Claim != nil:
		t.Fatalf("no words for %+v", p.Claim)
	}
	expires := f.Invitation.Status.ExpirationTime
	switch {
	case p.After == 0:
		return "nothing, until something changes"
	case expires != nil && p.After == expires.Sub(f.Now):
		return "waits for the answer, until its time is over"
	case p.After == f.SendDeadline+time.Second:
		return "sends the same bytes again, once the try has surely ended"
	case p.After == recheckKeys:
		return "looks at the keys again after a minute"
	case p.After == MailingsWindow:
		return "begins the next attempt a day after the first of the five"
	case p.After <= delivery.FirstBackoff:
		return "sends the same bytes again, after 10 seconds and then ever longer, up to 4½ minutes"
	}
	t.Fatalf("no words for a wait of %s", p.After)
	return ""
}
