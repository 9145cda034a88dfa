// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// life is an Invitation and all that decides about it, over time: what people
// do, and what the controller does about it when it looks.
type life struct {
	Facts
	keys Keyring
	// madeFor says that Usher made it for a Membership.
	madeFor bool
	// others is how many seats others have, where there is a limit.
	others int32
	// processes and generations count those that there have been.
	processes, generations int

	// links are all that ever went out, and why each must not open any more.
	links []*sentLink
	// bytes that went out under each Message-ID.
	bytes map[string]string
	// begun is when attempts were begun, of all Invitations of the name, since a
	// status was last lost.
	begun []time.Time
	// past are the mailings of Invitations of the name that are gone.
	past []time.Time
	// wrong is what must never happen, and has.
	wrong []string
}

type sentLink struct {
	text string
	dead string
}

// ending is how a try ends for the process that makes it.
type ending string

const (
	taken      ending = "the mail server takes it"
	refusedFor ending = "the mail server refuses it for good"
	notNow     ending = "the mail server says: not now"
	killed     ending = "the process dies before it can write down how the try ended"
	lostClaim  ending = "somebody else wrote first"
)

func newLife(tb testing.TB, changes ...func(*Facts)) *life {
	tb.Helper()
	keys, err := ParseKeyring(map[string][]byte{"key-7": bytes.Repeat([]byte{7}, KeySize), "key-8": bytes.Repeat([]byte{8}, KeySize)})
	if err != nil {
		tb.Fatal(err)
	}
	l := &life{Facts: someFacts(changes...), keys: keys, bytes: map[string]string{}}
	l.Now = claimed
	if l.Invitation.OwnerReferences != nil {
		l.madeFor = true
		withMembership(same)(&l.Facts)
	}
	return l
}

// look is one look of the controller.
func (l *life) look(end ending) {
	if l.Invitation == nil {
		return
	}
	l.countMailings()
	plan := Decide(l.Facts)
	status := &l.Invitation.Status
	switch {
	case plan.Delete:
		l.gone("deleted")
		return
	case plan.Mark:
		annotate(&l.Facts, accountsv1.MailedAnnotation, status.Attempt.ClaimTime.UTC().Format(time.RFC3339))
		return
	case plan.CreateMembership:
		withMembership(same)(&l.Facts)
		l.Membership.Spec.Role = l.Invitation.Spec.Role
	case plan.Withdraw != nil:
		l.Media.End(status.Deliveries, plan.Withdraw.Name, accountsv1.DeliveryWithdrawn, "", l.Now)
	case plan.Claim != nil:
		if end == lostClaim {
			return
		}
		l.claim(*plan.Claim)
		if end == killed {
			l.processes++
			l.Holder = fmt.Sprintf("usher-%d", l.processes)
			return
		}
		l.end(plan.Claim.Name, end)
	}
	*status = Report(l.Facts)
}

func (l *life) claim(c Claim) {
	status := &l.Invitation.Status
	if a := c.Attempt; a != nil {
		if before := status.Attempt; a.Number != before.Number+1 {
			l.complain("attempt %d follows %d", a.Number, before.Number)
		}
		if l.acceptable() {
			l.complain("attempt %d is begun after somebody said yes", a.Number)
		}
		l.kill("superseded")
		l.begun = append(l.begun, a.ClaimTime.Time)
	}
	Begin(status, c)
	*status = Report(l.Facts)
	l.send(c.Name)
}

// send keeps what goes out, and compares it with what went out before.
func (l *life) send(name string) {
	d := Delivery(l.Invitation, name)
	attempt := l.Invitation.Status.Attempt
	text, err := l.keys.DeriveLink(string(l.Invitation.UID), attempt)
	if err != nil {
		l.complain("%v", err)
		return
	}
	switch d.Purpose {
	case accountsv1.PurposeInvitation:
		if l.current() == nil {
			l.links = append(l.links, &sentLink{text: text})
		}
	case accountsv1.PurposeCode:
		if other := l.Invitation.Status.OtherAddress; d.Recipient != string(other.Email) || !l.Now.Before(other.RequestTime.Add(CodeValidity)) {
			l.complain("a code for %s goes to %s, %s after it was asked for", other.Email, d.Recipient, l.Now.Sub(other.RequestTime.Time))
		}
		text, _ = l.keys.Code(l.Invitation)
	case accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined, accountsv1.PurposeReset, accountsv1.PurposeLocked,
		accountsv1.PurposePasswordChanged, accountsv1.PurposeSecondFactorChanged, accountsv1.PurposeUserNames:
	}
	if d.MessageID == "" {
		return
	}
	mail := fmt.Sprint(d.Purpose, d.Recipient, d.Language, d.Permissions, d.ClaimTime.UTC(), text, attempt.Organization, attempt.Role, attempt.Language, attempt.Sender)
	if before, known := l.bytes[d.MessageID]; known && before != mail {
		l.complain("%s stands for %s and for %s", d.MessageID, before, mail)
	}
	l.bytes[d.MessageID] = mail
}

func (l *life) end(name string, end ending) {
	switch end {
	case taken:
		l.Media.End(l.Invitation.Status.Deliveries, name, accountsv1.DeliverySent, "", l.Now)
	case refusedFor:
		l.Media.End(l.Invitation.Status.Deliveries, name, accountsv1.DeliveryRefused, "550 no such user", l.Now)
	case notNow:
		l.Media.End(l.Invitation.Status.Deliveries, name, accountsv1.DeliveryTemporaryFailure, "451 try again", l.Now)
	case killed, lostClaim:
		l.complain("a try ends so that %s", end)
	}
}

