// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"path/filepath"
)

// Namespace is Usher's own namespace.
const Namespace = "usher-system"

// InstallAll installs everything of Usher that needs no node, from the directory config: the CRDs,
// the namespace, the RBAC of the service accounts and the policies. It returns when the API server
// serves the kinds.
func (c *Cluster) InstallAll(ctx context.Context, config string) error {
	if err := c.install(ctx, "-k", filepath.Join(config, "crd")); err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return err
	}
	if err := c.install(ctx, "-f", filepath.Join(config, "default", "namespace.yaml")); err != nil {
		return err
	}
	for _, part := range []string{"rbac", "policy"} {
		if err := c.install(ctx, "-k", filepath.Join(config, part)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) install(ctx context.Context, manifests ...string) error {
	_, err := c.Kubectl(ctx, append([]string{"apply", "--server-side"}, manifests...)...)
	return err
}
