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
)

// mailings holds the mails and text messages that a process has seen within a day, by Organization and
// address or number. The records in the status of an Invitation are deleted with it. These records stay
// as long as the process runs, so a tool that deletes and creates Invitations in a loop cannot make
// Usher mail people all the time.
type mailings struct {
	mu    sync.Mutex
	noted map[string][]mailing
}

// mailing is one time that an Invitation was mailed.
type mailing struct {
	invitation types.UID
	at         time.Time
}

// mailingsOf returns when an Invitation was mailed, according to its status.
func mailingsOf(inv *accountsv1.Invitation) []mailing {
	var all []mailing
	for _, at := range invitation.MailingsOf(inv) {
		all = append(all, mailing{inv.UID, at})
	}
	return all
}

// recipientKey identifies a recipient that an Organization invites.
func recipientKey(inv *accountsv1.Invitation, limit delivery.RateLimit) string {
	return string(inv.Spec.OrganizationRef.Name) + "/" + limit.Key
}

// NoteMailings records the times at which an Invitation was mailed.
func (n *Notifier) NoteMailings(inv *accountsv1.Invitation, now time.Time) {
	limits := Media().RateLimits(inv)
	for _, one := range mailingsOf(inv) {
		if now.Sub(one.at) >= invitation.MailingsWindow {
			continue
		}
		for _, limit := range limits {
			n.mailings.put(recipientKey(inv, limit), one)
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

// put adds a mailing if it is not known yet, and removes mailings that no longer count.
func (m *mailings) put(key string, one mailing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.noted[key], one.same) {
		return
	}
	if m.noted == nil {
		m.noted = map[string][]mailing{}
	}
	for other, noted := range m.noted {
		kept := slices.DeleteFunc(noted, func(n mailing) bool { return one.at.Sub(n.at) >= invitation.MailingsWindow })
		if m.noted[other] = kept; len(kept) == 0 {
			delete(m.noted, other)
		}
	}
	m.noted[key] = append(m.noted[key], one)
}

// same reports whether noted is the same mailing.
func (m mailing) same(noted mailing) bool {
	return noted.at.Equal(m.at) && noted.invitation == m.invitation
}

// without returns the times of the noted mailings that are not among the known ones.
func (m *mailings) without(key string, known []mailing) []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gone []time.Time
	for _, noted := range m.noted[key] {
		if !slices.ContainsFunc(known, func(k mailing) bool { return k.same(noted) }) {
			gone = append(gone, noted.at)
		}
	}
	return gone
}
