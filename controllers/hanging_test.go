// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

var _ = Describe("An Organization's own mail server that accepts mail and does not answer", Label("K8"), func() {
	It("delays no other Organization, and gets the waiting mails once it answers", func(ctx SpecContext) {
		acme, globex := aWorld().ready(ctx), aWorld().ready(ctx)
		theirs, err := inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		answers := make(chan struct{})
		answer := sync.OnceFunc(func() { close(answers) })
		DeferCleanup(answer)
		theirs.FailAt(inbox.Body, inbox.Fault{Hold: answers})
		acme.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "people@acme.example"}
		})

		people := acme.people(6) // more than there are workers
		for _, p := range people {
			create(ctx, acme.invitation(p))
		}
		for _, p := range people {
			eventually(ctx, acme.invitation(p), haveState("Sending"))
		}
		Eventually(theirs.Connections).Should(Equal(1), "one is being sent, the others wait for it")
		create(ctx, globex.invitation("jane"))
		eventually(ctx, globex.invitation("jane"), haveState("Pending"), beReady())
		Expect(globex.invitationsTo("jane")).To(HaveLen(1))

		gone, rest := people[:2], people[2:]
		for _, p := range gone { // at least one of them is waiting and is woken without effect
			Expect(k8s.Delete(ctx, acme.invitation(p))).To(Succeed())
		}
		answer()
		for _, p := range rest {
			eventually(ctx, acme.invitation(p), haveState("Pending"), beReady())
			Expect(theirs.For(string(acme.email(p)))).To(HaveLen(1))
		}
		Expect(theirs.Connections()).To(Equal(1), "one after the other")
	})
})

var _ = Describe("The platform's mail server, if it accepts mail and does not answer,", Label("K8"), func() {
	It("does not delay an Organization that has its own mail server", func(ctx SpecContext) {
		acme, globex := aWorld().ready(ctx), aWorld().ready(ctx)
		theirs, err := inbox.Start(inbox.Options{})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(theirs.Close)
		globex.reorganize(ctx, func(o *accountsv1.Organization) {
			o.Spec.Mail = accountsv1.OrganizationMail{Server: theirs.SMTPURL(), Sender: "people@globex.example"}
		})
		answers := make(chan struct{})
		answer := sync.OnceFunc(func() { close(answers) })
		DeferCleanup(answer)
		letters.FailAt(inbox.Body, inbox.Fault{Hold: answers})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))

		people := acme.people(6)
		for _, p := range people {
			create(ctx, acme.invitation(p))
		}
		for _, p := range people {
			eventually(ctx, acme.invitation(p), haveState("Sending"))
		}
		create(ctx, globex.invitation("jane"))
		eventually(ctx, globex.invitation("jane"), haveState("Pending"), beReady())

		answer()
		for _, p := range people {
			eventually(ctx, acme.invitation(p), haveState("Pending"), beReady())
			Expect(acme.invitationsTo(p)).To(HaveLen(1))
		}
	})
})
