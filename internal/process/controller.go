// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	netmail "net/mail"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/internal/notifier"
	"github.com/usher-dev/usher/internal/notifier/chat"
	"github.com/usher-dev/usher/internal/notifier/email"
	"github.com/usher-dev/usher/internal/notifier/sms"
	"github.com/usher-dev/usher/internal/outbound"
)

// Controller holds the settings of the controller process.
type Controller struct {
	Cluster

	// PortalURL is the public URL of the portal. Every link starts with it.
	PortalURL string
	// SMTPURL is the mail server: smtp:// (STARTTLS), smtps:// or smtp+plaintext://.
	SMTPURL string
	// SMTPPasswordFile contains the password of the user in SMTPURL.
	SMTPPasswordFile string
	// SMTPCAFile contains CA certificates to trust in addition to the system's.
	SMTPCAFile string
	// MailFrom is the sender, such as "Usher <usher@example.com>".
	MailFrom string
	// DKIMSelector names the DKIM key below the sender's domain. If it is empty, mails
	// are not signed.
	DKIMSelector string
	// DKIMKeyFile contains the private key in PEM form.
	DKIMKeyFile string
	// SMSURL is the SMS gateway: kannel+https://user@host/cgi-bin/sendsms or
	// twilio+https://account@host. If it is empty, there is none.
	SMSURL string
	// SMSPasswordFile contains the password of the user in SMSURL.
	SMSPasswordFile string
	// SMSCAFile contains CA certificates to trust in addition to the system's.
	SMSCAFile string
	// SMSFrom is the sender that people see on short messages.
	SMSFrom string
	// AllowOutbound are the networks, in CIDR form, that the chats and mail servers of
	// Organizations can be in, in addition to the public internet.
	AllowOutbound []string
	// UserNameRetention is how long the user name of a deleted Account is not given out
	// again.
	UserNameRetention time.Duration
	// Workers is how many objects of each kind are reconciled at a time.
	Workers int
	// LeaderElect lets only one of several controllers work at a time.
	LeaderElect bool
	// MetricsAddress is where Prometheus metrics are served. "0" disables them.
	MetricsAddress string
	// HealthAddress is where probes are answered. "0" disables them.
	HealthAddress string
}

// Run runs the controller until ctx ends.
func (o Controller) Run(ctx context.Context, log logr.Logger) error {
	namespace, err := o.namespace()
	if err != nil {
		return err
	}
	if o.UserNameRetention <= 0 {
		return errors.New("--user-name-retention must be a time such as 8760h")
	}
	portalURL, err := parsePortalURL(o.PortalURL)
	if err != nil {
		return err
	}
	smtp, from, err := o.mailer()
	if err != nil {
		return err
	}
	defer smtp.Close()
	texter, err := o.texter()
	if err != nil {
		return err
	}
	allowed, err := outbound.ParseNetworks(o.AllowOutbound)
	if err != nil {
		return fmt.Errorf("--allow-outbound: %w", err)
	}
	mgr, err := o.manager(namespace, log)
	if err != nil {
		return err
	}
	direct, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return err
	}
	for _, keys := range []string{linkKeysSecret, resetKeysSecret} {
		if err := ensureKeys(ctx, direct, namespace, keys, linkKeysType, rand.Reader); err != nil {
			return err
		}
	}
	settings := &notifier.Settings{Reader: mgr.GetClient(), Hello: hello(), PlatformSender: from.String(), Allowed: allowed}
	defer settings.Close()
	messages := &notifier.Notifier{
		Mailer: smtp, From: from, Settings: settings, Texter: texter,
		Chatter: chat.New(chat.Config{Allowed: allowed}),
		Secrets: mgr.GetClient(),
		Keys:    keysOf(mgr.GetClient(), namespace, linkKeysSecret),
		// Reset links are rare. A cache of this Secret would need another watch.
		ResetKeys: keysOf(mgr.GetAPIReader(), namespace, resetKeysSecret),
		PortalURL: portalURL, ClaimOwner: claimOwner(), Deadline: email.SendDeadline,
	}
	if err := controllers.Setup(ctx, mgr, controllers.Options{
		Clock: clock.RealClock{}, Notifier: messages, Namespace: namespace, Workers: o.Workers, UserNameRetention: o.UserNameRetention,
	}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func (o Controller) manager(namespace string, log logr.Logger) (ctrl.Manager, error) {
	config, err := o.config()
	if err != nil {
		return nil, err
	}
	cached := controllers.CachedObjects(namespace)
	for object, kept := range cached {
		if _, secret := object.(*corev1.Secret); secret {
			maps.Copy(kept.Namespaces, onlyLinkKeys(namespace).Namespaces)
		}
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                 newScheme(),
		Logger:                 log,
		Metrics:                metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress: o.HealthAddress,
		LeaderElection:         o.LeaderElect,
		// The process ends right after it releases the lease, so that another one need
		// not wait.
		LeaderElectionReleaseOnCancel: true,
		LeaderElectionID:              "usher-controller",
		LeaderElectionNamespace:       namespace,
		Cache:                         cache.Options{ByObject: cached},
	})
	if err != nil {
		return nil, err
	}
	return mgr, errors.Join(mgr.AddHealthzCheck("alive", healthz.Ping), mgr.AddReadyzCheck("ready", healthz.Ping))
}

