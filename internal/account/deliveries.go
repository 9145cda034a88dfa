// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

const (
	// maxEventAge is how old an event may be when Usher starts to notify the member about it. So
	// a status that comes back from a backup sends no mails.
	maxEventAge = 24 * time.Hour
	// retryPeriod is how long Usher retries to notify the member about an event.
	retryPeriod = 7 * 24 * time.Hour
	// maxEarlierLocks is how many mails about earlier locks wait while no mail can be sent.
	maxEarlierLocks = 5
)

// Claim is one send of one mail. It is written before the mail is sent.
type Claim struct {
	delivery.Try
	// Delivery that the send begins, if it is not in the status yet.
	Delivery accountsv1.Delivery
}

// Begin writes a claim into a status.
func Begin(status *accountsv1.AccountStatus, claim Claim) {
	if delivery.Find(status.Deliveries, claim.Name) == nil {
		status.Deliveries = append(status.Deliveries, claim.Delivery)
	}
	delivery.Begin(delivery.Find(status.Deliveries, claim.Name), claim.Try)
}

// mailEvent is an event that the member is notified about by mail. Except for locks and
// unlocks, it is the newest of its kind.
type mailEvent struct {
	purpose accountsv1.DeliveryPurpose
	name    string
	at      time.Time
	// open means that a mail may be started. worth means that a started mail may be
	// retried.
	open, worth bool
}

// occasions returns the events in the status in the order in which their mails are sent.
// Mails that the member waits for come first.
func (f Facts) occasions() []mailEvent {
	var all []mailEvent
	status := f.Account.Status
	add := func(purpose accountsv1.DeliveryPurpose, name string, at *metav1.Time, open, worth bool) {
		if at == nil || f.Now.Sub(at.Time) >= retryPeriod {
			return
		}
		open = open && worth && f.Now.Sub(at.Time) < maxEventAge
		all = append(all, mailEvent{purpose, fmt.Sprintf("%s-%d", name, at.Unix()), at.Time, open, worth})
	}
	reset := newest(status.ResetTimes)
	add(accountsv1.PurposeReset, "reset", reset, true, f.resettable(reset))
	code := newest(status.EmailCodeTimes)
	add(accountsv1.PurposeCode, "code", code, true, !EmailCodeValidUntil(f.Account, f.Now).IsZero())
	add(accountsv1.PurposeUserNames, "user-names", newest(status.UserNameTimes), true, true)
	add(accountsv1.PurposePasswordChanged, "password", status.PasswordTime, true, true)
	add(accountsv1.PurposeSecondFactorChanged, "second-factor", status.SecondFactorTime, true, true)
	for _, factor := range factors {
		if lock := f.lock(factor); lock.Reached {
			since := metav1.NewTime(lock.Since)
			mail := lockMails[factor]
			add(mail.purpose, mail.name, &since, !f.Now.Before(lock.CertainFrom()), true)
		}
	}
	all = append(all, f.earlierLocks(all)...)
	for i := range status.UnlockTimes {
		add(accountsv1.PurposeUnlocked, "unlocked", &status.UnlockTimes[i], true, true)
	}
	return all
}

// lockMails are the purposes of the mails about locks, and the starts of their names.
var lockMails = map[Factor]mailEvent{
	FactorPassword: {purpose: accountsv1.PurposeLocked, name: "locked"},
	FactorCode:     {purpose: accountsv1.PurposeCodesLocked, name: "codes-locked"},
}

func isAboutLock(purpose accountsv1.DeliveryPurpose) bool {
	return purpose == accountsv1.PurposeLocked || purpose == accountsv1.PurposeCodesLocked
}

