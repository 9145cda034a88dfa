// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package pace_test

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/grant"
)

// small is the label of specs whose bound holds for up to a thousand members. Usher
// writes RoleBindings at a limited rate, and only up to a thousand members is that
// rate in proportion to them (see perSecond). With ten thousand members, the same
// rate would need another bound.
const small = "thousand"

// The access that members have at first.
const (
	edits  = "edit in " + staging
	views  = "view in " + staging
	audits = auditor + " in " + staging
)

var _ = Describe("Access in a large Organization", Ordered, ContinueOnFailure, Serial, func() {
	BeforeAll(func(ctx SpecContext) {
		began := time.Now()
		settle(ctx)
		figure("creation", "%d Memberships and their Accounts in %s", len(allMembers())+len(leavers), round(time.Since(began)))

		before, began := spent(), time.Now()
		access.expect(slices.Concat(developers, leavers), edits, audits)
		access.expect(observers, views, audits)
		startUsher(ctx)
		everyone := slices.Concat(allMembers(), leavers)
		access.latencies(ctx, everyone, at(began, everyone)).report("Usher starts")
		quiet(ctx)
		figure("Usher starts: all is quiet", "%s", round(time.Since(began)))
		before.report("Usher starts", len(everyone))
	})

	It("exists for all members after Usher has started, and no invitations are sent", Label("K5"), func(ctx SpecContext) {
		var members accountsv1.MembershipList
		Expect(admin.List(ctx, &members, client.InNamespace(acme))).To(Succeed())
		Expect(members.Items).To(HaveEach(HaveField("Status.State", accountsv1.MembershipActive)))
		var invitations accountsv1.InvitationList
		Expect(admin.List(ctx, &invitations)).To(Succeed())
		Expect(invitations.Items).To(BeEmpty())
	})

	// Each entry begins in the state in which the previous entry ended.
	DescribeTable("follows changes to single members, for many of them at once:",
		func(ctx SpecContext, who *[]string, change func(ctx context.Context, member string) error, have ...string) {
			before := spent()
			access.expect(*who, have...)
			changed := changeEach(*who, func(member string) error { return change(ctx, member) })
			all := access.latencies(ctx, *who, changed)
			all.report(CurrentSpecReport().LeafNodeText)
			before.report(CurrentSpecReport().LeafNodeText, len(*who))
			Expect(all.percentile(99)).To(BeNumerically("<=", bound))
		},
		Entry("a role changed", Label("D5"), &changing, spec(`{"role":"maintainer"}`), edits, views, audits),
		Entry("a role changed back", Label("D5"), &changing, spec(`{"role":"developer"}`), edits, audits),
		Entry("an override that allows", Label("D5"), &changing,
			spec(`{"permissions":[{"effect":"Allow","permission":"look","resources":["staging"]}]}`), edits, views, audits),
		Entry("an override that denies", Label("D5"), &changing,
			spec(`{"permissions":[{"effect":"Deny","permission":"deploy","resources":["staging"]}]}`), audits),
		Entry("an override removed", Label("D5"), &changing, spec(`{"permissions":null}`), edits, audits),
		Entry("suspended", Label("D5"), &changing, spec(`{"state":"Suspended"}`)),
		Entry("resumed", Label("D5"), &changing, spec(`{"state":"Active"}`), edits, audits),
		Entry("a RoleBinding deleted", Label("K5"), &changing, unbind, edits, audits),
		Entry("a RoleBinding changed", Label("K5"), &observers, rebind, views, audits),
		Entry("a Membership deleted", Label("B8"), &leavers, remove),
	)

	// Each entry begins in the state in which the previous entry ended.
	DescribeTable("follows a change that concerns all members:", Label(small),
		func(ctx SpecContext, change func(ctx context.Context), have ...string) {
			quiet(ctx)
			began, before := time.Now(), spent()
			access.expect(developers, append(have, edits)...)
			access.expect(observers, append(have, views)...)
			change(ctx)
			changed := at(time.Now(), allMembers())
			all := access.latencies(ctx, allMembers(), changed)
			all.report(CurrentSpecReport().LeafNodeText)
			figure(CurrentSpecReport().LeafNodeText+": rate", "%d RoleBindings a second", peak(ofBindings(asked.since(began))))
			before.report(CurrentSpecReport().LeafNodeText, len(allMembers()))
			Expect(all.percentile(99)).To(BeNumerically("<=", bound))
		},
		Entry("a namespace created", makeLater, "view in "+later, audits),
		Entry("a namespace deleted", deleteLater, audits),
		Entry("a namespace labelled", label(labLabel), "view in "+lab, audits),
		Entry("a label removed from a namespace", label(nil), audits),
		Entry("a ClusterRole deleted", func(ctx context.Context) { Expect(admin.Delete(ctx, anAuditor())).To(Succeed()) }),
		Entry("a ClusterRole created", func(ctx context.Context) { create(ctx, anAuditor()) }, audits),
	)

	It("follows an edited role, and Usher writes nothing for other members", Label("D5", small), func(ctx SpecContext) {
		quiet(ctx)
		untouched, began, before := versions(ctx, observers), time.Now(), spent()
		access.expect(developers, edits, views, audits)
		edit(ctx, "developer", grants("deploy", "staging"), grants("look", "staging"))
		all := access.latencies(ctx, developers, at(time.Now(), developers))
		quiet(ctx)
		took := time.Since(began)
		all.report("a role edited")
		before.report("a role edited", len(developers))
		Expect(all.percentile(99)).To(BeNumerically("<=", bound))

		Expect(versions(ctx, observers)).To(Equal(untouched), "the Memberships and the RoleBindings of the others")
		writes := count(asked.since(began))
		organization := writes["PUT organizations/status"]
		delete(writes, "PUT organizations/status")
		Expect(writes).To(Equal(map[string]int{
			"PATCH rolebindings": len(developers), "PUT memberships/status": len(developers),
		}))
		figure("a role edited: progress", "written %d times in %s", organization, round(took))
		Expect(float64(organization)).To(BeNumerically("<", 2*took.Seconds()), "the progress is not written once per member")
	})

	It("follows an edited role at a bounded rate, reports the progress, and does not delay other members", Label("D5"), func(ctx SpecContext) {
		quiet(ctx)
		told := &progress{}
		told.follow(ctx)
		began, before := time.Now(), spent()
		access.expect(developers, "edit in "+production, audits)
		edit(ctx, "developer", grants("deploy", "production"))
		edited := time.Now()
		Eventually(told.isPartial).WithContext(ctx).Should(BeTrue(), "some members have the new access, and some do not")
		access.expect(observers, edits, views, audits)
		changed := changeEach(observers, func(member string) error { return patch(ctx, member, `{"role":"maintainer"}`) })
		others := access.latencies(ctx, observers, changed)
		waiting := len(developers) - access.arrived(developers)
		all := access.latencies(ctx, developers, at(edited, developers))
		quiet(ctx)

		rate := peak(ofBindings(asked.since(began)))
		all.report("a rollout")
		others.report("others meanwhile")
		figure("a rollout: rate", "%d RoleBindings a second at most", rate)
		figure("a rollout: progress", "%s", told)
		before.report("a rollout", len(developers))
		Expect(rate).To(BeNumerically("<=", permitted()))
		Expect(waiting).To(BeNumerically(">", 0), "developers who still wait when the others have their access")
		Expect(others.percentile(99)).To(BeNumerically("<=", bound))

		Expect(slices.IsSorted(told.updated())).To(BeTrue(), told.String())
		for _, s := range told.seen() {
			Expect(saysReady(s)).To(Equal("False RollingOut"))
			Expect(s.Rollout.Members).To(BeEquivalentTo(len(allMembers())))
		}
		Eventually(told.now).Should(Equal("True Reconciled"))
	})
})

