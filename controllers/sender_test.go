// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

var _ = Describe("Mail", Label("K8"), func() {
	const ours, own = "usher@example.com", "people@acme.example"
	var (
		w      world
		theirs *inbox.Inbox
	)

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		var err error
		theirs, err = inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
	})
	// Real mail servers permanently refuse mail from a sender that is not theirs.
	getsItsOwn := func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: own}
		})
	}
	givesItUp := func(ctx SpecContext) {
		w.reorganize(ctx, func(o *accountsv1.Organization) { o.Spec.Mail = accountsv1.OrganizationMail{} })
	}
	// senders returns the senders of a person's mails, at one server.
	senders := func(at *inbox.Inbox, person string) (all []string) {
		for _, m := range at.For(string(w.email(person))) {
			all = append(all, m.EnvelopeFrom)
		}
		return all
	}
	notNow := func(at *inbox.Inbox) { at.FailAt(inbox.Rcpt, inbox.Fault{Code: 450, Text: "not now"}) }

	When("the Organization sets its own server while invitations are open", func() {
		It("is sent through it, as the Organization, if it is a confirmation", func(ctx SpecContext) {
			w.invited(ctx, "jane")
			getsItsOwn(ctx)
			w.accept(ctx, "jane", w.name+"-jane")
			Eventually(func() []string { return senders(theirs, "jane") }).Should(Equal([]string{own}))
			Expect(senders(letters, "jane")).To(Equal([]string{ours}), "only the invitation")
		})

		It("is repeated through the platform's server, as the same mail, if it was begun there", func(ctx SpecContext) {
			notNow(letters)
			inv := w.invitation("jane")
			create(ctx, inv)
			eventually(ctx, inv, haveCondition("Delivered", metav1.ConditionFalse, "TemporaryFailure"))
			getsItsOwn(ctx)
			letters.SetFault(nil)
			now.PutForward(10 * time.Second)
			poke(ctx, inv)
			eventually(ctx, inv, haveState("Pending"), beReady())
			Expect(senders(letters, "jane")).To(Equal([]string{ours}))
			Expect(senders(theirs, "jane")).To(BeEmpty())
		})
	})

	When("the Organization removes its own server while invitations are open", func() {
		BeforeEach(func(ctx SpecContext) { getsItsOwn(ctx) })

		It("is sent through the platform's server, as the platform, if it is a confirmation", func(ctx SpecContext) {
			w.invited(ctx, "jane")
			givesItUp(ctx)
			w.accept(ctx, "jane", w.name+"-jane")
			Eventually(func() []string { return senders(letters, "jane") }).Should(Equal([]string{ours}))
			Expect(senders(theirs, "jane")).To(Equal([]string{own}), "only the invitation")
		})

		It("waits for its sender and reports it, if it was begun as the Organization", func(ctx SpecContext) {
			notNow(theirs)
			inv := w.invitation("jane")
			create(ctx, inv)
			eventually(ctx, inv, haveCondition("Delivered", metav1.ConditionFalse, "TemporaryFailure"))
			givesItUp(ctx)
			theirs.SetFault(nil)
			now.PutForward(10 * time.Second)
			poke(ctx, inv)
			eventually(ctx, inv, haveState("Sending"), haveMessage("Delivered", "no mail server sends as <people@acme.example> any more"))
			Expect(senders(letters, "jane")).To(BeEmpty())

			getsItsOwn(ctx)
			now.PutForward(5 * time.Minute)
			poke(ctx, inv)
			eventually(ctx, inv, haveState("Pending"), beReady())
			Expect(senders(theirs, "jane")).To(Equal([]string{own}))
		})
	})
})
