// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/quote"
)

const (
	// mostGrants is how many grants are listed.
	mostGrants = 4096
	// mostNamespaces is how many namespaces of a grant are listed.
	mostNamespaces = 100
	// longestMessage is how many characters the API takes of what is said about
	// a grant. Somebody else's names can be in it.
	longestMessage = 1024
)

// verdict is what Report says about one situation.
type verdict struct {
	state                      accountsv1.MembershipState
	reason, message            string
	set                        func(c *condition.Set, reason, message string)
	pending, accepted, expired bool
}

// Report says where the Membership stands.
func Report(f Facts) accountsv1.MembershipStatus {
	status := accountsv1.MembershipStatus{Grants: f.grantStatus(), Guard: f.Guard.Keep(f.Membership)}
	v := f.verdict(status.Grants)
	generation := f.Membership.Generation
	c := condition.New(f.Now, generation, f.Membership.Status.Conditions)
	v.set(c, v.reason, v.message)
	c.Either(accountsv1.ConditionPending, v.pending, accountsv1.ReasonAwaitingAcceptance, v.reason, v.message)
	c.Either(accountsv1.ConditionActive, v.accepted, accountsv1.ReasonAccepted, invitation.NotAccepted(v.reason), v.message)
	c.Either(accountsv1.ConditionExpired, v.expired, accountsv1.ReasonExpired, accountsv1.ReasonNotExpired, v.message)
	c.Either(accountsv1.ConditionPermissionsApplied, v.accepted && v.reason == accountsv1.ReasonReconciled,
		accountsv1.ReasonReconciled, invitation.NotAccepted(v.reason), v.message)
	if missing := f.missingFactor(); missing.reason != "" {
		c.True(accountsv1.ConditionTwoFactorMissing, missing.reason, missing.message())
	}
	if f.Membership.Spec.State == accountsv1.MembershipSwitchSuspended && !f.retained() {
		c.True(accountsv1.ConditionSuspended, accountsv1.ReasonSuspended, "The Membership is suspended, because spec.state says so.")
	}
	if f.lastOwner() {
		c.True(accountsv1.ConditionLastOwner, accountsv1.ReasonLastOwner, f.lastOwnerMessage())
	}
	status.Conditions = c.List()
	status.ObservedGeneration = &generation
	status.State = v.state
	if f.account() != nil {
		status.AccountRef.Name = accountsv1.AccountName(f.Account.Name)
	}
	return status
}

// CanWait tells whether a report can be saved a moment later, after access of
// others: RoleBindings were changed as planned for somebody whose own manifest and
// state are as they were, as a change of the catalogue does to everybody at once.
func CanWait(f Facts, p Plan, report accountsv1.MembershipStatus) bool {
	was := f.Membership.Status
	return len(p.Apply)+len(p.Delete) > 0 && len(f.Failures) == 0 &&
		was.ObservedGeneration != nil && *was.ObservedGeneration == f.Membership.Generation && was.State == report.State
}

