// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// someFacts are those of an Organization that is in order.
func someFacts(changes ...func(*Facts)) Facts {
	f := Facts{
		Now: noon,
		Organization: &accountsv1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: "acme", Finalizers: []string{accountsv1.Finalizer}},
			Spec: accountsv1.OrganizationSpec{
				Namespace:   "acme",
				Resources:   []accountsv1.Resource{{Name: "staging"}},
				Permissions: []accountsv1.Permission{{Name: "deploy", ClusterRole: "edit"}, {Name: "look", ClusterRole: "view"}, {Name: "talk", Group: "chat"}},
				Roles:       []accountsv1.Role{{Name: "developer", Grants: []accountsv1.Grant{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}}}}},
			},
		},
		Namespace:    &corev1.Namespace{},
		ClusterRoles: map[string]ClusterRole{"edit": {true, true}, "view": {true, true}},
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

// TestEverySituation is the state table: what Usher does, and what it says.
func TestEverySituation(t *testing.T) {
	cases := map[string]struct {
		facts Facts
		plan  Plan
		ready string
	}{
		"in order": {someFacts(), Plan{}, "True Reconciled"},
		"new": {
			someFacts(func(f *Facts) { f.Organization.Finalizers, f.Namespace = nil, nil }),
			Plan{AddFinalizer: true, CreateNamespace: true},
			"True Reconciled",
		},
		"the home of an older one": {
			someFacts(func(f *Facts) { f.HomeTaken, f.Namespace = "first", nil }),
			Plan{},
			"False NamespaceTaken Stalled",
		},
		"its home is being deleted": {
			someFacts(func(f *Facts) { f.Namespace.DeletionTimestamp = &metav1.Time{Time: noon} }),
			Plan{},
			"False NamespaceTerminating Reconciling",
		},
		"an unknown permission": {
			someFacts(func(f *Facts) { f.Organization.Spec.Permissions = f.Organization.Spec.Permissions[1:] }),
			Plan{After: recheck},
			"False UnknownPermission Stalled",
		},
		"an unknown resource": {
			someFacts(func(f *Facts) { f.Organization.Spec.Resources = nil }),
			Plan{After: recheck},
			"False UnknownResource Stalled",
		},
		"a selector that cannot be read": {someFacts(func(f *Facts) {
			f.Organization.Spec.Resources[0].Namespaces.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Foo"}}}
		}), Plan{After: recheck}, "False InvalidSelector Stalled"},
		"a ClusterRole that does not exist": {
			someFacts(func(f *Facts) { delete(f.ClusterRoles, "view") }),
			Plan{After: recheck},
			"False ClusterRoleNotFound Stalled",
		},
		"a ClusterRole that may not be bound": {
			someFacts(func(f *Facts) { f.ClusterRoles["view"] = ClusterRole{Exists: true} }),
			Plan{After: recheck},
			"False BindForbidden Stalled",
		},
		"a domain that cannot be read": {
			someFacts(func(f *Facts) { f.Organization.Spec.AllowedDomains = []accountsv1.DomainName{"example.com", "example"} }),
			Plan{After: recheck},
			"False InvalidDomain Stalled",
		},
		"a denied domain that cannot be read": {
			someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"-.example"} }),
			Plan{After: recheck},
			"False InvalidDomain Stalled",
		},
		"domains in order": {
			someFacts(func(f *Facts) {
				f.Organization.Spec.AllowedDomains, f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.com", "bücher.example"}, []accountsv1.DomainName{"mail.example.com"}
			}),
			Plan{},
			"True Reconciled",
		},
		"mail settings that cannot be used": {
			someFacts(func(f *Facts) { f.Mail = MailFault{accountsv1.ReasonMailServerInvalid, "Put the password there."} }),
			Plan{},
			"False MailServerInvalid Stalled",
		},
		"mail settings that cannot be used, and a catalogue with a fault": {
			someFacts(func(f *Facts) {
				f.Mail, f.Organization.Spec.Resources = MailFault{accountsv1.ReasonTemplateInvalid, "Mend it."}, nil
			}),
			Plan{After: recheck},
			"False UnknownResource Stalled",
		},
		"mail that is held": {someFacts(func(f *Facts) { f.Held = 3 }), Plan{}, "True Reconciled MailHeld"},
		"going, and access is there": {someFacts(func(f *Facts) {
			f.Organization.DeletionTimestamp, f.BindingsLeft = &metav1.Time{Time: noon}, true
		}), Plan{}, "False Deleting Reconciling"},
		"going, and nothing is left": {
			someFacts(func(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} }),
			Plan{RemoveFinalizer: true},
			"False Deleting Reconciling",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.plan, Decide(c.facts)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			conditions := Report(c.facts).Conditions
			ready := meta.FindStatusCondition(conditions, "Ready")
			got := string(ready.Status) + " " + ready.Reason
			for _, extra := range []string{"Reconciling", "Stalled", "MailHeld"} {
				if meta.FindStatusCondition(conditions, extra) != nil {
					got += " " + extra
				}
			}
			if got != c.ready {
				t.Errorf("it says %q, not %q", got, c.ready)
			}
			c.facts.Organization.Status = Report(c.facts)
			if diff := cmp.Diff(c.facts.Organization.Status, Report(c.facts)); diff != "" {
				t.Errorf("a second look says something else: -first +second\n%s", diff)
			}
		})
	}
}

