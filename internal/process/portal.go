// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
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
	// ClusterName, ClusterServer and ClusterCAFile are the name, the address and the CA
	// certificates of the cluster in the kubeconfigs that the portal gives people. Without
	// an address, it gives none.
	ClusterName, ClusterServer, ClusterCAFile string
	// PortalCAFile contains the CA certificates of PortalURL, for the same kubeconfigs.
	PortalCAFile string
	// PluginURL is where people download kubectl-usher.
	PluginURL string
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
	// The OpenID library logs addresses of requests, which can contain tokens of clients. The
	// portal logs each request itself.
	slog.SetDefault(slog.New(slog.DiscardHandler))
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
	cluster, err := o.cluster()
	if err != nil {
		return portal.Config{}, err
	}
	return portal.Config{
		Cluster: cluster,

		BaseURL: baseURL, Namespace: accountsv1.CredentialsNamespace, OwnNamespace: namespace, Clock: clock.RealClock{},
		Reader: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: mgr.GetClient(),
		Keys: keysOf(mgr.GetClient(), namespace, linkKeysSecret),
		// Few requests need these keys. A cache of each Secret would need another watch.
		ResetKeys:      keysOf(mgr.GetAPIReader(), namespace, resetKeysSecret),
		IssuerKeys:     issuerKeysOf(mgr.GetAPIReader(), namespace, clock.RealClock{}, log.WithName("portal")),
		SeedKeys:       keysOf(mgr.GetAPIReader(), namespace, seedKeysSecret),
		Hasher:         account.NewHasher(o.HashSlots, hashWait),
		TrustedProxies: proxies, Log: log.WithName("portal"),
	}, nil
}

// clusterName is the form of a name that needs no quotes in any shell.
var clusterName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)

// cluster returns what the portal tells people about the cluster.
func (o Portal) cluster() (portal.Cluster, error) {
	if o.ClusterServer == "" {
		return portal.Cluster{}, nil
	}
	if u, err := url.Parse(o.ClusterServer); err != nil || u.Scheme != "https" || u.Host == "" {
		return portal.Cluster{}, errors.New("--cluster-server must be the address of the API server, such as https://api.example.com:6443")
	}
	if !clusterName.MatchString(o.ClusterName) {
		return portal.Cluster{}, errors.New("--cluster-name must be lower-case letters, digits, dashes and dots, such as production")
	}
	ca, err := certificates("--cluster-ca-file", o.ClusterCAFile)
	if err != nil {
		return portal.Cluster{}, err
	}
	issuerCA, err := certificates("--portal-ca-file", o.PortalCAFile)
	if err != nil {
		return portal.Cluster{}, err
	}
	return portal.Cluster{Name: o.ClusterName, Server: o.ClusterServer, CA: ca, IssuerCA: issuerCA, PluginURL: o.PluginURL}, nil
}

// certificates reads a file with CA certificates in PEM form.
func certificates(flag, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM form", flag, path)
	}
	return raw, nil
}
