// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/url"
	"path"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/invitation"
)

// askForResend annotates an object as an owner does, with the current time.
func askForResend(ctx context.Context, o client.Object) {
	GinkgoHelper()
	change(ctx, o, func(o client.Object) {
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[accountsv1.ResendAnnotation] = now.Now().UTC().Format(time.RFC3339Nano)
		o.SetAnnotations(annotations)
	})
}

// decline declines an Invitation, as the portal does.
func (w world) decline(ctx context.Context, person, reason string) {
	GinkgoHelper()
	inv := w.invitation(person)
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv); err != nil {
			return err
		}
		declined := metav1.Now().Rfc3339Copy()
		inv.Status.Decline = accountsv1.Decline{DeclinedTime: &declined, Reason: reason}
		return k8s.Status().Update(ctx, inv)
	}).Should(Succeed())
}

// linkIn returns the link of a mail.
func linkIn(m inbox.Message) invitation.Link {
	GinkgoHelper()
	u, err := url.Parse(inbox.LinkIn(m))
	Expect(err).NotTo(HaveOccurred())
	link, err := invitation.ParseLink(path.Base(u.Path))
	Expect(err).NotTo(HaveOccurred())
	return link
}

// invitationMails returns the mails to a person that contain a link, oldest first.
func (w world) invitationMails(person string) []inbox.Message {
	var found []inbox.Message
	for _, m := range letters.For(string(w.email(person))) {
		if inbox.LinkIn(m) != "" {
			found = append(found, m)
		}
	}
	return found
}

// standings returns the status of the links in all mails to Jane, oldest first.
func (w world) standings(ctx context.Context) []invitation.LinkStatus {
	GinkgoHelper()
	const person = "jane"
	inv, org := w.invitation(person), w.organization()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv)).To(Succeed())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
	var all []invitation.LinkStatus
	for _, m := range w.invitationMails(person) {
		offer := invitation.Offer{Invitation: inv, Organization: org, Membership: w.membership(person)}
		all = append(all, offer.Check(linkIn(m), keys, now.Now()))
	}
	return all
}

