// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// someCluster is a catalogue in which several names can refer to the same thing, with
// its cluster.
func (c catalogue) someCluster(t *rapid.T) grant.Cluster {
	spec := &c.org.Spec
	labels := rapid.MapOf(rapid.SampledFrom([]string{"team", "tier"}), rapid.SampledFrom([]string{"x", "y"}))
	cluster := grant.Cluster{Own: "usher-system", ClusterRoles: map[string]grant.ClusterRole{}}
	for _, name := range []string{"n1", "n2", "n3", "usher-system"} {
		if rapid.Bool().Draw(t, name+" exists") {
			cluster.Namespaces = append(cluster.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels.Draw(t, name)}})
		}
	}
	for _, name := range []string{"view", "edit"} {
		cluster.ClusterRoles[name] = grant.ClusterRole{Exists: true, Bindable: true}
	}
	someNames := rapid.SliceOfNDistinct(rapid.SampledFrom([]accountsv1.NamespaceName{"n1", "n2", "n3", "usher-system"}), 1, 3, rapid.ID[accountsv1.NamespaceName])
	for _, name := range []accountsv1.CatalogueName{"a", "b", "c"} {
		p := accountsv1.Permission{Name: name, ClusterRole: rapid.SampledFrom([]string{"view", "edit", ""}).Draw(t, "ClusterRole")}
		if p.ClusterRole == "" {
			p.Group = rapid.SampledFrom([]string{"view", "chat"}).Draw(t, "group")
		}
		r := accountsv1.Resource{Name: name}
		if rapid.Bool().Draw(t, "by names") {
			r.Namespaces.Names = someNames.Draw(t, "names")
		} else {
			r.Namespaces.Selector = &metav1.LabelSelector{MatchLabels: labels.Filter(func(m map[string]string) bool { return len(m) > 0 }).Draw(t, "selector")}
		}
		spec.Permissions, spec.Resources = append(spec.Permissions, p), append(spec.Resources, r)
	}
	return cluster
}

