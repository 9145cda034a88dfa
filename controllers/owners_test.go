// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// parting is a way in which an owner stops being an owner.
type parting func(ctx context.Context, m *accountsv1.Membership, a *accountsv1.Account)

func isDeleted(ctx context.Context, m *accountsv1.Membership, _ *accountsv1.Account) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, m)).To(Succeed())
}

func isDemoted(ctx context.Context, m *accountsv1.Membership, _ *accountsv1.Account) {
	GinkgoHelper()
	change(ctx, m.DeepCopy(), func(m *accountsv1.Membership) { m.Spec.Role = "developer" })
}

func isSuspended(ctx context.Context, m *accountsv1.Membership, _ *accountsv1.Account) {
	GinkgoHelper()
	change(ctx, m.DeepCopy(), func(m *accountsv1.Membership) { m.Spec.State = accountsv1.MembershipSwitchSuspended })
}

func isDenied(ctx context.Context, m *accountsv1.Membership, _ *accountsv1.Account) {
	GinkgoHelper()
	change(ctx, m.DeepCopy(), func(m *accountsv1.Membership) {
		m.Spec.Permissions = []accountsv1.PermissionOverride{overrideOn("Deny", "manage", "home")}
	})
}

// leaves records that the person leaves the Membership, as the portal does.
func leaves(ctx context.Context, m *accountsv1.Membership, a *accountsv1.Account) {
	GinkgoHelper()
	changeStatus(ctx, a.DeepCopy(), func(a *accountsv1.Account) {
		a.Status.Leaving = append(a.Status.Leaving, accountsv1.MembershipReference{
			Namespace: accountsv1.NamespaceName(m.Namespace), Name: accountsv1.CatalogueName(m.Name),
		})
	})
}

