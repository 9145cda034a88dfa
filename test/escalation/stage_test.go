// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package escalation_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// aggregating is the label by which a ClusterRole becomes part of acme-aggregated.
const aggregating = "example.com/aggregate-to-acme"

// collecting is the label by which a ClusterRole becomes part of acme-collected.
const collecting = "example.com/aggregate-to-collected"

// permissions are the permissions of the catalogue, with their ClusterRoles.
var permissions = map[string]string{
	"own": "usher-organization-owner", "manage": "usher-people-manager", "assign-some": "acme-assign",
	"see": "usher-people-viewer", "deploy": "edit", "administer": "admin", "look": "view",
	"operate": "acme-operate", "aggregated": "acme-aggregated", "collected": "acme-collected",
	// These are in the catalogue, but no user ever gets them.
	"everything": "cluster-admin", "escalating": "acme-escalating", "statuses": "acme-statuses",
}

// clusterRoles returns the ClusterRoles that the platform team made.
func clusterRoles() []*rbacv1.ClusterRole {
	rule := func(group, verbs, resources string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Verbs: split(verbs), Resources: split(resources), ResourceNames: names}
	}
	role := func(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	}
	part := role("acme-part", rule(widgetsGroup, "list", "widgets"))
	part.Labels = map[string]string{aggregating: "true"}
	aggregated := role("acme-aggregated")
	aggregated.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: part.Labels}}}
	// A ClusterRole that aggregates reaches as far as edit, and further.
	credentials := role("acme-credentials", rule("", "get,list", "secrets"), rule("", "create", "serviceaccounts/token"))
	credentials.Labels = map[string]string{collecting: "true"}
	collected := role("acme-collected")
	collected.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
		{MatchLabels: credentials.Labels}, {MatchLabels: map[string]string{"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
	}}
	made := []*rbacv1.ClusterRole{
		part, aggregated, credentials, collected,
		role("acme-assign", rule(accountsGroup, "assign", "roles", "developer", "guest"), rule(accountsGroup, "assign", "permissions", assignableNames()...)),
		role("acme-operate", rule(widgetsGroup, "create", "widgets")),
		role("acme-escalating", rule(rbacGroup, "bind,escalate", "roles,clusterroles")),
		role("acme-statuses", rule(accountsGroup, "get,update,patch", "memberships/status,invitations/status")),
		// The rights of the clerk and the impostor, which Usher does not know about.
		role("platform-clerk",
			rule(accountsGroup, "get,list,create,update,patch,delete,deletecollection", "memberships,memberships/status,invitations,invitations/status"),
			rule(rbacGroup, "get,list,create,update,patch,delete", "rolebindings")),
		role("platform-rules", rule(rbacGroup, "get,list,create,update,patch,delete", "clusterroles")),
	}
	for _, name := range pools["widened"] {
		made = append(made, role(name, rule(widgetsGroup, "get", "widgets")))
	}
	return made
}

// organizationOf returns the Organization of a tenant. Both tenants are of one legal
// entity, so that an Account can belong to both.
func organizationOf(name, founder string) *accountsv1.Organization {
	org := &accountsv1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}}
	org.Spec.Namespace, org.Spec.LegalEntity = accountsv1.NamespaceName(name), "Example Group"
	org.Spec.Founders = []accountsv1.Founder{{
		Name: accountsv1.CatalogueName(founder), Email: accountsv1.EmailAddress(emailOf(founder)), Role: "owner",
	}}
	neighbour := map[string]string{home: otherHome, otherHome: home}[name]
	for resource, namespace := range map[string]string{"home": name, "staging": name + "-staging", "neighbour": neighbour} {
		org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{
			Name:       accountsv1.CatalogueName(resource),
			Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{accountsv1.NamespaceName(namespace)}},
		})
	}
	org.Spec.Resources = append(org.Spec.Resources, accountsv1.Resource{
		Name: "everywhere",
		Namespaces: accountsv1.ResourceNamespaces{Selector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "example.com/never-set", Operator: metav1.LabelSelectorOpDoesNotExist}},
		}},
	})
	for permission, clusterRole := range permissions {
		org.Spec.Permissions = append(org.Spec.Permissions, accountsv1.Permission{
			Name: accountsv1.CatalogueName(permission), ClusterRole: clusterRole,
		})
	}
	for role, granted := range roleGrants {
		r := accountsv1.Role{Name: accountsv1.CatalogueName(role), Standing: standings[role]}
		for _, g := range granted {
			r.Grants = append(r.Grants, accountsv1.Grant{
				Permission: accountsv1.CatalogueName(g.permission), Resources: []accountsv1.CatalogueName{accountsv1.CatalogueName(g.resource)},
			})
		}
		org.Spec.Roles = append(org.Spec.Roles, r)
	}
	return org
}

// granted is one permission on one resource.
type granted struct{ permission, resource string }

// roleGrants holds the grants of each role of the catalogue.
var roleGrants = map[string][]granted{
	"owner":   {{"own", "home"}},
	"manager": {{"manage", "home"}, {"assign-some", "home"}},
	"developer": append([]granted{{"deploy", "staging"}, {"aggregated", "staging"}},
		grantedEach(pools["widened"], "staging")...),
	"guest":    {{"look", "staging"}},
	"observer": {{"look", "staging"}},
}

var standings = map[string]accountsv1.RoleStanding{"owner": accountsv1.StandingOwner, "guest": accountsv1.StandingGuest}

