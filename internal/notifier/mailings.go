// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/organization"
)

// mailings holds the invitations that a process has seen within a day, by Organization, and by
// Organization and recipient. The records in the status of an Invitation are deleted with it. These
// records stay as long as the process runs, so a tool that deletes and creates Invitations in a loop
// cannot make Usher mail people all the time.
type mailings struct {
	mu    sync.Mutex
	noted map[string]map[mailing]bool
	swept time.Time
	// counted are the Organizations whose existing Invitations are noted.
	counted map[string]bool
}

// mailing is one time that an Invitation was sent, in seconds as in its status.
type mailing struct {
	invitation types.UID
	at         int64
}

// mailingsOf returns when an Invitation was sent, according to its status.
func mailingsOf(inv *accountsv1.Invitation) []mailing {
	var all []mailing
	for _, at := range invitation.MailingsOf(inv) {
		all = append(all, mailing{inv.UID, at.Unix()})
	}
	return all
}

// organizationKey identifies all recipients of an Organization.
func organizationKey(inv *accountsv1.Invitation) string {
	return string(inv.Spec.OrganizationRef.Name)
}

// recipientKey identifies a recipient that an Organization invites.
func recipientKey(inv *accountsv1.Invitation, limit delivery.RateLimit) string {
	return organizationKey(inv) + "/" + limit.Key
}

// recipientKeys returns the keys of all recipients of an Invitation.
func recipientKeys(inv *accountsv1.Invitation) []string {
	var keys []string
	for _, limit := range Media().RateLimits(inv) {
		keys = append(keys, recipientKey(inv, limit))
	}
	return keys
}

// NoteMailings records the times at which an Invitation was sent.
func (n *Notifier) NoteMailings(inv *accountsv1.Invitation, now time.Time) {
	keys := append(recipientKeys(inv), organizationKey(inv))
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	n.mailings.sweep(now)
	for _, one := range mailingsOf(inv) {
		for _, key := range keys {
			n.mailings.put(key, one, now)
		}
	}
}

// CountMailings returns when the recipient of a limit was mailed. It counts the mails of the
// Invitation, of others in the cache that share the limit, and of deleted Invitations of its
// Organization.
func (n *Notifier) CountMailings(inv *accountsv1.Invitation, limit delivery.RateLimit, sharing []accountsv1.Invitation) invitation.Mailings {
	known, counted := mailingsOf(inv), invitation.Mailings{Reached: limit.Reached, All: invitation.MailingsOf(inv)}
	for i := range sharing {
		other := &sharing[i]
		if other.UID == inv.UID {
			continue // the cache can be stale
		}
		known = append(known, mailingsOf(other)...)
		counted.All = append(counted.All, invitation.MailingsOf(other)...)
		if other.Spec.OrganizationRef == inv.Spec.OrganizationRef {
			counted.SameOrganization = append(counted.SameOrganization, invitation.MailingsOf(other)...)
		}
	}
	deleted := n.mailings.without(recipientKey(inv, limit), known)
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
// do not exceed a limit. It returns false if a limit is reached. If the claim fails, call release.
func (n *Notifier) Reserve(org *accountsv1.Organization, inv *accountsv1.Invitation, at time.Time) (release func(), reserved bool) {
	recipients, one := recipientKeys(inv), mailing{inv.UID, at.Unix()}
	n.mailings.mu.Lock()
	defer n.mailings.mu.Unlock()
	full := func(key string) bool { return n.mailings.full(key, invitation.MostMailings, at) }
	if n.mailings.full(org.Name, organization.InvitationsPerDay(org), at) || slices.ContainsFunc(recipients, full) {
		return nil, false
	}
	keys := slices.Concat(recipients, []string{org.Name})
	for _, key := range keys {
		n.mailings.put(key, one, at)
	}
	return func() {
		n.mailings.mu.Lock()
		defer n.mailings.mu.Unlock()
		for _, key := range keys {
			delete(n.mailings.noted[key], one)
		}
	}, true
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
