// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package rights_test

import (
	"context"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
)

// The refusals of the policies.
const (
	theLabels   = "Do not change the labels app.kubernetes.io/managed-by and accounts.usher.dev of this RoleBinding"
	noFinalizer = "Do not add a finalizer to this RoleBinding"
	notItsName  = "The controller may only write its own RoleBindings, whose names begin with usher:"
	notThere    = "The controller may not grant anything in a system namespace or in one of Usher's own namespaces"
	noRole      = "The controller may only bind ClusterRoles, not Roles"
	noneBut     = "The controller may only bind Users whose names begin with usher:"
)

// theBindingFor creates a RoleBinding as Usher creates it for a Membership of the
// namespace.
func theBindingFor(ctx context.Context, home string) *rbacv1.RoleBinding {
	GinkgoHelper()
	binding := aBinding("usher-people-manager")
	binding.GenerateName, binding.Name, binding.Namespace = "", "usher:acme:jane:usher-people-manager", home
	binding.Labels = map[string]string{
		accountsv1.ManagedByLabel: accountsv1.ManagedByValue, accountsv1.OrganizationLabel: "acme",
		accountsv1.MembershipNamespaceLabel: home, accountsv1.MembershipNameLabel: "jane", accountsv1.AccountLabel: "jane",
		"team": "blue",
	}
	Expect(admin.Create(ctx, binding)).To(Succeed())
	return binding
}

var _ = Describe("The labels of Usher's RoleBindings", Ordered, Label("K4", "K5"), func() {
	const writer = "usher:binds"
	var home string
	var binding *rbacv1.RoleBinding
	bindings := rbacv1.PolicyRule{
		APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "clusterroles"}, Verbs: []string{"get", "update", "patch", "delete", "bind"},
	}
	BeforeAll(func(ctx SpecContext) {
		policiesInForce(ctx)
		home = aHome(ctx)
		binding = theBindingFor(ctx, home)
		allowVerbs(ctx, writer, home, bindings)
	})

	labels := func(change func(map[string]string)) func(client.Object) {
		return func(o client.Object) {
			changed := maps.Clone(o.GetLabels())
			change(changed)
			o.SetLabels(changed)
		}
	}
	stripped := func(o client.Object) { o.SetLabels(nil) }
	ours := func() []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(binding.Labels)), func(key string) bool { return key == "team" })
	}

	It("cannot be changed with the right to write RoleBindings", func(ctx SpecContext) {
		expectEachWay(ctx, writer, binding, stripped, beForbiddenAs(theLabels), "none")
		expectEachWay(ctx, writer, binding, labels(func(l map[string]string) { l["accounts.usher.dev/more"] = "x" }), beForbiddenAs(theLabels), "one more")
		for _, key := range ours() {
			expectEachWay(ctx, writer, binding, labels(func(l map[string]string) { delete(l, key) }), beForbiddenAs(theLabels), key+" removed")
			expectEachWay(ctx, writer, binding, labels(func(l map[string]string) { l[key] = "mallory" }), beForbiddenAs(theLabels), key+" changed")
			expectEachWay(ctx, writer, binding, func(o client.Object) {
				labels(func(l map[string]string) { delete(l, key) })(o)
				o.(*rbacv1.RoleBinding).Subjects[0].Name = "usher:mallory"
			}, beForbiddenAs(theLabels), key+" removed with the subject changed")
		}
	})

	It("are the only protected part: other labels, the subjects and the object itself are left to RBAC", func(ctx SpecContext) {
		expectEachWay(ctx, writer, binding, labels(func(l map[string]string) { l["team"] = "red" }), Succeed(), "another label")
		expectEachWay(ctx, writer, binding, labels(func(l map[string]string) { delete(l, "team") }), Succeed(), "one label less")
		expectEachWay(ctx, writer, binding, func(o client.Object) { o.(*rbacv1.RoleBinding).Subjects = nil }, Succeed(), "no subjects")
		Expect(as(writer).Delete(ctx, binding, client.DryRunAll)).To(Succeed())
		for name, change := range map[string]func(*rbacv1.RoleBinding){
			"another name": func(b *rbacv1.RoleBinding) { b.Name = "usher-acme" }, "no mark": func(b *rbacv1.RoleBinding) { b.Name += "2"; b.Labels = nil },
			"another's mark": func(b *rbacv1.RoleBinding) { b.Name += "3"; b.Labels[accountsv1.ManagedByLabel] = "Helm" },
		} {
			other := binding.DeepCopy()
			other.ResourceVersion, other.UID = "", types.UID("")
			change(other)
			Expect(admin.Create(ctx, other)).To(Succeed())
			expectEachWay(ctx, writer, other, stripped, Succeed(), name)
		}
	})

	It("are safe from finalizers of other clients, which would keep the access after the Membership is deleted", func(ctx SpecContext) {
		const holder = "usher:holds" // RBAC requires no bind verb for changes of finalizers alone
		allowVerbs(ctx, holder, home, rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"get", "update", "patch"}})
		held := finalized("example.com/hold")
		for _, user := range []string{holder, writer} {
			expectEachWay(ctx, user, binding, held, beForbiddenAs(noFinalizer), user)
			expectEachWay(ctx, user, binding, func(o client.Object) { held(o); stripped(o) }, beForbidden(), user+" with the labels removed")
		}
		there := aBinding("view", func(b *rbacv1.RoleBinding) {
			b.Namespace, b.Labels, b.Finalizers = home, binding.Labels, []string{"example.com/there", "example.com/too"}
		})
		Expect(admin.Create(ctx, there)).To(Succeed())
		expectEachWay(ctx, holder, there, finalized("example.com/there", "example.com/hold"), beForbiddenAs(noFinalizer), "another one")
		expectEachWay(ctx, holder, there, finalized("example.com/there", "example.com/too", "example.com/hold"), beForbiddenAs(noFinalizer), "one more")
		expectEachWay(ctx, holder, there, finalized("example.com/too"), Succeed(), "one less")
		expectEachWay(ctx, holder, there, finalized(), Succeed(), "none")
		there.Finalizers = nil
		Expect(admin.Update(ctx, there)).To(Succeed())
		other := aBinding("view", func(b *rbacv1.RoleBinding) { b.Namespace, b.GenerateName = home, "theirs-" })
		Expect(admin.Create(ctx, other)).To(Succeed())
		expectEachWay(ctx, holder, other, held, Succeed(), "that is not Usher's")
	})

	It("can be changed with the right to update the finalizers of the Membership that they name, as its finalizers can", func(ctx SpecContext) {
		elsewhere := aHome(ctx)
		for user, c := range map[string]struct {
			namespace string
			rule      rbacv1.PolicyRule
			may       bool
		}{
			"usher:binds-keeper":    {home, right("update", "memberships/finalizers"), true},
			"usher:binds-jane":      {home, right("update", "memberships/finalizers", "jane"), true},
			"usher:binds-john":      {home, right("update", "memberships/finalizers", "john"), false},
			"usher:binds-elsewhere": {elsewhere, right("update", "memberships/finalizers"), false},
			"usher:binds-manager":   {home, right("update", "memberships"), false},
		} {
			expected, held := beForbiddenAs(theLabels), beForbiddenAs(noFinalizer)
			if c.may {
				expected, held = Succeed(), Succeed()
			}
			allowVerbs(ctx, user, home, bindings)
			allowVerbs(ctx, user, c.namespace, c.rule)
			expectEachWay(ctx, user, binding, stripped, expected, user)
			expectEachWay(ctx, user, binding, finalized("example.com/hold"), held, user)
			expectEachWay(ctx, user, binding, labels(func(l map[string]string) { l[accountsv1.MembershipNamespaceLabel] = elsewhere }), expected, user)
		}
	})
})

