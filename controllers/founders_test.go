// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// foundedByAda returns the Organization with an owner's role and the founder Ada.
func (w world) foundedByAda() *accountsv1.Organization {
	org := w.organization()
	org.Spec.Roles = append(org.Spec.Roles,
		accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner}, accountsv1.Role{Name: "visitor", Standing: accountsv1.StandingGuest})
	org.Spec.Founders = []accountsv1.Founder{{Name: "ada", Email: w.email("ada"), GivenName: "Ada", Role: "owner"}}
	return org
}

// recordAda matches an Organization whose record of founders has Ada in both of its places.
func recordAda() types.GomegaMatcher {
	return And(
		HaveField("Annotations", HaveKeyWithValue(accountsv1.FoundersAnnotation, "ada")),
		HaveField("Status.Founders", ConsistOf(accountsv1.CatalogueName("ada"))))
}

// replace sends a manifest with PUT, as kubectl replace and Argo CD with Replace=true do. It drops
// everything that is not in the manifest.
func replace(ctx context.Context, manifest *accountsv1.Organization) {
	GinkgoHelper()
	Eventually(func() error {
		bare := manifest.DeepCopy()
		return k8s.Update(ctx, withVersionOf(ctx, bare))
	}).Should(Succeed())
}

var _ = Describe("A founder whose Membership was removed", Label("D1"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) {
		w = aWorld()
		org := w.foundedByAda()
		create(ctx, namespace(w.staging()), org)
		DeferCleanup(func(ctx SpecContext) { _ = k8s.Delete(ctx, w.membership("ada")) })
		eventually(ctx, w.membership("ada"), haveState("Invited"), beReady())
		eventually(ctx, org, beReady())
		Expect(k8s.Delete(ctx, w.membership("ada"))).To(Succeed())
		eventuallyGone(ctx, w.membership("ada"))
	})

	stays := func(ctx context.Context) {
		GinkgoHelper()
		eventually(ctx, w.organization(), beReady(), recordAda())
		quiet(ctx)
		Expect(apierrors.IsNotFound(k8s.Get(ctx, w.key("ada"), &accountsv1.Membership{}))).To(BeTrue(), "no Membership")
		Expect(w.invitationsTo("ada")).To(HaveLen(1))
	}

	It("stays removed when an admin replaces the Organization", func(ctx SpecContext) {
		for range 2 {
			replace(ctx, w.foundedByAda())
			stays(ctx)
		}
	})

	It("stays removed when the status of the Organization is lost", func(ctx SpecContext) {
		changeStatus(ctx, w.organization(), func(o *accountsv1.Organization) {
			o.Status = accountsv1.OrganizationStatus{ObservedGeneration: ptr.To[int64](-1)}
		})
		stays(ctx)
		replace(ctx, w.foundedByAda())
		stays(ctx)
	})

	It("is invited again by an Organization that was deleted and applied again", func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, w.organization())).To(Succeed())
		eventuallyGone(ctx, w.organization())
		create(ctx, w.foundedByAda())
		eventually(ctx, w.membership("ada"), haveState("Invited"), beReady(), HaveField("Spec.Role", Equal(accountsv1.CatalogueName("owner"))))
		Expect(w.invitationsTo("ada")).To(HaveLen(2))
	})
})

var _ = Describe("A founder", Label("D1"), func() {
	It("keeps their Membership when the Organization is deleted and applied again", func(ctx SpecContext) {
		w := aWorld()
		org := w.foundedByAda()
		create(ctx, namespace(w.staging()), org)
		ada := w.membership("ada")
		DeferCleanup(func(ctx SpecContext) { _ = k8s.Delete(ctx, ada) })
		eventually(ctx, ada, haveState("Invited"), beReady())
		eventually(ctx, org, beReady())
		Expect(k8s.Delete(ctx, org)).To(Succeed())
		eventuallyGone(ctx, org)
		before := ada.UID
		create(ctx, w.foundedByAda())
		eventually(ctx, w.organization(), beReady(), recordAda())
		eventually(ctx, ada, haveState("Invited"), beReady())
		Expect(ada.UID).To(Equal(before))
		Expect(w.invitationsTo("ada")).To(HaveLen(1))
	})

	DescribeTable("is not recorded, and the Organization reports it, while its name belongs to", func(ctx SpecContext, taken func(world, *accountsv1.MembershipSpec), said string) {
		w := aWorld()
		create(ctx, namespace(w.name), namespace(w.staging()))
		other := w.membership("ada")
		other.Spec.GivenName, other.Spec.FamilyName, other.Spec.Role = "Ada", "", "owner"
		taken(w, &other.Spec)
		create(ctx, other)
		org := w.foundedByAda()
		create(ctx, org)
		eventually(ctx, org,
			haveCondition("CatalogueValid", metav1.ConditionFalse, "FounderNameTaken"),
			haveCondition("Stalled", metav1.ConditionTrue, "FounderNameTaken"),
			haveMessage("Ready", "ada ("+said+")"),
			HaveField("Annotations", Not(HaveKey(accountsv1.FoundersAnnotation))), HaveField("Status.Founders", BeEmpty()))

		Expect(k8s.Delete(ctx, other)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { _ = k8s.Delete(ctx, w.membership("ada")) })
		eventually(ctx, org, beReady(), recordAda())
		eventually(ctx, w.membership("ada"), haveState("Invited"), beReady(), HaveField("Spec", And(
			HaveField("Email", w.email("ada")), HaveField("Role", Equal(accountsv1.CatalogueName("owner"))))))
	},
		Entry("a guest", func(_ world, s *accountsv1.MembershipSpec) { s.Role = "visitor" }, "role visitor"),
		Entry("a member who is no owner", func(_ world, s *accountsv1.MembershipSpec) { s.Role = "developer" }, "role developer"),
		Entry("an owner with another address", func(w world, s *accountsv1.MembershipSpec) { s.Email = w.email("eve") }, "another address"),
		Entry("a member of another Organization", func(w world, s *accountsv1.MembershipSpec) {
			s.OrganizationRef.Name = accountsv1.CatalogueName(w.name + "-too")
		}, "another Organization"),
	)

	It("is recorded if their Membership already exists", func(ctx SpecContext) {
		w := aWorld()
		create(ctx, namespace(w.name), namespace(w.staging()))
		own := w.membership("ada")
		own.Spec.Role = "owner"
		create(ctx, own)
		org := w.foundedByAda()
		create(ctx, org)
		eventually(ctx, org, beReady(), recordAda())
		eventually(ctx, own, haveState("Invited"), beReady(), HaveField("Spec.FamilyName", Equal(w.membership("ada").Spec.FamilyName)))
	})
})
