// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/membership"
)

// janes returns the facts about the Account of Jane, a developer of Acme.
func janes(changes ...func(*Facts)) Facts {
	f := someFacts(record("acme/jane"))
	f.Account.Annotations[accountsv1.EmailVerifiedAnnotation] = "2026-10-21T12:00:00Z"
	f.Account.UID, f.Account.CreationTimestamp = someUID, metav1.NewTime(noon.AddDate(0, -1, 0))
	f.Belongings = []Belonging{memberOf("acme", "developer")}
	f.ClaimOwner, f.SendDeadline, f.MailDomain = "usher-1", time.Minute, "example.com"
	for _, change := range changes {
		change(&f)
	}
	return f
}

// memberOf returns Jane's Membership of an Organization in which bosses are owners.
func memberOf(organization string, role accountsv1.CatalogueName) Belonging {
	return Belonging{
		Membership: &accountsv1.Membership{
			ObjectMeta: metav1.ObjectMeta{Namespace: organization, Name: "jane"},
			Spec: accountsv1.MembershipSpec{
				OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(organization)}, Email: "jane@example.com", Role: role,
			},
		},
		Organization: &accountsv1.Organization{
			ObjectMeta: metav1.ObjectMeta{Name: organization},
			Spec: accountsv1.OrganizationSpec{
				Namespace: accountsv1.NamespaceName(organization),
				Roles:     []accountsv1.Role{{Name: "developer"}, {Name: "boss", Standing: accountsv1.StandingOwner}},
			},
		},
	}
}

// belongsTo adds more Memberships to Jane.
func belongsTo(more ...Belonging) func(*Facts) {
	return func(f *Facts) {
		held := f.heldMemberships()
		for _, b := range more {
			held = append(held, membership.RecordEntry{NamespacedName: types.NamespacedName{Namespace: b.Membership.Namespace, Name: b.Membership.Name}})
		}
		record(membership.FormatRecord(held))(f)
		f.Belongings = append(f.Belongings, more...)
	}
}

// ago returns a time before noon, in the form that a status keeps.
func ago(d time.Duration) *metav1.Time {
	t := metav1.NewTime(noon.Add(-d))
	return &t
}

// failed sets the number of wrong passwords in a row, and how long ago the last one was.
func failed(times int32, d time.Duration) func(*Facts) {
	return func(f *Facts) { f.Account.Status.SignIn.Failures, f.Account.Status.SignIn.FailureTime = times, ago(d) }
}

func disabled(f *Facts) { f.Account.Spec.State = accountsv1.AccountSwitchDisabled }

func twoFactor(status accountsv1.TwoFactor, annotation string) func(*Facts) {
	return func(f *Facts) {
		f.Account.Status.TwoFactor = status
		annotate(f.Account, accountsv1.TwoFactorAnnotation, annotation)
	}
}

// retained makes Organizations list the Memberships as those of owners.
func retained(namespaces ...string) func(*Facts) {
	return func(f *Facts) {
		for _, n := range namespaces {
			f.Retained = append(f.Retained, types.NamespacedName{Namespace: n, Name: "jane"})
		}
	}
}

func leaving(namespaces ...accountsv1.NamespaceName) func(*Facts) {
	return func(f *Facts) {
		for _, n := range namespaces {
			f.Account.Status.Leaving = append(f.Account.Status.Leaving, accountsv1.MembershipReference{Namespace: n, Name: "jane"})
		}
	}
}

func annotate(o metav1.Object, annotation, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotation] = value
	o.SetAnnotations(annotations)
}

// asked adds a request by annotation to the Account, made d ago.
func asked(annotation string, d time.Duration) func(*Facts) {
	return func(f *Facts) { annotate(f.Account, annotation, noon.Add(-d).Format(time.RFC3339Nano)) }
}

// askedOf adds one to the nth Membership.
func askedOf(n int, annotation string, d time.Duration) func(*Facts) {
	return func(f *Facts) {
		annotate(f.Belongings[n].Membership, annotation, noon.Add(-d).Format(time.RFC3339Nano))
	}
}

// said returns the conditions of a status that differ from the usual ones.
func said(conditions []metav1.Condition) string {
	everyDay := []string{"+Ready/Reconciled", "+Active/Accepted", "-Locked/NotLocked", "-TwoFactorEnrolled/NotEnrolled", "+EmailVerified/Verified"}
	var all []string
	for _, c := range conditions {
		sign := map[metav1.ConditionStatus]string{metav1.ConditionTrue: "+", metav1.ConditionFalse: "-"}[c.Status]
		if word := sign + c.Type + "/" + c.Reason; !slices.Contains(everyDay, word) {
			all = append(all, word)
		}
	}
	return strings.Join(all, " ")
}

