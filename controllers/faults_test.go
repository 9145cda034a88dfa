// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

// through returns a configuration whose requests to the API server all go through way.
func through(way func(next http.RoundTripper, r *http.Request) (*http.Response, error)) *rest.Config {
	api := rest.CopyConfig(usherAPI)
	api.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) { return way(next, r) })
	})
	return api
}

// past makes a controller lag behind. The controller gets no watch events until thaw is
// closed, and its writes wait for write. Its decisions are therefore based on the older
// state.
type past struct{ write, thaw chan struct{} }

func (p past) roundTrip(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut || r.Method == http.MethodPost && !strings.Contains(r.URL.Path, "/selfsubjectaccessreviews") {
		select {
		case <-p.write:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	response, err := next.RoundTrip(r)
	if err == nil && r.URL.Query().Get("watch") == "true" {
		response.Body = frozen{response.Body, r.Context().Done(), p.thaw, always}
	}
	return response, err
}

// frozen is a stream from which nothing arrives while cold reports true, until it thaws.
type frozen struct {
	io.ReadCloser
	over <-chan struct{}
	thaw chan struct{}
	cold func() bool
}

func (f frozen) Read(into []byte) (int, error) {
	n, err := f.ReadCloser.Read(into)
	if !f.cold() {
		return n, err
	}
	select {
	case <-f.thaw:
		return n, err
	case <-f.over:
		return 0, io.ErrUnexpectedEOF
	}
}

func always() bool { return true }

// everyMail counts the invitation mails to each of these people.
func (w world) everyMail(people []string) map[string]int {
	got := map[string]int{}
	for _, p := range people {
		got[p] = len(w.invitationsTo(p))
	}
	return got
}

func (w world) people(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("p%d", i))
	}
	return names
}

