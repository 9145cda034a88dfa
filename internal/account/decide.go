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
	// Organizations that the Account belongs to. Only looked at while an
	// acceptance has not been carried out.
	Organizations []*accountsv1.Organization
	// Belongings are the Memberships that the Account holds, in the order of the
	// record, with their Organizations.
	Belongings []Belonging
	// Going are the Memberships in the record that are being deleted.
	Going []types.NamespacedName
	// Retained are the Memberships in the record whose Organizations count on
	// them as those of owners: nobody leaves them before being let go.
	Retained []types.NamespacedName
	// BindingsLeft tells whether RoleBindings to the Account exist. Only
	// looked at while the Account is being deleted.
	BindingsLeft bool
	// UserNames are those of all Accounts with the address, as people type them.
	// Only looked at while somebody has asked for them.
	UserNames []string

	// Holder names this process in claims.
	Holder string
	// SendDeadline is after which time a try has surely ended.
	SendDeadline time.Duration
	// MailDomain is the right-hand side of Message-IDs.
	MailDomain string
}

// Plan is what to do next. At most one of its actions is set, but for what goes
// into the annotations.
type Plan struct {
	// Record to write into the Account's annotation; nil: leave it.
	Record *string
	// Left are the Memberships that go out of the record because the person
	// gives them up.
	Left []types.NamespacedName
	// TwoFactor to write into the Account's annotation; empty: leave it.
	TwoFactor accountsv1.TwoFactor
	// Discard the half-made Account that nobody can take up any more.
	Discard bool
	// RemoveFinalizer, and the credentials before it.
	RemoveFinalizer bool
	// Claim the next try with this; then send.
	Claim *Claim
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
	if plan, changed := f.annotate(); changed {
		return plan
	}
	if f.inUse() {
		return f.serve()
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

// annotate says what the annotations must say that a restore brings back.
func (f Facts) annotate() (plan Plan, changed bool) {
	record, left := f.record()
	if record != f.Account.Annotations[accountsv1.MembershipsAnnotation] {
		plan.Record, plan.Left = &record, left
	}
	status := f.Account.Status.TwoFactor
	if string(status) != f.Account.Annotations[accountsv1.TwoFactorAnnotation] && (f.inUse() || plan.Record != nil) {
		plan.TwoFactor = status
	}
	return plan, plan.Record != nil || plan.TwoFactor != ""
}

// serve claims the next mail that is due, or says when there is something to do
// or to say by itself: a mail, the end of a lock or of a try, a request.
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
	if lock, tries := f.lock(), f.Account.Status.SignIn; lock.Locked(f.Now) {
		at = earliest(at, lock.Until)
		if !Settled(tries, f.Now) {
			at = earliest(at, f.Now.Add(SettledAfter(tries, f.Now)))
		}
	}
	_, next := f.requests()
	at = earliest(at, earliest(next, f.nextAnswer()))
	if at.IsZero() {
		return Plan{}
	}
	return Plan{After: at.Sub(f.Now)}
}

// inUse tells whether the Account is somebody's, and stays.
func (f Facts) inUse() bool { return !HalfMade(f.Account) && f.Account.DeletionTimestamp == nil }

// Disabled tells whether the spec says that nothing can be done with the Account.
func Disabled(a *accountsv1.Account) bool { return a.Spec.State == accountsv1.AccountSwitchDisabled }

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

// record is what the record must say: what it says, with every Membership whose
// acceptance has not been carried out yet, as long as all are of one legal entity,
// without those that are going, and without those that the person gives up, which
// are left.
func (f Facts) record() (record string, left []types.NamespacedName) {
	var taken []membership.Held
	organizations := slices.Clone(f.Organizations)
	// Of two acceptances that cannot both be carried out the earlier one counts.
	accepted := slices.SortedStableFunc(slices.Values(f.Accepted), func(a, b Acceptance) int {
		return acceptedTime(a).Compare(acceptedTime(b))
	})
	for _, a := range accepted {
		if entry, found := f.taken(a); found && organization.MayJoin(a.Organization, organizations) {
			taken, organizations = append(taken, entry), append(organizations, a.Organization)
		}
	}
	held := slices.DeleteFunc(f.held(), func(h membership.Held) bool {
		if slices.Contains(f.Going, h.NamespacedName) {
			return true
		}
		// An acceptance comes first, so that it becomes history before it is undone.
		if f.leaving(h) && !slices.ContainsFunc(taken, func(t membership.Held) bool { return t.NamespacedName == h.NamespacedName }) {
			left = append(left, h.NamespacedName)
			return true
		}
		return false
	})
	// What is taken counts before what an earlier Membership of that name left behind.
	return membership.FormatRecord(append(taken, held...)), left
}

// taken is the Membership that an acceptance brings, unless it has been carried
// out, or cannot be.
func (f Facts) taken(a Acceptance) (entry membership.Held, found bool) {
	m := a.Membership
	if m == nil || m.DeletionTimestamp != nil || !invitation.Fits(a.Invitation, m) ||
		!a.MayAccept(f.Account.Spec.Email) || invitation.IsHistory(a.Invitation) {
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

// held are the Memberships in the record.
func (f Facts) held() []membership.Held {
	return membership.ParseRecord(f.Account.Annotations[accountsv1.MembershipsAnnotation])
}

func (f Facts) leaving(h membership.Held) bool {
	return !slices.Contains(f.Retained, h.NamespacedName) && slices.Contains(f.Account.Status.Leaving, accountsv1.MembershipReference{
		Namespace: accountsv1.NamespaceName(h.Namespace), Name: accountsv1.CatalogueName(h.Name),
	})
}

// earliest is the earlier of two times, where the zero time stands for none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
