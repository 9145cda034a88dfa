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

// linkSecretCarrier writes the link into a Secret beside its Invitation, if the Invitation asks for it.
// It cannot read Secrets. A ValidatingAdmissionPolicy prevents it from changing Secrets of another
// type.
type linkSecretCarrier struct{}

var _ withdrawer = linkSecretCarrier{}

func (linkSecretCarrier) Medium() delivery.Medium {
	return delivery.Medium{
		CopyRecognisable: true, // writing it again changes nothing
		Withdrawable:     true,
		Recipient:        func(inv *accountsv1.Invitation) string { return inv.Name + accountsv1.LinkSecretSuffix },
	}
}

// Lane returns NoLane: the API server is the only server.
func (linkSecretCarrier) Lane(*Notifier, Message) Lane { return NoLane }

// foreignSecretError reports that the Secret's name belongs to a Secret of another owner.
type foreignSecretError struct{ name string }

func (e *foreignSecretError) Error() string {
	return fmt.Sprintf("Secret %s already exists and does not belong to Usher: delete or rename it, and request a resend", e.name)
}

// Permanent reports whether a retry fails too. It always returns true, because Usher never overwrites
// the Secret of another owner.
func (*foreignSecretError) Permanent() bool { return true }

// Send writes the link into the Secret, which is deleted with the Invitation.
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

// Withdraw deletes the Secret. It returns no error if the Secret no longer exists, or now belongs to
// another owner.
func (linkSecretCarrier) Withdraw(ctx context.Context, n *Notifier, inv *accountsv1.Invitation, d accountsv1.Delivery) error {
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = inv.Namespace, d.Recipient
	if err := n.Secrets.Delete(ctx, secret); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return err
	}
	return nil
}
