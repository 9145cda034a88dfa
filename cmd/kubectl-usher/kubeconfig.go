// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/usher-dev/usher/cmd/kubectl-usher/signin"
)

// pathKubeconfig is where the portal has the kubeconfig.
const pathKubeconfig = "/connect/kubeconfig"

func kubeconfigCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig", Short: "Add the cluster to your kubeconfig, and sign in", Args: cobra.NoArgs,
		Long: `Sign in, and add the cluster to your kubeconfig.

The command adds a cluster, a user and a context, and makes the context the current one. It
changes no other entries, and refuses to replace entries of another cluster.`,
		Example: `  # Add the cluster of a portal
  kubectl usher kubeconfig --issuer https://accounts.example.com

  # Write a kubeconfig of its own
  kubectl usher kubeconfig --issuer https://accounts.example.com --kubeconfig ./acme.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.issuer == "" {
				return errors.New("--issuer must be the address of the portal, such as https://accounts.example.com")
			}
			ctx := cmd.Context()
			tokens, err := o.current(ctx, cmd.ErrOrStderr(), true)
			if err != nil {
				return err
			}
			client, err := o.client(ctx, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			raw, err := client.Get(ctx, pathKubeconfig, tokens.AccessToken)
			if errors.Is(err, signin.ErrEnded) {
				return fmt.Errorf("your sign-in has ended; run kubectl usher login --issuer %s, and this command again", o.issuer)
			}
			if err != nil {
				return err
			}
			name, err := o.merge(raw)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The context %s is now the current one. Try: kubectl auth whoami\n", name)
			return err
		},
	}
}

// entryName is the form of the names that the portal gives to entries of a kubeconfig.
var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

// entries are what the plugin adds to a kubeconfig.
type entries struct {
	context, user string
	cluster       api.Cluster
}

// entriesOf reads the address and the CA of the cluster from the kubeconfig of the portal,
// and nothing else. A portal that an attacker controls must not choose the commands that run
// here.
func entriesOf(raw []byte) (entries, error) {
	from, err := clientcmd.Load(raw)
	if err != nil {
		return entries{}, errors.New("the kubeconfig of the portal is damaged; tell its administrator")
	}
	at := from.Contexts[from.CurrentContext]
	if at == nil || from.Clusters[at.Cluster] == nil {
		return entries{}, errors.New("the kubeconfig of the portal names no cluster; tell its administrator")
	}
	cluster := from.Clusters[at.Cluster]
	if !entryName.MatchString(from.CurrentContext) || !strings.HasPrefix(cluster.Server, "https://") {
		return entries{}, errors.New("the kubeconfig of the portal names the cluster wrongly, or its address is not https; tell its administrator")
	}
	return entries{
		context: from.CurrentContext, user: from.CurrentContext + "-usher",
		cluster: api.Cluster{Server: cluster.Server, CertificateAuthorityData: cluster.CertificateAuthorityData},
	}, nil
}

// merge adds the cluster, the user and the context of a kubeconfig to the person's own, and
// returns the name of the context. It does not replace entries of the same names that belong
// to something else.
func (o *options) merge(raw []byte) (string, error) {
	add, err := entriesOf(raw)
	if err != nil {
		return "", err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	into, err := rules.GetStartingConfig()
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	exec, err := o.exec()
	if err != nil {
		return "", err
	}
	if found := add.conflict(into, o.issuer); found != "" {
		return "", fmt.Errorf("the kubeconfig already has %s; rename that, or set --kubeconfig to another file", found)
	}
	cluster := into.Clusters[add.context]
	if cluster == nil {
		cluster = api.NewCluster()
		into.Clusters[add.context] = cluster
	}
	cluster.Server, cluster.CertificateAuthorityData = add.cluster.Server, add.cluster.CertificateAuthorityData
	cluster.CertificateAuthority, cluster.InsecureSkipTLSVerify = "", false
	user := into.AuthInfos[add.user]
	if user == nil {
		user = api.NewAuthInfo()
		into.AuthInfos[add.user] = user
	}
	user.Exec = exec
	if into.Contexts[add.context] == nil { // otherwise it can have a namespace
		at := api.NewContext()
		at.Cluster, at.AuthInfo = add.context, add.user
		into.Contexts[add.context] = at
	}
	into.CurrentContext = add.context
	if err := clientcmd.ModifyConfig(rules, *into, true); err != nil {
		return "", fmt.Errorf("write the kubeconfig: %w", err)
	}
	return add.context, nil
}

// conflict names an entry of a kubeconfig that merge must not replace. It is empty if there
// is none.
func (e entries) conflict(into *api.Config, issuer string) string {
	if cluster := into.Clusters[e.context]; cluster != nil && cluster.Server != e.cluster.Server {
		return fmt.Sprintf("a cluster %s at %s", e.context, cluster.Server)
	}
	user := into.AuthInfos[e.user]
	ours := user != nil && user.Exec != nil && isThis(user.Exec.Command) && slices.Contains(user.Exec.Args, "--issuer="+issuer)
	if user != nil && !ours {
		return fmt.Sprintf("a user %s, who signs in elsewhere", e.user)
	}
	if cluster := into.Clusters[e.context]; cluster != nil && !ours && !e.trustsTheSame(cluster) {
		// Other users of the cluster would trust the CA that the portal names.
		return fmt.Sprintf("a cluster %s with another CA", e.context)
	}
	if at := into.Contexts[e.context]; at != nil && (at.Cluster != e.context || at.AuthInfo != e.user) {
		return fmt.Sprintf("a context %s with the cluster %s and the user %s", e.context, at.Cluster, at.AuthInfo)
	}
	return ""
}

// trustsTheSame reports whether a cluster entry has the CA of e.
func (e entries) trustsTheSame(cluster *api.Cluster) bool {
	return cluster.CertificateAuthority == "" && !cluster.InsecureSkipTLSVerify &&
		bytes.Equal(cluster.CertificateAuthorityData, e.cluster.CertificateAuthorityData)
}

// exec returns how kubectl calls the plugin, with the flags of this call.
func (o *options) exec() (*api.ExecConfig, error) {
	ca, err := o.ca()
	if err != nil {
		return nil, err
	}
	arguments := []string{"credential", "--issuer=" + o.issuer}
	if len(ca) > 0 {
		arguments = append(arguments, "--issuer-ca-data="+base64.StdEncoding.EncodeToString(ca))
	}
	if o.clientID != defaultClientID {
		arguments = append(arguments, "--client-id="+o.clientID)
	}
	if o.cacheDir != "" {
		dir, err := filepath.Abs(o.cacheDir)
		if err != nil {
			return nil, fmt.Errorf("--cache-dir: %w", err)
		}
		arguments = append(arguments, "--cache-dir="+dir)
	}
	return &api.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: command, Args: arguments,
		InteractiveMode: api.IfAvailableExecInteractiveMode,
		InstallHint:     "kubectl-usher is not installed. " + strings.TrimSuffix(o.issuer, "/") + "/connect says how to install it.",
	}, nil
}
