// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// defaultGrace is how long members without a second factor keep their access if their
// Organization does not set a grace period.
const defaultGrace = 7 * 24 * time.Hour

// missingFactor describes a second factor that the Organization requires and the
// Account does not have.
type missingFactor struct {
	// reason of TwoFactorMissing; empty: nothing is missing.
	reason string
	// until is the end of the grace period; zero: there is none.
	until time.Time
}

// missingFactor starts the grace period when the factor was first missed, according to
// the condition. Once access has ended, the person regains it only with a second factor,
// or if the Organization no longer requires one.
func (f Facts) missingFactor() missingFactor {
	a, org := f.account(), f.Organization
	missed := meta.FindStatusCondition(f.Membership.Status.Conditions, accountsv1.ConditionTwoFactorMissing)
	switch {
	case a == nil || f.Membership.DeletionTimestamp != nil && !f.retained():
		return missingFactor{}
	case org == nil || org.DeletionTimestamp != nil:
		if missed == nil {
			return missingFactor{}
		}
		return missingFactor{reason: missed.Reason} // a recreated Organization continues from there
	case org.Spec.SignIn.TwoFactor != accountsv1.TwoFactorRequired || Enrolled(a):
		return missingFactor{}
	case missed == nil && f.justJoined(), missed != nil && missed.Reason == accountsv1.ReasonTwoFactorRequired:
		return missingFactor{reason: accountsv1.ReasonTwoFactorRequired}
	}
	since := f.Now.Truncate(time.Second)
	if missed != nil {
		since = missed.LastTransitionTime.Time
	}
	if until := since.Add(Grace(org)); f.Now.Before(until) {
		return missingFactor{reason: accountsv1.ReasonGracePeriod, until: until}
	}
	return missingFactor{reason: accountsv1.ReasonTwoFactorRequired}
}

// justJoined reports whether the person was not a member at the last reconciliation. A
// Membership that lost its status was reconciled before: its finalizer is written only
// after its first status.
func (f Facts) justJoined() bool {
	m := f.Membership
	active := meta.FindStatusCondition(m.Status.Conditions, accountsv1.ConditionActive)
	if active == nil {
		return !slices.Contains(m.Finalizers, accountsv1.Finalizer)
	}
	return active.Status != metav1.ConditionTrue && m.Status.AccountRef.Name == ""
}

// Enrolled reports whether the Account has a second factor. If the status was lost, the
// annotation counts.
func Enrolled(a *accountsv1.Account) bool {
	recorded := accountsv1.TwoFactor(a.Annotations[accountsv1.TwoFactorAnnotation])
	return cmp.Or(a.Status.TwoFactor, recorded) == accountsv1.TwoFactorEnrolled
}

// Grace returns how long members without a second factor keep their access once the
// Organization requires one.
func Grace(org *accountsv1.Organization) time.Duration {
	if s := org.Spec.SignIn.TwoFactorGraceSeconds; s != 0 {
		return time.Duration(s) * time.Second
	}
	return defaultGrace
}

// graceLeft returns the rest of the grace period; 0: there is none.
func (m missingFactor) graceLeft(now time.Time) time.Duration {
	if m.until.IsZero() {
		return 0
	}
	return m.until.Sub(now)
}

func (m missingFactor) message() string {
	const how = "the person sets up a second factor on the account page of the portal."
	if m.reason == accountsv1.ReasonGracePeriod {
		return "The Organization requires a second factor, and access ends after a grace period unless " + how
	}
	return "The Organization requires a second factor, and nothing is granted until " + how
}

// withheld returns the grants of a person who must set up a second factor first.
func withheld(grants []grant.Grant) []grant.Grant {
	all := make([]grant.Grant, len(grants))
	for i, g := range grants {
		all[i] = grant.Grant{
			Pair: g.Pair, ClusterRole: g.ClusterRole, Group: g.Group, Reason: accountsv1.ReasonTwoFactorRequired,
			Message: "Usher grants access once the person sets up a second factor on the account page of the portal.",
		}
	}
	return all
}
