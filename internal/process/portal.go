// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/account"
	"github.com/usher-dev/usher/internal/portal"
	"github.com/usher-dev/usher/internal/portal/recorder"
	"github.com/usher-dev/usher/internal/portal/store"
)

// portalShutdown is how long open requests can take to finish when the portal is told to
// stop.
const portalShutdown = 20 * time.Second

// hashWait is how long a sign-in waits for a hash slot before the portal asks the person
// to try again.
const hashWait = 5 * time.Second

// Portal holds the settings of the portal process.
type Portal struct {
	Cluster

	// PortalURL is the public URL of the portal.
	PortalURL string
	// Listen is the address to serve at.
	Listen string
	// TrustedProxies are the networks, in CIDR form, of the proxies in front of the
	// portal. Only these may report the address of the client.
	TrustedProxies []string
	// HashSlots is how many passwords are hashed at a time. Each needs 19 MiB.
	HashSlots int
}

// Run runs the portal until ctx ends.
func (o Portal) Run(ctx context.Context, log logr.Logger) error {
	namespace, err := o.namespace()
	if err != nil {
		return err
	}
	mgr, err := o.manager(namespace, log)
	if err != nil {
		return err
	}
	if err := store.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	if err := ensureKeys(ctx, mgr.GetClient(), namespace, seedKeysSecret, seedKeysType, rand.Reader); err != nil {
		return err
	}
	config, err := o.portalConfig(mgr, namespace, log)
	if err != nil {
		return err
	}
	requests := &recorder.Recorder{Store: &store.Store{Reader: config.Reader, Live: config.Live, Writer: config.Writer, Clock: config.Clock}}
	if err := requests.SetupWithManager(mgr); err != nil {
		return err
	}
	handler, err := portal.New(config)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", o.Listen, err)
	}
	grace := portalShutdown
	server := &manager.Server{
		Name: "portal", Server: portal.Server(handler, o.Listen), Listener: listener, ShutdownTimeout: &grace,
	}
	// A plain runnable starts after the caches have filled, so a portal that answers its
	// probe can also serve people.
	if err := mgr.Add(manager.RunnableFunc(server.Start)); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func (o Portal) manager(namespace string, log logr.Logger) (ctrl.Manager, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:  newScheme(),
		Logger:  log,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:    onlyLinkKeys(namespace),
			&corev1.ConfigMap{}: store.OnlyWithheldNames(namespace),
		}},
	})
}

func (o Portal) portalConfig(mgr ctrl.Manager, namespace string, log logr.Logger) (portal.Config, error) {
	baseURL, err := parsePortalURL(o.PortalURL)
	if err != nil {
		return portal.Config{}, err
	}
	proxies := make([]netip.Prefix, 0, len(o.TrustedProxies))
	for _, raw := range o.TrustedProxies {
		prefix, err := netip.ParsePrefix(raw)
		if err != nil {
			return portal.Config{}, fmt.Errorf("--trusted-proxies must be networks such as 10.20.30.40/32: %w", err)
		}
		proxies = append(proxies, prefix)
	}
	return portal.Config{
		BaseURL: baseURL, Namespace: accountsv1.CredentialsNamespace, OwnNamespace: namespace, Clock: clock.RealClock{},
		Reader: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: mgr.GetClient(),
		Keys: keysOf(mgr.GetClient(), namespace, linkKeysSecret),
		// Few requests need these keys. A cache of each Secret would need another watch.
		ResetKeys:      keysOf(mgr.GetAPIReader(), namespace, resetKeysSecret),
		SeedKeys:       keysOf(mgr.GetAPIReader(), namespace, seedKeysSecret),
		Hasher:         account.NewHasher(o.HashSlots, hashWait),
		TrustedProxies: proxies, Log: log.WithName("portal"),
	}, nil
}
