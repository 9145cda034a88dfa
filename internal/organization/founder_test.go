// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// founded gives the Organization founders, each with the role "owner".
func founded(names ...accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		f.Organization.Spec.Roles = append(f.Organization.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner})
		for _, name := range names {
			f.Organization.Spec.Founders = append(f.Organization.Spec.Founders, accountsv1.Founder{
				Name: name, Email: accountsv1.EmailAddress(name + "@example.com"), Role: "owner",
			})
		}
	}
}

func made(record string) func(*Facts) {
	return func(f *Facts) { f.Organization.Annotations = map[string]string{accountsv1.FoundersAnnotation: record} }
}

func TestFounders(t *testing.T) {
	as := func(i int, role accountsv1.CatalogueName) func(*Facts) {
		return func(f *Facts) { f.Organization.Spec.Founders[i].Role = role }
	}
	for name, c := range map[string]struct {
		facts  Facts
		found  string
		record string
		ready  string
	}{
		"none":                               {someFacts(), "", "", "True Reconciled"},
		"two":                                {someFacts(founded("bob", "ada")), "bob ada", "ada,bob", "True Reconciled"},
		"before the home namespace exists":   {someFacts(founded("ada"), func(f *Facts) { f.Namespace = nil }), "ada", "ada", "True Reconciled"},
		"all created":                        {someFacts(founded("ada", "bob"), made("ada,bob")), "", "", "True Reconciled"},
		"one more founder":                   {someFacts(founded("ada", "bob"), made("bob")), "ada", "ada,bob", "True Reconciled"},
		"a former founder":                   {someFacts(founded("ada"), made("bob")), "ada", "ada,bob", "True Reconciled"},
		"created, and removed from the list": {someFacts(founded(), made("ada")), "", "", "True Reconciled"},
		"a name that is a prefix of a created one": {someFacts(founded("ada"), made("ada-2")), "ada", "ada,ada-2", "True Reconciled"},
		"an unknown role": {
			someFacts(founded("ada", "bob"), as(0, "queen")), "bob", "bob", "False UnknownRole: Give these founders a role of spec.roles whose standing is Owner: ada.",
		},
		"a role without the standing Owner": {
			someFacts(founded("ada", "bob"), as(1, "developer")), "ada", "ada", "False UnknownRole: Give these founders a role of spec.roles whose standing is Owner: bob.",
		},
		"roles without the standing Owner for all founders": {
			someFacts(founded("ada", "bob"), as(0, "developer"), as(1, "developer")), "", "",
			"False UnknownRole: Give these founders a role of spec.roles whose standing is Owner: ada, bob.",
		},
		"created, and the role was deleted since": {
			someFacts(founded("ada"), made("ada"), as(0, "queen")), "", "", "False UnknownRole: Give these founders a role of spec.roles whose standing is Owner: ada.",
		},
		"the home namespace of another Organization": {
			someFacts(founded("ada"), func(f *Facts) { f.HomeTaken, f.Namespace = "first", nil }), "", "",
			"False NamespaceTaken: Namespace acme is already the home namespace of Organization first; create this Organization again with another namespace.",
		},
		"a home namespace that is being deleted": {
			someFacts(founded("ada"), func(f *Facts) { f.Namespace.DeletionTimestamp = &metav1.Time{Time: noon} }), "", "",
			"False NamespaceTerminating: Namespace acme is being deleted. Usher recreates it after the deletion.",
		},
		"an Organization that is being deleted": {
			someFacts(founded("ada"), func(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} }), "", "",
			"False Deleting: The Organization is being deleted; the access of its members is being withdrawn.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(c.facts)
			if got := foundedBy(t, plan); got != c.found || plan.RecordFounders != c.record {
				t.Errorf("it creates %q and records %q, not %q and %q", got, plan.RecordFounders, c.found, c.record)
			}
			if got := said(c.facts); got != c.ready {
				t.Errorf("it reports %q, not %q", got, c.ready)
			}
			if plan.RecordFounders == "" {
				return
			}
			made(plan.RecordFounders)(&c.facts)
			if again := foundedBy(t, Decide(c.facts)); again != "" {
				t.Errorf("afterwards, it creates %s again", again)
			}
		})
	}
}

// said returns the status of Ready, with its message if it is False.
func said(f Facts) string {
	ready := meta.FindStatusCondition(Report(f).Conditions, "Ready")
	if ready.Status == metav1.ConditionFalse {
		return "False " + ready.Reason + ": " + ready.Message
	}
	return string(ready.Status) + " " + ready.Reason
}

// foundedBy returns the names of the Memberships to create.
func foundedBy(t *testing.T, plan Plan) string {
	t.Helper()
	var found []string
	for _, m := range plan.CreateFounders {
		found = append(found, m.Name)
		if m.Namespace != "acme" || m.Spec.OrganizationRef.Name != "acme" || string(m.Spec.Email) != m.Name+"@example.com" || m.Spec.Role != "owner" {
			t.Errorf("the Membership is %s/%s: %+v", m.Namespace, m.Name, m.Spec)
		}
	}
	return strings.Join(found, " ")
}

func TestAFoundersMembershipIsWhatTheOrganizationSays(t *testing.T) {
	f := someFacts(founded("ada"))
	f.Organization.Spec.Founders[0].GivenName, f.Organization.Spec.Founders[0].FamilyName = "Ada", "Example"
	want := accountsv1.MembershipSpec{
		OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "ada@example.com", GivenName: "Ada", FamilyName: "Example", Role: "owner",
	}
	if diff := cmp.Diff(want, Decide(f).CreateFounders[0].Spec); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
