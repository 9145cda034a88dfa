// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// whatCanBe lists facts that can be true of one Membership, in any combination.
var whatCanBe = map[string]func(*Facts){
	"a role with the standing Owner": owning(),
	"listed as an owner":             func(f *Facts) { f.Organization.Status.Owners = []accountsv1.OwnerStatus{{Name: "jane", Role: "owner"}} },
	"a guest's role":                 guestsRole,
	"a developer's role":             demotes,
	"suspended":                      suspends,
	"denied what makes an owner":     disowns,
	"denied to deploy":               overridden("Deny", "deploy"),
	"being deleted":                  going,
	"disabled":                       func(f *Facts) { f.Account.Spec.State = accountsv1.AccountSwitchDisabled },
	"no seat":                        seats(1, "john"),
	"a second factor missing":        func(f *Facts) { wasInvited(f); factorRequired(f) },
	"a new second factor":            factorRequired,
	"policies missing":               policiesMissing,
	"bound as a developer":           bound(asItShould),
	"bound as an owner":              bound(toOwn),
	"invited":                        invitedAs("Pending", "True", "AwaitingAcceptance"),
	"accepted":                       invitedAs("Active", "True", "Accepted"),
	"its status lost":                statusLost,
	"another Organization holds the home namespace": func(f *Facts) { f.HomeTaken = true },
	"the Organization is being deleted":             organizationGoing,
	"no namespace":                                  func(f *Facts) { f.Cluster.Namespaces = nil },
	"no Account holds it":                           func(f *Facts) { f.Account.Annotations = nil },
}

func guestsRole(f *Facts) { f.Organization.Spec.Roles[0].Standing = accountsv1.StandingGuest }

func TestEveryMixtureIsSaidClearly(t *testing.T) {
	names := slices.Sorted(maps.Keys(whatCanBe))
	rapid.Check(t, func(rt *rapid.T) {
		f := someFacts(heldBy("jane", "jane@example.com"), owning())
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(rt, "mixture") {
			whatCanBe[name](&f)
		}
		status, plan := Report(f), Decide(f)
		keepsKstatus(rt, status)
		m := f.Membership
		_, listed := f.Organization.Owner("jane")
		gone := m.DeletionTimestamp != nil || m.Spec.State == accountsv1.MembershipSwitchSuspended
		switch {
		case gone && plan.Invite != nil:
			rt.Error("a person is invited although the Membership is suspended or being deleted")
		case gone && !listed && (len(plan.Apply) > 0 || len(status.Grants) > 0):
			rt.Error("a grant is applied although the Membership is suspended or being deleted")
		case m.DeletionTimestamp != nil && plan.AddFinalizer:
			rt.Error("a finalizer is added to an object that is being deleted")
		case plan.RemoveFinalizer && len(f.Bindings) > 0:
			rt.Error("the finalizer is removed, and access is left")
		case len(plan.Apply) > 0 && status.State != accountsv1.MembershipActive:
			rt.Errorf("access is given, and the state is %s", status.State)
		case status.State == accountsv1.MembershipActive && !meta.IsStatusConditionTrue(status.Conditions, "Active"):
			rt.Error("the state is Active without access")
		}
		m.Status = status
		if diff := cmp.Diff(status, Report(f)); diff != "" {
			rt.Errorf("a second reconciliation reports something else: -first +second\n%s", diff)
		}
	})
}
