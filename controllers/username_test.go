// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/withheld"
)

// retired returns the record of a retired user name.
func retired(userName string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: usherNamespace, Name: withheld.RecordName(userName)}}
}

// boundNames is the list of the user names that bindings name.
func boundNames() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: usherNamespace, Name: withheld.BoundListName}}
}

// eventuallyBound waits for names in the list of bound names. Usher writes the list at most
// once a minute, so each look at it is a minute after the one before.
func eventuallyBound(ctx context.Context, names gomegatypes.GomegaMatcher) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		now.PutForward(time.Minute)
		list := boundNames()
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(list), list)).To(Succeed())
		poke(ctx, list)
		g.Expect(list.Data).To(names)
	}).WithPolling(200 * time.Millisecond).Should(Succeed())
}

// bindingsTo returns a RoleBinding and a ClusterRoleBinding of an admin to a person.
func (w world) bindingsTo(userName string) map[string]client.Object {
	meta := metav1.ObjectMeta{Namespace: w.staging(), Name: w.name + "-ops"}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
	subjects := []rbacv1.Subject{
		{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: w.name + "-ops"},
		{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: accountsv1.AccountUserPrefix + userName},
	}
	everywhere := meta
	everywhere.Namespace = ""
	return map[string]client.Object{
		"RoleBinding":        &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: subjects},
		"ClusterRoleBinding": &rbacv1.ClusterRoleBinding{ObjectMeta: everywhere, RoleRef: role, Subjects: subjects},
	}
}

// refused invites John, who accepts with a user name that he does not get.
func (w world) refused(ctx context.Context, userName string) (*accountsv1.Membership, *accountsv1.Account) {
	GinkgoHelper()
	john := w.invited(ctx, "john")
	a := w.accept(ctx, "john", userName)
	eventually(ctx, a, haveState("Pending"), haveCondition("Ready", metav1.ConditionFalse, "UserNameWithheld"),
		haveCondition("Stalled", metav1.ConditionTrue, "UserNameWithheld"))
	Expect(a.Annotations).NotTo(HaveKey(accountsv1.MembershipsAnnotation), "without a record, he cannot sign in")
	Expect(bindings(ctx, w.staging())).To(BeEmpty())
	return john, a
}

