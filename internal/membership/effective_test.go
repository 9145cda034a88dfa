// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

var (
	someName      = rapid.SampledFrom([]accountsv1.CatalogueName{"a", "b", "c"})
	someResources = rapid.SliceOfNDistinct(someName, 1, 3, rapid.ID[accountsv1.CatalogueName])
	someGrant     = rapid.Custom(func(t *rapid.T) accountsv1.Grant {
		return accountsv1.Grant{Permission: someName.Draw(t, "permission"), Resources: someResources.Draw(t, "resources")}
	})
	someOverride = rapid.Custom(func(t *rapid.T) accountsv1.PermissionOverride {
		return accountsv1.PermissionOverride{
			Effect:     rapid.SampledFrom([]accountsv1.Effect{"Allow", "Deny"}).Draw(t, "effect"),
			Permission: someName.Draw(t, "permission"), Resources: someResources.Draw(t, "resources"),
		}
	})
	someStanding = rapid.SampledFrom([]accountsv1.RoleStanding{"", "Member", "Owner", "Guest"})
)

// catalogue holds everything that decides about a person's rights.
type catalogue struct {
	org       *accountsv1.Organization
	role      accountsv1.Role
	overrides []accountsv1.PermissionOverride
}

func someCatalogue(t *rapid.T) catalogue {
	return catalogue{
		&accountsv1.Organization{Spec: accountsv1.OrganizationSpec{DefaultGrants: rapid.SliceOf(someGrant).Draw(t, "default grants")}},
		accountsv1.Role{Standing: someStanding.Draw(t, "standing"), Grants: rapid.SliceOf(someGrant).Draw(t, "grants")},
		rapid.SliceOf(someOverride).Draw(t, "overrides"),
	}
}

func (c catalogue) effective() []grant.Pair { return Effective(c.org, c.role, c.overrides) }

func (c catalogue) guest() bool { return c.role.Standing == accountsv1.StandingGuest }

// only keeps the overrides with one effect.
func (c catalogue) only(effect accountsv1.Effect) catalogue {
	c.overrides = slices.DeleteFunc(slices.Clone(c.overrides), func(o accountsv1.PermissionOverride) bool { return o.Effect != effect })
	return c
}

func granted(grants []accountsv1.Grant, pair grant.Pair) bool {
	return slices.ContainsFunc(grants, func(g accountsv1.Grant) bool {
		return g.Permission == pair.Permission && slices.Contains(g.Resources, pair.Resource)
	})
}

func (c catalogue) overridden(effect accountsv1.Effect, pair grant.Pair) bool {
	return slices.ContainsFunc(c.overrides, func(o accountsv1.PermissionOverride) bool {
		return o.Effect == effect && o.Permission == pair.Permission && slices.Contains(o.Resources, pair.Resource)
	})
}

func beyond(after, before []grant.Pair) []grant.Pair {
	return slices.DeleteFunc(slices.Clone(after), func(pair grant.Pair) bool { return slices.Contains(before, pair) })
}

func check(t *testing.T, holds func(t *rapid.T, c catalogue)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) { holds(t, someCatalogue(t)) })
}

// The test checks each pair of permission and resource on its own, in another way than
// Effective.
func TestEffective(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		got := c.effective()
		for _, permission := range []accountsv1.CatalogueName{"a", "b", "c"} {
			for _, resource := range []accountsv1.CatalogueName{"a", "b", "c"} {
				pair := grant.Pair{Permission: permission, Resource: resource}
				given := granted(c.role.Grants, pair) || granted(c.org.Spec.DefaultGrants, pair) && !c.guest() || c.overridden("Allow", pair)
				if want := given && !c.overridden("Deny", pair); slices.Contains(got, pair) != want {
					t.Fatalf("%v: %v, not %v", pair, !want, want)
				}
			}
		}
		if len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("an entry occurs twice: %v", got)
		}
	})
}

func TestTheOrderDoesNotMatter(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		other := catalogue{c.org.DeepCopy(), c.role, rapid.Permutation(c.overrides).Draw(t, "overrides in another order")}
		other.role.Grants = rapid.Permutation(c.role.Grants).Draw(t, "grants in another order")
		other.org.Spec.DefaultGrants = rapid.Permutation(c.org.Spec.DefaultGrants).Draw(t, "default grants in another order")
		if diff := cmp.Diff(c.effective(), other.effective()); diff != "" {
			t.Fatalf("-one order +another\n%s", diff)
		}
	})
}

func TestDenyOnlyRemoves(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		before := c.effective()
		deny := someOverride.Draw(t, "a Deny")
		deny.Effect = accountsv1.EffectDeny
		at := rapid.IntRange(0, len(c.overrides)).Draw(t, "at")
		c.overrides = slices.Insert(slices.Clone(c.overrides), at, deny)
		after := c.effective()
		if added := beyond(after, before); len(added) > 0 {
			t.Fatalf("a Deny added %v", added)
		}
		for _, pair := range after {
			if pair.Permission == deny.Permission && slices.Contains(deny.Resources, pair.Resource) {
				t.Fatalf("a Deny left %v", pair)
			}
		}
		for _, pair := range beyond(before, after) {
			if pair.Permission != deny.Permission || !slices.Contains(deny.Resources, pair.Resource) {
				t.Fatalf("a Deny of something else removed %v", pair)
			}
		}
	})
}

func TestWithoutAnyGrantNothingIsLeftButWhatIsAllowed(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		c.role.Grants, c.org.Spec.DefaultGrants = nil, nil
		for _, pair := range c.effective() {
			if !c.overridden("Allow", pair) {
				t.Fatalf("%v is left", pair)
			}
		}
		if left := c.only("Deny").effective(); len(left) > 0 {
			t.Fatalf("%v is left without any Allow", left)
		}
	})
}

func TestADefaultGrantTakesNothingFromAnyoneAndGivesGuestsNothing(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		before := c.effective()
		another := someGrant.Draw(t, "another default grant")
		c.org.Spec.DefaultGrants = append(slices.Clone(c.org.Spec.DefaultGrants), another)
		after := c.effective()
		if lost := beyond(before, after); len(lost) > 0 {
			t.Fatalf("it removed %v", lost)
		}
		if gained := beyond(after, before); len(gained) > 0 && c.guest() {
			t.Fatalf("a guest got %v", gained)
		}
		c.org.Spec.DefaultGrants, c.overrides = []accountsv1.Grant{another}, nil
		if c.guest() {
			return
		}
		for _, resource := range another.Resources {
			if pair := (grant.Pair{Permission: another.Permission, Resource: resource}); !slices.Contains(c.effective(), pair) {
				t.Fatalf("%v is missing", pair)
			}
		}
	})
}

// A person's rights must not depend on earlier calls.
func TestEffectiveChangesNothing(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		org, role := c.org.DeepCopy(), *c.role.DeepCopy()
		overrides := slices.Clone(c.overrides)
		c.effective()
		if diff := cmp.Diff([]any{org, role, overrides}, []any{c.org, c.role, c.overrides}); diff != "" {
			t.Fatalf("-before +after\n%s", diff)
		}
	})
}
