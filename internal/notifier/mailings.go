// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/organization"
)

// mailings holds the invitations and codes that a process has seen within a day, by Organization, and
// by Organization and recipient. The records in the status of an Invitation are deleted with it. These
// records stay as long as the process runs, so a tool that deletes and creates Invitations in a loop
// cannot make Usher mail people all the time.
type mailings struct {
	mu    sync.Mutex
	noted map[string]map[mailing]bool
	swept time.Time
	// counted are the Organizations whose existing Invitations are noted.
	counted map[string]bool
}

// mailing is one time that an Invitation was sent, or that a code was mailed for it, in seconds as in
// its status.
type mailing struct {
	invitation types.UID
	// message is the number of the attempt, or the name of the code's delivery.
	message string
	at      int64
}

// countedMailing is a mailing with the keys of the rate limits that it counts towards.
type countedMailing struct {
	mailing
	limits []string
}

// mailingsOf returns what was sent for an Invitation, according to its status.
func mailingsOf(inv *accountsv1.Invitation) []countedMailing {
	var all []countedMailing
	invited := keysOf(Media().RateLimits(inv))
	for _, a := range invitation.AttemptsOf(inv) {
		all = append(all, countedMailing{mailing{inv.UID, fmt.Sprint(a.Number), a.ClaimTime.Unix()}, invited})
	}
	for _, d := range invitation.CodesOf(inv) {
		all = append(all, countedMailing{mailing{inv.UID, d.Name, d.ClaimTime.Unix()}, keysOf(CodeLimits(d))})
	}
	return all
}

// CodeLimits returns the limits that apply to a code.
func CodeLimits(d accountsv1.Delivery) []delivery.RateLimit {
	if limit, is := Media().RateLimit(d.Medium, d.Recipient); is {
		return []delivery.RateLimit{limit}
	}
	return nil
}