// earlierLocks returns the locks that have ended, and that the member was not mailed about
// yet. A lock does not stay in the status when it is opened, or when the next attempt is
// counted. Only its delivery is left then.
func (f Facts) earlierLocks(known []mailEvent) []mailEvent {
	var all []mailEvent
	for _, d := range slices.Backward(f.Account.Status.Deliveries) {
		listed := slices.ContainsFunc(known, func(e mailEvent) bool { return e.name == d.Name })
		if at := EventTime(d); isAboutLock(d.Purpose) && !listed && !delivery.Finished(d) &&
			f.Now.Sub(at) < retryPeriod && len(all) < maxEarlierLocks {
			all = append(all, mailEvent{purpose: d.Purpose, name: d.Name, at: at, worth: true})
		}
	}
	return all
}

// EventTime returns the time of the event that a mail is about.
func EventTime(d accountsv1.Delivery) time.Time {
	at, err := strconv.ParseInt(d.Name[strings.LastIndexByte(d.Name, '-')+1:], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

// LockMailed returns when the lock that a mail is about began, and until when it lasts.
// until is zero if the lock was opened, or if another one has begun since.
func (f Facts) LockMailed(d accountsv1.Delivery) (since, until time.Time) {
	since = EventTime(d)
	for _, factor := range factors {
		if lock := f.lock(factor); lockMails[factor].purpose == d.Purpose && lock.Reached && lock.Since.Unix() == since.Unix() {
			until = lock.Until
		}
	}
	return since, until
}

// resettable reports whether the link of the newest request is still valid, as far as the
// status knows.
func (f Facts) resettable(requested *metav1.Time) bool {
	changed := f.Account.Status.PasswordTime
	return requested != nil && !Disabled(f.Account) && f.Now.Before(requested.Add(ResetValidity)) &&
		(changed == nil || !requested.Before(changed))
}

// kept returns the deliveries of the status without outdated ones: their event has a
// newer one of the same kind, or is too old.
func (f Facts) kept() []accountsv1.Delivery {
	occasions := f.occasions()
	return slices.DeleteFunc(slices.Clone(f.Account.Status.Deliveries), func(d accountsv1.Delivery) bool {
		return !slices.ContainsFunc(occasions, func(o mailEvent) bool { return o.name == d.Name })
	})
}

// deliver claims the next send that is due, or returns how long to wait for it.
func (f Facts) deliver() (*Claim, time.Duration) {
	var wanted []accountsv1.Delivery
	for _, o := range f.occasions() {
		switch d := delivery.Find(f.Account.Status.Deliveries, o.name); {
		case d != nil && o.worth:
			wanted = append(wanted, *d)
		case d == nil && o.open:
			wanted = append(wanted, f.newDelivery(o))
		}
	}
	process := delivery.Process{ClaimOwner: f.ClaimOwner, Deadline: f.SendDeadline}
	due, after := process.Due(wanted, string(f.Account.UID), f.Now)
	if due == nil {
		return nil, after
	}
	claim := &Claim{Try: process.Next(*due, f.Now), Delivery: *due}
	claim.MessageID = fmt.Sprintf("%s.%s.%d@%s", f.Account.UID, due.Name, claim.Time.Unix(), f.MailDomain)
	return claim, 0
}

func (f Facts) newDelivery(o mailEvent) accountsv1.Delivery {
	return accountsv1.Delivery{
		Name: o.name, Purpose: o.purpose, Medium: accountsv1.MediumEmail,
		Recipient: string(f.Account.Spec.Email), Language: f.language(),
	}
}

// language returns the language that the member last read pages in, or else that of the
// first Organization that they belong to.
func (f Facts) language() accountsv1.Language {
	var organization accountsv1.Language
	if len(f.Belongings) > 0 {
		organization = f.Belongings[0].Organization.Spec.Language
	}
	return cmp.Or(f.Account.Status.Language, organization, "en")
}

// SupportContact returns the contact for the member: that of the first Organization that
// has one.
func SupportContact(belongings []Belonging) string {
	for _, b := range belongings {
		if contact := b.Organization.Spec.SupportContact; contact != "" {
			return string(contact)
		}
	}
	return ""
}

func newest(times []metav1.Time) *metav1.Time {
	if len(times) == 0 {
		return nil
	}
	return &times[0]
}
