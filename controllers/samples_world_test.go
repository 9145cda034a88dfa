// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// samples are the five systems of config/samples, each with its Organization. The home
// namespace has the name of the Organization.
var samples = map[string]world{
	"certified-mailbox": {name: "acme-certified"},
	"partner-extranet":  {name: "globex-extranet"},
	"team-chat":         {name: "initech-chat"},
	"mailing-product":   {name: "bakery-mailing"},
	"shared-mailboxes":  {name: "office-mailboxes"},
}

// manifests returns the objects of a sample, in its own order.
func manifests(sample string) (objects []*unstructured.Unstructured) {
	GinkgoHelper()
	folder := filepath.Join("..", "config", "samples", sample)
	raw, err := os.ReadFile(filepath.Join(folder, "kustomization.yaml"))
	Expect(err).NotTo(HaveOccurred())
	var kustomization struct{ Resources []string }
	Expect(yaml.Unmarshal(raw, &kustomization)).To(Succeed())
	for _, file := range kustomization.Resources {
		raw, err := os.ReadFile(filepath.Join(folder, file))
		Expect(err).NotTo(HaveOccurred())
		for manifest := range strings.SplitSeq(string(raw), "\n---\n") {
			o := &unstructured.Unstructured{}
			Expect(yaml.UnmarshalStrict([]byte(manifest), &o.Object)).To(Succeed())
			objects = append(objects, o)
		}
	}
	return objects
}

// applied applies manifests as they are. Namespaces outlive the spec, because no
// controller completes their deletion here.
func applied(ctx context.Context, objects ...*unstructured.Unstructured) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("kubectl"))).To(Succeed(), o.GetName())
		if o.GetKind() != "Namespace" {
			DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed()) })
		}
	}
}

// emptied deletes the Organization and all that is left of its members, after the spec.
func (w world) emptied() {
	DeferCleanup(func(ctx context.Context) {
		org := w.organization()
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, org))).To(Succeed())
		for _, kind := range []client.Object{&accountsv1.Membership{}, &accountsv1.Invitation{}} {
			Expect(k8s.DeleteAllOf(ctx, kind, client.InNamespace(w.name))).To(Succeed())
		}
		eventuallyGone(ctx, org)
		Eventually(func(g Gomega) {
			var memberships accountsv1.MembershipList
			var invitations accountsv1.InvitationList
			g.Expect(k8s.List(ctx, &memberships, client.InNamespace(w.name))).To(Succeed())
			g.Expect(k8s.List(ctx, &invitations, client.InNamespace(w.name))).To(Succeed())
			g.Expect(memberships.Items).To(BeEmpty())
			g.Expect(invitations.Items).To(BeEmpty())
		}).Should(Succeed())
	})
}

// theSample applies a sample, and waits until Usher can grant all of it.
func theSample(ctx context.Context, name string) world {
	GinkgoHelper()
	w, objects := samples[name], manifests(name)
	catalogue := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Organization" })
	applied(ctx, objects[:catalogue]...)
	bindable(ctx, objects)
	w.emptied()
	applied(ctx, objects[catalogue])
	eventually(ctx, w.organization(), beReady())
	applied(ctx, objects[catalogue+1:]...)
	return w
}

// bindable waits until the API server lets Usher bind the ClusterRoles of a sample. The
// API server applies a change of rights a moment later.
func bindable(ctx context.Context, objects []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, o := range objects {
		if o.GetKind() != "ClusterRole" || strings.HasPrefix(o.GetName(), "usher-") {
			continue
		}
		Eventually(may).WithArguments(ctx, "system:serviceaccount:usher-system:usher-controller", authorizationv1.ResourceAttributes{
			Verb: "bind", Group: rbacv1.GroupName, Resource: "clusterroles", Name: o.GetName(),
		}).Should(BeTrue(), "Usher may bind ClusterRole %s", o.GetName())
	}
}

// joins accepts an invitation as the portal does, and waits until Usher has carried it
// out.
func (w world) joins(ctx context.Context, person string) *accountsv1.Account {
	GinkgoHelper()
	eventually(ctx, w.invitation(person), haveState("Pending"), beReady())
	a := w.accept(ctx, person, fresh(person))
	eventually(ctx, w.membership(person), HaveField("Status.AccountRef.Name", BeEquivalentTo(a.Name)), beReady())
	return a
}