var _ = Describe("The mail of an invitation", Label("K8"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) {
		w = aWorld().ready(ctx)
		DeferCleanup(letters.SetFault, (func(inbox.Stage, int) inbox.Fault)(nil))
	})

	It("is sent once by two concurrent controllers without leader election", func(ctx SpecContext) {
		DeferCleanup(startUsher(context.Background(), usherAPI, testNotifier(), 4))
		people := w.people(60)
		for _, p := range people {
			create(ctx, w.membership(p))
		}
		for _, p := range people {
			eventuallyWithin(ctx, "30s", w.membership(p), haveState("Invited"), beReady())
		}
		quiet(ctx)
		Expect(w.everyMail(people)).To(HaveEach(1))
	})

	It("is not sent by a controller whose cache is a minute old", func(ctx SpecContext) {
		stopUsher()
		DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })
		people := w.people(20)
		for _, p := range people {
			create(ctx, w.invitation(p))
		}
		then := past{write: make(chan struct{}), thaw: make(chan struct{})}
		var attempts atomic.Int32
		stale := startUsher(context.Background(), through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			response, err := then.roundTrip(next, r)
			if err == nil && response.StatusCode == http.StatusConflict {
				attempts.Add(1)
			}
			return response, err
		}), testNotifier(), 4)
		DeferCleanup(func() { stale() })
		current := startUsher(context.Background(), usherAPI, testNotifier(), 4)
		DeferCleanup(func() { current() })
		for _, p := range people {
			eventuallyWithin(ctx, "30s", w.invitation(p), haveState("Pending"), beReady())
		}
		now.PutForward(time.Minute)
		close(then.write)
		Eventually(attempts.Load).Should(BeNumerically(">", 40), "its writes are based on stale data and get conflicts")
		close(then.thaw)
		quiet(ctx)
		Expect(w.everyMail(people)).To(HaveEach(1))
	})

	It("is sent once if a status was written but the answer was lost", func(ctx SpecContext) {
		stopUsher()
		DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })
		var mu sync.Mutex
		seen, lost := map[string]int{}, 0
		DeferCleanup(startUsher(context.Background(), through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err != nil || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/status") || response.StatusCode != http.StatusOK {
				return response, err
			}
			mu.Lock()
			defer mu.Unlock()
			// This loses the answer to every other write of each object: the claim of
			// one, the record of the next.
			if seen[r.URL.Path]++; seen[r.URL.Path]%2 == len(r.URL.Path)%2 {
				lost++
				_ = response.Body.Close()
				return nil, errors.New("the answer was lost")
			}
			return response, nil
		}), testNotifier(), 4))
		people := append(w.people(10), "person-0", "person-11")
		for _, p := range people {
			create(ctx, w.membership(p))
		}
		for _, p := range people {
			eventuallyWithin(ctx, "60s", w.membership(p), haveState("Invited"), beReady())
		}
		quiet(ctx)
		mu.Lock()
		defer mu.Unlock()
		Expect(lost).To(BeNumerically(">", 10))
		Expect(w.everyMail(people)).To(HaveEach(1))
	})

	It("waits for a mail server that is down for an hour, is tried at most 20 times, and arrives within five minutes of its return",
		func(ctx SpecContext) {
			letters.FailAt(inbox.Greeting, inbox.Fault{Drop: true})
			reconnect(ctx)
			inv := w.invitation("john")
			create(ctx, inv)
			began := now.Now()
			tried := func(n int32) {
				eventually(ctx, inv, haveState("Sending"), HaveField("Status.Deliveries", ContainElement(And(
					HaveField("Tries", n), HaveField("Result", BeEquivalentTo("TemporaryFailure"))))))
			}
			tried(1)
			for now.Now().Sub(began) < time.Hour {
				tries := inv.Status.Deliveries[0].Tries
				now.PutForward(30 * time.Second)
				for !now.Now().Before(nextTry(inv)) {
					poke(ctx, inv)
					tries++
					tried(tries)
				}
			}
			Expect(inv.Status.Deliveries[0].Tries).To(BeNumerically("<=", 20))
			letters.SetFault(nil)
			now.PutForward(5 * time.Minute)
			poke(ctx, inv)
			eventually(ctx, inv, haveState("Pending"), beReady())
			Expect(w.invitationsTo("john")).To(HaveLen(1))
		})

	DescribeTable("arrives even if the mail server", func(ctx SpecContext, stage inbox.Stage, fault inbox.Fault, copies int) {
		create(ctx, w.invitation("first")) // so that there is a connection to reuse
		eventually(ctx, w.invitation("first"), haveState("Pending"), beReady())
		letters.FailOnce(stage, fault)
		inv := w.invitation("john")
		create(ctx, inv)
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(inv), inv)).To(Succeed())
			g.Expect(inv.Status.Deliveries).To(ContainElement(HaveField("Result", Not(BeEmpty()))))
		}).Should(Succeed())
		now.PutForward(5 * time.Minute)
		poke(ctx, inv)
		eventually(ctx, inv, haveState("Pending"), beReady())
		mails := w.invitationsTo("john")
		Expect(mails).To(HaveLen(copies))
		Expect(mails).To(HaveEach(mails[0]))
	},
		Entry("temporarily refuses the sender", inbox.Mail, inbox.Fault{Code: 451, Text: "not now"}, 1),
		Entry("greylists the recipient", inbox.Rcpt, inbox.Fault{Code: 450, Text: "4.2.0 greylisted, try again"}, 1),
		Entry("temporarily refuses the message", inbox.Data, inbox.Fault{Code: 452, Text: "no room"}, 1),
		Entry("drops the connection in the middle", inbox.Data, inbox.Fault{Drop: true}, 1),
		Entry("drops the connection instead of replying 250", inbox.Body, inbox.Fault{Drop: true}, 1),
		Entry("accepts the message and drops the connection before replying 250", inbox.Body, inbox.Fault{Drop: true, Accept: true}, 2),
		Entry("drops the connection after replying 250", inbox.Body, inbox.Fault{Cut: true}, 1),
		Entry("cannot reset", inbox.Reset, inbox.Fault{Code: 451, Text: "not now"}, 1),
		Entry("closes the connection with 421", inbox.Mail, inbox.Fault{Code: 421, Text: "closing"}, 1),
	)
})

// nextTry returns the latest time at which an Invitation's mail is sent again.
func nextTry(inv *accountsv1.Invitation) time.Time {
	d := inv.Status.Deliveries[0]
	wait := min(10*time.Second<<min(d.Tries-1, 5), 270*time.Second)
	return d.TryTime.Add(wait + time.Second)
}

// reconnect makes Usher close its idle connections.
func reconnect(ctx context.Context) {
	GinkgoHelper()
	stopUsher()
	stopUsher = startUsher(context.WithoutCancel(ctx), usherAPI, testNotifier(), 4)
	DeferCleanup(func() {
		stopUsher()
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
	})
}
