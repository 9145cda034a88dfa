// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/guard"
	"github.com/usher-dev/usher/internal/invitation"
)

// Facts is everything that decides about a Membership.
type Facts struct {
	// Now is the time of the look.
	Now time.Time
	// Membership in question.
	Membership *accountsv1.Membership
	// Organization that it refers to; nil if there is none.
	Organization *accountsv1.Organization
	// HomeTaken says that an older Organization holds the home namespace.
	HomeTaken bool
	// Invitation of the same name; nil if there is none.
	Invitation *accountsv1.Invitation
	// Account whose record names the Membership; nil if there is none.
	Account *accountsv1.Account
	// Cluster is what grants depend on.
	Cluster grant.Cluster
	// Guard is what is known of the policies that guard assignments.
	Guard guard.State
	// Bindings are the RoleBindings made for the Membership that exist.
	Bindings []rbacv1.RoleBinding
	// Failures says, by namespace and name, which RoleBindings could not be
	// applied, and why. Filled in by acting.
	Failures map[string]Failure
}

// Failure is why a RoleBinding could not be applied: a reason of a withheld
// grant and a sentence that says what to do.
type Failure struct {
	Reason, Message string
}

// Plan is what to do next, in this order.
type Plan struct {
	// AddFinalizer before anything is made that must be taken away again.
	AddFinalizer bool
	// Invite with this Invitation.
	Invite *accountsv1.Invitation
	// Apply these RoleBindings: they are absent, or not as they should be.
	Apply []rbacv1.RoleBinding
	// Delete these RoleBindings: nothing asks for them.
	Delete []rbacv1.RoleBinding
	// DeleteInvitation that Usher made for the Membership, which is going.
	DeleteInvitation bool
	// RemoveFinalizer once nothing is left.
	RemoveFinalizer bool
	// After which time to look again, if nothing happens before. 0: never.
	After time.Duration
}

// situation is where a Membership stands; Decide and Report both start from it.
type situation int

const (
	deleting situation = iota
	held
	noOrganization
	wrongNamespace
	noRole
	suspended
	disabled
	seatless
	factorless
	active
	invitationConflict
	accountGone
	uninvited
	invited

	// situationCount is the number of situations; add new ones above it.
	situationCount = iota
)

func (f Facts) situation() situation {
	m, org, inv := f.Membership, f.Organization, f.Invitation
	switch {
	case m.DeletionTimestamp != nil && !f.retained():
		return deleting
	case f.account() == nil && (inv == nil || !inv.Status.Attempt.Begun()) && f.held():
		return held
	case org == nil || org.DeletionTimestamp != nil:
		return noOrganization
	case string(org.Spec.Namespace) != m.Namespace || f.HomeTaken:
		return wrongNamespace
	case !f.roleExists():
		return noRole
	case m.Spec.State == accountsv1.MembershipSwitchSuspended && !f.retained():
		return suspended
	case f.account() != nil && f.Account.Spec.State == accountsv1.AccountSwitchDisabled:
		return disabled
	case f.account() != nil && !f.seated() && !f.retained():
		return seatless
	case f.account() != nil && f.missingFactor().reason == accountsv1.ReasonTwoFactorRequired:
		return factorless
	case f.account() != nil:
		return active
	case inv == nil || inv.DeletionTimestamp != nil:
		return uninvited
	case !invitation.Fits(inv, m):
		return invitationConflict
	case inv.Status.State == accountsv1.InvitationActive:
		return accountGone
	}
	return invited
}

// Decide says what to do next.
func Decide(f Facts) Plan {
	wanted := f.wantedBindings()
	plan := Plan{Apply: f.toApply(wanted), Delete: f.toDelete(wanted)}
	hasFinalizer := slices.Contains(f.Membership.Finalizers, accountsv1.Finalizer)
	switch f.situation() {
	case deleting:
		plan.DeleteInvitation = f.Invitation != nil && f.Invitation.DeletionTimestamp == nil && metav1.IsControlledBy(f.Invitation, f.Membership)
		plan.RemoveFinalizer = hasFinalizer && len(f.Bindings) == 0 && f.Account == nil && !plan.DeleteInvitation
	case uninvited:
		plan.AddFinalizer = !hasFinalizer
		if f.Invitation == nil {
			plan.Invite = invitationFor(f.Membership)
		}
	case held, noOrganization, wrongNamespace, noRole, suspended, disabled, seatless, factorless, active, invitationConflict, accountGone, invited:
		plan.AddFinalizer = !hasFinalizer && f.Membership.DeletionTimestamp == nil
		plan.After = f.missingFactor().left(f.Now)
	}
	return plan
}