func (f Facts) verdict(grants []accountsv1.GrantStatus) verdict {
	spec := f.Membership.Spec
	org := spec.OrganizationRef.Name
	switch f.situation() {
	case deleting:
		return verdict{
			state: accountsv1.MembershipInactive, set: (*condition.Set).Reconciling, reason: accountsv1.ReasonDeleting,
			message: "The Membership is being deleted; access is being withdrawn.",
		}
	case noOrganization:
		return verdict{
			state: accountsv1.MembershipInactive, set: (*condition.Set).Reconciling, reason: accountsv1.ReasonOrganizationNotFound,
			message: fmt.Sprintf("There is no Organization %s; nothing is granted and nobody invited until there is.", org),
		}
	case wrongNamespace:
		return verdict{
			state: accountsv1.MembershipFailed, set: (*condition.Set).Stalled, reason: accountsv1.ReasonWrongNamespace,
			message: fmt.Sprintf("This namespace is not the home of Organization %s; move the Membership to the one that is.", org),
		}
	case noRole:
		return verdict{
			state: accountsv1.MembershipFailed, set: (*condition.Set).Stalled, reason: accountsv1.ReasonRoleNotFound,
			message: fmt.Sprintf("Organization %s has no role %s; add it there, or name one that it has.", org, spec.Role),
		}
	case invitationConflict:
		return verdict{
			state: accountsv1.MembershipFailed, set: (*condition.Set).Stalled, reason: accountsv1.ReasonInvitationConflict,
			message: "The Invitation of the same name is for another address, Organization or role, or does not allow as much; delete it, and Usher makes one, or give the Membership another name.",
		}
	case accountGone:
		return verdict{
			state: accountsv1.MembershipInactive, set: (*condition.Set).Ready, reason: accountsv1.ReasonNoAccount,
			message: "Nobody holds the Membership any more: the person left, or the Account is gone; delete the Invitation of the same name to invite them again.",
		}
	case held:
		return verdict{
			state: accountsv1.MembershipFailed, set: (*condition.Set).Stalled, reason: accountsv1.ReasonMailHeld,
			message: "The person was invited before the status was lost, and is not mailed again by itself; annotate the Organization with " +
				accountsv1.ReleaseMailAnnotation + " to mail all of its kind, or this one with " + accountsv1.ResendAnnotation + ".",
		}
	case suspended:
		return verdict{
			state: accountsv1.MembershipInactive, set: (*condition.Set).Ready, reason: accountsv1.ReasonSuspended,
			message: "The Membership is suspended: nothing is granted and nobody is invited; set spec.state to Active to go on.",
		}
	case disabled, seatless, factorless, active:
		return f.holderVerdict(grants)
	case uninvited:
		return verdict{
			state: accountsv1.MembershipInvited, set: (*condition.Set).Reconciling, reason: accountsv1.ReasonSending,
			message: "The invitation is being made.",
		}
	default:
		return f.invitedVerdict()
	}
}

// holderVerdict is the verdict where an Account holds the Membership.
func (f Facts) holderVerdict(grants []accountsv1.GrantStatus) verdict {
	switch f.situation() {
	case disabled:
		return verdict{
			state: accountsv1.MembershipInactive, set: (*condition.Set).Ready, reason: accountsv1.ReasonAccountDisabled,
			message: fmt.Sprintf("Account %s is disabled, and nothing is granted to it; set its spec.state to Active to give access back.", f.Account.Name),
		}
	case seatless:
		return verdict{
			state: accountsv1.MembershipFailed, set: (*condition.Set).Stalled, reason: accountsv1.ReasonSeatsExhausted,
			message: fmt.Sprintf("Every seat of Organization %s is taken; access follows by itself when one comes free or spec.seats is raised.", f.Organization.Name),
		}
	case factorless:
		return verdict{
			state: accountsv1.MembershipInactive, accepted: true, set: (*condition.Set).Ready, reason: accountsv1.ReasonTwoFactorRequired,
			message: f.missingFactor().message(),
		}
	default:
		if f.retained() {
			return f.retainedVerdict()
		}
		return activeVerdict(grants)
	}
}

// IsRetained tells whether a Membership was, when it was last looked at, that of
// an owner who is to go. It goes by Pending, which has the reason of Ready and is
// not touched where a look fails.
func IsRetained(m *accountsv1.Membership) bool {
	pending := meta.FindStatusCondition(m.Status.Conditions, accountsv1.ConditionPending)
	return pending != nil && (pending.Reason == accountsv1.ReasonLastOwner || pending.Reason == accountsv1.ReasonRollingOut)
}

// retainedVerdict is the verdict on an owner who is to go: the Organization lets
// them go when it has another, and says so in its list of owners.
func (f Facts) retainedVerdict() verdict {
	v := verdict{state: accountsv1.MembershipActive, accepted: true}
	if f.lastOwner() {
		v.set, v.reason, v.message = (*condition.Set).Stalled, accountsv1.ReasonLastOwner, f.lastOwnerMessage()
		return v
	}
	v.set, v.reason, v.message = (*condition.Set).Reconciling, accountsv1.ReasonRollingOut, "The Organization is about to let this owner go."
	return v
}

