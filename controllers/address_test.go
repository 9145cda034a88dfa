// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("An address", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	DescribeTable("is accepted, or refused with a reason, by its domain:", Label("A2", "E9"),
		func(ctx SpecContext, email, says string) {
			w.reorganize(ctx, func(o *accountsv1.Organization) {
				o.Spec.AllowedDomains = []accountsv1.DomainName{"acme.example", "bücher.example"}
				o.Spec.DeniedDomains = []accountsv1.DomainName{"pec.acme.example"}
			})
			m := w.membership("jane")
			m.Spec.Email = accountsv1.EmailAddress(email)
			create(ctx, m)
			if says == "" {
				eventually(ctx, m, haveState("Invited"), beReady())
				Expect(letters.For(email)).To(HaveLen(1))
				return
			}
			eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "AddressNotAllowed"), haveMessage("Ready", says))
			Expect(letters.For(email)).To(BeEmpty())
		},
		Entry("a certified mailbox is refused", "jane1@pec.acme.example", "pec.acme.example"),
		Entry("a certified mailbox in capitals is refused", "jane2@PEC.Acme.Example", "pec.acme.example"),
		Entry("a subdomain of a denied domain is refused", "jane3@box.pec.acme.example", "pec.acme.example"),
		Entry("a domain that is not allowed is refused", "jane4@badacme.example", "acme.example"),
		Entry("a subdomain of an allowed domain is accepted", "jane5@mail.acme.example", ""),
		Entry("the ASCII form of an allowed domain is accepted", "jane6@xn--bcher-kva.example", ""),
	)

	It("has one open Invitation in an Organization, and the next one waits until that has ended", Label("E9"), func(ctx SpecContext) {
		w.invited(ctx, "jane")
		second := w.membership("second")
		second.Spec.Email = accountsv1.EmailAddress("JANE@" + w.name + ".EXAMPLE")
		create(ctx, second)
		eventually(ctx, second, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "AddressInvited"),
			haveMessage("Ready", "Invitation jane to the same address is already open"))
		w.decline(ctx, "jane", "")
		eventually(ctx, second, haveState("Invited"), beReady())
		eventually(ctx, w.membership("jane"), haveState("Declined"))
	})

	It("is not invited again if it belongs to a member", Label("E9"), func(ctx SpecContext) {
		w.active(ctx)
		second := w.membership("second")
		second.Spec.Email = w.email("jane")
		create(ctx, second)
		eventually(ctx, second, haveState("Failed"), haveMessage("Ready", "already"),
			Or(haveCondition("Ready", metav1.ConditionFalse, "AddressIsMember"), haveCondition("Ready", metav1.ConditionFalse, "AddressHasAccount")))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("is not invited if a member signs in with it, even if the member was invited at another one", Label("E9", "C4"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress })
		m := w.invited(ctx, "jane")
		w.acceptAs(ctx, "jane", w.name+"-jane", w.email("private"))
		eventually(ctx, m, haveState("Active"), beReady())
		other := w.membership("private")
		create(ctx, other)
		eventually(ctx, other, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "AddressHasAccount"),
			haveMessage("Ready", w.name+"-jane"))
		Expect(w.invitationsTo("private")).To(BeEmpty())
	})

	It("must be the invited one to accept, unless the invitation allows any address", Label("C4"), func(ctx SpecContext) {
		strict, anyone := w.membership("jane"), w.membership("john")
		anyone.Spec.AddressMatch = accountsv1.AddressMatchAnyAddress
		create(ctx, strict, anyone)
		eventually(ctx, strict, haveState("Invited"), beReady())
		eventually(ctx, anyone, haveState("Invited"), beReady())
		w.acceptAs(ctx, "jane", w.name+"-jane", "eve@example.org")
		eventually(ctx, strict, haveState("Failed"), haveCondition("Ready", metav1.ConditionFalse, "AddressMismatch"))
		a := w.acceptAs(ctx, "john", w.name+"-john", "john@example.org")
		eventually(ctx, anyone, haveState("Active"), beReady())
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
	})
})

var _ = Describe("A whole team", Label("C12", "D4"), func() {
	It("is invited with one manifest, one role and one mail each", func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		const people = 50
		var applied sync.WaitGroup
		for i := range people {
			applied.Go(func() {
				defer GinkgoRecover()
				create(ctx, w.membership(fmt.Sprintf("p%d", i)))
			})
		}
		applied.Wait()
		for i := range people {
			eventuallyWithin(ctx, "30s", w.membership(fmt.Sprintf("p%d", i)), haveState("Invited"), beReady())
		}
		Expect(w.mailed()).To(And(HaveLen(people), HaveEach(1)))
	})
})

var _ = Describe("The owner of an Account", func() {
	It("accepts a second invitation with it, belongs to both Organizations, and loses only the one that is deleted", Label("E1", "E7", "B7"), func(ctx SpecContext) {
		first, second := aWorldOf(ctx, "Acme S.p.A."), aWorldOf(ctx, "Acme S.p.A.")
		m, a := first.active(ctx)
		invited := second.invitesJaneOf(ctx, first)
		second.acceptWith(ctx, "jane", a)
		eventually(ctx, invited, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
		eventually(ctx, a, haveState("Active"), HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation,
			WithTransform(func(record string) []string { return strings.Split(record, ",") },
				ConsistOf(first.name+"/jane", second.name+"/jane")))))
		Expect(first.access(ctx)).To(Equal(second.access(ctx)))

		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		Expect(first.access(ctx)).To(BeEmpty())
		Expect(second.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		eventually(ctx, invited, haveState("Active"), beReady())
	})
})
