// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

// kubectl-usher is a kubectl plugin that signs people in to a cluster with their Account.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/usher-dev/usher/internal/sanitize"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kubectl usher:", printable(err))
		os.Exit(1)
	}
}

// printable returns the text of an error without control characters: parts of it can come
// from an issuer, and must not control the terminal.
func printable(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = sanitize.SingleLine(line)
	}
	return sanitize.Shorten(strings.Join(lines, "\n"), 1000)
}

func root() *cobra.Command {
	o := options{clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:   command,
		Short: "Sign in to a cluster with your account",
		Long: `Sign in to a cluster with your account.

Once your kubeconfig has the cluster, kubectl calls this plugin itself. The plugin signs you
in with your browser when it is needed, and renews that silently. It keeps the tokens in a
file that only you can read.`,
		Example: `  # Add a cluster to your kubeconfig, and sign in
  kubectl usher kubeconfig --issuer https://accounts.example.com

  # Sign in again, on a computer without a browser
  kubectl usher login --device

  # Show who you are, and which organizations and roles you have
  kubectl usher whoami`,
		Version:           version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl usher"},
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.issuer, "issuer", "", "address of the portal, such as https://accounts.example.com (default: that of the context)")
	f.StringVar(&o.issuerCA, "issuer-ca", "", "file with CA certificates of the portal, to trust instead of the system's")
	f.StringVar(&o.issuerCAData, "issuer-ca-data", "", "the same, as base64 of the PEM form")
	f.StringVar(&o.clientID, "client-id", defaultClientID, "name of kubectl at the portal")
	f.StringVar(&o.cacheDir, "cache-dir", "", "directory of the token cache (default: usher in your cache directory)")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "path of the kubeconfig (default: KUBECONFIG or ~/.kube/config)")
	f.StringVar(&o.context, "context", "", "context of the kubeconfig (default: its current one)")
	cmd.MarkFlagsMutuallyExclusive("issuer-ca", "issuer-ca-data")
	cmd.AddCommand(loginCommand(&o), logoutCommand(&o), whoamiCommand(&o), kubeconfigCommand(&o), credentialCommand(&o))
	return cmd
}
