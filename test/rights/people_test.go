// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
)

// The parts of Kubernetes that delete what belongs to a namespace or an owner, and
// Usher's controller.
const (
	namespaceController = "system:serviceaccount:kube-system:namespace-controller"
	garbageCollector    = "system:serviceaccount:kube-system:generic-garbage-collector"
	controllerManager   = "system:kube-controller-manager"
	controllerUser      = "system:serviceaccount:" + cluster.Namespace + ":usher-controller"
)

// as returns a client that impersonates a user, with the rights that the spec has
// given them and no others.
func as(user string) client.WithWatch {
	GinkgoHelper()
	config := kube.Admin()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	person, err := client.NewWithWatch(config, client.Options{Scheme: kube.Scheme})
	Expect(err).NotTo(HaveOccurred())
	return person
}

// aHome creates a namespace that only one spec uses.
func aHome(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "home-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// right returns a rule for Usher's API group. Verbs and resources are separated by
// commas.
func right(verbs, resources string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{accountsv1.GroupVersion.Group}, Verbs: strings.Split(verbs, ","),
		Resources: strings.Split(resources, ","), ResourceNames: names,
	}
}

// allowVerbs gives a user rights in a namespace or, without one, in all namespaces.
func allowVerbs(ctx context.Context, user, namespace string, rules ...rbacv1.PolicyRule) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-up-"}, Rules: rules}
	Expect(admin.Create(ctx, role)).To(Succeed())
	bind(ctx, user, namespace, role.Name)
}

// bind binds a ClusterRole to a user and waits until the binding takes effect.
func bind(ctx context.Context, user, namespace, clusterRole string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: namespace, GenerateName: "made-up-"}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	if namespace == "" {
		Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})).To(Succeed())
	} else {
		Expect(admin.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})).To(Succeed())
	}
	role := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: clusterRole}, role)).To(Succeed())
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				name := append(rule.ResourceNames, "")[0]
				Eventually(ctx, allowed).WithArguments(user, namespace, rule.APIGroups[0], resource, name, verb).Should(BeTrue(),
					"%s to %s %s %s", user, verb, resource, name)
			}
		}
	}
}

// allowed asks the API server whether a user has a right.
func allowed(ctx context.Context, user, namespace, group, resource, name, verb string) (bool, error) {
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: []string{"system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: group, Resource: resource, Subresource: subresource, Name: name, Verb: verb,
		},
	}}
	err := admin.Create(ctx, review)
	return review.Status.Allowed, err
}

// aServiceAccount creates a service account in a namespace, and returns a client for
// it and its user name.
func aServiceAccount(ctx context.Context, namespace, name string) (client.WithWatch, string) {
	GinkgoHelper()
	Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})).To(Succeed())
	config, err := kube.ServiceAccountConfig(ctx, namespace, name)
	Expect(err).NotTo(HaveOccurred())
	account, err := client.NewWithWatch(config, client.Options{Scheme: kube.Scheme})
	Expect(err).NotTo(HaveOccurred())
	review := &authenticationv1.SelfSubjectReview{}
	Expect(account.Create(ctx, review)).To(Succeed())
	return account, review.Status.UserInfo.Username
}

// aMemberOf returns a Membership with this role, without creating it.
func aMemberOf(home, role string, changes ...func(*accountsv1.Membership)) *accountsv1.Membership {
	m := aMembership()
	m.Namespace, m.Name, m.GenerateName = home, "", "jane-"
	m.Spec.Role = accountsv1.CatalogueName(role)
	for _, change := range changes {
		change(m)
	}
	return m
}

// theMemberOf creates a Membership with this role, as the cluster admin.
func theMemberOf(ctx context.Context, home, role string, changes ...func(*accountsv1.Membership)) *accountsv1.Membership {
	GinkgoHelper()
	m := aMemberOf(home, role, changes...)
	status := m.Status
	Expect(admin.Create(ctx, m)).To(Succeed())
	if len(status.Conditions) > 0 || status.AccountRef.Name != "" {
		m.Status = status
		Expect(admin.Status().Update(ctx, m)).To(Succeed())
	}
	return m
}

// anInvitationTo returns an Invitation to this role, without creating it.
func anInvitationTo(home, role string) *accountsv1.Invitation {
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, GenerateName: "john-"},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: "acme"}, Email: "john@example.com",
			Role: accountsv1.CatalogueName(role),
		},
	}
}

// overrides allows or denies permissions, each on one resource.
func overrides(effect accountsv1.Effect, permissions ...string) func(*accountsv1.Membership) {
	return func(m *accountsv1.Membership) {
		for _, permission := range permissions {
			m.Spec.Permissions = append(m.Spec.Permissions, accountsv1.PermissionOverride{
				Effect: effect, Permission: accountsv1.CatalogueName(permission), Resources: []accountsv1.CatalogueName{"staging"},
			})
		}
	}
}

// updating changes a copy of an object and saves it as the client's user, with one
// update.
func updating[T client.Object](ctx context.Context, person client.Client, object T, change func(T)) error {
	changed, _ := object.DeepCopyObject().(T)
	change(changed)
	return person.Update(ctx, changed)
}

// patchingWith is updating by a patch.
func patchingWith[T client.Object](ctx context.Context, person client.Client, object T, change func(T)) error {
	changed, _ := object.DeepCopyObject().(T)
	change(changed)
	return person.Patch(ctx, changed, client.MergeFrom(object))
}
