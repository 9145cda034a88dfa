// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

var kubeconfig = []string{"kubeconfig"}

// ofPortal is the kubeconfig of a portal. An attacker who controls the portal added a
// command.
const ofPortal = `
apiVersion: v1
kind: Config
clusters: [{name: acme, cluster: {server: "https://api.example.com", certificate-authority-data: Y2E=, insecure-skip-tls-verify: true, proxy-url: "http://evil.example.com"}}]
users: [{name: acme-usher, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, evil], interactiveMode: Never}}}]
contexts: [{name: acme, context: {cluster: acme, user: acme-usher}}]
current-context: acme
`

// ofPerson is the kubeconfig of a person with another cluster.
const ofPerson = `
apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://other.example.com"}}]
users: [{name: other, user: {token: secret}}]
contexts: [{name: other, context: {cluster: other, user: other, namespace: team}}]
current-context: other
`

// offer makes the portal answer with a kubeconfig.
func (i *testIssuer) offer(status int, text string) {
	i.set(func(k *knobs) {
		k.answer = map[string]http.HandlerFunc{pathKubeconfig: func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-") {
				status = http.StatusForbidden
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}}
	})
}

func TestKubeconfigKeepsOtherEntries(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	i.offer(http.StatusOK, ofPortal)
	c := newComputer(t, i)
	c.must(os.WriteFile(c.path("kubeconfig"), []byte(ofPerson), 0o600))
	c.succeeds(kubeconfig, "Sign in with your browser.", "The context acme is now the current one.")
	got := c.kubeconfig()
	want, err := clientcmd.Load([]byte(ofPerson))
	c.must(err)
	want.CurrentContext = "acme"
	want.Clusters["acme"] = &api.Cluster{Server: "https://api.example.com", CertificateAuthorityData: []byte("ca")}
	want.AuthInfos["acme-usher"] = &api.AuthInfo{Exec: &api.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: command, Args: append([]string{"credential"}, c.flags...),
		InteractiveMode: api.IfAvailableExecInteractiveMode, InstallHint: "kubectl-usher is not installed. " + i.URL + "/connect says how to install it.",
	}}
	want.Contexts["acme"] = &api.Context{Cluster: "acme", AuthInfo: "acme-usher"}
	if diff := cmp.Diff(withoutOrigin(want), withoutOrigin(got)); diff != "" {
		t.Errorf("the kubeconfig differs (-want +got):\n%s", diff)
	}

	// The other commands find the portal in it.
	c.flags = nil
	c.succeeds(whoami, "User name:  jane")
	c.fails([]string{"whoami", "--context=other"}, `context "other" of the kubeconfig does not sign in with Usher; set --issuer`)
	c.fails([]string{"whoami", "--context=none"}, `context "none"`)
}

