// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"fmt"
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

// recordedInStatus gives the Organization a record in its status.
func recordedInStatus(names ...accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) { f.Organization.Status.Founders = names }
}

// existing adds a Membership with the name and address of a founder.
func existing(name string, changes ...func(*accountsv1.Membership)) func(*Facts) {
	return func(f *Facts) {
		m := accountsv1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name}}
		m.Spec = accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(name + "@example.com"), Role: "owner",
		}
		for _, change := range changes {
			change(&m)
		}
		f.FounderMemberships = append(f.FounderMemberships, m)
	}
}

func TestFounders(t *testing.T) {
	const nameTaken = "False FounderNameTaken: Delete the Memberships that have the names of these founders, or give the founders other names: "
	guest := func(m *accountsv1.Membership) { m.Spec.Role = "developer" }
	deleting := func(m *accountsv1.Membership) { m.DeletionTimestamp = &metav1.Time{Time: noon} }
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
		"recorded in the status alone":             {someFacts(founded("ada"), recordedInStatus("ada")), "", "ada", "True Reconciled"},
		"recorded in the status, one more":         {someFacts(founded("ada", "bob"), recordedInStatus("ada")), "bob", "ada,bob", "True Reconciled"},
		"recorded in both, with other names":       {someFacts(founded("ada", "bob"), made("ada"), recordedInStatus("bob")), "", "ada,bob", "True Reconciled"},
		"recorded in another order, with noise":    {someFacts(founded("ada", "bob"), made(",bob,,ada,")), "", "ada,bob", "True Reconciled"},
		"a record without names":                   {someFacts(founded(), made(",")), "", "", "True Reconciled"},
		"a name that the status cannot hold":       {someFacts(founded("ada"), made("ada,"+strings.Repeat("x", 64))), "", "ada", "True Reconciled"},
		"an existing Membership":                   {someFacts(founded("ada"), existing("ada")), "", "ada", "True Reconciled"},
		"an existing Membership with another form of the address": {
			someFacts(founded("ada"), existing("ada", func(m *accountsv1.Membership) { m.Spec.Email = "Ada@example.COM" })), "", "ada", "True Reconciled",
		},
		"an existing Membership of a guest": {
			someFacts(founded("ada", "bob"), existing("ada", guest)), "bob", "bob", nameTaken + "ada (role developer).",
		},
		"an existing Membership of another Organization": {
			someFacts(founded("ada"), existing("ada", func(m *accountsv1.Membership) { m.Spec.OrganizationRef.Name = "globex" })), "", "",
			nameTaken + "ada (another Organization).",
		},
		"an existing Membership of another person": {
			someFacts(founded("ada"), existing("ada", func(m *accountsv1.Membership) { m.Spec.Email = "eve@example.com" })), "", "",
			nameTaken + "ada (another address).",
		},
		"recorded, and the name belongs to a guest since": {
			someFacts(founded("ada"), made("ada"), existing("ada", guest)), "", "", "True Reconciled",
		},
		"a Membership that is being deleted": {
			someFacts(founded("ada", "bob"), existing("ada", deleting), existing("bob", guest, deleting)), "", "",
			"False FounderNameTaken: Memberships with the names of these founders are being deleted. Usher creates the founders afterwards: ada, bob.",
		},
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
			record := recordOf(&c.facts, plan)
			if got := foundedBy(t, plan); got != c.found || record != c.record {
				t.Errorf("it creates %q and records %q, not %q and %q", got, record, c.found, c.record)
			}
			if got := said(c.facts); got != c.ready {
				t.Errorf("it reports %q, not %q", got, c.ready)
			}
			if RecordFounders(c.facts.Organization, nil) {
				t.Error("afterwards, it writes the record again")
			}
			if c.record != "" || len(Report(c.facts).Founders) > 0 {
				eachPartIsEnough(t, c.facts)
			}
		})
	}
}

// recordOf returns the record that a plan writes; empty: none.
func recordOf(f *Facts, plan Plan) string {
	created := plan.RecordFounders
	for _, m := range plan.CreateFounders {
		created = append(created, accountsv1.CatalogueName(m.Name))
	}
	if !RecordFounders(f.Organization, created) {
		return ""
	}
	return f.Organization.Annotations[accountsv1.FoundersAnnotation]
}

// eachPartIsEnough checks that no founder is created again if one part of the record is lost.
func eachPartIsEnough(t *testing.T, f Facts) {
	t.Helper()
	org := f.Organization
	for part, left := range map[string]*accountsv1.Organization{
		"the annotation": {ObjectMeta: org.ObjectMeta}, "the status": {Status: Report(f)},
	} {
		left.Name, left.Spec, f.Organization = org.Name, org.Spec, left
		if again := foundedBy(t, Decide(f)); again != "" {
			t.Errorf("with %s alone, it creates %s again", part, again)
		}
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

func TestTheRecordOfFoundersIsBounded(t *testing.T) {
	f := someFacts(founded("zoe"))
	names := []string{"zoe"}
	for i := range 2 * mostFounders {
		names = append(names, fmt.Sprintf("former-%03d", i))
	}
	made(strings.Join(names, ","))(&f)
	if got := Report(f).Founders; len(got) != mostFounders || got[len(got)-1] != "zoe" {
		t.Errorf("%d names, the last of them %s", len(got), got[len(got)-1])
	}
	if !RecordFounders(f.Organization, nil) || RecordFounders(f.Organization, nil) {
		t.Error("the annotation is not shortened once")
	}
}
