// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package pace_test measures how fast access follows the declared state, in an
// Organization of a thousand members and more. All of Usher's reconcilers run in this
// process, as their service account, on one API server with the rights and the
// policies in config/ in force.
//
// The package owns the figures, and the cost that a change may have. The tests of the
// controllers cover what each grant looks like. These specs must not reach into a
// reconciler: they know what is declared, what Usher asks of the API server, and when
// a RoleBinding came or went.
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

// workers is the default number of workers of a controller.
const workers = 4

var (
	kube  *platform.Platform
	admin client.WithWatch
	// asked records what Usher writes to the API server.
	asked = &traffic{}
	// access tracks the access of all members, as the API server reports it.
	access = &bindings{}
	// size is the number of members who share the role that is edited.
	size = 200
)

func TestPace(t *testing.T) {
	// A streamed list waits up to two seconds for the mark of its end.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	if members := os.Getenv("USHER_PACE_MEMBERS"); members != "" {
		var err error
		if size, err = strconv.Atoi(members); err != nil || size < bystanders {
			t.Fatalf("USHER_PACE_MEMBERS must be a number of members, at least %d: %q", bystanders, members)
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
	// When the API server ends a watch, this process starts another, so that it sees
	// all events in order.
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

// perSecond is the number of RoleBindings that Usher may write in a second. It is
// 500, as in the manifests, and less for fewer than a thousand members, so that a
// change of the catalogue always reaches this limit.
func perSecond() int { return min(500, size/2) }

// startUsher runs all controllers until the suite is over.
func startUsher(ctx context.Context) {
	GinkgoHelper()
	rights := kube.RightsOf(ctx, platform.Controller)
	rights.Wrap(asked.wrap)
	// Usher sends no mail, because all people are members already.
	server, err := email.ParseURL("smtp+plaintext://localhost:1")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.RunControllers(ctx, rights, controllers.Options{
		Clock: clock.RealClock{}, Workers: workers, BindingsPerSecond: perSecond(),
		Notifier: platform.Notifier(email.NewSMTP(email.Config{Server: server}), platform.Keys()),
	}))
}

// create creates objects.
func create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, o := range objects {
		Expect(admin.Create(ctx, o)).To(Succeed(), o.GetName())
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// figure reports a measured number.
var figure = platform.Figure