var _ = Describe("The owners of an Organization", Label("D9"), func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().governed(ctx) })

	It("are listed once they have joined, as long as they can sign in and are not leaving", func(ctx SpecContext) {
		org := w.organization()
		invited := w.membership("mary")
		invited.Spec.Role = "owner"
		create(ctx, invited)
		ada, _ := w.owner(ctx, "ada")
		w.joined(ctx, "john", "developer")
		w.joined(ctx, "paul", "deputy")
		eventually(ctx, ada, haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner"), haveMessage("LastOwner", "whose standing is Owner"), beReady())
		_, hers := w.owner(ctx, "grace")
		eventually(ctx, org, haveOwners("ada", "grace"))
		eventually(ctx, ada, beReady(), Not(haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner")))
		turn(ctx, hers, accountsv1.AccountSwitchDisabled)
		eventually(ctx, org, haveOwners("ada"))
		eventually(ctx, ada, haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner"))
		turn(ctx, hers, accountsv1.AccountSwitchActive)
		eventually(ctx, org, haveOwners("ada", "grace"))
	})

	DescribeTable("include the last owner until there is another one:", func(ctx SpecContext, part parting, ready, after OmegaMatcher, left func() []string) {
		m, a := w.owner(ctx, "ada")
		w.has(ctx, "ada", a, w.managing())
		part(ctx, m, a)
		eventually(ctx, m, haveState("Active"), haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner"), ready)
		quiet(ctx)
		w.has(ctx, "ada", a, w.managing())
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(m), m)).To(Succeed())
		Expect(m).To(ready)

		w.owner(ctx, "grace")
		eventually(ctx, w.organization(), haveOwners("grace"))
		if after == nil {
			eventuallyGone(ctx, m)
			eventuallyGone(ctx, w.invitation("ada"))
			eventually(ctx, a, HaveField("Annotations", HaveKeyWithValue(accountsv1.MembershipsAnnotation, "")))
			Expect(bound(ctx, a)).To(BeEmpty())
			return
		}
		eventually(ctx, m, after, beReady(), Not(haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner")))
		w.has(ctx, "ada", a, left()...)
	},
		Entry("an owner who is deleted", parting(isDeleted), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"), nil, nil),
		Entry("an owner who gets another role", parting(isDemoted), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"),
			haveState("Active"), func() []string { return []string{"edit in " + w.staging()} }),
		Entry("an owner who is suspended", parting(isSuspended), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"),
			haveCondition("Ready", metav1.ConditionTrue, "Suspended"), func() []string { return nil }),
		Entry("an owner who is denied a permission of owners", parting(isDenied), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"),
			haveState("Active"), func() []string { return nil }),
		// The manifest of a leaving owner does not ask for less, so Ready stays True.
		Entry("an owner who leaves", parting(leaves), beReady(), haveCondition("Ready", metav1.ConditionTrue, "NoAccount"), func() []string { return nil }),
	)

	It("include an owner whose removal was reverted in the manifest", func(ctx SpecContext) {
		m, a := w.owner(ctx, "ada")
		isSuspended(ctx, m, a)
		eventually(ctx, m, haveCondition("Ready", metav1.ConditionFalse, "LastOwner"))
		change(ctx, m, func(m *accountsv1.Membership) { m.Spec.State = "" })
		eventually(ctx, m, haveState("Active"), beReady(), haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner"))
		w.owner(ctx, "grace")
		quiet(ctx)
		w.has(ctx, "ada", a, w.managing())
	})

	It("do not include an owner whose Account is disabled", func(ctx SpecContext) {
		ada, hers := w.owner(ctx, "ada")
		grace, disabled := w.owner(ctx, "grace")
		turn(ctx, disabled, accountsv1.AccountSwitchDisabled)
		isDeleted(ctx, ada, hers)
		eventually(ctx, ada, haveState("Active"), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"))
		eventually(ctx, grace, haveState("Inactive"))
		quiet(ctx)
		w.has(ctx, "ada", hers, w.managing())
		turn(ctx, disabled, accountsv1.AccountSwitchActive)
		eventuallyGone(ctx, ada)
		w.has(ctx, "grace", disabled, w.managing())
	})

	It("include the last owner even if a controller has a stale list", func(ctx SpecContext) {
		ada, hers := w.owner(ctx, "ada")
		thaw := make(chan struct{})
		stop := startUsher(context.WithoutCancel(ctx), through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil && r.URL.Query().Get("watch") == "true" && strings.HasSuffix(r.URL.Path, "/organizations") {
				response.Body = frozen{response.Body, r.Context().Done(), thaw, always}
			}
			return response, err
		}), testNotifier(), 4)
		DeferCleanup(func() {
			close(thaw)
			stop()
		})
		grace, too := w.owner(ctx, "grace")
		throne := watchThrone(ctx)
		isDeleted(ctx, ada, hers)
		eventually(ctx, w.organization(), haveOwners("grace"))
		isDeleted(ctx, grace, too)
		eventually(ctx, grace, haveState("Active"), haveCondition("Ready", metav1.ConditionFalse, "LastOwner"))
		Consistently(throne.vacancies, "1s").Should(BeEmpty())
		w.has(ctx, "grace", too, w.managing())
	})

	DescribeTable("are removed with it", func(ctx SpecContext, wait bool, order ...int) {
		m, a := w.owner(ctx, "ada")
		org := w.organization()
		both := []client.Object{org, m}
		for _, i := range order {
			Expect(k8s.Delete(ctx, both[i])).To(Succeed())
			if wait && i == 1 {
				eventually(ctx, m, haveCondition("Ready", metav1.ConditionFalse, "LastOwner"))
			}
		}
		eventuallyGone(ctx, org)
		if slices.Contains(order, 1) {
			eventuallyGone(ctx, m)
		} else {
			eventually(ctx, m, haveState("Inactive"), haveCondition("Ready", metav1.ConditionFalse, "OrganizationNotFound"))
		}
		Expect(bound(ctx, a)).To(BeEmpty())
	},
		Entry("when only the Organization is deleted", false, 0),
		Entry("when it is deleted, and then its last owner", false, 0, 1),
		Entry("when its last owner is deleted, and then the Organization", false, 1, 0),
		Entry("when its last owner was retained before", true, 1, 0),
	)

	It("are removed with its home namespace, including the last owner", func(ctx SpecContext) {
		kept, hers := w.owner(ctx, "ada")
		isDeleted(ctx, kept, hers)
		eventually(ctx, kept, haveCondition("Ready", metav1.ConditionFalse, "LastOwner"))
		Expect(k8s.Delete(ctx, namespace(w.name))).To(Succeed())
		eventually(ctx, w.organization(), haveOwners(), haveCondition("NamespaceReady", metav1.ConditionFalse, "NamespaceTerminating"))
		eventuallyGone(ctx, kept)
		Expect(bound(ctx, hers)).To(BeEmpty())
	})

	It("are removed one by one while the contents of its home namespace are deleted", func(ctx SpecContext) {
		ada, hers := w.owner(ctx, "ada")
		grace, too := w.owner(ctx, "grace")
		Expect(k8s.Delete(ctx, namespace(w.name))).To(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &accountsv1.Membership{}, client.InNamespace(w.name))).To(Succeed())
		eventuallyGone(ctx, ada)
		eventuallyGone(ctx, grace)
		Expect(append(bound(ctx, hers), bound(ctx, too)...)).To(BeEmpty())
	})
})

const (
	palaces = 25 // Organizations at a time
	rounds  = 20 // in each Organization
)

var _ = Describe("Two owners who are removed at the same moment", SpecPriority(90), Label("D9"), func() {
	It("leave one owner behind in all five hundred rounds, without a gap", func(ctx SpecContext) {
		following, stop := context.WithCancel(ctx)
		defer stop()
		news, err := cache.New(usherAPI, cache.Options{Scheme: k8s.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		go func() { _ = news.Start(following) }()
		var kings [palaces]*palace
		for i := range kings {
			kings[i] = aPalace(ctx, news)
		}
		throne := watchThrone(following)
		began := time.Now()
		var all sync.WaitGroup
		for _, p := range kings {
			all.Go(func() {
				defer GinkgoRecover()
				for round := range rounds {
					p.overturn(ctx, round)
				}
			})
		}
		all.Wait()
		AddReportEntry("rounds", fmt.Sprintf("%d rounds in %s", palaces*rounds, time.Since(began).Round(time.Second)))
		for _, p := range kings {
			Eventually(throne.holders).WithArguments(p.name).Should(HaveLen(1))
		}
		Expect(throne.vacancies()).To(BeEmpty())
	})
})

// palace is a world in which owners come and go. From the beginning, the Accounts hold
// all Memberships that will exist.
type palace struct {
	world
	news     client.Reader
	accounts [2]*accountsv1.Account
}

func aPalace(ctx context.Context, news client.Reader) *palace {
	GinkgoHelper()
	p := &palace{world: aWorld(), news: news}
	p.emptied()
	p.governed(ctx)
	for i := range p.accounts {
		name := fmt.Sprintf("%s-%d", p.name, i)
		record := ""
		for round := range rounds {
			record += "," + p.name + "/" + heir(i, round)
		}
		p.accounts[i] = &accountsv1.Account{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Finalizers: []string{accountsv1.Finalizer},
				Annotations: map[string]string{accountsv1.MembershipsAnnotation: record[1:]},
			},
			Spec: accountsv1.AccountSpec{Email: p.email(name), InvitationRef: accountsv1.InvitationReference{
				Namespace: accountsv1.NamespaceName(p.name), Name: "first", UID: "00000000-0000-4000-8000-000000000000",
			}},
		}
		create(ctx, p.accounts[i])
	}
	return p
}

func heir(i, round int) string { return fmt.Sprintf("heir-%d-%d", i, round) }

// overturn replaces the owners of the previous round by two new ones and removes both at
// once. Each round uses the next pair of ways to remove them. In some rounds, only one of
// them has become an owner by then.
func (p *palace) overturn(ctx context.Context, round int) {
	GinkgoHelper()
	var heirs [2]*accountsv1.Membership
	for i := range heirs {
		heirs[i] = p.membership(heir(i, round))
		heirs[i].Spec.Role, heirs[i].Spec.Email = "owner", p.accounts[i].Spec.Email
		Expect(k8s.Create(ctx, heirs[i])).To(Succeed())
	}
	come := haveOwners(heirs[0].Name, heirs[1].Name)
	if round%3 == 2 {
		come = Or(haveOwner(heirs[0].Name), haveOwner(heirs[1].Name))
	}
	Eventually(p.organizationNow).WithContext(ctx).WithTimeout(30 * time.Second).WithPolling(5 * time.Millisecond).Should(come)

	ways := []parting{isDeleted, isDemoted, isSuspended, leaves}
	var gone sync.WaitGroup
	for i, part := range []parting{ways[round%4], ways[round/4%4]} {
		gone.Go(func() {
			defer GinkgoRecover()
			part(ctx, heirs[i], p.accounts[i])
		})
	}
	gone.Wait()
	Eventually(func(g Gomega) { p.oneIsLeft(ctx, g) }).WithTimeout(30 * time.Second).WithPolling(20 * time.Millisecond).Should(Succeed())
	for i := range heirs {
		if round > 0 {
			old := p.membership(heir(i, round-1))
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, old))).To(Succeed())
		}
	}
}

func (p *palace) organizationNow(ctx context.Context) (*accountsv1.Organization, error) {
	org := p.organization()
	return org, p.news.Get(ctx, client.ObjectKeyFromObject(org), org)
}

// oneIsLeft checks that the Organization lists one owner, who has access, and that no
// other Account has it.
func (p *palace) oneIsLeft(ctx context.Context, g Gomega) {
	org, err := p.organizationNow(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(org.Status.Owners).To(HaveLen(1))
	last := p.membership(string(org.Status.Owners[0].Name))
	g.Expect(p.news.Get(ctx, client.ObjectKeyFromObject(last), last)).To(Succeed())
	g.Expect(last).To(And(haveState("Active"), haveCondition("LastOwner", metav1.ConditionTrue, "LastOwner")))
	var inForce rbacv1.RoleBindingList
	g.Expect(p.news.List(ctx, &inForce, client.InNamespace(p.name))).To(Succeed())
	var names []string // formatting a failure with whole RoleBindings takes long
	for i := range inForce.Items {
		names = append(names, inForce.Items[i].Name)
	}
	g.Expect(names).To(ConsistOf("usher:" + p.name + ":" + last.Name + ":usher-organization-owner"))
}

// throne records which owners have access, by home namespace. It uses one watch, which
// reports one change after the other.
type throne struct {
	mu     sync.Mutex
	held   map[string][]string
	vacant []string
}

func watchThrone(ctx context.Context) *throne {
	GinkgoHelper()
	watcher, err := client.NewWithWatch(usherAPI, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	changes, err := watcher.Watch(ctx, &rbacv1.RoleBindingList{})
	Expect(err).NotTo(HaveOccurred())
	t := &throne{held: map[string][]string{}}
	go func() {
		defer changes.Stop()
		for change := range changes.ResultChan() {
			t.note(change)
		}
	}()
	return t
}

// note counts a RoleBinding only if it is as Usher makes it.
func (t *throne) note(change watch.Event) {
	b, isBinding := change.Object.(*rbacv1.RoleBinding)
	if !isBinding || b.RoleRef.Name != "usher-organization-owner" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.held[b.Namespace]
	after := slices.DeleteFunc(slices.Clone(before), func(name string) bool { return name == b.Name })
	if change.Type != watch.Deleted && len(b.Subjects) == 1 {
		after = append(after, b.Name)
	}
	t.held[b.Namespace] = after
	if len(before) > 0 && len(after) == 0 {
		t.vacant = append(t.vacant, fmt.Sprintf("%s after %s", b.Namespace, b.Name))
	}
}

func (t *throne) holders(namespace string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.held[namespace])
}

func (t *throne) vacancies() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.vacant)
}
