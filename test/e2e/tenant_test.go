// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/inbox"
)

// tenant is an Organization that only one spec uses. Its home namespace has the same
// name, and every name in it contains a part of that name.
type tenant struct{ name string }

// newTenant applies an Organization and the namespaces of its resources, and waits
// for its home namespace. Settings are lines of its spec.
func newTenant(ctx context.Context, settings ...string) tenant {
	GinkgoHelper()
	t := tenant{name: "acme-" + utilrand.String(5)}
	apply(ctx, t.manifest(settings...))
	kubectl(ctx, "wait", "--for=condition=Ready", "organization", t.name, "--timeout=20s")
	return t
}

func (t tenant) staging() string    { return t.name + "-staging" }
func (t tenant) production() string { return t.name + "-production" }

// unique returns a user name that no other spec uses.
func (t tenant) unique(name string) string { return name + strings.TrimPrefix(t.name, "acme") }

func (t tenant) manifest(settings ...string) string {
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
  - name: guest
    displayName: Guest
    seat: Free
    grants:
    - {permission: look, resources: [staging]}
  - name: owner
    displayName: Owner
    standing: Owner
%s`, t.name, lines(settings))
}

// membership returns the manifest of a Membership. Its name is also the local part of
// the address. Settings are lines of its spec.
func (t tenant) membership(name, role string, settings ...string) string {
	return t.membershipOf("Jane", "Doe", name, t.email(name), role, settings...)
}

// membershipOf returns the manifest of a Membership for a person of another name and
// address.
func (t tenant) membershipOf(givenName, familyName, name, email, role string, settings ...string) string {
	return fmt.Sprintf(`
apiVersion: accounts.usher.dev/v1alpha1
kind: Membership
metadata: {name: %s, namespace: %s}
spec:
  organizationRef: {name: %[2]s}
  email: %s
  givenName: %s
  familyName: %s
  invitedBy: Ada Example
  role: %s
%s`, name, t.name, email, givenName, familyName, role, lines(settings))
}

// lines returns settings as lines of a spec.
func lines(settings []string) string {
	var all strings.Builder
	for _, setting := range settings {
		all.WriteString("  " + setting + "\n")
	}
	return all.String()
}

func (t tenant) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: t.name, Name: name}
}

func (t tenant) email(name string) string { return name + "@" + t.name + ".example" }

// invite applies a Membership and returns the link in the mail.
func (t tenant) invite(ctx context.Context, name, role string, settings ...string) string {
	GinkgoHelper()
	apply(ctx, t.membership(name, role, settings...))
	return t.mailedLink(name)
}

func (t tenant) mailedLink(name string) string {
	GinkgoHelper()
	Eventually(mailbox.Link).WithArguments(t.email(name)).Should(HavePrefix(usher.url + "/invitation/"))
	return mailbox.Link(t.email(name))
}

// join invites a person, who accepts at once with that user name. It returns their
// password.
func (t tenant) join(ctx context.Context, name, role, userName string) (password string) {
	GinkgoHelper()
	link := t.invite(ctx, name, role)
	password = newPassword()
	status, body := newVisitor().post(ctx, link, acceptance(userName, password))
	Expect(status).To(Equal(http.StatusOK), body)
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipActive))
	return password
}

// Subjects of mails.
const (
	invited  = "Invitation to join Acme Rocket Works"
	welcomed = "Welcome to Acme Rocket Works"
	joined   = "Jane Doe has joined Acme Rocket Works"
	declined = "Jane Doe has declined the invitation to join Acme Rocket Works"
)

// subjects returns the subjects of all mails to a person, oldest first.
func (t tenant) subjects(name string) []string { return subjectsTo(t.email(name)) }

func subjectsTo(address string) []string {
	var all []string
	for _, mail := range mailbox.For(address) {
		all = append(all, mail.Subject)
	}
	return all
}

// mail waits for a mail to a person with that subject.
func (t tenant) mail(name, subject string) inbox.Message {
	GinkgoHelper()
	Eventually(t.subjects).WithArguments(name).Should(ContainElement(subject))
	mails := mailbox.For(t.email(name))
	return mails[slices.IndexFunc(mails, func(m inbox.Message) bool { return m.Subject == subject })]
}

// resend requests another attempt, as the documentation describes, and returns the
// link in its mail.
func (t tenant) resend(ctx context.Context, name string) string {
	GinkgoHelper()
	before := t.mailedLink(name)
	t.annotateResend(ctx, name)
	Eventually(mailbox.Link).WithArguments(t.email(name)).ShouldNot(Equal(before))
	return t.mailedLink(name)
}

func (t tenant) annotateResend(ctx context.Context, name string) {
	GinkgoHelper()
	kubectl(ctx, "annotate", "membership", name, "-n", t.name, "--overwrite",
		accountsv1.ResendAnnotation+"="+time.Now().UTC().Format(time.RFC3339Nano))
}

// expire makes a person's invitation expire, as if days had passed.
func (t tenant) expire(ctx context.Context, name string) {
	GinkgoHelper()
	past := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	kubectl(ctx, "patch", "invitation", name, "-n", t.name, "--subresource=status", "--type=merge",
		`--patch={"status":{"expirationTime":"`+past+`"}}`)
	Eventually(t.state).WithArguments(ctx, name).Should(Equal(accountsv1.MembershipExpired))
}

// message returns the message of a Membership's condition Ready.
func (t tenant) message(ctx context.Context, name string) string {
	GinkgoHelper()
	return kubectl(ctx, "get", "membership", name, "-n", t.name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`)
}

// state returns the state of a Membership, or "" if it does not exist.
func (t tenant) state(ctx context.Context, name string) accountsv1.MembershipState {
	var m accountsv1.Membership
	if err := admin.Get(ctx, t.key(name), &m); err != nil {
		return ""
	}
	return m.Status.State
}

// bindings returns the RoleBindings that Usher made for the Organization: one line
// each with namespace, ClusterRole and subjects.
func (t tenant) bindings(ctx context.Context) string {
	GinkgoHelper()
	return kubectl(ctx, "get", "rolebindings", "--all-namespaces",
		"--selector", "app.kubernetes.io/managed-by=usher,accounts.usher.dev/organization="+t.name,
		"--output", `jsonpath={range .items[*]}{.metadata.namespace} {.roleRef.name} {.subjects[*].name}{"\n"}{end}`)
}
