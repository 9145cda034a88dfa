// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/grant"
)

func credentials(userName string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: accountsv1.CredentialsNamespace, Name: account.SecretName(userName)}}
}

// goneAfterItsTime waits until an incomplete Account is given up. Then it advances the
// clock and waits until the Account and its password are deleted.
func goneAfterItsTime(ctx context.Context, a *accountsv1.Account) {
	GinkgoHelper()
	eventually(ctx, a, haveState("Disabled"))
	now.PutForward(account.AcceptanceTimeout)
	poke(ctx, a)
	eventuallyGone(ctx, a)
	eventuallyGone(ctx, credentials(a.Name))
}

var _ = Describe("An Account", func() {
	var w world

	BeforeEach(func(ctx SpecContext) { w = aWorld().ready(ctx) })

	It("is Active once its acceptance is recorded, and lists the Memberships that it holds", Label("A8"), func(ctx SpecContext) {
		_, a := w.active(ctx)
		eventually(ctx, a, haveState("Active"), beReady(), haveCondition("Active", metav1.ConditionTrue, "Accepted"))
		Expect(a.Annotations).To(HaveKeyWithValue(accountsv1.MembershipsAnnotation, w.name+"/jane"))
	})

	It("loses all access and its password when it is deleted", Label("K4"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		Expect(bindings(ctx, w.staging())).To(BeEmpty())
		eventuallyGone(ctx, credentials(a.Name))
		eventually(ctx, m, haveState("Inactive"), haveCondition("Active", metav1.ConditionFalse, "NoAccount"))
	})

	It("leaves nothing to the next Account of the same name, once an admin has released it", Label("K4"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		Expect(k8s.Delete(ctx, retired(a.Name))).To(Succeed())
		w.invited(ctx, "john")
		w.accept(ctx, "john", a.Name)
		eventually(ctx, m, haveState("Inactive"))
		john := w.membership("john")
		eventually(ctx, john, haveState("Active"))
		Expect(bindings(ctx, w.staging())).To(HaveLen(1))
	})

	It("leaves its name to the next Account even while a controller has not seen its deletion", Label("K4"), func(ctx SpecContext) {
		m, a := w.active(ctx)
		stopUsher()
		DeferCleanup(func() { stopUsher = startUsher(context.Background(), usherAPI, testNotifier(), 4) })
		thaw := make(chan struct{})
		var removing atomic.Bool
		stale := startUsher(context.Background(), through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			last := r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/accounts/"+a.Name)
			if last {
				removing.Store(true)
			}
			response, err := next.RoundTrip(r)
			if last && (err != nil || response.StatusCode != http.StatusOK) {
				removing.Store(false)
			}
			if err == nil && r.URL.Query().Get("watch") == "true" && strings.HasSuffix(r.URL.Path, "/accounts") {
				response.Body = frozen{response.Body, r.Context().Done(), thaw, removing.Load}
			}
			return response, err
		}), testNotifier(), 4)
		DeferCleanup(func() { stale() })
		w.invited(ctx, "john")
		Expect(k8s.Delete(ctx, a)).To(Succeed())
		eventuallyGone(ctx, a)
		next := w.halfMade(ctx, "john", a.Name)
		Expect(k8s.Delete(ctx, retired(a.Name))).To(Succeed())
		quiet(ctx)
		close(thaw)
		w.acceptWith(ctx, "john", next)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(credentials(next.Name)), credentials(next.Name))).To(Succeed(), "its password")
		eventually(ctx, w.membership("john"), haveState("Active"))
		eventually(ctx, m, haveState("Inactive"))
	})

	DescribeTable("keeps its name reserved while a RoleBinding without labels grants it access,", Label("K4", "B8"),
		func(ctx SpecContext, withdraw func(context.Context, *rbacv1.RoleBinding)) {
			m, a := w.active(ctx)
			// It belongs to an Organization that was deleted while the controller was not
			// running.
			name := grant.BindingName(w.name+"-gone", "jane", "edit")
			Expect(k8s.Apply(ctx, rbacv1ac.RoleBinding(name, w.staging()).
				WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("edit")).
				WithSubjects(rbacv1ac.Subject().WithAPIGroup(rbacv1.GroupName).WithKind(rbacv1.UserKind).WithName(accountsv1.AccountUserPrefix+a.Name)),
				client.FieldOwner(accountsv1.FieldManager))).To(Succeed())
			Expect(k8s.Delete(ctx, a)).To(Succeed())
			eventually(ctx, m, haveState("Inactive"), haveCondition("Active", metav1.ConditionFalse, "NoAccount"))
			Expect(bindings(ctx, w.staging())).To(BeEmpty())
			quiet(ctx)
			taken := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: a.Name}, Spec: a.Spec}
			Expect(apierrors.IsAlreadyExists(k8s.Create(ctx, taken))).To(BeTrue(), "an Account of that name would get what the RoleBinding grants")

			left := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.staging(), Name: name}}
			withdraw(ctx, left)
			eventuallyGone(ctx, a)
			eventuallyGone(ctx, credentials(a.Name))
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, left))).To(Succeed())
		},
		Entry("until the RoleBinding is deleted", func(ctx context.Context, b *rbacv1.RoleBinding) { Expect(k8s.Delete(ctx, b)).To(Succeed()) }),
		Entry("until the RoleBinding has no subjects", func(ctx context.Context, b *rbacv1.RoleBinding) {
			change(ctx, b, func(b *rbacv1.RoleBinding) { b.Subjects = nil })
		}),
	)

	It("whose creation was not completed is Pending, and is deleted when the link no longer works", Label("E7"), func(ctx SpecContext) {
		w.invited(ctx, "jane")
		a := w.halfMade(ctx, "jane", w.name+"-jane")
		now.PutForward(time.Minute)
		poke(ctx, a)
		eventually(ctx, a, haveState("Pending"), beReady(), haveCondition("Active", metav1.ConditionFalse, "NotAccepted"))
		now.PutForward(7 * 24 * time.Hour)
		poke(ctx, w.invitation("jane"))
		eventuallyGone(ctx, a)
		eventuallyGone(ctx, credentials(a.Name))
	})

	It("that lost the race for an Invitation is deleted", Label("A7"), func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		loser := w.halfMade(ctx, "jane", w.name+"-loser")
		winner := w.accept(ctx, "jane", w.name+"-winner")
		eventually(ctx, m, haveState("Active"))
		goneAfterItsTime(ctx, loser)
		Expect(m.Status.AccountRef.Name).To(BeEquivalentTo(winner.Name))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(credentials(winner.Name)), credentials(winner.Name))).To(Succeed())
	})

	It("whose creation was not completed is deleted with its Invitation", Label("K4"), func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		a := w.halfMade(ctx, "jane", w.name+"-jane")
		Expect(k8s.Delete(ctx, m)).To(Succeed())
		eventuallyGone(ctx, m)
		goneAfterItsTime(ctx, a)
	})

	It("with another address does not hold the Membership in its record", func(ctx SpecContext) {
		m := w.invited(ctx, "jane")
		mallory := &accountsv1.Account{
			ObjectMeta: metav1.ObjectMeta{
				Name: w.name + "-mallory", Annotations: map[string]string{accountsv1.MembershipsAnnotation: w.name + "/jane"},
			},
			Spec: accountsv1.AccountSpec{
				Email: w.email("mallory"),
				InvitationRef: accountsv1.InvitationReference{
					Namespace: accountsv1.NamespaceName(w.name), Name: "jane", UID: "0",
				},
			},
		}
		create(ctx, mallory)
		poke(ctx, m)
		Consistently(func() int { return len(bindings(ctx, w.staging())) }, "500ms").Should(BeZero())
	})
})