// TestEverySituationOfAnAcceptedAccount is the other half of the state table: what Usher
// does and reports about an accepted Account.
func TestEverySituationOfAnAcceptedAccount(t *testing.T) {
	const reset, unlock = accountsv1.ResetAnnotation, accountsv1.UnlockAnnotation
	globex, globexBoss := memberOf("globex", "developer"), memberOf("globex", "boss")
	cases := map[string]struct {
		facts             Facts
		plan, state, says string
	}{
		"the usual state": {janes(), "wait", "Active", ""},

		"one password too few to lock it":          {janes(failed(4, time.Minute)), "wait", "Active", ""},
		"the last password may be right":           {janes(failed(5, time.Second)), "wait 9s", "Active", ""},
		"locked":                                   {janes(failed(5, 10*time.Second)), "claim locked-1795262390 1", "Locked", "+Locked/TooManyFailures"},
		"locked, and the mail was sent":            {janes(failed(5, time.Minute), told("locked", time.Minute)), "wait 14m0s", "Locked", "+Locked/TooManyFailures"},
		"the lock has ended":                       {janes(failed(5, 15*time.Minute), told("locked", 15*time.Minute)), "wait", "Active", ""},
		"the lock has ended, and no mail was sent": {janes(failed(5, 15*time.Minute)), "claim locked-1795261500 1", "Active", ""},
		"locked by another Organization's limit":   {janes(failed(3, time.Minute), belongsTo(limit(3, globex))), "claim locked-1795262340 1", "Locked", "+Locked/TooManyFailures"},
		"not locked, by a wider limit":             {janes(failed(5, time.Minute), func(f *Facts) { limit(6, f.Belongings[0]) }), "wait", "Active", ""},
		"locked by codes":                          {janes(codesFailed(5, time.Minute)), "claim codes-locked-1795262340 1", "Locked", "+Locked/TooManyFailures"},
		"locked for the third time":                {janes(failed(5, time.Minute), locks(2), told("locked", time.Minute)), "wait 59m0s", "Locked", "+Locked/TooManyFailures"},
		"an owner locked for the third time":       {janes(failed(5, time.Minute), locks(2), told("locked", time.Minute), belongsTo(globexBoss)), "wait 14m0s", "Locked", "+Locked/TooManyFailures"},
		"locked, and an unlock was requested":      {janes(failed(5, time.Minute), asked(unlock, 0)), "claim locked-1795262340 1", "Active", ""},

		"disabled": {janes(disabled), "wait", "Disabled", "+Ready/Disabled -Active/Disabled"},
		"disabled while it is locked": {
			janes(disabled, failed(5, time.Minute), told("locked", time.Minute)), "wait 14m0s", "Disabled", "+Ready/Disabled -Active/Disabled +Locked/TooManyFailures",
		},
		"disabled, and a reset was requested": {janes(disabled, asked(reset, 0)), "wait", "Disabled", "+Ready/Disabled -Active/Disabled"},

		"with a second factor, not recorded yet":     {janes(twoFactor("Enrolled", "")), "two-factor Enrolled", "Active", "+TwoFactorEnrolled/Enrolled"},
		"with a second factor":                       {janes(twoFactor("Enrolled", "Enrolled")), "wait", "Active", "+TwoFactorEnrolled/Enrolled"},
		"the second factor was removed":              {janes(twoFactor("NotEnrolled", "Enrolled")), "two-factor NotEnrolled", "Active", ""},
		"with a second factor whose status was lost": {janes(twoFactor("", "Enrolled")), "wait", "Active", "+TwoFactorEnrolled/Enrolled"},
		"an invalid record of the second factor":     {janes(twoFactor("", "Perhaps")), "wait", "Active", ""},

		"leaving": {janes(leaving("acme")), "record , left [acme/jane]", "Active", ""},
		"leaving one of two": {
			janes(belongsTo(globex), leaving("globex")), "record acme/jane, left [globex/jane]", "Active", "",
		},
		"leaving, as a retained owner": {janes(leaving("acme"), retained("acme")), "wait", "Active", ""},
		"leaving one of two, and the other is retained": {
			janes(belongsTo(globex), leaving("globex"), retained("acme")), "record acme/jane, left [globex/jane]", "Active", "",
		},
		"leaving two, one of them as a retained owner": {
			janes(belongsTo(globex), leaving("acme", "globex"), retained("globex")), "record globex/jane, left [acme/jane]", "Active", "",
		},
		"leaving, as a retained owner of another Organization": {janes(leaving("acme"), retained("globex")), "record , left [acme/jane]", "Active", ""},
		"leaving, as a retained owner, and the Membership is being deleted": {
			janes(leaving("acme"), retained("acme"), func(f *Facts) { f.Leaving = []types.NamespacedName{{Namespace: "acme", Name: "jane"}} }), "record ", "Active", "",
		},
		"has left": {janes(record(""), leaving("acme")), "wait", "Active", ""},
		"leaving, and its acceptance is not carried out yet": {
			janes(record("beta/jane"), leaving("acme"), accepted(func(*Acceptance) {})), "record acme/jane,beta/jane", "Active", "",
		},
		"leaving, and its acceptance is not history, and another is new": {
			janes(leaving("acme"), accepted(func(*Acceptance) {}), accepted(func(a *Acceptance) { a.Membership.Namespace = "globex" })),
			"record acme/jane,globex/jane", "Active", "",
		},
		"leaving, and its acceptance is not history": {janes(leaving("acme"), accepted(func(*Acceptance) {})), "wait", "Active", ""},
		"leaving, and its acceptance is history": {
			janes(leaving("acme"), accepted(func(a *Acceptance) { a.Invitation.Status.State = accountsv1.InvitationActive })),
			"record , left [acme/jane]", "Active", "",
		},
		"leaving a Membership that was never accepted for this address": {
			janes(leaving("acme"), accepted(func(a *Acceptance) { a.Membership.Spec.Email = "john@example.com" })), "record , left [acme/jane]", "Active", "",
		},

		"a reset was requested":                              {janes(asked(reset, 0)), "claim reset-1795262400 1", "Active", ""},
		"a reset was requested on a Membership":              {janes(askedOf(0, reset, time.Minute)), "claim reset-1795262400 1", "Active", ""},
		"a developer in two Organizations, requested in one": {janes(belongsTo(globex), askedOf(0, reset, 0)), "claim reset-1795262400 1", "Active", ""},
		"an owner here, requested here": {
			janes(func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") }, askedOf(0, reset, 0)), "claim reset-1795262400 1", "Active", "",
		},
		"an owner here, requested from another namespace": {
			janes(func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") }, belongsTo(memberOf("globex", "developer")), askedOf(1, reset, time.Minute)),
			"wait 59m0s", "Active", "+RequestBlocked/OwnerElsewhere",
		},
		"locked, an owner here, an unlock requested from another namespace": {
			janes(func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") }, belongsTo(memberOf("globex", "developer")),
				failed(5, time.Minute), told("locked", time.Minute), askedOf(1, unlock, 0)),
			"wait 14m0s", "Locked", "+Locked/TooManyFailures +RequestBlocked/OwnerElsewhere",
		},
		"the same, and a cluster admin requests it too": {
			janes(func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") }, belongsTo(memberOf("globex", "developer")), askedOf(1, reset, time.Minute), asked(reset, 0)),
			"claim reset-1795262400 1", "Active", "",
		},
		"requested in a namespace that is not the Organization's": {
			janes(func(f *Facts) { f.Belongings[0].Organization.Spec.Namespace = "elsewhere" }, askedOf(0, reset, 0)), "wait", "Active", "",
		},
		"requested an hour ago":                             {janes(asked(reset, time.Hour)), "wait", "Active", ""},
		"requested with a clock that is ahead":              {janes(asked(reset, -3*time.Second)), "wait 3s", "Active", ""},
		"requested, and carried out":                        {janes(asked(reset, time.Minute), linksAsked(time.Minute)), "wait", "Active", ""},
		"requested within the second of the last request":   {janes(asked(reset, -500*time.Millisecond), linksAsked(0)), "wait", "Active", ""},
		"requested before another was carried out":          {janes(asked(reset, time.Minute), linksAsked(time.Second)), "wait", "Active", ""},
		"requested again":                                   {janes(asked(reset, 0), linksAsked(time.Minute)), "claim reset-1795262400 1", "Active", ""},
		"an unlock requested without a lock":                {janes(asked(unlock, 0), failed(4, time.Minute)), "wait", "Active", ""},
		"an unlock requested before the lock":               {janes(asked(unlock, 2*time.Minute), failed(5, time.Minute)), "claim locked-1795262340 1", "Locked", "+Locked/TooManyFailures"},
		"an unlock requested after a reset was carried out": {janes(asked(unlock, 0), linksAsked(0), failed(5, time.Minute)), "claim locked-1795262340 1", "Active", ""},
		"the value is not a time":                           {janes(func(f *Facts) { annotate(f.Account, reset, "please") }), "wait", "Active", ""},
		"the value is a time, but far too long":             {janes(func(f *Facts) { annotate(f.Account, reset, "2026-11-21T12:00:00."+strings.Repeat("0", 64)+"Z") }), "wait", "Active", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.facts = asRecorded(c.facts)
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("it plans %q, not %q", got, c.plan)
			}
			before := c.facts.Account.DeepCopy()
			status := Report(c.facts)
			if diff := cmp.Diff(before, c.facts.Account); diff != "" {
				t.Errorf("Report changed the Account:\n%s", diff)
			}
			if got := said(status.Conditions); string(status.State) != c.state || got != c.says {
				t.Errorf("it is %s and reports %q, not %s and %q", status.State, got, c.state, c.says)
			}
			c.facts.Account.Status = status
			if diff := cmp.Diff(status, Report(c.facts)); diff != "" {
				t.Errorf("a second Report differs:\n%s", diff)
			}
			if got := planned(Decide(c.facts)); got != c.plan {
				t.Errorf("after the report, it plans %q, not %q", got, c.plan)
			}
		})
	}
}

func limit(failures int32, b Belonging) Belonging {
	b.Organization.Spec.SignIn.MaxFailures = failures
	return b
}

func codesFailed(times int32, d time.Duration) func(*Facts) {
	return func(f *Facts) {
		f.Account.Status.SignIn.CodeFailures, f.Account.Status.SignIn.CodeFailureTime = times, ago(d)
	}
}

func locks(n int32) func(*Facts) { return func(f *Facts) { f.Account.Status.SignIn.Locks = n } }

func TestWhatIsCarriedOutIsWrittenDown(t *testing.T) {
	before := accountsv1.AccountStatus{
		SignIn:    accountsv1.SignIn{Failures: 5, FailureTime: ago(time.Minute), Locks: 1},
		TwoFactor: "Enrolled", PasswordTime: ago(48 * time.Hour), ResetTimes: []metav1.Time{*ago(2 * time.Hour)},
		UserNameTimes: []metav1.Time{*ago(48 * time.Hour)}, Language: "it",
		Leaving: []accountsv1.MembershipReference{{Namespace: "acme", Name: "jane"}, {Namespace: "globex", Name: "jane"}},
	}
	pending := accountsv1.Delivery{Name: "locked-1795262340", Purpose: "Locked", Medium: "Email", Recipient: "jane@example.com", Language: "it"}
	pendingLock := []accountsv1.Delivery{pending}
	pending.Name, pending.Purpose = "codes-locked-1795262340", "CodesLocked"
	pendingCodesLock := []accountsv1.Delivery{pending}
	cases := map[string]struct {
		change func(*Facts)
		want   func(*accountsv1.AccountStatus)
	}{
		"no request":                             {func(*Facts) {}, func(*accountsv1.AccountStatus) {}},
		"a reset, which only the portal records": {asked(accountsv1.ResetAnnotation, 3*time.Second), func(*accountsv1.AccountStatus) {}},
		"a reset of a disabled Account": {
			func(f *Facts) {
				asked(accountsv1.ResetAnnotation, 0)(f)
				disabled(f)
				f.Account.Status.Conditions = []metav1.Condition{{Type: "Active", Status: "False", Reason: "Disabled"}}
			}, func(*accountsv1.AccountStatus) {},
		},
		// The next lock is as short as the first. The mail about this one waits.
		"an unlock": {asked(accountsv1.UnlockAnnotation, 0), func(s *accountsv1.AccountStatus) {
			s.SignIn, s.UnlockTimes, s.Deliveries = accountsv1.SignIn{}, []metav1.Time{*ago(0)}, pendingLock
		}},
		"an unlock by a manager": {askedOf(0, accountsv1.UnlockAnnotation, 0), func(s *accountsv1.AccountStatus) {
			s.SignIn, s.UnlockTimes, s.Deliveries = accountsv1.SignIn{}, []metav1.Time{*ago(0)}, pendingLock
		}},
		"an unlock of codes": {
			func(f *Facts) {
				asked(accountsv1.UnlockAnnotation, 0)(f)
				f.Account.Status.SignIn = accountsv1.SignIn{Failures: 4, FailureTime: ago(0), CodeFailures: 5, CodeFailureTime: ago(time.Minute), CodeLocks: 2}
			}, func(s *accountsv1.AccountStatus) {
				s.SignIn, s.UnlockTimes, s.Deliveries = accountsv1.SignIn{}, []metav1.Time{*ago(0)}, pendingCodesLock
			},
		},
		"an unlock of codes by a manager": {
			func(f *Facts) {
				askedOf(0, accountsv1.UnlockAnnotation, 0)(f)
				f.Account.Status.SignIn = accountsv1.SignIn{Failures: 4, FailureTime: ago(0), CodeFailures: 5, CodeFailureTime: ago(time.Minute), CodeLocks: 2}
			}, func(s *accountsv1.AccountStatus) {
				s.SignIn = accountsv1.SignIn{Failures: 4, FailureTime: ago(0), CodeLocks: 3}
				s.UnlockTimes, s.Deliveries = []metav1.Time{*ago(0)}, pendingCodesLock
			},
		},
		"an unlock without a lock": {
			func(f *Facts) {
				asked(accountsv1.UnlockAnnotation, 0)(f)
				f.Account.Status.SignIn.Failures = 4
			}, func(s *accountsv1.AccountStatus) { s.SignIn.Failures = 4 },
		},
		"disabled": {disabled, func(s *accountsv1.AccountStatus) { s.SignIn.SessionsEndTime = ago(0) }},
		"disabled, as reported before": {
			func(f *Facts) {
				disabled(f)
				f.Account.Status.Conditions = []metav1.Condition{{Type: "Active", Status: "False", Reason: "Disabled"}}
			}, func(*accountsv1.AccountStatus) {},
		},
		"the second factor's status is lost": {
			twoFactor("", "NotEnrolled"), func(s *accountsv1.AccountStatus) { s.TwoFactor = "NotEnrolled" },
		},
		"the second factor's status is lost, and its record is damaged": {
			twoFactor("", "Perhaps"), func(s *accountsv1.AccountStatus) { s.TwoFactor = "" },
		},
		"it is being deleted": {
			func(f *Facts) {
				asked(accountsv1.ResetAnnotation, 0)(f)
				going(f)
			}, func(s *accountsv1.AccountStatus) {
				s.Leaving = append(s.Leaving, accountsv1.MembershipReference{Namespace: "globex", Name: "jane"})
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := janes(belongsTo(memberOf("beta", "developer")))
			f.Account.Status, f.Now = *before.DeepCopy(), noon.Add(300*time.Millisecond)
			c.change(&f)
			got := Report(f)
			want := *before.DeepCopy()
			want.Leaving = want.Leaving[:1] // the Account does not hold the other one
			c.want(&want)
			generation := int64(1)
			want.ObservedGeneration, want.State, want.Conditions = &generation, got.State, got.Conditions
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeReadIsFoundOut(t *testing.T) {
	f := janes(asked(accountsv1.ResetAnnotation, 0), belongsTo(memberOf("globex", "developer")))
	annotate(f.Account, accountsv1.UnlockAnnotation, "please")
	annotate(f.Belongings[1].Membership, accountsv1.ResetAnnotation, "")
	want := []Request{
		{Annotation: accountsv1.UnlockAnnotation, Value: "please"},
		{Membership: f.Belongings[1].Membership, Annotation: accountsv1.ResetAnnotation},
	}
	if diff := cmp.Diff(want, Unreadable(f)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMessagesAreStableAndSayWhatToDo(t *testing.T) {
	f := janes(
		func(f *Facts) { f.Belongings[0] = memberOf("acme", "boss") }, belongsTo(memberOf("globex", "developer")),
		failed(5, time.Minute), askedOf(1, accountsv1.ResetAnnotation, 0), disabled,
	)
	f.Account.Spec.State = ""
	parts := map[string][]string{
		"Locked":            {"by itself", "resets the password", accountsv1.UnlockAnnotation},
		"RequestBlocked":    {"globex/jane", accountsv1.ResetAnnotation, "cluster admin", "annotating the Account"},
		"TwoFactorEnrolled": {"portal"},
	}
	for _, c := range Report(f).Conditions {
		for _, part := range parts[c.Type] {
			if !strings.Contains(c.Message, part) {
				t.Errorf("the message of %s does not contain %q: %s", c.Type, part, c.Message)
			}
		}
		delete(parts, c.Type)
		if strings.Contains(c.Message, "2026") || strings.Contains(c.Message, "12:") {
			t.Errorf("the message of %s contains a time: %s", c.Type, c.Message)
		}
	}
	if len(parts) > 0 {
		t.Errorf("no condition contains %v", parts)
	}
}
