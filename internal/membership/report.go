// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/condition"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/sanitize"
)

const (
	// mostGrants is the maximum number of grants in the status.
	mostGrants = 4096
	// mostNamespaces is the maximum number of namespaces listed for a grant.
	mostNamespaces = 100
	// longestMessage is the maximum length in characters that the API allows for the
	// message of a grant. The message can contain names that other people chose.
	longestMessage = 1024
)

// Report returns the status of the Membership.
func Report(f Facts) accountsv1.MembershipStatus {
	status := accountsv1.MembershipStatus{Grants: f.grantStatus(), Guard: f.Guard.StatusGuard(f.Membership)}
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
		c.True(accountsv1.ConditionSuspended, accountsv1.ReasonSuspended, "The Membership is suspended because spec.state is Suspended.")
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

// A change of the catalogue must reach all members within ReportPause. The reports of
// its result cost more than the access, so they wait as long. Only PromptReports a
// second do not wait, which is enough for a small Organization.
const (
	ReportPause   = 5 * time.Second
	PromptReports = 20
)

// RequeueAfter returns when to reconcile again. A RoleBinding that could not be applied is
// retried within a minute, because its obstacle can disappear without an event.
func RequeueAfter(p Plan, failures map[string]Failure) time.Duration {
	const recheckFailures = time.Minute
	if len(failures) > 0 && (p.After == 0 || p.After > recheckFailures) {
		return recheckFailures
	}
	return p.After
}

// CanWait reports whether a report can be saved a moment later, after the access of
// other members. That is so if RoleBindings were changed as planned for a member whose
// own manifest and state are unchanged. A change of the catalogue has this effect on
// all members at once.
func CanWait(f Facts, p Plan, report accountsv1.MembershipStatus) bool {
	was := f.Membership.Status
	return len(p.Apply)+len(p.Delete) > 0 && len(f.Failures) == 0 &&
		was.ObservedGeneration != nil && *was.ObservedGeneration == f.Membership.Generation && was.State == report.State
}

// IsRetained reports whether a Membership was, at its last reconciliation, that of an
// owner who is to leave. It uses the condition Pending, which has the reason of Ready
// and which a failed reconciliation does not change.
func IsRetained(m *accountsv1.Membership) bool {
	pending := meta.FindStatusCondition(m.Status.Conditions, accountsv1.ConditionPending)
	return pending != nil && (pending.Reason == accountsv1.ReasonLastOwner || pending.Reason == accountsv1.ReasonRollingOut)
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
	s.Message = sanitize.Shorten(s.Message, longestMessage)
	return s
}
