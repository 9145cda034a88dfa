// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
)

// invite applies the samples and waits until Usher has sent the mails.
func (d *demo) invite(ctx context.Context) error {
	d.say("Inviting the people of config/samples")
	// Usher creates the home namespaces. Objects in a home namespace can therefore be refused for a
	// moment, so apply is retried, as GitOps tools do.
	err := d.await(ctx, "the samples to be applied", func(ctx context.Context) (bool, error) {
		_, err := d.cluster.Kubectl(ctx, "apply", "-k", filepath.Join("config", "samples"))
		return err == nil, nil
	})
	if err != nil {
		_, reason := d.cluster.Kubectl(ctx, "apply", "-k", filepath.Join("config", "samples"))
		return errors.Join(err, reason)
	}
	// The Organization becomes Ready once its founders have Memberships.
	for _, kinds := range []string{"organizations", "memberships,invitations"} {
		if _, err := d.cluster.Kubectl(ctx, "wait", "--for=condition=Ready", fmt.Sprintf("--timeout=%s", patience),
			kinds, "--all", "--all-namespaces"); err != nil {
			return err
		}
	}
	return nil
}

// explain prints what a first-time user of Usher needs.
func (d *demo) explain(ctx context.Context) error {
	people, err := d.invited(ctx)
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(d.dir, "kubeconfig")
	if err := d.cluster.Kubeconfig(kubeconfig); err != nil {
		return err
	}
	d.print(`
Usher is up after %.0f s.

  Portal  %s
  Inbox   %s

Usher has invited these people. Their mails are in the inbox:

%s
In another terminal:

  export KUBECONFIG=%s
  bin/kubectl get memberships,invitations --all-namespaces

Things to try:

  1. Open the link of Jane, the developer, choose a user name and a password, and list the members again.
     Then check whether she may deploy. Replace jane-doe with the user name that you chose:
       bin/kubectl auth can-i create deployments --as usher:jane-doe --namespace acme-staging
  2. Open the link of Ada, the owner, and create her account. Then open the link of John, the guest. His page is in
     German: decline at the bottom of it. The inbox shows the notice to Ada.
  3. Delete Jane's Membership, and check again whether she may deploy:
       bin/kubectl delete membership jane-doe --namespace acme

Ctrl-C ends the demo and deletes everything that it created.
`, time.Since(d.started).Seconds(), d.portalPort.url(), d.inboxPort.url(), people, kubeconfig)
	return nil
}

// invited returns a line for each invited person: address, role and link.
func (d *demo) invited(ctx context.Context) (string, error) {
	scheme := runtime.NewScheme()
	if err := accountsv1.AddToScheme(scheme); err != nil {
		return "", err
	}
	reader, err := client.New(d.cluster.Admin(), client.Options{Scheme: scheme})
	if err != nil {
		return "", err
	}
	var all accountsv1.InvitationList
	if err := reader.List(ctx, &all); err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, inv := range all.Items {
		_, _ = fmt.Fprintf(&lines, "  %-25s %-10s %s\n", inv.Spec.Email, inv.Spec.Role, d.inbox.Link(string(inv.Spec.Email)))
	}
	return lines.String(), nil
}