// Grants is what the role, the default grants and the overrides grant at the
// moment, resolved; none while nobody holds the Membership. Without the second
// factor that the Organization wants, each is there with that reason, and
// reaches nothing.
func (f Facts) Grants() []grant.Grant {
	at := f.situation()
	if at != active && at != factorless {
		return nil
	}
	role, _ := f.Organization.Role(f.role())
	grants := resolved(f.Organization, role, f.overrides(), f.Cluster)
	if at == factorless {
		grants = withheld(grants)
	}
	for i := range grants {
		if grants[i].Manages && len(grants[i].Namespaces) > 0 {
			grants[i] = f.managing(grants[i], role)
		}
	}
	return append(grants, grant.Misnamed(f.Organization, f.Membership.Spec.Permissions)...)
}

// managing is a grant that lets people manage people: not to guests, and not to
// anyone new by a spec that nobody was asked about.
func (f Facts) managing(g grant.Grant, role accountsv1.Role) grant.Grant {
	if role.Standing == accountsv1.StandingGuest {
		g.Namespaces, g.Reason = nil, accountsv1.ReasonGuest
		g.Message = fmt.Sprintf("ClusterRole %s manages people, which guests do not; take the grant from role %s and from the overrides.", g.ClusterRole, role.Name)
		return g
	}
	if f.vetted() {
		return g
	}
	given := slices.DeleteFunc(slices.Clone(g.Namespaces), func(namespace string) bool {
		want := grant.RoleBindings(f.Membership, f.Account.Name, []grant.Grant{{ClusterRole: g.ClusterRole, Namespaces: []string{namespace}}})
		return len(f.toApply(want)) > 0
	})
	if len(given) == len(g.Namespaces) {
		return g
	}
	g.Namespaces, g.Reason = given, accountsv1.ReasonPoliciesMissing
	g.Message = "Usher's policies are missing, so that nobody new gets what manages people; apply config/policy of this version of Usher."
	if len(f.Guard.Missing) == 0 {
		g.Message = "This was asked for before Usher's policies came into force, or just then; whoever may assign the role, and what is allowed on top of it, must suspend the Membership and make it Active again."
	}
	return g
}

// vetted tells whether the API server asked whether who wrote the spec may
// assign the role. Founders are named by who writes Organizations.
func (f Facts) vetted() bool {
	spec := f.Membership.Spec
	founder := slices.ContainsFunc(f.Organization.Spec.Founders, func(founder accountsv1.Founder) bool {
		return string(founder.Name) == f.Membership.Name && founder.Email == spec.Email && founder.Role == spec.Role && len(spec.Permissions) == 0
	})
	return founder || f.Guard.Vetted(f.Membership)
}

// retained tells whether the Membership is to go on as that of an owner, though
// its manifest is gone or asks for less: the Organization still counts on it.
func (f Facts) retained() bool {
	m := f.Membership
	_, listed := f.owner()
	if !listed || f.account() == nil {
		return false
	}
	return m.DeletionTimestamp != nil || m.Spec.State == accountsv1.MembershipSwitchSuspended || !f.owns()
}

// owner is the entry among the owners of the Organization, while that lives.
func (f Facts) owner() (accountsv1.OwnerStatus, bool) {
	org, m := f.Organization, f.Membership
	if org == nil || org.DeletionTimestamp != nil || string(org.Spec.Namespace) != m.Namespace || f.HomeTaken {
		return accountsv1.OwnerStatus{}, false
	}
	return org.Owner(m.Name)
}

// lastOwner tells whether the Organization has no owner but this one.
func (f Facts) lastOwner() bool {
	_, listed := f.owner()
	return listed && len(f.Organization.Status.Owners) == 1 && f.account() != nil
}

// owns tells whether the manifest is that of an owner.
func (f Facts) owns() bool {
	return grant.Owns(f.Organization, f.Membership.Spec.Role, f.Membership.Spec.Permissions)
}

