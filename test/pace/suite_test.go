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
	"os"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/test/platform"
)

// workers is what a controller has unless it is told otherwise.
const workers = 4

var (
	kube  *platform.Platform
	admin client.WithWatch
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
	kube = platform.Start(ctx, false)
	admin = kube.AdminClient
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

// perSecond is how many RoleBindings Usher may write in a second: 500, as it is
// installed, and less for fewer than a thousand members, so that it is what a
// change of the catalogue waits for.
func perSecond() int { return min(500, size/2) }

// startUsher runs all controllers until the suite is over.
func startUsher(ctx context.Context) {
	GinkgoHelper()
	rights := kube.RightsOf(ctx, platform.Controller)
	rights.Wrap(asked.wrap)
	// Nobody is mailed: everybody is a member already.
	server, err := email.ParseURL("smtp+plaintext://localhost:1")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.RunControllers(ctx, rights, controllers.Options{
		Clock: clock.RealClock{}, Workers: workers, BindingsPerSecond: perSecond(),
		Notifier: platform.Notifier(email.NewSMTP(email.Config{Server: server}), platform.Keys()),
	}))
}

// create makes objects.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed(), o.GetName())
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// figure reports a measured number.
var figure = platform.Figure
