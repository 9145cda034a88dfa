// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// Usher manages people's accounts as Kubernetes custom resources.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/usher-dev/usher/controllers"
	"github.com/usher-dev/usher/internal/process"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctrl.SetLogger(zap.New())
	klog.SetLogger(ctrl.Log)
	if err := root().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "usher:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "usher",
		Short:         "Manages people's accounts as Kubernetes custom resources",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(controllerCommand(), portalCommand(), allCommand(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) { cmd.Println(version) },
	})
	cmd.SetOut(os.Stdout)
	return cmd
}

func controllerCommand() *cobra.Command {
	var o process.Controller
	cmd := &cobra.Command{
		Use: "controller", Short: "Invite people and apply their permissions", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.Run(cmd.Context(), ctrl.Log)
		},
	}
	clusterFlags(cmd, &o.Cluster)
	cmd.Flags().StringVar(&o.Context, "context", "", "context of the kubeconfig (default: its current one)")
	portalURLFlag(cmd, &o.PortalURL)
	controllerFlags(cmd, &o)
	return cmd
}

func portalCommand() *cobra.Command {
	var o process.Portal
	cmd := &cobra.Command{
		Use: "portal", Short: "Serve the pages that people see", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.Run(cmd.Context(), ctrl.Log)
		},
	}
	clusterFlags(cmd, &o.Cluster)
	cmd.Flags().StringVar(&o.Context, "context", "", "context of the kubeconfig (default: its current one)")
	portalURLFlag(cmd, &o.PortalURL)
	portalFlags(cmd, &o)
	return cmd
}

// allCommand runs the controller and the portal in one process, each with its own
// permissions.
func allCommand() *cobra.Command {
	var (
		c process.Controller
		p process.Portal
	)
	cmd := &cobra.Command{
		Use: "all", Short: "Run the controller and the portal in one process, to try Usher out", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.Kubeconfig, p.Namespace, p.PortalURL = c.Kubeconfig, c.Namespace, c.PortalURL
			group, ctx := errgroup.WithContext(cmd.Context())
			group.Go(func() error { return c.Run(ctx, ctrl.Log) })
			group.Go(func() error { return p.Run(ctx, ctrl.Log) })
			return group.Wait()
		},
	}
	clusterFlags(cmd, &c.Cluster)
	cmd.Flags().StringVar(&c.Context, "controller-context", "", "context of the kubeconfig for the controller (default: its current one)")
	cmd.Flags().StringVar(&p.Context, "portal-context", "", "context of the kubeconfig for the portal (default: its current one)")
	portalURLFlag(cmd, &c.PortalURL)
	controllerFlags(cmd, &c)
	portalFlags(cmd, &p)
	return cmd
}

func clusterFlags(cmd *cobra.Command, c *process.Cluster) {
	cmd.Flags().StringVar(&c.Kubeconfig, "kubeconfig", "", "path of a kubeconfig (default: KUBECONFIG, the default kubeconfig or the service account of the pod)")
	cmd.Flags().StringVar(&c.Namespace, "namespace", "", "Usher's own namespace (default: the namespace of the pod)")
}

func portalURLFlag(cmd *cobra.Command, portalURL *string) {
	cmd.Flags().StringVar(portalURL, "portal-url", "", "public URL of the portal, such as https://accounts.example.com (required)")
	required(cmd, "portal-url")
}

func controllerFlags(cmd *cobra.Command, o *process.Controller) {
	f := cmd.Flags()
	f.StringVar(&o.SMTPURL, "smtp-url", "", "mail server: smtp://[user@]host (STARTTLS), smtps://[user@]host (TLS) or smtp+plaintext://host (required)")
	f.StringVar(&o.SMTPPasswordFile, "smtp-password-file", "", "file with the password of the user in --smtp-url")
	f.StringVar(&o.SMTPCAFile, "smtp-ca-file", "", "file with CA certificates to trust in addition to the system's")
	f.StringVar(&o.MailFrom, "mail-from", "", `sender of all mail, such as "Usher <usher@example.com>" (required)`)
	f.StringVar(&o.DKIMSelector, "dkim-selector", "", "name of the DKIM key below the domain of --mail-from (default: mails are not signed)")
	f.StringVar(&o.DKIMKeyFile, "dkim-key-file", "", "file with the private DKIM key in PEM form, RSA or Ed25519")
	f.StringVar(&o.SMSURL, "sms-url", "", "SMS gateway: kannel+https://user@host/cgi-bin/sendsms or twilio+https://account@api.twilio.com (default: none)")
	f.StringVar(&o.SMSPasswordFile, "sms-password-file", "", "file with the password of the user in --sms-url")
	f.StringVar(&o.SMSCAFile, "sms-ca-file", "", "file with CA certificates to trust in addition to the system's, for --sms-url")
	f.StringVar(&o.SMSFrom, "sms-from", "", "sender that people see on short messages")
	f.StringSliceVar(&o.AllowOutbound, "allow-outbound", nil, "networks that the chats and mail servers of Organizations can be in, such as 10.20.30.0/24 (default: only the public internet)")
	f.DurationVar(&o.UserNameRetention, "user-name-retention", controllers.UserNameRetention, "time for which the user name of a deleted Account is not given out again")
	f.IntVar(&o.Workers, "workers", 4, "number of objects of each kind to reconcile at a time; also the number of mail connections kept open")
	f.BoolVar(&o.LeaderElect, "leader-elect", false, "elect a leader, so that only one of several controllers works at a time")
	f.StringVar(&o.MetricsAddress, "metrics-bind-address", "127.0.0.1:8080", `address to serve metrics at; "0" disables them`)
	f.StringVar(&o.HealthAddress, "health-bind-address", "0", `address to answer probes at; "0" disables them`)
	required(cmd, "smtp-url", "mail-from")
}

func portalFlags(cmd *cobra.Command, o *process.Portal) {
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", ":8082", "address to serve the portal at")
	f.StringSliceVar(&o.TrustedProxies, "trusted-proxies", nil, "networks of the proxies in front of the portal, as narrow as possible, such as 10.20.30.40/32")
	f.StringVar(&o.ClusterName, "cluster-name", "kubernetes", "name of the cluster in the kubeconfigs that the portal gives people")
	f.StringVar(&o.ClusterServer, "cluster-server", "", "address of the API server for people, such as https://api.example.com:6443 (default: the portal gives no kubeconfig)")
	f.StringVar(&o.ClusterCAFile, "cluster-ca-file", "", "file with the CA certificates of --cluster-server (default: those of people's systems)")
	f.StringVar(&o.PortalCAFile, "portal-ca-file", "", "file with the CA certificates of --portal-url (default: those of people's systems)")
	f.StringVar(&o.PluginURL, "plugin-url", "https://github.com/usher-dev/usher/releases/latest/download", "where people download kubectl-usher")
	f.IntVar(&o.HashSlots, "hash-slots", 8, "number of passwords to hash at a time; each needs 19 MiB")
}

func required(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // fails only for a flag that does not exist
		}
	}
}