// has waits until a person has exactly this access: each ClusterRole as "edit in acme",
// and each group as "group editors". It checks both the bindings in the API server,
// including those of other clients, and the status of the Membership.
func (w world) has(ctx context.Context, person string, a *accountsv1.Account, want ...string) {
	GinkgoHelper()
	inCluster := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, "group ") })
	Eventually(func(g Gomega) {
		g.Expect(bound(ctx, a)).To(ConsistOf(inCluster), "the ClusterRoles of %s", person)
		g.Expect(w.says(ctx, person)).To(ConsistOf(want), "the grants in the Membership of %s", person)
	}, "5s").Should(Succeed())
}

// bound returns the ClusterRoles that an Account has, through RoleBindings in all
// namespaces and through ClusterRoleBindings.
func bound(ctx context.Context, a *accountsv1.Account) (all []string) {
	GinkgoHelper()
	is := func(s rbacv1.Subject) bool { return s.Name == "usher:"+a.Name }
	var inNamespaces rbacv1.RoleBindingList
	Expect(k8s.List(ctx, &inNamespaces)).To(Succeed())
	for _, b := range inNamespaces.Items {
		if slices.ContainsFunc(b.Subjects, is) {
			all = append(all, b.RoleRef.Name+" in "+b.Namespace)
		}
	}
	var everywhere rbacv1.ClusterRoleBindingList
	Expect(k8s.List(ctx, &everywhere)).To(Succeed())
	for _, b := range everywhere.Items {
		if slices.ContainsFunc(b.Subjects, is) {
			all = append(all, b.RoleRef.Name+" everywhere")
		}
	}
	return all
}

// says returns the grants that a Membership reports as in force.
func (w world) says(ctx context.Context, person string) (all []string) {
	GinkgoHelper()
	m := w.membership(person)
	Expect(k8s.Get(ctx, w.key(person), m)).To(Succeed())
	for _, g := range m.Status.Grants {
		if g.State != accountsv1.GrantInForce {
			continue
		}
		if g.Group != "" {
			all = append(all, "group "+g.Group)
		}
		for _, namespace := range g.Namespaces {
			all = append(all, g.ClusterRole+" in "+string(namespace))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// may reports whether the API server authorizes a user for something.
func may(ctx context.Context, user string, what authorizationv1.ResourceAttributes) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: []string{"system:authenticated"}, ResourceAttributes: &what,
	}}
	Expect(k8s.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// can reports whether an Account may do what a sentence states, as in kubectl auth can-i:
// "create messages.mail.example.com in acme".
func can(ctx context.Context, a *accountsv1.Account, sentence string) bool {
	GinkgoHelper()
	words := strings.Fields(sentence)
	Expect(words).To(HaveLen(4), sentence)
	resource, name, _ := strings.Cut(words[1], "/")
	resource, group, _ := strings.Cut(resource, ".")
	return may(ctx, "usher:"+a.Name, authorizationv1.ResourceAttributes{
		Verb: words[0], Group: group, Resource: resource, Name: name, Namespace: words[3],
	})
}

// canOnly waits until an Account may do those, and checks that it may do none of the
// others.
func canOnly(ctx context.Context, a *accountsv1.Account, those []string, others ...string) {
	GinkgoHelper()
	for _, sentence := range those {
		Eventually(can).WithArguments(ctx, a, sentence).Should(BeTrue(), "%s may %s", a.Name, sentence)
	}
	for _, sentence := range others {
		Expect(can(ctx, a, sentence)).To(BeFalse(), "%s may not %s", a.Name, sentence)
	}
}

// as returns a client that is authenticated as the signed-in owner of an Account.
func as(ctx context.Context, a *accountsv1.Account) client.Client {
	GinkgoHelper()
	front := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fresh("front")}}
	create(ctx, front, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: front.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: front.Namespace, Name: front.Name}},
	})
	token := &authenticationv1.TokenRequest{}
	Expect(k8s.SubResource("token").Create(ctx, front, token)).To(Succeed())
	config := rest.AnonymousClientConfig(usherAPI)
	config.BearerToken = token.Status.Token
	config.Impersonate = rest.ImpersonationConfig{UserName: "usher:" + a.Name}
	person, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	// The API server takes a moment to see the new ClusterRoleBinding.
	Eventually(ctx, func() error { return person.Create(ctx, &authenticationv1.SelfSubjectReview{}) }).Should(Succeed())
	return person
}
