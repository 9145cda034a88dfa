// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

const (
	// news is how long something is new enough to begin to tell about it: a
	// status that comes back from a backup mails nobody.
	news = 24 * time.Hour
	// worthTelling is how long Usher tries to tell about it.
	worthTelling = 7 * 24 * time.Hour
)

// Claim is one try to deliver one mail, to be written before it is made.
type Claim struct {
	delivery.Try
	// Delivery that is begun with it, if it is not in the status yet.
	Delivery accountsv1.Delivery
}

// Begin writes a claim into a status.
func Begin(status *accountsv1.AccountStatus, claim Claim) {
	if delivery.Find(status.Deliveries, claim.Name) == nil {
		status.Deliveries = append(status.Deliveries, claim.Delivery)
	}
	delivery.Begin(delivery.Find(status.Deliveries, claim.Name), claim.Try)
}

// occasion is something that the person is told by mail: the newest of its kind.
type occasion struct {
	purpose accountsv1.DeliveryPurpose
	name    string
	at      time.Time
	// open tells whether a mail may be begun, and worth whether one that was
	// begun may be tried again.
	open, worth bool
}

// occasions are those that the status knows, in the order in which they are told:
// first what somebody waits for.
func (f Facts) occasions() []occasion {
	var all []occasion
	status := f.Account.Status
	add := func(purpose accountsv1.DeliveryPurpose, name string, at *metav1.Time, open, worth bool) {
		if at == nil || f.Now.Sub(at.Time) >= worthTelling {
			return
		}
		open = open && worth && f.Now.Sub(at.Time) < news
		all = append(all, occasion{purpose, fmt.Sprintf("%s-%d", name, at.Unix()), at.Time, open, worth})
	}
	reset := newest(status.ResetTimes)
	add(accountsv1.PurposeReset, "reset", reset, true, f.resettable(reset))
	add(accountsv1.PurposeUserNames, "user-names", newest(status.UserNameTimes), true, true)
	add(accountsv1.PurposePasswordChanged, "password", status.PasswordTime, true, true)
	add(accountsv1.PurposeSecondFactorChanged, "second-factor", status.SecondFactorTime, true, true)
	if f.lock().Reached {
		add(accountsv1.PurposeLocked, "locked", status.SignIn.FailureTime, f.shut(), true)
	}
	return all
}

// resettable tells whether the link of the newest request is still good, as far
// as the status knows.
func (f Facts) resettable(requested *metav1.Time) bool {
	changed := f.Account.Status.PasswordTime
	return requested != nil && !Disabled(f.Account) && f.Now.Before(requested.Add(ResetValidity)) &&
		(changed == nil || !requested.Before(changed))
}

// kept are the deliveries of the status without those that are about nothing any
// more: there is something newer of the kind, or it is too long ago.
func (f Facts) kept() []accountsv1.Delivery {
	occasions := f.occasions()
	return slices.DeleteFunc(slices.Clone(f.Account.Status.Deliveries), func(d accountsv1.Delivery) bool {
		return !slices.ContainsFunc(occasions, func(o occasion) bool { return o.name == d.Name })
	})
}

// deliver claims the next try that is due, or says how long to wait for it.
func (f Facts) deliver() (*Claim, time.Duration) {
	var wanted []accountsv1.Delivery
	for _, o := range f.occasions() {
		switch d := delivery.Find(f.Account.Status.Deliveries, o.name); {
		case d != nil && o.worth:
			wanted = append(wanted, *d)
		case d == nil && o.open:
			wanted = append(wanted, accountsv1.Delivery{
				Name: o.name, Purpose: o.purpose, Medium: accountsv1.MediumEmail,
				Recipient: string(f.Account.Spec.Email), Language: f.language(),
			})
		}
	}
	process := delivery.Process{Holder: f.Holder, Deadline: f.SendDeadline}
	due, after := process.Due(wanted, string(f.Account.UID), f.Now)
	if due == nil {
		return nil, after
	}
	claim := &Claim{Try: process.Next(*due, f.Now), Delivery: *due}
	claim.MessageID = fmt.Sprintf("%s.%s.%d@%s", f.Account.UID, due.Name, claim.Time.Unix(), f.MailDomain)
	return claim, 0
}

// language is the one that the person last read pages in, or else that of the
// first Organization that they belong to.
func (f Facts) language() accountsv1.Language {
	var organization accountsv1.Language
	if len(f.Belongings) > 0 {
		organization = f.Belongings[0].Organization.Spec.Language
	}
	return cmp.Or(f.Account.Status.Language, organization, "en")
}

// SupportContact is whom the person can turn to: that of the first Organization
// that names somebody.
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