var _ = Describe("The RoleBindings that the controller writes", Ordered, Label("K6", "C1"), func() {
	BeforeAll(policiesInForce)

	// applied writes a RoleBinding as the controller writes it.
	applied := func(ctx context.Context, namespace, name string, subjects ...*rbacv1ac.SubjectApplyConfiguration) error {
		return controller.Apply(ctx, rbacv1ac.RoleBinding(name, namespace).WithSubjects(subjects...).
			WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("view")),
			client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
	}
	subject := func(kind, name string) *rbacv1ac.SubjectApplyConfiguration {
		s := rbacv1ac.Subject().WithKind(kind).WithName(name)
		if kind == rbacv1.ServiceAccountKind {
			return s.WithNamespace("default")
		}
		return s.WithAPIGroup(rbacv1.GroupName)
	}
	jane := subject(rbacv1.UserKind, "usher:jane")
	// bindsRoles is a right that the controller lacks. With it, RBAC allows the
	// request, so that the policy decides.
	bindsRoles := rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles"}, Verbs: []string{"bind"}}
	there := func(ctx context.Context, namespace string, changes ...func(*rbacv1.RoleBinding)) *rbacv1.RoleBinding {
		GinkgoHelper()
		b := aBinding("view", append([]func(*rbacv1.RoleBinding){func(b *rbacv1.RoleBinding) { b.Namespace = namespace }}, changes...)...)
		Expect(admin.Create(ctx, b)).To(Succeed())
		return b
	}

	It("bind people, in every namespace in which they have a grant", func(ctx SpecContext) {
		home := aHome(ctx)
		Expect(applied(ctx, home, "usher:acme:jane:view", jane)).To(Succeed())
		Expect(applied(ctx, home, "usher:acme:jane:view", subject(rbacv1.UserKind, "usher:janet"))).To(Succeed(), "again")
		Expect(applied(ctx, home, "usher:acme:jane:view")).To(Succeed(), "without subjects")
		b := aBinding("view")
		b.Namespace, b.GenerateName, b.Name = home, "", "usher:acme:jane:view"
		Expect(controller.Delete(ctx, b)).To(Succeed())
	})

	It("bind no other subjects, and only ClusterRoles", func(ctx SpecContext) {
		home := aHome(ctx)
		for _, other := range []*rbacv1ac.SubjectApplyConfiguration{
			subject(rbacv1.UserKind, "mallory"), subject(rbacv1.UserKind, "system:admin"), subject(rbacv1.GroupKind, "usher:team"),
			subject(rbacv1.GroupKind, "system:authenticated"), subject(rbacv1.ServiceAccountKind, "default"), subject(rbacv1.UserKind, "a-usher:jane"),
		} {
			Expect(applied(ctx, home, "usher:acme:jane:view", other)).To(beForbiddenAs(noneBut), *other.Name)
			Expect(applied(ctx, home, "usher:acme:jane:view", jane, other)).To(beForbiddenAs(noneBut), *other.Name)
		}
		b := there(ctx, home)
		changed := b.DeepCopy()
		changed.Subjects[0].Name = "mallory"
		Expect(controller.Patch(ctx, changed, client.MergeFrom(b))).To(beForbiddenAs(noneBut))

		allowVerbs(ctx, controllerUser, home, bindsRoles)
		Expect(controller.Create(ctx, aBinding("view", func(b *rbacv1.RoleBinding) { b.Namespace, b.RoleRef.Kind = home, "Role" }))).To(beForbiddenAs(noRole))
	})

	It("have Usher's names, and leave all others alone", func(ctx SpecContext) {
		home := aHome(ctx)
		for _, name := range []string{"admins", "usher", "usher-controller", "an-usher:acme:jane:view"} {
			Expect(applied(ctx, home, name, jane)).To(beForbiddenAs(notItsName), name)
			other := there(ctx, home, func(b *rbacv1.RoleBinding) { b.GenerateName, b.Name = "", name })
			Expect(applied(ctx, home, name, jane)).To(beForbiddenAs(notItsName), name)
			labelled := other.DeepCopy()
			labelled.Labels = map[string]string{"team": "blue"}
			Expect(controller.Patch(ctx, labelled, client.MergeFrom(other))).To(beForbiddenAs(notItsName), name)
			Expect(controller.Delete(ctx, other)).To(beForbiddenAs(notItsName), name)
		}
	})

	It("give no access in the system's and Usher's own namespaces, where the controller can still remove access", func(ctx SpecContext) {
		for _, namespace := range []string{"kube-system", "kube-public", "kube-node-lease", cluster.Namespace, accountsv1.CredentialsNamespace} {
			Expect(applied(ctx, namespace, "usher:acme:jane:view", jane)).To(beForbiddenAs(notThere), namespace)
			Expect(applied(ctx, namespace, "usher:acme:jane:view")).To(beForbiddenAs(notThere), "%s, without subjects", namespace)
			planted := there(ctx, namespace)
			Expect(applied(ctx, namespace, planted.Name, jane, subject(rbacv1.UserKind, "usher:john"))).To(beForbiddenAs(notThere), namespace)
			emptied := planted.DeepCopy()
			emptied.Subjects = nil
			Expect(controller.Patch(ctx, emptied, client.MergeFrom(planted))).To(Succeed(), namespace)
			Expect(controller.Delete(ctx, planted)).To(Succeed(), namespace)
		}
	})

	It("can always be removed, even after others have changed them, and while their namespace is being deleted", func(ctx SpecContext) {
		home := aHome(ctx)
		others := func(b *rbacv1.RoleBinding) {
			b.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}}
			b.RoleRef.Kind, b.Labels, b.Finalizers = "Role", nil, []string{"example.com/hold"}
		}
		allowVerbs(ctx, controllerUser, home, bindsRoles)
		b, another := there(ctx, home, others), there(ctx, home)
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}
		Expect(controller.Delete(ctx, b)).To(Succeed())
		Expect(admin.Delete(ctx, namespace)).To(Succeed())
		Expect(client.IgnoreNotFound(controller.Delete(ctx, another))).To(Succeed())
		before := b.DeepCopy()
		b.Subjects = nil
		Expect(controller.Patch(ctx, b, client.MergeFrom(before))).To(Succeed())
		b.Finalizers = nil
		Expect(admin.Update(ctx, b)).To(Succeed())
	})
})
