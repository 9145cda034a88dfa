// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package organization_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/grant"
	"github.com/usher-dev/usher/internal/membership"
	"github.com/usher-dev/usher/internal/organization"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// simulatedCluster is an Organization with its people and their reconcilers. Each reconciler reads
// and writes in steps, so what it has read can be stale when it writes. A write based
// on stale data is a conflict.
type simulatedCluster struct {
	rand     *rand.Rand
	org      *accountsv1.Organization
	people   map[string]*simulatedPerson
	mayors   []*organizationReconciler
	version  int
	steps    []func() // of the reconcilers that are not paused
	happened []string
}

// simulatedPerson is a person with an Account, and the reconcilers of the Membership and of the
// Account.
type simulatedPerson struct {
	membership *accountsv1.Membership // nil: deleted
	account    *accountsv1.Account
	bindings   []rbacv1.RoleBinding
	warden     membershipReconciler
	clerk      accountReconciler
}

// organizationReconciler reconciles the Organization.
type organizationReconciler struct {
	step   int
	org    *accountsv1.Organization
	people []organization.Person
}

// membershipReconciler reconciles a Membership.
type membershipReconciler struct {
	step  int
	facts membership.Facts
	plan  membership.Plan
}

// accountReconciler reconciles an Account.
type accountReconciler struct {
	step  int
	facts account.Facts
}

func newTown(seed uint64, owners int) *simulatedCluster {
	org := &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: "acme"},
		Spec: accountsv1.OrganizationSpec{
			Namespace:   "acme",
			Resources:   []accountsv1.Resource{{Name: "home", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{"acme"}}}},
			Permissions: []accountsv1.Permission{{Name: "own", ClusterRole: "owner"}, {Name: "look", ClusterRole: "view"}},
			Roles: []accountsv1.Role{
				{Name: "owner", Standing: accountsv1.StandingOwner, Grants: []accountsv1.Grant{{Permission: "own", Resources: []accountsv1.CatalogueName{"home"}}}},
				{Name: "member", Grants: []accountsv1.Grant{{Permission: "look", Resources: []accountsv1.CatalogueName{"home"}}}},
			},
		},
	}
	t := &simulatedCluster{rand: rand.New(rand.NewPCG(seed, 5)), org: org, people: map[string]*simulatedPerson{}, mayors: []*organizationReconciler{{}, {}}}
	t.touch(&t.org.ObjectMeta)
	for range owners {
		t.add()
	}
	t.settle()
	t.happened = nil
	return t
}

// add lets an invited owner join.
func (t *simulatedCluster) add() {
	// The order of the names does not follow the order of joining.
	name := fmt.Sprintf("%c-%d", 'a'+rune(t.rand.IntN(26)), len(t.people))
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: name, Generation: 1, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: accountsv1.EmailAddress(name + "@example.com"), Role: "owner",
		},
	}
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{accountsv1.MembershipsAnnotation: "acme/" + name}},
		Spec:       accountsv1.AccountSpec{Email: m.Spec.Email},
	}
	t.touch(&m.ObjectMeta)
	t.touch(&a.ObjectMeta)
	t.people[name] = &simulatedPerson{membership: m, account: a}
}

func (t *simulatedCluster) touch(o *metav1.ObjectMeta) {
	t.version++
	o.ResourceVersion = strconv.Itoa(t.version)
}

func (t *simulatedCluster) names() []string { return slices.Sorted(maps.Keys(t.people)) }

// other returns the name of another person.
func (t *simulatedCluster) other(name string) string {
	return slices.DeleteFunc(t.names(), func(other string) bool { return other == name })[0]
}

// owned reports whether any person has the access of an owner.
func (t *simulatedCluster) owned() bool {
	for _, c := range t.people {
		if c.owns() {
			return true
		}
	}
	return false
}

func (c *simulatedPerson) owns() bool {
	return slices.ContainsFunc(c.bindings, func(b rbacv1.RoleBinding) bool { return b.RoleRef.Name == "owner" })
}

// change is a change that a user makes to a Membership.
type change struct {
	name string
	do   func(t *simulatedCluster, c *simulatedPerson)
}

func edit(how func(*accountsv1.MembershipSpec)) func(*simulatedCluster, *simulatedPerson) {
	return func(t *simulatedCluster, c *simulatedPerson) {
		how(&c.membership.Spec)
		c.membership.Generation++
		t.touch(&c.membership.ObjectMeta)
	}
}

var (
	suspend = change{"suspend", edit(func(s *accountsv1.MembershipSpec) { s.State = accountsv1.MembershipSwitchSuspended })}
	resume  = change{"resume", edit(func(s *accountsv1.MembershipSpec) { s.State = accountsv1.MembershipSwitchActive })}
)

