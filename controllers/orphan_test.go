// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// orphansCounted returns the value of the metric.
func orphansCounted() float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		if f.GetName() == "usher_orphaned_role_bindings" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

var _ = Describe("A RoleBinding with a name of Usher's that no Membership is behind", Label("B8"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	orphan := func(name string, labels map[string]string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.staging(), Name: name, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "usher:" + w.name + "-mallory"}},
		}
	}
	const reported = "Warning OrphanedRoleBinding"
	about := func(ctx context.Context, o client.Object) func() []string {
		return func() []string { return eventsAbout(ctx, o) }
	}

	DescribeTable("is reported and kept without Usher's labels,", func(ctx SpecContext, name func() string, as client.FieldOwner) {
		before := orphansCounted()
		b := orphan(name(), nil)
		Expect(k8s.Create(ctx, b, as)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, b))).To(Succeed()) })
		Eventually(about(ctx, b)).Should(ConsistOf(reported))
		Expect(orphansCounted()).To(Equal(before + 1))

		By("once, until the controller starts again")
		poke(ctx, b)
		quiet(ctx)
		Expect(eventsAbout(ctx, b)).To(ConsistOf(reported))
		stopUsher()
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		Eventually(about(ctx, b)).Should(HaveLen(2))

		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
		Expect(b.Subjects).NotTo(BeEmpty())
		counted := orphansCounted()
		Expect(k8s.Delete(ctx, b)).To(Succeed())
		Eventually(orphansCounted).Should(Equal(counted - 1))
	},
		Entry("for a Membership that does not exist", func() string { return grant.BindingName(w.name, "mallory", "edit") }, client.FieldOwner("kubectl")),
		Entry("the same, by a client that calls itself Usher", func() string { return grant.BindingName(w.name, "mallory", "edit") }, client.FieldOwner("usher")),
		Entry("for an Organization that does not exist", func() string { return grant.BindingName(w.name+"-gone", "mallory", "edit") }, client.FieldOwner("kubectl")),
		Entry("for nothing that Usher would write", func() string { return "usher:backdoor" }, client.FieldOwner("kubectl")),
	)

	It("is reported with labels that do not fit its name", func(ctx SpecContext) {
		b := orphan("usher:backdoor", grant.Labels(w.name, "mallory"))
		create(ctx, b)
		Eventually(about(ctx, b)).Should(ConsistOf(reported))
	})

	It("is reported next to a Membership that it was not made for", func(ctx SpecContext) {
		w.active(ctx)
		b := orphan(grant.BindingName(w.name, "jane", "admin"), nil)
		create(ctx, b)
		Eventually(about(ctx, b)).Should(ConsistOf(reported))
	})

	It("is deleted with Usher's labels, even if the controller was down", func(ctx SpecContext) {
		labels := grant.Labels(w.name, "mallory")
		labels[accountsv1.OrganizationLabel] = w.name
		while := orphan(grant.BindingName(w.name, "mallory", "edit"), labels)
		stopUsher()
		create(ctx, while)
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		eventuallyGone(ctx, while)
		Expect(eventsAbout(ctx, while)).To(BeEmpty())
	})

	It("is deleted with labels that name a Membership of another Organization, and blocks no deletion", func(ctx SpecContext) {
		other := aWorld().ready(ctx)
		m, _ := other.active(ctx)
		labels := grant.Labels(other.name, m.Name)
		labels[accountsv1.OrganizationLabel] = w.name
		b := orphan(grant.BindingName(w.name, m.Name, "edit"), labels)
		create(ctx, b)
		eventuallyGone(ctx, b)
		org := w.organization()
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
		Expect(bindings(ctx, other.staging())).To(HaveLen(1))
		eventually(ctx, m, haveState("Active"), beReady())
	})

	It("is none of those that Usher makes and withdraws", func(ctx SpecContext) {
		before := orphansCounted()
		m, _ := w.active(ctx)
		made := bindings(ctx, w.staging())
		Expect(made).To(HaveLen(1))
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		quiet(ctx)
		Expect(eventsAbout(ctx, &made[0])).To(BeEmpty())
		Expect(orphansCounted()).To(Equal(before))
	})
})