func (f Facts) lastOwnerMessage() string {
	return fmt.Sprintf("Organization %s has no other owner, and does not let the last one go; give somebody else a role whose standing is Owner.", f.Organization.Name)
}

// activeVerdict is the verdict on a member. A Deny is what somebody wants, and
// leaves nothing to do.
func activeVerdict(grants []accountsv1.GrantStatus) verdict {
	v := verdict{
		state: accountsv1.MembershipActive, accepted: true, set: (*condition.Set).Ready, reason: accountsv1.ReasonReconciled,
		message: "The person has an account, and everything granted is in force.",
	}
	for _, g := range grants {
		if g.Reason == accountsv1.ReasonDenied && v.reason == accountsv1.ReasonReconciled {
			v.message = "The person has an account, and everything granted is in force but what is denied, as status.grants says."
		}
		if g.State == accountsv1.GrantInForce || g.Reason == accountsv1.ReasonDenied || v.reason == accountsv1.ReasonGrantsWithheld && comesByItself(g) {
			continue
		}
		v.reason = accountsv1.ReasonGrantsWithheld
		v.message = fmt.Sprintf("Permission %s on resource %s is not in force: %s", g.Permission, g.Resource, g.Message)
		v.set = (*condition.Set).Reconciling
		if !comesByItself(g) {
			v.set = (*condition.Set).Stalled
			break
		}
	}
	return v
}

// comesByItself tells whether a withheld grant needs nobody to change anything
// of Usher's or of the Organization's.
func comesByItself(g accountsv1.GrantStatus) bool {
	return g.Reason == accountsv1.ReasonNamespaceNotFound || g.Reason == accountsv1.ReasonBindingFailed
}

// invitedVerdict repeats what the Invitation says of itself.
func (f Facts) invitedVerdict() verdict {
	inv := f.Invitation
	v := verdict{
		state: accountsv1.MembershipInvited, set: (*condition.Set).Reconciling, reason: accountsv1.ReasonSending,
		message: "The invitation is on its way to the mail server.",
	}
	ready := meta.FindStatusCondition(inv.Status.Conditions, accountsv1.ConditionReady)
	if ready == nil {
		return v
	}
	v.reason, v.message = ready.Reason, ready.Message
	switch inv.Status.State {
	case accountsv1.InvitationPending:
		v.pending = true
		if ready.Status == metav1.ConditionTrue {
			v.set = (*condition.Set).Ready
		}
	case accountsv1.InvitationExpired:
		v.state, v.expired, v.set = accountsv1.MembershipExpired, true, (*condition.Set).Ready
	case accountsv1.InvitationDeclined:
		v.state, v.set = accountsv1.MembershipDeclined, (*condition.Set).Ready
	case accountsv1.InvitationFailed:
		v.state, v.set = accountsv1.MembershipFailed, (*condition.Set).Stalled
	default:
	}
	return v
}

func (f Facts) grantStatus() []accountsv1.GrantStatus {
	grants := f.Grants()
	list := make([]accountsv1.GrantStatus, 0, len(grants))
	for _, g := range grants {
		list = append(list, f.oneGrant(g))
	}
	if len(list) == 0 {
		return nil
	}
	return list[:min(len(list), mostGrants)]
}

func (f Facts) oneGrant(g grant.Grant) accountsv1.GrantStatus {
	s := accountsv1.GrantStatus{
		Permission: g.Permission, Resource: g.Resource, ClusterRole: g.ClusterRole, Group: g.Group,
		State: accountsv1.GrantInForce, Reason: g.Reason, Message: g.Message,
	}
	for _, want := range grant.RoleBindings(f.Membership, f.Account.Name, []grant.Grant{g}) {
		if failure, failed := f.Failures[want.Namespace+"/"+want.Name]; failed {
			s.Reason, s.Message = failure.Reason, failure.Message
		} else if len(s.Namespaces) < mostNamespaces {
			s.Namespaces = append(s.Namespaces, accountsv1.NamespaceName(want.Namespace))
		}
	}
	if s.Reason != "" {
		s.State = accountsv1.GrantWithheld
	}
	s.Message = quote.Shorten(s.Message, longestMessage)
	return s
}
