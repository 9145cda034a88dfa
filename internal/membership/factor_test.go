// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const week = 7 * 24 * time.Hour

func factorRequired(f *Facts) {
	f.Organization.Spec.SignIn.TwoFactor = accountsv1.TwoFactorRequired
}

func enrols(f *Facts) { f.Account.Status.TwoFactor = accountsv1.TwoFactorEnrolled }

// wasMember and wasInvited set the Membership's state at the last reconciliation.
func wasMember(f *Facts) {
	set(f, metav1.Condition{Type: "Active", Status: "True", Reason: "Accepted"})
	f.Membership.Status.AccountRef.Name = accountsv1.AccountName(f.Account.Name)
}

func wasInvited(f *Facts) {
	set(f, metav1.Condition{Type: "Active", Status: "False", Reason: "NotAccepted"})
}

// missedSince sets since when the second factor has been missed.
func missedSince(ago time.Duration, reason string) func(*Facts) {
	return func(f *Facts) {
		set(f, metav1.Condition{Type: "TwoFactorMissing", Status: "True", Reason: reason, LastTransitionTime: metav1.NewTime(f.Now.Add(-ago))})
	}
}

func set(f *Facts, c metav1.Condition) {
	meta.SetStatusCondition(&f.Membership.Status.Conditions, c)
}

func TestWhenASecondFactorIsMissing(t *testing.T) {
	held := heldBy("jane", "jane@example.com")
	within := func(s int32) func(*Facts) {
		return func(f *Facts) { f.Organization.Spec.SignIn.TwoFactorGraceSeconds = s }
	}
	for name, c := range map[string]struct {
		facts  Facts
		reason string
		after  time.Duration
	}{
		"the Organization sets no rule":                  {someFacts(held, wasMember), "", 0},
		"it is optional":                                 {someFacts(held, wasMember, func(f *Facts) { f.Organization.Spec.SignIn.TwoFactor = "Optional" }), "", 0},
		"no Account holds the Membership":                {someFacts(factorRequired), "", 0},
		"the person has one":                             {someFacts(held, wasMember, factorRequired, enrols), "", 0},
		"the person has one, after a long time without":  {someFacts(held, wasMember, factorRequired, missedSince(2*week, "TwoFactorRequired"), enrols), "", 0},
		"the status was lost, but the annotation has it": {someFacts(held, wasMember, factorRequired, recorded("Enrolled")), "", 0},
		"the annotation does not have it either":         {someFacts(held, wasMember, factorRequired, recorded("NotEnrolled")), "GracePeriod", week},
		"the status has none, but the annotation has one": {
			someFacts(held, wasMember, factorRequired, recorded("Enrolled"), func(f *Facts) { f.Account.Status.TwoFactor = "NotEnrolled" }),
			"GracePeriod", week,
		},
		"a member, from now on":                            {someFacts(held, wasMember, factorRequired), "GracePeriod", week},
		"a member, in the last second of the grace period": {someFacts(held, wasMember, factorRequired, missedSince(week-time.Second, "GracePeriod")), "GracePeriod", time.Second},
		"a member, in the second after the grace period":   {someFacts(held, wasMember, factorRequired, missedSince(week, "GracePeriod")), "TwoFactorRequired", 0},
		"a shorter grace period":                           {someFacts(held, wasMember, factorRequired, within(60)), "GracePeriod", time.Minute},
		"the grace period was shortened":                   {someFacts(held, wasMember, factorRequired, within(60), missedSince(time.Minute, "GracePeriod")), "TwoFactorRequired", 0},
		"the grace period was lengthened in time":          {someFacts(held, wasMember, factorRequired, within(2*604800), missedSince(week, "GracePeriod")), "GracePeriod", week},
		"the grace period was lengthened after access had ended": {
			someFacts(held, wasMember, factorRequired, within(2*604800), missedSince(week, "TwoFactorRequired")), "TwoFactorRequired", 0,
		},
		"a new member": {someFacts(held, wasInvited, factorRequired), "TwoFactorRequired", 0},
		"a new member, at the second reconciliation": {someFacts(held, wasMember, factorRequired, missedSince(0, "TwoFactorRequired")), "TwoFactorRequired", 0},
		"a new member by a manually applied Invitation": {
			someFacts(held, statusLost, factorRequired, func(f *Facts) { f.Membership.Finalizers = nil }), "TwoFactorRequired", 0,
		},
		"a new member by a manually applied Invitation, after a failed first reconciliation": {
			someFacts(held, statusLost, lookFailed, factorRequired, func(f *Facts) { f.Membership.Finalizers = nil }), "TwoFactorRequired", 0,
		},
		"a member whose status was lost": {someFacts(held, statusLost, factorRequired), "GracePeriod", week},
		"a member who had no access for another reason": {
			someFacts(held, wasMember, factorRequired, func(f *Facts) { set(f, metav1.Condition{Type: "Active", Status: "False", Reason: "SeatsExhausted"}) }),
			"GracePeriod", week,
		},
		"a member whose Account is disabled, within the grace period": {
			someFacts(held, wasMember, factorRequired, switchedOff, missedSince(time.Hour, "GracePeriod")), "GracePeriod", week - time.Hour,
		},
		"a member, and the Organization was deleted": {
			someFacts(held, wasMember, missedSince(2*week, "GracePeriod"), func(f *Facts) { f.Organization = nil }), "GracePeriod", 0,
		},
		"a member, and the Organization is being deleted": {
			someFacts(held, wasMember, factorRequired, missedSince(2*week, "GracePeriod"), func(f *Facts) { f.Organization.DeletionTimestamp = &metav1.Time{Time: noon} }),
			"GracePeriod", 0,
		},
		"a member, and the Membership is being deleted": {someFacts(held, wasMember, factorRequired, missedSince(0, "GracePeriod"), going), "", 0},
		"too late, and the Organization was deleted": {
			someFacts(held, wasMember, missedSince(week, "TwoFactorRequired"), func(f *Facts) { f.Organization = nil }), "TwoFactorRequired", 0,
		},
		"a member without the requirement, and the Organization was deleted": {someFacts(held, wasMember, func(f *Facts) { f.Organization = nil }), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			status := Report(c.facts)
			missing := meta.FindStatusCondition(status.Conditions, "TwoFactorMissing")
			if c.reason == "" {
				if missing != nil {
					t.Errorf("got %+v", missing)
				}
			} else if missing == nil || missing.Status != "True" || missing.Reason != c.reason || !strings.Contains(missing.Message, "sets up a second factor") {
				t.Errorf("the message is %+v, not %s", missing, c.reason)
			}
			if got := Decide(c.facts).After; got != c.after {
				t.Errorf("the next reconciliation is after %s, not %s", got, c.after)
			}
		})
	}
}

