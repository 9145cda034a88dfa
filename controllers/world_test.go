// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
)

// world belongs to one spec: an Organization with a staging namespace, and people with
// their own addresses.
type world struct {
	name string // of the Organization and of its home namespace; also the prefix of all other names
}

func aWorld() world { return world{name: fresh("acme")} }

func (w world) staging() string { return w.name + "-staging" }

func (w world) email(person string) accountsv1.EmailAddress {
	return accountsv1.EmailAddress(person + "@" + w.name + ".example")
}

func (w world) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.name, Name: name}
}

// organization returns an Organization with two roles: developers may edit staging,
// observers may view it.
func (w world) organization() *accountsv1.Organization {
	return &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: w.name},
		Spec: accountsv1.OrganizationSpec{
			DisplayName: "Acme",
			Namespace:   accountsv1.NamespaceName(w.name),
			Resources: []accountsv1.Resource{
				{Name: "staging", Namespaces: accountsv1.ResourceNamespaces{Names: []accountsv1.NamespaceName{accountsv1.NamespaceName(w.staging())}}},
			},
			Permissions: []accountsv1.Permission{
				{Name: "deploy", DisplayName: "Deploy applications", ClusterRole: "edit"},
				{Name: "look", DisplayName: "Look at applications", ClusterRole: "view"},
				{Name: "dashboards", Group: "grafana-editors"},
			},
			Roles: []accountsv1.Role{
				{Name: "developer", DisplayName: "Developer", Grants: []accountsv1.Grant{{Permission: "deploy", Resources: []accountsv1.CatalogueName{"staging"}}}},
				{Name: "observer", DisplayName: "Observer", Grants: []accountsv1.Grant{{Permission: "look", Resources: []accountsv1.CatalogueName{"staging"}}}},
			},
		},
	}
}

func (w world) membership(person string) *accountsv1.Membership {
	return &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: person},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(w.name)},
			Email:           w.email(person),
			GivenName:       "Jane",
			FamilyName:      "Doe",
			Role:            "developer",
		},
	}
}

func (w world) invitation(person string) *accountsv1.Invitation {
	spec := w.membership(person).Spec
	return &accountsv1.Invitation{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: person},
		Spec: accountsv1.InvitationSpec{
			OrganizationRef: spec.OrganizationRef, Email: spec.Email, GivenName: spec.GivenName, FamilyName: spec.FamilyName, Role: spec.Role,
		},
	}
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// ready creates an Organization and its namespaces, and waits until it is ready.
func (w world) ready(ctx context.Context) world {
	GinkgoHelper()
	create(ctx, namespace(w.staging()), w.organization())
	eventually(ctx, w.organization(), beReady())
	return w
}

// create creates objects, and deletes them at the end of the spec.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Create(ctx, o)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed())
		})
	}
}

// invited creates a Membership and waits until its mail was sent.
func (w world) invited(ctx context.Context, person string) *accountsv1.Membership {
	GinkgoHelper()
	m := w.membership(person)
	create(ctx, m)
	eventually(ctx, m, haveState("Invited"), beReady())
	return m
}

// accept accepts an Invitation as the portal does.
func (w world) accept(ctx context.Context, person, userName string) *accountsv1.Account {
	GinkgoHelper()
	return w.acceptAs(ctx, person, userName, w.invitedAddress(ctx, person))
}

// acceptAs accepts an Invitation with an Account of another address.
func (w world) acceptAs(ctx context.Context, person, userName string, email accountsv1.EmailAddress) *accountsv1.Account {
	GinkgoHelper()
	a := w.halfMadeAs(ctx, person, userName, email)
	w.acceptWith(ctx, person, a)
	return a
}

// acceptWith accepts an Invitation with an existing Account.
func (w world) acceptWith(ctx context.Context, person string, a *accountsv1.Account) {
	GinkgoHelper()
	changeStatus(ctx, w.invitation(person), func(inv *accountsv1.Invitation) {
		accepted := metav1.Now().Rfc3339Copy()
		inv.Status.Acceptance = accountsv1.Acceptance{
			AccountRef:   accountsv1.AcceptedAccountReference{Name: accountsv1.AccountName(a.Name), UID: string(a.UID)},
			AcceptedTime: &accepted,
		}
	})
}

// halfMade creates the Account of a person who has begun to accept, with its password.
func (w world) halfMade(ctx context.Context, person, userName string) *accountsv1.Account {
	GinkgoHelper()
	return w.halfMadeAs(ctx, person, userName, w.invitedAddress(ctx, person))
}

// invitedAddress returns the address that a person was invited at.
func (w world) invitedAddress(ctx context.Context, person string) accountsv1.EmailAddress {
	GinkgoHelper()
	var inv accountsv1.Invitation
	Expect(k8s.Get(ctx, w.key(person), &inv)).To(Succeed())
	return inv.Spec.Email
}

func (w world) halfMadeAs(ctx context.Context, person, userName string, email accountsv1.EmailAddress) *accountsv1.Account {
	GinkgoHelper()
	var inv accountsv1.Invitation
	Expect(k8s.Get(ctx, w.key(person), &inv)).To(Succeed())
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: userName, Finalizers: []string{accountsv1.Finalizer}},
		Spec: accountsv1.AccountSpec{
			Email: email,
			InvitationRef: accountsv1.InvitationReference{
				Namespace: accountsv1.NamespaceName(w.name), Name: accountsv1.CatalogueName(person), UID: string(inv.UID),
			},
		},
	}
	credentials := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: accountsv1.CredentialsNamespace, Name: account.SecretName(userName)}}
	create(ctx, a)
	Expect(account.Credentials{Password: "$argon2id$"}.WriteTo(credentials, a)).To(Succeed())
	create(ctx, credentials)
	return a
}

