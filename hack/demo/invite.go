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
	// The Organization is Ready once its founders are among the Memberships.
	for _, kinds := range []string{"organizations", "memberships,invitations"} {
		if _, err := d.cluster.Kubectl(ctx, "wait", "--for=condition=Ready", fmt.Sprintf("--timeout=%s", patience),
			kinds, "--all", "--all-namespaces"); err != nil {
			return err
		}
	}
	return nil
}

// explain prints what somebody needs who sees Usher for the first time.
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

These people are invited, each by a mail in the inbox:

%s
In another terminal:

  export KUBECONFIG=%s
  bin/kubectl get memberships,invitations --all-namespaces

Things to try:

  1. Open the link of Jane, the developer, choose a user name and a password, and ask again who is a member.
     Then ask whether she may deploy, with the user name in place of jane-doe:
       bin/kubectl auth can-i create deployments --as usher:jane-doe --namespace acme-staging
  2. Open the link of Ada, the owner, and make her account. Then open that of John, the guest, whose page is in
     German: decline at its foot. The inbox shows that Ada is told.
  3. Remove Jane, and ask once more whether she may deploy:
       bin/kubectl delete membership jane-doe --namespace acme

Ctrl-C ends the demo and leaves nothing behind.
`, time.Since(d.started).Seconds(), d.portalPort.url(), d.inboxPort.url(), people, kubeconfig)
	return nil
}

// invited is a line for each person who can join: address, role and link.
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
