// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An Organization", func() {
	var w world

	BeforeEach(func() { w = aWorld() })

	It("creates its home namespace and reports that its catalogue can be granted", Label("K1"), func(ctx SpecContext) {
		org := w.organization()
		create(ctx, org)
		eventually(ctx, org, beReady(),
			haveCondition("NamespaceReady", metav1.ConditionTrue, "Reconciled"),
			haveCondition("CatalogueValid", metav1.ConditionTrue, "Reconciled"))
		Expect(k8s.Get(ctx, client.ObjectKey{Name: w.name}, &corev1.Namespace{})).To(Succeed())
	})

	It("uses an existing namespace, and never changes or deletes it", Label("K1"), func(ctx SpecContext) {
		home := namespace(w.name)
		home.Labels = map[string]string{"team": "acme"}
		create(ctx, home)
		org := w.organization()
		create(ctx, org)
		eventually(ctx, org, beReady())
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
		before := home.DeepCopy()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(home), home)).To(Succeed())
		Expect(home).To(Equal(before))
	})

	DescribeTable("reports each fault of its catalogue by name:", func(ctx SpecContext, spoil func(*accountsv1.OrganizationSpec), reason, message string) {
		org := w.organization()
		spoil(&org.Spec)
		create(ctx, org)
		eventually(ctx, org,
			haveCondition("CatalogueValid", metav1.ConditionFalse, reason),
			haveCondition("Stalled", metav1.ConditionTrue, reason),
			haveMessage("CatalogueValid", message))
	},
		Entry("a role that grants an unknown permission", func(s *accountsv1.OrganizationSpec) {
			s.Roles[0].Grants[0].Permission = "fly"
		}, "UnknownPermission", "fly (role developer)"),
		Entry("a role that grants on an unknown resource", func(s *accountsv1.OrganizationSpec) {
			s.Roles[0].Grants[0].Resources = []accountsv1.CatalogueName{"moon"}
		}, "UnknownResource", "moon (role developer)"),
		Entry("a ClusterRole that does not exist", func(s *accountsv1.OrganizationSpec) {
			s.Permissions[0].ClusterRole = "pilot"
		}, "ClusterRoleNotFound", "pilot"),
	)

	It("becomes valid as soon as a missing ClusterRole is created", Label("K1"), func(ctx SpecContext) {
		org := w.organization()
		org.Spec.Permissions[0].ClusterRole = w.name
		change(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: accountsv1.GrantableName}}, func(grantable *rbacv1.ClusterRole) {
			grantable.Rules[0].ResourceNames = append(grantable.Rules[0].ResourceNames, w.name)
		})
		create(ctx, org)
		eventually(ctx, org, haveCondition("CatalogueValid", metav1.ConditionFalse, "ClusterRoleNotFound"))
		create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: w.name}})
		eventually(ctx, org, beReady())
	})

	It("does not share its home namespace with an older Organization, and takes it over when that is deleted", func(ctx SpecContext) {
		first, second := w.organization(), w.organization()
		second.Name += "-too"
		create(ctx, first)
		eventually(ctx, first, beReady())
		create(ctx, second)
		eventually(ctx, second, haveCondition("NamespaceReady", metav1.ConditionFalse, "NamespaceTaken"), haveMessage("Ready", first.Name))
		jane := w.membership("jane")
		jane.Spec.OrganizationRef.Name = accountsv1.CatalogueName(second.Name)
		create(ctx, jane)
		eventually(ctx, jane, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "WrongNamespace"))
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		eventuallyGone(ctx, first)
		eventually(ctx, second, beReady())
		eventually(ctx, jane, haveState("Invited"), beReady())
	})

	// Go's types drop the empty fields of these selectors when they are written again.
	sparse := func() []any {
		expression := map[string]any{"key": "team", "operator": "Exists", "values": []any{}}
		return []any{
			map[string]any{"name": "every-team", "namespaces": map[string]any{"selector": map[string]any{
				"matchLabels": map[string]any{}, "matchExpressions": []any{expression},
			}}},
			map[string]any{"name": "red-team", "namespaces": map[string]any{"selector": map[string]any{
				"matchLabels": map[string]any{"team": "red"}, "matchExpressions": []any{},
			}}},
		}
	}

	It("gets its finalizer and its founders with empty fields in a selector, and can be deleted", Label("K1"), func(ctx SpecContext) {
		org := w.organization()
		org.Spec.Roles = append(org.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner, Seat: accountsv1.SeatFree})
		org.Spec.Founders = []accountsv1.Founder{{Name: "ada", Email: w.email("ada"), Role: "owner"}}
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(org)
		Expect(err).NotTo(HaveOccurred())
		raw["apiVersion"], raw["kind"] = accountsv1.GroupVersion.String(), "Organization"
		delete(raw, "status")
		resources, _, err := unstructured.NestedSlice(raw, "spec", "resources")
		Expect(err).NotTo(HaveOccurred())
		Expect(unstructured.SetNestedSlice(raw, append(resources, sparse()...), "spec", "resources")).To(Succeed())
		create(ctx, &unstructured.Unstructured{Object: raw})
		eventually(ctx, org, HaveField("Finalizers", ConsistOf(accountsv1.Finalizer)),
			HaveField("Annotations", HaveKeyWithValue(accountsv1.FoundersAnnotation, "ada")))
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
	})

	It("can be deleted after a change that left empty fields in a selector", Label("K1"), func(ctx SpecContext) {
		w.ready(ctx)
		org := w.organization()
		change, err := json.Marshal(map[string]any{"spec": map[string]any{"resources": sparse()}})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Patch(ctx, org, client.RawPatch(types.MergePatchType, change))).To(Succeed())
		eventually(ctx, org, HaveField("Status.ObservedGeneration", HaveValue(Equal(org.Generation))))
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
	})

	It("withdraws the access of all members before its deletion completes, and restores it when it is created again", Label("K1", "K4"), func(ctx SpecContext) {
		w.ready(ctx)
		m, _ := w.active(ctx)
		org := w.organization()
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
		eventually(ctx, m, haveState("Inactive"), haveCondition("Reconciling", metav1.ConditionTrue, "OrganizationNotFound"))
		create(ctx, w.organization())
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(bindings(ctx, w.staging())).To(HaveLen(1))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})
})