// active creates Jane's Membership, accepts its Invitation, and waits until she has
// access.
func (w world) active(ctx context.Context) (*accountsv1.Membership, *accountsv1.Account) {
	GinkgoHelper()
	m := w.invited(ctx, "jane")
	a := w.accept(ctx, "jane", w.name+"-jane")
	eventually(ctx, m, haveState("Active"), beReady())
	return m, a
}

// bindings returns the RoleBindings that Usher made in the namespace.
func bindings(ctx context.Context, namespace string) []rbacv1.RoleBinding {
	GinkgoHelper()
	var list rbacv1.RoleBindingList
	Expect(k8s.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{accountsv1.ManagedByLabel: accountsv1.ManagedByValue})).To(Succeed())
	return list.Items
}

// eventually waits until the object in the API server matches.
func eventually(ctx context.Context, o client.Object, as ...gomegatypes.GomegaMatcher) {
	GinkgoHelper()
	eventuallyWithin(ctx, "10s", o, as...)
}

// eventuallyWithin is eventually with a longer time limit.
func eventuallyWithin(ctx context.Context, within string, o client.Object, as ...gomegatypes.GomegaMatcher) {
	GinkgoHelper()
	news, done := written.of(o)
	defer done()
	read := false
	Eventually(func(g Gomega) {
		if read {
			news.wait()
		}
		read = true
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(o).To(And(as...), "%v", o)
	}, within, time.Millisecond).Should(Succeed())
}

// eventuallyGone waits until the object no longer exists.
func eventuallyGone(ctx context.Context, o client.Object) {
	GinkgoHelper()
	news, done := written.of(o)
	defer done()
	read := false
	Eventually(func() bool {
		if read {
			news.wait()
		}
		read = true
		return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(o), o))
	}).WithPolling(time.Millisecond).Should(BeTrue(), "%s should be deleted", o.GetName())
}

type conditioned interface {
	GetConditions() []metav1.Condition
}

func haveCondition(conditionType string, status metav1.ConditionStatus, reason string) gomegatypes.GomegaMatcher {
	return WithTransform(func(o conditioned) string {
		c := meta.FindStatusCondition(o.GetConditions(), conditionType)
		if c == nil {
			return conditionType + " absent"
		}
		return conditionType + "=" + string(c.Status) + " " + c.Reason
	}, Equal(conditionType+"="+string(status)+" "+reason))
}

func haveMessage(conditionType, part string) gomegatypes.GomegaMatcher {
	return WithTransform(func(o conditioned) string {
		if c := meta.FindStatusCondition(o.GetConditions(), conditionType); c != nil {
			return c.Message
		}
		return ""
	}, ContainSubstring(part))
}

func beReady() gomegatypes.GomegaMatcher {
	return WithTransform(func(o conditioned) bool {
		return meta.IsStatusConditionTrue(o.GetConditions(), accountsv1.ConditionReady)
	}, BeTrue())
}

func haveState(state string) gomegatypes.GomegaMatcher {
	return WithTransform(func(o client.Object) string {
		switch o := o.(type) {
		case *accountsv1.Membership:
			return string(o.Status.State)
		case *accountsv1.Invitation:
			return string(o.Status.State)
		case *accountsv1.Account:
			return string(o.Status.State)
		}
		return ""
	}, Equal(state))
}

// invitationsTo returns the mails to a person that contain a link, oldest first.
func (w world) invitationsTo(person string) []string {
	return w.mailsTo(person, "/invitation/")
}

// mailsTo returns the mails to a person whose text contains part, oldest first.
func (w world) mailsTo(person, part string) []string {
	var raw []string
	for _, m := range letters.For(string(w.email(person))) {
		if strings.Contains(m.Text, part) {
			raw = append(raw, string(m.Raw))
		}
	}
	return raw
}

// change applies a change to the newest version of an object.
func change[T client.Object](ctx context.Context, o T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		how(o)
		return k8s.Update(ctx, o)
	}).Should(Succeed())
}

// changeStatus changes the status of an object, even while the controllers are writing
// it.
func changeStatus[T client.Object](ctx context.Context, o T, how func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		how(o)
		return k8s.Status().Update(ctx, o)
	}).Should(Succeed())
}

// reorganize changes the Organization and waits until the controllers know it. Otherwise
// they could still apply the old version to the next manifest.
func (w world) reorganize(ctx context.Context, how func(*accountsv1.Organization)) {
	GinkgoHelper()
	org := w.organization()
	change(ctx, org, how)
	eventually(ctx, org, HaveField("Status.ObservedGeneration", HaveValue(Equal(org.Generation))))
}

// poke makes the controllers reconcile an object again.
func poke(ctx context.Context, o client.Object) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/poked":"`+fresh("at")+`"}}}`))
	Expect(k8s.Patch(ctx, o, patch)).To(Succeed())
}

// owned gives the Organization an owner, Ada.
func (w world) owned(ctx context.Context) {
	GinkgoHelper()
	w.reorganize(ctx, func(o *accountsv1.Organization) {
		o.Spec.Roles = append(o.Spec.Roles, accountsv1.Role{Name: "owner", Standing: accountsv1.StandingOwner, Seat: accountsv1.SeatFree})
	})
	ada := w.membership("ada")
	ada.Spec.Role, ada.Spec.GivenName, ada.Spec.FamilyName = "owner", "Ada", "Example"
	create(ctx, ada)
	eventually(ctx, ada, haveState("Invited"), beReady())
	w.accept(ctx, "ada", w.name+"-ada")
	eventually(ctx, ada, haveState("Active"), beReady())
}
