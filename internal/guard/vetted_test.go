// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

func membership(created time.Time, generation int64, guard accountsv1.GuardStatus) *accountsv1.Membership {
	return &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(created), Generation: generation},
		Status:     accountsv1.MembershipStatus{Guard: guard},
	}
}

func guardAt(since time.Time, generation int64) accountsv1.GuardStatus {
	return accountsv1.GuardStatus{Since: second(since), Generation: generation}
}

func TestKeepAndVetted(t *testing.T) {
	none := accountsv1.GuardStatus{}
	since := noon.Add(SettleTime)
	inForce := State{Since: since}
	for name, c := range map[string]struct {
		state  State
		m      *accountsv1.Membership
		keep   accountsv1.GuardStatus
		vetted bool
	}{
		"created before":                               {inForce, membership(noon, 3, none), guardAt(since, 3), false},
		"created in the same second":                   {inForce, membership(since, 1, none), guardAt(since, 1), false},
		"created in the same second, a fraction later": {inForce, membership(since.Add(999*time.Millisecond), 1, none), guardAt(since, 1), false},
		"created a second after":                       {inForce, membership(since.Add(time.Second), 1, none), none, true},
		"created after, and changed since":             {inForce, membership(since.Add(time.Second), 7, none), none, true},
		"created after an earlier period in force":     {inForce, membership(since.Add(time.Second), 7, guardAt(noon.Add(-time.Hour), 7)), none, true},
		"created before, and not changed since":        {inForce, membership(noon, 3, guardAt(since, 3)), guardAt(since, 3), false},
		"created before, and changed since":            {inForce, membership(noon, 4, guardAt(since, 3)), guardAt(since, 3), true},
		"in force at a fraction of a second":           {State{Since: since.Add(time.Millisecond)}, membership(noon, 4, guardAt(since, 3)), guardAt(since, 3), true},
		"recorded at a fraction of a second":           {State{Since: since.Add(time.Millisecond)}, membership(noon, 3, none), guardAt(since, 3), false},
		"in force again":                               {inForce, membership(noon, 9, guardAt(noon.Add(-time.Hour), 3)), guardAt(since, 9), false},
		"restored at a lower generation":               {inForce, membership(noon, 1, guardAt(since, 3)), guardAt(since, 3), false},
		"recorded later than it came into force":       {inForce, membership(noon, 4, guardAt(one, 3)), guardAt(since, 4), false},
		"created after, but recorded later than that":  {inForce, membership(one, 4, guardAt(one.Add(time.Hour), 3)), guardAt(since, 4), false},
		"forged far into the future":                   {inForce, membership(noon, 4, guardAt(one.AddDate(99, 0, 0), 1)), guardAt(since, 4), false},
		"created after, but recorded as unchecked":     {inForce, membership(one, 4, guardAt(since, 4)), guardAt(since, 4), false},

		"missing, nothing recorded": {State{Missing: []string{assign}}, membership(one, 1, none), none, false},
		"missing, recorded earlier": {State{Missing: []string{assign}}, membership(noon, 4, guardAt(since, 3)), guardAt(since, 3), false},
		"another missing, changed":  {State{Missing: []string{owners}, Since: since}, membership(noon, 4, guardAt(since, 3)), guardAt(since, 3), false},
		"another missing, created":  {State{Missing: []string{owners}, Since: since}, membership(one, 1, none), none, false},
		"never observed":            {State{}, membership(one, 1, none), none, false},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.keep, c.state.StatusGuard(c.m)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got := c.state.Vetted(c.m); got != c.vetted {
				t.Errorf("vetted: %v", got)
			}
			c.m.Status.Guard = c.state.StatusGuard(c.m)
			if diff := cmp.Diff(c.keep, c.state.StatusGuard(c.m)); diff != "" {
				t.Errorf("once written, it changes again: -want +got\n%s", diff)
			}
			if got := c.state.Vetted(c.m); got != c.vetted {
				t.Errorf("vetted, once the guard is written: %v", got)
			}
		})
	}
}

func TestDeletionDoesNotVet(t *testing.T) {
	since := noon.Add(SettleTime)
	deleted := func(generation int64, guard accountsv1.GuardStatus) *accountsv1.Membership {
		m := membership(noon, generation, guard)
		m.DeletionTimestamp = second(one)
		return m
	}
	for name, c := range map[string]struct {
		m      *accountsv1.Membership
		vetted bool
	}{
		"not checked":                  {deleted(4, guardAt(since, 3)), false},
		"checked before the deletion":  {deleted(5, guardAt(since, 3)), true},
		"recorded while being deleted": {deleted(4, accountsv1.GuardStatus{}), false},
		"created under the policies": {func() *accountsv1.Membership {
			m := deleted(2, accountsv1.GuardStatus{})
			m.CreationTimestamp.Time = one
			return m
		}(), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (State{Since: since}).Vetted(c.m); got != c.vetted {
				t.Errorf("vetted: %v", got)
			}
		})
	}
}

