// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package escalation_test sends the API server several hundred requests for access
// that people must not get. It sends them as every kind of actor, while Usher acts on
// the results, and then measures what all users may do.
//
// The package owns the matrix. The tests in test/rights cover what each policy says,
// and why. These specs must not know how Usher decides: model_test.go defines
// independently which requests should be accepted.
package escalation_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/hack/inbox"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/test/platform"
)

var (
	kube *platform.Platform
	// admin reads objects, and restores what an attempt changed.
	admin client.Client
)

func TestEscalation(t *testing.T) {
	// A streamed list waits up to two seconds for the mark of its end.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Escalation")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	kube = platform.Start(ctx, true)
	admin = kube.AdminClient
	for _, who := range append([]*actor{portal}, actors...) {
		who.reach()
	}
	setTheStage(ctx)
})

// startUsher runs all controllers with the rights of the service account that the
// manifests give them.
func startUsher(ctx context.Context) {
	GinkgoHelper()
	letters, err := inbox.Start(inbox.Options{}) //nolint:contextcheck // It listens until it is closed, and takes no context.
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(letters.Close)
	server, err := email.ParseURL(letters.SMTPURL())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(kube.RunControllers(ctx, kube.RightsOf(ctx, platform.Controller), controllers.Options{
		Clock: clock.RealClock{}, Workers: 4, Notifier: platform.Notifier(email.NewSMTP(email.Config{Server: server}), platform.Keys()),
	}))
}
