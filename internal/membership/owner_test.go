// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/guard"
)

func demotes(f *Facts) { f.Membership.Spec.Role = "developer" }

func roleGone(f *Facts) {
	f.Organization.Spec.Roles = slices.DeleteFunc(f.Organization.Spec.Roles, func(r accountsv1.Role) bool { return r.Name == "owner" })
}

func noOwnersRole(f *Facts) {
	for i := range f.Organization.Spec.Roles {
		f.Organization.Spec.Roles[i].Standing = accountsv1.StandingMember
	}
}

// disowns denies what makes a person an owner.
func disowns(f *Facts) { overridden("Deny", "own")(f) }

// asPartner gives the role of another kind of owner, which also grants something in the
// home namespace.
func asPartner(f *Facts) {
	roles := f.Organization.Spec.Roles
	roles[len(roles)-1].Grants = []accountsv1.Grant{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"people"}}}
	f.Membership.Spec.Role = "partner"
}

func organizationGoing(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} }

func TestTheLastOwnerKeepsWhatOwnersHave(t *testing.T) {
	held, last := heldBy("jane", "jane@example.com"), owning("jane")
	kept := says{"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", nil}
	situations{
		"nothing changes":                {someFacts(held, last, bound(toOwn)), says{"Active", "True Reconciled +LastOwner", "True Accepted", nil}},
		"deleted":                        {someFacts(held, last, bound(toOwn), going), kept},
		"deleted, with its Invitation":   {someFacts(held, invitedAs("Active", "True", "Accepted"), last, bound(toOwn), going), kept},
		"deleted, without its finalizer": {someFacts(held, last, bound(toOwn), going, func(f *Facts) { f.Membership.Finalizers = nil }), kept},
		"demoted":                        {someFacts(held, last, bound(toOwn), demotes), kept},
		"demoted to an unknown role":     {someFacts(held, last, bound(toOwn), func(f *Facts) { f.Membership.Spec.Role = "pilot" }), kept},
		"suspended":                      {someFacts(held, last, bound(toOwn), suspends), kept},
		"deleted, demoted and suspended": {someFacts(held, last, bound(toOwn), going, demotes, suspends), kept},
		"denied what makes an owner":     {someFacts(held, last, bound(toOwn), disowns), kept},
		"denied what makes an owner, suspended and deleted": {someFacts(held, last, bound(toOwn), disowns, suspends, going), kept},
		"denied what makes an owner, and demoted":           {someFacts(held, last, bound(toOwn), disowns, demotes), kept},
		"given another owner's role, and denied both roles' grants": {
			someFacts(held, last, bound(toOwn), asPartner, disowns, func(f *Facts) {
				overridden("Deny", "deploy")(f)
				f.Membership.Spec.Permissions[1].Resources[0] = "people"
			}), kept,
		},
		"denied what makes an owner, and something else": {
			someFacts(held, last, bound(toOwn), bound(asItShould), disowns, overridden("Deny", "deploy"), func(f *Facts) {
				f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}}}
			}),
			says{"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", []string{"delete binding"}},
		},
		"denied something else":                         {someFacts(held, last, bound(toOwn), overridden("Deny", "deploy")), says{"Active", "True Reconciled +LastOwner", "True Accepted", nil}},
		"denied what makes an owner, one of two owners": {someFacts(held, owning("jane", "john"), bound(toOwn), disowns), says{"Active", "False RollingOut +Reconciling", "True Accepted", nil}},
		"demoted, and its binding was deleted":          {someFacts(held, last, demotes), says{"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", []string{"apply binding"}}},
		"deleted, and its binding was edited": {
			someFacts(held, last, bound(toOwn), going, func(f *Facts) { f.Bindings[0].Subjects = nil }),
			says{"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", []string{"apply binding"}},
		},
		"demoted, and bound as the new role grants": {
			someFacts(held, last, bound(toOwn), demotes, bound(asItShould)),
			says{"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", []string{"delete binding"}},
		},
		"given another owner's role":                          {someFacts(held, last, bound(toOwn), func(f *Facts) { f.Membership.Spec.Role = "partner" }), says{"Active", "True Reconciled +LastOwner", "True Accepted", []string{"delete binding"}}},
		"deleted, and the seat was given to another person":   {someFacts(held, last, bound(toOwn), going, seats(1, "john")), kept},
		"suspended, and the seat was given to another person": {someFacts(held, last, bound(toOwn), suspends, seats(1, "john")), kept},
		"deleted, one of two owners":                          {someFacts(held, owning("jane", "john"), bound(toOwn), going), says{"Active", "False RollingOut +Reconciling", "True Accepted", nil}},
		"suspended, one of two owners":                        {someFacts(held, owning("jane", "john"), bound(toOwn), suspends), says{"Active", "False RollingOut +Reconciling", "True Accepted", nil}},
		"nothing changes, one of two owners":                  {someFacts(held, owning("jane", "john"), bound(toOwn)), says{"Active", "True Reconciled", "True Accepted", nil}},
		"deleted, and a required second factor is missing":    {someFacts(held, last, bound(toOwn), factorRequired, wasInvited, going), says{"Inactive", "True TwoFactorRequired +LastOwner +TwoFactorMissing", "True Accepted", []string{"delete binding"}}},
		"suspended, and a required second factor is missing":  {someFacts(held, last, bound(toOwn), factorRequired, wasInvited, suspends), says{"Inactive", "True TwoFactorRequired +LastOwner +TwoFactorMissing", "True Accepted", []string{"delete binding"}}},
	}.check(t)
}

