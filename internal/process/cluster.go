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

// namespaceFile is where a pod finds the name of its own namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Cluster holds which API server to connect to, and as which user.
type Cluster struct {
	// Kubeconfig is a path. If it is empty, the client uses KUBECONFIG, the default file
	// or the service account of the pod.
	Kubeconfig string
	// Context is a context of the kubeconfig. If it is empty, the current one is used.
	Context string
	// Namespace is Usher's own namespace. If it is empty, the namespace of the pod is
	// used.
	Namespace string
}

// config returns a client configuration without a client-side rate limit. The API
// server's priority and fairness decides how many requests are too many.
func (c Cluster) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server (set --kubeconfig outside a cluster): %w", err)
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
		return "", fmt.Errorf("find Usher's own namespace (set --namespace outside a cluster): %w", err)
	}
	return strings.TrimSpace(string(own)), nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, accountsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // fails only for two kinds of the same name
		}
	}
	return scheme
}

// onlyLinkKeys restricts the cache to the Secret with the link keys. Usher watches no other
// Secret of its own namespace.
func onlyLinkKeys(namespace string) cache.ByObject {
	return cache.ByObject{Namespaces: map[string]cache.Config{
		namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", linkKeysSecret)},
	}}
}
