// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/portal"
)

// invite applies the samples and waits until Usher has sent the mails.
func (d *demo) invite(ctx context.Context) error {
	d.say("Waiting for Usher's policies")
	samples := filepath.Join("config", "samples")
	// Roles that were written before the policies were in force give no groups.
	if err := d.apply(ctx, "-f", filepath.Join(samples, "organization.yaml")); err != nil {
		return err
	}
	if _, err := d.cluster.Kubectl(ctx, "wait", "--for=condition=PoliciesInForce", fmt.Sprintf("--timeout=%s", patience), "organizations", "--all"); err != nil {
		return err
	}
	// Times in objects are whole seconds, so a role of the same second can be an older one.
	select {
	case <-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second))):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.say("Inviting the people of config/samples")
	if err := d.apply(ctx, "-k", samples); err != nil {
		return err
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

// apply applies manifests. Usher creates the home namespaces, so objects in one can be refused for a
// moment. Apply is therefore retried, as GitOps tools do.
func (d *demo) apply(ctx context.Context, manifests ...string) error {
	var refusal error
	err := d.await(ctx, "the samples to be applied", func(ctx context.Context) (bool, error) {
		_, refusal = d.cluster.Kubectl(ctx, append([]string{"apply"}, manifests...)...)
		return refusal == nil, nil
	})
	if err != nil {
		return errors.Join(err, refusal)
	}
	return nil
}

// explain prints what a first-time user of Usher needs.
func (d *demo) explain(ctx context.Context) error {
	invited, err := d.invited(ctx)
	if err != nil {
		return err
	}
	kubeconfig, people := filepath.Join(d.dir, "kubeconfig"), filepath.Join(d.dir, "people.kubeconfig")
	if err := errors.Join(d.cluster.Kubeconfig(kubeconfig), d.writePeopleKubeconfig(people)); err != nil {
		return err
	}
	d.print(`
Usher is up after %.0f s.

  Portal  %s
  Inbox   %s

The demo has its own CA, %s.
Your browser does not know it, and warns once before it shows the portal. Go on, or import the CA. Passkeys need the import.

Usher has invited these people. Their mails are in the inbox:

%s
In another terminal, as the cluster admin:

  export KUBECONFIG=%s
  bin/kubectl get memberships,invitations --all-namespaces

Things to try:

  1. Open the link of Jane, the developer, choose a user name and a password, and list the members again.
  2. In a third terminal, sign in to the cluster as Jane. Your browser opens, and asks for her password. Jane can do what
     her role grants, and nothing else:
       export KUBECONFIG=%s PATH="$PWD/bin:$PATH"
       kubectl usher login
       kubectl auth whoami
       kubectl create deployment web --image=nginx --namespace acme-staging
       kubectl get nodes
  3. Open the link of Ada, the owner, and create her account. Then open the link of John, the guest. His page is in
     German: decline at the bottom of it. The inbox shows the notice to Ada.
  4. As the cluster admin, delete Jane's Membership:
       bin/kubectl delete membership jane-doe --namespace acme
     Her token is valid for at most 10 minutes more, but it grants nothing any more. In her terminal:
       kubectl get deployments --namespace acme-staging

Ctrl-C ends the demo and deletes everything that it created.
`, time.Since(d.started).Seconds(), d.portalPort.url(), d.inboxPort.url(), d.front.caFile, invited, kubeconfig, people)
	return nil
}

// writePeopleKubeconfig writes the kubeconfig that the portal gives people.
func (d *demo) writePeopleKubeconfig(path string) error {
	admin := d.cluster.Admin()
	people := portal.Cluster{Name: clusterName, Server: admin.Host, CA: admin.CAData, IssuerCA: d.front.ca}
	text, err := people.Kubeconfig(d.portalPort.url())
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
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
