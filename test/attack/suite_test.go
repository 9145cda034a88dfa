// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Package attack_test measures what attackers can get out of the portal. Several
// portals run at once, over TCP, on one API server, with the rights and policies in
// config/ in force and with real password hashes.
//
// The package owns the figures. The tests in internal/portal cover what each answer
// looks like. These specs must not reach into a portal: they know the requests, the
// answers, and the objects in the API server.
package attack_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/hack/cluster"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/invitation"
	issuerkeys "github.com/usher-dev/usher/internal/issuer/keys"
	"github.com/usher-dev/usher/test/platform"
)

var (
	kube  *platform.Platform
	admin client.WithWatch
	// portalRights and controllerRights are those of the two service accounts.
	portalRights, controllerRights *rest.Config

	now  = &platform.Clock{}
	keys invitation.Keyring
	// issuerKeys sign the tokens of all portals.
	issuerKeys issuerkeys.Ring
	// The common password of people in the specs, and its hash, which is slow to
	// make.
	password, passwordHash = "velvet-anchor pickle tram", ""
)

func TestAttacks(t *testing.T) {
	// A streamed list waits up to two seconds for the mark of its end, and the specs
	// start portals again and again.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	slog.SetDefault(slog.New(slog.DiscardHandler)) // as the portal does
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Attacks")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	kube = platform.Start(ctx, false)
	admin, keys, issuerKeys = kube.AdminClient, platform.Keys(), platform.IssuerKeys()
	portalRights, controllerRights = kube.RightsOf(ctx, platform.Portal), kube.RightsOf(ctx, platform.Controller)
	var err error
	passwordHash, err = account.NewHasher(1, time.Minute).Hash(ctx, password)
	Expect(err).NotTo(HaveOccurred())
	policiesInForce(ctx)
})

// policiesInForce waits until the API server restricts the portal to what config/
// allows, which takes it a moment.
func policiesInForce(ctx context.Context) {
	GinkgoHelper()
	portal := kube.Client(portalRights)
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

var (
	// fresh returns a name that no other spec has.
	fresh = platform.Fresh
	// figure reports a measured number.
	figure = platform.Figure
)