var removals = []change{
	{"delete", func(t *simulatedCluster, c *simulatedPerson) {
		if c.membership.DeletionTimestamp == nil {
			c.membership.DeletionTimestamp = &metav1.Time{Time: noon}
			c.membership.Generation++
			t.touch(&c.membership.ObjectMeta)
		}
	}},
	{"demote", edit(func(s *accountsv1.MembershipSpec) { s.Role = "member" })},
	{"deny", edit(func(s *accountsv1.MembershipSpec) {
		s.Permissions = []accountsv1.PermissionOverride{{Effect: accountsv1.EffectDeny, Permission: "own", Resources: []accountsv1.CatalogueName{"home"}}}
	})},
	suspend,
	{"leave", func(t *simulatedCluster, c *simulatedPerson) {
		c.account.Status.Leaving = []accountsv1.MembershipReference{{Namespace: "acme", Name: accountsv1.CatalogueName(c.membership.Name)}}
		t.touch(&c.account.ObjectMeta)
	}},
}

var others = []change{
	{"promote", edit(func(s *accountsv1.MembershipSpec) { s.Role = "owner" })},
	{"permit", edit(func(s *accountsv1.MembershipSpec) { s.Permissions = nil })},
	resume,
	{"rename", edit(func(s *accountsv1.MembershipSpec) { s.GivenName += "x" })},
}

// ask makes one change to a Membership that still exists.
func (t *simulatedCluster) ask(name string, changes []change) {
	if c := t.people[name]; c.membership != nil {
		asked := changes[t.rand.IntN(len(changes))]
		asked.do(t, c)
		t.happened = append(t.happened, asked.name+" "+name)
	}
}

// work is one step of one reconciler. From time to time the others pause, some of them
// between reading and writing.
func (t *simulatedCluster) work() {
	if t.steps == nil || t.rand.IntN(12) == 0 {
		t.steps = nil
		for _, m := range t.mayors {
			t.steps = append(t.steps, func() { t.govern(m) })
		}
		for _, name := range t.names() {
			t.steps = append(t.steps, func() { t.look(name) }, func() { t.file(name) })
		}
		t.rand.Shuffle(len(t.steps), func(i, j int) { t.steps[i], t.steps[j] = t.steps[j], t.steps[i] })
		t.steps = t.steps[:1+t.rand.IntN(len(t.steps))]
	}
	t.steps[t.rand.IntN(len(t.steps))]()
}

// govern is one step of a reconciler of the Organization.
func (t *simulatedCluster) govern(m *organizationReconciler) {
	switch m.step {
	case 0:
		m.org, m.people = t.org.DeepCopy(), nil
	case 1:
		for _, name := range t.names() {
			if c := t.people[name]; c.membership != nil {
				m.people = append(m.people, organization.Person{Membership: c.membership.DeepCopy()})
			}
		}
	case 2:
		m.people = slices.DeleteFunc(m.people, func(p organization.Person) bool {
			name := types.NamespacedName{Namespace: "acme", Name: p.Membership.Name}
			return !membership.IsHeldBy(t.people[name.Name].account, name, p.Membership.Spec.Email)
		})
		for i, p := range m.people {
			m.people[i].Leaving = len(t.people[p.Membership.Name].account.Status.Leaving) > 0
		}
	case 3:
		owners := organization.Owners(m.org, m.people)
		if m.org.ResourceVersion == t.org.ResourceVersion && !slices.Equal(owners, t.org.Status.Owners) {
			t.org.Status.Owners = owners
			t.touch(&t.org.ObjectMeta)
			t.happened = append(t.happened, fmt.Sprint("list ", owners))
		}
	}
	m.step = (m.step + 1) % 4
}

