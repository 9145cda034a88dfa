// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenLife is longer than a demo stays up. Outside a pod, nothing renews a token.
const tokenLife = 30 * 24 * time.Hour

// ServiceAccountConfig returns a client configuration for a service account. It has its own token,
// and so only the permissions of that service account.
func (c *Cluster) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	clients, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return nil, err
	}
	seconds := int64(tokenLife.Seconds())
	token, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create a token for service account %s: %w", name, err)
	}
	config := rest.AnonymousClientConfig(c.admin)
	config.BearerToken = token.Status.Token
	return config, nil
}

// Kubeconfig writes a kubeconfig file for the cluster admin.
func (c *Cluster) Kubeconfig(path string) error {
	return WriteKubeconfig(path, map[string]*rest.Config{"admin": c.admin})
}

// WriteKubeconfig writes a kubeconfig file with one context, of the same name, for each
// configuration. If there is only one, it becomes the current context.
func WriteKubeconfig(path string, contexts map[string]*rest.Config) error {
	file := clientcmdapi.NewConfig()
	for name, config := range contexts {
		file.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
		file.AuthInfos[name] = &clientcmdapi.AuthInfo{
			Token: config.BearerToken, ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
		}
		file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
		if len(contexts) == 1 {
			file.CurrentContext = name
		}
	}
	// WriteToFile makes the file readable only for its owner.
	return clientcmd.WriteToFile(*file, path)
}