func (l *life) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// settle looks until there is nothing to do now. A try that it comes to stays
// on its way.
func (l *life) settle() {
	for range 10 {
		l.giveSeats()
		l.look(killed)
	}
}

// current is the link of the current attempt, if there is one.
func (l *life) current() *sentLink {
	if l.Invitation == nil {
		return nil
	}
	text, err := l.keys.DeriveLink(string(l.Invitation.UID), l.Invitation.Status.Attempt)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(l.links, func(s *sentLink) bool { return s.text == text })
	if i < 0 {
		return nil
	}
	return l.links[i]
}

func (l *life) standing(s *sentLink) Standing {
	return standingOf(l.Offer, s.text, l.keys, l.Now)
}

// kill says why no link that is out must open any more.
func (l *life) kill(why string) {
	for _, s := range l.links {
		if s.dead == "" {
			s.dead = why
		}
	}
}

// accept has somebody who holds a link accept with an Account of their own.
func (l *life) accept(s *sentLink, email accountsv1.EmailAddress) (accepted bool) {
	if s == nil || l.standing(s) != Open || !l.MayAccept(email) {
		return false
	}
	accepting(&l.Facts)
	l.Foreign = false
	l.processes++
	l.Accepter.UID, l.Accepter.Spec.Email = types.UID(fmt.Sprintf("account-%d", l.processes)), email
	l.Invitation.Status.Acceptance.AccountRef.UID = string(l.Accepter.UID)
	s.dead = "accepted"
	return true
}

// carryOut has the Account of whoever accepted take the Membership up.
func (l *life) carryOut() {
	inv, m := l.Invitation, l.Membership
	if inv == nil || m == nil || !l.acceptable() || IsHistory(inv) || m.DeletionTimestamp != nil || l.conflicting() {
		return
	}
	l.TakenUp = true
}

func (l *life) decline(s *sentLink) (declined bool) {
	if s == nil || l.standing(s) != Open {
		return false
	}
	declining(&l.Facts)
	s.dead = "declined"
	return true
}

func (l *life) loseStatus() {
	l.Invitation.Status = accountsv1.InvitationStatus{}
	l.Now = l.Now.Add(time.Second)
	l.kill("its status was lost")
	l.begun, l.past = nil, nil
	if !l.TakenUp {
		l.Accepter = nil
	}
}

// countMailings finds out what was mailed, as the controller does.
func (l *life) countMailings() {
	l.Mailings = []Mailings{{Reached: "The address was mailed", All: slices.Concat(MailingsOf(l.Invitation), l.past), Near: l.past}}
}

// gone takes the Invitation away.
func (l *life) gone(why string) {
	l.past = append(l.past, MailingsOf(l.Invitation)...)
	l.Invitation, l.Accepter = nil, nil
	l.kill(why)
}

// deleteMembership takes the Membership away, and out of the Account's record.
func (l *life) deleteMembership() { l.Membership, l.TakenUp = nil, false }

// inviteAnew makes the Membership, or the Invitation, of the same name again.
func (l *life) inviteAnew() {
	l.generations++
	fresh := someFacts()
	l.Invitation = fresh.Invitation
	l.Invitation.UID = types.UID(strings.Replace(someUID, "6f1c2d", fmt.Sprintf("%06d", l.generations), 1))
	if l.madeFor {
		withMembership(same)(&l.Facts)
		l.Membership.UID = types.UID(fmt.Sprintf("m%d", l.generations))
		madeFor(&l.Facts)
		l.Invitation.OwnerReferences[0].UID = l.Membership.UID
	}
}

// giveSeats is the Organization's: it gives out what is free.
func (l *life) giveSeats() {
	org := l.Organization
	if org == nil {
		return
	}
	before := org.Status.Seats
	org.Status.Seats = accountsv1.SeatsStatus{}
	if org.Spec.Seats == 0 {
		return
	}
	var holders []accountsv1.SeatHolder
	for i := range l.others {
		holders = append(holders, accountsv1.SeatHolder{Name: accountsv1.CatalogueName(fmt.Sprintf("john-%d", i))})
	}
	if inv := l.Invitation; inv != nil {
		attempt, wanted := WantsSeat(inv, l.Membership)
		has := slices.ContainsFunc(before.Holders, func(h accountsv1.SeatHolder) bool { return h.InvitationUID == string(inv.UID) })
		if wanted && (has || l.others < org.Spec.Seats) {
			holders = append(holders, accountsv1.SeatHolder{Name: "jane", InvitationUID: string(inv.UID), Attempt: attempt})
		}
	}
	number := int32(len(holders))
	org.Status.Seats = accountsv1.SeatsStatus{Taken: &number, Holders: holders}
}

func (l *life) askForResend(value string) { annotate(&l.Facts, accountsv1.ResendAnnotation, value) }

func (l *life) release() {
	l.Organization.Annotations = map[string]string{accountsv1.ReleaseMailAnnotation: l.Now.Format(time.RFC3339)}
}

func (l *life) removeRole() { l.Organization.Spec.Roles = nil }
func (l *life) addRole()    { l.Organization.Spec.Roles = someFacts().Organization.Spec.Roles }

func (l *life) condition(conditionType string) metav1.Condition {
	for _, c := range l.Invitation.Status.Conditions {
		if c.Type == conditionType {
			return c
		}
	}
	return metav1.Condition{}
}