func TestUnlistedOwnerIsReleased(t *testing.T) {
	held := heldBy("jane", "jane@example.com")
	deleting := says{"Inactive", "False Deleting +Reconciling", "False Deleting", []string{"delete binding"}}
	situations{
		"deleted":                                       {someFacts(held, owning("john"), bound(toOwn), going), deleting},
		"deleted, while no owner is listed":             {someFacts(held, owning(), bound(toOwn), going), deleting},
		"deleted, and nothing is left":                  {someFacts(owning("john"), going), says{"Inactive", "False Deleting +Reconciling", "False Deleting", []string{"remove finalizer"}}},
		"demoted":                                       {someFacts(held, owning("john"), bound(toOwn), demotes), says{"Active", "True Reconciled", "True Accepted", []string{"apply binding", "delete binding"}}},
		"denied what makes an owner":                    {someFacts(held, owning("john"), bound(toOwn), disowns), says{"Active", "True Reconciled", "True Accepted", []string{"delete binding"}}},
		"the Organization is being deleted too":         {someFacts(held, owning("jane"), bound(toOwn), going, organizationGoing), deleting},
		"the Organization was deleted":                  {someFacts(held, owning("jane"), bound(toOwn), going, func(f *Facts) { f.Organization = nil }), deleting},
		"the Organization is being deleted":             {someFacts(held, owning("jane"), bound(toOwn), organizationGoing), says{"Inactive", "False OrganizationNotFound +Reconciling", "False OrganizationNotFound", []string{"delete binding"}}},
		"another Organization holds its home namespace": {someFacts(held, owning("jane"), bound(toOwn), going, func(f *Facts) { f.HomeTaken = true }), deleting},
		"it is not in the home namespace":               {someFacts(held, owning("jane"), bound(toOwn), going, func(f *Facts) { f.Organization.Spec.Namespace = "other" }), deleting},
		"its Account was deleted":                       {someFacts(owning("jane"), bound(toOwn), going), deleting},
		"its Account is being deleted":                  {someFacts(held, owning("jane"), bound(toOwn), going, func(f *Facts) { f.Account.DeletionTimestamp = &metav1.Time{Time: noon} }), deleting},
		"its Account holds it for another address":      {someFacts(heldBy("mallory", "mallory@example.com"), owning("jane"), bound(toOwn), going), deleting},
		"its role was deleted, and the manifest exists": {someFacts(held, owning("jane"), bound(toOwn), roleGone), says{"Failed", "False RoleNotFound +Stalled +LastOwner", "False RoleNotFound", []string{"delete binding"}}},
		"its Account is disabled":                       {someFacts(held, owning("jane"), bound(toOwn), switchedOff), says{"Inactive", "True AccountDisabled +LastOwner", "False AccountDisabled", []string{"delete binding"}}},
		"its Account is disabled, and it was deleted": {someFacts(held, owning("jane"), bound(toOwn), switchedOff, going), says{
			"Inactive", "True AccountDisabled +LastOwner", "False AccountDisabled", []string{"delete binding"},
		}},
		"its role is no longer an owner's, and it was suspended": {someFacts(held, owning("jane"), noOwnersRole, suspends), says{
			"Active", "False LastOwner +Stalled +LastOwner", "True Accepted", []string{"apply binding"},
		}},
	}.check(t)
}

func TestTheLastOwnerIsToldWhatToDo(t *testing.T) {
	f := someFacts(heldBy("jane", "jane@example.com"), owning("jane"), bound(toOwn), going)
	status := Report(f)
	for _, condition := range []string{"Ready", "Stalled", "LastOwner"} {
		got := meta.FindStatusCondition(status.Conditions, condition)
		if got == nil || !strings.Contains(got.Message, "acme has no other owner") || !strings.Contains(got.Message, "standing is Owner") {
			t.Errorf("%s says: %+v", condition, got)
		}
	}
	if status.AccountRef.Name != "jane" || len(status.Grants) != 1 || status.Grants[0].State != accountsv1.GrantInForce {
		t.Errorf("the retained grants are missing: %+v", status)
	}
}

// A request for the last owner, by a spec that no policy checked, grants nothing new.
func TestTheLastOwnerGetsNothingNewWhileThePoliciesAreMissing(t *testing.T) {
	f := someFacts(heldBy("jane", "jane@example.com"), owning("jane"), going, func(f *Facts) { f.Guard = guard.State{Missing: []string{"usher-assign"}} })
	if plan := Decide(f); len(plan.Apply) > 0 {
		t.Errorf("%s is new", plan.Apply[0].Name)
	}
	f = someFacts(heldBy("jane", "jane@example.com"), owning("jane"), bound(toOwn), going, func(f *Facts) { f.Guard = guard.State{Missing: []string{"usher-assign"}} })
	if plan := Decide(f); len(plan.Delete) > 0 {
		t.Errorf("%s is withdrawn", plan.Delete[0].Name)
	}
}
