// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// invite applies the samples and waits until Usher has done its part: the mail is out.
func (d *demo) invite(ctx context.Context) error {
	d.say("Inviting the people of config/samples")
	// A home namespace is made by Usher, so that what is to live there can come too early by a moment,
	// as with every tool that applies manifests again until they fit.
	err := d.await(ctx, "the samples to be applied", func(ctx context.Context) (bool, error) {
		_, err := d.cluster.Kubectl(ctx, "apply", "-k", filepath.Join("config", "samples"))
		return err == nil, nil
	})
	if err != nil {
		_, reason := d.cluster.Kubectl(ctx, "apply", "-k", filepath.Join("config", "samples"))
		return errors.Join(err, reason)
	}
	_, err = d.cluster.Kubectl(ctx, "wait", "--for=condition=Ready", fmt.Sprintf("--timeout=%s", patience),
		"memberships", "--all", "--all-namespaces")
	return err
}

// explain prints what somebody needs who sees Usher for the first time.
func (d *demo) explain(ctx context.Context) error {
	m, err := d.invited(ctx)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(d.dir, "kubeconfig")
	if err := d.cluster.Kubeconfig(kubeconfig); err != nil {
		return err
	}
	d.print(`
Usher is up after %.0f s.

  Portal      %s
  Inbox       %s
  Invitation  %s
              (from the mail to %s)

In another terminal:

  export KUBECONFIG=%s
  bin/kubectl get memberships --all-namespaces

Two things to try:

  1. Open the invitation, choose a user name and a password, and ask again who is a member.
     Then ask whether they may deploy, with the user name in place of jane-doe:
       bin/kubectl auth can-i create deployments --as usher:jane-doe --namespace %s-staging
  2. Remove them, and ask once more:
       bin/kubectl delete membership %s --namespace %s

Ctrl-C ends the demo and leaves nothing behind.
`, time.Since(d.started).Seconds(), d.portalPort.url(), d.inboxPort.url(), d.inbox.Link(string(m.Spec.Email)), m.Spec.Email,
		kubeconfig, m.Namespace, m.Name, m.Namespace)
	return nil
}

// invited is the first Membership that somebody can take up.
func (d *demo) invited(ctx context.Context) (*accountsv1.Membership, error) {
	scheme := runtime.NewScheme()
	if err := accountsv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	reader, err := client.New(d.cluster.Admin(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	var all accountsv1.MembershipList
	if err := reader.List(ctx, &all); err != nil {
		return nil, err
	}
	for i := range all.Items {
		if d.inbox.Link(string(all.Items[i].Spec.Email)) != "" {
			return &all.Items[i], nil
		}
	}
	return nil, errors.New("no mail has a link in it: is there a Membership in config/samples?")
}
