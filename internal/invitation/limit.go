// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/organization"
)

const (
	// MostMailings is how often Usher mails invitations and codes to one mailbox, or texts
	// one telephone, within MailingsWindow before it waits.
	MostMailings = 5
	// MailingsWindow is the period in which MostMailings count.
	MailingsWindow = 24 * time.Hour

	// quotaSpread is the time over which waiting Invitations ask again for the quota of
	// their Organization. Otherwise, all of them would ask for each one that becomes free.
	quotaSpread = 10 * time.Minute
)

// Mailings holds when invitations were sent to the recipient of a rate limit, such as
// one address or one telephone.
type Mailings struct {
	// Reached begins the sentence that reports a reached limit, such as "The address
	// was mailed".
	Reached string
	// All holds the invitations and codes for this Invitation, for existing Invitations of
	// any Organization, and for deleted Invitations of the same Organization, as far as this
	// process knows them. The deleted ones count because a person or a tool could delete
	// and recreate Invitations.
	All []time.Time
	// SameOrganization holds the mailings among All by the same Organization.
	SameOrganization []time.Time
}

// next returns when another mailing is possible; zero: now.
func (m Mailings) next(now time.Time) time.Time {
	counted := recent(m.All, now)
	if len(counted) < MostMailings {
		return time.Time{}
	}
	return counted[len(counted)-MostMailings].Add(MailingsWindow)
}

// first returns when an Invitation can have its first mailing, or a code; zero: now. Mailings by
// other Organizations do not keep an Organization from its first one. If the
// Organization had one within the window, by any Invitation, the next one counts like a
// resend.
func (m Mailings) first(now time.Time) time.Time {
	next, near := m.next(now), recent(m.SameOrganization, now)
	if next.IsZero() || len(near) == 0 {
		return time.Time{}
	}
	if free := near[len(near)-1].Add(MailingsWindow); free.Before(next) {
		return free
	}
	return next
}

// recent returns the times that count at present, oldest first.
func recent(times []time.Time, now time.Time) []time.Time {
	counted := slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return now.Sub(t) >= MailingsWindow })
	slices.SortFunc(counted, time.Time.Compare)
	return counted
}

// nextAttempt returns when an attempt can begin; zero: now.
func (f Facts) nextAttempt() time.Time {
	at, _, _ := f.limit()
	return at
}

// limit returns when an attempt can begin, with a reason and a message for people. A zero
// time means now.
func (f Facts) limit() (until time.Time, reason, message string) {
	when := Mailings.next
	if !f.Invitation.Status.Attempt.Begun() {
		when = Mailings.first
	}
	var told string
	for i, m := range f.Mailings {
		if at := when(m, f.Now); i == 0 || at.After(until) {
			until, told = at, m.Reached
		}
	}
	if at := f.quotaFreeAt(); at.After(until) {
		return at, accountsv1.ReasonQuotaReached, fmt.Sprintf(
			"Organization %s has sent the %d invitations that it may send within 24 hours. Usher sends this one by itself; a cluster admin can raise spec.invitationsPerDay of the Organization.",
			f.organizationName(), organization.InvitationsPerDay(f.Organization))
	}
	return until, accountsv1.ReasonResendLimited, fmt.Sprintf("%s %d times within a day; Usher sends this invitation at %s.", told, MostMailings, until.UTC().Format(time.RFC3339))
}

// quotaFreeAt returns when this Invitation asks again for the quota of its Organization;
// zero: the quota is not used up.
func (f Facts) quotaFreeAt() time.Time {
	if f.QuotaFreeAt.IsZero() {
		return time.Time{}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.Invitation.UID)) // writing to a hash never fails
	return f.QuotaFreeAt.Add(time.Duration(h.Sum32()) % quotaSpread)
}

// AttemptsOf returns the attempts of an Invitation, newest first, as far as its status
// records them.
func AttemptsOf(inv *accountsv1.Invitation) []accountsv1.EarlierAttempt {
	a := inv.Status.Attempt
	if !a.Begun() {
		return nil
	}
	return append([]accountsv1.EarlierAttempt{{Number: a.Number, KeyID: a.KeyID, ClaimTime: a.ClaimTime}}, a.Earlier...)
}
