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

var update = flag.Bool("update", false, "regenerate the state table of docs/spec/invitations.md")

const (
	page       = "../../docs/spec/invitations.md"
	tableBegin = "<!-- state table: drawn by go test ./internal/invitation -update -->\n"
	tableEnd   = "<!-- end of state table -->\n"
)

// notes is the text between the two tables.
const notes = `
Conditions that are not listed as True are False or absent, except ` + "`Delivered`" + `. It is Unknown while Usher sends the link
for the first time. After a failed request to the API server, the status has ` + "`Ready=False`, `Error` and `Reconciling`" + `;
everything else stays as it is, and Usher retries.

The second table shows the transitions of an Invitation that Usher created for a Membership and delivers by mail. “–”
cannot happen: no send is in progress, the link does not work, or nothing would change.

`

// The table in the page shows what the code does, because running the code generates it.
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
		t.Fatalf("regenerate the table with go test ./internal/invitation -update: -page +code\n%s", cmp.Diff(shown, drawn))
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

// rows returns all situations, in an order for readers.
func rows() []row {
	out := tried(me, accountsv1.DeliverySent, 1)
	return slices.Concat([]row{
		{"the Invitation is new", someFacts()},
		{"seats are limited, and its seat is not assigned yet", someFacts(seats(1))},
		{"another Invitation of the Organization was sent to the mailbox, which was mailed five times within a day", someFacts(func(f *Facts) {
			mailedOften(f)
			near(1)(f)
		})},
		{"the Organization has sent as many invitations as `spec.invitationsPerDay` allows", someFacts(quotaReached)},
		{"another Invitation to the address was created at the same time and has not yielded yet", someFacts(func(f *Facts) { f.AddressConflict.Undecided = true })},
		{"a process is sending, or ended while sending", someFacts(tried(other, "", 1))},
		{"the first attempt began", someFacts(out, func(f *Facts) { f.Invitation.Annotations = nil })},
		{"the send failed temporarily", someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 1))},
		{"one channel sent the link, and another failed temporarily", someFacts(by("Email", "SMS"), out, delivered("sms", "TemporaryFailure"))},
		{"its Membership is suspended, and the link was not sent", someFacts(madeFor, withMembership(suspends))},
		{"the link was sent", someFacts(out)},
		{"one channel sent the link, and another refused it permanently", someFacts(by("Email", "SMS"), out, delivered("sms", "Refused"))},
		{"an admin requests a resend", someFacts(out, asked(aRequest))},
		{"an admin requests a resend, and the mailbox was mailed five times within a day", someFacts(out, asked(aRequest), mailedOften)},
		{"an admin requests a resend, and the Organization has sent as many invitations as `spec.invitationsPerDay` allows", someFacts(out, asked(aRequest), quotaReached)},
		{"an admin requests a resend, and the terms of the Membership have changed since", someFacts(madeFor, out, asked(aRequest),
			withMembership(func(m *accountsv1.Membership) { m.Spec.PhoneNumber = "+393337654321" }))},
		{"an admin requests a resend with a value that is not a time", someFacts(out, asked("now"))},
		{"the person requests a code to another address", someFacts(out, codeFor("doe@example.net", 1))},
		{"the person requests a code, and its mailbox was mailed five times within a day, or the quota is used up", someFacts(out, codeFor("doe@example.net", 1), quotaReached)},
		{"the person accepted, and the Membership does not exist yet", someFacts(out, accepting)},
		{"the person accepted, and the Account does not hold the Membership yet", someFacts(out, accepting, withMembership(same))},
		{"the person accepted, and the Account holds the Membership", someFacts(out, accepting, func(f *Facts) {
			f.Joined, f.Owners = true, []Owner{{"ada", "ada@example.com"}}
			f.Invitation.Status = Report(*f)
		})},
		{"an Account holds the Membership, and the status is empty", someFacts(withMembership(same), func(f *Facts) { f.Joined = true })},
		{"the person declined", someFacts(out, declining)},
		{"the person did not answer in time", someFacts(out, at(DefaultValidity))},
		{"the person did not answer in time, and the link is in a Secret", someFacts(by("Link"), out, at(DefaultValidity))},
		{"the link expired before any channel sent it", someFacts(tried(me, accountsv1.DeliveryTemporaryFailure, 9), at(DefaultValidity))},
	}, failedRows(out), []row{
		{"the Membership that it was created for was deleted", someFacts(madeFor)},
		{"the Invitation is being deleted", someFacts(going)},
	})
}

