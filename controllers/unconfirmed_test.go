// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

// delivered matches a delivery with this result after this many tries.
func delivered(name, result string, tries int) gomegatypes.GomegaMatcher {
	return HaveField("Status.Deliveries", ContainElement(And(
		HaveField("Name", name), HaveField("Result", BeEquivalentTo(result)), HaveField("Tries", BeEquivalentTo(tries)))))
}

var _ = Describe("A message whose answer is lost", Label("K8"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	// wait lets time pass for an Invitation.
	wait := func(ctx SpecContext, inv *accountsv1.Invitation, long time.Duration) {
		GinkgoHelper()
		quiet(ctx)
		now.PutForward(long)
		poke(ctx, inv)
		quiet(ctx)
	}

	It("arrives at most twice by SMS, and the event reports that it was not confirmed", Label("E6"), func(ctx SpecContext) {
		inv := w.invitation("john")
		inv.Spec.Delivery = []accountsv1.DeliveryChannel{"SMS"}
		inv.Spec.PhoneNumber = "+393331234502"
		create(ctx, inv)
		eventually(ctx, inv, haveState("Sending"), delivered("sms", "TemporaryFailure", 1))
		wait(ctx, inv, 5*time.Minute)
		eventually(ctx, inv, haveState("Pending"), beReady(), delivered("sms", "Sent", 2), HaveField("Status.Deliveries", ContainElement(And(
			HaveField("Unconfirmed", BeEquivalentTo(2)), HaveField("Message", ContainSubstring("did not confirm"))))))
		Eventually(func() []string { return eventsAbout(ctx, inv) }).Should(ConsistOf("Warning Unconfirmed"))
		for range 3 {
			wait(ctx, inv, time.Hour)
		}
		Expect(telephones.to("+393331234502")).To(HaveLen(2))
	})

	It("arrives at most twice in a chat, even if a proxy replaced the answer", Label("C8"), func(ctx SpecContext) {
		var posts atomic.Int32
		chat := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			posts.Add(1)
			rw.WriteHeader(http.StatusBadGateway)
		}))
		DeferCleanup(chat.Close)
		w.credentials(ctx, map[string]string{
			accountsv1.ChatURLKey: "mattermost://" + strings.TrimPrefix(chat.URL, "http://") + "/abcdefghijklmnopqrstuvwxyz?disabletls=yes",
		})
		w.active(ctx)
		inv := w.invitation("jane")
		eventually(ctx, inv, delivered("chat", "TemporaryFailure", 1))
		for range 3 {
			wait(ctx, inv, time.Hour)
		}
		eventually(ctx, inv, delivered("chat", "Sent", 2))
		Expect(posts.Load()).To(BeEquivalentTo(2))
	})

	It("is sent again by mail, unchanged and at growing intervals, until the server confirms it", func(ctx SpecContext) {
		letters.FailAt(inbox.Body, inbox.Fault{Drop: true, Accept: true})
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, delivered("email", "TemporaryFailure", 1))
		for range 6 {
			wait(ctx, inv, 10*time.Minute) // one hour, in which a refused mail is tried six times
		}
		eventually(ctx, inv, delivered("email", "TemporaryFailure", 3))
		wait(ctx, inv, 50*time.Minute)
		eventually(ctx, inv, delivered("email", "TemporaryFailure", 4))
		letters.SetFault(nil)
		wait(ctx, inv, 5*time.Hour)
		eventually(ctx, inv, haveState("Pending"), beReady(), delivered("email", "Sent", 5))
		mails := w.invitationsTo("john")
		Expect(mails).To(HaveLen(5))
		Expect(mails).To(HaveEach(mails[0]))
	})
})