func recorded(value string) func(*Facts) {
	return func(f *Facts) { f.Account.Annotations[accountsv1.TwoFactorAnnotation] = value }
}

func TestWithoutTheSecondFactorEveryGrantIsWithheld(t *testing.T) {
	f := someFacts(heldBy("jane", "jane@example.com"), wasInvited, factorRequired, func(f *Facts) {
		spec := &f.Organization.Spec
		spec.Permissions = append(spec.Permissions, accountsv1.Permission{Name: "dashboards", Group: "grafana"})
		spec.Roles[0].Grants = append(spec.Roles[0].Grants,
			accountsv1.Grant{Permission: "dashboards", Resources: []accountsv1.CatalogueName{"staging"}},
			accountsv1.Grant{Permission: "fly", Resources: []accountsv1.CatalogueName{"staging"}})
		f.Membership.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: "Deny", Permission: "deplyo", Resources: []accountsv1.CatalogueName{"staging"}}}
	})
	status := Report(f)
	var got []string
	for _, g := range status.Grants {
		got = append(got, fmt.Sprintf("%s %s %s%s%v", g.Permission, g.State, g.Reason, g.Group, g.Namespaces))
	}
	want := []string{
		"dashboards Withheld TwoFactorRequiredgrafana[]", "deploy Withheld TwoFactorRequired[]", "fly Withheld TwoFactorRequired[]",
		"deplyo Withheld PermissionNotFound[]", // removes nothing, with or without a second factor
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if applied := shown(status.Conditions, "PermissionsApplied"); applied != "False TwoFactorRequired" {
		t.Errorf("PermissionsApplied is %s", applied)
	}
	if status.AccountRef.Name != "jane" {
		t.Error("the Account is missing in the status")
	}
}

// member is a Membership over time, with everything that concerns the second factor.
type member struct {
	Facts
	org *accountsv1.Organization
	// belongs reports that the person was a member at the last reconciliation.
	belongs bool
	// missed is since when the second factor has been missed; zero: it has not.
	missed time.Time
	// ended reports that access has ended since.
	ended bool
}