func grantedEach(names []string, resource string) []granted {
	var list []granted
	for _, name := range names {
		permissions[name] = name
		list = append(list, granted{name, resource})
	}
	return list
}

// membershipOf returns a person's Membership of acme.
func membershipOf(person, role string) *accountsv1.Membership {
	m := &accountsv1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: person}}
	m.Spec = accountsv1.MembershipSpec{
		OrganizationRef: accountsv1.OrganizationReference{Name: home},
		Email:           accountsv1.EmailAddress(emailOf(person)), Role: accountsv1.CatalogueName(role),
	}
	return m
}

// accountOf returns an Account that a person uses. record is its record of
// Memberships.
func accountOf(person, record string) *accountsv1.Account {
	a := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{
		Name: person, Finalizers: []string{accountsv1.Finalizer},
		Annotations: map[string]string{accountsv1.MembershipsAnnotation: record},
	}}
	a.Spec.Email = accountsv1.EmailAddress(emailOf(person))
	a.Spec.InvitationRef = accountsv1.InvitationReference{Namespace: home, Name: accountsv1.CatalogueName(person), UID: "1"}
	return a
}

// setTheStage creates two tenants and their people, and waits until all of them have
// the access that they should have.
func setTheStage(ctx context.Context) {
	GinkgoHelper()
	for _, namespace := range []string{staging, otherHome + "-staging", home, otherHome} {
		create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	}
	for _, role := range clusterRoles() {
		create(ctx, role)
	}
	givePlainRights(ctx)
	startUsher(ctx)
	for _, founded := range [][2]string{{home, "ada"}, {otherHome, "oscar"}} {
		create(ctx, accountOf(founded[1], founded[0]+"/"+founded[1]))
	}
	everybody := map[string]string{"otto": "owner", "max": "manager", "mia": "developer", "gus": "guest"}
	for pool, role := range map[string]string{"member": "developer", "denied": "developer", "guest": "guest"} {
		for _, person := range pools[pool] {
			everybody[person] = role
		}
	}
	create(ctx, organizationOf(otherHome, "oscar"))
	create(ctx, organizationOf(home, "ada"))
	waitForPolicies(ctx, metav1.ConditionTrue)
	// What is created in the second in which the policies came into force does not
	// count yet.
	next := time.Now().Add(time.Second)
	Eventually(ctx, time.Now).Should(BeTemporally(">", next))
	for person, role := range everybody {
		create(ctx, accountOf(person, home+"/"+person))
		m := membershipOf(person, role)
		if slices.Contains(pools["denied"], person) {
			m.Spec.Permissions = []accountsv1.PermissionOverride{{
				Effect: accountsv1.EffectDeny, Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"},
			}}
		}
		create(ctx, m)
	}
	for _, person := range slices.Concat(pools["outsider"], pools["invited"]) {
		create(ctx, accountOf(person, ""))
	}
	for _, person := range pools["invited"] {
		invited := &accountsv1.Invitation{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: person}}
		invited.Spec.OrganizationRef.Name, invited.Spec.Role = home, "owner"
		invited.Spec.Email = accountsv1.EmailAddress(emailOf(person))
		create(ctx, invited)
	}
	settle(ctx)
	var list accountsv1.MembershipList
	Expect(admin.List(ctx, &list, client.InNamespace(home))).To(Succeed())
	for i := range list.Items {
		Expect(meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, accountsv1.ConditionPermissionsApplied)).
			To(BeTrue(), "%s: %v", list.Items[i].Name, list.Items[i].Status)
	}
}

// givePlainRights binds the rights that do not come from Usher, and lets Usher bind
// the ClusterRoles of the platform.
func givePlainRights(ctx context.Context) {
	GinkgoHelper()
	subject := func(users ...string) (subjects []rbacv1.Subject) {
		for _, user := range users {
			subjects = append(subjects, rbacv1.Subject{APIGroup: rbacGroup, Kind: rbacv1.UserKind, Name: user})
		}
		return subjects
	}
	ref := func(clusterRole string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacGroup, Kind: "ClusterRole", Name: clusterRole}
	}
	for clusterRole, users := range map[string][]string{
		"cluster-admin": {clusterAdmin.user}, "platform-rules": {clerk.user, impostor.user},
	} {
		create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "platform-" + clusterRole}, RoleRef: ref(clusterRole), Subjects: subject(users...),
		})
	}
	for _, namespace := range []string{home, staging} {
		create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "platform-clerk"},
			RoleRef:    ref("platform-clerk"), Subjects: subject(clerk.user, impostor.user),
		})
	}
	// A separate user gets each permission by a plain RoleBinding, so that its worth
	// can be measured.
	for permission, clusterRole := range permissions {
		if slices.Contains(neverGiven, permission) {
			continue
		}
		for resource, reached := range namespaces {
			for _, namespace := range reached {
				create(ctx, &rbacv1.RoleBinding{
					ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "worth-of-" + permission + "-on-" + resource},
					RoleRef:    ref(clusterRole), Subjects: subject(worthUser(granted{permission, resource})),
				})
			}
		}
	}
	grantable := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: accountsv1.GrantableName}, grantable)).To(Succeed())
	for _, clusterRole := range permissions {
		if names := &grantable.Rules[0].ResourceNames; clusterRole != "cluster-admin" && !slices.Contains(*names, clusterRole) {
			*names = append(*names, clusterRole)
		}
	}
	Expect(admin.Update(ctx, grantable)).To(Succeed())
}

func create(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Expect(admin.Create(ctx, o)).To(Succeed())
}