func TestKubeconfigTwice(t *testing.T) {
	t.Parallel()
	i := newTestIssuer(t)
	i.offer(http.StatusOK, ofPortal)
	c := newComputer(t, i)
	c.succeeds(kubeconfig)
	info, err := os.Stat(c.path("kubeconfig"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	mine := c.kubeconfig()
	mine.Contexts["acme"].Namespace = "team"
	c.must(clientcmd.WriteToFile(*mine, c.path("kubeconfig")))
	i.offer(http.StatusOK, strings.ReplaceAll(ofPortal, "Y2E=", "bmV3"))
	c.succeeds(kubeconfig)
	got := c.kubeconfig()
	if ca, namespace := string(got.Clusters["acme"].CertificateAuthorityData), got.Contexts["acme"].Namespace; ca != "new" || namespace != "team" {
		t.Errorf("CA %q, namespace %q", ca, namespace)
	}
	i.expectCalls("/authorize", 1)
}

func TestKubeconfigRefusesConflicts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mine string
		want string
	}{
		"a cluster": {strings.ReplaceAll(ofPerson, "name: other, cluster", "name: acme, cluster"), "already has a cluster acme at https://other.example.com"},
		"a user":    {strings.ReplaceAll(ofPerson, "name: other, user", "name: acme-usher, user"), "already has a user acme-usher, who signs in elsewhere"},
		"a context": {strings.ReplaceAll(ofPerson, "name: other, context", "name: acme, context"), "already has a context acme with the cluster other and the user other"},
		// Its other users would trust the CA that the portal names.
		"a cluster of someone else": {
			strings.ReplaceAll(strings.ReplaceAll(ofPerson, "name: other, cluster", "name: acme, cluster"), "https://other.example.com", "https://api.example.com"),
			"already has a cluster acme with another CA",
		},
		"a user of another portal": {
			strings.ReplaceAll(ofPortal, "command: sh, args: [-c, evil]", `command: kubectl-usher, args: [credential, "--issuer=https://other.example.com"]`),
			"already has a user acme-usher, who signs in elsewhere",
		},
		"no kubeconfig": {"{", "read the kubeconfig: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			i.offer(http.StatusOK, ofPortal)
			c := newComputer(t, i)
			c.must(os.WriteFile(c.path("kubeconfig"), []byte(test.mine), 0o600))
			c.fails(kubeconfig, test.want)
			if after, err := os.ReadFile(c.path("kubeconfig")); err != nil || string(after) != test.mine {
				t.Errorf("the kubeconfig is now %s, error %v", after, err)
			}
		})
	}
}

func TestKubeconfigOfAPortalThatHasNone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status     int
		text, want string
	}{
		"not configured":        {http.StatusNotFound, "", "it answered 404; ask the administrator of the portal"},
		"the sign-in has ended": {http.StatusUnauthorized, "", "your sign-in has ended; run kubectl usher login --issuer https://127.0.0.1:"},
		"a page":                {http.StatusOK, "<html>", "is damaged"},
		"empty":                 {http.StatusOK, "", "names no cluster"},
		"an address with HTTP":  {http.StatusOK, strings.ReplaceAll(ofPortal, "https://api", "http://api"), "its address is not https"},
		"a name that is a text": {http.StatusOK, strings.NewReplacer("name: acme,", `name: "\e[2J",`, "cluster: acme,", `cluster: "\e[2J",`, "current-context: acme", `current-context: "\e[2J"`).Replace(ofPortal), "names the cluster wrongly"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newTestIssuer(t)
			i.offer(test.status, test.text)
			c := newComputer(t, i)
			c.fails(kubeconfig, test.want)
			if _, err := os.Stat(c.path("kubeconfig")); !os.IsNotExist(err) {
				t.Errorf("there is a kubeconfig, or %v", err)
			}
		})
	}
}

func TestKubeconfigNeedsAnIssuer(t *testing.T) {
	t.Parallel()
	c := newComputer(t, newTestIssuer(t))
	c.flags = nil
	c.fails(kubeconfig, "--issuer must be the address of the portal")
}

func (c *computer) kubeconfig() *api.Config {
	c.t.Helper()
	config, err := clientcmd.LoadFromFile(c.path("kubeconfig"))
	c.must(err)
	return config
}

// withoutOrigin returns a kubeconfig without the places where its entries were read.
func withoutOrigin(config *api.Config) *api.Config {
	for _, cluster := range config.Clusters {
		cluster.LocationOfOrigin, cluster.Extensions = "", nil
	}
	for _, user := range config.AuthInfos {
		user.LocationOfOrigin, user.Extensions = "", nil
		if user.Exec != nil {
			user.Exec = &api.ExecConfig{
				APIVersion: user.Exec.APIVersion, Command: user.Exec.Command, Args: user.Exec.Args, Env: user.Exec.Env,
				InstallHint: user.Exec.InstallHint, InteractiveMode: user.Exec.InteractiveMode,
			}
		}
	}
	for _, at := range config.Contexts {
		at.LocationOfOrigin, at.Extensions = "", nil
	}
	config.Extensions, config.Preferences = nil, api.Preferences{}
	return config
}
