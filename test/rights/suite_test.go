// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package rights_test asks the API server what each of Usher's service accounts
// may do, with the rights and the policies in config/ and nothing else.
package rights_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
)

var root = filepath.Join("..", "..")

var (
	kube *cluster.Cluster
	// The API server as each of them reaches it.
	admin, controller, portal client.WithWatch
)

func TestRights(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Rights")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logf.SetLogger(GinkgoLogr)
	bin := os.Getenv("KUBEBUILDER_ASSETS")
	if bin == "" {
		bin = filepath.Join(root, "bin")
	}
	var err error
	kube, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{
		BinDir: bin, ControllerManager: true, // it fills the ClusterRoles view, edit and admin
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Stop)
	Expect(kube.InstallAll(ctx, filepath.Join(root, "config"))).To(Succeed())

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(accountsv1.AddToScheme(scheme)).To(Succeed())
	admin, err = client.NewWithWatch(kube.Admin(), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	for name, to := range map[string]*client.WithWatch{"usher-controller": &controller, "usher-portal": &portal} {
		config, err := kube.ServiceAccountConfig(ctx, cluster.Namespace, name)
		Expect(err).NotTo(HaveOccurred())
		*to, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
	}
})

// policyDelay is how long the API server may take to put a policy in force.
const policyDelay = 30 * time.Second

// policiesInForce waits until each policy is in force, which takes the API
// server a moment.
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
	for policy, breach := range map[string]func() error{
		"controller-invitations": func() error { return controller.Update(ctx, labelled.DeepCopy(), client.DryRunAll) },
		"controller-secrets":     func() error { return controller.Create(ctx, aSecret("default", "probe", "Opaque"), client.DryRunAll) },
		"portal-account-status":  func() error { return portal.Status().Update(ctx, untaken.DeepCopy(), client.DryRunAll) },
		"portal-accounts":        func() error { return portal.Create(ctx, loose.DeepCopy(), client.DryRunAll) },
		"portal-invitations":     func() error { return portal.Status().Update(ctx, inv.DeepCopy(), client.DryRunAll) },
		"portal-secrets": func() error {
			return portal.Create(ctx, aSecret(cluster.Namespace, "probe", "Opaque"), client.DryRunAll)
		},
	} {
		Eventually(ctx, breach).WithTimeout(policyDelay).Should(beForbidden(), policy)
	}
}