// spec changes the spec of a Membership.
func spec(merge string) func(context.Context, string) error {
	return func(ctx context.Context, member string) error { return patch(ctx, member, merge) }
}

func binding(member, clusterRole string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: staging, Name: grant.BindingName(acme, member, clusterRole)}}
}

func unbind(ctx context.Context, member string) error {
	return admin.Delete(ctx, binding(member, "edit"))
}

// rebind removes all subjects from a member's RoleBinding.
func rebind(ctx context.Context, member string) error {
	return admin.Patch(ctx, binding(member, "view"), client.RawPatch(types.MergePatchType, []byte(`{"subjects":null}`)))
}

func remove(ctx context.Context, member string) error {
	return admin.Delete(ctx, &accountsv1.Membership{ObjectMeta: metav1.ObjectMeta{Namespace: acme, Name: member}})
}

func makeLater(ctx context.Context) { create(ctx, &corev1.Namespace{ObjectMeta: meta(later)}) }

// deleteLater starts to delete the namespace. Without a namespace controller here,
// its content stays, so that only Usher withdraws the access.
func deleteLater(ctx context.Context) {
	GinkgoHelper()
	Expect(admin.Delete(ctx, &corev1.Namespace{ObjectMeta: meta(later)})).To(Succeed())
}

// label sets these labels on the lab, in place of labLabel.
func label(labels map[string]string) func(context.Context) {
	return func(ctx context.Context) {
		GinkgoHelper()
		namespace := &corev1.Namespace{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: lab}, namespace)).To(Succeed())
		for key := range labLabel {
			delete(namespace.Labels, key)
		}
		for key, value := range labels {
			metav1.SetMetaDataLabel(&namespace.ObjectMeta, key, value)
		}
		Expect(admin.Update(ctx, namespace)).To(Succeed())
	}
}

// versions returns the resource versions of the members' Memberships and
// RoleBindings.
func versions(ctx context.Context, members []string) map[string]string {
	GinkgoHelper()
	var memberships accountsv1.MembershipList
	Expect(admin.List(ctx, &memberships, client.InNamespace(acme))).To(Succeed())
	var roleBindings rbacv1.RoleBindingList
	Expect(admin.List(ctx, &roleBindings)).To(Succeed())
	found := map[string]string{}
	for _, m := range memberships.Items {
		if slices.Contains(members, m.Name) {
			found[m.Name] = m.ResourceVersion
		}
	}
	for _, b := range roleBindings.Items {
		if slices.Contains(members, b.Labels[accountsv1.MembershipNameLabel]) {
			found[b.Namespace+"/"+b.Name] = b.ResourceVersion
		}
	}
	Expect(found).NotTo(BeEmpty())
	return found
}
