// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/invitation"
)

// restored recreates an object from a backup, with a new UID and without a status.
func restored[T client.Object](ctx context.Context, backup T) T {
	GinkgoHelper()
	backup.SetResourceVersion("")
	backup.SetUID("")
	backup.SetManagedFields(nil)
	backup.SetOwnerReferences(nil) // as Velero does
	Expect(k8s.Create(ctx, backup)).To(Succeed())
	return backup
}

var _ = Describe("A restore without any status", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("sends no mail to a thousand people until a cluster admin releases it, and reports that mail is held", SpecPriority(90), Label("K8", "K1"), func(ctx SpecContext) {
		const people = 1000
		half := people / 2
		for i := range half {
			m, inv := w.membership(fmt.Sprintf("m%d", i)), w.invitation(fmt.Sprintf("i%d", i))
			Expect(k8s.Create(ctx, m)).To(Succeed())
			Expect(k8s.Create(ctx, inv)).To(Succeed())
		}
		Eventually(func() int { return len(w.mailed()) }, "120s", "200ms").Should(Equal(people))
		var memberships accountsv1.MembershipList
		var invitations accountsv1.InvitationList
		Eventually(func(g Gomega) {
			g.Expect(k8s.List(ctx, &memberships, client.InNamespace(w.name))).To(Succeed())
			g.Expect(k8s.List(ctx, &invitations, client.InNamespace(w.name))).To(Succeed())
			for i := range invitations.Items {
				g.Expect(invitations.Items[i].Annotations).To(HaveKey(accountsv1.MailedAnnotation))
			}
			for i := range memberships.Items {
				g.Expect(memberships.Items[i].Status.Conditions).NotTo(BeEmpty())
			}
		}, "60s", "500ms").Should(Succeed())

		stopUsher()
		for i := range memberships.Items {
			m := &memberships.Items[i]
			Expect(k8s.Delete(ctx, m.DeepCopy())).To(Succeed())
			bare := m.DeepCopy()
			bare.Finalizers = nil
			Expect(k8s.Update(ctx, withVersionOf(ctx, bare))).To(Succeed())
		}
		for i := range invitations.Items {
			Expect(k8s.Delete(ctx, invitations.Items[i].DeepCopy())).To(Succeed())
		}
		for i := range memberships.Items {
			restored(ctx, memberships.Items[i].DeepCopy())
		}
		for i := range invitations.Items {
			restored(ctx, invitations.Items[i].DeepCopy())
		}
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)

		org := w.organization()
		eventuallyWithin(ctx, "60s", org, haveCondition("MailHeld", metav1.ConditionTrue, "MailHeld"),
			haveMessage("MailHeld", fmt.Sprintf("%d people", people)))
		Eventually(func() []string {
			var told eventsv1.EventList
			Expect(k8s.List(ctx, &told)).To(Succeed())
			var notes []string
			for _, e := range told.Items {
				if e.Regarding.Name == w.name && e.Reason == "MailHeld" {
					notes = append(notes, e.Note)
				}
			}
			return notes
		}).ShouldNot(BeEmpty())
		sample := w.membership("m0")
		eventually(ctx, sample, haveState("Failed"), haveCondition("Stalled", metav1.ConditionTrue, "MailHeld"))
		quiet(ctx)
		Expect(w.mailed()).To(And(HaveLen(people), HaveEach(1)), "no person was mailed twice")

		one := w.invitation("i0")
		askForResend(ctx, one)
		eventually(ctx, one, haveState("Pending"), beReady())
		Expect(w.invitationsTo("i0")).To(HaveLen(2))

		change(ctx, org, func(o *accountsv1.Organization) {
			o.Annotations = map[string]string{accountsv1.ReleaseMailAnnotation: now.Now().UTC().Format(time.RFC3339Nano)}
		})
		Eventually(w.mailed, "120s", "500ms").Should(HaveEach(2))
		eventually(ctx, org, Not(haveCondition("MailHeld", metav1.ConditionTrue, "MailHeld")), beReady())

		// So many objects would slow down the specs that follow.
		for _, kind := range []client.Object{&accountsv1.Membership{}, &accountsv1.Invitation{}} {
			Expect(k8s.DeleteAllOf(ctx, kind, client.InNamespace(w.name))).To(Succeed())
		}
		Eventually(func() int {
			Expect(k8s.List(ctx, &memberships, client.InNamespace(w.name))).To(Succeed())
			Expect(k8s.List(ctx, &invitations, client.InNamespace(w.name))).To(Succeed())
			return len(memberships.Items) + len(invitations.Items)
		}, "90s", "500ms").Should(BeZero())
	})

	It("brings back the members who had accepted, and no used link works again", Label("K1", "A7"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Active"))
		eventually(ctx, a, haveState("Active"))
		quiet(ctx)
		stopUsher()
		for _, o := range []client.Object{m, a} {
			Expect(k8s.Delete(ctx, o)).To(Succeed())
			bare := withVersionOf(ctx, o.DeepCopyObject().(client.Object))
			bare.SetFinalizers(nil)
			Expect(k8s.Update(ctx, bare)).To(Succeed())
		}
		Expect(k8s.Delete(ctx, inv.DeepCopy())).To(Succeed())
		for _, b := range bindings(ctx, w.staging()) {
			Expect(k8s.Delete(ctx, &b)).To(Succeed())
		}
		restored(ctx, a)
		restored(ctx, m)
		restored(ctx, inv)
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)

		eventually(ctx, m, haveState("Active"), beReady(), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)))
		Expect(w.access(ctx)).To(ConsistOf("edit for usher:" + a.Name))
		quiet(ctx)
		Expect(letters.For(string(w.email("jane")))).To(HaveLen(2), "the invitation and the confirmation of the first time")
		eventuallyGone(ctx, inv) // it was made for the Membership before the restore
	})

	It("keeps used links dead even if the Invitation still has its UID", Label("K1", "A7"), func(ctx SpecContext) {
		w.active(ctx)
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Active"))
		quiet(ctx)
		attempt, uid := inv.Status.Attempt, string(inv.UID)
		text, err := keys.DeriveLink(uid, attempt)
		Expect(err).NotTo(HaveOccurred())
		used, err := invitation.ParseLink(text)
		Expect(err).NotTo(HaveOccurred())
		for _, lost := range []struct {
			left   accountsv1.InvitationStatus
			wanted invitation.LinkStatus
		}{
			{accountsv1.InvitationStatus{Attempt: attempt, ExpirationTime: inv.Status.ExpirationTime}, invitation.LinkUsed}, // without the claim time
			{accountsv1.InvitationStatus{}, invitation.LinkUnknown},
		} {
			stopUsher()
			changeStatus(ctx, inv, func(inv *accountsv1.Invitation) { inv.Status = lost.left })
			org := w.organization()
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
			offer := invitation.Offer{Invitation: inv, Organization: org, Membership: w.membership("jane"), Joined: true}
			Expect(offer.Check(used, keys, now.Now())).To(Equal(lost.wanted), "before the controller has reconciled it")
			stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
			eventually(ctx, inv, haveState("Active"), beReady(), HaveField("UID", BeEquivalentTo(uid)))
			quiet(ctx)
			Expect(w.standings(ctx)).To(ConsistOf(lost.wanted))
			eventually(ctx, w.membership("jane"), haveState("Active"), beReady())
			Expect(letters.For(string(w.email("jane")))).To(HaveLen(2), "the invitation and the confirmation of the first time")
		}
	})
})

// withVersionOf gives an object its present resourceVersion.
func withVersionOf[T client.Object](ctx context.Context, o T) T {
	GinkgoHelper()
	shown := o.DeepCopyObject().(client.Object)
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), shown)).To(Succeed())
	o.SetResourceVersion(shown.GetResourceVersion())
	return o
}
