// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
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

// Facts holds everything that decides about a Membership.
type Facts struct {
	// Now is the time of this reconciliation.
	Now time.Time
	// Membership to decide about.
	Membership *accountsv1.Membership
	// Organization of the Membership; nil if it does not exist.
	Organization *accountsv1.Organization
	// HomeTaken reports that an older Organization holds the home namespace.
	HomeTaken bool
	// Invitation of the same name; nil if there is none.
	Invitation *accountsv1.Invitation
	// Account whose record names the Membership; nil if there is none.
	Account *accountsv1.Account
	// Cluster is the cluster state on which grants depend.
	Cluster grant.Cluster
	// Guard is the state of the policies that guard assignments.
	Guard guard.State
	// Bindings are the existing RoleBindings that Usher created for the Membership.
	Bindings []rbacv1.RoleBinding
	// Failures holds, by namespace and name, the RoleBindings that could not be applied
	// and the reasons. The reconciler fills it in while it acts.
	Failures map[string]Failure
}

// Failure is the reason why a RoleBinding could not be applied: a reason of a withheld
// grant, and a sentence that says what to do.
type Failure struct {
	Reason, Message string
}

// Plan holds what to do next, in this order.
type Plan struct {
	// AddFinalizer before anything is created that must be removed again.
	AddFinalizer bool
	// Invite the person with this Invitation.
	Invite *accountsv1.Invitation
	// Apply these RoleBindings, because they are missing or have drifted.
	Apply []rbacv1.RoleBinding
	// Delete these RoleBindings, because nothing requires them.
	Delete []rbacv1.RoleBinding
	// DeleteInvitation is the Invitation that Usher created for the Membership, if the
	// Membership is being deleted.
	DeleteInvitation *accountsv1.Invitation
	// RemoveFinalizer once nothing is left.
	RemoveFinalizer bool
	// After is the time to the next reconciliation if no event happens before. 0: none
	// is needed.
	After time.Duration
}

// situation is the current phase of a Membership. Decide and Report both start from it.
type situation int

const (
	deleting situation = iota
	mailHeld
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
	case f.account() == nil && (inv == nil || !inv.Status.Attempt.Begun()) && f.mailHeld():
		return mailHeld
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

// Decide returns what to do next.
func Decide(f Facts) Plan {
	wanted := f.wantedBindings()
	plan := Plan{Apply: f.toApply(wanted), Delete: f.toDelete(wanted)}
	hasFinalizer := slices.Contains(f.Membership.Finalizers, accountsv1.Finalizer)
	switch f.situation() {
	case deleting:
		if inv := f.Invitation; inv != nil && inv.DeletionTimestamp == nil && metav1.IsControlledBy(inv, f.Membership) {
			plan.DeleteInvitation = inv
		}
		plan.RemoveFinalizer = hasFinalizer && len(f.Bindings) == 0 && f.Account == nil && plan.DeleteInvitation == nil
	case uninvited:
		plan.AddFinalizer = !hasFinalizer
		if f.Invitation == nil {
			plan.Invite = invitationFor(f.Membership)
		}
	case mailHeld, noOrganization, wrongNamespace, noRole, suspended, disabled, seatless, factorless, active, invitationConflict, accountGone, invited:
		plan.AddFinalizer = !hasFinalizer && f.Membership.DeletionTimestamp == nil
		plan.After = f.missingFactor().graceLeft(f.Now)
	}
	return plan
}

// Grants returns what the role, the default grants and the overrides grant at the
// moment, resolved. It is empty while no Account holds the Membership. If the second
// factor that the Organization requires is missing, each grant has that reason and
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
		grants[i] = f.restrictUnvetted(grants[i])
	}
	return append(grants, grant.UnknownDenies(f.Organization, f.Membership.Spec.Permissions)...)
}

// restrictUnvetted removes the home namespace from a grant that lets its subject manage
// people there, if the API server did not check the author of the spec. A person who has
// the grant already keeps it.
func (f Facts) restrictUnvetted(g grant.Grant) grant.Grant {
	home := string(f.Organization.Spec.Namespace)
	if !g.Manages || !slices.Contains(g.Namespaces, home) || f.vetted() {
		return g
	}
	want := grant.RoleBindings(f.Membership, f.Account.Name, []grant.Grant{{ClusterRole: g.ClusterRole, Namespaces: []string{home}}})
	if len(f.toApply(want)) == 0 {
		return g
	}
	g.Namespaces = slices.DeleteFunc(slices.Clone(g.Namespaces), func(namespace string) bool { return namespace == home })
	g.Reason = accountsv1.ReasonPoliciesMissing
	g.Message = "Usher's policies are missing, so Usher makes no new grants that manage people; apply config/policy of this version of Usher."
	if len(f.Guard.Missing) == 0 {
		g.Message = "The Membership was written before or just as Usher's policies came into force; a user who may assign its role and its permissions must set spec.state to Suspended and then to Active."
	}
	return g
}