var _ = Describe("An invitation that is sent again", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	DescribeTable("has a new link and a new week, and the old link no longer works,",
		Label("A7", "D7"), func(ctx SpecContext, ended string, end func(ctx SpecContext)) {
			m := w.membership("jane")
			if ended == "Failed" {
				letters.FailOnce(inbox.Rcpt, inbox.Fault{Code: 550, Text: "no such person"})
			}
			create(ctx, m)
			inv := w.invitation("jane")
			eventually(ctx, inv, Or(haveState("Pending"), haveState("Failed")))
			if end != nil {
				end(ctx)
			}
			eventually(ctx, inv, haveState(ended))
			before := len(w.invitationMails("jane"))
			wanted := Not(Equal(invitation.LinkOpen))
			if ended == "Pending" {
				wanted = Equal(invitation.LinkOpen)
			}
			for _, s := range w.standings(ctx) {
				Expect(s).To(wanted)
			}

			askForResend(ctx, m)
			eventually(ctx, inv, haveState("Pending"), beReady(), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
			eventually(ctx, m, haveState("Invited"), beReady())
			Expect(w.invitationMails("jane")).To(HaveLen(before + 1))
			standings := w.standings(ctx)
			Expect(standings[before]).To(Equal(invitation.LinkOpen))
			for _, s := range standings[:before] {
				Expect(s).To(Equal(invitation.LinkSuperseded))
			}
			Expect(inv.Status.ExpirationTime.Sub(inv.Status.Attempt.ClaimTime.Time)).To(Equal(7 * 24 * time.Hour))
		},
		Entry("from Pending", "Pending", nil),
		Entry("from Expired", "Expired", func(ctx SpecContext) {
			now.PutForward(8 * 24 * time.Hour)
			poke(ctx, w.invitation("jane"))
		}),
		Entry("from Declined", "Declined", func(ctx SpecContext) { w.decline(ctx, "jane", "") }),
		Entry("from Failed", "Failed", nil),
	)

	It("is sent once for each request: applying the same manifests again sends nothing", Label("K3"), func(ctx SpecContext) {
		m := w.membership("jane")
		m.Annotations = map[string]string{accountsv1.ResendAnnotation: "2026-11-21T10:00:00Z"}
		create(ctx, m)
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(1)))
		askForResend(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
		for range 3 {
			poke(ctx, m)
			poke(ctx, inv)
		}
		quiet(ctx)
		Expect(w.invitationMails("jane")).To(HaveLen(2))
	})

	It("is sent at most five times a day to one address, and reports when the next resend is possible", Label("A7", "K8"), func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		for range 4 {
			attempt := inv.Status.Attempt.Number
			askForResend(ctx, inv)
			eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", attempt+1))
		}
		first := inv.Status.Attempt.Earlier[3].ClaimTime.Time
		askForResend(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady(), haveCondition("ResendBlocked", metav1.ConditionTrue, "ResendLimited"),
			haveMessage("ResendBlocked", first.Add(24*time.Hour).UTC().Format(time.RFC3339)))
		Expect(w.invitationMails("john")).To(HaveLen(5))

		now.PutForward(24 * time.Hour)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(6)),
			Not(haveCondition("ResendBlocked", metav1.ConditionTrue, "ResendLimited")))
		Expect(w.invitationMails("john")).To(HaveLen(6))
	})

	It("is rate limited if a tool recreates it all the time", Label("K8", "K3"), func(ctx SpecContext) {
		for range 5 {
			inv := w.invitation("john")
			Expect(k8s.Create(ctx, inv)).To(Succeed())
			eventually(ctx, inv, haveState("Pending"))
			Expect(k8s.Delete(ctx, inv)).To(Succeed())
			eventuallyGone(ctx, inv)
		}
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "ResendLimited"))
		Expect(w.invitationMails("john")).To(HaveLen(5))
		now.PutForward(24 * time.Hour)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady())
	})

	It("is rate limited even if Invitations supersede one another", Label("A7", "K8"), func(ctx SpecContext) {
		toJohn := func(name string) *accountsv1.Invitation {
			inv := w.invitation(name)
			inv.Spec.Email = w.email("john")
			return inv
		}
		for _, name := range []string{"a1", "a2", "a3", "a4", "a5"} {
			inv := toJohn(name)
			create(ctx, inv)
			eventually(ctx, inv, haveState("Pending"))
			create(ctx, w.membership(name)) // for another address
			eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "MembershipConflict"))
		}
		last := toJohn("a6")
		create(ctx, last)
		eventually(ctx, last, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "ResendLimited"))
		Expect(w.invitationMails("john")).To(HaveLen(5))

		elsewhere := aWorld().ready(ctx)
		first := elsewhere.invitation("john")
		first.Spec.Email = w.email("john")
		create(ctx, first)
		eventually(ctx, first, haveState("Pending"), beReady())
		Expect(w.invitationMails("john")).To(HaveLen(6))
	})

	It("texts one telephone at most five times a day, even if several people have its number", Label("A7", "K8", "E4"), func(ctx SpecContext) {
		const number = "+393330000005"
		texted := func(person string) *accountsv1.Invitation {
			inv := w.invitation(person)
			inv.Spec.Delivery, inv.Spec.PhoneNumber = []accountsv1.DeliveryChannel{accountsv1.ChannelSMS}, number
			return inv
		}
		for _, person := range []string{"p1", "p2", "p3", "p4", "p5"} {
			create(ctx, texted(person))
			eventually(ctx, w.invitation(person), haveState("Pending"), beReady())
		}
		last, asked := texted("p6"), w.invitation("p1")
		create(ctx, last)
		askForResend(ctx, asked)
		limited := func() {
			GinkgoHelper()
			eventually(ctx, last, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "ResendLimited"),
				haveMessage("Ready", "The telephone was texted 5 times within a day"))
			Expect(telephones.to(number)).To(HaveLen(5))
		}
		limited()
		eventually(ctx, asked, haveState("Pending"), haveCondition("ResendBlocked", metav1.ConditionTrue, "ResendLimited"))
		quiet(ctx)
		for _, person := range []string{"p1", "p2", "p3", "p4", "p5"} {
			Expect(k8s.Delete(ctx, w.invitation(person))).To(Succeed())
		}
		quiet(ctx)
		poke(ctx, last)
		quiet(ctx)
		limited()
		now.PutForward(24 * time.Hour)
		poke(ctx, last)
		eventually(ctx, last, haveState("Pending"), beReady())
	})

	It("is never sent to a number that was removed from the Membership", Label("A7", "E4"), func(ctx SpecContext) {
		const wrong, right = "+393330000006", "+393330000007"
		m := w.membership("jane")
		m.Spec.InvitationTerms = accountsv1.InvitationTerms{
			Language: "it", AddressMatch: accountsv1.AddressMatchAnyAddress, Message: "Ciao", PhoneNumber: wrong,
			Delivery: []accountsv1.DeliveryChannel{accountsv1.ChannelSMS, accountsv1.ChannelLink},
		}
		m.Spec.InvitedBy = "Ada Example"
		create(ctx, m)
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Pending"), beReady())
		askForResend(ctx, m)
		eventually(ctx, inv, haveState("Pending"), beReady(), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))

		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.PhoneNumber = right })
		askForResend(ctx, m)
		eventually(ctx, inv, haveState("Pending"), beReady(), haveCondition("ResendBlocked", metav1.ConditionTrue, "TermsChanged"))
		quiet(ctx)
		Expect(telephones.to(wrong)).To(HaveLen(2))
		Expect(telephones.to(right)).To(BeEmpty())
		Expect(k8s.Delete(ctx, inv)).To(Succeed())
		Eventually(func() []string { return telephones.to(right) }).Should(HaveLen(1))
		Expect(telephones.to(wrong)).To(HaveLen(2))
	})

	It("repairs an attempt that was never sent, and does not report that the person has not answered", Label("A7", "K2", "K8"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.InvitationValiditySeconds = 60 })
		letters.FailAt(inbox.Body, inbox.Fault{Code: 451, Text: "not now"})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		m, inv := w.membership("jane"), w.invitation("jane")
		create(ctx, m)
		eventually(ctx, inv, haveState("Sending"), haveCondition("Reconciling", metav1.ConditionTrue, "TemporaryFailure"))
		now.PutForward(time.Minute)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "TemporaryFailure"),
			haveMessage("Ready", "not now"), haveMessage("Ready", accountsv1.ResendAnnotation))
		eventually(ctx, m, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "TemporaryFailure"))
		letters.SetFault(nil)
		askForResend(ctx, m)
		eventually(ctx, inv, haveState("Pending"), beReady())
		Expect(w.standings(ctx)).To(ConsistOf(invitation.LinkOpen))
	})

	It("reports a request that cannot be read", func(ctx SpecContext) {
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		change(ctx, inv, func(inv *accountsv1.Invitation) {
			metav1.SetMetaDataAnnotation(&inv.ObjectMeta, accountsv1.ResendAnnotation, "please")
		})
		eventually(ctx, inv, haveCondition("ResendBlocked", metav1.ConditionTrue, "ResendInvalid"), beReady())
	})

	It("keeps its language", Label("E5"), func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Language = "it" })
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Language", BeEquivalentTo("it")))
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Language = "de" })
		askForResend(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), HaveField("Status.Attempt.Number", BeEquivalentTo(2)))
		mails := w.invitationMails("john")
		Expect(mails[1].Subject).To(Equal(mails[0].Subject))
		Expect(mails[0].Subject).To(ContainSubstring("Invito"))
	})
})

var _ = Describe("An invitation that is declined", func() {
	It("is Declined and Ready, its link no longer works, and the owner gets the reason", Label("E7", "K2", "C8"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		w.owned(ctx)
		m := w.invited(ctx, "jane")
		inv := w.invitation("jane")
		w.decline(ctx, "jane", "I have changed jobs.")
		eventually(ctx, inv, haveState("Declined"), beReady(), haveCondition("Active", metav1.ConditionFalse, "Declined"),
			haveMessage("Ready", "I have changed jobs."))
		eventually(ctx, m, haveState("Declined"), beReady())
		Expect(health(ctx, m)).To(BeEquivalentTo("Current"))
		Expect(w.standings(ctx)).To(ConsistOf(invitation.LinkDeclined))
		Eventually(func() []string { return w.mailsTo("ada", "I have changed jobs.") }).Should(HaveLen(1))
	})
})