var _ = Describe("A user name", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	// left deletes Jane's Account and returns its name.
	left := func(ctx context.Context) string {
		GinkgoHelper()
		_, a := w.active(ctx)
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, retired(a.Name)))).To(Succeed())
		})
		return a.Name
	}

	It("of a deleted Account is not given to another person, until an admin releases it", Label("K4"), func(ctx SpecContext) {
		name := left(ctx)
		record := retired(name)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed(), "the record is written before the Account is removed")
		john, a := w.refused(ctx, name)
		Expect(a).To(haveMessage("Stalled", "ConfigMap "+record.Name+" in namespace "+usherNamespace))

		Expect(k8s.Delete(ctx, record)).To(Succeed())
		eventually(ctx, john, haveState("Active"), beReady())
		eventually(ctx, a, haveState("Active"), beReady())
	})

	It("that an incomplete Account had is available again", Label("E7"), func(ctx SpecContext) {
		w.invited(ctx, "jane")
		loser := w.halfMade(ctx, "jane", w.name+"-loser")
		w.accept(ctx, "jane", w.name+"-winner")
		goneAfterItsTime(ctx, loser)
		w.invited(ctx, "john")
		w.accept(ctx, "john", loser.Name)
		eventually(ctx, w.membership("john"), haveState("Active"), beReady())
	})

	It("is available a year after its Account was deleted", Label("K4"), func(ctx SpecContext) {
		name := left(ctx)
		record := retired(name)
		now.PutForward(controllers.UserNameRetention - time.Hour)
		poke(ctx, record)
		quiet(ctx)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())
		now.PutForward(time.Hour)
		poke(ctx, record)
		eventuallyGone(ctx, record)
		w.invited(ctx, "john")
		w.accept(ctx, "john", name)
		eventually(ctx, w.membership("john"), haveState("Active"), beReady())
	})

	for _, kind := range []string{"RoleBinding", "ClusterRoleBinding"} {
		It("is withheld for longer than a year while a "+kind+" names it", Label("K4"), func(ctx SpecContext) {
			name := left(ctx)
			record, binding := retired(name), w.bindingsTo(name)[kind]
			create(ctx, binding)
			eventuallyBound(ctx, HaveKey(name))
			now.PutForward(controllers.UserNameRetention)
			poke(ctx, record)
			quiet(ctx)
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())
			Expect(k8s.Delete(ctx, binding)).To(Succeed())
			eventuallyGone(ctx, record)
			eventuallyBound(ctx, Not(HaveKey(name)))
		})

		It("that no Account ever had is withheld while a "+kind+" names it", Label("K4"), func(ctx SpecContext) {
			name := w.name + "-john"
			binding := w.bindingsTo(name)[kind]
			create(ctx, binding)
			eventuallyBound(ctx, HaveKey(name))
			john, a := w.refused(ctx, name)
			Expect(a).To(haveMessage("Stalled", kind+" "+w.name+"-ops"))
			list := boundNames()
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(list), list)).To(Succeed())
			Expect(list.Data).NotTo(HaveKey(w.name + "-ops"))

			Expect(k8s.Delete(ctx, binding)).To(Succeed())
			eventually(ctx, john, haveState("Active"), beReady())
			eventuallyBound(ctx, Not(HaveKey(name)))
		})

		It("stays with its person when an admin adds a "+kind, Label("K4"), func(ctx SpecContext) {
			m, a := w.active(ctx)
			create(ctx, w.bindingsTo(a.Name)[kind])
			poke(ctx, a)
			quiet(ctx)
			eventually(ctx, m, haveState("Active"), beReady())
			eventually(ctx, a, haveState("Active"), beReady())
			list := boundNames()
			Expect(client.IgnoreNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(list), list))).To(Succeed())
			Expect(list.Data).NotTo(HaveKey(a.Name))
		})
	}

	It("that a binding begins to name is listed at once, and after that at most once a minute", Label("K4"), func(ctx SpecContext) {
		first, second := w.name+"-john", w.name+"-mara"
		create(ctx, w.bindingsTo(first)["RoleBinding"])
		eventuallyBound(ctx, HaveKey(first))
		quiet(ctx)
		now.PutForward(time.Minute)
		Expect(k8s.Delete(ctx, w.bindingsTo(first)["RoleBinding"])).To(Succeed())
		eventually(ctx, boundNames(), HaveField("Data", Not(HaveKey(first))))

		create(ctx, w.bindingsTo(second)["ClusterRoleBinding"])
		Consistently(func(g Gomega) {
			list := boundNames()
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(list), list)).To(Succeed())
			g.Expect(list.Data).NotTo(HaveKey(second))
		}, "2s").Should(Succeed())
		w.refused(ctx, second)
		eventuallyBound(ctx, HaveKey(second))
	})

	It("is withheld even if the controller was down when the binding was created", Label("K4"), func(ctx SpecContext) {
		name := w.name + "-john"
		w.invited(ctx, "john")
		stopUsher()
		create(ctx, w.bindingsTo(name)["ClusterRoleBinding"])
		a := w.accept(ctx, "john", name)
		stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		eventually(ctx, a, haveCondition("Stalled", metav1.ConditionTrue, "UserNameWithheld"))
		eventuallyBound(ctx, HaveKey(name))
	})

	It("goes back to its person when a backup from before the deletion is restored", Label("K4"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		backup := &accountsv1.Account{
			ObjectMeta: metav1.ObjectMeta{Name: a.Name, Finalizers: []string{accountsv1.Finalizer}},
			Spec:       a.Spec,
		}
		eventually(ctx, a, haveState("Active"))
		backup.Annotations = a.Annotations
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		eventually(ctx, m, haveState("Inactive"))
		create(ctx, backup)
		eventually(ctx, backup, haveState("Active"), beReady())
		eventually(ctx, m, haveState("Active"), beReady())

		By("and is withheld again after the next deletion, however old the record is")
		record := retired(a.Name)
		change(ctx, record, func(c *corev1.ConfigMap) {
			c.Data["retiredTime"] = now.Now().Add(time.Hour - controllers.UserNameRetention).Format(time.RFC3339)
		})
		Expect(k8s.Delete(ctx, backup)).To(Succeed())
		eventuallyGone(ctx, backup)
		now.PutForward(2 * time.Hour)
		poke(ctx, record)
		quiet(ctx)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())
	})

	It("of a person whose Invitation was deleted is discarded with the Account that could not have it", Label("K4"), func(ctx SpecContext) {
		name := left(ctx)
		_, a := w.refused(ctx, name)
		Expect(k8s.Delete(ctx, w.invitation("john"))).To(Succeed())
		eventually(ctx, a, haveState("Disabled"))
		now.PutForward(account.AcceptanceTimeout)
		poke(ctx, a)
		eventuallyGone(ctx, a)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(retired(name)), retired(name))).To(Succeed())
	})
})