// LimitKeys returns the keys of the rate limits that apply to an Invitation, and of those that its codes
// count towards.
func LimitKeys(inv *accountsv1.Invitation) []string {
	keys := keysOf(Media().RateLimits(inv))
	for _, d := range invitation.CodesOf(inv) {
		keys = append(keys, keysOf(CodeLimits(d))...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func keysOf(limits []delivery.RateLimit) []string {
	var keys []string
	for _, limit := range limits {
		keys = append(keys, limit.Key)
	}
	return keys
}

// organizationKey identifies all recipients of an Organization.
func organizationKey(inv *accountsv1.Invitation) string {
	return string(inv.Spec.OrganizationRef.Name)
}

// recipientKey identifies a recipient to which an Organization sends.
func recipientKey(inv *accountsv1.Invitation, limit string) string {
	return organizationKey(inv) + "/" + limit
}

// recipientKeys returns the keys of all recipients of a mailing for an Invitation.
func recipientKeys(inv *accountsv1.Invitation, one countedMailing) []string {
	var keys []string
	for _, limit := range one.limits {
		keys = append(keys, recipientKey(inv, limit))
	}
	return keys
}

// NoteMailings records the times at which an Invitation was sent, and at which codes were mailed for it.
func (n *Notifier) NoteMailings(inv *accountsv1.Invitation, now time.Time) {
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	n.mailings.sweep(now)
	for _, one := range mailingsOf(inv) {
		for _, key := range append(recipientKeys(inv, one), organizationKey(inv)) {
			n.mailings.put(key, one.mailing, now)
		}
	}
}

// CountMailings returns when the recipient of a limit was sent invitations and codes. It counts those
// for the Invitation, for others in the cache that share the limit, and for deleted Invitations of its
// Organization.
func (n *Notifier) CountMailings(inv *accountsv1.Invitation, limit delivery.RateLimit, sharing []accountsv1.Invitation) invitation.Mailings {
	var known []mailing
	counted := invitation.Mailings{Reached: limit.Reached}
	count := func(from *accountsv1.Invitation) {
		for _, one := range mailingsOf(from) {
			if !slices.Contains(one.limits, limit.Key) {
				continue
			}
			known = append(known, one.mailing)
			at := time.Unix(one.at, 0).UTC()
			counted.All = append(counted.All, at)
			if from.Spec.OrganizationRef == inv.Spec.OrganizationRef {
				counted.SameOrganization = append(counted.SameOrganization, at)
			}
		}
	}
	count(inv)
	for i := range sharing {
		if sharing[i].UID != inv.UID { // the cache can be stale
			count(&sharing[i])
		}
	}
	deleted := n.mailings.without(recipientKey(inv, limit.Key), known)
	counted.All, counted.SameOrganization = append(counted.All, deleted...), append(counted.SameOrganization, deleted...)
	return counted
}

// Counts reports whether the process has noted the existing Invitations of an Organization.
func (n *Notifier) Counts(org string) bool {
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	return n.mailings.counted[org]
}

// CountExisting notes the existing Invitations of an Organization.
func (n *Notifier) CountExisting(org string, all []accountsv1.Invitation, now time.Time) {
	for i := range all {
		n.NoteMailings(&all[i], now)
	}
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	if n.mailings.counted == nil {
		n.mailings.counted = map[string]bool{}
	}
	n.mailings.counted[org] = true
}

// Reserve notes a mailing before it is claimed, so that Invitations that are reconciled at the same time
// do not exceed a limit. It returns false if a limit is reached. If the claim fails, call release. A
// claim of a retry, or of a notice, needs no reservation and always succeeds.
func (n *Notifier) Reserve(org *accountsv1.Organization, inv *accountsv1.Invitation, claim invitation.Claim) (release func(), reserved bool) {
	one, counts := newMailing(inv, claim)
	if !counts {
		return func() {}, true
	}
	recipients, at := recipientKeys(inv, one), claim.Time.Time
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	full := func(key string) bool { return n.mailings.full(key, invitation.MostMailings, at) }
	if n.mailings.full(org.Name, organization.InvitationsPerDay(org), at) || slices.ContainsFunc(recipients, full) {
		return nil, false
	}
	keys := slices.Concat(recipients, []string{org.Name})
	for _, key := range keys {
		n.mailings.put(key, one.mailing, at)
	}
	return func() {
		n.mailings.mu.Lock()
		defer n.mailings.mu.Unlock()
		for _, key := range keys {
			delete(n.mailings.noted[key], one.mailing)
		}
	}, true
}

// newMailing returns the mailing that a claim adds to the status of an Invitation, and reports whether
// there is one.
func newMailing(inv *accountsv1.Invitation, claim invitation.Claim) (countedMailing, bool) {
	claimed, known := inv.DeepCopy(), map[mailing]bool{}
	invitation.Begin(&claimed.Status, claim)
	for _, one := range mailingsOf(inv) {
		known[one.mailing] = true
	}
	for _, one := range mailingsOf(claimed) {
		if !known[one.mailing] {
			return one, true
		}
	}
	return countedMailing{}, false
}

// QuotaFreeAt returns when an Organization can send another invitation. It is zero if it can now.
func (n *Notifier) QuotaFreeAt(org *accountsv1.Organization, now time.Time) time.Time {
	most := organization.InvitationsPerDay(org)
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	if !n.mailings.full(org.Name, most, now) {
		return time.Time{}
	}
	counted := n.mailings.counting(org.Name, now)
	slices.Sort(counted)
	return time.Unix(counted[len(counted)-most], 0).Add(invitation.MailingsWindow)
}

// full reports whether the mailings of a key reach a limit.
func (m *mailings) full(key string, most int, now time.Time) bool {
	return len(m.noted[key]) >= most && len(m.counting(key, now)) >= most
}

// counting returns the times of the mailings of a key that count.
func (m *mailings) counting(key string, now time.Time) []int64 {
	var counted []int64
	for one := range m.noted[key] {
		if counts(one, now) {
			counted = append(counted, one.at)
		}
	}
	return counted
}

// put adds a mailing if it counts.
func (m *mailings) put(key string, one mailing, now time.Time) {
	if !counts(one, now) {
		return
	}
	if m.noted == nil {
		m.noted = map[string]map[mailing]bool{}
	}
	if m.noted[key] == nil {
		m.noted[key] = map[mailing]bool{}
	}
	m.noted[key][one] = true
}

// sweep removes the mailings that no longer count, from time to time.
func (m *mailings) sweep(now time.Time) {
	const pause = 10 * time.Minute
	if now.Sub(m.swept) < pause {
		return
	}
	m.swept = now
	for key, noted := range m.noted {
		for one := range noted {
			if !counts(one, now) {
				delete(noted, one)
			}
		}
		if len(noted) == 0 {
			delete(m.noted, key)
		}
	}
}

// counts reports whether a mailing is within the window of the limits.
func counts(one mailing, now time.Time) bool {
	return now.Sub(time.Unix(one.at, 0)) < invitation.MailingsWindow
}

// without returns the times of the noted mailings that are not among the known ones.
func (m *mailings) without(key string, known []mailing) []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []time.Time
	for noted := range m.noted[key] {
		if !slices.Contains(known, noted) {
			gone = append(gone, time.Unix(noted.at, 0).UTC())
		}
	}
	return gone
}
