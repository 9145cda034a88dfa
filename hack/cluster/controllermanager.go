// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"path/filepath"

	"github.com/usher-dev/usher/hack/cluster/child"
)

// controllers are the ones that the specs and the demo depend on. Without them there would be
// half-deleted namespaces, garbage, empty ClusterRoles and admission policies without a type check.
const controllers = "namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller," +
	"serviceaccount-controller,validatingadmissionpolicy-status-controller"

// startControllerManager starts kube-controller-manager and does not wait for it, because its
// effects appear in the API.
func (c *Cluster) startControllerManager(context.Context) error {
	if !c.opts.ControllerManager {
		return nil
	}
	c.opts.Progress("Starting kube-controller-manager")
	var err error
	c.manager, err = child.Start(filepath.Join(c.dir, "kube-controller-manager.log"), c.program("kube-controller-manager"),
		"--kubeconfig="+c.kubeconfig(),
		"--controllers="+controllers,
		"--leader-elect=false",
		// There is no client for its metrics and health here.
		"--secure-port=0",
		// Namespaces are deleted faster, because their contents are listed again sooner.
		"--namespace-sync-period=1m",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
	return err
}