// look is one step of the reconciler of a Membership.
func (t *simulatedCluster) look(name string) {
	c := t.people[name]
	w := &c.warden
	switch w.step {
	case 0:
		if c.membership == nil {
			return
		}
		w.facts = membership.Facts{Now: noon, Membership: c.membership.DeepCopy(), Account: c.account.DeepCopy(), Cluster: grant.Cluster{
			Namespaces:   []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "acme"}}},
			ClusterRoles: map[string]grant.ClusterRole{"owner": {Exists: true, Bindable: true}, "view": {Exists: true, Bindable: true}},
		}}
		if !membership.IsHeldBy(w.facts.Account, types.NamespacedName{Namespace: "acme", Name: name}, c.membership.Spec.Email) {
			w.facts.Account = nil
		}
	case 1:
		w.facts.Organization, w.facts.Bindings = t.org.DeepCopy(), slices.Clone(c.bindings)
		w.plan = membership.Decide(w.facts)
	case 2:
		c.bindings = slices.DeleteFunc(c.bindings, func(b rbacv1.RoleBinding) bool {
			return slices.ContainsFunc(w.plan.Delete, func(d rbacv1.RoleBinding) bool { return d.Name == b.Name })
		})
		if len(w.plan.Delete) > 0 {
			t.happened = append(t.happened, "withdraw "+name)
		}
	case 3:
		for _, b := range w.plan.Apply {
			if !slices.ContainsFunc(c.bindings, func(have rbacv1.RoleBinding) bool { return have.Name == b.Name }) {
				c.bindings = append(c.bindings, b)
			}
		}
	case 4:
		switch same := c.membership != nil && c.membership.ResourceVersion == w.facts.Membership.ResourceVersion; {
		case same && w.plan.RemoveFinalizer:
			c.membership = nil
			t.happened = append(t.happened, "gone "+name)
		case same && !w.plan.RemoveFinalizer:
			if status := membership.Report(w.facts); !equality.Semantic.DeepEqual(status, c.membership.Status) {
				c.membership.Status = status
				t.touch(&c.membership.ObjectMeta)
			}
		}
	}
	w.step = (w.step + 1) % 5
}

// file is one step of the reconciler of an Account.
func (t *simulatedCluster) file(name string) {
	c := t.people[name]
	key := types.NamespacedName{Namespace: "acme", Name: name}
	switch c.clerk.step {
	case 0:
		c.clerk.facts = account.Facts{Now: noon, Account: c.account.DeepCopy()}
	case 1:
		if c.membership == nil {
			c.clerk.facts.Account = nil
			break
		}
		if c.membership.DeletionTimestamp != nil {
			c.clerk.facts.Leaving = []types.NamespacedName{key}
		}
	case 2:
		if _, listed := t.org.Owner(name); listed {
			c.clerk.facts.Leaving, c.clerk.facts.Retained = nil, []types.NamespacedName{key}
		}
	case 3:
		if seen := c.clerk.facts.Account; seen != nil && seen.ResourceVersion == c.account.ResourceVersion {
			if plan := account.Decide(c.clerk.facts); plan.Record != nil {
				c.account.Annotations[accountsv1.MembershipsAnnotation] = *plan.Record
				t.touch(&c.account.ObjectMeta)
				t.happened = append(t.happened, "record without "+name)
			}
		}
	}
	c.clerk.step = (c.clerk.step + 1) % 4
}

// settle lets every reconciler finish, and reconcile again until everything is as it
// should be.
func (t *simulatedCluster) settle() {
	for quiet := 0; quiet < 3; quiet++ { // the pending write, then what follows
		before := t.version
		for _, m := range t.mayors {
			t.finish(&m.step, func() { t.govern(m) })
		}
		for _, name := range t.names() {
			c := t.people[name]
			t.finish(&c.warden.step, func() { t.look(name) })
			t.finish(&c.clerk.step, func() { t.file(name) })
		}
		if t.version != before {
			quiet = -1
		}
	}
}

func (t *simulatedCluster) finish(step *int, do func()) {
	for do(); *step != 0; {
		do()
	}
}

// wants reports whether the person is an owner and is to stay one.
func (c *simulatedPerson) wants() bool {
	m := c.membership
	return m != nil && m.DeletionTimestamp == nil && m.Spec.Role == "owner" && m.Spec.State != accountsv1.MembershipSwitchSuspended &&
		len(m.Spec.Permissions) == 0 && len(c.account.Status.Leaving) == 0
}

// inTheEnd returns what is wrong once nothing happens any more.
func (t *simulatedCluster) inTheEnd() string {
	t.settle()
	var wanted, have []string
	for _, name := range t.names() {
		if c := t.people[name]; c.wants() {
			wanted = append(wanted, name)
		}
		if t.people[name].owns() {
			have = append(have, name)
		}
	}
	var listed []string
	for _, owner := range t.org.Status.Owners {
		listed = append(listed, string(owner.Name))
	}
	slices.Sort(listed)
	switch {
	case !slices.Equal(listed, have):
		return fmt.Sprintf("%v are owners, and %v are listed", have, listed)
	case len(wanted) > 0 && !slices.Equal(wanted, have):
		return fmt.Sprintf("%v are owners, and %v should be", have, wanted)
	case len(wanted) == 0 && len(have) != 1:
		return fmt.Sprintf("%v are owners, and one of them should be retained", have)
	}
	return ""
}