func newMember() *member {
	m := &member{Facts: someFacts(heldBy("jane", "jane@example.com"), statusLost)}
	m.Membership.Finalizers, m.org = nil, m.Organization
	m.takeRecord()
	return m
}

func (m *member) takeRecord() { m.Account.Annotations[accountsv1.MembershipsAnnotation] = "" }

// look is one reconciliation by the controller. It reports whether the person has
// access afterwards.
func (m *member) look() (access bool) {
	m.expect()
	plan := Decide(m.Facts)
	m.Membership.Status = Report(m.Facts)
	if plan.AddFinalizer {
		m.Membership.Finalizers = []string{accountsv1.Finalizer}
		m.Membership.Status = Report(m.Facts)
	}
	return len(plan.Apply) > 0 // nothing was ever there before
}

// expect follows the rules that the documentation of Membership states.
func (m *member) expect() {
	holds := m.account() != nil
	switch {
	case !holds:
		m.missed, m.ended = time.Time{}, false
	case m.Organization == nil:
	case m.org.Spec.SignIn.TwoFactor != "Required" || m.Account.Status.TwoFactor == "Enrolled":
		m.missed, m.ended = time.Time{}, false
	default:
		if m.missed.IsZero() {
			m.missed, m.ended = m.Now, !m.belongs
		}
		m.ended = m.ended || m.Now.Sub(m.missed) >= Grace(m.org)
	}
	m.belongs = holds
}

func (m *member) mayHaveAccess() bool {
	return m.belongs && !m.ended && m.Organization != nil && m.Account.Spec.State != "Disabled"
}

// pass lets time pass, with a reconciliation whenever one was planned.
func (m *member) pass(t *rapid.T, long time.Duration) {
	end := m.Now.Add(long)
	for {
		after := Decide(m.Facts).After
		if after < 0 {
			t.Fatalf("the next reconciliation is after %s", after)
		}
		if after == 0 || m.Now.Add(after).After(end) {
			break
		}
		m.Now = m.Now.Add(after)
		m.check(t)
	}
	before := m.situation()
	m.Now = end
	if m.situation() != before {
		t.Fatalf("it moved from situation %d to %d without a reconciliation", before, m.situation())
	}
}

func (m *member) check(t *rapid.T) {
	if access, may := m.look(), m.mayHaveAccess(); access != may {
		t.Fatalf("access is %t, and must be %t: missed since %s at %s, ended %t", access, may, m.missed, m.Now, m.ended)
	}
	said := m.Membership.Status
	if diff := cmp.Diff(said, Report(m.Facts)); diff != "" {
		t.Fatalf("a second reconciliation reports something else: -first +second\n%s", diff)
	}
}

func TestNobodyKeepsAccessWithoutTheSecondFactor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMember()
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				m.pass(t, time.Duration(rapid.SampledFrom([]int{1, 59, 60, 3600, 604799, 604800}).Draw(t, "seconds"))*time.Second)
			},
			"a second factor is required, or not": func(t *rapid.T) {
				m.org.Spec.SignIn.TwoFactor = rapid.SampledFrom([]accountsv1.TwoFactorRule{"", "Optional", "Required", "Required"}).Draw(t, "rule")
			},
			"the grace period changes": func(t *rapid.T) {
				m.org.Spec.SignIn.TwoFactorGraceSeconds = rapid.SampledFrom([]int32{0, 60, 7776000}).Draw(t, "grace")
			},
			"the person sets up a second factor, or removes it": func(t *rapid.T) {
				m.Account.Status.TwoFactor = rapid.SampledFrom([]accountsv1.TwoFactor{"", "Enrolled", "NotEnrolled"}).Draw(t, "second factor")
			},
			"the person joins":  func(*rapid.T) { m.Account.Annotations[accountsv1.MembershipsAnnotation] = "acme/jane" },
			"the person leaves": func(*rapid.T) { m.takeRecord() },
			"the Account is enabled or disabled": func(t *rapid.T) {
				m.Account.Spec.State = rapid.SampledFrom([]accountsv1.AccountSwitch{"", "Active", "Disabled"}).Draw(t, "state")
			},
			"the Organization is deleted, or restored": func(t *rapid.T) {
				m.Organization = rapid.SampledFrom([]*accountsv1.Organization{nil, m.org}).Draw(t, "Organization")
			},
			"its status is lost": func(*rapid.T) {
				if m.belongs {
					m.Membership.Status, m.missed, m.ended = accountsv1.MembershipStatus{}, time.Time{}, false
				}
			},
			"": m.check,
		})
	})
}
