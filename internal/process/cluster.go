// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// namespaceFile is where Kubernetes tells a pod its own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Cluster says which API server to talk to, and as whom.
type Cluster struct {
	// Kubeconfig is a path; empty: KUBECONFIG, the service account of the pod,
	// or the default file, whichever there is.
	Kubeconfig string
	// Context of the kubeconfig; empty: its current one.
	Context string
	// Namespace is Usher's own; empty: the one that the pod runs in.
	Namespace string
}

// config connects without a limit of the client's own: the API server's
// priority and fairness decides how much is too much.
func (c Cluster) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server (give --kubeconfig outside a cluster): %w", err)
	}
	config.QPS = -1
	return config, nil
}

func (c Cluster) namespace() (string, error) {
	if c.Namespace != "" {
		return c.Namespace, nil
	}
	own, err := os.ReadFile(namespaceFile)
	if err != nil {
		return "", fmt.Errorf("finding Usher's own namespace (give --namespace outside a cluster): %w", err)
	}
	return strings.TrimSpace(string(own)), nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, accountsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // only two kinds of one name cannot be added
		}
	}
	return scheme
}

// onlyLinkKeys keeps no Secret in the cache but the one with the link keys:
// Usher may watch no other.
func onlyLinkKeys(namespace string) cache.ByObject {
	return cache.ByObject{Namespaces: map[string]cache.Config{
		namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", linkKeysSecret)},
	}}
}
