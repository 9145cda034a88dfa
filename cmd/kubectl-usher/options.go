// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"

	"github.com/usher-dev/usher/cmd/kubectl-usher/cache"
	"github.com/usher-dev/usher/cmd/kubectl-usher/signin"
)

// command is the name of the binary, by which kubeconfigs call it.
const command = "kubectl-usher"

// defaultClientID is the name of kubectl at every portal.
const defaultClientID = "kubectl"

// options are the flags that all commands share.
type options struct {
	issuer, issuerCA, issuerCAData, clientID string
	cacheDir, kubeconfig, context            string

	clock clock.PassiveClock
}

// loading returns how kubectl would find the kubeconfig.
func (o *options) loading() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.context})
}

// complete reads the issuer from the kubeconfig if no flag names it: from the arguments by
// which a context calls this plugin.
func (o *options) complete() error {
	if o.issuer != "" {
		return nil
	}
	config, err := o.loading().RawConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	name := o.context
	if name == "" {
		name = config.CurrentContext
	}
	user := userOf(config, name)
	if user == nil || user.Exec == nil || !isThis(user.Exec.Command) {
		return fmt.Errorf("context %q of the kubeconfig does not sign in with Usher; set --issuer to the address of the portal", name)
	}
	named := &cobra.Command{}
	flags := named.Flags()
	var in options
	flags.StringVar(&in.issuer, "issuer", "", "")
	flags.StringVar(&in.issuerCA, "issuer-ca", "", "")
	flags.StringVar(&in.issuerCAData, "issuer-ca-data", "", "")
	flags.StringVar(&in.clientID, "client-id", o.clientID, "")
	flags.ParseErrorsAllowlist.UnknownFlags = true
	if err := flags.Parse(user.Exec.Args); err != nil || in.issuer == "" {
		return fmt.Errorf("context %q of the kubeconfig calls %s without --issuer; get the kubeconfig again", name, command)
	}
	o.issuer, o.clientID = in.issuer, in.clientID
	if o.issuerCA == "" && o.issuerCAData == "" {
		o.issuerCA, o.issuerCAData = in.issuerCA, in.issuerCAData
	}
	return nil
}

// isThis reports whether a command of a kubeconfig is this plugin.
func isThis(executable string) bool {
	return strings.TrimSuffix(filepath.Base(executable), ".exe") == command
}

func userOf(config api.Config, name string) *api.AuthInfo {
	at, found := config.Contexts[name]
	if !found {
		return nil
	}
	return config.AuthInfos[at.AuthInfo]
}

// ca returns the CA certificates of the issuer in PEM form, or nil for the system's.
func (o *options) ca() ([]byte, error) {
	switch {
	case o.issuerCAData != "":
		pem, err := base64.StdEncoding.DecodeString(o.issuerCAData)
		if err != nil {
			return nil, errors.New("--issuer-ca-data must be base64")
		}
		return pem, nil
	case o.issuerCA != "":
		pem, err := os.ReadFile(o.issuerCA)
		if err != nil {
			return nil, fmt.Errorf("--issuer-ca: %w", err)
		}
		return pem, nil
	}
	return nil, nil
}

// tokens returns the token cache of the issuer.
func (o *options) tokens() (cache.File, error) {
	dir := o.cacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return cache.File{}, fmt.Errorf("find the cache directory: %w; set --cache-dir", err)
		}
		dir = filepath.Join(base, "usher")
	}
	return cache.Open(dir, o.issuer, o.clientID)
}

// client reads the configuration of the issuer.
func (o *options) client(ctx context.Context, out io.Writer) (*signin.Client, error) {
	ca, err := o.ca()
	if err != nil {
		return nil, err
	}
	return signin.New(ctx, signin.Config{
		Issuer: o.issuer, ClientID: o.clientID, CA: ca, Out: out, OpenBrowser: openBrowser, Now: o.clock.Now,
	})
}

// openBrowser opens an address in the person's browser. $BROWSER names another one.
func openBrowser(address string) error {
	var arguments []string
	switch browser := os.Getenv("BROWSER"); {
	case browser != "":
		arguments = []string{browser}
	case runtime.GOOS == "darwin":
		arguments = []string{"open"}
	case runtime.GOOS == "windows":
		arguments = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		arguments = []string{"xdg-open"}
	}
	arguments = append(arguments, address)
	return exec.Command(arguments[0], arguments[1:]...).Start() //nolint:gosec,noctx // the address is the issuer's, and the browser outlives the command
}
