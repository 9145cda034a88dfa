// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/address"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/membership"
)

// AcceptanceTimeout is how long the portal may be at one acceptance. Until then
// a new Account is not reported as half-made, and a half-made one that is
// discarded keeps its name: a request that is still at it could write its
// password after the clean-up.
const AcceptanceTimeout = 20 * time.Second

// Acceptance is an Invitation that an Account accepted, with the Organization
// and the Membership of the same name, where there are any.
type Acceptance = invitation.Offer

// Facts is everything that decides about an Account.
type Facts struct {
	// Now is the time of the look.
	Now time.Time
	// Account in question.
	Account *accountsv1.Account
	// Origin is the very Invitation that the Account was made through; nil if
	// that is gone. Only looked at while the Account is half-made.
	Origin *accountsv1.Invitation
	// Accepted are the Invitations that name this very Account as theirs.
	Accepted []Acceptance
	// Going are the Memberships in the record that are being deleted.
	Going []types.NamespacedName
	// BindingsLeft tells whether RoleBindings to the Account exist. Only
	// looked at while the Account is being deleted.
	BindingsLeft bool
}

// Plan is what to do next. At most one of its actions is set.
type Plan struct {
	// Record to write into the Account's annotation; nil: leave it.
	Record *string
	// Discard the half-made Account that nobody can take up any more.
	Discard bool
	// RemoveFinalizer, and the credentials before it.
	RemoveFinalizer bool
	// After which time to look again, if nothing happens before. 0: never.
	After time.Duration
}

// Decide says what to do next.
func Decide(f Facts) Plan {
	if f.Account.DeletionTimestamp != nil {
		if left := f.Account.DeletionTimestamp.Add(AcceptanceTimeout).Sub(f.Now); left > 0 && HalfMade(f.Account) {
			return Plan{After: left}
		}
		return Plan{RemoveFinalizer: slices.Contains(f.Account.Finalizers, accountsv1.Finalizer) && !f.BindingsLeft}
	}
	if record, changed := f.record(); changed {
		return Plan{Record: &record}
	}
	if !HalfMade(f.Account) {
		return Plan{}
	}
	if f.abandoned() {
		return Plan{Discard: true}
	}
	if f.settling() {
		return Plan{After: f.Account.CreationTimestamp.Add(AcceptanceTimeout).Sub(f.Now)}
	}
	if expires := f.Origin.Status.ExpirationTime; expires != nil && expires.After(f.Now) {
		return Plan{After: expires.Sub(f.Now)}
	}
	return Plan{}
}

// Report says where the Account stands.
func Report(f Facts) accountsv1.AccountStatus {
	if HalfMade(f.Account) && f.settling() && f.Account.DeletionTimestamp == nil {
		return f.Account.Status
	}
	generation := f.Account.Generation
	c := condition.New(f.Now, generation, f.Account.Status.Conditions)
	status := accountsv1.AccountStatus{ObservedGeneration: &generation, State: accountsv1.AccountActive}
	switch {
	case f.Account.DeletionTimestamp != nil:
		status.State = accountsv1.AccountDisabled
		message := "The Account is being deleted; its access is being withdrawn."
		c.Reconciling(accountsv1.ReasonDeleting, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonDeleting, message)
	case HalfMade(f.Account):
		status.State = accountsv1.AccountPending
		message := "Somebody began to accept the invitation; the same link finishes it."
		c.Ready(accountsv1.ReasonAwaitingAcceptance, message)
		c.False(accountsv1.ConditionActive, accountsv1.ReasonNotAccepted, message)
	default:
		message := "The Account belongs to the person who accepted the invitation."
		c.Ready(accountsv1.ReasonReconciled, message)
		c.True(accountsv1.ConditionActive, accountsv1.ReasonAccepted, message)
	}
	status.Conditions = c.List()
	return status
}

// HalfMade tells whether the Account was never taken up: its record was never
// written. One whose record was emptied again belongs to somebody.
func HalfMade(a *accountsv1.Account) bool {
	_, recorded := a.Annotations[accountsv1.MembershipsAnnotation]
	return !recorded
}

func (f Facts) settling() bool {
	return f.Now.Sub(f.Account.CreationTimestamp.Time) < AcceptanceTimeout
}

// abandoned tells whether no link can take the half-made Account up any more.
func (f Facts) abandoned() bool {
	origin := f.Origin
	return origin == nil || origin.DeletionTimestamp != nil || origin.Status.Decline.Given() ||
		origin.Status.Acceptance.Given() && origin.Status.Acceptance.AccountRef.UID != string(f.Account.UID) ||
		origin.Status.State == accountsv1.InvitationExpired
}

// record is what the record must say: what it says, with every Membership
// whose acceptance has not been carried out yet, without those that are going.
func (f Facts) record() (record string, changed bool) {
	before := f.Account.Annotations[accountsv1.MembershipsAnnotation]
	held := slices.DeleteFunc(membership.ParseRecord(before), func(h membership.Held) bool {
		return slices.Contains(f.Going, h.NamespacedName)
	})
	for _, a := range f.Accepted {
		m := a.Membership
		if m == nil || m.DeletionTimestamp != nil || m.Spec.Email != a.Invitation.Spec.Email ||
			m.Spec.OrganizationRef != a.Invitation.Spec.OrganizationRef || !a.MayAccept(f.Account.Spec.Email) || invitation.IsHistory(a.Invitation) {
			continue
		}
		entry := membership.Held{NamespacedName: types.NamespacedName{Namespace: m.Namespace, Name: m.Name}}
		if !address.Same(string(m.Spec.Email), string(f.Account.Spec.Email)) {
			entry.Email = string(m.Spec.Email)
		}
		held = slices.Insert(held, 0, entry) // it counts before what an earlier Membership of that name left behind
	}
	record = membership.FormatRecord(held)
	return record, record != before
}
