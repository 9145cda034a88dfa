// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
)

// AcceptanceTimeout is how long the portal may work on one acceptance. Until then, a new
// Account is not reported as incomplete. An incomplete Account that is being discarded keeps
// its name for as long, because a request that is still running could write its password
// after the clean-up.
const AcceptanceTimeout = 20 * time.Second

// Acceptance is an Invitation that an Account accepted, with the Organization and the
// Membership of the same name if they exist.
type Acceptance = invitation.Offer

// Facts holds everything that decides about an Account.
type Facts struct {
	// Now is the time at which the facts were read.
	Now time.Time
	// Account is the Account to decide about.
	Account *accountsv1.Account
	// Origin is the Invitation that the Account was created through. It is nil if that
	// Invitation was deleted. Only used while the Account is incomplete.
	Origin *accountsv1.Invitation
	// Accepted are the Invitations whose status names this very Account.
	Accepted []Acceptance
	// Organizations that the Account belongs to. Only used while an acceptance has not
	// been carried out.
	Organizations []*accountsv1.Organization
	// Belongings are the Memberships that the Account holds, in the order of the record,
	// with their Organizations.
	Belongings []Belonging
	// Leaving are the Memberships in the record that are being deleted.
	Leaving []types.NamespacedName
	// Retained are the Memberships in the record that their Organizations list as owners.
	// The member cannot leave them until the Organization releases the owner.
	Retained []types.NamespacedName
	// BindingsLeft reports whether RoleBindings to the Account exist. Only used while the
	// Account is being deleted.
	BindingsLeft bool
	// NameWithheld names the object because of which no new Account may have this user
	// name. It is empty if there is none. Only used while the Account is incomplete and an
	// acceptance names it.
	NameWithheld string
	// UserNames are the user names of all Accounts with the address, as people type them.
	// Only used while a request for them is open.
	UserNames []string

	// ClaimOwner names this process in claims.
	ClaimOwner string
	// SendDeadline is the time after which a send has certainly ended.
	SendDeadline time.Duration
	// MailDomain is the right-hand side of Message-IDs.
	MailDomain string
	// PlatformSender is the From of mails through the platform's mail server.
	PlatformSender string
}

// Plan is what to do next. At most one of its actions is set, except that Record, Left,
// TwoFactor and EmailVerified can be set together, and RetireName together with
// RemoveFinalizer.
type Plan struct {
	// Record to write into the Account's annotation. Nil means that it stays.
	Record *string
	// Left are the Memberships that are removed from the record because the member leaves
	// them.
	Left []types.NamespacedName
	// TwoFactor to write into the Account's annotation. Empty means that it stays.
	TwoFactor accountsv1.TwoFactor
	// EmailVerified is the time to write into the Account's annotation. Empty means that
	// it stays.
	EmailVerified string
	// Discard the incomplete Account, which no link can complete any more.
	Discard bool
	// RemoveFinalizer after deleting the credentials.
	RemoveFinalizer bool
	// RetireName before removing the finalizer, so that the user name is withheld at every
	// moment.
	RetireName bool
	// Claim to write before the next send.
	Claim *Claim
	// After is the delay until the next reconciliation if nothing happens before. 0 means
	// never.
	After time.Duration
}

// Annotates reports whether annotations need a new value.
func (p Plan) Annotates() bool { return p.Record != nil || p.TwoFactor != "" || p.EmailVerified != "" }

// Decide returns what to do next.
func Decide(f Facts) Plan {
	if f.Account.DeletionTimestamp != nil {
		if left := f.Account.DeletionTimestamp.Add(AcceptanceTimeout).Sub(f.Now); left > 0 && IsIncomplete(f.Account) {
			return Plan{After: left}
		}
		remove := slices.Contains(f.Account.Finalizers, accountsv1.Finalizer) && !f.BindingsLeft
		return Plan{RemoveFinalizer: remove, RetireName: remove && !IsIncomplete(f.Account)}
	}
	if plan, changed := f.annotate(); changed {
		return plan
	}
	if f.inUse() {
		return f.serve()
	}
	if f.abandoned() {
		return Plan{Discard: true}
	}
	if f.acceptanceInFlight() {
		return Plan{After: f.Account.CreationTimestamp.Add(AcceptanceTimeout).Sub(f.Now)}
	}
	if expires := f.Origin.Status.ExpirationTime; expires != nil && expires.After(f.Now) {
		return Plan{After: expires.Sub(f.Now)}
	}
	return Plan{}
}

// annotate returns the annotations that need a new value. A restore brings back their
// content.
func (f Facts) annotate() (plan Plan, changed bool) {
	record, left := f.record()
	if !f.nameWithheld() && record != f.Account.Annotations[accountsv1.MembershipsAnnotation] {
		plan.Record, plan.Left = &record, left
	}
	status := f.Account.Status.TwoFactor
	if string(status) != f.Account.Annotations[accountsv1.TwoFactorAnnotation] && (f.inUse() || plan.Record != nil) {
		plan.TwoFactor = status
	}
	if f.inUse() || plan.Record != nil {
		plan.EmailVerified = f.emailVerified()
	}
	return plan, plan.Annotates()
}

