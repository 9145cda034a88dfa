// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dump returns an object as JSON.
func dump(ctx context.Context, o client.Object) string {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	raw, err := json.Marshal(o)
	Expect(err).NotTo(HaveOccurred())
	return string(raw)
}

// health returns the status that kstatus, and so Flux, computes for an object.
func health(ctx context.Context, o client.Object) kstatus.Status {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	Expect(err).NotTo(HaveOccurred())
	result, err := kstatus.Compute(&unstructured.Unstructured{Object: raw})
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// permutations returns all orders of n things.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

var _ = Describe("Usher as a whole", func() {
	DescribeTable("reaches the same result for every order of applying,", Label("K1"), func(ctx SpecContext, invited string) {
		orders := permutations(4)
		Expect(orders).To(HaveLen(24))
		ends := map[string][]string{}
		for _, order := range orders {
			tried := fmt.Sprint(order)
			w := aWorld()
			create(ctx, namespace(w.staging()))
			manifests := []client.Object{w.organization(), w.membership("jane"), w.invitation(invited), namespace(w.name)}
			// If the namespace does not exist yet, an apply fails and is retried after
			// the others. Flux, Argo CD and people do the same.
			for round := 0; len(order) > 0 && round < len(manifests); round++ {
				order = slices.DeleteFunc(slices.Clone(order), func(i int) bool {
					err := client.IgnoreAlreadyExists(k8s.Create(ctx, manifests[i]))
					return err == nil
				})
			}
			Expect(order).To(BeEmpty())
			jane, byHand := w.membership("jane"), w.invitation(invited)
			eventually(ctx, jane, haveState("Invited"), beReady())
			eventually(ctx, byHand, haveState("Pending"), beReady())
			eventually(ctx, w.organization(), beReady())
			end := fmt.Sprintf("%v %v mails %d %d, kstatus %s %s", words(jane.Status.Conditions), words(byHand.Status.Conditions),
				len(w.invitationsTo("jane")), len(w.invitationsTo(invited)), health(ctx, jane), health(ctx, byHand))
			ends[end] = append(ends[end], tried)
		}
		Expect(ends).To(HaveLen(1))
	},
		Entry("with a manual Invitation for another person", "john"),
		Entry("with a manual Invitation for the person of the Membership", "jane"),
	)

	It("writes nothing and sends nothing when it reconciles again", Label("K1"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		m, a := w.active(ctx)
		inv := w.invitation("jane")
		eventually(ctx, inv, haveState("Active"))
		eventually(ctx, a, haveState("Active"))
		quiet(ctx)
		before := len(w.writes())
		for _, o := range []client.Object{w.organization(), m, inv, a, namespace(w.staging())} {
			poke(ctx, o)
		}
		quiet(ctx)
		Expect(w.writes()[before:]).To(BeEmpty())
		Expect(w.invitationsTo("jane")).To(HaveLen(1))
	})

	It("needs three writes to send, four and one RoleBinding to accept, and two to confirm", Label("K1", "A6"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		quiet(ctx)
		before := len(w.writes())
		inv := w.invitation("john")
		create(ctx, inv)
		eventually(ctx, inv, haveState("Pending"))
		waitForEvents(w, "john", 1)
		quiet(ctx)
		Expect(w.writes()[before:]).To(ConsistOf(
			"update invitations/status john", "update invitations/status john", "update invitations john", HavePrefix("create events")))

		m := w.invited(ctx, "jane")
		waitForEvents(w, "jane", 1)
		quiet(ctx)
		before = len(w.writes())
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, m, haveState("Active"))
		eventually(ctx, a, haveState("Active"))
		eventually(ctx, w.invitation("jane"), haveState("Active"))
		waitForEvents(w, "jane", 2)
		quiet(ctx)
		Expect(w.writes()[before:]).To(ConsistOf(
			"update accounts "+a.Name, "update accounts/status "+a.Name,
			"update invitations/status jane", "update memberships/status jane",
			"patch rolebindings usher:"+w.name+":jane:edit",
			"update invitations/status jane", "update invitations/status jane", HavePrefix("create events")))
	})

	It("is InProgress, Current or Failed for kstatus, and never InProgress while it waits for a person", Label("A5"), func(ctx SpecContext) {
		w := aWorld()
		create(ctx, namespace(w.name), namespace(w.staging()))
		early := w.membership("jane")
		create(ctx, early)
		eventually(ctx, early, haveCondition("Reconciling", metav1.ConditionTrue, "OrganizationNotFound"))
		Expect(health(ctx, early)).To(Equal(kstatus.InProgressStatus))
		create(ctx, w.organization())
		eventually(ctx, early, haveState("Invited"), beReady())
		Expect(health(ctx, early)).To(Equal(kstatus.CurrentStatus))
		lost := w.membership("john")
		lost.Spec.Role = "astronaut"
		create(ctx, lost)
		eventually(ctx, lost, haveState("Failed"))
		Expect(health(ctx, lost)).To(Equal(kstatus.FailedStatus))
		a := w.accept(ctx, "jane", w.name+"-jane")
		eventually(ctx, early, haveState("Active"))
		for _, o := range []client.Object{w.organization(), early, w.invitation("jane"), a} {
			Eventually(func() kstatus.Status { return health(ctx, o) }).Should(Equal(kstatus.CurrentStatus))
		}
	})
})

