// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/guard"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// someFacts returns the facts of a valid Organization.
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
		ClusterRoles: map[string]grant.ClusterRole{"edit": {Exists: true, Bindable: true}, "view": {Exists: true, Bindable: true}},
	}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func policiesMissing(f *Facts) { f.Guard.Missing = []string{"usher-assign", "usher-records"} }

func rollingOut(f *Facts) {
	updated := int32(4)
	f.Rollout = accountsv1.RolloutStatus{Members: 10, Updated: &updated}
}

func labelled(name, key, value string) corev1.Namespace {
	return corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{key: value}}}
}

// withoutLabel selects the namespaces that do not have a label.
func withoutLabel(key string) accountsv1.ResourceNamespaces {
	return accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist}},
	}}
}

// A selector can cover more than its author believes, so the status shows it.
func TestWhatSelectorsCover(t *testing.T) {
	f := someFacts(func(f *Facts) {
		f.Own = "usher-system"
		f.Organization.Spec.Resources = []accountsv1.Resource{
			{Name: "all", Namespaces: withoutLabel("none")},
			{Name: "staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"staging"}}},
			{Name: "nothing", Namespaces: withoutLabel("team")},
		}
		for _, name := range []string{"usher-system", "kube-system", "flux-system", "default", "acme"} {
			f.Namespaces = append(f.Namespaces, labelled(name, "team", "any"))
		}
		f.Namespaces = append(f.Namespaces, labelled("closed", accountsv1.GrantsLabel, ""))
		going := labelled("going", "team", "any")
		going.DeletionTimestamp = &metav1.Time{Time: noon}
		f.Namespaces = append(f.Namespaces, going)
	})
	three, none := int32(3), int32(0)
	want := []accountsv1.ResourceStatus{
		{Name: "all", Covered: &three, Namespaces: []accountsv1.NamespaceName{"acme", "default", "flux-system"}},
		{Name: "nothing", Covered: &none},
	}
	if diff := cmp.Diff(want, Report(f).Resources); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for i := range 100 {
		f.Namespaces = append(f.Namespaces, labelled(fmt.Sprintf("n%03d", 99-i), "team", "any"))
	}
	got := Report(f).Resources[0]
	if *got.Covered != 103 || len(got.Namespaces) != 20 || got.Namespaces[19] != "n016" {
		t.Errorf("it covers %d, and lists %v", *got.Covered, got.Namespaces)
	}
}

// TestEverySituation is the state table: it lists what Usher does and reports.
func TestEverySituation(t *testing.T) {
	cases := map[string]struct {
		facts Facts
		plan  Plan
		ready string
	}{
		"everything is valid": {someFacts(), Plan{After: recheck}, "True Reconciled"},
		"new": {
			someFacts(func(f *Facts) { f.Organization.Finalizers, f.Namespace = nil, nil }),
			Plan{AddFinalizer: true, CreateNamespace: true, After: recheck},
			"True Reconciled",
		},
		"the home namespace of an older Organization": {
			someFacts(func(f *Facts) { f.HomeTaken, f.Namespace = "first", nil }),
			Plan{After: recheck},
			"False NamespaceTaken Stalled",
		},
		"its home namespace is being deleted": {
			someFacts(func(f *Facts) { f.Namespace.DeletionTimestamp = &metav1.Time{Time: noon} }),
			Plan{After: recheck},
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
		"an invalid selector": {someFacts(func(f *Facts) {
			f.Organization.Spec.Resources[0].Namespaces.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Foo"}}}
		}), Plan{After: recheck}, "False InvalidSelector Stalled"},
		"a system namespace": {someFacts(func(f *Facts) {
			f.Own, f.Organization.Spec.Resources[0].Namespaces.Names = "usher-system", []accountsv1.NamespaceName{"acme", "usher-system"}
		}), Plan{After: recheck}, "False SystemNamespace Stalled"},
		"a namespace that a label excludes": {someFacts(func(f *Facts) {
			f.Organization.Spec.Resources[0].Namespaces.Names = []accountsv1.NamespaceName{"acme", "flux-system"}
			f.Namespaces = []corev1.Namespace{labelled("flux-system", accountsv1.GrantsLabel, accountsv1.GrantsNever), labelled("acme", "team", "acme")}
		}), Plan{After: recheck}, "False NamespaceExcluded Stalled"},
		"a selector that covers a namespace that a label excludes": {someFacts(func(f *Facts) {
			f.Organization.Spec.Resources[0].Namespaces = withoutLabel("none")
			f.Namespaces = []corev1.Namespace{labelled("flux-system", accountsv1.GrantsLabel, accountsv1.GrantsNever)}
		}), Plan{After: recheck}, "True Reconciled"},
		"a ClusterRole that does not exist": {
			someFacts(func(f *Facts) { delete(f.ClusterRoles, "view") }),
			Plan{After: recheck},
			"False ClusterRoleNotFound Stalled",
		},
		"a ClusterRole that Usher is not allowed to bind": {
			someFacts(func(f *Facts) { f.ClusterRoles["view"] = grant.ClusterRole{Exists: true} }),
			Plan{After: recheck},
			"False BindForbidden Stalled",
		},
		"an invalid domain": {
			someFacts(func(f *Facts) { f.Organization.Spec.AllowedDomains = []accountsv1.DomainName{"example.com", "example"} }),
			Plan{After: recheck},
			"False InvalidDomain Stalled",
		},
		"an invalid denied domain": {
			someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"-.example"} }),
			Plan{After: recheck},
			"False InvalidDomain Stalled",
		},
		"valid domains": {
			someFacts(func(f *Facts) {
				f.Organization.Spec.AllowedDomains, f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"example.com", "bücher.example"}, []accountsv1.DomainName{"mail.example.com"}
			}),
			Plan{After: recheck},
			"True Reconciled",
		},
		"invalid mail settings": {
			someFacts(func(f *Facts) { f.Mail = MailFault{accountsv1.ReasonMailServerInvalid, "Put the password there."} }),
			Plan{After: recheck},
			"False MailServerInvalid Stalled",
		},
		"invalid mail settings, and an invalid catalogue": {
			someFacts(func(f *Facts) {
				f.Mail, f.Organization.Spec.Resources = MailFault{accountsv1.ReasonTemplateInvalid, "Fix it."}, nil
			}),
			Plan{After: recheck},
			"False UnknownResource Stalled",
		},
		"invitations that wait for the quota": {someFacts(func(f *Facts) { f.QuotaReached = true }), Plan{After: recheck}, "True Reconciled QuotaReached"},
		"mail that is held":                   {someFacts(func(f *Facts) { f.MailHeld = 3 }), Plan{After: recheck}, "True Reconciled MailHeld"},
		"a ClusterRole that is too powerful": {
			someFacts(func(f *Facts) {
				f.ClusterRoles["edit"] = grant.ClusterRole{Exists: true, Bindable: true, Excess: "escalate on clusterroles"}
			}),
			Plan{After: recheck},
			"False ClusterRoleTooPowerful Stalled",
		},
		"a ClusterRole that is too powerful, and one that is not bindable": {
			someFacts(func(f *Facts) {
				f.ClusterRoles["edit"] = grant.ClusterRole{Exists: true, Bindable: true, Excess: "escalate on clusterroles"}
				f.ClusterRoles["view"] = grant.ClusterRole{Exists: true}
			}),
			Plan{After: recheck},
			"False BindForbidden Stalled",
		},
		"default grants of an unknown permission": {
			someFacts(func(f *Facts) {
				f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "fly", Resources: []accountsv1.CatalogueName{"staging"}}}
			}),
			Plan{After: recheck},
			"False UnknownPermission Stalled",
		},
		"default grants on an unknown resource": {
			someFacts(func(f *Facts) {
				f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "look", Resources: []accountsv1.CatalogueName{"moon"}}}
			}),
			Plan{After: recheck},
			"False UnknownResource Stalled",
		},
		"missing policies": {someFacts(policiesMissing), Plan{After: guard.SettleTime}, "False PoliciesMissing Stalled"},
		"missing policies, and an invalid catalogue": {
			someFacts(policiesMissing, func(f *Facts) { f.Organization.Spec.Resources = nil }),
			Plan{After: guard.SettleTime},
			"False UnknownResource Stalled",
		},
		"missing policies, and invalid mail settings": {
			someFacts(policiesMissing, func(f *Facts) { f.Mail = MailFault{accountsv1.ReasonMailServerInvalid, "Fix it."} }),
			Plan{After: guard.SettleTime},
			"False PoliciesMissing Stalled",
		},
		"missing policies, and an empty catalogue": {
			someFacts(policiesMissing, func(f *Facts) {
				f.ClusterRoles = nil
				f.Organization.Spec.Permissions = nil
				f.Organization.Spec.Roles = nil
			}),
			Plan{After: guard.SettleTime},
			"False PoliciesMissing Stalled",
		},
		"a rollout": {someFacts(rollingOut), Plan{After: recount}, "False RollingOut Reconciling"},
		"a rollout, while policies are missing": {
			someFacts(rollingOut, policiesMissing), Plan{After: recount}, "False PoliciesMissing Stalled",
		},
		"a rollout, and an invalid catalogue": {
			someFacts(rollingOut, func(f *Facts) { f.Organization.Spec.Resources = nil }),
			Plan{After: recount},
			"False UnknownResource Stalled",
		},
		"nothing to check again": {
			someFacts(func(f *Facts) {
				f.ClusterRoles = nil
				f.Organization.Spec.Permissions = nil
				f.Organization.Spec.Roles = nil
			}),
			Plan{},
			"True Reconciled",
		},
		"being deleted, during a rollout and with missing policies": {
			someFacts(rollingOut, policiesMissing, func(f *Facts) { f.Organization.DeletionTimestamp, f.BindingsLeft = &metav1.Time{Time: noon}, true }),
			Plan{},
			"False Deleting Reconciling",
		},
		"being deleted, and access exists": {someFacts(func(f *Facts) {
			f.Organization.DeletionTimestamp, f.BindingsLeft = &metav1.Time{Time: noon}, true
		}), Plan{}, "False Deleting Reconciling"},
		"being deleted, and nothing is left": {
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
			for _, extra := range []string{"Reconciling", "Stalled", "MailHeld", "QuotaReached"} {
				if meta.FindStatusCondition(conditions, extra) != nil {
					got += " " + extra
				}
			}
			if got != c.ready {
				t.Errorf("it reports %q, not %q", got, c.ready)
			}
			c.facts.Organization.Status = Report(c.facts)
			if diff := cmp.Diff(c.facts.Organization.Status, Report(c.facts)); diff != "" {
				t.Errorf("a second reconciliation reports something else: -first +second\n%s", diff)
			}
		})
	}
}