// vetted reports whether the API server checked that the author of the spec may assign
// the role. Founders are vetted too, because only authors of Organizations name them.
func (f Facts) vetted() bool {
	spec := f.Membership.Spec
	founder := slices.ContainsFunc(f.Organization.Spec.Founders, func(founder accountsv1.Founder) bool {
		return string(founder.Name) == f.Membership.Name && founder.Email == spec.Email && founder.Role == spec.Role && len(spec.Permissions) == 0
	})
	return founder || f.Guard.Vetted(f.Membership)
}

// retained reports whether the Membership continues as that of an owner, although its
// manifest was deleted or asks for less. The Organization still relies on this owner.
func (f Facts) retained() bool {
	m := f.Membership
	_, listed := f.owner()
	if !listed || f.account() == nil {
		return false
	}
	return m.DeletionTimestamp != nil || m.Spec.State == accountsv1.MembershipSwitchSuspended || !f.owns()
}

// owner returns the entry in the Organization's list of owners, unless the Organization
// is being deleted.
func (f Facts) owner() (accountsv1.OwnerStatus, bool) {
	org, m := f.Organization, f.Membership
	if org == nil || org.DeletionTimestamp != nil || string(org.Spec.Namespace) != m.Namespace || f.HomeTaken {
		return accountsv1.OwnerStatus{}, false
	}
	return org.Owner(m.Name)
}

// lastOwner reports whether this is the only owner of the Organization.
func (f Facts) lastOwner() bool {
	_, listed := f.owner()
	return listed && len(f.Organization.Status.Owners) == 1 && f.account() != nil
}

// owns reports whether the manifest makes the person an owner.
func (f Facts) owns() bool {
	return grant.Owns(f.Organization, f.Membership.Spec.Role, f.Membership.Spec.Permissions)
}

// role returns the role that counts: the role of the spec or, for a retained owner, the
// role that makes the person an owner.
func (f Facts) role() accountsv1.CatalogueName {
	if f.retained() && !f.owns() {
		owner, _ := f.owner()
		return owner.Role
	}
	return f.Membership.Spec.Role
}

// overrides returns the overrides that count. For a retained owner they omit each Deny
// of what makes the person an owner.
func (f Facts) overrides() []accountsv1.PermissionOverride {
	overrides := f.Membership.Spec.Permissions
	if f.retained() {
		return grant.OwnersOverrides(f.Organization, f.role(), overrides)
	}
	return overrides
}

// account returns the Account that holds the Membership. It ignores an Account that is
// being deleted, and an Account whose record names a Membership of that name for another
// address.
func (f Facts) account() *accountsv1.Account {
	a, m := f.Account, f.Membership
	if a == nil || a.DeletionTimestamp != nil || !IsHeldBy(a, types.NamespacedName{Namespace: m.Namespace, Name: m.Name}, m.Spec.Email) {
		return nil
	}
	return a
}

// seated reports whether the Membership has the seat that its role needs. While the
// list of seats is being rebuilt, members keep their access.
func (f Facts) seated() bool {
	seats := f.Organization.Status.Seats
	if !invitation.Counted(f.Organization, f.Membership.Spec.Role) || seats.Taken == nil {
		return true
	}
	return slices.ContainsFunc(seats.Holders, func(h accountsv1.SeatHolder) bool { return string(h.Name) == f.Membership.Name })
}

// mailHeld reports whether mail is held: the person was invited once, the Membership lost
// its status, and no admin has requested another invitation since. The finalizer is
// written only after the first status. So a finalizer without a status means that the
// status was lost. mailHeld uses the condition Pending, which has the reason of Ready and
// which a failed reconciliation does not change.
func (f Facts) mailHeld() bool {
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
	return !invitation.MailReleased(m.Status.Conditions, f.Now, asked...)
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

// toDelete also returns a binding to another ClusterRole under a wanted name, because
// the API server does not allow changes of a roleRef.
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
			Annotations: map[string]string{accountsv1.CreatedForMembershipAnnotation: m.Name},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(m, accountsv1.GroupVersion.WithKind("Membership")),
			},
		},
		Spec: invitation.SpecFor(m),
	}
}