func (o Controller) mailer() (*email.SMTP, netmail.Address, error) {
	from, err := netmail.ParseAddress(o.MailFrom)
	if err != nil {
		return nil, netmail.Address{}, fmt.Errorf("--mail-from must be a sender such as \"Usher <usher@example.com>\": %w", err)
	}
	server, err := email.ParseURL(o.SMTPURL)
	if err != nil {
		return nil, netmail.Address{}, fmt.Errorf("--smtp-url: %w", err)
	}
	config := email.Config{Server: server}
	if server.User != "" && o.SMTPPasswordFile == "" {
		return nil, netmail.Address{}, errors.New("--smtp-password-file must name the file with the password of the user in --smtp-url")
	}
	if o.SMTPPasswordFile != "" {
		config.Password = email.PasswordFile(o.SMTPPasswordFile)
	}
	if o.SMTPCAFile != "" {
		if config.RootCAs, err = email.RootCAs(o.SMTPCAFile); err != nil {
			return nil, netmail.Address{}, fmt.Errorf("--smtp-ca-file: %w", err)
		}
	}
	if o.DKIMSelector != "" {
		key, err := os.ReadFile(o.DKIMKeyFile)
		if err != nil {
			return nil, netmail.Address{}, fmt.Errorf("--dkim-key-file must name the file with the private key of --dkim-selector: %w", err)
		}
		domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
		if config.DKIM, err = email.ParseDKIM(domain, o.DKIMSelector, key); err != nil {
			return nil, netmail.Address{}, fmt.Errorf("--dkim-key-file: %w", err)
		}
	}
	config.Hello = hello()
	return email.NewSMTP(config), *from, nil
}

// hello returns the host name, or "" if the machine has none. The email package has its
// own name for that case.
func hello() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}

// texter returns a client of the SMS gateway, or nil if there is none.
func (o Controller) texter() (notifier.Texter, error) {
	if o.SMSURL == "" {
		return nil, nil
	}
	gateway, err := sms.ParseURL(o.SMSURL)
	if err != nil {
		return nil, fmt.Errorf("--sms-url: %w", err)
	}
	if o.SMSPasswordFile == "" {
		return nil, errors.New("--sms-password-file must name the file with the password of the user in --sms-url")
	}
	if err := gateway.CheckSender(o.SMSFrom); err != nil {
		return nil, fmt.Errorf("--sms-from: %w", err)
	}
	config := sms.Config{Gateway: gateway, Password: email.PasswordFile(o.SMSPasswordFile), From: o.SMSFrom}
	if o.SMSCAFile != "" {
		if config.RootCAs, err = email.RootCAs(o.SMSCAFile); err != nil {
			return nil, fmt.Errorf("--sms-ca-file: %w", err)
		}
	}
	return sms.New(config), nil
}

func parsePortalURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("--portal-url must be the public URL of the portal, such as https://accounts.example.com")
	}
	return u, nil
}

// claimOwner returns a name for this run of the process. Each run has a different name.
func claimOwner() string {
	run := make([]byte, 4)
	_, _ = rand.Read(run) // never fails (crypto/rand)
	host, err := os.Hostname()
	if err != nil {
		host = "controller"
	}
	return host + "-" + hex.EncodeToString(run)
}
