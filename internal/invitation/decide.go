// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package invitation

import (
	"fmt"
	"hash/fnv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// DefaultValidity is how long an invitation can be accepted where its
// Organization does not say.
const DefaultValidity = 7 * 24 * time.Hour

// Backoff between tries: doubled from the first to the longest. With these, a
// mail server that is away for an hour is asked 19 times, and is asked again
// within five minutes of its return.
const (
	firstBackoff   = 10 * time.Second
	longestBackoff = 270 * time.Second
)

// recheckKeys is how long to wait before keys that could not be used are looked
// at again.
const recheckKeys = time.Minute

// Facts is everything that decides about an Invitation.
type Facts struct {
	// Offer is the Invitation and what it offers.
	Offer
	// Now is the time of the look.
	Now time.Time
	// AccepterGone says that the Account that accepted does not exist any more.
	AccepterGone bool
	// HomeTaken says that an older Organization holds the home namespace.
	HomeTaken bool
	// Holder names this process in claims.
	Holder string
	// SendDeadline is after which time a try has surely ended.
	SendDeadline time.Duration
	// NewestKey is the number of the key that new links are made with.
	NewestKey int32
	// KeyFault says why there is no key to make links with; empty if there is one.
	KeyFault string
	// MailDomain is the right-hand side of Message-IDs.
	MailDomain string
}

// Plan is what to do next. At most one of its actions is set.
type Plan struct {
	// Delete the Invitation, because Usher made it for a Membership that is gone.
	Delete bool
	// CreateMembership that the accepted Invitation stands for.
	CreateMembership bool
	// Claim the next try with this delivery; then send.
	Claim *accountsv1.Delivery
	// After which time to look again, if nothing happens before. 0: never.
	After time.Duration
}

// situation is where an Invitation stands; Decide and Report both start from it.
type situation int

const (
	deleting situation = iota
	orphaned
	history
	takenUp
	voided
	accepted
	noOrganization
	wrongNamespace
	noRole
	membershipConflict
	refused
	expired
	sent
	noKey
	unclaimed
	failedTry
	inFlight
)

func (f Facts) situation() situation {
	inv, org, m, d := f.Invitation, f.Organization, f.Membership, f.Invitation.Status.Delivery
	switch {
	case inv.DeletionTimestamp != nil:
		return deleting
	case MadeForMembership(inv) && (m == nil || !ownedBy(inv, m)):
		return orphaned
	case IsHistory(inv):
		return history
	case f.TakenUp:
		return takenUp
	case f.AccepterGone:
		return voided
	case inv.Status.Acceptance.Given() && !f.conflicting():
		return accepted
	case org == nil || org.DeletionTimestamp != nil:
		return noOrganization
	case string(org.Spec.Namespace) != inv.Namespace || f.HomeTaken:
		return wrongNamespace
	case !f.roleExists():
		return noRole
	case f.conflicting():
		return membershipConflict
	case d.Result == accountsv1.DeliveryRefused:
		return refused
	case HasExpired(inv, f.Now):
		return expired
	case d.Result == accountsv1.DeliverySent:
		return sent
	case f.KeyFault != "":
		return noKey
	case !d.Begun():
		return unclaimed
	case d.Result == accountsv1.DeliveryTemporaryFailure:
		return failedTry
	}
	return inFlight
}

// Decide says what to do next.
func Decide(f Facts) Plan {
	switch f.situation() {
	case orphaned:
		return Plan{Delete: true}
	case accepted:
		return Plan{CreateMembership: f.Membership == nil}
	case noKey:
		return Plan{After: recheckKeys}
	case unclaimed:
		return Plan{Claim: f.firstClaim()}
	case failedTry:
		d := f.Invitation.Status.Delivery
		return f.tryAgainAt(d.TryTime.Add(Backoff(d.Tries, string(f.Invitation.UID))))
	case inFlight:
		d := f.Invitation.Status.Delivery
		if d.Holder == f.Holder {
			// This process holds the claim and is not sending: it never began to.
			return f.tryAgainAt(f.Now)
		}
		return f.tryAgainAt(d.TryTime.Add(f.SendDeadline + time.Second)) // TryTime is cut to the second
	case sent:
		return Plan{After: f.Invitation.Status.ExpirationTime.Sub(f.Now)}
	default:
		return Plan{}
	}
}

// Begin writes a claim into a status: with the first try of an attempt its
// validity starts.
func Begin(status *accountsv1.InvitationStatus, claim accountsv1.Delivery, validity time.Duration) {
	if status.Delivery.Attempt != claim.Attempt {
		expires := metav1.NewTime(claim.ClaimTime.Add(validity))
		status.ExpirationTime = &expires
	}
	status.Delivery = claim
}

// End writes how a try ended into its claim. The answer is what the mail
// server said to a try that failed.
func End(d *accountsv1.Delivery, result accountsv1.DeliveryResult, answer string, now time.Time) {
	d.Holder, d.Result, d.Message = "", result, answer
	if result == accountsv1.DeliverySent {
		d.SentTime = second(now)
	}
}

// IsHistory tells whether the acceptance of an Invitation has been carried out.
func IsHistory(inv *accountsv1.Invitation) bool {
	return inv.Status.State == accountsv1.InvitationActive
}

// Validity is how long an invitation of the Organization can be accepted.
func Validity(org *accountsv1.Organization) time.Duration {
	if s := org.Spec.InvitationValiditySeconds; s != 0 {
		return time.Duration(s) * time.Second
	}
	return DefaultValidity
}

// Backoff is how long to wait after the given number of failed tries. It is
// up to a tenth shorter than the doubling says, by an amount that depends on
// the seed, so that many invitations do not come back in the same instant.
func Backoff(tries int32, seed string) time.Duration {
	wait := longestBackoff
	if doublings := tries - 1; doublings < 5 {
		wait = firstBackoff << max(doublings, 0)
	}
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", seed, tries) // a hash never fails to be written to
	return wait - wait*time.Duration(h.Sum32()%100)/1000
}

// conflicting tells whether the Membership of the same name is for somebody else.
func (f Facts) conflicting() bool {
	m, spec := f.Membership, f.Invitation.Spec
	return m != nil && (m.Spec.Email != spec.Email || m.Spec.OrganizationRef != spec.OrganizationRef)
}

func (f Facts) roleExists() bool {
	_, found := f.Organization.Role(f.Role())
	return found
}

func (f Facts) firstClaim() *accountsv1.Delivery {
	const first = 1
	now := second(f.Now)
	role, _ := f.Organization.Role(f.Role())
	return &accountsv1.Delivery{
		Attempt:   first,
		MessageID: fmt.Sprintf("%s.%d.%d@%s", f.Invitation.UID, first, now.Unix(), f.MailDomain),
		KeyID:     f.NewestKey,
		ClaimTime: now,
		// The titles could change before a repeat, and the bytes must not.
		Organization: f.Organization.Title(),
		Role:         role.Title(),
		Tries:        1,
		TryTime:      now,
		Holder:       f.Holder,
	}
}

// tryAgainAt claims the next try of the same attempt at the given time, or says
// how long to wait for it. It never waits beyond the attempt's validity.
func (f Facts) tryAgainAt(at time.Time) Plan {
	if wait := at.Sub(f.Now); wait > 0 {
		return Plan{After: min(wait, f.Invitation.Status.ExpirationTime.Sub(f.Now))}
	}
	next := f.Invitation.Status.Delivery
	next.Tries++
	next.TryTime = second(f.Now)
	next.Holder, next.Result, next.Message = f.Holder, "", ""
	return Plan{Claim: &next}
}

func ownedBy(inv *accountsv1.Invitation, m *accountsv1.Membership) bool {
	for _, owner := range inv.OwnerReferences {
		if owner.UID == m.UID {
			return true
		}
	}
	return false
}

// second is a time as the API server keeps it: in UTC, cut to the second.
func second(t time.Time) *metav1.Time {
	cut := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &cut
}