// serve claims the next mail that is due. Otherwise it returns when the next timed event
// is due: a mail, the end of a lock or of a sign-in attempt, or a request.
func (f Facts) serve() Plan {
	f = f.carriedOut()
	claim, wait := f.deliver()
	if claim != nil {
		return Plan{Claim: claim}
	}
	var at time.Time
	if wait != 0 {
		at = f.Now.Add(wait)
	}
	for _, lock := range f.closedLocks() {
		at = earliest(at, lock.Until)
		if !lock.Certain(f.Now) {
			at = earliest(at, lock.CertainFrom())
		}
	}
	_, next := f.requests()
	at = earliest(at, earliest(next, f.nextAnswer()))
	if at.IsZero() {
		return Plan{}
	}
	return Plan{After: at.Sub(f.Now)}
}

// inUse reports whether a person accepted with the Account and it is not being deleted.
func (f Facts) inUse() bool { return !IsIncomplete(f.Account) && f.Account.DeletionTimestamp == nil }

// Disabled reports whether the spec disables the Account, so nothing can be done with it.
func Disabled(a *accountsv1.Account) bool { return a.Spec.State == accountsv1.AccountSwitchDisabled }

// IsIncomplete reports whether no acceptance was ever completed with the Account: its record
// was never written. An Account whose record became empty again does belong to a person.
func IsIncomplete(a *accountsv1.Account) bool {
	_, recorded := a.Annotations[accountsv1.MembershipsAnnotation]
	return !recorded
}

// nameWithheld reports whether the Account must not be completed, because no new Account
// may have its user name. It does not affect an Account that belongs to a person.
func (f Facts) nameWithheld() bool { return f.NameWithheld != "" && IsIncomplete(f.Account) }

func (f Facts) acceptanceInFlight() bool {
	return f.Now.Sub(f.Account.CreationTimestamp.Time) < AcceptanceTimeout
}

// abandoned reports whether no link can complete the incomplete Account any more.
func (f Facts) abandoned() bool {
	origin := f.Origin
	return origin == nil || origin.DeletionTimestamp != nil || origin.Status.Decline.Given() ||
		origin.Status.Acceptance.Given() && origin.Status.Acceptance.AccountRef.UID != string(f.Account.UID) ||
		origin.Status.State == accountsv1.InvitationExpired
}

// record returns the new value of the record, and the Memberships that the member leaves.
// The new value has these parts:
//
//   - the Memberships that are in the record now
//   - every Membership whose acceptance has not been carried out yet, provided that all
//     are of one legal entity
//
// Memberships that are being deleted or that the member leaves are removed.
func (f Facts) record() (record string, left []types.NamespacedName) {
	var taken []membership.RecordEntry
	organizations := slices.Clone(f.Organizations)
	// Of two acceptances that cannot both be carried out, the earlier one wins.
	accepted := slices.SortedStableFunc(slices.Values(f.Accepted), func(a, b Acceptance) int {
		return acceptedTime(a).Compare(acceptedTime(b))
	})
	for _, a := range accepted {
		if entry, found := f.acceptedMembership(a); found && organization.MayJoin(a.Organization, organizations) {
			taken, organizations = append(taken, entry), append(organizations, a.Organization)
		}
	}
	held := slices.DeleteFunc(f.heldMemberships(), func(h membership.RecordEntry) bool {
		if slices.Contains(f.Leaving, h.NamespacedName) {
			return true
		}
		// An acceptance comes first, so it becomes history before it is undone.
		if f.leaving(h) && !slices.ContainsFunc(taken, func(t membership.RecordEntry) bool { return t.NamespacedName == h.NamespacedName }) {
			left = append(left, h.NamespacedName)
			return true
		}
		return false
	})
	// A new entry takes precedence over one that an earlier Membership of the same name
	// left behind.
	return membership.FormatRecord(append(taken, held...)), left
}

// acceptedMembership returns the Membership of an acceptance, unless the acceptance has been carried
// out or cannot be.
func (f Facts) acceptedMembership(a Acceptance) (entry membership.RecordEntry, found bool) {
	m := a.Membership
	if m == nil || m.DeletionTimestamp != nil || !invitation.Fits(a.Invitation, m) ||
		!a.MayAccept(f.Account) || invitation.IsHistory(a.Invitation) {
		return entry, false
	}
	entry.NamespacedName = types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
	if !address.Same(string(m.Spec.Email), string(f.Account.Spec.Email)) {
		entry.Email = string(m.Spec.Email)
	}
	return entry, true
}

func acceptedTime(a Acceptance) time.Time {
	if at := a.Invitation.Status.Acceptance.AcceptedTime; at != nil {
		return at.Time
	}
	return time.Time{}
}

// heldMemberships returns the Memberships in the record.
func (f Facts) heldMemberships() []membership.RecordEntry {
	return membership.ParseRecord(f.Account.Annotations[accountsv1.MembershipsAnnotation])
}

func (f Facts) leaving(h membership.RecordEntry) bool {
	return !slices.Contains(f.Retained, h.NamespacedName) && slices.Contains(f.Account.Status.Leaving, accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(h.Namespace), Name: accountsv1.CatalogueName(h.Name),
	})
}

// earliest returns the earlier of two times. The zero time means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
