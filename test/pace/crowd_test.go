// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package pace_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

const (
	acme       = "acme"
	staging    = "acme-staging"
	production = "acme-production"
	lab        = "acme-lab"
	later      = "acme-later"
	auditor    = "auditor"

	// singles is the number of members who are changed one by one, for each kind of
	// change.
	singles = 100
	// bystanders is the number of members with a role that no spec edits.
	bystanders = 50
	// parallelRequests is the number of requests that are made at a time.
	parallelRequests = 8
)

// labLabel makes a namespace a lab.
var labLabel = map[string]string{"example.com/lab": "yes"}

// The members: developers share a role. The specs change some of them one by one, and
// delete the leavers. Observers have another role.
var developers, changing, leavers, observers []string

// enrol sets the names of the members.
func enrol() {
	name := func(kind string, count int) (names []string) {
		for i := range count {
			names = append(names, fmt.Sprintf("%s-%05d", kind, i))
		}
		return names
	}
	developers, leavers, observers = name("developer", size), name("leaver", singles), name("observer", bystanders)
	changing = developers[:min(len(developers), singles)]
}

func allMembers() []string { return slices.Concat(developers, observers) }

func grants(permission accountsv1.CatalogueName, on ...accountsv1.CatalogueName) accountsv1.Grant {
	return accountsv1.Grant{Permission: permission, Resources: on}
}

// anOrganization returns an Organization with developers, maintainers and observers.
// All members may view the labs, and a namespace that is created later, and may audit
// staging.
func anOrganization() *accountsv1.Organization {
	named := func(namespace accountsv1.NamespaceName) accountsv1.ResourceNamespaces {
		return accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{namespace}}
	}
	return &accountsv1.Organization{
		ObjectMeta: meta(acme),
		Spec: accountsv1.OrganizationSpec{
			Namespace:         acme,
			InvitationsPerDay: 100000,
			Resources: []accountsv1.Resource{
				{Name: "staging", Namespaces: named(staging)},
				{Name: "production", Namespaces: named(production)},
				{Name: "later", Namespaces: named(later)},
				{Name: "labs", Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{MatchLabels: labLabel}}},
			},
			Permissions: []accountsv1.Permission{
				{Name: "deploy", ClusterRole: "edit"}, {Name: "look", ClusterRole: "view"}, {Name: "audit", ClusterRole: auditor},
			},
			Roles: []accountsv1.Role{
				{Name: "developer", Grants: []accountsv1.Grant{grants("deploy", "staging")}},
				{Name: "maintainer", Grants: []accountsv1.Grant{grants("deploy", "staging"), grants("look", "staging")}},
				{Name: "observer", Grants: []accountsv1.Grant{grants("look", "staging")}},
			},
			DefaultGrants: []accountsv1.Grant{grants("look", "labs", "later"), grants("audit", "staging")},
		},
	}
}

func aMember(name string, role accountsv1.CatalogueName) (*accountsv1.Membership, *accountsv1.Account) {
	email := accountsv1.EmailAddress(name + "@example.com")
	m := &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: acme, Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: acme}, Email: email, Role: role,
		},
	}
	return m, &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Finalizers: []string{accountsv1.Finalizer},
			Annotations: map[string]string{accountsv1.MembershipsAnnotation: acme + "/" + name},
		},
		Spec: accountsv1.AccountSpec{
			Email: email, InvitationRef: accountsv1.InvitationReference{Namespace: acme, Name: accountsv1.CatalogueName(name), UID: "1"},
		},
	}
}

// settle creates the Organization and its members before Usher starts. They count as
// members who accepted long ago, so Usher has no one to invite.
func settle(ctx context.Context) {
	GinkgoHelper()
	enrol()
	for _, namespace := range []string{acme, staging, production, lab} {
		create(ctx, &corev1.Namespace{ObjectMeta: meta(namespace)})
	}
	create(ctx, anAuditor(), anOrganization())
	inParallel(slices.Concat(developers, leavers, observers), func(name string) {
		role := accountsv1.CatalogueName("developer")
		if slices.Contains(observers, name) {
			role = "observer"
		}
		m, a := aMember(name, role)
		create(ctx, a, m)
	})
}

func anAuditor() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{ObjectMeta: meta(auditor), Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"},
	}}}
}

// inParallel calls do for each member, with some calls at a time.
func inParallel(members []string, do func(member string)) {
	GinkgoHelper()
	queue := make(chan string)
	var group sync.WaitGroup
	for range parallelRequests {
		group.Go(func() {
			defer GinkgoRecover()
			for member := range queue {
				do(member)
			}
		})
	}
	for _, member := range members {
		queue <- member
	}
	close(queue)
	group.Wait()
}

// changeEach makes a change for each member, and returns when the API server
// answered.
func changeEach(members []string, change func(member string) error) map[string]time.Time {
	GinkgoHelper()
	var mu sync.Mutex
	changed := map[string]time.Time{}
	inParallel(members, func(member string) {
		err := change(member)
		answered := time.Now()
		Expect(err).NotTo(HaveOccurred(), member)
		mu.Lock()
		defer mu.Unlock()
		changed[member] = answered
	})
	return changed
}

// at returns the same moment for all members.
func at(moment time.Time, members []string) map[string]time.Time {
	all := map[string]time.Time{}
	for _, m := range members {
		all[m] = moment
	}
	return all
}

// patch changes the spec of a Membership.
func patch(ctx context.Context, member, spec string) error {
	m := &accountsv1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: acme, Name: member}}
	return admin.Patch(ctx, m, client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`)))
}

// edit changes the grants of a role.
func edit(ctx context.Context, role accountsv1.CatalogueName, grants ...accountsv1.Grant) {
	GinkgoHelper()
	Eventually(func() error {
		org := &accountsv1.Organization{}
		if err := admin.Get(ctx, client.ObjectKey{Name: acme}, org); err != nil {
			return err
		}
		i := slices.IndexFunc(org.Spec.Roles, func(r accountsv1.Role) bool { return r.Name == role })
		org.Spec.Roles[i].Grants = grants
		return admin.Update(ctx, org)
	}).WithContext(ctx).Should(Succeed())
}

// quiet waits until all members have the access that the catalogue declares, and
// Usher has nothing left to write.
func quiet(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		org := &accountsv1.Organization{}
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: acme}, org)).To(Succeed())
		g.Expect(org.Status.Rollout).To(BeZero())
		g.Expect(org.Status.ObservedGeneration).To(HaveValue(Equal(org.Generation)))
		g.Expect(apimeta.IsStatusConditionTrue(org.Status.Conditions, accountsv1.ConditionPoliciesInForce)).To(BeTrue())
	}, patience()).WithContext(ctx).Should(Succeed())
	var before int
	Eventually(func() bool {
		now := len(asked.since(time.Time{}))
		defer func() { before = now }()
		return now == before
	}, patience(), 500*time.Millisecond).WithContext(ctx).Should(BeTrue(), "Usher has stopped writing")
}