// requestCounter counts the requests of a client, by method and resource. It ignores reads of
// the records of other user names: a controller that has just started reconciles what other
// specs left.
type requestCounter struct {
	ofNames string // the start of the user names of this spec

	mu     sync.Mutex
	counts map[string]int
}

func (c *requestCounter) through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		for _, resource := range []string{"configmaps", "clusterrolebindings", "rolebindings", "memberships", "organizations", "accounts", "invitations", "events"} {
			ofAnother := resource == "configmaps" && r.Method == http.MethodGet && !strings.Contains(r.URL.Path, c.ofNames)
			if slices.Contains(strings.Split(r.URL.Path, "/"), resource) && r.URL.Query().Get("watch") == "" && !ofAnother {
				c.mu.Lock()
				c.counts[r.Method+" "+resource]++
				c.mu.Unlock()
			}
		}
		return next.RoundTrip(r)
	})
}

// taken returns the counts, and starts again.
func (c *requestCounter) taken() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.counts
	c.counts = map[string]int{}
	return counts
}

var _ = Describe("Withholding user names", func() {
	It("costs a read when a person accepts, a write when their Account is deleted, and nothing else", Label("K4"), func(ctx SpecContext) {
		w := aWorld().ready(ctx)
		counter := &requestCounter{ofNames: w.name + "-", counts: map[string]int{}}
		counted := rest.CopyConfig(usherAPI)
		counted.Wrap(counter.through)
		stopUsher()
		stopUsher = startUsher(context.Background(), counted, testNotifier(), 4)
		DeferCleanup(func() {
			stopUsher()
			stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4)
		})
		eventually(ctx, w.organization(), beReady())
		quiet(ctx)
		counter.taken()

		By("inviting a person who accepts, and binding another user")
		m, a := w.active(ctx)
		ops := w.bindingsTo("nobody")["RoleBinding"].(*rbacv1.RoleBinding)
		ops.Subjects = ops.Subjects[:1]
		create(ctx, ops)
		quiet(ctx)
		counts := counter.taken()
		AddReportEntry("accepting", counts)
		// A reconciliation on a stale cache repeats them.
		Expect(counts).To(HaveKeyWithValue("GET configmaps", BeNumerically("<=", 2)))
		Expect(counts).NotTo(HaveKey("PATCH configmaps"))

		By("removing the Membership")
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		quiet(ctx)
		counts = counter.taken()
		AddReportEntry("leaving", counts)
		Expect(counts).NotTo(Or(HaveKey("GET configmaps"), HaveKey("PATCH configmaps")))

		By("deleting the Account")
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		quiet(ctx)
		counts = counter.taken()
		AddReportEntry("deleting", counts)
		Expect(counts).To(HaveKeyWithValue("PATCH configmaps", BeNumerically("<=", 2)))
		Expect(counts).NotTo(HaveKey("GET configmaps"))
	})
})
