// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package rights_test asks the API server what each of Usher's service accounts may
// do, with only the rights and the policies in config/ in force.
package rights_test

import (
	"context"
	"maps"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/test/platform"
)

var (
	kube *platform.Platform
	// Clients for the API server as the cluster admin and as the two service
	// accounts.
	admin, controller, portal client.WithWatch
)

func TestRights(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Rights")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	kube = platform.Start(ctx, true)
	admin = kube.AdminClient
	controller = kube.Client(kube.RightsOf(ctx, platform.Controller))
	portal = kube.Client(kube.RightsOf(ctx, platform.Portal))
})

// prober is a user with a few rights of each kind, whose requests breach the policies
// for people.
const prober = "usher:prober"

// policyDelay is the time that the API server can need to enforce a new policy.
const policyDelay = 30 * time.Second

// policiesInForce waits until each policy is in force, which takes the API server a
// moment.
func policiesInForce(ctx context.Context) {
	GinkgoHelper()
	inv := anInvitation(ctx)
	labelled := inv.DeepCopy()
	labelled.Labels["probe"] = "x"
	loose := anAccount("probe")
	loose.Finalizers = nil
	untaken := anAccount("")
	untaken.GenerateName = "untaken-"
	Expect(admin.Create(ctx, untaken)).To(Succeed())
	held := anAcceptedAccount(ctx)
	breaches := peopleBreaches(ctx)
	maps.Copy(breaches, map[string]func() error{
		"controller-account-status": func() error {
			respoken := held.DeepCopy()
			respoken.Status.Language = "de"
			return controller.Status().Update(ctx, respoken, client.DryRunAll)
		},
		"controller-accounts": func() error { return controller.Delete(ctx, held.DeepCopy(), client.DryRunAll) },
		"controller-metadata": func() error { return controller.Update(ctx, labelled.DeepCopy(), client.DryRunAll) },
		"controller-rolebindings": func() error {
			return controller.Create(ctx, aBinding("view", func(b *rbacv1.RoleBinding) { b.GenerateName = "probe-" }), client.DryRunAll)
		},
		"controller-secrets":    func() error { return controller.Create(ctx, aSecret("default", "probe", "Opaque"), client.DryRunAll) },
		"portal-account-status": func() error { return portal.Status().Update(ctx, untaken.DeepCopy(), client.DryRunAll) },
		"portal-accounts":       func() error { return portal.Create(ctx, loose.DeepCopy(), client.DryRunAll) },
		"portal-invitations":    func() error { return portal.Status().Update(ctx, inv.DeepCopy(), client.DryRunAll) },
		"portal-secrets": func() error {
			return portal.Create(ctx, aSecret(cluster.Namespace, "probe", "Opaque"), client.DryRunAll)
		},
	})
	for policy, breach := range breaches {
		Eventually(ctx, breach).WithTimeout(policyDelay).Should(beForbiddenAs("'usher-"+policy+"'"), policy)
	}
}

// peopleBreaches returns breaches of the policies that hold for all users.
func peopleBreaches(ctx context.Context) map[string]func() error {
	GinkgoHelper()
	home, person := aHome(ctx), as(prober)
	bind(ctx, prober, home, "usher-people-manager")
	allowVerbs(ctx, prober, home, right("assign", "roles", "probe"),
		rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings"}, Verbs: []string{"update"}})
	owner := theMemberOf(ctx, home, "probe", lastOwner())
	recorded := aMemberOf(home, "probe")
	recorded.Annotations = map[string]string{accountsv1.TwoFactorAnnotation: "x"}
	binding, theirs := theBindingFor(ctx, home), theMemberOf(ctx, home, "boss")
	return map[string]func() error{
		"assign":  func() error { return person.Create(ctx, aMemberOf(home, "boss"), client.DryRunAll) },
		"owners":  func() error { return person.Delete(ctx, owner.DeepCopy(), client.DryRunAll) },
		"records": func() error { return person.Create(ctx, recorded.DeepCopy(), client.DryRunAll) },
		"requests": func() error {
			asking := theirs.DeepCopy()
			asking.Annotations = map[string]string{accountsv1.ResetAnnotation: "x"}
			return person.Update(ctx, asking, client.DryRunAll)
		},
		"rolebindings": func() error {
			stripped := binding.DeepCopy()
			stripped.Labels = nil
			return person.Update(ctx, stripped, client.DryRunAll)
		},
	}
}