// rights are what a person has in the end: "edit in n1" by a RoleBinding, and "group
// chat".
func (c catalogue) rights(cluster grant.Cluster) []string {
	grants := resolved(c.org, c.role, c.overrides, cluster)
	var all []string
	for _, b := range grant.RoleBindings(&accountsv1.Membership{}, "jane", grants) {
		all = append(all, b.RoleRef.Name+" in "+b.Namespace)
	}
	for _, g := range grants {
		if g.Group != "" && g.Reason == "" {
			all = append(all, "group "+g.Group)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// denied returns the rights that each Deny refers to, computed in another way than by
// Resolve.
func (c catalogue) denied(cluster grant.Cluster) []string {
	all := map[string]bool{}
	for _, o := range c.only(accountsv1.EffectDeny).overrides {
		p := c.org.Spec.Permissions[slices.IndexFunc(c.org.Spec.Permissions, func(p accountsv1.Permission) bool { return p.Name == o.Permission })]
		all["group "+p.Group] = true
		for _, r := range c.org.Spec.Resources {
			for _, n := range cluster.Namespaces {
				named := slices.Contains(r.Namespaces.Names, accountsv1.NamespaceName(n.Name))
				selected := r.Namespaces.Selector != nil && holdsAll(n.Labels, r.Namespaces.Selector.MatchLabels)
				if slices.Contains(o.Resources, r.Name) && (named || selected) {
					all[p.ClusterRole+" in "+n.Name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func holdsAll(have, want map[string]string) bool {
	for key, value := range want {
		if got, found := have[key]; !found || got != value {
			return false
		}
	}
	return true
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// A Deny removes exactly what it refers to, regardless of the names that grant it.
func TestDeniedRightsAreNotGranted(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		cluster := c.someCluster(t)
		want := without(c.only(accountsv1.EffectAllow).rights(cluster), c.denied(cluster))
		if diff := cmp.Diff(want, c.rights(cluster), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

func TestADenyNeverAddsARight(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		cluster := c.someCluster(t)
		before := c.rights(cluster)
		deny := someOverride.Draw(t, "a Deny")
		deny.Effect = accountsv1.EffectDeny
		at := rapid.IntRange(0, len(c.overrides)).Draw(t, "at")
		c.overrides = slices.Insert(slices.Clone(c.overrides), at, deny)
		if added := without(c.rights(cluster), before); len(added) > 0 {
			t.Fatalf("a Deny added %v", added)
		}
	})
}

func TestTheOrderOfWhatIsDeniedDoesNotMatter(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		cluster := c.someCluster(t)
		other := catalogue{c.org.DeepCopy(), c.role, rapid.Permutation(c.overrides).Draw(t, "overrides in another order")}
		other.role.Grants = rapid.Permutation(c.role.Grants).Draw(t, "grants in another order")
		other.org.Spec.Permissions = rapid.Permutation(c.org.Spec.Permissions).Draw(t, "permissions in another order")
		other.org.Spec.Resources = rapid.Permutation(c.org.Spec.Resources).Draw(t, "resources in another order")
		anew := cluster
		anew.Namespaces = rapid.Permutation(cluster.Namespaces).Draw(t, "namespaces in another order")
		one, another := resolved(c.org, c.role, c.overrides, cluster), resolved(other.org, other.role, other.overrides, anew)
		if diff := cmp.Diff(one, another); diff != "" {
			t.Fatalf("-one order +another\n%s", diff)
		}
	})
}

func TestWithoutGrantsThereAreNoRights(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		cluster := c.someCluster(t)
		c.role.Grants, c.org.Spec.DefaultGrants = nil, nil
		if left := c.only(accountsv1.EffectDeny).rights(cluster); len(left) > 0 {
			t.Fatalf("%v is left", left)
		}
	})
}

// Every right that is removed without being denied by its own name is listed with the
// reason.
func TestDeniedGrantsAreListed(t *testing.T) {
	check(t, func(t *rapid.T, c catalogue) {
		cluster := c.someCluster(t)
		taken := c.denied(cluster)
		for _, g := range resolved(c.org, c.role, c.only(accountsv1.EffectAllow).overrides, cluster) {
			lost := g.Group != "" && slices.Contains(taken, "group "+g.Group) ||
				slices.ContainsFunc(g.Namespaces, func(n string) bool { return slices.Contains(taken, g.ClusterRole+" in "+n) })
			told := slices.ContainsFunc(resolved(c.org, c.role, c.overrides, cluster), func(now grant.Grant) bool {
				return now.Pair == g.Pair && strings.Contains(now.Message, "denied")
			})
			if named := c.overridden(accountsv1.EffectDeny, g.Pair); lost && told == named {
				t.Fatalf("%v is denied, by its name: %v, and listed: %v", g.Pair, named, told)
			}
		}
	})
}

// production is a part of what the selector of the resource staging matches.
func production(f *Facts) {
	team := map[string]string{"team": "acme"}
	spec := &f.Organization.Spec
	spec.Resources[0].Namespaces = accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: team}}
	spec.Resources = append(spec.Resources, accountsv1.Resource{
		Name: "production", DisplayName: "Production", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"production"}},
	})
	f.Cluster.Namespaces = []corev1.Namespace{namespace("production"), namespace("staging")}
	for i := range f.Cluster.Namespaces {
		f.Cluster.Namespaces[i].Labels = team
	}
}

// denies adds a Deny of deploy.
func denies(resource accountsv1.CatalogueName) func(*Facts) {
	return func(f *Facts) {
		f.Membership.Spec.Permissions = append(f.Membership.Spec.Permissions, accountsv1.PermissionOverride{
			Effect: "Deny", Permission: "deploy", Resources: []accountsv1.CatalogueName{resource},
		})
	}
}

func onlyProduction(f *Facts) { f.Cluster.Namespaces = f.Cluster.Namespaces[:1] }

func TestAMembershipSaysWhatIsDenied(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Facts)
		want   string
	}{
		"part of a grant": {func(*Facts) {}, "Withheld Denied in staging"},
		"all of a grant":  {onlyProduction, "Withheld Denied in "},
	} {
		t.Run(name, func(t *testing.T) {
			f := someFacts(heldBy("jane", "jane@example.com"), production, denies("production"), c.change)
			status := Report(f)
			var got string
			for _, g := range status.Grants {
				got += string(g.State) + " " + g.Reason + " in "
				for _, n := range g.Namespaces {
					got += string(n)
				}
			}
			if got != c.want || !strings.Contains(status.Grants[0].Message, "production") {
				t.Errorf("%q, not %q: %+v", got, c.want, status.Grants)
			}
			ready := meta.FindStatusCondition(status.Conditions, "Ready")
			applied := meta.FindStatusCondition(status.Conditions, "PermissionsApplied")
			if ready.Status != metav1.ConditionTrue || applied.Status != metav1.ConditionTrue || !strings.Contains(ready.Message, "denied") {
				t.Errorf("the message is: %+v", ready)
			}
		})
	}
}

func TestARolloutKnowsWhatIsDenied(t *testing.T) {
	deny := denies("production")
	for name, c := range map[string]struct {
		before, now func(*Facts)
		want        accountsv1.RolloutStatus
	}{
		"unchanged":               {production, production, accountsv1.RolloutStatus{}},
		"denied entirely":         {func(f *Facts) { production(f); onlyProduction(f) }, func(f *Facts) { production(f); onlyProduction(f) }, accountsv1.RolloutStatus{}},
		"denies more than before": {func(f *Facts) { production(f); onlyProduction(f) }, production, rollout(1, 0)},
		"denies less than before": {production, func(f *Facts) { production(f); onlyProduction(f) }, rollout(1, 0)},
		"denies another part than before": {
			func(f *Facts) {
				production(f)
				resources := f.Organization.Spec.Resources
				resources[len(resources)-1].Namespaces.Names[0] = "elsewhere"
			}, production, rollout(1, 0),
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, now := settled(t, c.before, deny), afterwards(c.now)
			if diff := cmp.Diff(c.want, Rollout(now.Organization, []accountsv1.Membership{m}, now.Cluster)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