func TestEachConditionIsAboutOneThing(t *testing.T) {
	for name, c := range map[string]struct {
		facts Facts
		want  map[string]string
	}{
		"in order": {someFacts(), map[string]string{
			"NamespaceReady": "True Reconciled", "CatalogueValid": "True Reconciled", "MailValid": "True Reconciled", "MailHeld": "",
		}},
		"everything at once": {
			someFacts(func(f *Facts) {
				f.HomeTaken, f.Organization.Spec.Resources, f.Held = "first", nil, 2
				f.Mail = MailFault{accountsv1.ReasonChatInvalid, "Write the URL of a chat."}
			}),
			map[string]string{
				"NamespaceReady": "False NamespaceTaken", "CatalogueValid": "False UnknownResource", "MailValid": "False ChatInvalid", "MailHeld": "True MailHeld",
			},
		},
		"a domain": {someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"x"} }), map[string]string{
			"NamespaceReady": "True Reconciled", "CatalogueValid": "False InvalidDomain", "MailValid": "True Reconciled", "MailHeld": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{"MailHeld": ""}
			for _, condition := range Report(c.facts).Conditions {
				if _, asked := c.want[condition.Type]; asked {
					got[condition.Type] = string(condition.Status) + " " + condition.Reason
				}
				if condition.Message == "" {
					t.Errorf("%s says nothing", condition.Type)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTheMessageSaysHowManyAreHeldAndHowToLetThemGo(t *testing.T) {
	held := meta.FindStatusCondition(Report(someFacts(func(f *Facts) { f.Held = 12 })).Conditions, "MailHeld")
	if !strings.HasPrefix(held.Message, "12 people ") || !strings.Contains(held.Message, accountsv1.ReleaseMailAnnotation) {
		t.Errorf("it says: %s", held.Message)
	}
}

func TestSeatsGoIntoTheStatusAsTheyAre(t *testing.T) {
	taken := int32(1)
	seats := accountsv1.SeatsStatus{Taken: &taken, Holders: []accountsv1.SeatHolder{{Name: "jane", InvitationUID: "i1", Attempt: 2}}}
	for name, change := range map[string]func(*Facts){
		"in order": func(*Facts) {}, "going": func(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} },
		"with a fault": func(f *Facts) { f.Organization.Spec.Resources = nil },
	} {
		f := someFacts(change, func(f *Facts) { f.Seats = seats })
		if diff := cmp.Diff(seats, Report(f).Seats); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	before := someFacts(func(f *Facts) { f.Organization.Status.Seats = seats })
	if got := Report(before).Seats; got.Taken != nil || got.Holders != nil {
		t.Errorf("seats stay that are no more: %+v", got)
	}
}

func TestTheOldestHoldsTheHome(t *testing.T) {
	org := func(name string, age time.Duration) accountsv1.Organization {
		return accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
	}
	for name, c := range map[string]struct {
		orgs []accountsv1.Organization
		want string
	}{
		"none":         {nil, ""},
		"the oldest":   {[]accountsv1.Organization{org("b", time.Hour), org("a", time.Minute)}, "b"},
		"of equal age": {[]accountsv1.Organization{org("b", time.Hour), org("a", time.Hour)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := HomeHolder(c.orgs); got != c.want {
				t.Errorf("%q holds it, not %q", got, c.want)
			}
		})
	}
}

func TestAMessageNamesAFewAndCountsTheRest(t *testing.T) {
	names := []string{"l", "k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a", "a"}
	if got, want := list(names), "a, b, c, d, e, f, g, h, i, j and 2 more"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
