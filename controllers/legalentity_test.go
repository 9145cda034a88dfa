// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// aWorldOf returns a world whose Organization belongs to a legal entity.
func aWorldOf(ctx context.Context, entity accountsv1.DisplayText) world {
	GinkgoHelper()
	w := aWorld()
	org := w.organization()
	org.Spec.LegalEntity = entity
	create(ctx, namespace(w.staging()), org)
	eventually(ctx, org, beReady())
	return w
}

// invitesJaneOf invites the Jane of another world, at the same address.
func (w world) invitesJaneOf(ctx context.Context, other world) *accountsv1.Membership {
	GinkgoHelper()
	m := w.membership("jane")
	m.Spec.Email = other.email("jane")
	create(ctx, m)
	eventually(ctx, m, haveState("Invited"), beReady())
	return m
}

// isForeign waits until Jane's Membership and its Invitation report that the accepting
// Account belongs to another legal entity.
func (w world) isForeign(ctx context.Context) {
	GinkgoHelper()
	for _, o := range []client.Object{w.invitation("jane"), w.membership("jane")} {
		eventually(ctx, o, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "LegalEntityMismatch"),
			haveMessage("Ready", "another account with another user name"))
	}
}

var _ = Describe("An Organization", func() {
	It("of the same legal entity can be joined with the same Account", Label("B10"), func(ctx SpecContext) {
		entity := accountsv1.DisplayText(fresh("Acme"))
		shop, labs := aWorldOf(ctx, entity), aWorldOf(ctx, entity)
		m, a := shop.active(ctx)
		second := labs.invitesJaneOf(ctx, shop)
		labs.acceptWith(ctx, "jane", a)
		eventually(ctx, second, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
		Expect(shop.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		Expect(labs.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))

		turn(ctx, a, accountsv1.AccountSwitchDisabled)
		eventually(ctx, m, haveState("Inactive"))
		eventually(ctx, second, haveState("Inactive"))
		Expect(shop.access(ctx)).To(BeEmpty())
		Expect(labs.access(ctx)).To(BeEmpty())
	})

	DescribeTable("of another legal entity cannot be joined with the same Account, but with another one of the same address,", Label("B11"),
		func(ctx SpecContext, entity, other accountsv1.DisplayText) {
			acme, beta := aWorldOf(ctx, entity), aWorldOf(ctx, other)
			m, a := acme.active(ctx)
			second := beta.invitesJaneOf(ctx, acme)
			beta.acceptWith(ctx, "jane", a)
			beta.isForeign(ctx)
			quiet(ctx)
			Expect(beta.access(ctx)).To(BeEmpty())
			eventually(ctx, a, HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation, acme.name+"/jane")))

			askForResend(ctx, second)
			eventually(ctx, second, haveState("Invited"), beReady())
			Expect(acme.invitationsTo("jane")).To(HaveLen(3))
			b := beta.accept(ctx, "jane", beta.name+"-jane")
			eventually(ctx, second, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(b.Name)))
			Expect(beta.access(ctx)).To(ConsistOf("edit for usher:" + b.Name))
			eventually(ctx, m, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
			Expect(acme.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		},
		Entry("if both name their legal entity", accountsv1.DisplayText("Acme S.p.A."), accountsv1.DisplayText("Beta GmbH")),
		Entry("if only one names its legal entity", accountsv1.DisplayText("Acme S.p.A."), accountsv1.DisplayText("")),
		Entry("if neither names its legal entity", accountsv1.DisplayText(""), accountsv1.DisplayText("")),
	)

	It("is the only one that an Account joins if it accepts two of different legal entities at once", Label("B11"), func(ctx SpecContext) {
		acme, beta := aWorldOf(ctx, "Acme S.p.A."), aWorldOf(ctx, "Beta GmbH")
		beta.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
		people := []string{"jane", "john", "mary", "paul", "rose"}
		var access []string
		for _, person := range people {
			acme.invited(ctx, person)
			beta.invited(ctx, person)
			a := acme.halfMade(ctx, person, acme.name+"-"+person)
			access = append(access, "edit for usher:"+a.Name)
			var accepted sync.WaitGroup
			for _, w := range []world{acme, beta} {
				accepted.Go(func() {
					defer GinkgoRecover()
					w.acceptWith(ctx, person, a)
				})
			}
			accepted.Wait()
		}
		for _, person := range people {
			Eventually(func(g Gomega) {
				joined, refused := acme.membership(person), beta.membership(person)
				for _, m := range []client.Object{joined, refused} {
					g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
				}
				if refused.Status.State == accountsv1.MembershipActive {
					joined, refused = refused, joined
				}
				g.Expect(joined).To(haveState("Active"))
				g.Expect(refused).To(haveCondition("Stalled", metav1.ConditionTrue, "LegalEntityMismatch"))
			}).Should(Succeed())
		}
		quiet(ctx)
		Expect(append(acme.access(ctx), beta.access(ctx)...)).To(ConsistOf(access))
	})

	It("that moves to another legal entity keeps its members, who can join no further Organization", Label("B11"), func(ctx SpecContext) {
		acme, labs, shop := aWorldOf(ctx, "Acme S.p.A."), aWorldOf(ctx, "Acme S.p.A."), aWorldOf(ctx, "Acme S.p.A.")
		m, a := acme.active(ctx)
		second, third := labs.invitesJaneOf(ctx, acme), shop.invitesJaneOf(ctx, acme)
		labs.acceptWith(ctx, "jane", a)
		eventually(ctx, second, haveState("Active"), beReady())
		labs.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.LegalEntity = "Beta GmbH" })
		shop.acceptWith(ctx, "jane", a)
		shop.isForeign(ctx)
		quiet(ctx)
		for _, kept := range []*accountsv1.Membership{m, second} {
			eventually(ctx, kept, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
		}
		Expect(labs.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		Expect(shop.access(ctx)).To(BeEmpty())

		Expect(k8s.Delete(ctx, second)).To(Succeed())
		eventually(ctx, third, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
	})
})
