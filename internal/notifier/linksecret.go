// Copyright The Usher Authors
// SPDX-License-Identifier: Apache-2.0

package notifier

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	accountsv1 "github.com/usher-dev/usher/api/v1alpha1"
	"github.com/usher-dev/usher/internal/delivery"
)

// linkSecretCarrier writes the link into a Secret beside its Invitation, because the Invitation asks for
// it. It can neither read a Secret nor, held by a ValidatingAdmissionPolicy, touch one of another type.
type linkSecretCarrier struct{}

var _ withdrawer = linkSecretCarrier{}

func (linkSecretCarrier) Medium() delivery.Medium {
	return delivery.Medium{
		CopyRecognisable: true, // writing it again changes nothing
		Withdrawable:     true,
		Recipient:        func(inv *accountsv1.Invitation) string { return inv.Name + accountsv1.LinkSecretSuffix },
	}
}

// Lane is none: the API server is the only server.
func (linkSecretCarrier) Lane(*Notifier, Message) Lane { return NoLane }

// foreignSecretError reports that the Secret's name belongs to a Secret of another owner.
type foreignSecretError struct{ name string }

func (e *foreignSecretError) Error() string {
	return fmt.Sprintf("Secret %s is somebody else's; remove or rename it, and ask for a resend", e.name)
}

// Permanent is true: Usher never writes over it.
func (*foreignSecretError) Permanent() bool { return true }

// Send writes the link into the Secret, which goes with the Invitation.
func (linkSecretCarrier) Send(ctx context.Context, n *Notifier, m Message) error {
	if m.Invitation == nil {
		return errOnlyInvitations
	}
	inv := m.Invitation.Invitation
	link, err := n.writer(ctx).Link(inv)
	if err != nil {
		return err
	}
	config := corev1ac.Secret(m.Recipient, inv.Namespace).
		WithType(corev1.SecretType(accountsv1.LinkSecretType)).
		WithLabels(map[string]string{accountsv1.ManagedByLabel: accountsv1.ManagedByValue}).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(accountsv1.GroupVersion.String()).WithKind("Invitation").WithName(inv.Name).WithUID(inv.UID)).
		WithData(map[string][]byte{accountsv1.LinkKey: []byte(link)})
	err = n.Secrets.Apply(ctx, config, client.FieldOwner(accountsv1.FieldManager), client.ForceOwnership)
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return &foreignSecretError{m.Recipient}
	}
	return err
}

// Withdraw deletes the Secret. A Secret that was deleted, or belongs to another owner by now, is no error.
func (linkSecretCarrier) Withdraw(ctx context.Context, n *Notifier, inv *accountsv1.Invitation, d accountsv1.Delivery) error {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = inv.Namespace, d.Recipient
	if err := n.Secrets.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return err
	}
	return nil
}