func failedRows(out func(*Facts)) []row {
	return []row{
		{"the link was refused permanently", someFacts(tried(me, accountsv1.DeliveryRefused, 1))},
		{"the Account that accepted was deleted", someFacts(out, accepting, func(f *Facts) { f.Accepter = nil })},
		{"the Account that accepted has an address that is not verified, or not allowed", someFacts(out, accepting, func(f *Facts) { f.Accepter.Spec.Email = "doe@example.net" })},
		{"the Account that accepted belongs to an Organization of another legal entity", someFacts(out, accepting, elsewhere)},
		{"the Organization does not exist, or is being deleted", someFacts(func(f *Facts) { f.Organization = nil })},
		{"the Organization does not exist, and the link was sent", someFacts(out, func(f *Facts) { f.Organization = nil })},
		{"this is not the home namespace, or an older Organization holds it", someFacts(func(f *Facts) { f.HomeTaken = true })},
		{"the Organization has no such role", someFacts(func(f *Facts) { f.Organization.Spec.Roles = nil })},
		{"its role manages people, and no policy checked whether the author may assign it", someFacts(nobodyAsked)},
		{"the Membership of this name is for another person", someFacts(withMembership(func(m *accountsv1.Membership) { m.Spec.Email = "john@example.com" }))},
		{"the Invitation was sent and has lost its status", someFacts(cameBack)},
		{"the Organization does not allow the address", someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.com"} })},
		{"the address already belongs to a member", someFacts(func(f *Facts) {
			f.AddressConflict = AddressConflict{Reason: accountsv1.ReasonAddressIsMember, Name: "jane-2"}
		})},
		{"a member signs in with the address", someFacts(func(f *Facts) {
			f.AddressConflict = AddressConflict{Reason: accountsv1.ReasonAddressHasAccount, Name: "jane-2"}
		})},
		{"another Invitation to the address is open", someFacts(func(f *Facts) {
			f.AddressConflict = AddressConflict{Reason: accountsv1.ReasonAddressInvited, Name: "jane-2"}
		})},
		{"no seat is free", someFacts(seats(1, accountsv1.SeatHolder{Name: "john"}))},
		{"the Secret with the link keys is invalid", someFacts(func(f *Facts) { f.KeyFault = "the link keys are empty" })},
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

// next describes for readers what Usher does next.
func next(t *testing.T, f Facts) string {
	t.Helper()
	p := Decide(f)
	switch {
	case p.Delete:
		return "deletes the Invitation"
	case p.CreateMembership:
		return "creates the Membership"
	case p.Mark:
		return "records in an annotation that the Invitation was sent"
	case p.Withdraw != nil:
		return "deletes the Secret"
	case p.Claim != nil && p.Claim.Attempt != nil && p.Claim.Attempt.Number > 1:
		return "begins attempt 2 with a new link; the earlier link stops working"
	case p.Claim != nil && p.Claim.Attempt != nil:
		return "begins attempt 1"
	case p.Claim != nil && p.Claim.Name == "code-1-1":
		return "mails the code to that address"
	case p.Claim != nil && p.Claim.Name == "confirmation":
		return "notifies the person, the owners and the chat"
	case p.Claim != nil:
		t.Fatalf("no words for %+v", p.Claim)
	}
	expires := f.Invitation.Status.ExpirationTime
	switch {
	case p.After == 0:
		return "nothing until something changes"
	case expires != nil && p.After == expires.Sub(f.Now):
		return "waits for the answer until the link expires"
	case p.After == f.SendDeadline+time.Second:
		return "sends the same bytes again, once the earlier send has certainly ended"
	case p.After == CodeValidity:
		return "mails the code if the limit allows it within ten minutes"
	case p.After == recheckKeys:
		return "checks the keys again after a minute"
	case p.After == MailingsWindow:
		return "begins the next attempt a day after the first of the five"
	case p.After >= MailingsWindow && p.After < MailingsWindow+quotaSpread:
		return "begins the next attempt once the quota allows it"
	case p.After <= delivery.FirstBackoff:
		return "sends the same bytes again after 10 seconds, with a backoff of up to 4½ minutes"
	}
	t.Fatalf("no words for a wait of %s", p.After)
	return ""
}
