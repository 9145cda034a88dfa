// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package attack_test measures what attackers get out of the portal: several
// portals at once, over TCP, on one API server, with the rights and the policies
// in config/ in force and with real password hashes. It owns the figures; what
// each answer looks like is internal/portal's to test. It must not reach into a
// portal: it knows what is sent, what is answered, and what the objects say.
package attack_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
)

var root = filepath.Join("..", "..")

var (
	kube   *cluster.Cluster
	scheme = runtime.NewScheme()
	admin  client.WithWatch
	// portalRights and controllerRights are those of the two service accounts.
	portalRights, controllerRights *rest.Config

	now  = &shiftedClock{}
	keys invitation.Keyring
	// Whatever the person of a spec has for a password, and its hash, which takes
	// its time to make.
	password, passwordHash = "velvet-anchor pickle tram", ""
)

func TestAttacks(t *testing.T) {
	// A streamed list waits for up to two seconds for its end to be marked, and
	// the specs start portals again and again.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Attacks")
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
	kube, err = cluster.Start(context.WithoutCancel(ctx), cluster.Options{BinDir: bin})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.Stop)
	Expect(kube.InstallAll(ctx, filepath.Join(root, "config"))).To(Succeed())
	admin, err = client.NewWithWatch(kube.Admin(), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	portalRights, controllerRights = rightsOf(ctx, "usher-portal"), rightsOf(ctx, "usher-controller")

	keys, err = invitation.ParseKeyring(map[string][]byte{invitation.FirstKeyName(): make([]byte, invitation.KeySize)})
	Expect(err).NotTo(HaveOccurred())
	passwordHash, err = account.NewHasher(1, time.Minute).Hash(ctx, password)
	Expect(err).NotTo(HaveOccurred())
	policiesInForce(ctx)
})

func rightsOf(ctx context.Context, serviceAccount string) *rest.Config {
	GinkgoHelper()
	config, err := kube.ServiceAccountConfig(ctx, cluster.Namespace, serviceAccount)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	return config
}

// policiesInForce waits until the API server holds the portal to what config/
// lets it do, which takes it a moment.
func policiesInForce(ctx context.Context) {
	GinkgoHelper()
	portal, err := client.New(portalRights, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	probe := &accountsv1.Account{}
	probe.Name, probe.Spec.Email = fresh("probe"), "probe@example.com"
	probe.Spec.InvitationRef = accountsv1.InvitationReference{Namespace: "default", Name: "probe", UID: "1"}
	untaken := probe.DeepCopy()
	create(ctx, untaken)
	foreign := &corev1.Secret{}
	foreign.Namespace, foreign.Name = cluster.Namespace, fresh("probe")
	for policy, breach := range map[string]func() error{
		"accounts":       func() error { return portal.Create(ctx, probe.DeepCopy(), client.DryRunAll) },
		"account-status": func() error { return portal.Status().Update(ctx, asked(untaken.DeepCopy()), client.DryRunAll) },
		"secrets":        func() error { return portal.Create(ctx, foreign.DeepCopy(), client.DryRunAll) },
	} {
		Eventually(func() bool { return apierrors.IsForbidden(breach()) }).Should(BeTrue(), policy)
	}
}

// shiftedClock is the machine's clock, put forward by as much as a spec likes.
type shiftedClock struct{ shift atomic.Int64 }

func (c *shiftedClock) Now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

func (c *shiftedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// putForward puts the clock forward for the rest of the spec.
func (c *shiftedClock) putForward(by time.Duration) {
	c.shift.Add(int64(by))
	DeferCleanup(func() { c.shift.Add(-int64(by)) })
}

var serial atomic.Int64

// fresh is a name that no other spec has.
func fresh(prefix string) string { return fmt.Sprintf("%s-%04d", prefix, serial.Add(1)) }

// figure reports a measured number, so that it can be read after a run.
func figure(name string, format string, args ...any) {
	GinkgoHelper()
	AddReportEntry(name, ReportEntryVisibilityAlways, fmt.Sprintf(format, args...))
}
