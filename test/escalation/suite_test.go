// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package escalation_test asks the API server for several hundred things that
// people must not get, as each kind of person there is, with Usher at work on
// what comes of it, and measures what everybody may do afterwards. It owns the
// matrix; what one policy says, and why, is test/rights's to test. It must not
// know how Usher decides: model_test.go says what is to be accepted in its own
// words.
package escalation_test

import (
	"context"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/chat"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
)

var root = filepath.Join("..", "..")

var (
	kube   *cluster.Cluster
	scheme = runtime.NewScheme()
	// admin is who looks, and puts right what an attempt changed.
	admin client.Client
)

func TestEscalation(t *testing.T) {
	// A streamed list waits for up to two seconds for its end to be marked.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Escalation")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(GinkgoLogr)
	klog.SetLogger(GinkgoLogr)
	bin := os.Getenv("KUBEBUILDER_ASSETS")
	if bin == "" {
		bin = filepath.Join(root, "bin")
	}
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(accountsv1.AddToScheme(scheme)).To(Succeed())
	var err error
	kube, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{
		BinDir: bin, ControllerManager: true, // it fills ClusterRoles that aggregate, and collects garbage
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Stop)
	Expect(kube.InstallAll(ctx, filepath.Join(root, "config"))).To(Succeed())
	config := kube.Admin()
	config.QPS = -1
	admin, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	for _, who := range append([]*actor{portal}, actors...) {
		who.reach()
	}
	setTheStage(ctx)
})

// startUsher runs all controllers with the rights of the service account that
// they are installed with.
func startUsher(ctx context.Context) {
	GinkgoHelper()
	letters, err := inbox.Start(inbox.Options{}) //nolint:contextcheck // It listens until it is closed, and takes no context.
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(letters.Close)
	server, err := mail.ParseURL(letters.SMTPURL())
	Expect(err).NotTo(HaveOccurred())
	portal, err := url.Parse("https://accounts.example.com")
	Expect(err).NotTo(HaveOccurred())
	keys, err := invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())

	config, err := kube.ServiceAccountConfig(ctx, cluster.Namespace, "usher-controller")
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{ByObject: controllers.CachedObjects()},
	})
	Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	Expect(controllers.Setup(running, mgr, controllers.Options{
		Clock: clock.RealClock{}, Namespace: cluster.Namespace, Workers: 4,
		Post: &controllers.Post{
			Mailer:    mail.NewSMTP(mail.Config{Server: server}),
			Chatter:   chat.New(chat.Config{AllowLoopback: true}),
			Keys:      func(context.Context) (invitation.Keyring, error) { return keys, nil },
			From:      netmail.Address{Name: "Usher", Address: "usher@example.com"},
			PortalURL: portal,
			Holder:    "usher",
			Deadline:  mail.SendDeadline,
			Settings:  &controllers.Settings{Reader: mgr.GetClient()},
		},
	})).To(Succeed())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	DeferCleanup(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
}
