// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

var _ = Describe("A controller that dies while it sends mail about an Account", func() {
	It("reaches the same result after a death at any of its calls: no mail is lost, and none is repeated except between the 250 and the record",
		Label("K1", "K8"), func(ctx SpecContext) {
			w := aWorld().ready(ctx)
			_, a := w.active(ctx)
			eventually(ctx, w.invitation("jane"), HaveField("Status.Deliveries", HaveEach(HaveField("Result", BeEquivalentTo("Sent")))))
			stopUsher()
			DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })

			doubled := map[string]int{}
			for _, after := range []bool{false, true} {
				at := 1
				for dies(ctx, w, a, newProcess(at, after), doubled) {
					at++
				}
				Expect(at).To(BeNumerically(">", 6), "the sweep covered all calls that two mails need")
			}
			for _, mail := range []string{"SMTP: reset", "SMTP: locked"} {
				// Two mails are sent in any order, so a sweep by number can miss one of
				// them.
				p := newProcess(1, true)
				p.of = mail
				Expect(dies(ctx, w, a, p, doubled)).To(BeTrue(), mail)
				Expect(doubled).To(HaveKeyWithValue(mail, Not(BeZero())), "the point where a mail doubles: %v", doubled)
			}
			GinkgoWriter.Printf("doubled: %v\n", doubled)
		})
})

// dies locks an Account and requests a new password. A process that dies handles both,
// and then the process after it. dies returns false if everything was done before the
// process could die.
func dies(ctx context.Context, w world, a *accountsv1.Account, p *process, doubled map[string]int) (died bool) {
	GinkgoHelper()
	now.PutForward(time.Hour)
	before := w.mails("jane")
	asPortal(ctx, a, func(s *accountsv1.AccountStatus, now metav1.Time) {
		failed := metav1.NewTime(now.Add(-time.Minute))
		*s = accountsv1.AccountStatus{SignIn: accountsv1.SignIn{Failures: 5, FailureTime: &failed}}
	})
	ask(ctx, a, accountsv1.ResetAnnotation)

	told := func() []string {
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		var all []string
		for _, d := range a.Status.Deliveries {
			if d.Result == accountsv1.DeliverySent {
				all = append(all, string(d.Purpose))
			}
		}
		return all
	}
	stop := p.start(ctx)
	Eventually(func() bool { return p.isDead() || len(told()) == 2 }).Should(BeTrue())
	stop()
	died = p.isDead() // the process is idle here, so its last record was seen before a later death
	if died {
		now.PutForward(sendOver)
		stop = newProcess(0, false).start(ctx)
		defer stop()
	}
	where := fmt.Sprintf("call %d, after=%v: %s", p.at, p.after, p.point)
	Eventually(told).Should(ConsistOf("Reset", "Locked"), where)
	eventually(ctx, a, haveState("Locked"), beReady())
	quiet(ctx)

	mails := w.mails("jane")
	for id := range before {
		delete(mails, id)
	}
	Expect(mails).To(HaveLen(2), "lost, or composed again:  "+where)
	for id, copies := range mails {
		if len(copies) == 1 {
			continue
		}
		Expect(p.pending).To(HaveKey(id), "doubled: "+where)
		Expect(copies).To(HaveLen(2), where)
		Expect(copies[0]).To(Equal(copies[1]), where)
		doubled[p.point]++
	}
	return died
}
