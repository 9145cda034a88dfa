// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/url"
	"path"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/invitation"
)

// standing returns the status of the link in the newest mail to a person, at a given
// time.
func (w world) standing(ctx SpecContext, person string, at time.Time) invitation.LinkStatus {
	GinkgoHelper()
	u, err := url.Parse(letters.Link(string(w.email(person))))
	Expect(err).NotTo(HaveOccurred())
	link, err := invitation.ParseLink(path.Base(u.Path))
	Expect(err).NotTo(HaveOccurred())
	inv, org := w.invitation(person), w.organization()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv)).To(Succeed())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
	return invitation.Offer{Invitation: inv, Organization: org, Membership: w.membership(person)}.Check(link, keys, at)
}

var _ = Describe("An Invitation", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("is sent as one mail with a link that works for exactly 7 days", Label("A6", "A7", "C3"), func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady(),
			haveCondition("Delivered", metav1.ConditionTrue, "Sent"),
			haveCondition("Pending", metav1.ConditionTrue, "AwaitingAcceptance"),
			haveCondition("Active", metav1.ConditionFalse, "NotAccepted"),
			haveCondition("Expired", metav1.ConditionFalse, "NotExpired"))
		Expect(w.invitationsTo("john")).To(HaveLen(1))
		claimed, expires := inv.Status.Attempt.ClaimTime.Time, inv.Status.ExpirationTime.Time
		Expect(expires.Sub(claimed)).To(Equal(7 * 24 * time.Hour))
		Expect(w.standing(ctx, "john", expires.Add(-time.Second))).To(Equal(invitation.LinkOpen))
		Expect(w.standing(ctx, "john", expires)).To(Equal(invitation.LinkExpired))
	})

	It("mails the name, the role and the Organization, and has the link nowhere else", Label("A6", "K7"), func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.InvitedBy = "Ada Example"
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		mail := letters.For(string(w.email("john")))[0]
		Expect(mail.Text).To(And(ContainSubstring("Ada Example"), ContainSubstring("Acme"), ContainSubstring("Developer"), ContainSubstring("Jane Doe")))
		Expect(mail.ID).To(Equal(inv.Status.Deliveries[0].MessageID))
		link := path.Base(letters.Link(string(w.email("john"))))
		Expect(dump(ctx, inv)).NotTo(ContainSubstring(link))
	})

	It("expires exactly on time, even if the controller was down", Label("A7"), func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Pending"))
		now.PutForward(7*24*time.Hour - time.Minute)
		poke(ctx, inv)
		Consistently(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv)).To(Succeed())
			g.Expect(inv).To(haveState("Pending"))
		}, "300ms").Should(Succeed())
		now.PutForward(time.Minute)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Expired"), beReady(), haveCondition("Expired", metav1.ConditionTrue, "Expired"))
		eventually(ctx, m, haveState("Expired"), beReady(), haveCondition("Expired", metav1.ConditionTrue, "Expired"))
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("becomes Expired without any other event when its time is over", Label("A7"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationValiditySeconds = 60 })
		now.PutForward(-58 * time.Second) // the link is valid for a minute, and two seconds of it are left
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		now.PutForward(58 * time.Second)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Expired"))
	})

	It("creates its Membership if it was applied manually and is accepted", Label("E7"), func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		m := w.membership("john")
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).NotTo(Succeed())
		a := w.accept(ctx, "john", w.name+"-john")
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, m))).To(Succeed()) })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(m), m) }).Should(Succeed())
		eventually(ctx, m, haveState("Active"), beReady())
		Expect(m.Status.AccountRef.Name).To(BeEquivalentTo(a.Name))
		eventually(ctx, inv, haveState("Active"), beReady())
		Expect(bindings(ctx, w.staging())).To(HaveLen(1))
	})

	It("never recreates a Membership after it was accepted", Label("B8"), func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		w.accept(ctx, "john", w.name+"-john")
		eventually(ctx, inv, haveState("Active"))
		m := w.membership("john")
		eventually(ctx, m, haveState("Active"))
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		poke(ctx, inv)
		again := w.membership("john")
		create(ctx, again)
		eventually(ctx, again, haveState("Inactive"), haveCondition("Active", metav1.ConditionFalse, "NoAccount"))
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
	})

	It("is Failed when the mail server refuses the address permanently", func(ctx SpecContext) {
		letters.FailAt(inbox.Rcpt, inbox.Fault{Code: 550, Text: "no such person"})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "Refused"),
			haveMessage("Ready", "no such person"), haveCondition("Delivered", metav1.ConditionFalse, "Refused"))
	})

	It("is sent again with the same bytes after a temporary refusal by the mail server", func(ctx SpecContext) {
		letters.FailAt(inbox.Body, inbox.Fault{Code: 451, Text: "not now", Accept: true})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "TemporaryFailure"))
		letters.SetFault(nil)
		poke(ctx, inv)
		Expect(w.invitationsTo("john")).To(HaveLen(1), "not before the retry is due")
		now.PutForward(10 * time.Second)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady())
		mails := w.invitationsTo("john")
		Expect(mails).To(HaveLen(2))
		Expect(mails[0]).To(Equal(mails[1]))
		Expect(inv.Status.Deliveries[0].Tries).To(BeEquivalentTo(2))
	})

	It("is refused if it has another address than the Membership of the same name", func(ctx SpecContext) {
		inv := w.invitation("jane")
		inv.Spec.Email = w.email("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		m := w.membership("jane")
		create(ctx, m)
		eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "InvitationConflict"))
		eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "MembershipConflict"))
	})

	DescribeTable("does not bring its person into a Membership with more access than its author could grant,", Label("K6"),
		func(ctx SpecContext, change func(*accountsv1.Membership)) {
			inv := w.invitation("jane")
			inv.Spec.Role = "observer"
			create(ctx, inv)
			eventually(ctx, inv, haveState("Pending"))
			m := w.membership("jane")
			m.Spec.Role = "observer"
			change(m)
			create(ctx, m)
			eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "InvitationConflict"))
			w.accept(ctx, "jane", w.name+"-mallory")
			eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "MembershipConflict"))
			Expect(k8s.Delete(ctx, inv)).To(Succeed())
			eventually(ctx, m, haveState("Invited"), beReady())
			Expect(bindings(ctx, w.staging())).To(BeEmpty())
		},
		Entry("through another role", func(m *accountsv1.Membership) { m.Spec.Role = "developer" }),
		Entry("through an allowed permission", func(m *accountsv1.Membership) {
			m.Spec.Permissions = []accountsv1.PermissionOverride{{Effect: accountsv1.EffectAllow, Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}}}
		}),
	)

	It("needs only one connection to the mail server for each worker, for any number of mails", func(ctx SpecContext) {
		before := letters.Connections()
		for range 40 {
			create(ctx, w.invitation(fresh("guest")))
		}
		Eventually(func() int {
			sent := 0
			for _, m := range letters.Messages() {
				if strings.HasSuffix(m.To[0], "@"+w.name+".example") {
					sent++
				}
			}
			return sent
		}).Should(Equal(40))
		Expect(letters.Connections() - before).To(BeNumerically("<=", 4))
	})

	It("records its progress in events, without any secret", Label("K7"), func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		Eventually(func() []string {
			var events corev1.EventList
			Expect(k8s.List(ctx, &events, client.InNamespace(w.name))).To(Succeed())
			var told []string
			for _, e := range events.Items {
				told = append(told, e.Reason+": "+e.Message)
			}
			return told
		}).Should(ConsistOf("Sent: Email to " + string(w.email("john")) + ": sent"))
	})
})
