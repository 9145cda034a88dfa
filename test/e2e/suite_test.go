// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test tests what people see of Usher. The released program runs in
// processes of its own, with the rights of its own service accounts, on a real
// control plane. Mail goes over SMTP, pages open in a browser, and everything else
// goes through kubectl.
package e2e_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/inbox"
)

const (
	root = "../.."
	bin  = root + "/bin"
)

// The specs share one cluster, one mail server and one Usher. Each spec has an
// Organization with namespaces and people of its own.
var (
	kube     *cluster.Cluster
	auditLog string
	mailbox  *inbox.Inbox
	front    *proxy
	usher    *installation
	// admin reads and writes what is awkward with kubectl.
	admin client.Client
)

func TestUsher(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Usher, end to end")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)

	dir := GinkgoT().TempDir()
	auditLog = filepath.Join(dir, "audit.log")
	var err error
	front = startFront(ctx)
	authentication := filepath.Join(dir, "authentication.yaml")
	Expect(cluster.WriteAuthentication(authentication, filepath.Join(root, "config/authentication/authentication.yaml"), front.url, front.ca)).To(Succeed())
	kube, err = cluster.Start(ctx, cluster.Options{
		BinDir: bin, Dir: dir, AuditLog: auditLog, ControllerManager: true, Authentication: authentication,
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return kube.Stop() })
	Expect(kube.InstallAll(ctx, filepath.Join(root, "config"))).To(Succeed())

	scheme := clientgoscheme.Scheme
	Expect(accountsv1.AddToScheme(scheme)).To(Succeed())
	config := kube.Admin()
	config.QPS = -1
	admin, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())

	startMailbox(dir)
	usher = install(ctx, dir)
	DeferCleanup(usher.stop)
	startBrowser()
})

// kubectl runs a command as the cluster admin. The command must succeed.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := kube.Kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return out
}

// apply applies manifests as `kubectl apply -f -` does.
func apply(ctx context.Context, manifests string) string {
	GinkgoHelper()
	out, err := kube.KubectlWith(ctx, manifests, "apply", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
	return out
}

// mayThey asks the API server whether a user may do something, and returns "yes" or
// "no".
func mayThey(ctx context.Context, userName, verb, resource, namespace string) string {
	out, err := kube.Kubectl(ctx, "auth", "can-i", verb, resource, "--as", "usher:"+userName, "--namespace", namespace)
	if out == "" && err != nil {
		return err.Error()
	}
	return firstLine(out)
}
