// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"path/filepath"

	"github.com/usher-dev/usher/hack/cluster/child"
)

// controllers are those that something here would be wrong without: half-deleted namespaces, garbage,
// empty ClusterRoles, admission policies that nobody has checked.
const controllers = "namespace-controller,garbage-collector-controller,clusterrole-aggregation-controller," +
	"serviceaccount-controller,validatingadmissionpolicy-status-controller"

// startControllerManager starts it and does not wait: whatever it does appears in the API.
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
		// It serves metrics and health to nobody here.
		"--secure-port=0",
		// Namespaces go faster: what is in them is looked for anew sooner.
		"--namespace-sync-period=1m",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
	return err
}
