// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package pace_test measures how fast access follows what is declared, in an
// Organization of a thousand members and more: all of Usher's reconcilers in this
// process, as their service account, on one API server with the rights and the
// policies in config/ in force. It owns the figures, and what a change may cost;
// what each grant looks like is the controllers' own to test. It must not reach
// into a reconciler: it knows what is declared, what Usher asks of the API
// server, and when a RoleBinding came or went.
package pace_test

import (
	"context"
	"fmt"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	"github.com/usher-dev/usher/internal/chat"
	"github.com/usher-dev/usher/internal/invitation"
	"github.com/usher-dev/usher/internal/mail"
)

// workers is what a controller has unless it is told otherwise.
const workers = 4

var (
	kube   *cluster.Cluster
	scheme = runtime.NewScheme()
	admin  client.WithWatch
	// asked is what Usher writes to the API server.
	asked = &traffic{}
	// access is who has what, as the API server tells it.
	access = &bindings{}
	// size is how many members share the role that is edited.
	size = 200
)

func TestPace(t *testing.T) {
	// A streamed list waits for up to two seconds for its end to be marked.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	if members := os.Getenv("USHER_PACE_MEMBERS"); members != "" {
		var err error
		if size, err = strconv.Atoi(members); err != nil || size < bystanders {
			t.Fatalf("USHER_PACE_MEMBERS must be a number of members, %d at least: %q", bystanders, members)
		}
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience())
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Pace")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(GinkgoLogr)
	klog.SetLogger(GinkgoLogr)
	bin := os.Getenv("KUBEBUILDER_ASSETS")
	root := filepath.Join("..", "..")
	if bin == "" {
		bin = filepath.Join(root, "bin")
	}
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(accountsv1.AddToScheme(scheme)).To(Succeed())
	var err error
	kube, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{BinDir: bin})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Stop)
	Expect(kube.InstallAll(ctx, filepath.Join(root, "config"))).To(Succeed())
	config := kube.Admin()
	config.QPS = -1
	admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	mayBind(ctx, auditor)
	// An API server that ends a watch has this process begin another, so that
	// what is seen is seen in order.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	DeferCleanup(stop)
	access.follow(watching)
})

// mayBind lets Usher bind one more ClusterRole.
func mayBind(ctx context.Context, clusterRole string) {
	GinkgoHelper()
	grantable := &rbacv1.ClusterRole{}
	Expect(admin.Get(ctx, client.ObjectKey{Name: accountsv1.GrantableName}, grantable)).To(Succeed())
	rule := &grantable.Rules[0]
	rule.ResourceNames = append(rule.ResourceNames, clusterRole)
	Expect(admin.Update(ctx, grantable)).To(Succeed())
}

// perSecond is how many RoleBindings Usher may write in a second: 500 for a
// thousand members, and as much less for fewer, so that it is what a change of
// the catalogue waits for.
func perSecond() int { return size / 2 }

// startUsher runs all controllers until the suite is over.
func startUsher(ctx context.Context) {
	GinkgoHelper()
	config, err := kube.ServiceAccountConfig(ctx, cluster.Namespace, "usher-controller")
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	config.Wrap(asked.wrap)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{ByObject: controllers.CachedObjects()},
	})
	Expect(err).NotTo(HaveOccurred())
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	Expect(controllers.Setup(running, mgr, controllers.Options{
		Clock: clock.RealClock{}, Namespace: cluster.Namespace, Workers: workers, Post: nobodysPost(mgr.GetClient()),
		BindingsPerSecond: perSecond(),
	})).To(Succeed())
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(running) }()
	DeferCleanup(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
}

// nobodysPost is a Post that has nothing to mail: everybody is a member already.
func nobodysPost(c client.Client) *controllers.Post {
	GinkgoHelper()
	server, err := mail.ParseURL("smtp+plaintext://localhost:1")
	Expect(err).NotTo(HaveOccurred())
	portal, err := url.Parse("https://accounts.example.com")
	Expect(err).NotTo(HaveOccurred())
	keys, err := invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())
	return &controllers.Post{
		Mailer:   mail.NewSMTP(mail.Config{Server: server}),
		Chatter:  chat.New(chat.Config{}),
		Settings: &controllers.Settings{Reader: c},
		Keys:     func(context.Context) (invitation.Keyring, error) { return keys, nil },
		From:     netmail.Address{Name: "Usher", Address: "usher@example.com"},
		Deadline: mail.SendDeadline, PortalURL: portal, Holder: "usher",
	}
}

// create makes objects.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed(), o.GetName())
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// figure reports a measured number, so that it can be read after a run.
func figure(name, format string, args ...any) {
	GinkgoHelper()
	AddReportEntry(name, ReportEntryVisibilityAlways, fmt.Sprintf(format, args...))
}
