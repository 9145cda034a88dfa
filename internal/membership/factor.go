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

// defaultGrace is how long members who have no second factor keep their access
// where their Organization does not say.
const defaultGrace = 7 * 24 * time.Hour

// missingFactor is a second factor that the Organization wants and that the
// Account does not have.
type missingFactor struct {
	// reason of TwoFactorMissing; empty: nothing is missing.
	reason string
	// until is when the time of grace ends; zero: there is none.
	until time.Time
}

// missingFactor counts the time of grace from when the factor was first missed,
// as the condition says. Once access has ended only a second factor brings it
// back, or an Organization that does not want one.
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
		return missingFactor{reason: missed.Reason} // an Organization that is made anew goes on from there
	case org.Spec.SignIn.TwoFactor != accountsv1.TwoFactorRequired || enrolled(a):
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

// justJoined tells whether the person was no member when the Membership was
// last looked at. One that has lost its status was looked at: its finalizer is
// written only after its first status.
func (f Facts) justJoined() bool {
	m := f.Membership
	active := meta.FindStatusCondition(m.Status.Conditions, accountsv1.ConditionActive)
	if active == nil {
		return !slices.Contains(m.Finalizers, accountsv1.Finalizer)
	}
	return active.Status != metav1.ConditionTrue && m.Status.AccountRef.Name == ""
}

// enrolled tells whether the Account has a second factor. Where the status has
// lost it, the record counts.
func enrolled(a *accountsv1.Account) bool {
	recorded := accountsv1.TwoFactor(a.Annotations[accountsv1.TwoFactorAnnotation])
	return cmp.Or(a.Status.TwoFactor, recorded) == accountsv1.TwoFactorEnrolled
}

// Grace is how long members who have no second factor keep their access once the
// Organization requires one.
func Grace(org *accountsv1.Organization) time.Duration {
	if s := org.Spec.SignIn.TwoFactorGraceSeconds; s != 0 {
		return time.Duration(s) * time.Second
	}
	return defaultGrace
}

// left is how much of the time of grace is left; 0: there is none.
func (m missingFactor) left(now time.Time) time.Duration {
	if m.until.IsZero() {
		return 0
	}
	return m.until.Sub(now)
}

func (m missingFactor) message() string {
	const how = "the person sets up a second factor on the account page of the portal."
	if m.reason == accountsv1.ReasonGracePeriod {
		return "The Organization requires a second factor, and access ends after a time of grace unless " + how
	}
	return "The Organization requires a second factor, and nothing is granted until " + how
}

// withheld are the grants of somebody who must set up a second factor first.
func withheld(grants []grant.Grant) []grant.Grant {
	all := make([]grant.Grant, len(grants))
	for i, g := range grants {
		all[i] = grant.Grant{
			Pair: g.Pair, ClusterRole: g.ClusterRole, Group: g.Group, Reason: accountsv1.ReasonTwoFactorRequired,
			Message: "Access follows once the person has set up a second factor on the account page of the portal.",
		}
	}
	return all
}
