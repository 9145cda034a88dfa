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

// life is an Invitation over time, with everything that decides about it: what people
// do, and how the controller reconciles it.
type life struct {
	Facts
	keys Keyring
	// madeFor reports that Usher created it for a Membership.
	madeFor bool
	// others is how many seats others hold, if there is a limit.
	others int32
	// processes and generations count the ones so far.
	processes, generations int

	// links holds all links that were sent, and why each must no longer work.
	links []*sentLink
	// bytes sent under each Message-ID.
	bytes map[string]string
	// begun holds when attempts began, for all Invitations of the name, since a status
	// was last lost.
	begun []time.Time
	// past holds the mailings of deleted Invitations of the name.
	past []time.Time
	// wrong collects violations: what must never happen, but did.
	wrong []string
}

type sentLink struct {
	text string
	dead string
}

// ending is how a send ends for the process that makes it.
type ending string

const (
	taken      ending = "the mail server takes it"
	refusedFor ending = "the mail server refuses it permanently"
	notNow     ending = "the mail server fails temporarily"
	killed     ending = "the process ends before it can record the result"
	lostClaim  ending = "another writer wrote first"
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

// look is one reconciliation by the controller.
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
			l.ClaimOwner = fmt.Sprintf("usher-%d", l.processes)
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
			l.complain("attempt %d began after the invitation was accepted", a.Number)
		}
		l.kill("superseded")
		l.begun = append(l.begun, a.ClaimTime.Time)
	}
	Begin(status, c)
	*status = Report(l.Facts)
	l.send(c.Name)
}

// send stores the sent bytes, and compares them with earlier ones.
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
			l.complain("a code for %s goes to %s, %s after it was requested", other.Email, d.Recipient, l.Now.Sub(other.RequestTime.Time))
		}
		text, _ = l.keys.Code(l.Invitation)
	case accountsv1.PurposeConfirmation, accountsv1.PurposeJoined, accountsv1.PurposeDeclined, accountsv1.PurposeReset,
		accountsv1.PurposeLocked, accountsv1.PurposeCodesLocked, accountsv1.PurposeUnlocked, accountsv1.PurposePasswordChanged,
		accountsv1.PurposeSecondFactorChanged, accountsv1.PurposeUserNames:
	}
	if d.MessageID == "" {
		return
	}
	mail := fmt.Sprint(d.Purpose, d.Recipient, d.Language, d.Permissions, d.ClaimTime.UTC(), text, attempt.Organization, attempt.Role, attempt.Language, attempt.Sender)
	if before, known := l.bytes[d.MessageID]; known && before != mail {
		l.complain("the Message-ID %s identifies both %s and %s", d.MessageID, before, mail)
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
		l.complain("a send ends so that %s", end)
	}
}

func (l *life) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// settle reconciles until nothing is left to do now. A send that this begins stays in
// progress.
func (l *life) settle() {
	for range 10 {
		l.giveSeats()
		l.look(killed)
	}
}

// current returns the link of the current attempt, if there is one.
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

func (l *life) standing(s *sentLink) LinkStatus {
	return standingOf(l.Offer, s.text, l.keys, l.Now)
}

// kill records why no sent link may work any more.
func (l *life) kill(why string) {
	for _, s := range l.links {
		if s.dead == "" {
			s.dead = why
		}
	}
}

// accepter is the kind of Account that accepts.
type accepter int

const (
	// newcomer is an Account that is created with the link.
	newcomer accepter = iota
	// verified and unproved exist before, with and without a proof of the address.
	verified
	unproved
)

// accept lets the holder of a link accept with an Account, if the portal lets it.
func (l *life) accept(s *sentLink, email accountsv1.EmailAddress, as accepter) (accepted bool) {
	l.processes++
	a := &accountsv1.Account{Spec: accountsv1.AccountSpec{Email: email}}
	a.Name, a.UID = "jane", types.UID(fmt.Sprintf("account-%d", l.processes))
	switch as {
	case newcomer:
		if l.Invitation != nil {
			a.Spec.InvitationRef.UID = string(l.Invitation.UID)
		}
	case verified:
		a.Status.EmailVerifiedTime = second(l.Now)
	case unproved:
	}
	if s == nil || l.standing(s) != LinkOpen || !l.MayAccept(a) {
		return false
	}
	accepting(&l.Facts)
	l.Accepter, l.Foreign = a, false
	l.Invitation.Status.Acceptance.AccountRef.UID = string(a.UID)
	s.dead = "accepted"
	return true
}

// carryOut lets the accepting Account hold the Membership.
func (l *life) carryOut() {
	inv, m := l.Invitation, l.Membership
	if inv == nil || m == nil || !l.acceptable() || IsHistory(inv) || m.DeletionTimestamp != nil || l.conflictsWithMembership() {
		return
	}
	l.Joined = true
}

func (l *life) decline(s *sentLink) (declined bool) {
	if s == nil || l.standing(s) != LinkOpen {
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
	if !l.Joined {
		l.Accepter = nil
	}
}

// countMailings finds the times of the mailings, as the controller does.
func (l *life) countMailings() {
	l.Mailings = []Mailings{{Reached: "The mailbox was mailed", All: slices.Concat(attemptTimes(l.Invitation), l.past), SameOrganization: l.past}}
}

// gone deletes the Invitation.
func (l *life) gone(why string) {
	l.past = append(l.past, attemptTimes(l.Invitation)...)
	l.Invitation, l.Accepter = nil, nil
	l.kill(why)
}

// deleteMembership deletes the Membership, and removes it from the Account's record.
func (l *life) deleteMembership() { l.Membership, l.Joined = nil, false }

// inviteAnew creates the Membership, or the Invitation, of the same name again.
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

// giveSeats acts for the Organization: it assigns the free seats.
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