func TestEachConditionIsAboutOneThing(t *testing.T) {
	for name, c := range map[string]struct {
		facts Facts
		want  map[string]string
	}{
		"everything is valid": {someFacts(), map[string]string{
			"NamespaceReady": "True Reconciled", "CatalogueValid": "True Reconciled", "PoliciesInForce": "True Reconciled", "MailValid": "True Reconciled", "MailHeld": "",
		}},
		"policies": {someFacts(policiesMissing), map[string]string{
			"NamespaceReady": "True Reconciled", "CatalogueValid": "True Reconciled", "PoliciesInForce": "False PoliciesMissing", "MailValid": "True Reconciled", "MailHeld": "",
		}},
		"everything at once": {
			someFacts(policiesMissing, rollingOut, func(f *Facts) {
				f.HomeTaken, f.Organization.Spec.Resources, f.MailHeld = "first", nil, 2
				f.Mail = MailFault{accountsv1.ReasonChatInvalid, "Write the URL of a chat."}
			}),
			map[string]string{
				"NamespaceReady": "False NamespaceTaken", "CatalogueValid": "False UnknownResource", "PoliciesInForce": "False PoliciesMissing",
				"MailValid": "False ChatInvalid", "MailHeld": "True MailHeld",
			},
		},
		"a domain": {someFacts(func(f *Facts) { f.Organization.Spec.DeniedDomains = []accountsv1.DomainName{"x"} }), map[string]string{
			"NamespaceReady": "True Reconciled", "CatalogueValid": "False InvalidDomain", "PoliciesInForce": "True Reconciled", "MailValid": "True Reconciled", "MailHeld": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{"MailHeld": ""}
			for _, condition := range Report(c.facts).Conditions {
				if _, asked := c.want[condition.Type]; asked {
					got[condition.Type] = string(condition.Status) + " " + condition.Reason
				}
				if condition.Message == "" {
					t.Errorf("%s has no message", condition.Type)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestMailHeldMessage(t *testing.T) {
	held := meta.FindStatusCondition(Report(someFacts(func(f *Facts) { f.MailHeld = 12 })).Conditions, "MailHeld")
	if !strings.HasPrefix(held.Message, "12 people ") || !strings.Contains(held.Message, accountsv1.ReleaseMailAnnotation) {
		t.Errorf("the message is: %s", held.Message)
	}
}

func TestSeatsGoIntoTheStatusAsTheyAre(t *testing.T) {
	taken := int32(1)
	seats := accountsv1.SeatsStatus{Taken: &taken, Holders: []accountsv1.SeatHolder{{Name: "jane", InvitationUID: "i1", Attempt: 2}}}
	for name, change := range map[string]func(*Facts){
		"valid": func(*Facts) {}, "going": func(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} },
		"invalid": func(f *Facts) { f.Organization.Spec.Resources = nil },
	} {
		f := someFacts(change, func(f *Facts) { f.Seats = seats })
		if diff := cmp.Diff(seats, Report(f).Seats); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	before := someFacts(func(f *Facts) { f.Organization.Status.Seats = seats })
	if got := Report(before).Seats; got.Taken != nil || got.Holders != nil {
		t.Errorf("deleted seats stay: %+v", got)
	}
}

func TestOwnersAndRolloutGoIntoTheStatusAsTheyAre(t *testing.T) {
	f := someFacts(rollingOut, func(f *Facts) { f.Owners = []accountsv1.OwnerStatus{{Name: "ada", Role: "owner"}} })
	status := Report(f)
	if diff := cmp.Diff(f.Owners, status.Owners); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(f.Rollout, status.Rollout); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	f = someFacts(func(f *Facts) { f.Organization.Status = status })
	if again := Report(f); again.Owners != nil || again.Rollout.Members != 0 {
		t.Errorf("completed state stays: %+v", again)
	}
}

func TestMessagesNameTheFaultAndTheFix(t *testing.T) {
	tooMuch := func(f *Facts) {
		f.ClusterRoles["edit"] = grant.ClusterRole{Exists: true, Bindable: true, Excess: "escalate on clusterroles"}
	}
	for name, c := range map[string]struct {
		facts     Facts
		condition string
		parts     []string
	}{
		"policies":      {someFacts(policiesMissing), "PoliciesInForce", []string{"Apply config/policy", "usher-assign, usher-records"}},
		"a ClusterRole": {someFacts(tooMuch), "CatalogueValid", []string{"Remove from these ClusterRoles", "edit (escalate on clusterroles)"}},
		"a namespace": {someFacts(func(f *Facts) {
			f.Own, f.Organization.Spec.Resources[0].Namespaces.Names = "usher-system", []accountsv1.NamespaceName{"acme", "kube-system", "usher-system"}
		}), "CatalogueValid", []string{"from these resources: kube-system (staging), usher-system (staging)."}},
		"a default grant": {someFacts(func(f *Facts) {
			f.Organization.Spec.DefaultGrants = []accountsv1.Grant{{Permission: "look", Resources: []accountsv1.CatalogueName{"moon"}}}
		}), "CatalogueValid", []string{"Declare these granted resources in spec.resources", "moon (default grants)"}},
	} {
		t.Run(name, func(t *testing.T) {
			missing := slices.Clone(c.facts.Guard.Missing)
			got := meta.FindStatusCondition(Report(c.facts).Conditions, c.condition)
			for _, part := range c.parts {
				if !strings.Contains(got.Message, part) {
					t.Errorf("%q is not in: %s", part, got.Message)
				}
			}
			if diff := cmp.Diff(missing, c.facts.Guard.Missing); diff != "" {
				t.Errorf("Report has changed the facts: -before +after\n%s", diff)
			}
		})
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
			if got := NamespaceOwner(c.orgs); got != c.want {
				t.Errorf("%q holds it, not %q", got, c.want)
			}
		})
	}
}

func TestAMessageNamesAFewAndCountsTheRest(t *testing.T) {
	names := []string{"l", "k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a", "a"}
	if got, want := joinNames(names), "a, b, c, d, e, f, g, h, i, j and 2 more"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
