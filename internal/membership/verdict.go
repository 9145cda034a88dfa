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

// verdict is the result that Report writes in one situation.
type verdict struct {
	state                      accountsv1.MembershipState
	reason, message            string
	set                        func(c *condition.Set, reason, message string)
	pending, accepted, expired bool
	// messageOf replaces message if it depends on the facts.
	messageOf func(Facts) string
	// whole replaces the row if more than the message depends on the facts.
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
	mailHeld: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonMailHeld,
		message: "The status was lost after the person was invited, so Usher does not mail the person again on its own; annotate the Organization with " +
			accountsv1.ReleaseMailAnnotation + " to release all of its held mail, or this Membership with " + accountsv1.ResendAnnotation + ".",
	},
	noOrganization: {
		state: accountsv1.MembershipInactive, set: isReconciling, reason: accountsv1.ReasonOrganizationNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Organization %s does not exist; Usher grants nothing and sends no invitation until it is created.", f.organizationName())
		},
	},
	wrongNamespace: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonWrongNamespace,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("This namespace is not the home namespace of Organization %s; move the Membership to the home namespace.", f.organizationName())
		},
	},
	noRole: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonRoleNotFound,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Organization %s has no role %s; add the role to the Organization, or use one of its roles.", f.organizationName(), f.Membership.Spec.Role)
		},
	},
	suspended: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonSuspended,
		message: "The Membership is suspended: Usher grants nothing and sends no invitation; set spec.state to Active to resume.",
	},

	// An Account holds the Membership.
	disabled: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonAccountDisabled,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("Account %s is disabled, so Usher grants it nothing; set its spec.state to Active to restore access.", f.Account.Name)
		},
	},
	seatless: {
		state: accountsv1.MembershipFailed, set: isStalled, reason: accountsv1.ReasonSeatsExhausted,
		messageOf: func(f Facts) string {
			return fmt.Sprintf("All seats of Organization %s are taken; Usher grants access when a seat becomes free or spec.seats is raised.", f.Organization.Name)
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
		message: "The Invitation of the same name is for another address, Organization or role, or allows less; delete it, and Usher creates a new one, or give the Membership another name.",
	},
	accountGone: {
		state: accountsv1.MembershipInactive, set: isReady, reason: accountsv1.ReasonNoAccount,
		message: "No Account holds the Membership: the person left, or the Account was deleted; delete the Invitation of the same name to invite the person again.",
	},
	uninvited: {
		state: accountsv1.MembershipInvited, set: isReconciling, reason: accountsv1.ReasonSending,
		message: "Usher is creating the invitation.",
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

// retainedVerdict returns the verdict for an owner who is to leave. The Organization
// releases the owner when it has another one, and shows this in its list of owners.
func (f Facts) retainedVerdict() verdict {
	v := verdict{state: accountsv1.MembershipActive, accepted: true}
	if f.lastOwner() {
		v.set, v.reason, v.message = isStalled, accountsv1.ReasonLastOwner, f.lastOwnerMessage()
		return v
	}
	v.set, v.reason, v.message = isReconciling, accountsv1.ReasonRollingOut, "The Organization is about to release this owner."
	return v
}

func (f Facts) lastOwnerMessage() string {
	return fmt.Sprintf("Organization %s has no other owner and keeps its last one; give another person a role whose standing is Owner.", f.Organization.Name)
}

// activeVerdict returns the verdict for a member. A Deny is intended and requires no
// action.
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
			v.message = "The person has an account, and everything granted is in force except what is denied; status.grants lists the denied grants."
		}
		if g.State == accountsv1.GrantInForce || g.Reason == accountsv1.ReasonDenied || v.reason == accountsv1.ReasonGrantsWithheld && needsNoAdmin(g) {
			continue
		}
		v.reason = accountsv1.ReasonGrantsWithheld
		v.message = fmt.Sprintf("Permission %s on resource %s is not in force: %s", g.Permission, g.Resource, g.Message)
		v.set = isReconciling
		if !needsNoAdmin(g) {
			v.set = isStalled
			break
		}
	}
	return v
}

// needsNoAdmin reports whether Usher can give a withheld grant later without any
// change by an admin, neither to Usher nor to the Organization.
func needsNoAdmin(g accountsv1.GrantStatus) bool {
	return g.Reason == accountsv1.ReasonNamespaceNotFound || g.Reason == accountsv1.ReasonBindingFailed
}

// invitedVerdict repeats what the Invitation reports.
func (f Facts) invitedVerdict() verdict {
	inv := f.Invitation
	v := verdict{
		state: accountsv1.MembershipInvited, set: isReconciling, reason: accountsv1.ReasonSending,
		message: "Usher is sending the invitation.",
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