// words returns conditions without their times.
func words(conditions []metav1.Condition) []string {
	var all []string
	for _, c := range conditions {
		all = append(all, c.Type+"="+string(c.Status)+"/"+c.Reason)
	}
	slices.Sort(all)
	return all
}

// audited is the part of the audit log that was read.
var audited struct {
	sync.Mutex
	offset int64
	writes []write
}

// write is one change by Usher: the change, such as "verb resource name", and the
// namespace and name of the object.
type write struct{ what, of string }

// writes returns what Usher has changed in this world so far. Other worlds are excluded,
// because advancing the clock can cause changes there at any time.
func (w world) writes() []string {
	GinkgoHelper()
	var own []string
	for _, one := range writes() {
		if strings.Contains(one.of, w.name) {
			own = append(own, one.what)
		}
	}
	return own
}

// writes returns all changes by Usher so far, from the API server's own audit log. It
// leaves a line that is still being written for the next call.
func writes() []write {
	GinkgoHelper()
	audited.Lock()
	defer audited.Unlock()
	log, err := os.Open(auditLog)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(log.Close()).To(Succeed()) }()
	_, err = log.Seek(audited.offset, io.SeekStart)
	Expect(err).NotTo(HaveOccurred())
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			Expect(err).To(MatchError(io.EOF))
			return slices.Clone(audited.writes)
		}
		audited.offset += int64(len(line))
		if one, isWrite := writeIn(line); isWrite {
			audited.writes = append(audited.writes, one)
		}
	}
}

// writeIn returns Usher's change in one line of the audit log.
func writeIn(line []byte) (one write, isWrite bool) {
	GinkgoHelper()
	var event struct {
		Verb, Stage string
		User        struct{ Username string }
		ObjectRef   struct{ Resource, Subresource, Namespace, Name string }

		ResponseStatus struct{ Code int }
	}
	Expect(json.Unmarshal(line, &event)).To(Succeed())
	resource := event.ObjectRef.Resource
	if event.Stage != "ResponseComplete" || event.User.Username != usherUser || event.ResponseStatus.Code >= 300 || resource == "selfsubjectaccessreviews" {
		return write{}, false
	}
	if event.ObjectRef.Subresource != "" {
		resource += "/" + event.ObjectRef.Subresource
	}
	return write{event.Verb + " " + resource + " " + event.ObjectRef.Name, event.ObjectRef.Namespace + "/" + event.ObjectRef.Name}, true
}

// waitForEvents waits until this many events about a person's Invitation exist. Events are written
// asynchronously.
func waitForEvents(w world, person string, times int) {
	GinkgoHelper()
	Eventually(func() int {
		var events eventsv1.EventList
		Expect(k8s.List(context.Background(), &events, client.InNamespace(w.name))).To(Succeed())
		n := 0
		for _, e := range events.Items {
			if e.Regarding.Name == person {
				n++
			}
		}
		return n
	}).Should(Equal(times))
}

// quiet waits until Usher has written nothing for half a second.
func quiet(ctx context.Context) {
	GinkgoHelper()
	last, since := -1, time.Now()
	Eventually(ctx, func() time.Duration {
		if n := len(writes()); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since)
	}, "60s").Should(BeNumerically(">", 500*time.Millisecond))
}