func TestVettedSince(t *testing.T) {
	for name, c := range map[string]struct {
		state   State
		created time.Time
		want    bool
	}{
		"before":               {State{Since: noon}, noon.Add(-time.Second), false},
		"in the same second":   {State{Since: noon}, noon.Add(time.Millisecond), false},
		"a second after":       {State{Since: noon}, noon.Add(time.Second), true},
		"after, but missing":   {State{Missing: []string{owners}, Since: noon}, one, false},
		"never observed":       {State{}, one, false},
		"a zero creation time": {State{Since: noon}, time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.state.VettedSince(c.created); got != c.want {
				t.Errorf("vetted: %v", got)
			}
		})
	}
}

// gap is a time without the policy, as an attacker would use it. open removes the
// protection before the role is changed, and shut restores it.
type gap struct {
	open, shut func(Set) Set
	// told reports whether Observe can know when the policy came into force again.
	told bool
}

func gaps(at time.Time) map[string]gap {
	with := func(change func(*policy, *binding)) func(Set) Set {
		return func(s Set) Set {
			change(s.guarding())
			return s
		}
	}
	return map[string]gap{
		"the policy is deleted and created again": {
			open: func(s Set) Set { return Set{Policies: s.Policies[:1], Bindings: s.Bindings} },
			shut: func(Set) Set {
				s := cluster()
				born(&s.Policies[1].ObjectMeta, at)
				return s
			}, told: true,
		},
		"the binding is deleted and created again": {
			open: func(s Set) Set { return Set{Policies: s.Policies, Bindings: s.Bindings[:1]} },
			shut: func(Set) Set {
				s := cluster()
				born(&s.Bindings[1].ObjectMeta, at)
				return s
			}, told: true,
		},
		"the policy ignores failures for a while": {
			open: with(func(p *policy, _ *binding) {
				edited(p, at.Add(-time.Minute))
				p.Spec.FailurePolicy = ptr.To(admissionregistrationv1.Ignore)
			}),
			shut: with(func(p *policy, _ *binding) {
				edited(p, at)
				p.Spec.FailurePolicy = ptr.To(admissionregistrationv1.Fail)
			}), told: true,
		},
		"a condition is added and removed, without a trace": {
			open: with(func(p *policy, _ *binding) {
				p.Generation++
				p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
			}),
			shut: with(func(p *policy, _ *binding) {
				p.Generation++
				p.Spec.MatchConditions = p.Spec.MatchConditions[:1]
				p.Status.ObservedGeneration = p.Generation
				p.ManagedFields = append(p.ManagedFields, metav1.ManagedFieldsEntry{Subresource: "status", Time: second(at.Add(time.Second))})
			}), told: true,
		},
		"the binding only audits for a while": {
			open: with(func(_ *policy, b *binding) {
				b.Generation++
				b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
			}),
			shut: with(func(_ *policy, b *binding) {
				b.Generation++
				b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
				b.ManagedFields = append(b.ManagedFields, metav1.ManagedFieldsEntry{Time: second(at)})
			}),
		},
		"the binding is narrowed and widened, without a trace": {
			open: with(func(_ *policy, b *binding) {
				b.Generation++
				b.Spec.MatchResources = &admissionregistrationv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
			}),
			shut: with(func(_ *policy, b *binding) {
				b.Generation++
				b.Spec.MatchResources = nil
			}),
		},
	}
}

func TestWritesDuringAGapStayUnvetted(t *testing.T) {
	shut := noon.Add(30 * time.Minute)
	for name, g := range gaps(shut) {
		for manner, attacker := range map[string]*accountsv1.Membership{
			"a changed role":                             membership(noon.Add(-time.Hour), 2, guardAt(noon.Add(SettleTime), 1)),
			"a changed role of a vetted Membership":      membership(noon.Add(time.Minute), 2, accountsv1.GuardStatus{}),
			"a created Membership":                       membership(shut.Add(-time.Minute), 1, accountsv1.GuardStatus{}),
			"a Membership created at the end of the gap": membership(shut.Add(2*time.Second), 1, accountsv1.GuardStatus{}),
		} {
			t.Run(name+", "+manner, func(t *testing.T) {
				m := attacker.DeepCopy()
				look := func(have Set, now time.Time) State { return Observe(installed(), have, assign, now) }
				meet := func(s State) {
					if s.Vetted(m) || s.VettedSince(m.CreationTimestamp.Time) && m.Generation == 1 {
						t.Errorf("vetted by %+v", s)
					}
					m.Status.Guard = s.StatusGuard(m)
				}
				have := g.open(cluster())
				meet(look(have, shut.Add(-time.Second)))
				have = g.shut(have)
				meet(look(have, shut.Add(3*time.Second)))
				m.Generation++ // once more, before every API server checks
				after := look(have, one)
				meet(after)
				m.Status = accountsv1.MembershipStatus{} // the status is lost
				meet(after)
				if (len(after.Missing) == 0) != g.told {
					t.Fatalf("missing after: %v", after.Missing)
				}
				m.Generation++ // now the policy checks
				if after.Vetted(m) != g.told {
					t.Errorf("a checked change is vetted: %v", !g.told)
				}
			})
		}
	}
}
