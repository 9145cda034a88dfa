// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
)

// verdict is what Report says in one situation.
type verdict struct {
	state                      accountsv1.MembershipState
	reason, message            string
	set                        func(c *condition.Set, reason, message string)
	pending, accepted, expired bool
	// messageOf replaces message where the facts decide.
	messageOf func(Facts) string
	// whole replaces the row where the facts decide more than the message.
	whole func(Facts, []accountsv1.GrantStatus) verdict
}

var (
	isReady       = (*condition.Set).Ready
	isReconciling = (*condition.Set).Reconciling
	isStalled     = (*condition.Set).Stalled
)

// verdicts has a row for every situation.
var verdicts = map[situation]verdict{
	deleting: {
		state: accountsv1.MembershipInactive, set: isReconciling, reason: accountsv1.ReasonDeleting,
		message: "The Membership is being deleted; access is being withdrawn.",
	},
	held: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonMailHeld,
		message: "The person was invited before the status was lost, and is not mailed again by itself; annotate the Organization with " +
			accountsv1.ReleaseMailAnnotation + " to mail all of its kind, or this one with " + accountsv1.ResendAnnotation + ".",
	},
	noOrganization: {
		state: accountsv1.MembershipInactive, set: isReconciling, reason: accountsv1.ReasonOrganizationNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("There is no Organization %s; nothing is granted and nobody invited until there is.", f.organizationName())
		},
	},
	wrongNamespace: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonWrongNamespace,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("This namespace is not the home of Organization %s; move the Membership to the one that is.", f.organizationName())
		},
	},
	noRole: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonRoleNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Organization %s has no role %s; add it there, or name one that it has.", f.organizationName(), f.Membership.Spec.Role)
		},
	},
	suspended: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonSuspended,
		message: "The Membership is suspended: nothing is granted and nobody is invited; set spec.state to Active to go on.",
	},

	// An Account holds the Membership.
	disabled: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonAccountDisabled,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Account %s is disabled, and nothing is granted to it; set its spec.state to Active to give access back.", f.Account.Name)
		},
	},
	seatless: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonSeatsExhausted,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Every seat of Organization %s is taken; access follows by itself when one comes free or spec.seats is raised.", f.Organization.Name)
		},
	},
	factorless: {
		state: accountsv1.MembershipInactive, accepted: true, set: isReady, reason: accountsv1.ReasonTwoFactorRequired,
		messageOf: func(f Facts) string { return f.missingFactor().message() },
	},
	active: {whole: Facts.activeVerdict},

	// The Membership has an Invitation, or waits for one.
	invitationConflict: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonInvitationConflict,
		message: "The Invitation of the same name is for another address, Organization or role, or does not allow as much; delete it, and Usher makes one, or give the Membership another name.",
	},
	accountGone: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonNoAccount,
		message: "Nobody holds the Membership any more: the person left, or the Account is gone; delete the Invitation of the same name to invite them again.",
	},
	uninvited: {
		state: accountsv1.MembershipInvited, set: isReconciling, reason: accountsv1.ReasonSending,
		message: "The invitation is being made.",
	},
	invited: {whole: func(f Facts, _ []accountsv1.GrantStatus) verdict { return f.invitedVerdict() }},
}

// verdict returns the row of the situation, filled in from the facts.
func (f Facts) verdict(grants []accountsv1.GrantStatus) verdict {
	v := verdicts[f.situation()]
	if v.whole != nil {
		return v.whole(f, grants)
	}
	if v.messageOf != nil {
		v.message = v.messageOf(f)
	}
	return v
}

func (f Facts) organizationName() string { return string(f.Membership.Spec.OrganizationRef.Name) }

// retainedVerdict is the verdict on an owner who is to go: the Organization lets
// them go when it has another, and says so in its list of owners.
func (f Facts) retainedVerdict() verdict {
	v := verdict{state: accountsv1.MembershipActive, accepted: true}
	if f.lastOwner() {
		v.set, v.reason, v.message = isStalled, accountsv1.ReasonLastOwner, f.lastOwnerMessage()
		return v
	}
	v.set, v.reason, v.message = isReconciling, accountsv1.ReasonRollingOut, "The Organization is about to let this owner go."
	return v
}

func (f Facts) lastOwnerMessage() string {
	return fmt.Sprintf("Organization %s has no other owner, and does not let the last one go; give somebody else a role whose standing is Owner.", f.Organization.Name)
}

// activeVerdict is the verdict on a member. A Deny is intended and leaves nothing
// to do.
func (f Facts) activeVerdict(grants []accountsv1.GrantStatus) verdict {
	if f.retained() {
		return f.retainedVerdict()
	}
	v := verdict{
		state: accountsv1.MembershipActive, accepted: true, set: isReady, reason: accountsv1.ReasonReconciled,
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
		v.set = isReconciling
		if !comesByItself(g) {
			v.set = isStalled
			break
		}
	}
	return v
}

// comesByItself reports whether a withheld grant needs no change by an admin, neither
// of Usher nor of the Organization.
func comesByItself(g accountsv1.GrantStatus) bool {
	return g.Reason == accountsv1.ReasonNamespaceNotFound || g.Reason == accountsv1.ReasonBindingFailed
}

// invitedVerdict repeats what the Invitation says of itself.
func (f Facts) invitedVerdict() verdict {
	inv := f.Invitation
	v := verdict{
		state: accountsv1.MembershipInvited, set: isReconciling, reason: accountsv1.ReasonSending,
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
			v.set = isReady
		}
	case accountsv1.InvitationExpired:
		v.state, v.expired, v.set = accountsv1.MembershipExpired, true, isReady
	case accountsv1.InvitationDeclined:
		v.state, v.set = accountsv1.MembershipDeclined, isReady
	case accountsv1.InvitationFailed:
		v.state, v.set = accountsv1.MembershipFailed, isStalled
	case accountsv1.InvitationSending, accountsv1.InvitationActive:
	}
	return v
}
