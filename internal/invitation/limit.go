// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"slices"
	"time"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const (
	// MostMailings is how often one address is mailed invitations to, and one
	// telephone texted, within MailingsWindow, before Usher waits.
	MostMailings = 5
	// MailingsWindow is the time in which MostMailings count.
	MailingsWindow = 24 * time.Hour
)

// Mailings are when invitations were sent to the recipient of a rate limit, such as
// one address or one telephone.
type Mailings struct {
	// Reached begins the sentence that reports that the limit is reached, such as "The
	// address was mailed".
	Reached string
	// All of them: by this Invitation, by those of whatever Organization that
	// exist, and by those of the same Organization that exist no more, as far as
	// this process knows: somebody, or a tool, deletes and makes them again.
	All []time.Time
	// Near are those among them by other Invitations of the same Organization.
	Near []time.Time
}

// next is when there can be another one; zero: now.
func (m Mailings) next(now time.Time) time.Time {
	counted := recent(m.All, now)
	if len(counted) < MostMailings {
		return time.Time{}
	}
	return counted[len(counted)-MostMailings].Add(MailingsWindow)
}

// first is when there can be one by an Invitation that has sent none; zero: now.
// What others send does not keep an Organization from its first one. Where it has
// sent one within the day, by whatever Invitation, this is as good as a resend.
func (m Mailings) first(now time.Time) time.Time {
	next, near := m.next(now), recent(m.Near, now)
	if next.IsZero() || len(near) == 0 {
		return time.Time{}
	}
	if free := near[len(near)-1].Add(MailingsWindow); free.Before(next) {
		return free
	}
	return next
}

// recent are the times that count at present, oldest first.
func recent(times []time.Time, now time.Time) []time.Time {
	counted := slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return now.Sub(t) >= MailingsWindow })
	slices.SortFunc(counted, time.Time.Compare)
	return counted
}

// nextAttempt is when one can be begun; zero: now.
func (f Facts) nextAttempt() time.Time {
	at, _ := f.limit()
	return at
}

// limit is when an attempt can be begun, and what says so for people. A zero
// time is now.
func (f Facts) limit() (until time.Time, message string) {
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
	return until, fmt.Sprintf("%s %d times within a day; this is sent by itself at %s.", told, MostMailings, until.UTC().Format(time.RFC3339))
}

// MailingsOf are when the Invitation was mailed, as far as its status knows.
func MailingsOf(inv *accountsv1.Invitation) []time.Time {
	attempt := inv.Status.Attempt
	if !attempt.Begun() {
		return nil
	}
	times := []time.Time{attempt.ClaimTime.Time}
	for _, e := range attempt.Earlier {
		times = append(times, e.ClaimTime.Time)
	}
	return times
}
