// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package platform is the common base of the suites in test/: a control plane with
// everything in config/ installed, the two service accounts, and Usher's controllers
// in this process.
//
// If something is missing, it fails the spec that calls it. It knows nothing of what
// a suite tests, and only suites must import it.
package platform

import (
	"context"
	"crypto/rand"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/invitation"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/notifier/email"
)

// Root is the root of the repository, relative to the directory of a suite.
var Root = filepath.Join("..", "..")

// The names of Usher's service accounts.
const (
	Controller = "usher-controller"
	Portal     = "usher-portal"
)

// Platform is a control plane with Usher's manifests, but without running
// controllers.
type Platform struct {
	*cluster.Cluster
	// Scheme has the kinds of Kubernetes and of Usher.
	Scheme *runtime.Scheme
	// AdminClient is a client that may do everything.
	AdminClient client.WithWatch
}

// Start runs a control plane until the suite is over. With a controller manager, the
// control plane also fills ClusterRoles that aggregate, and collects garbage.
func Start(ctx context.Context, controllerManager bool) *Platform {
	GinkgoHelper()
	ctrl.SetLogger(GinkgoLogr)
	klog.SetLogger(GinkgoLogr)
	bin := os.Getenv("KUBEBUILDER_ASSETS")
	if bin == "" {
		bin = filepath.Join(Root, "bin")
	}
	p := &Platform{Scheme: runtime.NewScheme()}
	Expect(clientgoscheme.AddToScheme(p.Scheme)).To(Succeed())
	Expect(accountsv1.AddToScheme(p.Scheme)).To(Succeed())
	var err error
	p.Cluster, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{BinDir: bin, ControllerManager: controllerManager})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(p.Stop)
	Expect(p.InstallAll(ctx, filepath.Join(Root, "config"))).To(Succeed())
	p.AdminClient = p.Client(unlimited(p.Admin()))
	return p
}

// RightsOf returns a configuration for the API server with the rights of one of
// Usher's service accounts.
func (p *Platform) RightsOf(ctx context.Context, serviceAccount string) *rest.Config {
	GinkgoHelper()
	rights, err := p.ServiceAccountConfig(ctx, cluster.Namespace, serviceAccount)
	Expect(err).NotTo(HaveOccurred())
	return unlimited(rights)
}

// Client returns a client without a cache.
func (p *Platform) Client(rights *rest.Config) client.WithWatch {
	GinkgoHelper()
	c, err := client.NewWithWatch(rights, client.Options{Scheme: p.Scheme})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// unlimited turns off rate limits in the client, and leaves limits to the API server.
func unlimited(rights *rest.Config) *rest.Config {
	rights.QPS = -1
	return rights
}

// RunControllers runs all controllers with the given rights until stop is called. It
// sets the Settings and the client of the Notifier.
func (p *Platform) RunControllers(ctx context.Context, rights *rest.Config, o controllers.Options) (stop func()) {
	GinkgoHelper()
	again := true // several can run in one process, one after the other or at once
	mgr, err := ctrl.NewManager(rights, ctrl.Options{
		Scheme: p.Scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{ByObject: controllers.CachedObjects(cluster.Namespace)},
		Controller: config.Controller{SkipNameValidation: &again},
	})
	Expect(err).NotTo(HaveOccurred())
	o.Namespace = cluster.Namespace
	o.Notifier.Settings, o.Notifier.Secrets = &notifier.Settings{Reader: mgr.GetClient(), PlatformSender: o.Notifier.From.String(), Allowed: Loopback()}, mgr.GetClient()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	Expect(controllers.Setup(ctx, mgr, o)).To(Succeed())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	return func() {
		GinkgoHelper()
		cancel()
		Expect(<-stopped).To(Succeed())
	}
}

// Loopback returns the networks of this machine, where chats and mail servers of tests are.
func Loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// Notifier returns a notifier that sends through a mailer, for a portal at an address
// that does not exist.
func Notifier(mailer notifier.Mailer, keys invitation.Keyring) *notifier.Notifier {
	return &notifier.Notifier{
		Mailer:     mailer,
		Chatter:    chat.New(chat.Config{Allowed: Loopback()}),
		Keys:       func(context.Context) (invitation.Keyring, error) { return keys, nil },
		ResetKeys:  func(context.Context) (invitation.Keyring, error) { return keys, nil },
		From:       netmail.Address{Name: "Usher", Address: "usher@example.com"},
		PortalURL:  &url.URL{Scheme: "https", Host: "accounts.example.com"},
		ClaimOwner: Fresh("usher"),
		Deadline:   email.SendDeadline,
	}
}

// Keys returns link keys that are not secret.
func Keys() invitation.Keyring {
	GinkgoHelper()
	keys, err := invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())
	return keys
}

// IssuerKeys returns keys of the issuer that begin to sign at once.
func IssuerKeys() issuerkeys.Ring {
	GinkgoHelper()
	data, _, err := issuerkeys.Rotate(nil, time.Now(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	ring, err := issuerkeys.Parse(data)
	Expect(err).NotTo(HaveOccurred())
	return ring
}
