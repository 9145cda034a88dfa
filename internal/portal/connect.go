// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/usher-dev/usher/internal/issuer"
	"github.com/usher-dev/usher/internal/portal/store"
	"github.com/usher-dev/usher/internal/session"
)

const pageConnect = "connect.html"

// Paths of the page that connects people to the cluster.
const (
	pathConnect    = "/connect"
	pathKubeconfig = "/connect/kubeconfig"
)

// Cluster is the cluster that people sign in to. The zero value means that the portal does
// not tell how.
type Cluster struct {
	// Name of the cluster and of its context in kubeconfigs.
	Name string
	// Server is the address of the API server. Empty means that it is not told.
	Server string
	// CA holds the CA certificates of the API server in PEM form. Empty means that the
	// system's are enough.
	CA []byte
	// IssuerCA holds those of the portal.
	IssuerCA []byte
	// PluginURL is where the binaries of kubectl-usher are.
	PluginURL string
}

// Kubeconfig returns the kubeconfig of every person. It holds no secret: kubectl-usher asks
// the person to sign in.
func (c Cluster) Kubeconfig(issuerURL string) ([]byte, error) {
	user := c.Name + "-usher"
	arguments := append([]string{"credential"}, c.issuerFlags(issuerURL)...)
	config := api.NewConfig()
	config.Clusters[c.Name] = &api.Cluster{Server: c.Server, CertificateAuthorityData: c.CA}
	config.AuthInfos[user] = &api.AuthInfo{Exec: &api.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "kubectl-usher", Args: arguments,
		InteractiveMode: api.IfAvailableExecInteractiveMode,
		InstallHint:     "kubectl-usher is not installed. " + issuerURL + pathConnect + " says how to install it.",
	}}
	config.Contexts[c.Name] = &api.Context{Cluster: c.Name, AuthInfo: user}
	config.CurrentContext = c.Name
	return clientcmd.Write(*config)
}

// issuerFlags returns the flags of kubectl-usher that name the portal and its CA.
func (c Cluster) issuerFlags(issuerURL string) []string {
	flags := []string{"--issuer=" + issuerURL}
	if len(c.IssuerCA) > 0 {
		flags = append(flags, "--issuer-ca-data="+base64.StdEncoding.EncodeToString(c.IssuerCA))
	}
	return flags
}

// connectPage tells how to use the cluster.
type connectPage struct {
	Cluster, Server, Kubeconfig string
	Commands                    []connectCommand
	Base                        string
}

// connectCommand installs kubectl-usher and adds the cluster to the kubeconfig, on one
// operating system.
type connectCommand struct{ System, Line string }

func (p *portal) showConnect(v membersVisit) {
	if p.cluster.Server == "" {
		p.notFound(v.w, v.r)
		return
	}
	kubeconfig, err := p.cluster.Kubeconfig(p.issuerURL)
	if err != nil {
		p.failed(v.w, v.r, v.lang, "write a kubeconfig", err, unavailable)
		return
	}
	v.render(p, http.StatusOK, pageConnect, v.lang.Text("portal.connect.title", nil), connectPage{
		Cluster: p.cluster.Name, Server: p.cluster.Server, Kubeconfig: string(kubeconfig), Base: p.base,
		Commands: p.cluster.commands(p.issuerURL),
	})
}

// commands returns one line for each operating system.
func (c Cluster) commands(issuerURL string) []connectCommand {
	from := strings.TrimSuffix(c.PluginURL, "/")
	add := "kubectl usher kubeconfig " + strings.Join(c.issuerFlags(issuerURL), " ")
	return []connectCommand{
		{"Linux", "mkdir -p ~/.local/bin && export PATH=~/.local/bin:$PATH && curl -fsSLo ~/.local/bin/kubectl-usher " + from + "/kubectl-usher-linux-$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/') && chmod +x ~/.local/bin/kubectl-usher && " + add},
		{"macOS", "sudo mkdir -p /usr/local/bin && sudo curl -fsSLo /usr/local/bin/kubectl-usher " + from + "/kubectl-usher-darwin-$(uname -m | sed 's/x86_64/amd64/') && sudo chmod +x /usr/local/bin/kubectl-usher && " + add},
		{"Windows", `curl.exe -fsSLo "$env:LOCALAPPDATA\Microsoft\WindowsApps\kubectl-usher.exe" ` + `"` + from + `/kubectl-usher-windows-$($env:PROCESSOR_ARCHITECTURE.ToLower()).exe"; if ($?) { ` + add + " }"},
	}
}

// sendKubeconfig answers with the kubeconfig: to a person who is signed in with a browser,
// or to kubectl-usher with an access token.
func (p *portal) sendKubeconfig(w http.ResponseWriter, r *http.Request) {
	if p.cluster.Server == "" {
		p.notFound(w, r)
		return
	}
	lang := languageOf(r, store.LinkView{})
	allowed, err := p.mayConnect(r)
	switch {
	case err != nil:
		p.failed(w, r, lang, "find a session", err, unavailable)
		return
	case !allowed:
		w.Header().Set("WWW-Authenticate", "Bearer")
		p.message(w, r, lang, http.StatusUnauthorized, signInFirst)
		return
	}
	kubeconfig, err := p.cluster.Kubeconfig(p.issuerURL)
	if err != nil {
		p.failed(w, r, lang, "write a kubeconfig", err, unavailable)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+p.cluster.Name+`.yaml"`)
	respond(w, r, http.StatusOK, "application/yaml", kubeconfig)
}

func (p *portal) mayConnect(r *http.Request) (bool, error) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		at, err := p.visitor(r)
		return at.IsIn(), err
	}
	err := p.issuer.Check(r.Context(), issuer.KubectlID, token)
	if errors.Is(err, session.ErrNoSignIn) {
		return false, nil
	}
	return err == nil, err
}
