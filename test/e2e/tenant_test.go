// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// tenant is an Organization that one spec has to itself. Its name is the name
// of its home namespace too, and part of every name in it.
type tenant struct{ name string }

// newTenant applies an Organization and the namespaces that its resources
// stand for, and waits for its home.
func newTenant(ctx context.Context) tenant {
	GinkgoHelper()
	t := tenant{name: "acme-" + utilrand.String(5)}
	apply(ctx, t.manifest())
	kubectl(ctx, "wait", "--for=condition=Ready", "organization", t.name, "--timeout=20s")
	return t
}

func (t tenant) staging() string    { return t.name + "-staging" }
func (t tenant) production() string { return t.name + "-production" }

// unique makes a user name that nobody has in another spec.
func (t tenant) unique(name string) string { return name + strings.TrimPrefix(t.name, "acme") }

func (t tenant) manifest() string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s-staging}
---
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s-production}
---
apiVersion: accounts.usher.dev/v1alpha1
kind: Organization
metadata: {name: %[1]s}
spec:
  displayName: Acme Rocket Works
  namespace: %[1]s
  resources:
  - {name: staging, displayName: Staging, namespaces: {names: [%[1]s-staging]}}
  - {name: production, displayName: Production, namespaces: {names: [%[1]s-production]}}
  permissions:
  - {name: deploy, displayName: Deploy applications, clusterRole: edit}
  - {name: look, displayName: Look at applications, clusterRole: view}
  roles:
  - name: developer
    displayName: Developer
    grants:
    - {permission: deploy, resources: [staging]}
  - name: observer
    displayName: Observer
    grants:
    - {permission: look, resources: [staging, production]}
`, t.name)
}

// membership is the manifest of one. Its name is the person's.
func (t tenant) membership(name, role string) string {
	return fmt.Sprintf(`
apiVersion: accounts.usher.dev/v1alpha1
kind: Membership
metadata: {name: %s, namespace: %s}
spec:
  organizationRef: {name: %[2]s}
  email: %s
  givenName: Jane
  familyName: Doe
  invitedBy: Ada Example
  role: %s
`, name, t.name, t.email(name), role)
}

func (t tenant) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: t.name, Name: name}
}

func (t tenant) email(name string) string { return name + "@" + t.name + ".example" }

// invite applies a Membership and returns the link in the mail.
func (t tenant) invite(ctx context.Context, name, role string) string {
	GinkgoHelper()
	apply(ctx, t.membership(name, role))
	return t.mailedLink(name)
}

func (t tenant) mailedLink(name string) string {
	GinkgoHelper()
	Eventually(mailbox.Link).WithArguments(t.email(name)).Should(HavePrefix(usher.url + "/invitation/"))
	return mailbox.Link(t.email(name))
}

// join invites somebody, who accepts at once under that user name.
func (t tenant) join(ctx context.Context, name, role, userName string) {
	GinkgoHelper()
	link := t.invite(ctx, name, role)
	status, body := newVisitor().post(ctx, link, acceptance(userName, newPassword()))
	Expect(status).To(Equal(http.StatusOK), body)
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipActive))
}

// state of a Membership; empty if there is none.
func (t tenant) state(ctx context.Context, name string) accountsv1.MembershipState {
	var m accountsv1.Membership
	if err := admin.Get(ctx, t.key(name), &m); err != nil {
		return ""
	}
	return m.Status.State
}

// bindings are the RoleBindings that Usher made for the Organization, with
// who has what where.
func (t tenant) bindings(ctx context.Context) string {
	GinkgoHelper()
	return kubectl(ctx, "get", "rolebindings", "--all-namespaces",
		"--selector", "app.kubernetes.io/managed-by=usher,accounts.usher.dev/organization="+t.name,
		"--output", `jsonpath={range .items[*]}{.metadata.namespace} {.roleRef.name} {.subjects[*].name}{"\n"}{end}`)
}
