// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package attack_test

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/session"
)

// person is a person who has an account in the spec.
type person struct {
	name, email string
	// memberships is the Account's record of its Memberships.
	memberships string
	state       accountsv1.AccountSwitch
	credentials account.Credentials
	// status is the status that the Account begins with; nil means none.
	status *accountsv1.AccountStatus
}

// named returns a person who can sign in with the common password.
func named(name string) person {
	return person{
		name: name, email: name + "@example.com", memberships: "nowhere/" + name,
		credentials: account.Credentials{Password: passwordHash, PasswordTime: now.Now().Add(-time.Hour).UTC()},
	}
}

// settle creates the Account and its Secret until the spec is over.
func (p person) settle(ctx context.Context) *accountsv1.Account {
	GinkgoHelper()
	uid := string(uuid.NewUUID())
	a := &accountsv1.Account{
		ObjectMeta: metav1.ObjectMeta{Name: p.name, Annotations: map[string]string{accountsv1.MembershipsAnnotation: p.memberships}},
		Spec: accountsv1.AccountSpec{
			Email: accountsv1.EmailAddress(p.email), State: p.state,
			InvitationRef: accountsv1.InvitationReference{Namespace: "nowhere", Name: "none", UID: uid},
		},
	}
	create(ctx, a)
	p.credentials.FinalInvitation = uid
	p.credentials.UID = string(a.UID)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: accountsv1.CredentialsNamespace, Name: account.SecretName(p.name)}}
	Expect(p.credentials.WriteTo(secret, a)).To(Succeed())
	create(ctx, secret)
	if p.status != nil {
		a.Status = *p.status
		Expect(admin.Status().Update(ctx, a)).To(Succeed())
	}
	return a
}

// sessions adds n sessions of one stage, and returns browsers with their cookies.
func (p *person) sessions(n int, stage session.Stage) []*browser {
	GinkgoHelper()
	browsers := make([]*browser, n)
	for i := range browsers {
		s, token, err := session.New(rand.Reader, stage, "Firefox", now.Now().Add(-time.Minute))
		Expect(err).NotTo(HaveOccurred())
		p.credentials.Sessions = append(p.credentials.Sessions, s)
		browsers[i] = &browser{cookies: map[string]string{sessionCookie: token + "." + p.name}}
	}
	return browsers
}

// anOrganization creates an Organization with a home namespace and a limit of failed
// sign-ins.
func anOrganization(ctx context.Context, maxFailures int32) *accountsv1.Organization {
	GinkgoHelper()
	name := fresh("acme")
	org := &accountsv1.Organization{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: accountsv1.OrganizationSpec{
			Namespace: accountsv1.NamespaceName(name), Roles: []accountsv1.Role{{Name: "developer"}},
			SignIn: accountsv1.SignInRules{MaxFailures: maxFailures},
		},
	}
	create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, org)
	return org
}

// joins creates a Membership of the person and records it as accepted.
func (p *person) joins(ctx context.Context, org *accountsv1.Organization) {
	GinkgoHelper()
	name := strings.ReplaceAll(p.name, ".", "-")
	create(ctx, &accountsv1.Membership{
		ObjectMeta: metav1.ObjectMeta{Namespace: org.Name, Name: name},
		Spec: accountsv1.MembershipSpec{
			OrganizationRef: accountsv1.OrganizationReference{Name: accountsv1.CatalogueName(org.Name)},
			Email:           accountsv1.EmailAddress(p.email), Role: "developer",
		},
	})
	p.memberships += "," + org.Name + "/" + name
}

// asked returns the Account as if a password reset had been requested for it.
func asked(a *accountsv1.Account) *accountsv1.Account {
	a.Status.ResetTimes = []metav1.Time{metav1.NewTime(now.Now().UTC().Truncate(time.Second))}
	return a
}

// create creates objects, and deletes them when the spec is over.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(admin.Delete(ctx, o))).To(Succeed())
		})
	}
}

// reread returns the Account as it is now.
func reread(ctx context.Context, a *accountsv1.Account) *accountsv1.Account {
	GinkgoHelper()
	got := &accountsv1.Account{}
	Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), got)).To(Succeed())
	return got
}

// secretOf returns the Secret of the Account as it is now.
func secretOf(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	got := &corev1.Secret{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: accountsv1.CredentialsNamespace, Name: account.SecretName(name)}, got)).To(Succeed())
	return got
}

// discard deletes an Account that a portal created and that waits for a controller.
func discard(ctx context.Context, name string) {
	GinkgoHelper()
	a := &accountsv1.Account{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(a), a))).To(Succeed())
	a.Finalizers = nil
	Expect(client.IgnoreNotFound(admin.Update(ctx, a))).To(Succeed())
	Expect(client.IgnoreNotFound(admin.Delete(ctx, a))).To(Succeed())
}