// role is the role that counts: that of the spec or, of an owner who is
// retained, the one that makes them an owner.
func (f Facts) role() accountsv1.CatalogueName {
	if f.retained() && !f.owns() {
		owner, _ := f.owner()
		return owner.Role
	}
	return f.Membership.Spec.Role
}

// overrides are those that count: of an owner who is retained, without a Deny of
// what makes them an owner.
func (f Facts) overrides() []accountsv1.PermissionOverride {
	overrides := f.Membership.Spec.Permissions
	if f.retained() {
		return grant.OwnersOverrides(f.Organization, f.role(), overrides)
	}
	return overrides
}

// account is the Account that holds the Membership: not one that is going, and
// not one that took up a Membership of that name for another address.
func (f Facts) account() *accountsv1.Account {
	a, m := f.Account, f.Membership
	if a == nil || a.DeletionTimestamp != nil || !Holds(a, types.NamespacedName{Namespace: m.Namespace, Name: m.Name}, m.Spec.Email) {
		return nil
	}
	return a
}

// seated tells whether the Membership has the seat that its role needs. While
// the list of seats is made anew, whoever was in stays in.
func (f Facts) seated() bool {
	seats := f.Organization.Status.Seats
	if !invitation.Counted(f.Organization, f.Membership.Spec.Role) || seats.Taken == nil {
		return true
	}
	return slices.ContainsFunc(seats.Holders, func(h accountsv1.SeatHolder) bool { return string(h.Name) == f.Membership.Name })
}

// held tells whether the Membership was invited once, has lost its status, and
// nobody has asked for another invitation since. Its finalizer is written only
// after its first status. It goes by Pending, which has the reason of Ready and
// is not touched where a look fails.
func (f Facts) held() bool {
	m := f.Membership
	pending := meta.FindStatusCondition(m.Status.Conditions, accountsv1.ConditionPending)
	lost := pending == nil && slices.Contains(m.Finalizers, accountsv1.Finalizer)
	if !lost && (pending == nil || pending.Reason != accountsv1.ReasonMailHeld) {
		return false
	}
	asked := []string{m.Annotations[accountsv1.ResendAnnotation]}
	if f.Organization != nil {
		asked = append(asked, f.Organization.Annotations[accountsv1.ReleaseMailAnnotation])
	}
	return !invitation.Released(m.Status.Conditions, f.Now, asked...)
}

func (f Facts) roleExists() bool {
	_, found := f.Organization.Role(f.role())
	return found
}

func (f Facts) wantedBindings() []rbacv1.RoleBinding {
	grants := f.Grants()
	if len(grants) == 0 {
		return nil
	}
	return grant.RoleBindings(f.Membership, f.Account.Name, grants)
}

func (f Facts) toApply(wanted []rbacv1.RoleBinding) []rbacv1.RoleBinding {
	return slices.DeleteFunc(slices.Clone(wanted), func(want rbacv1.RoleBinding) bool {
		return slices.ContainsFunc(f.Bindings, func(have rbacv1.RoleBinding) bool {
			return sameKey(have, want) && grant.SameBinding(&have, &want)
		})
	})
}

// toDelete also holds a binding to another ClusterRole under a wanted name:
// the API server does not let a roleRef be changed.
func (f Facts) toDelete(wanted []rbacv1.RoleBinding) []rbacv1.RoleBinding {
	return slices.DeleteFunc(slices.Clone(f.Bindings), func(have rbacv1.RoleBinding) bool {
		return slices.ContainsFunc(wanted, func(want rbacv1.RoleBinding) bool {
			return sameKey(have, want) && have.RoleRef == want.RoleRef
		})
	})
}

func sameKey(a, b rbacv1.RoleBinding) bool {
	return a.Namespace == b.Namespace && a.Name == b.Name
}

func invitationFor(m *accountsv1.Membership) *accountsv1.Invitation {
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   m.Namespace,
			Name:        m.Name,
			Annotations: map[string]string{accountsv1.MadeForMembershipAnnotation: m.Name},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(m, accountsv1.GroupVersion.WithKind("Membership")),
			},
		},
		Spec: invitation.SpecFor(m),
	}
}
